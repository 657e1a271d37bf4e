// Classes as vectors.
import { ops } from '../autograd.ts';
import { ArgumentError } from '../memory/errors.ts';
import { normalizeDim } from '../ops/shapes.ts';
import { type Callable, callable } from '../signature.ts';
import { host, type Tensor } from '../tensor.ts';
import { constantFor } from './arguments.ts';
import { reshape } from './shape.ts';

/** Options of {@link oneHot}. */
export interface OneHotOptions {
  /** How many classes there are, at least 1; -1: one more than the largest, which is read. @defaultValue -1 */
  numClasses?: number;
}

/**
 * A vector for each class: 1 at its place, else 0.
 * @param x i32 classes [...], each from 0 to numClasses − 1
 * @returns f32 [..., numClasses]
 * @throws ArgumentError for a class out of range; RecordingError inside of compile() where classes are to be counted
 */
export const oneHot = callable<Callable<[x: Tensor], [numClasses: number], OneHotOptions, Tensor>>(
  'oneHot(x: Tensor, numClasses: int = -1)',
  (x: Tensor, numClasses: number) => {
    normalizeDim('oneHot', 0, x.ndim);
    if (numClasses < 1 && numClasses !== -1)
      throw new ArgumentError(`oneHot: expected numClasses >= 1, or -1 to count them, got ${numClasses}`);
    if (numClasses < 0 && x.size === 0)
      throw new ArgumentError('oneHot: expected numClasses for no classes, got -1; give their number');
    const classes =
      numClasses < 0 ? (host.download(x, 'oneHot') as Int32Array).reduce((a, b) => Math.max(a, b), 0) + 1 : numClasses;
    const flat = reshape(x, [x.size, 1]);
    const empty = constantFor(x, 0, 'f32', [x.size, classes]);
    const hot = ops.scatterAdd({ x: empty, index: flat, src: constantFor(x, 1, 'f32', [x.size, 1]) }, { dim: 1 });
    return ops.reshape({ x: hot }, { shape: [...x.sizes, classes] });
  },
);
