// How an op is called on the samples of its case.
import { expect } from 'vitest';
import { backward } from '../../../bindings/backward.ts';
import type { Dtype } from '../../../bindings/dtypes.ts';
import { backend } from '../../../bindings/engine/engine.ts';
import { type OpName, table } from '../../../bindings/ops/table.ts';
import { scope } from '../../../bindings/scope.ts';
import { Tensor } from '../../../bindings/tensor.ts';
import { build, type Nd, nd } from '../../../reference/nd.ts';
import { random } from '../../../reference/random.ts';
import { ops } from '../../support/ops.ts';
import { bits, expectClose, toNd, toTensor } from '../../support/tensors.ts';
import {
  type AnyCase,
  byName,
  type Differentiable,
  fillInputs,
  type Place,
  placesOf,
  type Tolerance,
} from './types.ts';

/** Values of the tensors of a call, in a flat list. */
export type Inputs = readonly (Nd | null)[];
/** The tensors of a call, in a flat list. */
export type Tensors = (Tensor | null)[];

export type Sample = AnyCase['samples'][number];

const call = ops as unknown as Record<OpName, (inputs: object, attrs: unknown) => unknown>;

export const attrsOf = ({ attrs }: { readonly attrs?: unknown }): unknown =>
  typeof attrs === 'function' ? attrs() : attrs;

export const valuesOf = (op: string, sample: Sample, i: number): (Nd | null)[] =>
  fillInputs(`${op} ${i}`, sample.inputs);

/** The public results by name. */
export function run(op: OpName, inputs: object, attrs: unknown): Record<string, Tensor> {
  const { sole } = table[op];
  const result = call[op](inputs, attrs);
  return sole === null ? ((result ?? {}) as Record<string, Tensor>) : { [sole]: result as Tensor };
}

/** The same, the inputs in a flat list. */
export const runSample = (op: OpName, sample: Sample, inputs: Tensors): Record<string, Tensor> =>
  run(op, byName(sample.inputs, inputs), attrsOf(sample));

/** Names of the inputs that the op writes. */
export const writtenBy = (op: OpName): string[] =>
  table[op].inputs.filter(({ writes }) => writes).map(({ name }) => name);
/** Names of the differentiable results. */
export const differentiableOf = (op: OpName): string[] =>
  table[op].outputs.filter(({ role }) => role === 'grad').map(({ name }) => name);

/** What is left of whole numbers in an integer dtype. */
const wrapped = (x: Nd, dtype: Dtype): Nd =>
  dtype === 'f32'
    ? x
    : nd(
        x.shape,
        Array.from(x.data, (v) => (dtype === 'i32' ? v | 0 : v & 255)),
      );

/** What the reference says, by name. */
export function expectedOf(op: OpName, testCase: AnyCase, sample: Sample, values: Inputs): Record<string, Nd | null> {
  const attrs = attrsOf(sample);
  const outcome = testCase.reference(byName(sample.inputs, values), attrs);
  const { sole, writes } = table[op];
  const named = 'data' in outcome ? { [sole ?? '']: outcome as Nd } : outcome;
  if ('data' in outcome && (sole === null || writes))
    throw new Error(`${op}: the reference has to name its results and what is written`);
  return Object.fromEntries(
    Object.entries(named).map(([name, x]) => [
      name,
      x && name !== 'into' ? wrapped(x, dtypeOf(testCase, sample, name)) : x,
    ]),
  );
}

/** What a call leaves, by name: its results, the inputs that it wrote, what it filled. */
export function outcomeOf(op: OpName, sample: Sample, inputs: Tensors): Record<string, Nd | null> {
  const attrs = attrsOf(sample);
  const bag = byName(sample.inputs, inputs);
  const results: Record<string, Tensor | null> = run(op, bag, attrs);
  for (const name of writtenBy(op)) results[name] = bag[name] as Tensor | null;
  const outcome: Record<string, Nd | null> = {};
  for (const name in results) {
    const x = results[name];
    outcome[name] = x ? toNd(x) : null;
  }
  const into = (attrs as { into?: ArrayLike<number> } | undefined)?.into;
  if (into) outcome.into = nd([into.length], into);
  return outcome;
}

const describeSample = ({ inputs }: Sample): string =>
  placesOf(inputs)
    .map(({ name, spec }) => `${name}: ${spec ? `${spec.dtype}[${spec.shape}]` : 'null'}`)
    .join(', ');

export const flagOf = ({ gradients }: AnyCase, { name, spec }: Place): Differentiable => {
  if (spec?.dtype !== 'f32' || gradients === 'none') return false;
  return gradients === 'all' ? true : (gradients[name] ?? false);
};

