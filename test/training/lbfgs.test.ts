// L-BFGS: against PyTorch, its state, whole or not at all, and outside of compile().
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as r from '../../bindings/index.ts';
import { ArgumentError, compile, optim, RecordingError, scope, type Tensor, tensor } from '../../bindings/index.ts';
import { read, savedState } from '../golden/golden.ts';
import { failAllocations } from '../support/failures.ts';

beforeAll(() => r.init());
afterAll(() => r.shutdown());

type Options = Readonly<Record<string, unknown>>;
interface Row {
  readonly problem: Problem;
  readonly options: Options;
  /** The losses that calls of step() gave, and the weights and counts in the end. */
  readonly losses: readonly number[];
  readonly weights: readonly number[];
  readonly evaluations: number;
  /** PyTorch's state after half of the calls, with the weights there. */
  readonly middle: { readonly weights: readonly number[]; readonly state: unknown };
}
type Problem = 'quadratic' | 'valley' | 'logistic';
const rows = (read('lbfgs') as { readonly rows: readonly Row[] }).rows;

const start: Readonly<Record<Problem, readonly number[]>> = {
  quadratic: [1, -2, 0.5, 3],
  valley: [-1.2, 1],
  logistic: [0, 0, 0],
};
const points = () =>
  tensor([
    [1, 0.5, 1],
    [-0.5, 2, 1],
    [2, -1, 1],
    [-1, -1.5, 1],
    [0.3, 0.2, 1],
    [-2, 0.4, 1],
  ]);
const problems: Readonly<Record<Problem, (w: Tensor) => Tensor>> = {
  quadratic: (w) =>
    w
      .mul(tensor([1, 4, 9, 0.5]))
      .mul(w)
      .sum()
      .add(w.sum()),
  valley: (w) => {
    const [x, y] = w.unbind() as [Tensor, Tensor];
    return x.neg().add(1).square().add(y.sub(x.square()).square().mul(100));
  },
  logistic: (w) =>
    r.functional
      .binaryCrossEntropyWithLogits(points().matmul(w), tensor([1, 0, 1, 0, 0, 1]))
      .add(w.square().sum().mul(0.01)),
};

const make = (p: Tensor[], options: Options): optim.LBFGS => new optim.LBFGS(p, options);
/** The parameters of a problem, in two parts, and one call. */
function parts(problem: Problem, weights: readonly number[]) {
  const at = weights.length >> 1;
  const params = [weights.slice(0, at), weights.slice(at)].map((x) => tensor(x).requiresGrad_());
  let evaluations = 0;
  const closure = () => {
    evaluations++;
    for (const p of params) p.clearGrad();
    const loss = problems[problem](r.cat(params));
    loss.backward();
    return loss;
  };
  const now = (): number[] => params.flatMap((p) => Array.from(p.data));
  return { params, closure, now, count: () => evaluations };
}

const near = (actual: readonly number[], expected: readonly number[], share: number): void => {
  const largest = Math.max(...expected.map(Math.abs));
  for (const [i, x] of expected.entries())
    expect(Math.abs((actual[i] as number) - x), `${i}: ${actual} for ${expected}`).toBeLessThanOrEqual(share * largest);
};

describe.each(rows.map((row) => [row.problem, row.options, row] as const))('%s %j', (problem, options, row) => {
  it('gives the losses and weights of PyTorch', () =>
    scope(() => {
      const { params, closure, now } = parts(problem, start[problem]);
      const optimizer = make(params, options);
      const losses = row.losses.map(() => optimizer.step(closure).item());
      near(losses, row.losses, 1e-4);
      near(now(), row.weights, 1e-4);
      optimizer.dispose();
    }));

  it('goes on from its own state to the same bits, and from that of PyTorch', () =>
    scope(() => {
      const half = row.losses.length >> 1;
      const one = parts(problem, start[problem]);
      const first = make(one.params, options);
      for (let i = 0; i < half; i++) first.step(one.closure);
      const two = parts(problem, one.now());
      const second = make(two.params, options);
      second.loadStateDict(first.stateDict());
      expect(second.stateDict()).toEqual(first.stateDict());
      for (let i = half; i < row.losses.length; i++)
        expect(second.step(two.closure).item()).toBe(first.step(one.closure).item());
      expect(two.now()).toEqual(one.now());
      const three = parts(problem, row.middle.weights);
      const third = make(three.params, options);
      third.loadStateDict(savedState(row.middle.state) as optim.OptimizerState);
      for (let i = half; i < row.losses.length; i++) third.step(three.closure);
      near(three.now(), row.weights, 1e-4);
    }));
});

describe('L-BFGS', () => {
  it('makes all steps of a call or none when memory runs out, wherever it does', () =>
    scope(() => {
      const { params, closure, now } = parts('valley', start.valley);
      const optimizer = make(params, { lineSearchFn: 'strongWolfe', maxIter: 3 });
      const before = [now(), JSON.stringify(optimizer.stateDict())];
      const failures = failAllocations(
        () => optimizer.step(closure),
        () => expect([now(), JSON.stringify(optimizer.stateDict())]).toEqual(before),
      );
      expect(failures).toBeGreaterThan(10);
      expect(now()).not.toEqual(start.valley);
      optimizer.dispose();
    }));

  it('leaves nothing behind', () => {
    const { blocks } = r.backend().memory;
    scope(() => {
      const { params, closure } = parts('logistic', start.logistic);
      const optimizer = make(params, { historySize: 2 });
      for (let i = 0; i < 3; i++) optimizer.step(closure);
      optimizer.dispose();
    });
    expect(r.backend().memory.blocks).toBe(blocks);
  });

  it('takes one group, a closure, and its own kind of state', () =>
    scope(() => {
      const { params, closure } = parts('quadratic', start.quadratic);
      const [a, b] = params as [Tensor, Tensor];
      expect(() => new optim.LBFGS([{ params: a }, { params: b }])).toThrow(/expected one group of parameters, got 2/);
      const optimizer = make([a], {});
      expect(() => optimizer.addParamGroup({ params: b })).toThrow(/expected one group of parameters with LBFGS/);
      expect(() => optimizer.step()).toThrow(/expected a function as closure, got nothing/);
      expect(() => make(params, { maxIter: 0 })).toThrow(/expected maxIter >= 1, got 0/);
      const whole = make(params, {});
      whole.step(closure);
      const saved = whole.stateDict() as unknown as { state: Record<string, Record<string, unknown>> };
      const before = JSON.stringify(whole.stateDict());
      const own = saved.state[0] as Record<string, unknown>;
      for (const name of Object.keys(own))
        for (const bad of [null, 'x', { shape: [9], data: new Float32Array(9) }]) {
          const state = { 0: { ...own, [name]: bad } };
          expect(() => whole.loadStateDict({ ...saved, state } as never), name).toThrow(r.RetrogradError);
          expect(JSON.stringify(whole.stateDict())).toBe(before);
        }
    }));

  it('runs outside of compile() only', () =>
    scope(() => {
      const { params, closure } = parts('quadratic', start.quadratic);
      const optimizer = make(params, {});
      expect(() => compile(() => optimizer.step(closure))()).toThrow(RecordingError);
      expect(() => compile(() => optimizer.step(closure))()).toThrow(/LBFGS.step: expected a call outside of compile/);
      expect(() => optimizer.step(closure)).not.toThrow(ArgumentError);
    }));
});
