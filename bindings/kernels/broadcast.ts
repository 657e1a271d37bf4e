// Kernels that broadcast by strides, and moves between strided layouts.
import type { ElementType, ListSpec } from './descriptor.ts';
import { GRAIN, inout, input, kernel, list, output } from './descriptor.ts';

type Strides = 'aStride' | 'bStride' | 'cStride';
/** From the first to the last element of what an operand has in one unit. */
type Spans<N extends Strides> = N extends `${infer Operand}Stride` ? `${Operand}Span` : never;
/** Whether a call is rows of elements that lie alike in all operands, but for those that repeat something. */
type Rowwise = 'rowwise';

/**
 * dims = [rank, sizes, the strides of each operand that has any]: units are the positions of the outermost dim, each of
 * `row` elements.
 */
const stridedList = <const N extends readonly Strides[]>(
  ...strides: N
): ListSpec<'rank' | 'outer' | 'row' | Rowwise | N[number] | Spans<N[number]>> =>
  list(
    ['rank', 'outer'],
    (dims) => {
      const rank = dims[0] as number;
      let row = 1;
      for (let d = 2; d <= rank; d++) row *= dims[d] as number;
      const sizes: Record<string, number> = {
        outer: rank === 0 ? 1 : (dims[1] as number),
        row,
        rowwise: Number(rank === 1 || rank === 2),
      };
      for (let i = 0; i < strides.length; i++) {
        const outer = dims[1 + rank * (i + 1)] ?? 0;
        const name = strides[i] as Strides;
        sizes[name] = outer;
        let last = 0;
        for (let d = 2; d <= rank; d++) last += ((dims[d] as number) - 1) * (dims[rank * (i + 1) + d] as number);
        sizes[`${name[0]}Span`] = last + 1;
        if (rank === 2 && outer === row && dims[rank * (i + 2)] !== 1) sizes.rowwise = 0;
      }
      return sizes;
    },
    [], // see trials.ts
  ) as ListSpec<'rank' | 'outer' | 'row' | Rowwise | N[number] | Spans<N[number]>>;

/** Elements of a strided call. */
const count = ({ dims }: { readonly dims: readonly number[] }): number => {
  let n = 1;
  for (let d = 1; d <= (dims[0] as number); d++) n *= dims[d] as number;
  return n;
};
const strided = {
  cut: ({ rank, row }: { readonly rank: number; readonly row: number }) =>
    rank === 0 ? null : { along: 'outer' as const, grain: Math.max(1, Math.ceil(GRAIN / Math.max(1, row))) },
  cost: (call: { readonly dims: readonly number[] }): number => count(call) * 0.5,
  elementwise: ({ rowwise }: { readonly rowwise: number }): boolean => rowwise === 1,
};

/** y = f(a, b), y contiguous. */
const binary = (from: ElementType = 'f32', to: ElementType = from) =>
  kernel(
    {
      y: output(to, 'outer', 'row'),
      a: input(from, ['outer', 'aStride'], 'aSpan'),
      b: input(from, ['outer', 'bStride'], 'bSpan'),
      dims: stridedList('aStride', 'bStride'),
    },
    strided,
  );
/** y = condition ? a : b. */
const ternary = (type: ElementType) =>
  kernel(
    {
      y: output(type, 'outer', 'row'),
      condition: input('u8', ['outer', 'aStride'], 'aSpan'),
      a: input(type, ['outer', 'bStride'], 'bSpan'),
      b: input(type, ['outer', 'cStride'], 'cSpan'),
      dims: stridedList('aStride', 'bStride', 'cStride'),
    },
    strided,
  );
/** Moves x to y, or adds it there; what lies between the elements of y stays. */
const move = (type: ElementType) =>
  kernel(
    {
      y: inout(type, ['outer', 'aStride'], 'aSpan'),
      x: input(type, ['outer', 'bStride'], 'bSpan'),
      dims: stridedList('aStride', 'bStride'),
    },
    strided,
  );

export const broadcastKernels = {
  add_forward_f32: binary(),
  sub_forward_f32: binary(),
  mul_forward_f32: binary(),
  div_forward_f32: binary(),
  pow_forward_f32: binary(),
  maximum_forward_f32: binary(),
  minimum_forward_f32: binary(),
  add_forward_i32: binary('i32'),
  sub_forward_i32: binary('i32'),
  mul_forward_i32: binary('i32'),
  maximum_forward_i32: binary('i32'),
  minimum_forward_i32: binary('i32'),
  add_forward_u8: binary('u8'),
  sub_forward_u8: binary('u8'),
  mul_forward_u8: binary('u8'),
  maximum_forward_u8: binary('u8'),
  minimum_forward_u8: binary('u8'),
  and_forward_i32: binary('i32'),
  or_forward_i32: binary('i32'),
  xor_forward_i32: binary('i32'),
  and_forward_u8: binary('u8'),
  or_forward_u8: binary('u8'),
  xor_forward_u8: binary('u8'),
  logical_and_u8: binary('u8'),
  logical_or_u8: binary('u8'),
  logical_xor_u8: binary('u8'),
  eq_f32: binary('f32', 'u8'),
  ne_f32: binary('f32', 'u8'),
  lt_f32: binary('f32', 'u8'),
  le_f32: binary('f32', 'u8'),
  gt_f32: binary('f32', 'u8'),
  ge_f32: binary('f32', 'u8'),
  eq_i32: binary('i32', 'u8'),
  ne_i32: binary('i32', 'u8'),
  lt_i32: binary('i32', 'u8'),
  le_i32: binary('i32', 'u8'),
  gt_i32: binary('i32', 'u8'),
  ge_i32: binary('i32', 'u8'),
  eq_u8: binary('u8'),
  ne_u8: binary('u8'),
  lt_u8: binary('u8'),
  le_u8: binary('u8'),
  gt_u8: binary('u8'),
  ge_u8: binary('u8'),
  /** Of 32 bits whatever they mean. */
  where_f32: ternary('b32'),
  where_u8: ternary('u8'),

  copy_32: move('b32'),
  copy_8: move('u8'),
  add_strided_f32: move('f32'),
};
