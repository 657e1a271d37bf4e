// Twenty steps of every further optimizer against PyTorch, eager and compiled, and the states that PyTorch saved.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ArgumentError,
  compile,
  init,
  optim,
  RetrogradError,
  scope,
  shutdown,
  type Tensor,
  tensor,
} from '../../bindings/index.ts';
import { nd } from '../../reference/nd.ts';
import { lamb, steps } from '../../reference/optimizers.ts';
import { expectClose, toTensor } from '../support/tensors.ts';
import { read, savedState } from './golden.ts';

type Numbers = readonly number[];
type Any = optim.Optimizer<object>;
type Make = new (params: unknown, options?: object) => Any;
type Options = Readonly<Record<string, unknown>>;
interface Case {
  readonly shapes: readonly (readonly number[])[];
  readonly start: readonly Numbers[];
  readonly steps: readonly (readonly Numbers[])[];
}
interface Run {
  readonly optimizer: string;
  readonly case: number;
  readonly options: Options;
  /** Weights after some steps. */
  readonly after: Readonly<Record<string, readonly Numbers[]>>;
}
/** What PyTorch saved after five steps, the weights there, and those after five more. */
interface Saved {
  readonly optimizer: string;
  readonly weights: readonly Numbers[];
  readonly state: { readonly param_groups: readonly { readonly params: readonly number[] }[] };
  readonly after: readonly Numbers[];
}
const file = read('optimizers-more') as {
  readonly cases: readonly Case[];
  readonly runs: readonly Run[];
  readonly states: readonly Saved[];
};

const TOLERANCE = { relative: 1e-5, absolute: 4e-6 };
const makers = optim as unknown as Readonly<Record<string, Make>>;
const make = (name: string, params: unknown, options?: object): Any => new (makers[name] as Make)(params, options);
const tensors = (values: readonly Numbers[], shapes: Case['shapes']): Tensor[] =>
  values.map((data, i) => toTensor(nd(shapes[i] as number[], data)));
const setGradients = (params: readonly Tensor[], values: readonly Numbers[], shapes: Case['shapes']): void => {
  tensors(values, shapes).forEach((g, i) => {
    (params[i] as Tensor).grad = g;
  });
};
const matches = (actual: readonly Tensor[], expected: readonly Numbers[], what: string): void => {
  actual.forEach((x, i) => {
    expectClose(x.data, expected[i] as number[], TOLERANCE, `${what}, tensor ${i}`);
  });
};

/** Runs of what PyTorch lacks, by their formulas in f64. */
function formulas(): Run[] {
  const [{ shapes, start, steps: gradients }] = file.cases as [Case];
  const common = { lr: 0.05, weightDecay: 0, maximize: false };
  const run = (
    optimizer: string,
    options: Options,
    rule: () => (p: number[], g: Numbers, t: number) => number[],
  ): Run => {
    const after: Record<string, Numbers[]> = {};
    const rules = shapes.map(rule);
    let weights = start.map((p) => [...p]);
    gradients.forEach((all, i) => {
      weights = weights.map((p, j) => (rules[j] as ReturnType<typeof rule>)(p, all[j] as Numbers, i + 1));
      after[i + 1] = weights;
    });
    return { optimizer, case: 0, options, after };
  };
  const lion = (s: Parameters<typeof steps.lion>[0]) =>
    run('Lion', { ...s }, () => {
      let average: number[] = [];
      return (p, g) => {
        const next = p.map((x, i) => steps.lion(s, { p: x, average: average[i] ?? 0 }, g[i] as number));
        average = next.map((state) => state.average as number);
        return next.map((state) => state.p as number);
      };
    });
  const lambs = (s: Parameters<typeof lamb>[0]) =>
    run('LAMB', { ...s }, () => {
      let [average, square]: number[][] = [];
      return (p, g, t) => {
        const zeros = p.map(() => 0);
        const next = lamb(s, { p, g, average: average ?? zeros, square: square ?? zeros }, t);
        [average, square] = [next.average, next.square];
        return next.p;
      };
    });
  return [
    lion({ ...common, betas: [0.9, 0.99] }),
    lion({ ...common, lr: 0.01, weightDecay: 0.3, maximize: true, betas: [0.5, 0.8] }),
    lambs({ ...common, betas: [0.9, 0.999], eps: 1e-6, biasCorrection: true }),
    lambs({ ...common, weightDecay: 0.1, maximize: true, betas: [0.5, 0.9], eps: 1e-3, biasCorrection: false }),
  ];
}
const runs = [...file.runs, ...formulas()];

