// A hundred steps of every learning-rate schedule against PyTorch, resumed in the middle, and in compiled steps.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ArgumentError, compile, init, optim, scope, shutdown, type Tensor, zeros } from '../../bindings/index.ts';
import { read } from './golden.ts';

type Runs = readonly (number | readonly [value: number, count: number])[];
interface Row {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly optimizer: 'SGD' | 'Adam' | 'Adagrad';
  readonly parts?: readonly Row[];
}
interface Golden extends Row {
  readonly lrs: Runs;
  readonly others: Runs;
  readonly momenta: Runs;
}
type Schedule = optim.lrScheduler.LRScheduler;
type Any = optim.Optimizer<object>;
type Group = { lr: number; momentum?: number; betas?: readonly number[] };

const file = read('schedules') as { readonly length: number; readonly rows: readonly Golden[] };
const functions: Readonly<Record<string, (x: number) => number>> = {
  inverse: (epoch) => 1 / (1 + epoch),
  power: (epoch) => 0.95 ** epoch,
  wave: (x) => 1 / 5 ** (x * 0.01),
};
const classes = { ...optim.lrScheduler, ...optim.swaUtils } as unknown as Readonly<
  Record<string, new (...args: unknown[]) => Schedule>
>;

const expand = (runs: Runs): number[] =>
  runs.flatMap((run) => (typeof run === 'number' ? [run] : new Array<number>(run[1]).fill(run[0])));

function make(optimizer: Any, { name, options, parts }: Row): Schedule {
  const own = Object.fromEntries(
    Object.entries(options).map(([key, value]) => {
      const of = (x: unknown): unknown => (typeof x === 'string' ? (functions[x] ?? x) : x);
      return [key, Array.isArray(value) ? value.map(of) : of(value)];
    }),
  );
  const Type = classes[name] as (typeof classes)[string];
  const schedules = parts?.map((part) => make(optimizer, part));
  if (name === 'ChainedScheduler') return new Type(schedules);
  if (name === 'SequentialLR') return new Type(optimizer, schedules, own.milestones);
  // What is required goes by position.
  const required = ['lrLambda', 'stepSize', 'milestones', 'gamma', 'tMax', 't0', 'baseLr', 'maxLr', 'swaLr'];
  const first = name === 'CyclicLR' ? ['baseLr', 'maxLr'] : required.filter((key) => key in own).slice(0, 1);
  const rest = Object.fromEntries(Object.entries(own).filter(([key]) => !first.includes(key)));
  return new Type(optimizer, ...first.map((key) => own[key]), rest);
}

function start({ optimizer: name }: Row): Any {
  const [a, b] = [0, 1].map(() => zeros([1]).requiresGrad_()) as [Tensor, Tensor];
  const more = name === 'SGD' ? { momentum: 0.9 } : {};
  const Type = optim[name] as unknown as new (groups: unknown, options: object) => Any;
  return new Type([{ params: a }, { params: b, lr: 0.1 }], { lr: 0.5, ...more });
}

const groups = (optimizer: Any): [Group, Group] => optimizer.paramGroups as unknown as [Group, Group];
const metric = (i: number): number => Math.max(1 / (1 + i), 0.05) - (i === 60 ? 0.02 : 0);
function step(schedule: Schedule, row: Row, i: number): void {
  if (row.name !== 'ReduceLROnPlateau') schedule.step();
  else (schedule as optim.lrScheduler.ReduceLROnPlateau).step(metric(i) * (row.options.mode === 'max' ? -1 : 1));
}

const near = (actual: readonly number[], expected: readonly number[]): void => {
  const largest = Math.max(...expected.map(Math.abs));
  for (const [i, x] of expected.entries())
    expect(Math.abs((actual[i] as number) - x), `step ${i}: ${actual[i]} for ${x}`).toBeLessThanOrEqual(5e-9 * largest);
};

beforeAll(() => init());
afterAll(() => shutdown());

