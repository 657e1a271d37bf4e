// Reports: a page of a training, at its end. What notes figures and draws them is loaded for it.
import { ArgumentError, describe } from '../../memory/errors.ts';
import { type Arguments, signature } from '../../signature.ts';
import type { Callback, Figures, Run } from '../callbacks/callback.ts';
import type { ReportData } from './data.ts';
import type { ReportOptions } from './options.ts';
import type { Recorder, RecorderState } from './recorder.ts';

export type * from './data.ts';
export type * from './options.ts';

const declared = signature(
  "Report(file: string|function, *, title: string = 'Training', examples: any = null, task: 'classification'|'regression'|'sequence'|null = null, classes: string[]|null = null, show: function|null = null, worst: int = 24, gradientsEvery: int = 10, settings: object = {}, more: function|null = null)",
);
const takesPage = signature('reportPage(data: object)');

/** A training as a page of HTML that needs nothing else, for a file or an iframe. */
export async function reportPage(...args: [data: ReportData]): Promise<string> {
  const [data] = takesPage.parse(args) as [ReportData];
  if (typeof data.title !== 'string')
    throw new ArgumentError(`reportPage: expected a string as title, got ${describe(data.title)}`);
  return (await import('./recorder.ts')).pageOf(data);
}

/**
 * Writes a report of a training when it ends, also where it is stopped: figures by step, gradients by layer, and what
 * the model makes of examples.
 * @example
 * ```ts
 * const report = new train.Report((html) => console.log(html.length), { title: 'Numbers' }); // or the path of a file
 * const model = new nn.Linear(4, 1);
 * const trainer = new train.Trainer(model, {
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
  /** One page is enough. */
  readonly firstRankOnly = true;
  readonly #file: string | ((html: string) => unknown);
  readonly #options: Required<ReportOptions>;
  #recorder: Recorder | null = null;
  #saved: RecorderState | null = null;

  /** @param args the path of the page's file, or what is called with the page, and options */
  constructor(...args: Arguments<[file: string | ((html: string) => void | Promise<void>)], [], ReportOptions>) {
    const [file, title, examples, task, classes, show, worst, gradientsEvery, settings, more] = declared.parse(args);
    this.#file = file as string;
    const options = { title, examples, task, classes, show, worst, gradientsEvery, settings, more };
    this.#options = options as Required<ReportOptions>;
  }

  async onFitStart(): Promise<void> {
    this.#recorder ??= new (await import('./recorder.ts')).Recorder(this.#options, this.#saved);
    this.#recorder.start();
  }

  onStepEnd(run: Run, figures: Readonly<Figures>): void {
    this.#recorder?.step(run, figures);
  }

  onEpochEnd(run: Run, figures: Readonly<Figures>): void {
    this.#recorder?.epoch(run, figures);
  }

  async onFitEnd(run: Run): Promise<void> {
    await this.#recorder?.write(run, this.#file);
  }

  state(): unknown {
    return this.#recorder?.state() ?? this.#saved;
  }

  loadState(state: unknown): void {
    this.#saved = state as RecorderState | null;
    this.#recorder = null;
  }
}
