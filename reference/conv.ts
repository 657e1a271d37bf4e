// Convolutions by their definition. A term is one product of the sums; terms are visited by their places in y
// [batch, groups · outs, ...outputs], x [batch, groups · ins, ...sizes] and w [groups · outs, ins, ...kernel].

/** [size, outputs, kernel, stride, padding, dilation]; the padding behind shows in the outputs. */
export type Axis = readonly [
  size: number,
  outputs: number,
  kernel: number,
  stride: number,
  padding: number,
  dilation: number,
];

export interface Shape {
  readonly batch: number;
  readonly groups: number;
  /** Channels of a group. */
  readonly ins: number;
  readonly outs: number;
  /** Fewer than three axes have axes of one element in front. */
  readonly axes: readonly [Axis, Axis, Axis];
}

/** The axis that a convolution over fewer has in place of another. */
export const NONE: Axis = [1, 1, 1, 1, 0, 1];

export const axis = (size: number, kernel: number, stride = 1, padding = 0, dilation = 1, behind = padding): Axis => [
  size,
  Math.floor((size + padding + behind - (kernel - 1) * dilation - 1) / stride) + 1,
  kernel,
  stride,
  padding,
  dilation,
];

const product = (values: readonly number[]): number => values.reduce((a, b) => a * b, 1);
export const inPixels = ({ axes }: Shape): number => product(axes.map(([size]) => size));
export const outPixels = ({ axes }: Shape): number => product(axes.map(([, outputs]) => outputs));
export const taps = ({ axes }: Shape): number => product(axes.map(([, , kernel]) => kernel));

/** Numbers of elements of x, w and y. */
export const sizesOf = (shape: Shape): { x: number; w: number; y: number } => ({
  x: shape.batch * shape.groups * shape.ins * inPixels(shape),
  w: shape.groups * shape.outs * shape.ins * taps(shape),
  y: shape.batch * shape.groups * shape.outs * outPixels(shape),
});

export type Visit = (y: number, x: number, w: number) => void;

/** The taps that reach an element of the axis from output `o`, and where. */
const reach = ([size, , kernel, stride, padding, dilation]: Axis, o: number): [tap: number, at: number][] =>
  Array.from({ length: kernel }, (_, t): [number, number] => [t, o * stride - padding + t * dilation]).filter(
    ([, at]) => at >= 0 && at < size,
  );
/** The taps by which element `at` of the axis takes part in an output, and which: at = o · stride − padding + tap · dilation. */
const reachBack = ([, outputs, kernel, stride, padding, dilation]: Axis, at: number): [tap: number, output: number][] =>
  Array.from({ length: kernel }, (_, t): [number, number] => [t, (at + padding - t * dilation) / stride]).filter(
    ([, o]) => Number.isInteger(o) && o >= 0 && o < outputs,
  );

/** Index in [..., a, b, c]. */
const unravel = (i: number, a: number, b: number, c: number): [rest: number, number, number, number] => [
  Math.floor(i / (a * b * c)),
  Math.floor(i / (b * c)) % a,
  Math.floor(i / c) % b,
  i % c,
];

/** The terms of element `y` of the result. */
export function forTermsOfOutput({ groups, ins, outs, axes }: Shape, y: number, visit: Visit): void {
  const [d, h, w] = axes;
  const [map, a, b, c] = unravel(y, d[1], h[1], w[1]);
  const [image, o] = [Math.floor(map / outs), map % (groups * outs)];
  const [planes, rows, columns] = [reach(d, a), reach(h, b), reach(w, c)];
  for (let i = 0; i < ins; i++)
    for (const [tz, z] of planes)
      for (const [ty, r] of rows)
        for (const [tx, s] of columns)
          visit(
            y,
            (((image * ins + i) * d[0] + z) * h[0] + r) * w[0] + s,
            (((o * ins + i) * d[2] + tz) * h[2] + ty) * w[2] + tx,
          );
}

/** All terms, in the order in which y and dw are summed. */
export function forEachTerm(shape: Shape, visit: Visit): void {
  const elements = shape.batch * shape.groups * shape.outs * outPixels(shape);
  for (let y = 0; y < elements; y++) forTermsOfOutput(shape, y, visit);
}

