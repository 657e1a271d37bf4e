// Explanations against those of Captum and SHAP, which test/golden/explain.py writes.
import { afterAll, describe, expect, it } from 'vitest';
import * as explain from '../../bindings/explain/index.ts';
import { init, shutdown, Tensor, tensor } from '../../bindings/index.ts';
import { nd } from '../../reference/nd.ts';
import { expectStored, numbers, read } from '../golden/golden.ts';
import { network } from './networks.ts';

await init({ simd: 'strict', threads: 1 });
afterAll(() => shutdown());

interface Stored {
  readonly shape: readonly number[];
  readonly data?: readonly number[];
  readonly sums?: readonly number[];
}
interface Case {
  readonly network: string;
  readonly call: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly result: readonly Stored[];
  readonly delta?: readonly number[];
  readonly baseline?: 'given';
  /** The feature masks. */
  readonly mask?: readonly (readonly number[])[];
  readonly by?: string;
  /** The path of the layer. */
  readonly layer?: string;
}
const cases = read('explain') as readonly Case[];
type Call = (model: unknown, inputs: unknown, options: object) => Tensor | Tensor[];

const expected = ({ shape, data, sums }: Stored) =>
  sums
    ? { shape, data: Float64Array.from(sums), dtype: 'f32' as const, digested: true }
    : { ...nd([...shape], numbers(data ?? [])), dtype: 'f32' as const, digested: false };

/** The gamma rule divides by sums of convolutions that may be near 0, whose rounding it multiplies. */
const FAR = /^cnn: lrp .*"gamma"/;

function holds(what: string, found: Tensor | readonly Tensor[], stored: readonly Stored[]): void {
  const list = found instanceof Tensor ? [found] : found;
  expect(list.length, what).toBe(stored.length);
  for (const [i, each] of stored.entries())
    expectStored(list[i], expected(each), { ofLargest: FAR.test(what) ? 5e-5 : 1e-5, least: 1e-3 }, `${what} ${i}`);
}

describe.each(
  cases.map(
    (each) =>
      [
        `${each.network}: ${each.call} ${each.layer ? `at ${each.layer} ` : ''}${JSON.stringify(each.options)}`,
        each,
      ] as const,
  ),
)('%s', (what, { network: name, call, options, result, delta, baseline, mask, layer }) => {
  const run = (more: object): unknown => {
    const { model, inputs, baselines } = network(name);
    const one = <T>(list: readonly T[]): T | readonly T[] => (list.length === 1 ? (list[0] as T) : list);
    return (explain as unknown as Record<string, Call>)[call]?.(model, one(inputs), {
      ...options,
      ...(baseline && { baseline: one(baselines) }),
      ...(mask && { featureMask: one(mask.map((ids) => tensor([...ids], { dtype: 'i32' }))) }),
      ...(layer && { layer: model.getSubmodule(layer) }),
      ...more,
    });
  };

  it('is that of Python', () => {
    holds(what, run({}) as Tensor, result);
    if (!delta) return;
    const [found, d] = run({ returnConvergenceDelta: true }) as [Tensor, Tensor];
    holds(what, found, result);
    expectStored(d, expected({ shape: [delta.length], data: delta }), { ofLargest: 2e-6, least: 1 }, `${what}: delta`);
  });

  it('is the same in small batches', () => {
    for (const internalBatchSize of [1, 2, 5]) holds(what, run({ internalBatchSize }) as Tensor, result);
  });
});
