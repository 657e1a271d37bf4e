// What the kernels of a pass over sequences are called with: places of rows, products that packed weights are kept for.

import type { Dtype } from '../dtypes.ts';
import type { Operand } from '../kernels/descriptor.ts';
import type { Kernels } from '../kernels/table.ts';
import type { Shape, Tensor } from '../tensor.ts';
import { type Order, stepsOf } from './rnn-steps.ts';
import { loopDims } from './shapes.ts';

export type { Order } from './rnn-steps.ts';

const NO_ACTIVATION = 0;
const SINGLE: readonly number[] = [0];
/** Columns of a panel: what a tile of a product reads from front to back, whatever tile there is. */
const PANEL = 16;
/** With fewer rows a product reads its weight once, where it lies. */
const MIN_ROWS = 5;
/** Weights of fewer steps are not worth packing for all of them. */
const MIN_STEPS = 3;

/** A part of a tensor, as kernels take it: no view, which would be a node of a program. */
export interface Part extends Operand {
  readonly shape: Shape;
  readonly dtype: Dtype;
  /** The whole, which tests hold what a kernel reaches against. */
  readonly of: Tensor;
}

/** Elements of x from `at` on. */
export const partOf = (x: Tensor | Part, at: number, shape: Shape): Part => ({
  block: x.block,
  byteOffset: x.byteOffset + 4 * at,
  shape,
  dtype: x.dtype,
  of: 'of' in x ? x.of : x,
});
/** `rows` rows of x, from row `at` on. */
export const place = (x: Tensor, at: number, rows: number): Part => {
  const width = x.sizes[1] as number;
  return partOf(x, at * width, [rows, width]);
};

/** Calls `step` with the rows of each step, in the order of the pass. */
export function eachStep(
  order: Order & { readonly backwards?: boolean },
  step: (at: number, rows: number, first: boolean, last: boolean) => void,
): void {
  const steps = stepsOf(order);
  if (order.backwards) steps.reverse();
  steps.forEach(({ at, rows }, i) => {
    step(at, rows, i === 0, i === steps.length - 1);
  });
}

/** Zeros in the first rows. */
export const fillRows = (k: Kernels, y: Tensor, rows: number): void =>
  k.fill_f32({ y, n: rows * (y.sizes[1] as number), value: 0 });

/** The numbers of `from`, or zeros. */
export function keepRows(k: Kernels, y: Tensor, from: Tensor | null): void {
  if (from) k.copy_32({ y, x: from, dims: [1, y.size, 1, 1] });
  else fillRows(k, y, y.sizes[0] as number);
}

/** The products of all inputs, as one. */
export function inputProduct(
  k: Kernels,
  c: Tensor,
  { x, weightIh, bias }: { readonly x: Tensor; readonly weightIh: Tensor; readonly bias: Tensor | null },
): void {
  const [m, inner] = x.sizes as [number, number];
  const n = weightIh.sizes[0] as number;
  const [bCol, bRow] = weightIh.steps as [number, number];
  k.gemm_f32({
    ...{ c, a: x, b: weightIh, bias, m, n, k: inner, aRow: inner, aCol: 1, bRow, bCol, cRow: n },
    ...{ act: NO_ACTIVATION, dims: SINGLE },
  });
}

const isPacked = ({ batchSizes }: Order): boolean =>
  batchSizes.length >= MIN_STEPS && (batchSizes[0] as number) >= MIN_ROWS;

/** The shape of the panels of a weight that rows of `inner` numbers are multiplied with, for `columns` results. */
export const panelShape = (order: Order, inner: number, columns: number): Shape =>
  isPacked(order) ? [Math.floor(columns / PANEL), inner, PANEL] : [0];

/**
 * The product of rows with the weight of the hidden state, forward with its transpose. Packs the weight for all steps
 * where that pays: a panel is a product of its own of a batch, which reads it where it lies.
 */
export function recurrentProduct(
  k: Kernels,
  order: Order,
  panels: Tensor,
  weight: Tensor,
  direction: 'forward' | 'backward',
): (c: Tensor, a: Tensor | Part, rows: number) => void {
  const [outer, width] = weight.sizes as [number, number];
  const [outerStep, step] = weight.steps as [number, number];
  const [n, inner, bCol, bRow] =
    direction === 'forward' ? [outer, width, outerStep, step] : [width, outer, step, outerStep];
  const whole = isPacked(order) ? Math.floor(n / PANEL) : 0;
  if (whole > 0)
    k.copy_32({
      ...{ y: panels, x: weight },
      dims: loopDims([whole, inner, PANEL], [inner * PANEL, PANEL, 1], [PANEL * bCol, bRow, bCol]),
    });
  const rest = n - whole * PANEL;
  const common = { bias: null, k: inner, aRow: inner, aCol: 1, cRow: n, act: NO_ACTIVATION };
  return (c, a, m) => {
    if (whole > 0)
      k.gemm_f32({
        ...{ c, a, b: panels, m, n: PANEL, ...common, bRow: PANEL, bCol: 1 },
        dims: [1, whole, 0, inner * PANEL, PANEL],
      });
    if (rest === 0) return;
    const from = whole * PANEL;
    k.gemm_f32({
      c: partOf(c, from, [m, rest]),
      a,
      b: partOf(weight, from * bCol, [inner, rest]),
      m,
      n: rest,
      ...common,
      bRow,
      bCol,
      dims: SINGLE,
    });
  };
}
