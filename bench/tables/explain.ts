// npm run bench -- explain: what explanations cost beside the passes of the model that they are made of, by turns.
import { backend, init, manualSeed, nn, noGrad, randn, scope, type Tensor, zeros } from 'retrograd';
import { gridFeatures, integratedGradients, kernelShap } from 'retrograd/explain';
import { formatSeconds } from '../harness/report.ts';

const STEPS = 50;
const SETS = 1000;
const IMAGES = 16;
/** As many rows as explanations have the model take at once. */
const ROWS = 128;

/** The convolutional network of the main job. */
function cnn(): nn.Sequential & { forward(x: Tensor): Tensor } {
  const block = (from: number, to: number): nn.Layer[] => [
    ...[new nn.Conv2d(from, to, 3, { padding: 1 }), new nn.BatchNorm2d(to), new nn.ReLU(), new nn.MaxPool2d(2)],
  ];
  const head = [
    new nn.Flatten(),
    new nn.Dropout(0.25),
    new nn.Linear(1568, 128),
    new nn.ReLU(),
    new nn.Linear(128, 10),
  ];
  return new nn.Sequential(...block(1, 16), ...block(16, 32), ...head).eval() as never;
}

interface Race {
  readonly what: string;
  ours(): Tensor;
  /** The passes alone, as one would write them. @returns what ours has to be, or null */
  byHand(): Tensor | null;
}

function races(): Race[] {
  manualSeed(1);
  const model = cnn();
  const images = randn([IMAGES, 1, 28, 28]).keep();
  const [image, rows] = [images.narrow(0, 0, 1), randn([ROWS, 1, 28, 28]).keep()];
  const featureMask = gridFeatures(images, 7).keep();
  return [
    {
      what: `integrated gradients of ${IMAGES} images, ${STEPS} points`,
      ours: () => integratedGradients(model, images, { target: 3, nSteps: STEPS, method: 'riemannMiddle' }),
      byHand: () => {
        let sum = zeros(images.shape);
        for (let i = 0; i < STEPS; i++) {
          const point = images
            .mul((i + 0.5) / STEPS)
            .detach()
            .requiresGrad_();
          model.forward(point).select(1, 3).sum().backward();
          sum = sum.add(point.grad as Tensor);
        }
        return sum.div(STEPS).mul(images);
      },
    },
    {
      what: `KernelSHAP of an image, ${SETS} sets of 49 cells`,
      ours: () => kernelShap(model, image, { target: 3, featureMask, nSamples: SETS }),
      byHand: () => {
        for (let i = 0; i < SETS; i += ROWS) noGrad(() => model.forward(rows.narrow(0, 0, Math.min(ROWS, SETS - i))));
        return null;
      },
    },
  ];
}

/** One table: both by turns, the best time of each. */
export async function table(simd: 'auto' | 'strict' | 'relaxed', quick: boolean): Promise<string> {
  await init({ simd, threads: 1 });
  const lines = races().map(({ what, ours, byHand }) => {
    const best = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
    for (let round = 0; round < (quick ? 1 : 20); round++)
      scope(() => {
        const results = [ours, byHand].map((side, i) => {
          const started = performance.now();
          const result = side();
          best[i] = Math.min(best[i] as number, (performance.now() - started) / 1000);
          return result;
        });
        const [found, should] = results as [Tensor, Tensor | null];
        const error = should ? found.sub(should).abs().amax().item() / should.abs().amax().item() : 0;
        if (!(error < 1e-4)) throw new Error(`${what}: expected the numbers of the loop by hand, got ${error} apart`);
      });
    const [own = 0, hand = 0] = best;
    return `| ${what} | ${formatSeconds(own)} | ${formatSeconds(hand)} | ${(own / hand).toFixed(2)} |`;
  });
  return [
    `${backend().build} SIMD, one thread, ${backend().engine}`,
    '',
    '| of the convolutional network of the main job | explain | its passes by hand | ratio |',
    '| --- | --- | --- | --- |',
    ...lines,
  ].join('\n');
}
