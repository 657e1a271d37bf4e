// What compile() watches starts a new trace; what it cannot see is looked for at calls 2, 4, 8, 16 …
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import * as rg from '../../bindings/index.ts';
import {
  type Compiled,
  compile,
  functional as F,
  nn,
  noGrad,
  optim,
  scope,
  type Tensor,
  tensor,
} from '../../bindings/index.ts';
import { bits } from '../support/tensors.ts';

const image = [4, 4, 6, 6];
const modules: Record<string, [make: () => nn.Layer, shape: readonly number[]]> = {
  Linear: [() => new nn.Linear(5, 3), [4, 5]],
  Conv1d: [() => new nn.Conv1d(3, 4, 3, { padding: 1 }), [2, 3, 9]],
  Conv2d: [() => new nn.Conv2d(4, 6, 3, { padding: 1 }), image],
  ConvTranspose2d: [() => new nn.ConvTranspose2d(4, 3, 3), image],
  MaxPool2d: [() => new nn.MaxPool2d(2), image],
  AvgPool2d: [() => new nn.AvgPool2d(2), image],
  BatchNorm1d: [() => new nn.BatchNorm1d(5), [8, 5]],
  BatchNorm2d: [() => new nn.BatchNorm2d(4), image],
  InstanceNorm2d: [() => new nn.InstanceNorm2d(4, { trackRunningStats: true, affine: true }), image],
  GroupNorm: [() => new nn.GroupNorm(2, 4), image],
  LayerNorm: [() => new nn.LayerNorm(5), [8, 5]],
  Dropout: [() => new nn.Dropout(0.4), [8, 5]],
  LeakyReLU: [() => new nn.LeakyReLU(), [8, 5]],
  ELU: [() => new nn.ELU(), [8, 5]],
  Softplus: [() => new nn.Softplus(), [8, 5]],
  Softmax: [() => new nn.Softmax({ dim: 1 }), [8, 5]],
};

/** Other values for a setting. */
function others(value: unknown): unknown[] {
  if (typeof value === 'number') return [value / 2, value + 1, 0.3, value - 1, value - 2];
  if (typeof value === 'boolean') return [!value];
  if (value instanceof nn.Parameter) return [new nn.Parameter(noGrad(() => value.mul(2).add(1))), null];
  if (value instanceof nn.Buffer) return [new nn.Buffer(noGrad(() => value.mul(2).add(1))), null];
  if (Array.isArray(value)) return value.map((item, i) => value.with(i, item + 1));
  return [];
}

/** Sets every setting of a module in turn, and puts it back: all that the calls return and leave. */
function outcomes(
  make: () => nn.Layer,
  shape: readonly number[],
  wrap: (f: (x: Tensor) => Tensor) => (x: Tensor) => Tensor,
) {
  return scope(() => {
    rg.manualSeed(3);
    const module = make();
    const x = rg.randn(shape);
    const f = wrap((input) => module.forward(input).mul(1));
    const left: string[] = [];
    const call = (): void => {
      try {
        left.push(bits(f(x)), ...Object.values(module.stateDict()).map(bits));
      } catch (error) {
        left.push((error as Error).name);
      }
    };
    call();
    call();
    for (const [name, value] of Object.entries(module))
      for (const other of others(value)) {
        const set = (to: unknown) => Reflect.set(module, name, to);
        set(other);
        call();
        call();
        set(value);
        call();
      }
    module.eval();
    call();
    return left;
  });
}

