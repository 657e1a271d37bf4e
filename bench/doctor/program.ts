// What a program is that the doctor is scored on: a training loop of a user's own, and what is wrong with it.
import type { nn, optim, Tensor } from 'retrograd';

/** What the doctor finds, and whether it alarms: hints are a matter of taste. */
export const FINDINGS = {
  'vanishing-gradients': 'fault',
  'exploding-gradients': 'fault',
  'dead-relu': 'fault',
  'saturated-activation': 'fault',
  'learning-rate-too-high': 'fault',
  'learning-rate-too-low': 'fault',
  'loss-oscillates': 'fault',
  'loss-does-not-move': 'fault',
  'nan-or-inf': 'fault',
  'data-not-normalised': 'fault',
  'constant-input': 'fault',
  'labels-shuffled': 'fault',
  'labels-imbalanced': 'fault',
  'softmax-twice': 'fault',
  'softmax-missing': 'fault',
  'loss-does-not-fit-output': 'fault',
  'wrong-sign': 'fault',
  'forgotten-zero-grad': 'fault',
  'forgotten-train-mode': 'fault',
  'forgotten-eval-mode': 'fault',
  'parameters-not-in-optimizer': 'fault',
  'parameters-without-gradient': 'fault',
  'weights-never-change': 'fault',
  'constant-initialisation': 'fault',
  'batch-too-small-for-batch-norm': 'fault',
  'data-leakage': 'fault',
  overfitting: 'fault',
  underfitting: 'fault',
  'dropout-misplaced': 'fault',
  'weight-decay-on-norms': 'hint',
  'clipping-always-active': 'fault',
} as const;
export type FindingId = keyof typeof FINDINGS;

/** Batches, as often as they are asked for: an array or a loader. */
export type Batches = Iterable<readonly [x: Tensor, y: Tensor]>;

/** A loss as programs call it. */
export type Criterion =
  | ((output: Tensor, target: Tensor) => Tensor)
  | (nn.Module & { forward(output: Tensor, target: Tensor): Tensor });

/** What the loop hands to the doctor after a step. */
export interface Stepped {
  readonly loss: Tensor;
  readonly input?: Tensor;
  readonly target?: Tensor;
  readonly output?: Tensor;
}

/** A program that is about to train. */
export interface Run {
  readonly model: nn.Module;
  readonly optimizer: optim.Optimizer<object>;
  /** The function or module that the program calls. */
  readonly loss: Criterion;
  readonly train?: Batches;
  readonly validation?: Batches;
  /** How many steps it takes; at most 200. */
  readonly steps: number;
  /** The body of the loop, up to the optimizer's step; what else the program does between steps stands at its start. */
  step(i: number): Stepped;
  /**
   * How good the model is on data that it has not learned from, by a measure where more is better: accuracy, R². It
   * counts after the last step, and stands apart from what the program itself measures.
   */
  score(): number;
}

/** What a run of a program came to, without the doctor. */
export interface Measured {
  readonly run: Run;
  readonly losses: readonly number[];
  /** Mean loss of the first 5 steps, and of the last 10. */
  readonly first: number;
  readonly last: number;
  readonly score: number;
  /** Of the processor, for the steps. */
  readonly seconds: number;
}

export interface Program {
  readonly name: string;
  /** null: it is healthy. */
  readonly fault: FindingId | null;
  /** Paths of modules as `model.namedModules()` has them, each of which is right; null where there is no place. */
  readonly where: string | readonly string[] | null;
  /** Other findings that are right as well. */
  readonly acceptable?: readonly FindingId[];
  /** How it was seen that the fault shows, or that there is none, in figures of seed 1. */
  readonly evidence: string;
  /** @param mended whether the fault is left out; the measure that the fault is held against */
  make(seed: number, mended?: boolean): Run | Promise<Run>;
  /** Whether the fault shows in the figures, or a healthy program learns. By default: the score tells. */
  shows?(run: Measured, mended: Measured): boolean;
}

/** A set of programs, apart from the others. */
export interface ProgramSet {
  readonly name: string;
  readonly programs: readonly Program[];
}
