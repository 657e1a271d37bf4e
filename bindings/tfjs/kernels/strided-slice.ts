// Slices with steps, as Python writes them: x[1:, ..., None, ::-2, 3].
import { ShapeError } from '../../memory/errors.ts';
import type { Shape } from '../../sizes.ts';

/** Which part of each dim; bits of masks stand for items of the lists. */
export interface StridedSlice {
  readonly begin: readonly number[];
  readonly end: readonly number[];
  readonly strides?: readonly number[] | null;
  /** Where begin and end are as if left out. */
  readonly beginMask?: number;
  readonly endMask?: number;
  /** The item that stands for all dims that no other does; absent: it is the last. */
  readonly ellipsisMask?: number;
  /** Items that add a dim of 1. */
  readonly newAxisMask?: number;
  /** Items that are an index: their dim goes. */
  readonly shrinkAxisMask?: number;
}

/**
 * What that is of a tensor: for each of its dims the first index, the step and how many; and the shape of the result.
 */
export interface Parts {
  readonly begin: number[];
  readonly steps: number[];
  readonly sizes: number[];
  readonly shape: number[];
}

/** One dim from begin to end. */
function take(parts: Parts, n: number, begin: number | null, end: number | null, step: number): void {
  const [low, high] = step > 0 ? [0, n] : [-1, n - 1];
  const place = (x: number | null, masked: number): number =>
    x === null ? masked : Math.min(high, Math.max(low, x < 0 ? n + x : x));
  const from = place(begin, step > 0 ? low : high);
  const to = place(end, step > 0 ? high : low);
  const size = Math.max(0, Math.ceil((to - from) / step));
  parts.begin.push(size === 0 ? 0 : from);
  parts.steps.push(step);
  parts.sizes.push(size);
  parts.shape.push(size);
}

/** One index of a dim. @throws ShapeError */
function pick(parts: Parts, n: number, index: number): void {
  const at = index < 0 ? n + index : index;
  if (at < 0 || at >= n)
    throw new ShapeError(`stridedSlice: slice index ${index} of dimension ${parts.begin.length} out of bounds.`);
  parts.begin.push(at);
  parts.steps.push(1);
  parts.sizes.push(1);
}

/** Whether a mask has the bit of an item. */
const has = (mask: number | undefined, i: number): boolean => ((mask ?? 0) & (1 << i)) !== 0;

/** One item that stands for one dim. @throws ShapeError */
function takeItem(parts: Parts, shape: Shape, i: number, slice: StridedSlice): void {
  const { begin, end, strides, beginMask, endMask, shrinkAxisMask } = slice;
  const d = parts.begin.length;
  if (d === shape.length)
    throw new ShapeError(`stridedSlice: Index out of range using input dim ${d}; input has only ${shape.length} dims`);
  const step = strides?.[i] ?? 1;
  if (step === 0) throw new ShapeError(`stridedSlice: strides[${i}] must be non-zero`);
  const n = shape[d] as number;
  if (!has(shrinkAxisMask, i)) {
    const from = has(beginMask, i) ? null : (begin[i] as number);
    take(parts, n, from, has(endMask, i) ? null : (end[i] as number), step);
    return;
  }
  if (step < 0) throw new ShapeError('stridedSlice: only stride 1 allowed on non-range indexing.');
  pick(parts, n, begin[i] as number);
}

/** @throws ShapeError for what no tensor of this shape has */
export function partsOf(shape: Shape, slice: StridedSlice): Parts {
  const { begin, strides, newAxisMask } = slice;
  const items = strides?.length ?? begin.length;
  const ellipsisMask = slice.ellipsisMask || 1 << items;
  if ((ellipsisMask & (ellipsisMask - 1)) !== 0)
    throw new ShapeError('stridedSlice: Multiple ellipses in slice is not allowed; give one.');
  const parts: Parts = { begin: [], steps: [], sizes: [], shape: [] };
  for (let i = 0; i <= items; i++) {
    if (has(ellipsisMask, i)) {
      let after = 0;
      for (let j = i + 1; j < items; j++) if (!has(newAxisMask, j)) after++;
      while (parts.begin.length < shape.length - after) take(parts, shape[parts.begin.length] as number, null, null, 1);
    } else if (i === items) break;
    else if (has(newAxisMask, i)) parts.shape.push(1);
    else takeItem(parts, shape, i, slice);
  }
  return parts;
}
