// Padding, as PyTorch's torch.nn.functional.pad.
import { familyOps, ops } from '../autograd.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { padRows } from '../ops/pad.ts';
import { type Callable, callable } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { cast, widened } from './arguments.ts';

const padOps = familyOps(padRows);

/**
 * What stands in the padding: one value, x mirrored at its last elements, these themselves, or x from its other end.
 */
export type PadMode = 'constant' | 'reflect' | 'replicate' | 'circular';

/** Options of {@link pad}. */
export interface PadOptions {
  /**
   * What stands in the padding. `'reflect'` takes fewer elements than the dim has, `'circular'` as many at most.
   * @defaultValue 'constant'
   */
  mode?: PadMode;
  /** The value of mode `'constant'`; null: 0. @defaultValue null */
  value?: number | null;
}

/** A view of what negative padding leaves. */
function cropped(x: Tensor, dim: number, before: number, behind: number): Tensor {
  if (before >= 0 && behind >= 0) return x;
  const start = Math.max(-before, 0);
  const length = (x.sizes[dim] as number) - start - Math.max(-behind, 0);
  if (length < 1)
    throw new ShapeError(
      `pad: expected padding that leaves an element of dim ${dim} of ${formatShape(x.sizes)}, got ${before} and ${behind}`,
    );
  return ops.slice({ x }, { dim, start, length, step: 1 });
}

/** x with `pads` around its last dims, which go on outside as `mode` says. */
function padEdges(x: Tensor, pads: readonly number[], mode: Exclude<PadMode, 'constant'>): Tensor {
  const padded = pads.length / 2;
  if (padded < 1 || padded > 3 || x.ndim < padded + 1 || x.ndim > padded + 2)
    throw new ShapeError(
      `pad: expected 1, 2 or 3 padded dims behind [channels] or [n, channels] in mode '${mode}', got ${padded} of ${formatShape(x.sizes)}`,
    );
  // Bytes are few where they are padded.
  let y = widened(x);
  let around: (readonly [before: number, behind: number])[] = [];
  for (let d = padded - 1; d >= 0; d--) {
    const [before, behind] = pads.slice(2 * d, 2 * d + 2) as [number, number];
    if (mode !== 'circular') around.push([before, behind]);
    else {
      y = cropped(y, x.ndim - 1 - d, before, behind);
      around.push([Math.max(before, 0), Math.max(behind, 0)]);
    }
  }
  around = around.slice(around.findIndex(([before, behind]) => before !== 0 || behind !== 0));
  if (around.some(([before, behind]) => before !== 0 || behind !== 0))
    y = padOps.padEdge({ x: y }, { dim: x.ndim - around.length, pads: around, mode });
  return cast(y, x.dtype);
}

/**
 * x with elements put around its last dims, or cut off where numbers are negative.
 * @param pad how many before and behind the last dim, then before and behind the one in front of it, and so on
 * @throws ShapeError, ArgumentError
 */
export const pad = callable<
  Callable<[x: Tensor, pad: readonly number[]], [mode: PadMode, value: number | null], PadOptions, Tensor, ['x', 'pad']>
>(
  "pad(x: Tensor, pad: int[], mode: 'constant'|'reflect'|'replicate'|'circular' = 'constant', value: number|null = null)",
  (x: Tensor, pads: readonly number[], mode: PadMode, value: number | null) => {
    if (pads.length % 2 !== 0 || pads.length > 2 * x.ndim)
      throw new ArgumentError(
        `pad: expected two numbers a dim of ${formatShape(x.sizes)} at most, got ${pads.length} in all`,
      );
    if (mode === 'constant') {
      const sides = x.sizes.map((_, d) => {
        const at = 2 * (x.ndim - 1 - d);
        return [pads[at] ?? 0, pads[at + 1] ?? 0] as const;
      });
      return padOps.pad({ x }, { pads: sides, value: value ?? 0 });
    }
    if (value !== null && value !== 0)
      throw new ArgumentError(`pad: expected no value in mode '${mode}', got ${value}`);
    return padEdges(x, pads, mode);
  },
);
