// Diagonals, windows and flips: views where the strides of x allow it, else copies.
import { optional } from '../lookup.ts';
import { formatShape, ShapeError } from '../memory/errors.ts';
import type { Shape } from '../tensor.ts';
import { any, attrs, f32, family, grad, row, signature, strided, type Tensor, type View } from './core.ts';
import { fill } from './random.ts';
import { copy } from './shape.ts';
import { expectShape, loopDims, normalizeDim } from './shapes.ts';

/** Which two dims have the diagonal, counted from the front, and how far to the right it begins. */
export interface Diagonal {
  readonly offset: number;
  readonly dim1: number;
  readonly dim2: number;
}
/** Windows of `size` elements along `dim`, each `step` after the one before. */
export interface Windows {
  readonly dim: number;
  readonly size: number;
  readonly step: number;
}
type Shaped = { readonly shape: Shape };

const x = strided(any);
const s = optional(() => ({
  /** The diagonal of two dims, as a last dim. */
  diagonal: signature({ x }, { y: grad }, attrs<Diagonal>()),
  /** Zeros of `shape`, with g on the diagonal. */
  diagonalBackward: signature({ g: x }, { dx: grad }, attrs<Diagonal & Shaped>()),
  /** The windows along `dim`; what each holds is a last dim (torch.Tensor.unfold). */
  windows: signature({ x }, { y: grad }, attrs<Windows>()),
  /** The sum of the windows, each at its place in zeros of `shape`. */
  windowsBackward: signature({ g: strided(f32) }, { dx: grad }, attrs<Windows & Shaped>()),
  /** The elements of some dims in reverse order. */
  flip: signature({ x }, { y: grad }, attrs<{ readonly dims: readonly number[] }>()),
}));
type S = typeof s;
declare module './core.ts' {
  interface OpTypes extends S {}
}

/** The place of a diagonal in a tensor of these sizes and strides. */
function diagonalOf({ sizes, steps, offset: from }: Tensor, { offset, dim1, dim2 }: Diagonal): View {
  const [rows, cols] = [sizes[dim1] as number, sizes[dim2] as number];
  const length = Math.max(0, offset >= 0 ? Math.min(rows, cols - offset) : Math.min(rows + offset, cols));
  const [down, right] = [steps[dim1] as number, steps[dim2] as number];
  const rest = (list: readonly number[]): number[] => list.filter((_, d) => d !== dim1 && d !== dim2);
  const start = length === 0 ? 0 : offset >= 0 ? offset * right : -offset * down;
  return { shape: [...rest(sizes), length], strides: [...rest(steps), down + right], offset: from + start };
}

function checkDiagonal(op: string, ndim: number, { dim1, dim2 }: Diagonal): void {
  normalizeDim(op, dim1, ndim);
  normalizeDim(op, dim2, ndim);
  if (ndim < 2 || dim1 === dim2)
    throw new ShapeError(`${op}: expected two dims of a tensor of at least 2, got ${dim1} and ${dim2} of ${ndim}`);
}

/** How many windows there are. @throws ShapeError */
function countWindows(op: string, shape: Shape, { dim, size, step }: Windows): number {
  const whole = shape[normalizeDim(op, dim, shape.length)] ?? 1;
  if (!(size >= 0 && size <= whole && step >= 1))
    throw new ShapeError(
      `${op}: expected a size from 0 to ${whole} and a step >= 1 for dim ${dim} of ${formatShape(shape)}, got ${size} and ${step}`,
    );
  return Math.floor((whole - size) / step) + 1;
}

function windowsOf(op: string, { sizes, steps, offset }: Tensor, attributes: Windows): View {
  const { dim, size, step } = attributes;
  const count = countWindows(op, sizes, attributes);
  const stride = steps[dim] ?? 1;
  if (sizes.length === 0) return { shape: [size], strides: [1], offset };
  return {
    shape: [...sizes.with(dim, count), size],
    strides: [...steps.with(dim, stride * step), stride],
    offset,
  };
}

/** y read from the back along `dims`. */
function reversed({ sizes, steps, offset }: Tensor, dims: readonly number[]): View {
  let from = offset;
  for (const d of dims) from += Math.max(0, (sizes[d] as number) - 1) * (steps[d] as number);
  return { shape: sizes, strides: steps.map((step, d) => (dims.includes(d) ? -step : step)), offset: from };
}

const look = (x: Tensor, { shape, strides, offset }: View): Tensor => x.alias(shape, strides, offset);

export const rearrangeRows = family(s, () => ({
  diagonal: row(s.diagonal, {
    view: ({ x }, attributes) => {
      checkDiagonal('diagonal', x.ndim, attributes);
      return diagonalOf(x, attributes);
    },
    backward: (o, { y: g }, _, attributes, { shapes }) => ({
      x: o.diagonalBackward({ g }, { ...attributes, shape: shapes.x }),
    }),
  }),
  diagonalBackward: row(s.diagonalBackward, {
    outputs: (make, { g }, attributes, op) => {
      checkDiagonal(op, attributes.shape.length, attributes);
      const dx = make(attributes.shape, g.dtype);
      expectShape(op, 'the diagonal', g, diagonalOf(dx, attributes).shape);
      return { dx };
    },
    forward: (k, { dx }, { g }, attributes) => {
      fill(k, dx, 0);
      copy(k, look(dx, diagonalOf(dx, attributes)), g);
    },
    backward: (o, { dx: h }, _, { offset, dim1, dim2 }) => ({ g: o.diagonal({ x: h }, { offset, dim1, dim2 }) }),
  }),
  windows: row(s.windows, {
    view: ({ x }, attributes) => windowsOf('unfold', x, attributes),
    backward: (o, { y: g }, _, attributes, { shapes }) => ({
      x: o.windowsBackward({ g }, { ...attributes, shape: shapes.x }),
    }),
  }),
  windowsBackward: row(s.windowsBackward, {
    outputs: (make, { g }, { shape, ...attributes }, op) => {
      const dx = make(shape, 'f32');
      expectShape(op, 'the gradient', g, windowsOf(op, dx, attributes).shape);
      return { dx };
    },
    forward: (k, { dx }, { g }, { shape, ...attributes }) => {
      fill(k, dx, 0);
      if (g.size === 0) return;
      // Windows overlap: one after the other, or the elements at one place of each, so that no call writes twice.
      const windows = look(dx, windowsOf('windowsBackward', dx, attributes));
      const last = g.ndim - 1;
      const count = shape.length === 0 ? 1 : (g.sizes[attributes.dim] as number);
      const dim = shape.length > 0 && count < attributes.size ? attributes.dim : last;
      for (let i = 0; i < (g.sizes[dim] as number); i++) {
        const part = (t: Tensor): Tensor =>
          t.alias(t.sizes.toSpliced(dim, 1), t.steps.toSpliced(dim, 1), t.offset + i * (t.steps[dim] as number));
        const [y, from] = [part(windows), part(g)];
        k.add_strided_f32({ y, x: from, dims: loopDims(y.sizes, y.steps, from.steps) });
      }
    },
    backward: (o, { dx: h }, _, { dim, size, step }) => ({ g: o.windows({ x: h }, { dim, size, step }) }),
  }),
  flip: row(s.flip, {
    outputs: (make, { x }, { dims }, op) => {
      for (const dim of dims) normalizeDim(op, dim, x.ndim);
      return { y: make(x.sizes, x.dtype) };
    },
    forward: (k, { y }, { x }, { dims }) => copy(k, y, look(x, reversed(x, dims))),
    backward: (o, { y: g }, _, attributes) => ({ x: o.flip({ x: g }, attributes) }),
  }),
}));
