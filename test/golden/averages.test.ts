// Averages of the weights of a model against PyTorch, eager and compiled, and what they refuse.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ArgumentError,
  backend,
  compile,
  functional as F,
  init,
  nn,
  noGrad,
  optim,
  randn,
  ShapeError,
  scope,
  shutdown,
  type Tensor,
  tensor,
} from '../../bindings/index.ts';
import { nd } from '../../reference/nd.ts';
import { expectClose, toTensor } from '../support/tensors.ts';
import { read, savedState } from './golden.ts';

type Numbers = readonly number[];
type State = Readonly<Record<string, { readonly shape: Numbers; readonly data: Numbers }>>;
interface Run {
  readonly average: string;
  readonly options: optim.swaUtils.AveragedModelOptions;
  readonly keys: readonly string[];
  /** Of the averaged model in evaluation mode, after each step. */
  readonly losses: Numbers;
  readonly state: State;
  /** Running statistics after updateBn(), and what the model gives then. */
  readonly anew: State;
  readonly output: Numbers;
}
const file = read('averages') as {
  readonly start: Readonly<Record<string, Numbers>>;
  readonly x: Numbers;
  readonly y: Numbers;
  readonly runs: readonly Run[];
};

const { AveragedModel, updateBn, ...utils } = optim.swaUtils;
const TOLERANCE = { relative: 2e-5, absolute: 2e-6 };
const functions: Readonly<Record<string, () => optim.swaUtils.AveragedModelOptions>> = {
  swa: () => ({}),
  getSwaMultiAvgFn: () => ({ multiAvgFn: utils.getSwaMultiAvgFn() }),
  getSwaAvgFn: () => ({ avgFn: utils.getSwaAvgFn() }),
  getEmaAvgFn: () => ({ avgFn: utils.getEmaAvgFn(0.8) }),
  getEmaMultiAvgFn: () => ({ multiAvgFn: utils.getEmaMultiAvgFn({ decay: 0.8 }) }),
  own: () => ({
    avgFn: (averaged, current, n) =>
      averaged.add(
        current
          .sub(averaged)
          .mul(n)
          .div(n.mul(n.add(2))),
      ),
  }),
};

type Model = nn.Module & { forward(x: Tensor): Tensor };
const build = (): Model =>
  new nn.Sequential(new nn.Linear(3, 4), new nn.BatchNorm1d(4), new nn.Tanh(), new nn.Linear(4, 2));

/** A model and its averages, what is in them, and a step of both that gives the loss of the averages. */
function setUp({ average, options }: Pick<Run, 'average' | 'options'>) {
  const model = build();
  const state = model.stateDict();
  for (const [key, data] of Object.entries(file.start))
    noGrad(() => (state[key] as Tensor).copy_(toTensor(nd([...(state[key] as Tensor).shape], [...data]))));
  const averaged = new AveragedModel(model, { ...functions[average]?.(), ...options });
  const optimizer = new optim.SGD(model.parameters(), { lr: 0.1, momentum: 0.9 });
  const [xs, ys] = [toTensor(nd([20, 5, 3], [...file.x])), toTensor(nd([20, 5, 2], [...file.y]))];
  const step = (x: Tensor, y: Tensor): Tensor => {
    optimizer.zeroGrad();
    F.mseLoss(model.forward(x), y).backward();
    optimizer.step();
    averaged.updateParameters(model);
    averaged.eval();
    const loss = noGrad(() => F.mseLoss(averaged.forward(x), y));
    averaged.train();
    return loss;
  };
  const dispose = (): void => {
    for (const each of [averaged, model, optimizer]) each.dispose();
  };
  return { model, averaged, step, xs, ys, dispose };
}

function expectState(model: nn.Module, expected: State, what: string): void {
  const state = model.stateDict();
  for (const [key, { shape, data }] of Object.entries(expected)) {
    expect(state[key]?.shape, key).toEqual(shape);
    expectClose((state[key] as Tensor).data, data, TOLERANCE, `${what}: ${key}`);
  }
}

beforeAll(() => init());
afterAll(() => shutdown());

describe.each(['eager', 'compiled'] as const)('averages, %s', (mode) => {
  it.each(file.runs.map((run) => [run.average, run.options, run] as const))('%s %j', (_, __, run) => {
    scope(() => {
      const { model, averaged, step, xs, ys, dispose } = setUp(run);
      expect(Object.keys(averaged.stateDict())).toEqual(run.keys);
      const call = mode === 'compiled' ? compile(step) : step;
      const batches = run.losses.map((_, i) => [xs.select(0, i).clone(), ys.select(0, i).clone()] as const);
      const losses = batches.map(([x, y]) => scope(() => call(x, y).item()));
      expectClose(losses, run.losses, TOLERANCE, 'loss');
      expectState(averaged, run.state, 'state');
      expect(averaged.nAveraged.item()).toBe(20);
      const before = model.stateDict().running_mean?.toArray();
      updateBn(batches, averaged);
      expect(model.stateDict().running_mean?.toArray()).toEqual(before);
      expectState(averaged, run.anew, 'anew');
      averaged.eval();
      expectClose(averaged.forward(xs.select(0, 0).clone()).data, run.output, TOLERANCE, 'output');
      expect(model.training && (model as nn.Sequential)[1]?.training).toBe(true);
      if (mode === 'compiled') (call as { dispose?: () => void }).dispose?.();
      dispose();
    });
  });
});

