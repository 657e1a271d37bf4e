// What users call: watch a training, and ask what is wrong with it.
import { ArgumentError } from '../memory/errors.ts';
import type { Module } from '../nn/module.ts';
import { Optimizer } from '../optim/optimizer.ts';
import { signature } from '../signature.ts';
import { Tensor } from '../tensor.ts';
import { Watcher } from './doctor.ts';
import type { Finding } from './finding.ts';
import type { StepOptions, WatchOptions } from './options.ts';
import { Patient } from './patient.ts';

/** What {@link Doctor.report} found. */
export interface Report {
  /** The causes first, the surest before others, and hints at the end. */
  readonly findings: readonly Finding[];
  /** Whether there is no fault; hints may be. */
  readonly healthy: boolean;
  /** How many steps were watched. */
  readonly steps: number;
  /** All that was found, in words. */
  toString(): string;
}

/** Watches a training; see {@link watch}. */
export interface Doctor {
  /**
   * Notes a step: call it after `optimizer.step()`, outside of compiled functions.
   * @param loss what the step computed
   * @param options the batch, and what the model said of it: without them less can be told
   */
  step(loss?: Tensor, options?: StepOptions): void;
  /** What is wrong. It may try out learning rates, and puts everything back. */
  report(): Promise<Report>;
  /** The report as a page of HTML, with curves. */
  page(): Promise<string>;
  /** Takes its hooks off, and gives its memory back. */
  close(): void;
}

const ofWatch = signature(
  'watch(model: Module, optimizer: any, *, loss: any = null, train: any = null, validation: any = null, every: int = 10)',
);

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

export function watch(model: Module, optimizer: Optimizer<object>, options: WatchOptions = {}): Doctor {
  const [, , loss, train, validation, every] = ofWatch.parse([model, optimizer, options]) as [
    Module,
    Optimizer,
    unknown,
    WatchOptions['train'],
    WatchOptions['validation'],
    number,
  ];
  if (!(optimizer instanceof Optimizer))
    throw new ArgumentError('watch: expected an optimizer, got another value; pass one of optim');
  if (!(every >= 1)) throw new ArgumentError(`watch: expected every from 1, got ${every}`);
  const watcher = new Watcher(new Patient(model, optimizer), {
    loss,
    train: train ?? null,
    validation: validation ?? null,
    every,
  });
  const report = (): Promise<Report> =>
    import('./report.ts').then(({ findingsOf }) => {
      const { findings } = findingsOf(watcher);
      return {
        findings,
        healthy: !findings.some(({ kind }) => kind === 'fault'),
        steps: watcher.steps,
        toString: () => textOf(findings, watcher.steps),
      };
    });
  return {
    step(given, batch = {}) {
      if (given !== undefined && !(given instanceof Tensor))
        throw new ArgumentError('Doctor.step: expected the loss as a tensor, got another value; pass it before item()');
      watcher.step(given, batch);
    },
    report,
    page: async () => (await report()).toString(),
    close: () => watcher.close(),
  };
}
