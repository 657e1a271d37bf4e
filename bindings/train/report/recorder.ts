// What a report notes while a training runs, and what it makes of it at the end. Loaded with the first step.
import { withoutTape } from '../../autograd.ts';
import { norm, stack } from '../../functional/functions.ts';
import { writeFileAtomic } from '../../io/files.ts';
import type { Module } from '../../nn/module.ts';
import { scope } from '../../scope.ts';
import type { Tensor } from '../../tensor.ts';
import type { Figures, Run } from '../callbacks/callback.ts';
import type { FigureRow, ReportData, ReportTable } from './data.ts';
import type { Unpack } from './examples.ts';
import type { ReportOptions } from './options.ts';
import { pageOf } from './report-page.ts';

// With the recorder, whose chunk it is in.
export { pageOf };

/** Rows of steps that are kept: of more every second one goes. */
const MOST_ROWS = 4000;

/** What a checkpoint keeps of a report. */
export interface RecorderState {
  /** Steps, epochs, gradients. */
  readonly rows: readonly (readonly FigureRow[])[];
  readonly every: number;
  readonly seconds: number;
}

/** A run that has its model at hand, as a trainer has. */
type Local = Run & { readonly model?: Module; readonly hyperparameters?: ReportTable; readonly unpack?: Unpack };

const counted = (count: number): string => count.toLocaleString('en-US');

/** Notes figures, and gradients from time to time. */
export class Recorder {
  readonly #options: Required<ReportOptions>;
  #steps: FigureRow[] = [];
  #epochs: FigureRow[] = [];
  #gradients: FigureRow[] = [];
  /** One row of so many steps is kept. */
  #every = 1;
  #seconds = 0;
  #since = 0;

  constructor(options: Required<ReportOptions>, saved: RecorderState | null) {
    this.#options = options;
    if (!saved) return;
    [this.#steps, this.#epochs, this.#gradients] = saved.rows.map((list) => [...list]) as [
      FigureRow[],
      FigureRow[],
      FigureRow[],
    ];
    [this.#every, this.#seconds] = [saved.every, saved.seconds];
  }

  start(): void {
    this.#since = Date.now();
  }

  step(run: Run, figures: Readonly<Figures>): void {
    const { step } = run;
    if (step % this.#every === 0) {
      const [lr] = run.learningRates;
      this.#steps.push({ step, figures: { ...figures, ...(lr === undefined ? {} : { lr }) } });
      if (this.#steps.length > MOST_ROWS) {
        this.#every *= 2;
        this.#steps = this.#steps.filter((row) => row.step % this.#every === 0);
      }
    }
    const often = this.#options.gradientsEvery * this.#every;
    if (often > 0 && step % often === 0) this.#measure(run as Local);
  }

  epoch({ step }: Run, figures: Readonly<Figures>): void {
    this.#epochs.push({ step, figures: { ...figures } });
  }

  /** The page, into a file or to who asked. */
  async write(run: Run, file: string | ((html: string) => unknown)): Promise<void> {
    this.#seconds += (Date.now() - this.#since) / 1000;
    this.#since = 0;
    const html = await pageOf(await this.#data(run as Local));
    if (typeof file === 'function') await file(html);
    else {
      const [paths, { mkdir }] = await Promise.all([import('node:path'), import('node:fs/promises')]);
      await mkdir(paths.dirname(paths.resolve(file)), { recursive: true });
      await writeFileAtomic(file, new TextEncoder().encode(html));
    }
  }

  state(): RecorderState {
    const seconds = this.#seconds + (this.#since > 0 ? (Date.now() - this.#since) / 1000 : 0);
    return { rows: [this.#steps, this.#epochs, this.#gradients].map((rows) => [...rows]), every: this.#every, seconds };
  }

  /** Norms of the gradients that the last step left. */
  #measure({ model, step }: Local): void {
    const all = model?.namedParameters().filter(([, { grad }]) => grad && 'dtype' in grad) ?? [];
    if (all.length === 0) return;
    const norms = withoutTape(() => scope(() => stack(all.map(([, { grad }]) => norm(grad as Tensor))).data));
    this.#gradients.push({ step, figures: Object.fromEntries(all.map(([path], i) => [path, norms[i] as number])) });
    if (this.#gradients.length > MOST_ROWS) this.#gradients = this.#gradients.filter((_, i) => i % 2 === 1);
  }

  async #data(run: Local): Promise<ReportData> {
    const { title, examples, settings, more } = this.#options;
    const { model, hyperparameters, stopped, unpack } = run;
    const seen =
      examples && model ? await (await import('./examples.ts')).look(model, examples, this.#options, unpack) : null;
    const layers = [...new Set(this.#gradients.flatMap(({ figures }) => Object.keys(figures)))];
    const gradients = {
      steps: this.#gradients.map(({ step }) => step),
      norms: Object.fromEntries(
        layers.map((name) => [name, this.#gradients.map(({ figures }) => figures[name] ?? Number.NaN)]),
      ),
    };
    const last = this.#epochs.at(-1)?.figures ?? {};
    const size = model?.parameters().reduce((sum, x) => sum + x.size, 0);
    const own = more?.(run);
    const facts = { ...seen?.facts, ...(own?.facts ?? Object.fromEntries(Object.entries(last).slice(0, 6))) };
    const ran = {
      epochs: run.epoch,
      steps: counted(run.step),
      seconds: Number(this.#seconds.toPrecision(3)),
      ...(size === undefined ? {} : { parameters: counted(size) }),
      ended: stopped ?? 'after its last epoch',
    };
    const tables = { Run: ran, Settings: { ...hyperparameters, ...settings }, ...own?.tables };
    return {
      ...{ title, subtitle: new Date().toISOString().slice(0, 16).replace('T', ' ').concat(' UTC') },
      ...{ facts, steps: this.#steps, epochs: this.#epochs, gradients, ...seen?.shown },
      tables: Object.fromEntries(Object.entries(tables).filter(([, rows]) => Object.keys(rows).length > 0)),
    };
  }
}
