// No call of an op makes a kernel reach out of the tensors that it was given: derived from the op table, whose inputs
// are given in sizes that do not fit together, and from the descriptors, which say how far each kernel reaches.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dtypes } from '../../bindings/dtypes.ts';
import { init, runtime, shutdown } from '../../bindings/engine/engine.ts';
import type { BufferSpec } from '../../bindings/kernels/descriptor.ts';
import { descriptorOf, type KernelName } from '../../bindings/kernels/table.ts';
import { RetrogradError } from '../../bindings/memory/errors.ts';
import type { Part } from '../../bindings/ops/rnn-kernels.ts';
import { type OpName, table } from '../../bindings/ops/table.ts';
import { scope } from '../../bindings/scope.ts';
import { numelOf, type Shape, type Tensor } from '../../bindings/tensor.ts';
import { type Nd, nd } from '../../reference/nd.ts';
import { toTensor } from '../support/tensors.ts';
import { list } from './cases/index.ts';
import { attrsOf, leaves, run, type Sample, valuesOf } from './cases/samples.ts';
import { byName, placesOf } from './cases/types.ts';

type Call = Readonly<Record<string, unknown>>;

/** The numbers of a call by name, the words of its list and what follows from them included. */
function sizesOf(kernel: KernelName, call: Call): Record<string, number> {
  const sizes: Record<string, number> = {};
  for (const [name, spec] of Object.entries(descriptorOf(kernel).operands)) {
    const value = call[name];
    if (typeof value === 'number') sizes[name] = value;
    else if (spec.kind === 'list') {
      const words = value as readonly number[];
      spec.words.forEach((word, i) => {
        sizes[word] = words[i] ?? 0;
      });
      Object.assign(sizes, spec.derive(words));
    }
  }
  return sizes;
}

/** Elements from the first that an operand has to the last that the kernel touches. */
function reachOf({ axes }: BufferSpec, sizes: Readonly<Record<string, number>>): number {
  let [last, stride] = [0, 1];
  for (const axis of [...axes].reverse()) {
    const size = sizes[axis.size] as number;
    if (size === 0) return 0;
    if (axis.stride !== null) stride = sizes[axis.stride] as number;
    last += (size - 1) * stride;
    stride *= size;
  }
  return last + 1;
}

/** Elements from the first to the last that a tensor has: less than its block, which is rounded up. */
const lengthOf = (x: Tensor | Part): number => {
  // What is left of a tensor from a place in it.
  if ('of' in x) return lengthOf(x.of) - (x.byteOffset - x.of.byteOffset) / dtypes[x.of.dtype].bytes;
  const { shape, strides, size } = x;
  return size === 0 ? 0 : 1 + shape.reduce((last, n, d) => last + (n - 1) * (strides[d] as number), 0);
};

/** Whether a call has nothing to do: a result without elements, and a size of 0 that says so. */
function isIdle(kernel: KernelName, call: Call): boolean {
  const operands = Object.entries(descriptorOf(kernel).operands);
  const empty = operands.some(
    ([name, spec]) => spec.kind === 'buffer' && spec.writes && (call[name] as Tensor)?.size === 0,
  );
  const says = operands.some(([name, spec]) => {
    if (spec.kind === 'size') return call[name] === 0;
    if (spec.kind !== 'list') return false;
    const [rank = 0, ...words] = call[name] as number[];
    return words.slice(0, rank).includes(0);
  });
  return empty && says;
}

/** Throws where a kernel would reach out of a tensor; a list tells its outermost dim only, so that is what is held. */
function checkCall(kernel: KernelName, call: Call): void {
  if (isIdle(kernel, call)) return;
  const sizes = sizesOf(kernel, call);
  for (const [name, spec] of Object.entries(descriptorOf(kernel).operands)) {
    const x = call[name] as Tensor | null | undefined;
    if (spec.kind !== 'buffer' || !x) continue;
    const reach = reachOf(spec, sizes);
    if (reach > lengthOf(x))
      throw new Error(`${kernel} reaches ${reach} elements of ${name}, which has ${lengthOf(x)}`);
  }
}

