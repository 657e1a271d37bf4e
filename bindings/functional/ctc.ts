// Connectionist temporal classification.
import { familyOps, ops } from '../autograd.ts';
import { tensor } from '../creation.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { ctcRows } from '../ops/ctc.ts';
import { expectDtype } from '../ops/shapes.ts';
import { type Callable, callable } from '../signature.ts';
import { host, Tensor } from '../tensor.ts';
import { cast, constantFor } from './arguments.ts';
import { add, clamp, div, eq, minimum, sub, where } from './elementwise.ts';
import { indexSelect } from './indexing.ts';
import { type LossOptions, REDUCTION, type Reduction, reduce } from './loss-parts.ts';
import { cumsum } from './reduction.ts';
import { reshape, unsqueeze } from './shape.ts';

const ctcOps = familyOps(ctcRows);

/** Options of {@link ctcLoss}. */
export interface CtcLossOptions extends LossOptions {
  /** The class that stands between labels. @defaultValue 0 */
  blank?: number;
  /**
   * Whether what has no way, for the target is longer than the input, has a loss and gradient of 0. @defaultValue false
   */
  zeroInfinity?: boolean;
}

/** How many frames or labels each sample has: i32 [n], a list, or, of one sample, a tensor [] or a number. */
export type Lengths = Tensor | readonly number[] | number;

/** Lengths as i32 [n]. */
function lengthsOf(what: string, lengths: Lengths, n: number): Tensor {
  const x =
    lengths instanceof Tensor
      ? lengths
      : tensor(typeof lengths === 'number' ? [lengths] : [...lengths], { dtype: 'i32' });
  expectDtype('ctcLoss', x, 'i32');
  if (x.size !== n) throw new ShapeError(`ctcLoss: expected ${what} of ${n} samples, got ${formatShape(x.sizes)}`);
  return reshape(x, [n]);
}

/** Targets one after the other as rows, as long as the longest. */
function padded(targets: Tensor, given: Lengths, lengths: Tensor): Tensor {
  const known =
    given instanceof Tensor
      ? (host.download(given, 'ctcLoss') as Int32Array)
      : Int32Array.from(typeof given === 'number' ? [given] : given);
  const [longest, total] = known.reduce(([most, sum], length) => [Math.max(most, length), sum + length], [0, 0]) as [
    number,
    number,
  ];
  if (total !== targets.size)
    throw new ArgumentError(
      `ctcLoss: expected targets [${total}], as long as their lengths together, got ${formatShape(targets.sizes)}`,
    );
  const n = lengths.size;
  if (longest === 0) return reshape(targets, [n, 0]);
  const places = sub(cumsum(constantFor(targets, 1, 'i32', [longest]), 0), 1);
  const starts = sub(cumsum(lengths, 0), lengths);
  const index = minimum(add(unsqueeze(starts, 1), places), total - 1);
  return reshape(indexSelect(targets, 0, reshape(index, [n * longest])), [n, longest]);
}

/**
 * −log of the probability that the frames of a sample spell its target, with blanks between and labels that last
 * (Graves et al. 2006). The mean divides each loss by the length of its target first. The gradient is that of what came
 * out of a log softmax, as PyTorch's.
 * @param logProbs log-probabilities [time, n, classes], or [time, classes] of one sample
 * @param targets i32 classes [n, labels], rows as long as the longest; or [all labels], one sample after the other
 * @param inputLengths how many frames of each sample count
 * @param targetLengths how many labels of each sample count
 * @throws ShapeError, DtypeError; ArgumentError for lengths or classes out of range; RecordingError inside of compile()
 *   where a tensor says how targets follow each other: give rows then
 */
export const ctcLoss = callable<
  Callable<
    [logProbs: Tensor, targets: Tensor, inputLengths: Lengths, targetLengths: Lengths],
    [blank: number, reduction: Reduction, zeroInfinity: boolean],
    CtcLossOptions,
    Tensor,
    ['logProbs', 'targets', 'inputLengths', 'targetLengths']
  >
>(
  `ctcLoss(logProbs: Tensor, targets: Tensor, inputLengths: Tensor|int[]|int, targetLengths: Tensor|int[]|int, blank: int = 0, ${REDUCTION}, zeroInfinity: bool = false)`,
  (
    logProbs: Tensor,
    targets: Tensor,
    inputLengths: Lengths,
    targetLengths: Lengths,
    ...[blank, reduction, zeroInfinity]: [number, Reduction, boolean]
  ) => {
    if (logProbs.ndim !== 2 && logProbs.ndim !== 3)
      throw new ShapeError(
        `ctcLoss: expected log-probabilities [time, n, classes] or [time, classes], got ${formatShape(logProbs.sizes)}`,
      );
    expectDtype('ctcLoss', targets, 'i32');
    const single = logProbs.ndim === 2;
    const logp = single ? unsqueeze(logProbs, 1) : logProbs;
    const n = logp.sizes[1] as number;
    const frames = lengthsOf('input lengths', inputLengths, n);
    const lengths = lengthsOf('target lengths', targetLengths, n);
    const listed = single && targets.ndim === 1 ? unsqueeze(targets, 0) : targets;
    const rows = listed.ndim === 1 ? padded(listed, targetLengths, lengths) : listed;
    let losses = ctcOps.ctc({ logp, targets: rows, frames, lengths }, { blank });
    if (zeroInfinity) losses = where(eq(losses, Number.POSITIVE_INFINITY), 0, losses);
    if (reduction === 'mean') losses = div(losses, clamp(cast(lengths, 'f32'), 1));
    return reduce(single && reduction === 'none' ? ops.reshape({ x: losses }, { shape: [] }) : losses, reduction);
  },
);
