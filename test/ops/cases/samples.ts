// How an op is called on the samples of its case.
import { expect } from 'vitest';
import { backward, ops } from '../../../bindings/autograd.ts';
import type { OpName } from '../../../bindings/ops/table.ts';
import { backend } from '../../../bindings/runtime/wasm.ts';
import { scope } from '../../../bindings/scope.ts';
import type { Tensor } from '../../../bindings/tensor.ts';
import { bits, build, expectClose, type Nd, nd, random, toTensor } from '../../support/tensors.ts';
import type { AnyCase } from './index.ts';
import { type Differentiable, fillInputs, type Spec } from './types.ts';

export type Inputs = readonly (Nd | null)[];

export type Tensors = (Tensor | null)[];

export type Sample = AnyCase['samples'][number];

const call = ops as unknown as Record<OpName, (...args: unknown[]) => Tensor>;

export const attrsOf = ({ attrs }: { readonly attrs?: unknown }): unknown =>
  typeof attrs === 'function' ? attrs() : attrs;

export const valuesOf = (op: string, sample: Sample, i: number): (Nd | null)[] =>
  fillInputs(`${op} ${i}`, sample.inputs);

export const run = (op: OpName, inputs: readonly unknown[], attrs: unknown): Tensor =>
  call[op](...inputs, ...(attrs === undefined ? [] : [attrs]));

const describeSample = (sample: Sample): string =>
  sample.inputs.map((spec) => (spec ? `${spec.dtype}[${spec.shape}]` : 'null')).join(' ');

export const flagOf = ({ gradients }: AnyCase, spec: Spec | null, i: number): Differentiable => {
  if (spec?.dtype !== 'f32' || gradients === 'none') return false;
  return gradients === 'all' ? true : (gradients[i] ?? false);
};

/** Leaves for the inputs; those that `wants` says ask for a gradient. */
export function leaves(specs: Sample['inputs'], values: Inputs, wants: (i: number) => boolean = () => false): Tensors {
  return specs.map((spec, i) => (spec ? toTensor(values[i] as Nd, spec.dtype).requiresGrad_(wants(i)) : null));
}

/** Calls `check` for each sample, in a scope of its own and with a name for it, and holds that nothing is left behind. */
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

export const closeTo = (
  actual: Tensor,
  expected: Nd,
  tolerance: { relative: number; absolute?: number },
  what: string,
): void => {
  expect(actual.shape, `${what}: shape`).toEqual(expected.shape);
  expectClose(actual.data, expected.data, tolerance, what);
};

/** Numbers of an output's shape to weigh it with: its gradient. */
export const weightsFor = (seed: string, shape: readonly number[]): Nd => {
  const next = random(`${seed} weights`);
  return build(shape, () => Math.fround(2 * next() - 1));
};

/** Bystanders and inputs keep their bits, and no block appears or goes, when a call fails. */
export function holdsStill(act: () => void): void {
  const bystanders = [nd([3], [1, Number.NaN, -0]), nd([2, 2], [1, 2, 3, 4])].map((x) => toTensor(x).requiresGrad_());
  backward(ops.sum(ops.mul(bystanders[1] as Tensor, bystanders[1] as Tensor), { dim: 0, end: 2, keepdim: false }));
  const image = (): unknown => [
    bystanders.map((x) => [bits(x), x.grad && bits(x.grad)]),
    backend().memory.used,
    backend().memory.blocks,
  ];
  const before = image();
  act();
  expect(image()).toEqual(before);
}