describe.each(['strict', 'relaxed'] as const)('optimizers, %s build', (simd) => {
  beforeAll(() => init({ simd }));
  afterAll(() => shutdown());

  it.each(runs)('$optimizer $options', ({ optimizer: name, options, case: at, after }) =>
    scope(() => {
      const { shapes, start, steps: gradients } = file.cases[at] as Case;
      const run = (compiled: boolean): Tensor[] => {
        const params = tensors(start, shapes).map((p) => p.requiresGrad_());
        const optimizer = make(name, params, options);
        // Of a linear loss the weights are the gradient.
        const train = (...weights: Tensor[]): void => {
          optimizer.zeroGrad();
          params.reduce((sum, p, i) => sum.add(p.mul(weights[i] as Tensor).sum()), tensor(0)).backward();
          optimizer.step();
        };
        const step = compiled ? compile(train) : train;
        gradients.forEach((all, i) => {
          scope(() => step(...tensors(all, shapes)));
          const expected = after[i + 1];
          if (expected) matches(params, expected, `after step ${i + 1}`);
        });
        optimizer.dispose();
        return params;
      };
      const [eager, compiled] = [run(false), run(true)];
      expect(compiled.map((p) => p.toArray())).toEqual(eager.map((p) => p.toArray()));
    }),
  );

  it('a run goes on to the same bits from a saved state', () =>
    scope(() => {
      for (const { optimizer: name, options, case: at } of runs) {
        const { shapes, start, steps: gradients } = file.cases[at] as Case;
        const whole = tensors(start, shapes).map((p) => p.requiresGrad_());
        const one = make(name, whole, options);
        const go = (optimizer: Any, params: readonly Tensor[], from: number, to: number): void => {
          for (const all of gradients.slice(from, to)) {
            setGradients(params, all, shapes);
            optimizer.step();
          }
        };
        go(one, whole, 0, 5);
        const resumed = whole.map((p) => p.detach().clone().requiresGrad_());
        const two = make(name, resumed, options);
        two.loadStateDict(one.stateDict());
        go(one, whole, 5, 12);
        go(two, resumed, 5, 12);
        expect(
          resumed.map((p) => p.toArray()),
          name,
        ).toEqual(whole.map((p) => p.toArray()));
      }
    }));
});