/** For each tensor of the sample whether it has a gradient. */
export const wantedOf = (testCase: AnyCase, sample: Sample): boolean[] =>
  placesOf(sample.inputs).map((place) => flagOf(testCase, place) === true);

/** Leaves for the inputs; those that `wants` says ask for a gradient. */
export function leaves(sample: Sample, values: Inputs, wants: readonly boolean[] = []): Tensors {
  return placesOf(sample.inputs).map(({ spec }, i) =>
    spec ? toTensor(values[i] as Nd, spec.dtype).requiresGrad_(wants[i] ?? false) : null,
  );
}

/**
 * Calls `check` for each sample, in a scope of its own and with a name for it, and holds that nothing is left behind.
 */
export function eachSample(
  op: OpName,
  { samples }: AnyCase,
  check: (sample: Sample, values: Inputs, key: string) => void,
  when: (sample: Sample) => boolean = () => true,
): void {
  samples.forEach((sample, i) => {
    if (!when(sample)) return;
    const before = backend().memory;
    try {
      scope(() => check(sample, valuesOf(op, sample, i), `${op} ${i}`));
    } catch (error) {
      (error as Error).message =
        `sample ${i}, ${describeSample(sample)} ${JSON.stringify(typeof sample.attrs === 'function' ? '…' : (sample.attrs ?? {}))}: ${(error as Error).message}`;
      throw error;
    }
    const { used, blocks } = backend().memory;
    expect({ used, blocks }, `left behind by sample ${i}`).toEqual({ used: before.used, blocks: before.blocks });
  });
}

export const closeTo = (actual: Nd, expected: Nd, tolerance: Tolerance, what: string): void => {
  expect(actual.shape, `${what}: shape`).toEqual(expected.shape);
  expectClose(actual.data, expected.data, tolerance, what);
};

/** Numbers of an output's shape to weigh it with: its gradient. */
export const weightsFor = (seed: string, shape: readonly number[]): Nd => {
  const next = random(`${seed} weights`);
  return build(shape, () => Math.fround(2 * next() - 1));
};

/** What should be the dtype of result `name`. */
export function dtypeOf({ dtype }: AnyCase, sample: Sample, name: string): Dtype {
  if (typeof dtype === 'string') return dtype;
  const inputs = Object.fromEntries(placesOf(sample.inputs).map((place) => [place.name, place.spec?.dtype ?? 'f32']));
  if (typeof dtype === 'function') return dtype(attrsOf(sample), inputs);
  return dtype?.[name] ?? inputs[name] ?? placesOf(sample.inputs)[0]?.spec?.dtype ?? 'f32';
}

/** The bits and versions of the living tensors among `xs`. */
export const imageOf = (xs: readonly unknown[]): (readonly [string, number] | null)[] =>
  xs.map((x) => (x instanceof Tensor && !x.block.freed ? [bits(x), x.block.version] : null));

/** Differentiates the results `names`, each weighed with numbers of its own, by the leaves. */
export function pullBack(op: OpName, results: Readonly<Record<string, Tensor>>, names: readonly string[]): void {
  const roots = names.map((name) => results[name] as Tensor);
  const weights = roots.map((y, i) => weightsFor(seedOf(op, names[i] as string), y.shape));
  if (roots.length === 1) {
    backward(roots[0] as Tensor, toTensor(weights[0] as Nd));
    return;
  }
  const sums = roots.map((y, i) =>
    ops.sum({ x: ops.mul({ a: y, b: toTensor(weights[i] as Nd) }) }, { dim: 0, end: y.ndim, keepdim: false }),
  );
  backward(sums.reduce((a, b) => ops.add({ a, b })));
}

/** Seeds the weights of result `name`. */
export const seedOf = (op: OpName, name: string): string => (table[op].sole === name ? op : `${op} ${name}`);

/** Bystanders keep their bits and gradients, and no block appears or goes, when a call fails. */
export function holdsStill(act: () => void): void {
  const bystanders = [nd([3], [1, Number.NaN, -0]), nd([2, 2], [1, 2, 3, 4])].map((x) => toTensor(x).requiresGrad_());
  const x = bystanders[1] as Tensor;
  backward(ops.sum({ x: ops.mul({ a: x, b: x }) }, { dim: 0, end: 2, keepdim: false }));
  const image = (): unknown => [
    bystanders.map((y) => [bits(y), y.grad && bits(y.grad)]),
    backend().memory.used,
    backend().memory.blocks,
  ];
  const before = image();
  act();
  expect(image()).toEqual(before);
}
