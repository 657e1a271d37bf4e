// accelerate(tf): what a backend alone cannot do for TensorFlow.js.
import { ArgumentError } from '../../memory/errors.ts';
import { callable } from '../../signature.ts';
import { moduleKind } from '../declare.ts';
import { Loops } from './loops.ts';
import { patchLSTM } from './lstm.ts';
import { patchModels } from './models.ts';
import { Programs } from './programs.ts';
import { checkParts, type TfEngine, type TfModule } from './tensorflow.ts';
import { patch, type Restore, Updates } from './updates.ts';

/** Options of {@link accelerate}. */
export interface AccelerateOptions {
  /**
   * Also models with layers, regularizers or constraints that are not of TensorFlow.js. They must do the same in each
   * step: what they keep in fields of their own from one step to the next is looked for only in steps 2, 4, 8, 16 ….
   * @defaultValue false
   */
  custom?: boolean;
  /**
   * Whether the console is told, once for each reason, that something runs unaccelerated.
   * @defaultValue true
   */
  warn?: boolean;
}

/** What an {@link Acceleration} has done so far. */
export interface AccelerateStats {
  /** Optimizer steps that ran by one kernel a weight, those of programs included. */
  readonly steps: number;
  /** Batches, and steps of loops, that ran as one program. */
  readonly replays: number;
  /** Times that a model's code, or the step of a loop, was traced. */
  readonly traces: number;
  /** Why something ran unaccelerated, one sentence for each reason. */
  readonly fallbacks: readonly string[];
}

/** What {@link accelerate} returns. */
export interface Acceleration {
  /** What it has done so far. */
  readonly stats: AccelerateStats;
  /** Takes all back: TensorFlow.js is as it was, and goes on from the same weights. A second call does nothing. */
  restore(): void;
}

/** The copies of tfjs that are patched. */
const patched = new Set<unknown>();

/**
 * Makes TensorFlow.js on the backend `'retrograd'` faster. Its optimizers (SGD, Momentum, Adam, Adamax, RMSProp,
 * Adagrad, Adadelta) update each weight by one kernel, in place. And models run each batch as one program: `fit`,
 * `fitDataset`, `trainOnBatch`, `evaluate` and `predict` run TensorFlow.js's own code on the first batch of a shape,
 * trace it at the second, and from then on replay that. Loops of `optimizer.minimize(f)` run `f` in each step; what it
 * asks for, its gradients and the optimizer's step are one program where an earlier step was like it. Numbers are
 * TensorFlow.js's but for rounding (1e-6); unseeded dropout and noise of models are drawn by a generator of this
 * package, from the same distributions. Learning rates, weights, frozen layers, callbacks, metrics, saving and loading
 * are as ever. What cannot be traced runs as before, and `stats.fallbacks` says why. On other backends, and while
 * `tf.profile` or debug mode watch, nothing changes.
 * @param tf TensorFlow.js, the module as `import * as tf from '@tensorflow/tfjs'` has it: classes of a second copy of
 *   it are not patched
 * @throws ArgumentError for anything else, for a copy that is accelerated already, and for an option that there is not
 */
export const accelerate: (tf: object, options?: AccelerateOptions) => Acceleration = callable<
  (tf: object, options?: AccelerateOptions) => Acceleration
>('accelerate(tf: TensorFlow, *, custom: bool = false, warn: bool = true)', start, moduleKind);

function start(tf: object, custom: boolean, warn: boolean): Acceleration {
  checkParts(tf);
  const { SGDOptimizer } = tf;
  if (patched.has(SGDOptimizer))
    throw new ArgumentError(
      'accelerate: expected a TensorFlow.js that is not accelerated, got one that is; restore() it first',
    );
  patched.add(SGDOptimizer);
  const engine = tf.engine() as TfEngine;
  const stats = { steps: 0, replays: 0, traces: 0, fallbacks: [] };
  const updates = new Updates(tf, engine, stats);
  const programs = new Programs({ tf, engine, updates }, stats, { custom, warn });
  const restores: Restore[] = [
    ...updates.patch(),
    ...patchModels(tf, programs),
    ...patchLSTM(tf, engine),
    ...watchForeign(tf, engine, programs),
    ...new Loops({ tf, engine, updates }, programs).patch(),
    () => programs.dispose(),
  ];
  return {
    stats,
    restore() {
      for (const restore of restores.splice(0)) restore();
      patched.delete(SGDOptimizer);
    },
  };
}

/**
 * Notices gradients that no optimizer of this copy of tfjs asks for: those of optimizers of another copy, which shares
 * the engine but has classes of its own.
 */
function watchForeign(tf: TfModule, engine: TfEngine, programs: Programs): Restore[] {
  let own = 0;
  return [
    patch(
      tf.Optimizer.prototype,
      'computeGradients',
      (original) =>
        function (this: object, ...args: unknown[]): unknown {
          own++;
          try {
            return original.apply(this as never, args);
          } finally {
            own--;
          }
        },
    ),
    patch(
      engine,
      'gradients',
      (original) =>
        function (this: TfEngine, f: unknown, xs: unknown, dy: unknown, allowNone?: boolean): unknown {
          if (own === 0 && allowNone)
            programs.fallBack(
              'gradients were asked for by tf.variableGrads() itself, or by another copy of TensorFlow.js than the one that was given to accelerate(): what they are for runs unaccelerated; load one copy, and give accelerate() that',
            );
          return original.call(this, f, xs, dy, allowNone);
        },
    ),
  ];
}
