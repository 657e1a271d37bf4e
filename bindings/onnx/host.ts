// Arithmetic of the few numbers that shapes are, on the host.
import { formatShape, ShapeError } from '../memory/errors.ts';
import { contiguousStrides, numelOf, type Shape } from '../sizes.ts';
import { HostArray } from './values.ts';

/** The shape that all of `shapes` stretch to. @throws ShapeError */
export function broadcast(...shapes: readonly Shape[]): number[] {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, d) => {
    const sizes = shapes.map((shape) => shape[d - rank + shape.length] ?? 1).filter((size) => size !== 1);
    if (sizes.some((size) => size !== sizes[0]))
      throw new ShapeError(`onnx: expected shapes that stretch to one, got ${shapes.map(formatShape).join(' and ')}`);
    return sizes[0] ?? 1;
  });
}

/** The elements at `offset` + Σ index · steps, in an array of `sizes`. */
export function viewed({ data }: HostArray, sizes: Shape, steps: readonly number[], offset = 0): HostArray {
  const taken: number[] = [];
  const walk = (d: number, at: number): void => {
    if (d === sizes.length) taken.push(data[at] as number);
    else for (let i = 0; i < (sizes[d] as number); i++) walk(d + 1, at + i * (steps[d] as number));
  };
  walk(0, offset);
  return new HostArray(sizes, taken);
}

/** x stretched to `sizes`. */
export function expanded(x: HostArray, sizes: Shape): HostArray {
  const own = contiguousStrides(x.sizes);
  const lead = sizes.length - x.sizes.length;
  return viewed(
    x,
    sizes,
    sizes.map((_, d) => (d < lead || x.sizes[d - lead] === 1 ? 0 : (own[d - lead] as number))),
  );
}

/** fn of the elements of arrays, stretched to one shape. */
export function mapped(fn: (...values: number[]) => number, ...xs: readonly HostArray[]): HostArray {
  const sizes = broadcast(...xs.map((x) => x.sizes));
  const lists = xs.map((x) => expanded(x, sizes).data);
  return new HostArray(
    sizes,
    Array.from({ length: numelOf(sizes) }, (_, i) => fn(...lists.map((list) => list[i] as number))),
  );
}

/** Arrays joined along a dim. */
export function joined(xs: readonly HostArray[], dim: number): HostArray {
  const [head] = xs as [HostArray];
  const outer = numelOf(head.sizes.slice(0, dim));
  const data: number[] = [];
  for (let i = 0; i < outer; i++)
    for (const x of xs) {
      const run = numelOf(x.sizes.slice(dim));
      data.push(...x.data.slice(i * run, (i + 1) * run));
    }
  const length = xs.reduce((sum, x) => sum + (x.sizes[dim] ?? 0), 0);
  return new HostArray(
    head.sizes.map((size, d) => (d === dim ? length : size)),
    data,
  );
}

/** The parts of x at `index` along a dim. */
export function gathered(x: HostArray, index: HostArray, dim: number): HostArray {
  const size = x.sizes[dim] ?? 1;
  const outer = numelOf(x.sizes.slice(0, dim));
  const run = numelOf(x.sizes.slice(dim + 1));
  const data: number[] = [];
  for (let i = 0; i < outer; i++)
    for (const each of index.data) {
      const at = each < 0 ? each + size : each;
      if (!(at >= 0 && at < size)) throw new ShapeError(`onnx: expected an index before ${size}, got ${each}`);
      data.push(...x.data.slice((i * size + at) * run, (i * size + at + 1) * run));
    }
  return new HostArray([...x.sizes.slice(0, dim), ...index.sizes, ...x.sizes.slice(dim + 1)], data);
}

/** All elements over `dims` reduced by fn, from `start` on. */
export function folded(
  x: HostArray,
  dims: readonly number[],
  keep: boolean,
  fn: (a: number, b: number) => number,
  start?: number,
): HostArray {
  const own = contiguousStrides(x.sizes);
  const kept = x.sizes.map((_, d) => d).filter((d) => !dims.includes(d));
  const outer = viewed(
    new HostArray(x.sizes, Array.from(x.data.keys())),
    kept.map((d) => x.sizes[d] as number),
    kept.map((d) => own[d] as number),
  );
  const data = outer.data.map((at) => {
    const { data: lane } = viewed(
      x,
      dims.map((d) => x.sizes[d] as number),
      dims.map((d) => own[d] as number),
      at,
    );
    return start === undefined ? lane.reduce(fn) : lane.reduce(fn, start);
  });
  return new HostArray(keep ? x.sizes.map((size, d) => (dims.includes(d) ? 1 : size)) : outer.sizes, data);
}
