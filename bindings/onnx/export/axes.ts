// Which dims of a model's inputs may be of any size, and the traces that tell what depends on them.

import { isPlain } from '../../kinds.ts';
import { ArgumentError, describe } from '../../memory/errors.ts';
import type { Tensor } from '../../tensor.ts';
import { type Point, pointsOf } from './sizes.ts';
import { type Traceable, type Traced, traceOf } from './trace.ts';

/** The name of each dim that may be of any size, by the inputs. */
export type Axes = ReadonlyMap<Tensor, ReadonlyMap<number, string>>;

/** Traces are twice as many with each name. */
const MOST_NAMES = 4;

/** The dim of the batch of each input, −1 for none. */
function batchDims(op: string, inputs: readonly Tensor[], dynamicBatch: boolean | readonly number[]): number[] {
  if (typeof dynamicBatch === 'boolean') return inputs.map(({ ndim }) => (dynamicBatch && ndim > 0 ? 0 : -1));
  if (dynamicBatch.length !== inputs.length || dynamicBatch.some((dim, i) => dim < -1 || dim >= (inputs[i]?.ndim ?? 0)))
    throw new ArgumentError(
      `${op}: expected the dim of the batch of each of ${inputs.length} tensors, or -1, as dynamicBatch, got [${dynamicBatch}]`,
    );
  return [...dynamicBatch];
}

/** @throws ArgumentError for inputs and dims that there are not, and names that are none */
export function axesOf(
  op: string,
  inputs: readonly Tensor[],
  names: readonly string[],
  dynamicBatch: boolean | readonly number[],
  dynamicAxes: Readonly<Record<string, unknown>> | null,
): Axes {
  const dims = batchDims(op, inputs, dynamicBatch);
  const axes = new Map(inputs.map((x, i) => [x, new Map(dims[i] === -1 ? [] : [[dims[i] as number, 'batch']])]));
  for (const [input, given] of Object.entries(dynamicAxes ?? {})) {
    const x = inputs[names.indexOf(input)];
    if (!x || !isPlain(given))
      throw new ArgumentError(
        `${op}: expected dims by the names of inputs, [${names}], as dynamicAxes, got ${describe(given)} for '${input}'`,
      );
    for (const [key, name] of Object.entries(given)) {
      const dim = Number(key) < 0 ? Number(key) + x.ndim : Number(key);
      if (!(Number.isInteger(dim) && dim >= 0 && dim < x.ndim))
        throw new ArgumentError(`${op}: expected a dim of '${input}', which has ${x.ndim}, in dynamicAxes, got ${key}`);
      if (typeof name !== 'string' || !/^[a-z_]\w*$/i.test(name))
        throw new ArgumentError(
          `${op}: expected a name such as 'length' for dim ${key} of '${input}' in dynamicAxes, got ${describe(name)}`,
        );
      axes.get(x)?.set(dim, name);
    }
  }
  return axes;
}

/** The sizes of the example, by names. @throws ArgumentError where one name has two */
function sizesIn(op: string, axes: Axes): Point {
  const sizes = new Map<string, number>();
  for (const [x, dims] of axes)
    for (const [dim, name] of dims) {
      const [size, known] = [x.sizes[dim] as number, sizes.get(name)];
      if (known !== undefined && known !== size)
        throw new ArgumentError(
          `${op}: expected example inputs of one ${name}, got ${known} and ${size} in the dims of that name`,
        );
      sizes.set(name, size);
    }
  if (sizes.size > MOST_NAMES)
    throw new ArgumentError(
      `${op}: expected at most ${MOST_NAMES} names of dims, got ${[...sizes.keys()].join(', ')}; give fewer in dynamicAxes`,
    );
  return Object.fromEntries(sizes);
}

/** The traces that tell what depends on sizes: one where nothing may. */
export function tracesOf(op: string, model: Traceable, args: readonly unknown[], axes: Axes) {
  const sizes = sizesIn(op, axes);
  // One alone is broadcast where others are not.
  const points = pointsOf(Object.fromEntries(Object.entries(sizes).map(([name, size]) => [name, Math.max(size, 2)])));
  const at = (point: Point): Traced =>
    traceOf(op, model, args, (x) =>
      x.sizes.map((size, d) => {
        const name = axes.get(x)?.get(d);
        return name === undefined ? size : (point[name] as number);
      }),
    );
  return { traces: points.map(at), points };
}
