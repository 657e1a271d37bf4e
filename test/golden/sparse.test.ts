// Sparse gradients: twenty steps of tables against PyTorch, eager and compiled, and from states that PyTorch saved.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  compile,
  functional as F,
  init,
  optim,
  SparseTensor,
  scope,
  shutdown,
  type Tensor,
  tensor,
} from '../../bindings/index.ts';
import { expectClose, toTensor } from '../support/tensors.ts';
import { read, savedState } from './golden.ts';

type Numbers = readonly number[];
type Any = optim.Optimizer<object>;
interface Run {
  readonly table: 'Embedding' | 'EmbeddingBag';
  readonly given: { readonly weighed?: boolean };
  readonly optimizer: 'SparseAdam' | 'SGD' | 'Adagrad';
  readonly options: object;
  readonly after: Readonly<Record<string, Numbers>>;
  readonly gradients: Readonly<Record<string, Numbers>>;
  readonly rows: Readonly<Record<string, Numbers>>;
}
const file = read('sparse') as {
  readonly case: {
    readonly shape: readonly [number, number];
    readonly start: Numbers;
    readonly indices: readonly (readonly Numbers[])[];
    readonly targets: readonly Numbers[];
    readonly weights: readonly Numbers[];
  };
  readonly runs: readonly Run[];
  readonly states: readonly { readonly run: number; readonly state: object }[];
};
const { shape, start, indices, targets, weights } = file.case;
const TOLERANCE = { relative: 2e-5, absolute: 1e-5 };
const steps = indices.map((_, t) => t);
const f32 = (data: Numbers, of: readonly number[]): Tensor => toTensor({ shape: [...of], data: [...data] } as never);

/** What is learned in step t. */
const inputsOf = (t: number): [Tensor, Tensor, Tensor] => [
  tensor(indices[t] as Numbers[], { dtype: 'i32' }),
  f32(targets[t] as Numbers, [2, 3, shape[1]]),
  f32(weights[t] as Numbers, [2, 3]),
];

function lossOf({ table, given: { weighed, ...options } }: Run, sparse: boolean) {
  const settings = { ...options, sparse };
  return (weight: Tensor, x: Tensor, target: Tensor, samples: Tensor): Tensor => {
    const y =
      table === 'Embedding'
        ? F.embedding(x, weight, settings).sub(target)
        : F.embeddingBag(x, weight, { ...settings, perSampleWeights: weighed ? samples : null }).sub(
            target.select(1, 0),
          );
    return y.square().sum();
  };
}

const optimizerOf = ({ optimizer, options }: Run, weight: Tensor): Any =>
  new (optim[optimizer] as new (params: Tensor[], options: object) => Any)([weight], options);
const table = (): Tensor => f32(start, shape).requiresGrad_();
const bits = (x: Tensor): Int32Array => new Int32Array(x.data.buffer);

describe.each(['strict', 'relaxed'] as const)('%s build', (simd) => {
  beforeAll(() => init({ simd, threads: 1 }));
  afterAll(() => shutdown());

  it.each(file.runs)('$table $given, $optimizer $options', (run) =>
    scope(() => {
      const loss = lossOf(run, true);
      const learn = (compiled: boolean): Tensor => {
        const weight = table();
        const optimizer = optimizerOf(run, weight);
        const train = (...inputs: [Tensor, Tensor, Tensor]): void => {
          optimizer.zeroGrad();
          loss(weight, ...inputs).backward();
          optimizer.step();
        };
        const step = compiled ? compile(train) : train;
        for (const t of steps) {
          scope(() => step(...inputsOf(t)));
          const [after, gradient, rows] = [run.after, run.gradients, run.rows].map((of) => of[t + 1]);
          if (after) expectClose(weight.data, after, TOLERANCE, `weights after step ${t + 1}`);
          const g = weight.grad as SparseTensor;
          expect(g).toBeInstanceOf(SparseTensor);
          if (gradient) expectClose(g.toDense().data, gradient, TOLERANCE, `gradient of step ${t + 1}`);
          if (rows) expect(g.indices().toArray()).toEqual([rows]);
        }
        optimizer.dispose();
        return weight;
      };
      expect(bits(learn(true))).toEqual(bits(learn(false)));
    }),
  );

  it.each(file.runs.filter(({ optimizer }) => optimizer === 'SGD'))(
    'the bits of dense gradients: $given $options',
    (run) =>
      scope(() => {
        const learn = (sparse: boolean): Int32Array => {
          const weight = table();
          const optimizer = optimizerOf(run, weight);
          const loss = lossOf(run, sparse);
          for (const t of steps) {
            optimizer.zeroGrad();
            loss(weight, ...inputsOf(t)).backward();
            optimizer.step();
          }
          optimizer.dispose();
          return bits(weight);
        };
        expect(learn(true)).toEqual(learn(false));
      }),
  );

  it.each(file.states)("goes on from PyTorch's state of run $run", ({ run: number, state }) =>
    scope(() => {
      const run = file.runs[number] as Run;
      const weight = f32(run.after[5] as Numbers, shape).requiresGrad_();
      const [loaded, again] = [optimizerOf(run, weight), optimizerOf(run, weight)];
      loaded.loadStateDict(savedState(state) as never);
      again.loadStateDict(loaded.stateDict());
      expect(JSON.stringify(again.stateDict())).toBe(JSON.stringify(loaded.stateDict()));
      expect(JSON.stringify(savedState(optim.pytorchStateDict(again)))).toContain('"param_groups":[{"lr"');
      for (const t of steps.slice(5)) {
        again.zeroGrad();
        lossOf(run, true)(weight, ...inputsOf(t)).backward();
        again.step();
      }
      expectClose(weight.data, run.after[20] as Numbers, { relative: 1e-4, absolute: 2e-5 }, 'weights after step 20');
      for (const optimizer of [loaded, again]) optimizer.dispose();
    }),
  );
});
