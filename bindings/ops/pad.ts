// Padding: by one value around several dims, or along dims by what stands there. Fewer than no elements are cut off.
import { checkValues } from '../dtypes.ts';
import { padKernels } from '../generated/kernel-calls.ts';
import { type Edge, edges } from '../kernels/pad.ts';
import { optional } from '../lookup.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { numelOf } from '../sizes.ts';
import type { Shape, Tensor } from '../tensor.ts';
import { any, attrs, calling, f32, family, grad, numeric, row, signature, strided } from './core.ts';
import { fill } from './random.ts';
import { copy } from './shape.ts';
import { expectShape, normalizeDim } from './shapes.ts';

/** Elements before and behind each dim, all of them. */
type Constant = { readonly pads: readonly (readonly [before: number, behind: number])[]; readonly value: number };
/** Along the dims from `dim` on. */
type Edged = {
  readonly dim: number;
  readonly pads: readonly (readonly [before: number, behind: number])[];
  readonly mode: Edge;
};

const s = optional(() => ({
  /** x in the middle of `value`. */
  pad: signature({ x: strided(any) }, { y: grad }, attrs<Constant>()),
  /** The dims go on outside: mirrored at its last element ('reflect'), with that ('replicate'), or from its start. */
  padEdge: signature({ x: numeric }, { y: grad }, attrs<Edged>()),
  /** dx of `shape`: what padEdge() took from an element, summed. */
  padEdgeBackward: signature({ g: f32 }, { dx: grad }, attrs<Edged & { readonly shape: Shape }>()),
}));
type S = typeof s;
declare module './core.ts' {
  interface OpTypes extends S {}
}

/** The part of `y` that x fills, and the part of x that fills it, as tensors over their memory. */
function shared(y: Tensor, x: Tensor, { pads }: Constant): [to: Tensor, from: Tensor] {
  let [to, from] = [y.offset, x.offset];
  const shape = x.sizes.map((size, d) => {
    const [before, behind] = pads[d] as readonly [number, number];
    to += Math.max(before, 0) * (y.steps[d] as number);
    from += Math.max(-before, 0) * (x.steps[d] as number);
    return size + Math.min(before, 0) + Math.min(behind, 0);
  });
  return [y.alias(shape, y.steps, to), x.alias(shape, x.steps, from)];
}

/** The shape with its dims padded. @throws ShapeError, ArgumentError where the mode does not reach as far */
function edged(op: string, shape: Shape, { dim, pads, mode }: Edged): number[] {
  normalizeDim(op, dim + Math.max(pads.length - 1, 0), shape.length);
  return shape.map((n, d) => {
    const [before, behind] = pads[d - dim] ?? [0, 0];
    const most = mode === 'replicate' ? Number.POSITIVE_INFINITY : mode === 'circular' ? n : n - 1;
    if (pads[d - dim] && (n < 1 || Math.max(before, behind) > most))
      throw new ShapeError(
        `${op}: expected at most ${Math.max(most, 0)} elements of padding by '${mode}' around dim ${d} of ${formatShape(shape)}, got ${before} and ${behind}; pad less, or by 'replicate'`,
      );
    if (pads[d - dim] && (n + before + behind < 1 || before <= -n || behind <= -n))
      throw new ShapeError(
        `${op}: expected padding that leaves an element of dim ${d} of ${formatShape(shape)}, got ${before} and ${behind}`,
      );
    return n + before + behind;
  });
}

/** What kernels take: a sample has the dims from `dim` on. */
function sizesOf(shape: Shape, { dim, pads, mode }: Edged) {
  let [n, m] = [1, 1];
  const axes: number[] = [];
  for (let d = shape.length - 1; d >= dim; d--) {
    const size = shape[d] as number;
    const [before, behind] = pads[d - dim] ?? [0, 0];
    if (d < dim + pads.length) axes.unshift(size, size + before + behind, before, n, m);
    n *= size;
    m *= size + before + behind;
  }
  if (pads.length === 1) axes.unshift(1, 1, 0, n, m);
  return { outer: numelOf(shape.slice(0, dim)), dims: [n, m, edges.indexOf(mode), axes.length / 5, ...axes] };
}

export const padRows = family(calling(padKernels, s), () => ({
  pad: row(s.pad, {
    outputs: (make, { x }, { pads, value }, op) => {
      if (pads.length !== x.ndim || !pads.flat().every(Number.isSafeInteger))
        throw new ArgumentError(
          `${op}: expected two whole numbers for each dim of ${formatShape(x.sizes)}, got ${pads.length} pairs`,
        );
      checkValues(op, [value], x.dtype);
      const sizes = x.sizes.map((size, d) => {
        const [before, behind] = pads[d] as readonly [number, number];
        if (size + Math.min(before, 0) + Math.min(behind, 0) < 0 || size + before + behind < 0)
          throw new ShapeError(
            `${op}: expected padding that cuts off no more than there is, got ${before} and ${behind} around dim ${d} of ${formatShape(x.sizes)}`,
          );
        return size + before + behind;
      });
      return { y: make(sizes, x.dtype) };
    },
    forward: (k, { y }, { x }, attributes) => {
      fill(k, y, attributes.value);
      const [to, from] = shared(y, x, attributes);
      copy(k, to, from);
    },
    backward: (o, { y: g }, _, { pads }) => ({
      x: o.pad({ x: g }, { pads: pads.map(([before, behind]) => [-before, -behind] as const), value: 0 }),
    }),
  }),
  padEdge: row(s.padEdge, {
    outputs: (make, { x }, attributes, op) => ({ y: make(edged(op, x.sizes, attributes), x.dtype) }),
    forward: (k, { y }, { x }, attributes) => k.pad_edge_forward_32({ y, x, ...sizesOf(x.sizes, attributes) }),
    backward: (o, { y: g }, _, attributes, { shapes }) => ({
      x: o.padEdgeBackward({ g }, { ...attributes, shape: shapes.x }),
    }),
  }),
  padEdgeBackward: row(s.padEdgeBackward, {
    outputs: (make, { g }, { shape, ...attributes }, op) => {
      expectShape(op, 'the gradient', g, edged(op, shape, attributes));
      return { dx: make(shape, 'f32') };
    },
    forward: (k, { dx }, { g }, { shape, ...attributes }) =>
      k.pad_edge_backward_f32({ dx, g, ...sizesOf(shape, attributes) }),
    backward: (o, { dx: h }, _, { shape: __, ...attributes }) => ({ g: o.padEdge({ x: h }, attributes) }),
  }),
}));