describe('compile()', () => {
  beforeAll(() => rg.init({ threads: 1, simd: 'strict' }));
  afterAll(() => rg.shutdown());
  let compiled: Compiled<[Tensor], Tensor> | undefined;
  afterEach(() => {
    compiled?.dispose();
    compiled = undefined;
  });

  it.each(Object.entries(modules))('follows every setting, parameter and buffer of %s', (_, [make, shape]) => {
    const eager = outcomes(make, shape, (f) => f);
    const replayed = outcomes(make, shape, (f) => {
      compiled = compile(f);
      return compiled;
    });
    expect(replayed).toEqual(eager);
    const settings = scope(() => Object.values(make()).filter((value) => others(value).length > 0));
    if (settings.length > 0) expect(compiled?.programs).toBeGreaterThan(2);
  });

  it('follows what modules of users hold: fields, lists, maps, sets and objects, children that are replaced', () => {
    scope(() => {
      class Mine extends nn.Module {
        scale = 2;
        readonly list = [1, 2];
        readonly options = { deep: { shift: 1 } };
        readonly table = new Map([['a', 1]]);
        readonly flags = new Set(['on']);
        readonly numbers = Float32Array.of(1, 2);
        child: nn.Layer = new nn.ReLU();
        last: Tensor | null = null;
        forward(x: Tensor): Tensor {
          const { scale, list, options, table, flags, numbers } = this;
          const sum =
            [...list, ...numbers, flags.size].reduce((a, b) => a + b, options.deep.shift) + (table.get('a') ?? 0);
          this.last = this.child.forward(x.mul(scale).add(sum));
          return this.last;
        }
      }
      const mine = new Mine();
      const f = compile((x: Tensor) => mine.forward(x).add(0));
      const x = tensor([-9, 4]);
      const changes: (() => void)[] = [
        () => {},
        () => {
          mine.scale = 3;
        },
        () => mine.list.push(5),
        () => {
          mine.list[0] = 7;
        },
        () => {
          mine.options.deep.shift = 0.5;
        },
        () => mine.table.set('a', 4),
        () => mine.flags.add('off'),
        () => {
          mine.numbers[1] = 9;
        },
        () => {
          mine.child = new nn.Tanh();
        },
      ];
      for (const change of changes) {
        change();
        for (let i = 0; i < 3; i++) expect(bits(f(x))).toBe(bits(mine.forward(x)));
      }
      expect(f.programs).toBe(changes.length);
    });
  });

  it('follows containers: items that are replaced, added and taken out, also where their forward never runs', () => {
    scope(() => {
      const outside = new nn.ModuleList<nn.Layer>([new nn.Linear(2, 2)]);
      class Mine extends nn.Module {
        readonly stack = new nn.Sequential(new nn.Linear(2, 2), new nn.Tanh());
        readonly list = new nn.ModuleList<nn.Layer>([new nn.Linear(2, 2)]);
        readonly dict = new nn.ModuleDict<nn.Layer>({ a: new nn.ReLU() });
        readonly scales = new nn.ParameterList([new nn.Parameter(rg.ones([2]))]);
        forward(x: Tensor): Tensor {
          let y = this.stack.forward(x);
          for (const layer of [...this.list, ...this.dict.values(), ...outside]) y = (layer as nn.Layer).forward(y);
          return y.mul(this.scales[0] as Tensor);
        }
      }
      const mine = new Mine();
      const f = compile((x: Tensor) => mine.forward(x));
      const x = rg.randn([3, 2]);
      const changes: (() => void)[] = [
        () => {},
        () => mine.stack.append(new nn.Linear(2, 2)),
        () => {
          mine.stack[1] = new nn.Sigmoid();
        },
        () => mine.list.append(new nn.Tanh()),
        () => {
          mine.list[0] = new nn.Linear(2, 2);
        },
        () => mine.dict.set('b', new nn.Tanh()),
        () => mine.dict.delete('a'),
        () => outside.append(new nn.Sigmoid()),
        () => {
          mine.scales[0] = new nn.Parameter(rg.full([2], 3));
        },
      ];
      for (const change of changes) {
        change();
        for (let i = 0; i < 3; i++) expect(bits(f(x))).toBe(bits(mine.forward(x)));
      }
      expect(f.programs).toBe(changes.length);
    });
  });

  it('counts on with a module that counts, at the price of a trace each', () => {
    scope(() => {
      class Counter extends nn.Module {
        calls = 0;
        forward(x: Tensor): Tensor {
          this.calls++;
          return x.mul(this.calls);
        }
      }
      const counter = new Counter();
      const f = compile((x: Tensor) => counter.forward(x));
      expect([1, 2, 3, 4, 5].map(() => f(tensor(1)).item())).toEqual([1, 2, 3, 4, 5]);
      expect(f.programs).toBe(5);
    });
  });

  it('follows groups, parameters and settings of optimizers that are replaced', () => {
    const run = (wrap: (step: () => void) => () => void): number[] =>
      scope(() => {
        const p = tensor([1], { requiresGrad: true });
        const q = tensor([1], { requiresGrad: true });
        const sgd = new optim.SGD([{ params: [p] }, { params: [q], lr: 0.5 }], { lr: 0.25 });
        const step = wrap(() => {
          sgd.zeroGrad();
          p.mul(3).add(q).square().sum().backward();
          sgd.step();
        });
        const left: number[] = [];
        const twice = (): void => {
          for (let i = 0; i < 2; i++) {
            step();
            left.push(p.item(), q.item());
          }
        };
        const [first, second] = sgd.paramGroups as [(typeof sgd.paramGroups)[0], (typeof sgd.paramGroups)[0]];
        twice();
        first.lr = 0.01;
        twice();
        first.momentum = 0.5;
        twice();
        sgd.paramGroups[1] = { ...second, lr: 0.001 };
        twice();
        [first.params, (sgd.paramGroups[1] as typeof second).params] = [[q], [p]];
        twice();
        sgd.paramGroups.length = 1;
        twice();
        return left;
      });
    let f: Compiled<[], void> | undefined;
    const replayed = run((step) => {
      f = compile(step);
      return f;
    });
    expect(replayed).toEqual(run((step) => step));
    // A learning rate is no reason for another one.
    expect(f?.programs).toBe(5);
    f?.dispose();
  });

  it('follows requiresGrad that the function itself turns off and on, without a new trace', () => {
    const run = (wrap: (step: (x: Tensor) => Tensor) => (x: Tensor) => Tensor): string[] =>
      scope(() => {
        rg.manualSeed(5);
        const [generator, critic] = [new nn.Linear(2, 2), new nn.Linear(2, 1)];
        const [a, b] = [generator, critic].map((m) => new optim.Adam(m.parameters())) as [optim.Adam, optim.Adam];
        const step = wrap((x) => {
          b.zeroGrad();
          const real = critic
            .forward(x)
            .sub(critic.forward(generator.forward(x).detach()))
            .mean();
          real.backward();
          b.step();
          critic.requiresGrad_(false);
          a.zeroGrad();
          critic.forward(generator.forward(x)).mean().backward();
          a.step();
          critic.requiresGrad_(true);
          return real;
        });
        const losses = Array.from({ length: 6 }, () => bits(step(rg.randn([4, 2]))));
        return [...losses, ...[generator, critic].flatMap((m) => m.parameters().map(bits))];
      });
    let f: Compiled<[Tensor], Tensor> | undefined;
    const replayed = run((step) => {
      f = compile(step);
      return f;
    });
    expect(replayed).toEqual(run((step) => step));
    expect(f?.programs).toBe(1);
    f?.dispose();
  });

  it('looks at calls 2, 4, 8, 16 … for what it cannot see, and says what differs', () => {
    scope(() => {
      const hidden: Record<string, [before: unknown, after: unknown, f: (state: { now: unknown }) => unknown]> = {
        'neg where it had been exp': [1, 2, ({ now }) => (now === 1 ? x.exp() : x.neg())],
        'other attributes of full': [1, 2, ({ now }) => x.add(now as number)],
        'another input b of add': [tensor([1]), tensor([2]), ({ now }) => x.add(now as Tensor)],
        'other results': [0.1, 0.2, ({ now }) => ({ loss: x.add(1), lr: now })],
        // Messages are patterns: these are the same one.
        'other (results)': [0.1, 0.2, ({ now }) => new Map([['lr', now]])],
        'other result[s]': [0.1, 0.2, ({ now }) => new Set([now])],
        'another gradient': [
          true,
          false,
          ({ now }) => {
            p.grad = now ? null : q;
          },
        ],
      };
      const x = tensor([3]);
      const p = tensor([1], { requiresGrad: true });
      const q = tensor([5]);
      for (const [message, [before, after, fn]] of Object.entries(hidden)) {
        const state = { now: before };
        const f = compile(() => fn(state));
        for (let call = 1; call <= 5; call++) f();
        state.now = after;
        for (let call = 6; call <= 7; call++) f();
        expect(f, message).toThrow(new RegExp(`^compile: expected the function to do the same .* got ${message}`));
        expect(f, message).toThrow(rg.RecordingError);
        state.now = before;
        f();
        f.dispose();
      }
    });
  });

  it('leaves no trace of that look: neither in the generator, nor in modules, optimizers and gradients', () => {
    const run = (wrap: <T>(f: () => T) => () => T): string[] =>
      scope(() => {
        rg.manualSeed(11);
        const model = new nn.Sequential(
          new nn.Linear(4, 4),
          new nn.BatchNorm1d(4),
          new nn.Dropout(0.5),
          new nn.Linear(4, 1),
        );
        const adam = new optim.Adam(model.parameters());
        const step = wrap(() => {
          adam.zeroGrad();
          const loss = F.mseLoss(model.forward(rg.randn([8, 4])), rg.randint(0, 3, [8, 1], { dtype: 'f32' }));
          loss.backward();
          adam.step();
          return loss;
        });
        const losses = Array.from({ length: 17 }, () => bits(step()));
        const state = Object.values(adam.stateDict().state).flatMap((own) => Object.values(own) as Tensor[]);
        return [...losses, ...[...Object.values(model.stateDict()), ...state].map(bits), String(rg.getRngState())];
      });
    let f: Compiled<[], unknown> | undefined;
    const replayed = run((step) => {
      f = compile(step);
      return f as never;
    });
    expect(replayed).toEqual(run((step) => step));
    expect(f?.programs).toBe(1);
    f?.dispose();
  });
});
