// Reports: a page of a training, at its end. What draws it is loaded then.
import { withoutTape } from '../../autograd.ts';
import { norm, stack } from '../../functional/functions.ts';
import { ArgumentError, describe } from '../../memory/errors.ts';
import type { Module } from '../../nn/module.ts';
import { scope } from '../../scope.ts';
import { type Arguments, signature } from '../../signature.ts';
import type { Tensor } from '../../tensor.ts';
import type { Callback, Figures, Run } from '../callbacks/callback.ts';
import type { FigureRow, ReportData } from './data.ts';
import type { ReportOptions } from './options.ts';

export type * from './data.ts';
export type * from './options.ts';

/** Rows of steps that are kept: of more every second one goes. */
const MOST_ROWS = 4000;

const declared = signature(
  "Report(file: string|function, *, title: string = 'Training', examples: any = null, task: 'classification'|'regression'|'sequence'|null = null, classes: string[]|null = null, show: function|null = null, worst: int = 24, gradientsEvery: int = 10, settings: object = {})",
);
const takesPage = signature('reportPage(data: object)');

/** A training as a page of HTML that needs nothing else, for a file or an iframe. */
export async function reportPage(...args: [data: ReportData]): Promise<string> {
  const [data] = takesPage.parse(args) as [ReportData];
  if (typeof data.title !== 'string')
    throw new ArgumentError(`reportPage: expected a string as title, got ${describe(data.title)}`);
  return (await import('./page.ts')).pageOf(data);
}

/** A run that has its model at hand, as a trainer has. */
type Local = Run & { readonly model?: Module; readonly hyperparameters?: ReportData['tables'] };

/**
 * Writes a report of a training when it ends, also where it is stopped: figures by step, gradients by layer, and what
 * the model makes of examples.
 * @example
 * ```ts
 * const report = new Report((html) => console.log(html.length), { title: 'Numbers' }); // or the path of a file
 * const model = new nn.Linear(4, 1);
 * const trainer = new Trainer(model, {
 *   loss: functional.mseLoss,
 *   optimizer: new optim.SGD(model.parameters(), { lr: 0.1 }),
 *   callbacks: [report],
 * });
 * const loader = new data.DataLoader(new data.TensorDataset(randn([64, 4]), randn([64, 1])), { batchSize: 16 });
 * await trainer.fit(loader, { epochs: 2 });
 * ```
 */
export class Report implements Callback<Run> {
  /** What its state is called in checkpoints. */
  readonly name = 'Report';
  readonly #file: string | ((html: string) => unknown);
  readonly #options: Required<ReportOptions>;
  #steps: FigureRow[] = [];
  #epochs: FigureRow[] = [];
  #gradients: FigureRow[] = [];
  /** One row of so many steps is kept. */
  #every = 1;
  #seconds = 0;
  #since = 0;

  /** @param args the path of the page's file, or what is called with the page, and options */
  constructor(...args: Arguments<[file: string | ((html: string) => void | Promise<void>)], [], ReportOptions>) {
    const [file, title, examples, task, classes, show, worst, gradientsEvery, settings] = declared.parse(args);
    this.#file = file as string;
    this.#options = {
      title,
      examples,
      task,
      classes,
      show,
      worst,
      gradientsEvery,
      settings,
    } as Required<ReportOptions>;
  }

  onFitStart(): void {
    this.#since = Date.now();
  }

  onStepEnd(run: Run, figures: Readonly<Figures>): void {
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

  onEpochEnd({ step }: Run, figures: Readonly<Figures>): void {
    this.#epochs.push({ step, figures: { ...figures } });
  }

  async onFitEnd(run: Run): Promise<void> {
    this.#seconds += (Date.now() - this.#since) / 1000;
    const html = await reportPage(await this.#data(run as Local));
    if (typeof this.#file === 'function') await this.#file(html);
    else {
      const [paths, { mkdir }] = await Promise.all([import('node:path'), import('node:fs/promises')]);
      const { writeFileAtomic } = await import('../../io/files.ts');
      await mkdir(paths.dirname(paths.resolve(this.#file)), { recursive: true });
      await writeFileAtomic(this.#file, new TextEncoder().encode(html));
    }
  }

  state(): object {
    const seconds = this.#seconds + (this.#since > 0 ? (Date.now() - this.#since) / 1000 : 0);
    const copies = [this.#steps, this.#epochs, this.#gradients].map((rows) => [...rows]);
    return { rows: copies, every: this.#every, seconds };
  }

  loadState({ rows, every, seconds }: { rows: FigureRow[][]; every: number; seconds: number }): void {
    [this.#steps, this.#epochs, this.#gradients] = rows as [FigureRow[], FigureRow[], FigureRow[]];
    [this.#every, this.#seconds] = [every, seconds];
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
    const { title, examples, settings } = this.#options;
    const { model, hyperparameters, stopped } = run;
    const seen = examples && model ? await (await import('./look.ts')).look(model, examples, this.#options) : null;
    const layers = [...new Set(this.#gradients.flatMap(({ figures }) => Object.keys(figures)))];
    const gradients = {
      steps: this.#gradients.map(({ step }) => step),
      norms: Object.fromEntries(
        layers.map((name) => [name, this.#gradients.map(({ figures }) => figures[name] ?? Number.NaN)]),
      ),
    };
    const last = this.#epochs.at(-1)?.figures ?? {};
    const size = model?.parameters().reduce((sum, x) => sum + x.size, 0);
    const facts = { ...seen?.facts, ...Object.fromEntries(Object.entries(last).slice(0, 6)) };
    const ran = {
      epochs: run.epoch,
      steps: run.step,
      seconds: Number(this.#seconds.toPrecision(3)),
      ...(size === undefined ? {} : { parameters: size }),
      ended: stopped ?? 'after its last epoch',
    };
    const tables = { Run: ran, Settings: { ...(hyperparameters as object), ...settings } };
    return {
      ...{ title, subtitle: new Date().toISOString().slice(0, 16).replace('T', ' ').concat(' UTC') },
      ...{ facts, steps: this.#steps, epochs: this.#epochs, gradients, ...seen?.shown },
      tables: Object.fromEntries(Object.entries(tables).filter(([, rows]) => Object.keys(rows).length > 0)),
    };
  }
}