describe('the state_dict() of PyTorch', () => {
  beforeAll(() => init());
  afterAll(() => shutdown());

  /** An optimizer with the groups of a saved one. */
  const restored = ({ optimizer: name, weights, state }: Saved): [Any, Tensor[]] => {
    const params = tensors(weights, (file.cases[0] as Case).shapes).map((p) => p.requiresGrad_());
    const groups = state.param_groups.map((group) => ({ params: group.params.map((i) => params[i] as Tensor) }));
    return [make(name, groups), params];
  };

  it.each(file.states)('of $optimizer is gone on from, and given back', (saved) =>
    scope(() => {
      const { shapes, steps: gradients } = file.cases[0] as Case;
      const [optimizer, params] = restored(saved);
      optimizer.loadStateDict(savedState(saved.state) as optim.OptimizerState);
      const how = ['foreach', 'fused', 'capturable', 'differentiable', 'initial_lr'];
      const plain = (x: unknown): unknown =>
        JSON.parse(
          JSON.stringify(x, (key, value) =>
            how.includes(key)
              ? undefined
              : value?.shape && value.data
                ? { shape: value.shape, data: Array.from(value.data as Float32Array, (n) => Math.fround(n)) }
                : value,
          ),
        );
      const back = optim.pytorchStateDict(optimizer);
      const expected = plain(savedState(saved.state)) as { state: Record<string, Record<string, unknown>> };
      const now = plain({
        ...back,
        state: Object.fromEntries(
          Object.entries(back.state).map(([i, own]) => [
            i,
            Object.fromEntries(Object.entries(own).map(([name, x]) => [name, { shape: x.shape, data: x.data }])),
          ]),
        ),
      });
      for (const [i, own] of Object.entries(expected.state)) if (own.momentum_buffer === null) delete expected.state[i];
      expect(now).toEqual(expected);
      for (const all of gradients.slice(5, 10)) {
        setGradients(params, all.slice(0, params.length), shapes);
        optimizer.step();
      }
      matches(params, saved.after, 'after five steps');
    }),
  );

  it.each(file.states)('of $optimizer is taken whole or not at all', (saved) =>
    scope(() => {
      const [optimizer, params] = restored(saved);
      const state = savedState(saved.state) as { state: Record<string, object>; param_groups: object[] };
      const groups = state.param_groups;
      const before = JSON.stringify([optimizer.stateDict(), params]);
      for (const bad of [
        { ...state, param_groups: 1 },
        { ...state, param_groups: [] },
        { ...state, param_groups: [{ ...groups[0], lr: 'x' }, ...groups.slice(1)] },
        { ...state, param_groups: [{ ...groups[0], strange_option: 1 }, ...groups.slice(1)] },
        { ...state, param_groups: [{ ...groups[0], lr: -1 }, ...groups.slice(1)] },
        { ...state, state: { ...state.state, 0: { ...state.state[0], strange: { shape: [], data: [1] } } } },
        { ...state, state: { ...state.state, 9: {} } },
      ]) {
        expect(() => optimizer.loadStateDict(bad as never), JSON.stringify(bad)).toThrow(RetrogradError);
        expect(JSON.stringify([optimizer.stateDict(), params])).toBe(before);
      }
    }),
  );
});

describe('an option out of its range', () => {
  beforeAll(() => init());
  afterAll(() => shutdown());
  it.each([
    ['Adadelta', { rho: 1.5 }, /expected rho from 0 to 1, got 1.5/],
    ['Rprop', { etas: [0.5, 0.9] }, /expected etas with 0 < etas\[0\] < 1 < etas\[1\]/],
    ['Rprop', { stepSizes: [2, 1] }, /expected stepSizes with 0 <= stepSizes\[0\] <= stepSizes\[1\], got 2 and 1/],
    ['Adafactor', { d: 0.5 }, /expected d >= 1, got 0.5/],
    ['Adafactor', { beta2Decay: 0.1 }, /expected beta2Decay <= 0, got 0.1/],
    ['Adafactor', { eps: [null, -1] }, /expected eps\[1\] >= 0, got -1/],
    ['Muon', { nsSteps: 100 }, /expected nsSteps >= 0 and < 100, got 100/],
    ['Muon', { nsCoefficients: [1, 2] }, /expected three numbers as nsCoefficients, got 1,2/],
    ['NAdam', { momentumDecay: -1 }, /expected momentumDecay >= 0, got -1/],
    ['ASGD', { t0: Number.POSITIVE_INFINITY }, /expected a finite t0, got Infinity/],
    ['Lion', { betas: [1, 0.5] }, /expected betas\[0\] >= 0 and < 1, got 1/],
  ])('of %s %j is refused', (name, options, says) =>
    scope(() => {
      const p = tensor([[1, 2]]).requiresGrad_();
      expect(() => make(name, [p], options)).toThrow(ArgumentError);
      expect(() => make(name, [p], options)).toThrow(says);
    }),
  );
  it('Muon takes matrices only', () =>
    scope(() => {
      expect(() => new optim.Muon([tensor([1, 2]).requiresGrad_()])).toThrow(
        /Muon: expected matrices, got a parameter of shape \[2\]; give it to another optimizer/,
      );
    }));
});
