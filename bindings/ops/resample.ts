// Another number of elements along one dim: each is a weighed sum of neighbours. Images are resampled dim by dim.
import { resampleKernels } from '../generated/kernel-calls.ts';
import { type Sampling, samplings } from '../kernels/resample.ts';
import { optional } from '../lookup.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import type { Shape } from '../tensor.ts';
import { attrs, calling, f32, family, grad, row, signature } from './core.ts';
import { expectShape, normalizeDim, split3 } from './shapes.ts';

/** How one dim is resampled. */
export interface Resample {
  readonly dim: number;
  /** Elements of the result. */
  readonly size: number;
  readonly mode: Sampling;
  /** Whether the first and the last elements stay where they are; else the edges of these do. */
  readonly align: boolean;
  /** Elements of the input that one of the result takes, unless corners are aligned; 0: as the sizes have it. */
  readonly step: number;
}

const s = optional(() => ({
  resample: signature({ x: f32 }, { y: grad }, attrs<Resample>()),
  /** dx of `shape`. */
  resampleBackward: signature({ g: f32 }, { dx: grad }, attrs<Resample & { readonly shape: Shape }>()),
}));
type S = typeof s;
declare module './core.ts' {
  interface OpTypes extends S {}
}

const MOST = 2 ** 28;
/** Taps that the workspace of a thread has room for. */
const MOST_TAPS = 4096;
const FEW: Readonly<Record<string, number>> = { nearest: 1, 'nearest-exact': 1, linear: 2, cubic: 4 };

/** How many elements a result takes. */
function tapsOf(n: number, { size, mode, align, step }: Resample): number {
  const few = FEW[mode];
  if (few) return Math.min(few, n);
  const scale = align ? (n - 1) / Math.max(size - 1, 1) : step > 0 ? Math.fround(step) : n / size;
  const support = (mode === 'smooth linear' ? 1 : 2) * Math.max(scale, 1);
  return Math.min(2 * Math.ceil(support) + 1, n);
}

/** The shape with another number of elements. @throws ShapeError, ArgumentError */
function resized(op: string, shape: Shape, attributes: Resample): number[] {
  const { dim, size, step } = attributes;
  normalizeDim(op, dim, shape.length);
  const n = shape[dim] ?? 0;
  if (n < 1 || n > MOST)
    throw new ShapeError(`${op}: expected at least 1 element along dim ${dim}, got ${formatShape(shape)}`);
  if (!Number.isInteger(size) || size < 1 || size > MOST)
    throw new ArgumentError(`${op}: expected a size of at least 1 along dim ${dim}, got ${size}`);
  if (!(step >= 0 && step < MOST)) throw new ArgumentError(`${op}: expected a scale above 0, got ${1 / step}`);
  if (tapsOf(n, attributes) > MOST_TAPS)
    throw new ArgumentError(
      `${op}: expected at most ${MOST_TAPS} elements for a result that is anti-aliased, got ${n} for ${size}; go there in two steps`,
    );
  return shape.map((length, d) => (d === dim ? size : length));
}

function callOf(shape: Shape, attributes: Resample) {
  const { dim, size, mode, align, step } = attributes;
  const [outer, n, inner] = split3(shape, dim);
  return {
    outer,
    inner,
    scale: step,
    dims: [n, size, samplings.indexOf(mode), tapsOf(n, attributes), Number(align)],
  };
}

export const resampleRows = family(calling(resampleKernels, s), () => ({
  resample: row(s.resample, {
    outputs: (make, { x }, attributes, op) => ({ y: make(resized(op, x.sizes, attributes), 'f32') }),
    forward: (k, { y }, { x }, attributes) => k.resample_forward_f32({ y, x, ...callOf(x.sizes, attributes) }),
    backward: (o, { y: g }, _, attributes, { shapes }) => ({
      x: o.resampleBackward({ g }, { ...attributes, shape: shapes.x }),
    }),
  }),
  resampleBackward: row(s.resampleBackward, {
    outputs: (make, { g }, { shape, ...attributes }, op) => {
      expectShape(op, 'the gradient', g, resized(op, shape, attributes));
      return { dx: make(shape, 'f32') };
    },
    forward: (k, { dx }, { g }, { shape, ...attributes }) =>
      k.resample_backward_f32({ dx, g, ...callOf(shape, attributes) }),
    backward: (o, { dx: h }, _, { shape: __, ...attributes }) => ({ g: o.resample({ x: h }, attributes) }),
  }),
}));
