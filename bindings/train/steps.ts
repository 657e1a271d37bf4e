// Steps of training and of validation, as programs where they can be traced.
import { withoutTape } from '../autograd.ts';
import { backward } from '../backward.ts';
import { div } from '../functional/functions.ts';

import { isPlain } from '../kinds.ts';
import { ArgumentError, describe, RecordingError } from '../memory/errors.ts';
import { type ClipGradNormOptions, clipGradNorm, clipGradValue } from '../nn/utils/clip.ts';
import type { Optimizer } from '../optim/optimizer.ts';
import { type Compiled, compile } from '../program/compile.ts';
import { Tensor } from '../tensor.ts';
import { expectKeys } from './expect.ts';
import type { ClipOptions, StepOutput, StepParts } from './options.ts';
import type { Sharing } from './strategy.ts';

/** Programs before it is asked whether they are used again. */
const MANY_PROGRAMS = 16;

/** A function that runs as a program, or eagerly where that cannot be: then it says so, once. */
export class Step<A extends unknown[], R> {
  readonly #fn: (...args: A) => R;
  readonly #what: string;
  readonly #compiled: Compiled<A, R> | null;
  #eager: boolean;
  #runs = 0;

  constructor(what: string, fn: (...args: A) => R, compiles: boolean) {
    this.#what = what;
    this.#fn = fn;
    this.#compiled = compiles ? compile(fn) : null;
    this.#eager = !compiles;
  }

  run(...args: A): R {
    const compiled = this.#compiled;
    if (!compiled || this.#eager) return this.#fn(...args);
    try {
      const result = compiled(...args);
      const { programs } = compiled;
      if (++this.#runs >= MANY_PROGRAMS && programs > MANY_PROGRAMS && 2 * programs > this.#runs)
        this.#giveUp(`${programs} programs were made in ${this.#runs} calls, for batches are of ever other kinds`);
      return result;
    } catch (error) {
      if (!(error instanceof RecordingError)) throw error;
      this.#giveUp(error.message);
      return this.#fn(...args);
    }
  }

  /** Goes on without programs. Those that there are may hold gradients that are still added to. */
  #giveUp(why: string): void {
    this.#eager = true;
    console.warn(`Trainer: ${this.#what} runs eagerly from here on, which is slower: ${why}`);
  }

  dispose(): void {
    this.#compiled?.dispose();
  }
}

/** What a step gave, by names. @throws ArgumentError for what are no numbers, and, where `needsLoss`, without a loss */
export function partsOf(op: string, given: StepOutput, needsLoss: boolean): StepParts {
  const parts = given instanceof Tensor ? { loss: given } : given;
  if (!isPlain(parts))
    throw new ArgumentError(`${op}: expected the loss, or { loss, output, target, … }, got ${describe(given)}`);
  for (const [name, x] of Object.entries(parts)) {
    if (name === 'output' || name === 'target' || (x === undefined && name !== 'loss')) continue;
    if (!(x instanceof Tensor && x.size === 1))
      throw new ArgumentError(
        `${op}: expected a tensor of one number as ${name}, got ${x instanceof Tensor ? `one of shape [${x.shape}]` : describe(x)}`,
      );
  }
  if (needsLoss && !parts.loss)
    throw new ArgumentError(`${op}: expected a loss, got none; return it, or set automaticOptimization to false`);
  return parts;
}

/** What clips the gradients of optimizers; it gives their norm before where it limits that. */
export type Clip = (optimizers: readonly Optimizer<object>[]) => Tensor | undefined;

/** @throws ArgumentError for options that limit nothing */
export function clipOf(given: ClipOptions | null): Clip | null {
  if (!given) return null;
  expectKeys('clip', given, ['norm', 'normType', 'value']);
  const { norm = null, normType = 2, value = null } = given;
  for (const x of [norm ?? 0, normType, value ?? 0])
    if (!(x >= 0)) throw new ArgumentError(`Trainer: expected numbers >= 0 in clip, got ${describe(x)}`);
  if (norm === null && value === null)
    throw new ArgumentError('Trainer: expected norm or value in clip, got neither; clip: { norm: 1 }');
  const options: ClipGradNormOptions = { normType };
  return (optimizers) => {
    const parameters = optimizers.flatMap(({ paramGroups }) => paramGroups.flatMap(({ params }) => params));
    if (value !== null) clipGradValue(parameters, value);
    return norm === null ? undefined : clipGradNorm(parameters, norm, options);
  };
}

/** How gradients become a step. */
export interface Optimization {
  readonly optimizers: readonly Optimizer<object>[];
  readonly accumulate: number;
  readonly clip: Clip | null;
  /** What becomes of a batch before. */
  readonly augment: ((batch: unknown) => unknown) | null;
  /** With whom. */
  readonly sharing: Sharing;
}

/**
 * Adds the gradients of a batch to those of `accumulate` batches, and after the last makes a step.
 * @param forward gives the loss and what else the step gives
 */
export function optimize(
  { optimizers, accumulate, clip, sharing }: Optimization,
  forward: (batch: unknown) => StepParts,
  batch: unknown,
  first: boolean,
  last: boolean,
): StepParts {
  let parts: StepParts = {};
  let calls = 0;
  const pass = (part: unknown): StepParts => {
    const given = forward(part);
    const loss = given.loss as Tensor;
    backward(accumulate > 1 ? div(loss, accumulate) : loss);
    return given;
  };
  const closure = (): Tensor => {
    if (first) for (const optimizer of optimizers) optimizer.zeroGrad();
    parts = sharing.pass(pass, batch, last);
    calls++;
    const loss = parts.loss as Tensor;
    if (last && clip) {
      const gradNorm = clip(optimizers);
      if (gradNorm) parts = { ...parts, gradNorm };
    }
    return loss;
  };
  const [optimizer] = optimizers as [Optimizer<object>];
  // Some call it several times: LBFGS.
  if (accumulate === 1 && optimizers.length === 1) {
    const loss = optimizer.step(closure);
    // What it made in each of its calls is gone.
    if (calls > 1) parts = { ...withoutTape(() => forward(batch)), loss };
  } else {
    closure();
    if (last) for (const each of optimizers) each.step();
  }
  return parts;
}

/** The step of fewer batches than `accumulate`, at the end of an epoch. */
export function finish({ optimizers, clip, sharing }: Optimization): StepParts {
  sharing.gather();
  const gradNorm = clip?.(optimizers);
  for (const each of optimizers) each.step();
  return gradNorm ? { gradNorm } : {};
}
