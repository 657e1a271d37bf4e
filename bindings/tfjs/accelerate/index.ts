// accelerate(tf): what a backend alone cannot do for TensorFlow.js.

import { ArgumentError } from '../../memory/errors.ts';
import { checkParts, type TfEngine } from './tensorflow.ts';
import { type Restore, Updates } from './updates.ts';

/** What has been done so far. */
export interface AccelerateStats {
  /** Optimizer steps that ran as one kernel a weight. */
  readonly steps: number;
}

/** What {@link accelerate} returns. */
export interface Acceleration {
  /** What has been done so far. */
  readonly stats: AccelerateStats;
  /** Takes all back: TensorFlow.js is as it was, and goes on from the same weights. A second call does nothing. */
  restore(): void;
}

/** The copies of tfjs that are patched. */
const patched = new Set<unknown>();

/**
 * Makes training by TensorFlow.js on the backend `'retrograd'` faster: its optimizers (SGD, Momentum, Adam, Adamax,
 * RMSProp, Adagrad, Adadelta) update each weight by one kernel, in place. Numbers are TensorFlow.js's but for rounding
 * (1e-6). On other backends nothing changes.
 * @param tf TensorFlow.js, the module as `import * as tf from '@tensorflow/tfjs'` has it: classes of a second copy of
 *   it are not patched
 * @throws ArgumentError for anything else, and for a copy that is accelerated already
 */
export function accelerate(tf: object): Acceleration {
  checkParts(tf);
  const { SGDOptimizer } = tf;
  if (patched.has(SGDOptimizer))
    throw new ArgumentError(
      'accelerate: expected a TensorFlow.js that is not accelerated, got one that is; restore() it first',
    );
  patched.add(SGDOptimizer);
  const updates = new Updates(tf, tf.engine() as TfEngine);
  const restores: Restore[] = updates.patch();
  return {
    stats: {
      get steps() {
        return updates.count;
      },
    },
    restore() {
      for (const restore of restores.splice(0)) restore();
      patched.delete(SGDOptimizer);
    },
  };
}
