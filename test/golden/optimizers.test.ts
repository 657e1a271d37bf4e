// Ten steps of every optimizer with every option, and gradient clipping, against PyTorch.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backend, init, optim, scope, shutdown, type Tensor } from '../../bindings/index.ts';
import { nd } from '../../reference/nd.ts';
import { expectClose, toTensor } from '../support/tensors.ts';
import { numbers, read } from './golden.ts';

type Numbers = readonly number[];
interface File {
  readonly shapes: readonly (readonly number[])[];
  readonly start: readonly Numbers[];
  readonly steps: readonly (readonly Numbers[])[];
  readonly runs: readonly {
    optimizer: Name;
    options: Record<string, unknown>;
    after: readonly (readonly Numbers[])[];
  }[];
  readonly grouped: {
    groups: readonly Record<string, number>[];
    lr: number;
    lrFromStep5: number;
    after: readonly (readonly Numbers[])[];
  };
  readonly clips: readonly {
    kind: 'norm' | 'value';
    limit: number;
    normType?: number | string;
    total?: number;
    after: readonly Numbers[];
  }[];
}
type Name = 'SGD' | 'RMSprop' | 'Adagrad' | 'Adam' | 'AdamW';
type Anyone = new (params: readonly unknown[], options: object) => optim.Optimizer<object>;

const file = read('optimizers') as File;
/** After ten steps in f32, relative to weights of about 1. */
const TOLERANCE = { relative: 2e-6, absolute: 2e-6 };

const make = (values: readonly Numbers[]): Tensor[] =>
  values.map((data, i) => toTensor(nd(file.shapes[i] as number[], data)));
const setGradients = (params: readonly Tensor[], values: readonly Numbers[]): void => {
  make(values).forEach((g, i) => {
    (params[i] as Tensor).grad = g;
  });
};
const matches = (actual: readonly Tensor[], expected: readonly Numbers[], what: string): void => {
  actual.forEach((x, i) => {
    expectClose(x.data, expected[i] as number[], TOLERANCE, `${what}, tensor ${i}`);
  });
};

describe.each(['strict', 'relaxed'] as const)('optimizers, %s build', (simd) => {
  beforeAll(() => init({ simd }));
  afterAll(() => shutdown());

  it.each(file.runs)('$optimizer $options', ({ optimizer: name, options, after }) => {
    const { blocks } = backend().memory;
    scope(() => {
      const params = make(file.start).map((p) => p.requiresGrad_());
      const optimizer = new (optim[name] as unknown as Anyone)(params, options);
      file.steps.forEach((gradients, step) => {
        scope(() => {
          setGradients(params, gradients);
          optimizer.step();
          matches(params, after[step] as Numbers[], `after step ${step + 1}`);
          optimizer.zeroGrad();
        });
      });
      optimizer.dispose();
    });
    expect(backend().memory.blocks).toBe(blocks);
  });

  it('groups have settings of their own, which may change on the way', () => {
    scope(() => {
      const { groups, lr, lrFromStep5, after } = file.grouped;
      const params = make(file.start).map((p) => p.requiresGrad_());
      const optimizer = new optim.SGD(
        groups.map(({ params: at, ...settings }) => ({ ...settings, params: [params[at as number] as Tensor] })),
        { lr },
      );
      file.steps.forEach((gradients, step) => {
        if (step === 5) (optimizer.paramGroups[0] as { lr: number }).lr = lrFromStep5;
        setGradients(params, gradients);
        optimizer.step();
        matches(params, after[step] as Numbers[], `after step ${step + 1}`);
      });
      optimizer.dispose();
    });
  });

  it('a run goes on to the same bits from a saved state', () => {
    scope(() => {
      for (const { optimizer: name, options } of file.runs) {
        const create = (params: readonly Tensor[]): optim.Optimizer<object> =>
          new (optim[name] as unknown as Anyone)(params, options);
        const whole = make(file.start).map((p) => p.requiresGrad_());
        const one = create(whole);
        const run = (optimizer: optim.Optimizer<object>, params: readonly Tensor[], from: number, to: number): void => {
          for (const gradients of file.steps.slice(from, to)) {
            setGradients(params, gradients);
            optimizer.step();
          }
        };
        run(one, whole, 0, 5);
        const resumed = whole.map((p) => p.detach().clone().requiresGrad_());
        const two = create(resumed);
        two.loadStateDict(one.stateDict());
        run(one, whole, 5, 10);
        run(two, resumed, 5, 10);
        expect(
          resumed.map((p) => p.toArray()),
          name,
        ).toEqual(whole.map((p) => p.toArray()));
        one.dispose();
        two.dispose();
      }
    });
  });

  it.each(file.clips)('clipping by $kind $normType to $limit', ({ kind, limit, normType, total, after }) => {
    scope(() => {
      const params = make(file.start).map((p) => p.requiresGrad_());
      setGradients(params, file.steps[5] as Numbers[]);
      if (kind === 'value') optim.clipGradValue(params, limit);
      else {
        const norm = optim.clipGradNorm(params, limit, { normType: Number(normType) });
        expectClose([norm.item()], [total as number], { relative: 1e-6 }, 'value');
      }
      matches(
        params.map((p) => p.grad as Tensor),
        after.map(numbers),
        'gradients',
      );
    });
  });
});