describe.each(file.rows.map((row) => [row.name, row.options, row] as const))('%s %j', (_, __, row) => {
  it('gives the learning rates and momenta of PyTorch', () =>
    scope(() => {
      const optimizer = start(row);
      const schedule = make(optimizer, row);
      const [lrs, others, momenta] = [[], [], []] as [number[], number[], number[]];
      for (let i = 0; i < file.length; i++) {
        const [one, two] = groups(optimizer);
        expect(schedule.getLastLr()).toEqual([one.lr, two.lr]);
        lrs.push(one.lr);
        if (i % 10 === 0) others.push(two.lr);
        momenta.push(two.betas?.[0] ?? two.momentum ?? 0);
        optimizer.step();
        step(schedule, row, i);
      }
      near(lrs, expand(row.lrs));
      near(others, expand(row.others));
      near(momenta, expand(row.momenta));
    }));

  it('goes on from a saved state to the same numbers, and takes no other', () =>
    scope(() => {
      const one = start(row);
      const first = make(one, row);
      for (let i = 0; i < 37; i++) step(first, row, i);
      const [state, settings] = JSON.parse(JSON.stringify([first.stateDict(), one.stateDict()]));
      const two = start(row);
      const second = make(two, row);
      const before = second.stateDict();
      for (const bad of [null, [], {}, { ...state, strange: 1 }, { ...state, lastEpoch: 'x' }, { ...state, lastLr: 1 }])
        expect(() => second.loadStateDict(bad), JSON.stringify(bad)).toThrow(ArgumentError);
      expect(second.stateDict()).toEqual(before);
      second.loadStateDict(state);
      two.loadStateDict(settings);
      expect(second.stateDict()).toEqual(first.stateDict());
      for (let i = 37; i < file.length; i++) {
        for (const schedule of [first, second]) step(schedule, row, i);
        expect(second.getLastLr()).toEqual(first.getLastLr());
        expect(JSON.stringify(groups(two).map((group) => ({ ...group, params: 0 })))).toBe(
          JSON.stringify(groups(one).map((group) => ({ ...group, params: 0 }))),
        );
      }
    }));
});

it.each([
  ['OneCycleLR', { maxLr: 0.1, totalSteps: 30 }],
  ['CosineAnnealingLR', { tMax: 7 }],
])('%s moves a compiled step, without a new trace', (name, options) =>
  scope(() => {
    const run = (wrap: (fn: () => void) => (() => void) & { programs?: number }): [unknown, unknown] => {
      const w = zeros([3]).requiresGrad_();
      const optimizer = new optim.Adam([w], { lr: 0.1 });
      const schedule = make(optimizer, { name, options, optimizer: 'Adam' });
      const train = wrap(() => {
        optimizer.zeroGrad();
        w.sub(1).square().sum().backward();
        optimizer.step();
      });
      for (let i = 0; i < 20; i++) {
        train();
        schedule.step();
      }
      return [w.toArray(), train.programs];
    };
    const [eager] = run((fn) => fn);
    const [compiled, programs] = run((fn) => compile(fn) as never);
    expect(compiled).toEqual(eager);
    expect(programs).toBe(1);
  }),
);