describe('AveragedModel', () => {
  const run = file.runs[0] as Run;

  it('takes the state that PyTorch saved', () =>
    scope(() => {
      const { averaged, dispose } = setUp(run);
      averaged.loadStateDict(savedState(run.state) as never, { strict: false });
      expectState(averaged, run.state, 'loaded');
      expect(averaged.nAveraged.item()).toBe(20);
      dispose();
    }));

  it('trains on its own, and leaves the model alone', () =>
    scope(() => {
      const { model, averaged, xs, dispose } = setUp(run);
      averaged.forward(xs.select(0, 0).clone()).sum().backward();
      expect(averaged.parameters().every((p) => p.grad !== null)).toBe(true);
      expect(model.parameters().every((p) => p.grad === null)).toBe(true);
      dispose();
    }));

  it('keeps modes of its own, those of the model at first, in a program as well', () =>
    scope(() => {
      const model = new nn.Sequential(new nn.Dropout(0.5), new nn.Linear(3, 3)).eval();
      const averaged = new AveragedModel(model);
      const x = randn([4, 3]);
      const forward = compile((input: Tensor) => averaged.forward(input));
      const expected = model.forward(x).toArray();
      model.train();
      expect([averaged.forward(x).toArray(), forward(x).toArray()]).toEqual([expected, expected]);
      averaged.train();
      model.eval();
      expect(forward(x).toArray()).not.toEqual(expected);
      expect(averaged.module.forward(x).toArray()).not.toEqual(expected);
      expect(model.training).toBe(false);
      for (const each of [averaged, model]) each.dispose();
    }));

  it('has a tensor of two places, frozen ones, integers and what is not saved as the model has it', () =>
    scope(() => {
      class Odd extends nn.Module {
        readonly first = new nn.Linear(2, 2, { bias: false });
        readonly tiedOne = this.first.weight;
        readonly frozen = new nn.Parameter(tensor([1, 3]), false);
        readonly counts = new nn.Buffer(tensor([4, 8], { dtype: 'i32' }));
        readonly passing = new nn.Buffer(tensor([1]), { persistent: false });
        forward(x: Tensor): Tensor {
          return this.first.forward(x).matmul(this.tiedOne).mul(this.frozen).add(this.passing);
        }
      }
      const model = new Odd();
      const averaged = new AveragedModel(model, { useBuffers: true });
      expect(Object.keys(averaged.module.stateDict())).toEqual(
        expect.arrayContaining(['first.weight', 'tied_one', 'frozen', 'counts']),
      );
      expect(Object.keys(averaged.module.stateDict())).not.toContain('passing');
      expect(averaged.parameters().map((p) => p.requiresGrad)).toEqual(model.parameters().map((p) => p.requiresGrad));
      averaged.updateParameters(model);
      noGrad(() => {
        model.first.weight.fill_(2);
        model.counts.copy_(tensor([7, 8], { dtype: 'i32' }));
      });
      averaged.updateParameters(model);
      expect(averaged.getBuffer('module.counts').toArray()).toEqual([5, 8]);
      const x = tensor([[1, 2]]);
      noGrad(() => averaged.getParameter('module.first.weight').fill_(2));
      expect(averaged.forward(x).toArray()).toEqual(model.forward(x).toArray());
      for (const each of [averaged, model]) each.dispose();
    }));

  it('updateBn() of a model itself, and of one without batch norm', () =>
    scope(() => {
      const norm = new nn.BatchNorm3d(2, { momentum: 0.3 }).eval();
      const batches = [randn([3, 2, 2, 2, 2]), randn([3, 2, 2, 2, 2])];
      updateBn(batches, norm);
      const mean = batches.map((x) => x.mean([0, 2, 3, 4])).reduce((a, b) => a.add(b).div(2));
      expectClose((norm.runningMean as Tensor).data, mean.data, TOLERANCE, 'mean');
      expect([norm.momentum, norm.training]).toEqual([0.3, false]);
      expect(() =>
        updateBn(
          (function* () {
            yield batches[0];
            throw new ArgumentError('stop');
          })(),
          norm,
        ),
      ).toThrow('stop');
      expect([norm.momentum, norm.training]).toEqual([0.3, false]);
      const untouched = [randn([1])].values();
      updateBn(untouched, new nn.Linear(1, 1));
      expect(untouched.next().done).toBe(false);
      norm.dispose();
    }));

  it('refuses what does not fit', () =>
    scope(() => {
      const { model, averaged, dispose } = setUp(run);
      const avgFn = utils.getSwaAvgFn();
      const multiAvgFn = utils.getSwaMultiAvgFn();
      expect(() => new AveragedModel(model, { avgFn, multiAvgFn })).toThrow(ArgumentError);
      const before = averaged.module.parameters().map((p) => p.toArray());
      expect(() => averaged.updateParameters(new nn.Linear(3, 4))).toThrow(ArgumentError);
      const other = new nn.Sequential(new nn.Linear(3, 4), new nn.BatchNorm1d(4), new nn.Linear(4, 3));
      expect(() => averaged.updateParameters(other)).toThrow(ShapeError);
      expect(averaged.module.parameters().map((p) => p.toArray())).toEqual(before);
      expect(() => utils.getEmaAvgFn(1.5)).toThrow('getEmaAvgFn: expected decay from 0 to 1, got 1.5');
      expect(() => utils.getEmaMultiAvgFn(-1)).toThrow(ArgumentError);
      expect(() => updateBn(1 as never, model)).toThrow(ArgumentError);
      dispose();
    }));

  it('leaks nothing', () => {
    const once = (): void => {
      const { model, averaged, xs, dispose } = setUp(run);
      for (let i = 0; i < 3; i++) averaged.updateParameters(model);
      updateBn([xs.select(0, 0)], averaged);
      dispose();
    };
    scope(once);
    const before = backend().memory.used;
    scope(once);
    expect(backend().memory.used).toBe(before);
  });
});
