// Pools: of windows that slide, and of windows that cut an image into as many parts.
import type { AdaptivePool, AvgPool, MaxPool } from '../../../ops/pool.ts';
import { numelOf } from '../../../sizes.ts';
import { DATA } from '../../messages.ts';
import type { Attribute, Graph, Value } from '../graph.ts';
import type { Size, Sizes } from '../sizes.ts';
import { type Call, fixedSizes, type Operand, type Writer, type Writers } from '../writers.ts';

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** How one dim is pooled. */
interface Axis {
  readonly size: number;
  readonly windows: number;
  readonly kernel: number;
  readonly stride: number;
  readonly before: number;
  /** As much as the last window needs, and as there is padding. */
  readonly behind: number;
  readonly dilation: number;
}

/** Calls `make` with a batch: of a single image, of one. */
function batched(g: Graph, x: Operand, pooled: number, make: (x: Value) => Value[]): Value[] {
  if (x.sizes.length === pooled + 2) return make(x);
  return make(g.unsqueeze(x, [0])).map((y) => g.squeeze(y, [0]));
}

type Windows = Pick<MaxPool, 'kernelSize' | 'stride' | 'padding'> & Partial<Pick<MaxPool, 'dilation'>>;

function slidingAxes(call: Call, x: Operand, results: Sizes, attrs: Windows): Axis[] {
  const pooled = attrs.kernelSize.length;
  const [sizes, made] = [x.sizes, results].map((each) => fixedSizes(call, each.slice(-pooled))) as [number[], number[]];
  return sizes.map((size, d) => {
    const [kernel, stride, before] = [attrs.kernelSize[d], attrs.stride[d], attrs.padding[d]] as [
      number,
      number,
      number,
    ];
    const [windows, dilation] = [made[d] as number, attrs.dilation?.[d] ?? 1];
    const needed = (windows - 1) * stride + (kernel - 1) * dilation + 1 - size - before;
    return { size, windows, kernel, stride, before, behind: Math.max(before, needed), dilation };
  });
}

const attributesOf = (axes: readonly Axis[]): Record<string, Attribute> => ({
  kernel_shape: axes.map(({ kernel }) => kernel),
  strides: axes.map(({ stride }) => stride),
  pads: [...axes.map(({ before }) => before), ...axes.map(({ behind }) => behind)],
});

/** Positions in all of a batch as those in the planes of the image. */
const inPlane = (g: Graph, index: Value, plane: number): Value =>
  g.cast(g.node('Mod', [index, g.scalar(plane, DATA.INT64)]), DATA.INT32);

function maxPool(g: Graph, x: Operand, axes: readonly Axis[], indices: boolean): Record<string, Value> {
  const attributes = { ...attributesOf(axes), dilations: axes.map(({ dilation }) => dilation) };
  const types = indices ? [DATA.FLOAT, DATA.INT64] : [DATA.FLOAT];
  const [y, index] = batched(g, x, axes.length, (image) => g.nodeOf('MaxPool', [image], attributes, types)) as [
    Value,
    Value?,
  ];
  return { y, ...(index && { index: inPlane(g, index, numelOf(axes.map(({ size }) => size))) }) };
}

/** The elements of each of `windows` parts of a dim. */
const partsOf = (size: number, windows: number): number[][] =>
  range(windows).map((at) => {
    const from = Math.floor((at * size) / windows);
    return range(Math.ceil(((at + 1) * size) / windows) - from).map((i) => from + i);
  });

/** The elements of each part of a plane, in order of the parts; shorter ones have their first again. */
function cellsOf(sizes: readonly number[], outputs: readonly number[]): { cells: number[][]; most: number } {
  const cells = sizes.reduce<number[][]>(
    (all, size, d) =>
      all.flatMap((cell) =>
        partsOf(size, outputs[d] as number).map((part) => cell.flatMap((at) => part.map((i) => at * size + i))),
      ),
    [[0]],
  );
  return { cells, most: Math.max(...cells.map(({ length }) => length)) };
}

/** The maxima of parts that differ in size: of the elements of each, side by side. */
function unevenMax(
  g: Graph,
  x: Operand,
  sizes: readonly number[],
  outputs: readonly number[],
  results: Sizes,
  indices: boolean,
) {
  const { cells, most } = cellsOf(sizes, outputs);
  const places = cells.flatMap((cell) => range(most).map((i) => cell[i] ?? (cell[0] as number)));
  const lead = x.sizes.slice(0, -sizes.length);
  const flat = g.reshape(x, [...lead, numelOf(sizes)], x.sizes);
  const rank = lead.length + 2;
  const taken = g.node('Gather', [flat, g.constant(places, DATA.INT64, [cells.length, most])], { axis: rank - 2 });
  const from = [...lead, cells.length];
  const y = g.reshape(g.reduce('ReduceMax', taken, [rank - 1], false), results, from);
  if (!indices) return { y };
  const best = g.node('ArgMax', [taken], { axis: rank - 1, keepdims: 0 }, DATA.INT64);
  const first = g.constant(
    cells.map((_, i) => i * most),
    DATA.INT64,
    [cells.length],
  );
  const index = g.node('Gather', [g.constant(places, DATA.INT32, [places.length]), g.add(best, first)], { axis: 0 });
  return { y, index: g.reshape(index, results, from) };
}