describe('a schedule', () => {
  const optimizer = (): Any => start({ name: '', options: {}, optimizer: 'SGD' });
  const { LambdaLR, OneCycleLR, StepLR, SequentialLR, CyclicLR, ReduceLROnPlateau, ChainedScheduler } =
    optim.lrScheduler;

  it('changes nothing where a step throws', () =>
    scope(() => {
      const own = optimizer();
      const broken = new LambdaLR(own, (epoch) => (epoch < 3 ? 1 : (undefined as never)));
      const over = new OneCycleLR(own, 0.1, { totalSteps: 2 });
      for (let i = 0; i < 2; i++) broken.step();
      for (let i = 0; i < 2; i++) over.step();
      for (const schedule of [broken, over]) {
        const before = [schedule.stateDict(), JSON.stringify(groups(own).map(({ lr }) => lr))];
        expect(() => schedule.step()).toThrow(ArgumentError);
        expect([schedule.stateDict(), JSON.stringify(groups(own).map(({ lr }) => lr))]).toEqual(before);
      }
    }));

  it('begins in the middle of groups that know where they began', () =>
    scope(() => {
      const own = optimizer();
      expect(() => new StepLR(own, 3, { lastEpoch: 5 })).toThrow(/expected initialLr in each group with lastEpoch 5/);
      const first = new StepLR(own, 3);
      for (let i = 0; i < 5; i++) first.step();
      const second = new StepLR(own, 3, { lastEpoch: 4 });
      expect(second.getLastLr()).toEqual(first.getLastLr());
      second.step(9);
      expect(second.getLastLr()[0]).toBeCloseTo(0.5e-3, 12);
    }));

  it('of a user computes learning rates of its own', () =>
    scope(() => {
      class Halved extends optim.lrScheduler.LRScheduler {
        readonly by: number;
        constructor(own: Any, by: number) {
          super(own);
          this.by = by;
          this.begin();
        }
        protected getLr(): number[] {
          return this.baseLrs.map((lr) => lr / this.by ** this.lastEpoch);
        }
      }
      const schedule = new Halved(optimizer(), 2);
      schedule.step();
      expect(schedule.getLastLr()).toEqual([0.25, 0.05]);
    }));

  it('refuses what does not fit', () =>
    scope(() => {
      const own = optimizer();
      const plateau = new ReduceLROnPlateau(own);
      const [one, other] = [new StepLR(own, 3), new StepLR(optimizer(), 3)];
      const adagrad = new optim.Adagrad([zeros([1]).requiresGrad_()]);
      for (const [make, says] of [
        [() => new StepLR(own, 0), /stepSize to be a whole number >= 1, got 0/],
        [() => new LambdaLR(own, [() => 1]), /expected 2 values as lrLambda, one a group, got 1/],
        [() => new OneCycleLR(own, 0.1), /expected totalSteps, or epochs and stepsPerEpoch/],
        [() => new OneCycleLR(own, 0.1, { totalSteps: 9, pctStart: 2 }), /expected pctStart from 0 to 1, got 2/],
        [() => new CyclicLR(adagrad, 0.1, 1), /expected an optimizer with momentum or betas, got Adagrad/],
        [() => new ReduceLROnPlateau(own, { factor: 1 }), /expected factor < 1, got 1/],
        [() => new optim.lrScheduler.LinearLR(own, { startFactor: 0 }), /expected startFactor above 0/],
        [() => new optim.lrScheduler.ConstantLR(own, { factor: 2 }), /expected factor from 0 to 1, got 2/],
        [() => new optim.lrScheduler.CosineAnnealingWarmRestarts(own, 3).step(-1), /expected epoch >= 0, got -1/],
        [() => new SequentialLR(own, [one], [3]), /expected 0 milestones for 1 schedules, got 1/],
        [() => new SequentialLR(own, [one, other], [3]), /expected schedules of one optimizer/],
        [() => new SequentialLR(own, [one, plateau], [3]), /got a ReduceLROnPlateau at 1/],
        [() => new SequentialLR(own, [one, new ChainedScheduler([one])], [3]), /got a ChainedScheduler at 1/],
        [() => new ChainedScheduler([]), /expected at least one schedule, got none/],
      ] as const) {
        expect(make, String(says)).toThrow(ArgumentError);
        expect(make).toThrow(says);
      }
      own.addParamGroup({ params: zeros([1]).requiresGrad_() });
      expect(() => new LambdaLR(own, () => 1)).not.toThrow();
      expect(() => one.step()).not.toThrow();
      const late = new LambdaLR(optimizer(), () => 1);
      late.optimizer.addParamGroup({ params: zeros([1]).requiresGrad_() });
      expect(() => late.step()).toThrow(/expected 3 learning rates, one a group, got 2/);
    }));
});
