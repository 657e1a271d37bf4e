// One module each against PyTorch: its keys, what it gives, all gradients, and the losses of twenty steps from
// PyTorch's parameters, eager and compiled. What is put in is trained as well.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compile, init, nn, noGrad, optim, scope, shutdown, type Tensor } from '../../bindings/index.ts';
import { nd } from '../../reference/nd.ts';
import { expectClose, toTensor } from '../support/tensors.ts';
import { numbers, read } from './golden.ts';

interface Run {
  readonly name: string;
  readonly args: readonly unknown[];
  /** A function of nn.utils that changes the module, and its options. */
  readonly wrap?: readonly [path: string, options: object];
  /** A weight that is put in before, and the one that a function of nn.utils makes of it. */
  readonly from?: readonly [before: readonly number[], after: readonly number[]];
  readonly state: readonly (readonly [key: string, shape: readonly number[], values: readonly number[]])[];
  readonly inputs: readonly {
    readonly shape: readonly number[];
    readonly data: readonly number[];
    readonly dtype?: 'i32';
  }[];
  readonly y: readonly number[];
  readonly target: readonly number[];
  readonly grads: readonly (readonly number[])[];
  readonly losses: readonly number[];
}
type AnyModule = nn.Module & { forward(...args: Tensor[]): Tensor };

const { runs } = read('trained') as { readonly runs: readonly Run[] };
const TOLERANCE = 1e-4;

const close = (actual: ArrayLike<number>, given: readonly number[], what: string): void => {
  const expected = numbers(given);
  const largest = expected.reduce((top, v) => Math.max(top, Math.abs(v)), 1e-3);
  expectClose(actual, expected, { relative: 0, absolute: TOLERANCE * largest }, what);
};

const title = ({ name, args, wrap }: Run, i: number): string =>
  `${i}: ${name} ${JSON.stringify(args)}${wrap ? ` with ${wrap[0]} ${JSON.stringify(wrap[1])}` : ''}`;
const utilityAt = (path: string): ((module: nn.Module, options: object) => unknown) =>
  path.split('.').reduce<unknown>((home, name) => (home as Record<string, unknown>)[name], nn.utils) as never;

describe.each(['strict', 'relaxed'] as const)('twenty steps, %s build', (simd) => {
  beforeAll(() => init({ simd }));
  afterAll(() => shutdown());

  it.each(runs.map((run, i) => [title(run, i), run] as const))('%s', (_, run) => {
    scope(() => {
      const module = new (nn[run.name as 'Linear'] as unknown as new (...args: unknown[]) => AnyModule)(...run.args);
      const { weight } = module as unknown as nn.Linear;
      if (run.from) noGrad(() => weight.copy_(toTensor(nd(weight.shape, run.from?.[0] ?? []))));
      if (run.wrap) utilityAt(run.wrap[0])(module, run.wrap[1]);
      if (run.from) close((module as unknown as nn.Linear).weight.data, run.from[1], 'weight');
      module.loadStateDict(
        Object.fromEntries(
          run.state.map(([key, shape, data]) => [key, { shape, data: Float32Array.from(numbers(data)) }]),
        ),
      );
      expect(Object.keys(module.stateDict())).toEqual(run.state.map(([key]) => key));
      const inputs = run.inputs.map(({ shape, data, dtype }) => {
        const x = toTensor(nd(shape, data), dtype ?? 'f32');
        return dtype ? x : x.requiresGrad_();
      });
      const params = [...inputs.filter((x) => x.requiresGrad), ...module.parameters()];
      const optimizer = new optim.SGD(params, { lr: 0.2, momentum: 0.5 });
      const first = module.forward(...inputs);
      close(first.data, run.y, 'output');
      const target = toTensor(nd(first.shape, run.target));
      const step = (): Tensor => {
        optimizer.zeroGrad();
        const loss = module
          .forward(...inputs)
          .sub(target)
          .square()
          .mean();
        loss.backward();
        optimizer.step();
        return loss;
      };
      const compiled = compile(step);
      const losses = run.losses.map((__, i) => {
        const loss = scope(() => (i < 5 ? step() : compiled()).item());
        if (i === 0)
          params.forEach((p, k) => {
            close(p.grad?.data ?? [], run.grads[k] as number[], `gradient ${k}`);
          });
        return loss;
      });
      close(losses, run.losses, 'losses');
      compiled.dispose();
      optimizer.dispose();
      module.dispose();
    });
  });
});
