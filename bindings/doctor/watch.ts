// What users call: watch a training, and ask what is wrong with it.
import type { Kind } from '../kinds.ts';
import { ArgumentError, describe } from '../memory/errors.ts';
import type { Module } from '../nn/module.ts';
import { Optimizer } from '../optim/optimizer.ts';
import { type Callable, callable } from '../signature.ts';
import { Tensor } from '../tensor.ts';
import { Watcher } from './doctor.ts';
import type { Finding } from './finding.ts';
import type { GradientNoise } from './noise.ts';
import type { Batches, LossLike, StepOptions, WatchOptions } from './options.ts';
import { Patient } from './patient.ts';

/** What {@link Doctor.report} found. */
export interface Report {
  /** The causes first, the surest before others, and hints at the end. */
  readonly findings: readonly Finding[];
  /** Whether there is no fault; hints may be. */
  readonly healthy: boolean;
  /** How many steps were watched. */
  readonly steps: number;
  /**
   * How much of the gradients is chance, by parts of some batches; null where they could not be taken apart: without a
   * loss, or where the first dim is not that of the batch.
   */
  readonly noise: GradientNoise | null;
  /** All that was found, in words. */
  toString(): string;
}

/** Watches a training; see {@link watch}. */
export interface Doctor {
  /**
   * Notes a step: call it after `optimizer.step()`, outside of compiled functions.
   * @param loss what the step computed, as a tensor or as a number
   * @param options the batch, and what the model said of it: without them less can be told
   */
  step(loss?: Tensor | number, options?: StepOptions): void;
  /** What is wrong. It may try out learning rates, and puts everything back. */
  report(): Promise<Report>;
  /** The report as a page of HTML, with curves. */
  page(): Promise<string>;
  /** Takes its hooks off, and gives its memory back. */
  close(): void;
}

function textOf(findings: readonly Finding[], steps: number): string {
  if (findings.length === 0) return `Nothing is wrong after ${steps} steps.`;
  return findings
    .map(({ id, kind, where, line, confidence, what, why, remedy }) => {
      const place = where === null ? '' : ` at ${where || 'the model'}`;
      const head = `${kind === 'hint' ? 'hint: ' : ''}${id}${place} (${Math.round(100 * confidence)} % sure)${line && `\n  ${line}`}`;
      return `${head}\n  ${what}\n  ${why}\n${remedy.replace(/^/gm, '    ')}`;
    })
    .join('\n\n');
}

const kinds: Readonly<Record<string, Kind>> = {
  Optimizer: [(x) => x instanceof Optimizer, 'an optimizer', 'optimizers'],
  batches: [
    (x) => typeof x === 'object' && x !== null && Symbol.iterator in x,
    'batches [x, y], in an array or a loader',
  ],
};

/**
 * Watches the training of `model` by `optimizer`, and finds what is wrong with it: call {@link Doctor.step} after each
 * step and {@link Doctor.report} when you like. Of each step the loss is noted, of some the norms of weights, gradients
 * and updates, and a few, ever farther apart, are computed once more and looked at closely. What it computes is put
 * back: weights, running statistics, modes, `.grad` and random numbers are to the bit those of a run without it.
 * @param model what is trained; its hooks are taken off by {@link Doctor.close}
 * @throws ArgumentError
 * @example
 * ```ts
 * const model = new nn.Sequential(new nn.Linear(8, 32), new nn.ReLU(), new nn.Linear(32, 3));
 * const optimizer = new optim.SGD(model.parameters(), { lr: 0.1 });
 * const watching = doctor.watch(model, optimizer, { loss: functional.crossEntropy });
 * const [x, y] = [randn([64, 8]), randint(0, 3, [64])];
 * for (let i = 0; i < 50; i++) {
 *   const loss = functional.crossEntropy(model.forward(x), y);
 *   loss.backward(); // and no zeroGrad()
 *   optimizer.step();
 *   watching.step(loss, { input: x, target: y });
 * }
 * console.log(String(await watching.report())); // forgotten-zero-grad (97 % sure) …
 * watching.close();
 * ```
 */
export const watch = callable<
  Callable<[model: Module, optimizer: Optimizer<object>], [], WatchOptions, Doctor, ['model', 'optimizer']>
>(
  'watch(model: Module, optimizer: Optimizer, *, loss: function|Module|null = null, train: batches|null = null, validation: batches|null = null, every: int = 10)',
  (
    model: Module,
    optimizer: Optimizer,
    loss: LossLike | null,
    train: Batches | null,
    validation: Batches | null,
    every: number,
  ): Doctor => {
    if (every < 1) throw new ArgumentError(`watch: expected every from 1, got ${every}`);
    const watcher = new Watcher(new Patient(model, optimizer), { loss, train, validation, every });
    const report = async (): Promise<Report> => {
      const { findingsOf } = await import('./report.ts');
      const { findings, evidence } = await findingsOf(watcher);
      return {
        findings,
        healthy: !findings.some(({ kind }) => kind === 'fault'),
        steps: watcher.steps,
        noise: evidence.chance,
        toString: () => textOf(findings, watcher.steps),
      };
    };
    return {
      step(given, batch = {}) {
        if (given !== undefined && typeof given !== 'number' && !(given instanceof Tensor))
          throw new ArgumentError(
            `Doctor.step: expected the loss as a tensor or a number, got ${describe(given)}; pass what the step computed`,
          );
        watcher.step(given, batch);
      },
      report,
      page: async () => {
        const [{ findingsOf }, { pageOf }] = await Promise.all([import('./report.ts'), import('./page.ts')]);
        const { findings, evidence } = await findingsOf(watcher);
        return pageOf(watcher, findings, evidence);
      },
      close: () => watcher.close(),
    };
  },
  kinds,
);