const calls: string[] = [];
/** Checks every kernel call before it is made. */
function watchKernels(): void {
  const kernels = runtime().kernels as unknown as Record<string, (call: Call) => void>;
  for (const [name, call] of Object.entries(kernels))
    kernels[name] = (operands) => {
      calls.push(name);
      checkCall(name as KernelName, operands);
      call(operands);
    };
}

/** Shapes that differ from what is right in one dim, in their number of dims, or have no elements. */
function wrongShapes(shape: Shape): Shape[] {
  const shapes: Shape[] = [[...shape, 2], [3, ...shape], shape.slice(1), shape.slice(0, -1), []];
  shape.forEach((size, d) => {
    for (const other of [size + 1, size - 1, 1, 0])
      if (other >= 0 && other !== size) shapes.push(shape.map((s, i) => (i === d ? other : s)));
  });
  return shapes.filter((other) => other.length <= 8);
}

const resized = ({ data }: Nd, shape: Shape): Nd =>
  nd(
    shape,
    Array.from({ length: numelOf(shape) }, (_, i) => (data.length > 0 ? (data[i % data.length] as number) : 0)),
  );

/** The smallest samples, one for each choice of optional inputs. */
function fewOf(samples: readonly Sample[]): (readonly [Sample, number])[] {
  const chosen = new Map<string, readonly [Sample, number]>();
  samples.forEach((sample, i) => {
    const specs = placesOf(sample.inputs).map(({ spec }) => spec);
    const size = specs.reduce((n, spec) => n + (spec ? numelOf(spec.shape) : 0), 0);
    const key = specs.map((spec) => (spec ? `${spec.dtype}${spec.shape.length}` : '-')).join();
    if (size > 1 && size < 300 && !chosen.has(key)) chosen.set(key, [sample, i]);
  });
  return [...chosen.values()];
}

/** Calls the op with each of its inputs in turn in shapes that do not fit: it computes in bounds, or refuses. */
function misfits(op: OpName, sample: Sample, values: readonly (Nd | null)[]): void {
  placesOf(sample.inputs).forEach(({ name, spec }, at) => {
    if (!spec) return;
    for (const shape of wrongShapes(spec.shape))
      scope(() => {
        const inputs = leaves(sample, values);
        inputs[at] = toTensor(resized(values[at] as Nd, shape), spec.dtype);
        try {
          run(op, byName(sample.inputs, inputs), attrsOf(sample));
        } catch (error) {
          if (!(error instanceof RetrogradError))
            throw new Error(`${name} of shape [${shape}] in place of [${spec.shape}]: ${error}`, { cause: error });
        }
      });
  });
}

describe('no kernel reaches out of its operands', () => {
  beforeAll(async () => {
    await init({ simd: 'strict', threads: 1 });
    watchKernels();
  });
  afterAll(() => shutdown());

  it.each(list)('%s, with inputs as they should be', (op, { samples }) => {
    calls.length = 0;
    samples.forEach((sample, i) => {
      scope(() => run(op, byName(sample.inputs, leaves(sample, valuesOf(op, sample, i))), attrsOf(sample)));
    });
    const { rules, outputs, writes } = table[op];
    const computes = !rules.view && !rules.host && (outputs.length > 0 || writes); // and does not only check
    expect(calls.length > 0, 'calls of kernels were looked at').toBe(computes);
  });

  it.each(list.filter(([op]) => table[op].inputs.length > 0))(
    '%s, with inputs that do not fit together',
    (op, { samples }) => {
      const few = fewOf(samples);
      expect(few.length > 0 || samples.every(({ inputs }) => placesOf(inputs).length <= 1)).toBe(true);
      for (const [sample, i] of few) misfits(op, sample, valuesOf(op, sample, i));
    },
  );
});