/** The terms in which element `x` of the input takes part. */
export function forTermsOfInput({ groups, ins, outs, axes }: Shape, x: number, visit: Visit): void {
  const [d, h, w] = axes;
  const [map, z, r, s] = unravel(x, d[0], h[0], w[0]);
  const [image, i] = [Math.floor(map / ins), map % ins];
  const [planes, rows, columns] = [reachBack(d, z), reachBack(h, r), reachBack(w, s)];
  for (let o = 0; o < outs; o++)
    for (const [tz, a] of planes)
      for (const [ty, b] of rows)
        for (const [tx, c] of columns)
          visit(
            (((image * outs + o) * d[1] + a) * h[1] + b) * w[1] + c,
            x,
            (((((image % groups) * outs + o) * ins + i) * d[2] + tz) * h[2] + ty) * w[2] + tx,
          );
}

/** The terms of element `w` of the weight's gradient. */
export function forTermsOfWeight({ batch, groups, ins, outs, axes }: Shape, w: number, visit: Visit): void {
  const [d, h, v] = axes;
  const [row, tz, ty, tx] = unravel(w, d[2], h[2], v[2]);
  const [o, i] = [Math.floor(row / ins), row % ins];
  const group = Math.floor(o / outs);
  const from = ([, , , stride, padding, dilation]: Axis, output: number, tap: number): number =>
    output * stride - padding + tap * dilation;
  for (let n = 0; n < batch; n++)
    for (let a = 0; a < d[1]; a++)
      for (let b = 0; b < h[1]; b++)
        for (let c = 0; c < v[1]; c++) {
          const [z, r, s] = [from(d, a, tz), from(h, b, ty), from(v, c, tx)];
          if (z < 0 || r < 0 || s < 0 || z >= d[0] || r >= h[0] || s >= v[0]) continue;
          visit(
            (((n * groups * outs + o) * d[1] + a) * h[1] + b) * v[1] + c,
            ((((n * groups + group) * ins + i) * d[0] + z) * h[0] + r) * v[0] + s,
            w,
          );
        }
}

/** Sums of products, and of their sizes, to which rounding is in proportion. */
export interface Sums {
  readonly value: Float64Array;
  readonly size: Float64Array;
}

/** The result and both gradients, for the upstream gradient g. */
export function define(
  shape: Shape,
  { x, w, g }: { readonly x: Float32Array; readonly w: Float32Array; readonly g: Float32Array },
): { y: Sums; dx: Sums; dw: Sums } {
  const sums = ({ length }: Float32Array): Sums => ({
    value: new Float64Array(length),
    size: new Float64Array(length),
  });
  const [y, dx, dw] = [sums(g), sums(x), sums(w)];
  const add = (to: Sums, at: number, term: number): void => {
    to.value[at] = (to.value[at] as number) + term;
    to.size[at] = (to.size[at] as number) + Math.abs(term);
  };
  forEachTerm(shape, (i, j, k) => {
    const [gi, xj, wk] = [g[i], x[j], w[k]] as [number, number, number];
    add(y, i, xj * wk);
    add(dx, j, gi * wk);
    add(dw, k, gi * xj);
  });
  return { y, dx, dw };
}

/** [a, b, c] as [a, c, b]. */
function swapped(values: Float32Array, b: number, c: number): Float32Array {
  const [plane, result] = [b * c, new Float32Array(values.length)];
  for (let i = 0; i < values.length; i++) {
    const at = i % plane;
    result[i - at + (at % c) * b + Math.floor(at / c)] = values[i] as number;
  }
  return result;
}

/**
 * The tensors of these names laid out channels last, or back: x, dx [n, ...pixels, channels], y, g [n, ...outputs, filters], and
 * all others as weights [...kernel, in, out].
 */
export function channelsLast<T extends object>(shape: Shape, given: T, back = false): T {
  const { groups, ins, outs } = shape;
  const pair = (a: number, b: number): [number, number] => (back ? [b, a] : [a, b]);
  const inMap = pair(groups * ins, inPixels(shape));
  const outMap = pair(groups * outs, outPixels(shape));
  const turn = (name: string, values: Float32Array): Float32Array => {
    if (name === 'x' || name === 'dx') return swapped(values, ...inMap);
    if (name === 'y' || name === 'g') return swapped(values, ...outMap);
    // [out, in, kernel], [out, kernel, in], [kernel, in, out].
    const rows = ins * taps(shape);
    return back
      ? swapped(swapped(values, rows, groups * outs), taps(shape), ins)
      : swapped(swapped(values, ins, taps(shape)), groups * outs, rows);
  };
  return Object.fromEntries(Object.entries(given).map(([name, values]) => [name, turn(name, values)])) as T;
}
