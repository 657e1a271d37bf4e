// What a training shows while it goes on.
import { now } from '../../engine/platform.ts';
import { signature } from '../../signature.ts';
import { expectMethods } from '../expect.ts';
import type { Callback, Figures, Run } from './callback.ts';
import { figuresText, Pace } from './pace.ts';
import { asLines, type ElementLike, inPage, onTerminal, type StreamLike, type View } from './progress-views.ts';

/** Options of {@link ProgressBar}. */
export interface ProgressBarOptions {
  /**
   * Where it is written: a bar on a terminal, else lines; null: `process.stdout`, or the console.
   * @defaultValue null
   */
  stream?: StreamLike | null;
  /** An element of a page that shows it in place of that. @defaultValue null */
  element?: ElementLike | null;
  /** What examples are called. @defaultValue `'examples'` */
  unit?: string;
  /** Examples of an epoch; null: as many as the batches of the loader have. @defaultValue null */
  examples?: number | null;
  /** The text of the figures of an epoch so far; null: each with its name. @defaultValue null */
  figures?: ((figures: Readonly<Figures>) => string) | null;
  /**
   * The line that an epoch leaves, of its figures and how fast the training goes, in examples a second; null: both.
   * @defaultValue null
   */
  summary?: ((run: Run, figures: Readonly<Figures>, rate: number) => string) | null;
  /** Milliseconds of a steady clock; null: the engine's. @defaultValue null */
  now?: (() => number) | null;
}

const declared = signature(
  "ProgressBar(*, stream: object|null = null, element: object|null = null, unit: string = 'examples', examples: int|null = null, " +
    'figures: function|null = null, summary: function|null = null, now: function|null = null)',
);

type Values = [
  ProgressBarOptions['stream'],
  ProgressBarOptions['element'],
  string,
  number | null,
  ProgressBarOptions['figures'],
  ProgressBarOptions['summary'],
  ProgressBarOptions['now'],
];

/**
 * Shows how far an epoch is, its figures, how fast it goes and how long all will take: a bar on a terminal, a line
 * every two seconds where output goes elsewhere, or in an element of a page.
 */
export class ProgressBar implements Callback<Run> {
  readonly name = 'ProgressBar';
  readonly firstRankOnly = true;
  readonly #view: View;
  readonly #pace: Pace;
  readonly #unit: string;
  readonly #examples: number | null;
  readonly #figures: (figures: Readonly<Figures>) => string;
  readonly #summary: (run: Run, figures: Readonly<Figures>, rate: number) => string;
  readonly #now: () => number;
  #shown = 0;

  constructor(...args: [options?: ProgressBarOptions]) {
    const [stream, element, unit, examples, figures, summary, clock] = declared.parse(args) as unknown as Values;
    if (element) expectMethods('ProgressBar', 'an element', [element], ['replaceChildren']);
    if (stream) expectMethods('ProgressBar', 'a stream', [stream], ['write']);
    const out = stream ?? (globalThis.process?.stdout as StreamLike | undefined);
    this.#view = element
      ? inPage(element)
      : out?.isTTY
        ? onTerminal(out)
        : asLines(out ? (line) => void out.write(`${line}\n`) : (line) => console.log(line));
    this.#now = clock ?? now;
    this.#pace = new Pace(this.#now);
    this.#unit = unit;
    this.#examples = examples;
    this.#figures = figures ?? figuresText;
    const words = (rate: number): string => `${Math.round(rate).toLocaleString('en-US')} ${unit}/s`;
    this.#summary =
      summary ?? ((run, all, rate) => `epoch ${run.epoch + 1}/${run.epochs}  ${this.#figures(all)}  ${words(rate)}`);
  }

  onFitStart(run: Run): void {
    this.#shown = this.#view.waits ? this.#now() : Number.NEGATIVE_INFINITY;
    this.#pace.start(run.samples);
  }

  onEpochStart(run: Run): void {
    this.#pace.start(run.samples);
  }

  onStepEnd(run: Run): void {
    const time = this.#pace.step(run.samples);
    if (time - this.#shown < this.#view.every) return;
    this.#shown = time;
    this.#view.show(this.#pace.parts(run, this.#unit, this.#examples, this.#figures(run.figures)));
  }

  onEpochEnd(run: Run, figures: Readonly<Figures>): void {
    this.#view.leave(this.#summary(run, figures, this.#pace.rate));
  }

  onFitEnd(): void {
    this.#view.end();
  }

  onError(): void {
    this.#view.end();
  }
}
