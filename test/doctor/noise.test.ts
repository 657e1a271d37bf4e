// How much of the gradients is chance, against what is known of a quadratic loss; and that a hint says so.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { watch } from '../../bindings/doctor/index.ts';
import * as rg from '../../bindings/index.ts';
import { functional as F, manualSeed, nn, optim, randn, scope, type Tensor, zeros } from '../../bindings/index.ts';

beforeAll(() => rg.init({ simd: 'strict', threads: 1 }));
afterAll(() => rg.shutdown());

/** A point that is to be where targets are on average: the gradient of a row is its distance from the target. */
class Point extends nn.Module {
  readonly at: nn.Parameter;
  constructor(width: number, from: number) {
    super();
    this.at = new nn.Parameter(zeros([width]).add(from));
  }
  forward(x: Tensor): Tensor {
    return this.at.expand([x.shape[0] as number, this.at.shape[0] as number]);
  }
}
const half = (output: Tensor, target: Tensor): Tensor => F.mseLoss(output, target, { reduction: 'sum' });
const perRow = (output: Tensor, target: Tensor): Tensor => half(output, target).mul(0.5 / (output.shape[0] as number));

async function reportOf(
  model: nn.Module & { forward(x: Tensor): Tensor },
  loss: (output: Tensor, target: Tensor) => Tensor,
  batch: () => readonly [Tensor, Tensor],
  { lr, steps }: { readonly lr: number; readonly steps: number },
) {
  const optimizer = new optim.SGD(model.parameters(), { lr });
  const doctor = watch(model, optimizer, { loss });
  for (let i = 0; i < steps; i++)
    scope(() => {
      const [input, target] = batch();
      optimizer.zeroGrad();
      const value = loss(model.forward(input), target);
      value.backward();
      optimizer.step();
      doctor.step(value, { input, target });
    });
  const report = await doctor.report();
  const page = await doctor.page();
  doctor.close();
  return { report, page };
}

describe('gradient noise', () => {
  const [width, rows, spread, distance] = [32, 64, 2, 0.5];
  // Σ over dims of the variance, and the square of the way to the mean of the targets.
  const [trace, square] = [width * spread ** 2, width * distance ** 2];

  it.each([
    ['mean', perRow],
    ['sum', half],
  ])('of a quadratic with known variance is what it is, by losses that are a %s', async (_, loss) => {
    manualSeed(4);
    const model = new Point(width, distance);
    const draw = () => [zeros([rows, 1]), randn([rows, width]).mul(spread)] as const;
    const { report, page } = await reportOf(model, loss, draw, { lr: 1e-9, steps: 90 });
    const noise = report.noise as NonNullable<typeof report.noise>;
    expect(noise.batchSize).toBe(rows);
    // Five looks at 64 rows in 32 dims leave errors of 5 to 10 %.
    expect(noise.scale / (trace / square)).toBeCloseTo(1, 0.7);
    expect(noise.normTest / Math.sqrt(trace / square / rows)).toBeCloseTo(1, 1);
    expect(noise.normTest ** 2).toBeCloseTo(noise.innerProductTest ** 2 + noise.orthogonalityTest ** 2, 9);
    expect(page).toContain('Gradient noise');
  });

  it('is none where all rows are alike', async () => {
    const draw = () => [zeros([8, 1]), zeros([8, width]).add(3)] as const;
    const { report } = await reportOf(new Point(width, 1), perRow, draw, { lr: 1e-3, steps: 5 });
    expect(report.noise?.scale).toBeLessThan(1e-4);
  });

  it('is unknown without a loss, and of batches that cannot be cut', async () => {
    const draw = () => [zeros([3, 1]), zeros([3, width])] as const;
    const { report } = await reportOf(new Point(width, 1), perRow, draw, { lr: 1e-3, steps: 5 });
    expect(report.noise).toBeNull();
  });

  it('is hinted at where the loss stands still for it, and not with the batches that the hint asks for', async () => {
    const said = async (size: number) => {
      manualSeed(7);
      const truth = randn([16, 1]).mul(0.3).keep();
      const draw = () => {
        const x = randn([size, 16]);
        return [x, x.matmul(truth).add(randn([size, 1]))] as const;
      };
      const { report } = await reportOf(new nn.Linear(16, 1), F.mseLoss as never, draw, { lr: 0.02, steps: 160 });
      return { ids: report.findings.map(({ id }) => id), healthy: report.healthy };
    };
    expect(await said(4)).toEqual({ ids: ['noisy-gradients'], healthy: true });
    expect(await said(256)).toEqual({ ids: [], healthy: true });
  });
});
