// The loss modules against PyTorch: keys of their states, and twenty steps of a layer that is trained by each, eager
// and compiled.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compile, functional as F, init, nn, optim, scope, shutdown, type Tensor } from '../../bindings/index.ts';
import { expectClose, toTensor } from '../support/tensors.ts';
import { read, readCases } from './golden.ts';

interface Run {
  readonly loss: string;
  /** "$2" is tensor 2. */
  readonly options: Readonly<Record<string, unknown>>;
  /** What the layer's outputs go through first. */
  readonly ready: 'logSoftmax' | 'sigmoid' | null;
  /** How many outputs the loss takes. */
  readonly inputs: number;
  readonly targets: readonly number[];
  readonly state: readonly string[];
  readonly losses: readonly number[];
  readonly after: readonly number[];
}
const { start, runs } = read('criteria-modules') as {
  readonly start: readonly number[];
  readonly runs: readonly Run[];
};
const file = readCases('criteria-modules');
const TOLERANCE = { relative: 2e-5, absolute: 2e-5 };
type AnyLoss = new (options: object) => nn.Module & { forward(...args: readonly Tensor[]): Tensor };

const stored = (position: number): Tensor => {
  const value = file.expected(position);
  return toTensor(value, value.dtype);
};

describe.each([
  ['strict', 1],
  ['relaxed', 1],
  ['strict', 3],
] as const)('loss modules, %s build, %d threads', (simd, threads) => {
  beforeAll(() => init({ simd, threads }));
  afterAll(() => shutdown());

  it.each(runs.map((run): [string, Run] => [`${run.loss} ${JSON.stringify(run.options)}`, run]))('%s', (_, run) => {
    for (const compiled of [false, true])
      scope(() => {
        const [weight, bias, ...xs] = start.map(stored) as [Tensor, Tensor, ...Tensor[]];
        const model = new nn.Linear(3, 4);
        model.loadStateDict({ weight, bias });
        const options = Object.entries(run.options).map(([name, value]) => [
          name,
          typeof value === 'string' && value.startsWith('$') ? stored(Number(value.slice(1))) : value,
        ]);
        const criterion = new (nn[run.loss as 'MSELoss'] as unknown as AnyLoss)(Object.fromEntries(options));
        expect(Object.keys(criterion.stateDict())).toEqual(run.state);
        const targets = run.targets.map(stored);
        const ready = { logSoftmax: (y: Tensor) => F.logSoftmax(y, 1), sigmoid: F.sigmoid };
        const optimizer = new optim.SGD(model.parameters(), { lr: 0.1 });
        const step = (): Tensor => {
          optimizer.zeroGrad();
          const outputs = xs.slice(0, run.inputs).map((x) => {
            const y = model.forward(x);
            return run.ready ? ready[run.ready](y) : y;
          });
          const loss = criterion.forward(...outputs, ...targets);
          loss.backward();
          optimizer.step();
          return loss;
        };
        const turn = compiled ? compile(step) : step;
        const losses = run.losses.map(() => scope(() => turn().item()));
        expectClose(losses, run.losses, TOLERANCE, 'losses');
        expectClose(model.weight.data, run.after, TOLERANCE, 'weights');
        criterion.dispose();
        model.dispose();
        optimizer.dispose();
      });
  });
});
