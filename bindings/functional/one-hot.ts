// Classes as vectors.
import { ops } from '../autograd.ts';
import { ArgumentError } from '../memory/errors.ts';
import { normalizeDim } from '../ops/shapes.ts';
import type { Tensor } from '../tensor.ts';
import { reshape } from './shape.ts';

/**
 * A vector for each class: 1 at its place, else 0.
 * @param x i32 classes [...], each from 0 to classes − 1
 * @param classes how many there are, at least 1
 * @returns f32 [..., classes]
 * @throws ArgumentError for a class out of range
 */
export function oneHot(x: Tensor, classes: number): Tensor {
  normalizeDim('oneHot', 0, x.ndim);
  if (!(Number.isInteger(classes) && classes >= 1))
    throw new ArgumentError(`oneHot: expected classes >= 1, got ${classes}`);
  const flat = reshape(x, [x.size, 1]);
  const empty = ops.full({}, { shape: [x.size, classes], value: 0 });
  const hot = ops.scatterAdd(
    { x: empty, index: flat, src: ops.full({}, { shape: [x.size, 1], value: 1 }) },
    { dim: 1 },
  );
  return ops.reshape({ x: hot }, { shape: [...x.shape, classes] });
}
