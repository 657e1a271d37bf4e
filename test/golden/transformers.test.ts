// Attention and transformers against PyTorch: what they give, all gradients, and 20 steps of Adam from the same
// weights, eager and compiled.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compile, init, nn, optim, scope, shutdown, type Tensor, tensor } from '../../bindings/index.ts';
import { difference } from '../support/tensors.ts';
import { numbers, read } from './golden.ts';

type Json = number | 'NaN' | 'Infinity' | '-Infinity';
interface Put {
  readonly shape: readonly number[];
  readonly data: readonly Json[];
  readonly dtype: 'f32' | 'u8';
}
interface Run {
  readonly module: 'MultiheadAttention';
  readonly args: readonly never[];
  readonly options: object;
  readonly layer: readonly never[] | null;
  readonly norm: boolean;
  readonly how: 'self' | 'memory' | 'all';
  readonly state: readonly (readonly [key: string, shape: readonly number[], values: readonly number[]])[];
  readonly inputs: readonly Put[];
  readonly call: Readonly<Record<string, Put | boolean>>;
  readonly outputs: readonly Put[];
  readonly weights: readonly Put[];
  readonly inputGrads: readonly (readonly number[])[];
  readonly grads: Readonly<Record<string, readonly number[]>>;
  readonly losses: readonly number[];
}
const { runs } = read('transformers') as { readonly runs: readonly Run[] };
/** Relative to the largest of each. */
const TOLERANCE = 2e-5;
const put = ({ shape, data, dtype }: Put): Tensor => {
  const Kind = dtype === 'u8' ? Uint8Array : Float32Array;
  return tensor(Kind.from(numbers(data)), { shape: [...shape], dtype });
};
const close = (actual: Tensor | null | undefined, expected: readonly Json[], what: string): void => {
  const values = numbers(expected);
  const absolute = TOLERANCE * values.reduce((top, v) => Math.max(top, Math.abs(v)), 1e-3);
  expect(difference(actual?.data ?? [], values, { relative: 0, absolute }), what).toBeNull();
};

type Any = new (...args: unknown[]) => nn.Module & { forward(...args: unknown[]): Tensor | (Tensor | null)[] };
const classOf = (name: string): Any => nn[name as 'Linear'] as unknown as Any;

/** The module of a run with PyTorch's weights, and a call of it. */
function made({ module, args, options, layer, norm, how, state, call }: Run) {
  const model = layer
    ? new (classOf(module))(
        new (classOf(`${module}Layer`))(...layer),
        ...args,
        norm ? new nn.LayerNorm(Number(layer[0])) : null,
      )
    : new (classOf(module))(...args, options);
  expect(Object.keys(model.stateDict()).sort()).toEqual(state.map(([key]) => key).sort());
  model.loadStateDict(
    Object.fromEntries(state.map(([key, shape, values]) => [key, { shape, data: Float32Array.from(values) }])),
  );
  const given = Object.fromEntries(
    Object.entries(call).map(([key, value]) => [key, typeof value === 'object' ? put(value) : value]),
  );
  const forward = (...xs: Tensor[]): Tensor[] => {
    const all = how === 'self' ? [xs[0], xs[0], xs[0]] : how === 'memory' ? [xs[0], xs[1], xs[1]] : xs;
    const result = model.forward(...all, given);
    return (Array.isArray(result) ? result : [result]).filter((y): y is Tensor => y !== null);
  };
  return { model, forward };
}

const titles = runs.map((run, i): [string, Run] => [
  `${i}: ${run.module}(${JSON.stringify([...run.args, run.options])}), ${Object.keys(run.call).join(' ')}`,
  run,
]);

describe.each(['strict', 'relaxed'] as const)('transformers, %s build', (simd) => {
  beforeAll(() => init({ simd }));
  afterAll(() => shutdown());

  it.each(titles)('%s', (_, run) => {
    scope(() => {
      const { model, forward } = made(run);
      const xs = run.inputs.map((x) => put(x).requiresGrad_());
      const ys = forward(...xs);
      expect(ys).toHaveLength(run.outputs.length);
      for (const [i, y] of ys.entries()) {
        expect(y.shape).toEqual(run.outputs[i]?.shape);
        close(y, run.outputs[i]?.data as Json[], `output ${i}`);
      }
      const weights = run.weights.map(put);
      ys.map((y, i) => y.mul(weights[i] as Tensor).sum())
        .reduce((a, b) => a.add(b))
        .backward();
      for (const [i, x] of xs.entries()) close(x.grad, run.inputGrads[i] as number[], `gradient of input ${i}`);
      for (const [name, p] of model.namedParameters())
        close(p.grad, run.grads[name] as number[], `gradient of ${name}`);

      const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 });
      const turn = (...given: Tensor[]): Tensor => {
        optimizer.zeroGrad();
        const loss = forward(...given)
          .map((y, i) =>
            y
              .sub(weights[i] as Tensor)
              .square()
              .mean(),
          )
          .reduce((a, b) => a.add(b));
        loss.backward();
        optimizer.step();
        return loss;
      };
      const step = compile(turn);
      const inputs = run.inputs.map(put);
      const losses = run.losses.map((__, i) => scope(() => (i < 5 ? turn : step)(...inputs).item()));
      const absolute = 1e-4 * Math.max(...run.losses);
      expect(difference(losses, [...run.losses], { relative: 0, absolute })).toBeNull();
      step.dispose();
      optimizer.dispose();
      model.dispose();
    });
  });
});