const evenAxes = (sizes: readonly number[], outputs: readonly number[]): Axis[] =>
  sizes.map((size, d) => {
    const kernel = size / (outputs[d] as number);
    return { size, windows: outputs[d] as number, kernel, stride: kernel, before: 0, behind: 0, dilation: 1 };
  });

const isEven = (sizes: readonly number[], outputs: readonly number[]): boolean =>
  sizes.every((size, d) => size % (outputs[d] as number) === 0);

const adaptiveMax =
  (indices: boolean) =>
  (g: Graph, { x }: { readonly x: Operand }, { outputSize }: AdaptivePool, call: Call): Record<string, Value> => {
    const sizes = fixedSizes(call, x.sizes.slice(-outputSize.length));
    if (isEven(sizes, outputSize)) return maxPool(g, x, evenAxes(sizes, outputSize), indices);
    return unevenMax(g, x, sizes, outputSize, call.results.y as Sizes, indices);
  };

/** The means of parts that differ in size: a product for each dim. */
function unevenMean(g: Graph, x: Operand, sizes: readonly number[], outputs: readonly number[]): Value {
  const rank = x.sizes.length;
  return sizes.reduce<Value>((y, size, i) => {
    const [d, windows] = [rank - sizes.length + i, outputs[i] as number];
    const parts = partsOf(size, windows);
    const shares = range(size).flatMap((at) => parts.map((part) => (part.includes(at) ? 1 / part.length : 0)));
    const swapped = range(rank).map((dim) => (dim === d ? rank - 1 : dim === rank - 1 ? d : dim));
    const weights = g.constant(shares, DATA.FLOAT, [size, windows]);
    return g.transpose(g.node('MatMul', [g.transpose(y, swapped), weights]), swapped);
  }, x);
}

/** What the sums of windows are divided by, if not all by the same. */
function divisorsOf(axes: readonly Axis[], { countIncludePad, divisorOverride }: AvgPool): number[] {
  if (divisorOverride !== null) return [divisorOverride];
  return axes.reduce<number[]>(
    (all, { size, windows, kernel, stride, before }) =>
      all.flatMap((divisor) =>
        range(windows).map((at) => {
          const start = at * stride - before;
          const [first, last] = countIncludePad ? [start, size + before] : [Math.max(start, 0), size];
          return divisor * (Math.min(start + kernel, last) - first);
        }),
      ),
    [1],
  );
}

const avgPool: Writer<'avgPool'> = (g, { x }, attrs, call) => {
  const axes = slidingAxes(call, x, call.sizes, attrs);
  const plain = attrs.divisorOverride === null && axes.every(({ before, behind }) => before === behind);
  const count = Number(attrs.countIncludePad || !plain);
  const attributes = { ...attributesOf(axes), count_include_pad: count };
  const [mean] = batched(g, x, axes.length, (image) => [g.node('AveragePool', [image], attributes)]) as [Value];
  if (plain) return mean;
  const whole = numelOf(axes.map(({ kernel }) => kernel));
  const divisors = divisorsOf(axes, attrs);
  const shape = divisors.length === 1 ? [] : axes.map(({ windows }) => windows);
  return g.mul(
    mean,
    g.constant(
      divisors.map((divisor) => whole / divisor),
      DATA.FLOAT,
      shape,
    ),
  );
};

export const poolWriters = {
  maxPool: (g, { x }, attrs, call) => maxPool(g, x, slidingAxes(call, x, call.results.y as Sizes, attrs), false),
  maxPoolWithIndices: (g, { x }, attrs, call) =>
    maxPool(g, x, slidingAxes(call, x, call.results.y as Sizes, attrs), true),
  adaptiveMaxPool: adaptiveMax(false),
  adaptiveMaxPoolWithIndices: adaptiveMax(true),
  avgPool,
  adaptiveAvgPool: (g, { x }, { outputSize }, call) => {
    const pooled = outputSize.length;
    // Of one window the size does not matter.
    if (outputSize.every((size) => size === 1))
      return batched(g, x, pooled, (image) => [g.node('GlobalAveragePool', [image])])[0] as Value;
    const sizes = fixedSizes(call, x.sizes.slice(-pooled));
    if (!isEven(sizes, outputSize)) return unevenMean(g, x, sizes, outputSize);
    const attributes = attributesOf(evenAxes(sizes, outputSize));
    return batched(g, x, pooled, (image) => [g.node('AveragePool', [image], attributes)])[0] as Value;
  },
  maxUnpool: (g, { x, index }, { pooled }, call) => {
    const shape = call.list('shape');
    const lead = shape.slice(0, -pooled);
    const plane = numelOf(fixedSizes(call, shape.slice(-pooled)));
    const windows = numelOf(fixedSizes(call, x.sizes.slice(-pooled)));
    const flat = (each: Operand): Value => g.reshape(each, [...lead, windows], each.sizes);
    const zeros = g.filled([...lead, plane], 0, DATA.FLOAT);
    const y = g.node('ScatterElements', [zeros, flat(index), flat(x)], { axis: lead.length });
    return g.reshape(y, shape, [...lead, plane] as Size[]);
  },
} satisfies Writers;
