// npm run bench -- trainer: what a Trainer costs beside the loop that one writes by hand, epochs of both by turns.
import {
  backend,
  compile,
  data,
  functional as F,
  init,
  manualSeed,
  nn,
  optim,
  randint,
  randn,
  type Tensor,
} from 'retrograd';
import { type Callback, Trainer } from 'retrograd/train';
import { formatSeconds } from '../harness/report.ts';

type Batch = [x: Tensor, y: Tensor];

const BATCHES = 25;

/** The same training each time: 784 → 128 → 10 by Adam. */
function begin(): { model: nn.Sequential; optimizer: optim.Adam; loader: data.DataLoader<Batch> } {
  manualSeed(1);
  const dataset = new data.TensorDataset(randn([64 * BATCHES, 784]).keep(), randint(0, 10, [64 * BATCHES]).keep());
  const model = new nn.Sequential(new nn.Linear(784, 128), new nn.ReLU(), new nn.Linear(128, 10));
  const optimizer = new optim.Adam(model.parameters(), { lr: 1e-3 });
  return { model, optimizer, loader: new data.DataLoader(dataset, { batchSize: 64 }) as data.DataLoader<Batch> };
}

/** An epoch of the loop by hand, which reads each loss. @returns the mean */
function byHand(): () => number {
  const { model, optimizer, loader } = begin();
  const step = compile((x: Tensor, y: Tensor) => {
    optimizer.zeroGrad();
    const loss = F.crossEntropy(model.forward(x), y);
    loss.backward();
    optimizer.step();
    return loss;
  });
  return () => {
    let sum = 0;
    for (const [x, y] of loader) sum += step(x, y).item();
    return sum / BATCHES;
  };
}

function byTrainer(callbacks: readonly Callback[]): () => Promise<number> {
  const { model, optimizer, loader } = begin();
  const trainer = new Trainer<nn.Sequential, Batch>(model, { loss: F.crossEntropy, optimizer, callbacks });
  return async () => {
    const { history } = await trainer.fit(loader, { epochs: trainer.epoch + 1 });
    return history.at(-1)?.loss as number;
  };
}

/** One table: both by turns, the best epoch of each. */
export async function table(simd: 'auto' | 'strict' | 'relaxed', quick: boolean): Promise<string> {
  await init({ simd, threads: 1 });
  const sides = [byHand(), byTrainer([]), byTrainer([{ onStepEnd: () => {} }])] as const;
  const best = sides.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round < (quick ? 5 : 240); round++) {
    const losses: number[] = [];
    for (const [i, side] of sides.entries()) {
      const started = performance.now();
      losses.push(await side());
      best[i] = Math.min(best[i] as number, (performance.now() - started) / 1000 / BATCHES);
    }
    const [first = 0] = losses;
    if (losses.some((loss) => Math.abs(loss - first) > 1e-6))
      throw new Error(`trainer: expected the losses of the loop by hand, got ${losses.join(', ')}`);
  }
  const [hand = 0, ...others] = best;
  const row = (name: string, seconds: number): string =>
    `| ${name} | ${formatSeconds(seconds)} | ${(100 * (seconds / hand - 1)).toFixed(1)} % |`;
  return [
    `${backend().build} SIMD, one thread, ${backend().engine}`,
    '',
    '| a step of 784 → 128 → 10, 64 images | | more than by hand |',
    '| --- | --- | --- |',
    row('by hand, compiled', hand),
    row('`Trainer`', others[0] as number),
    row('`Trainer` with a callback', others[1] as number),
  ].join('\n');
}
