// What a run shows while it trains: a bar on a terminal, else a plain line every two seconds.
import cliProgress from 'cli-progress';

/** The progress of one run over `epochs` epochs of `images` images. */
export interface Progress {
  /** Starts epoch `epoch` (from 1), with `done` of its images behind it where a run was resumed. */
  startEpoch(epoch: number, done?: number): void;
  /**
   * After a step: images done in this epoch, and the running means of loss and, where there is one, accuracy (0 to 1).
   * Cheap; call it every step.
   */
  update(done: number, loss: number, accuracy?: number): void;
  /** Ends the epoch and leaves `summary` as a line of its own. */
  endEpoch(summary: string): void;
  /** Gives the terminal back. Safe to call at any time and more than once. */
  stop(): void;
}

export interface ProgressSettings {
  readonly epochs: number;
  /** Images an epoch. */
  readonly images: number;
  /** Default process.stdout. */
  readonly stream?: NodeJS.WriteStream;
  /** Milliseconds; for tests. */
  readonly now?: () => number;
}

const PLAIN_EVERY_MS = 2000;
const BAR_FORMAT = '{label} {bar} {share}  {figures}  {rate}  {left}';

/** Makes the view that suits the stream. */
export function createProgress(settings: ProgressSettings): Progress {
  const stream = settings.stream ?? process.stdout;
  return stream.isTTY ? new BarProgress(settings, stream) : new PlainProgress(settings, stream);
}

/** `75 s`, `2:05 min`, `1:02:05 h`: whole seconds. */
export function formatDuration(seconds: number): string {
  const total = Math.max(0, Math.round(seconds));
  const pad = (n: number): string => String(n).padStart(2, '0');
  if (total < 90) return `${total} s`;
  const minutes = Math.floor(total / 60);
  if (minutes < 60) return `${minutes}:${pad(total % 60)} min`;
  return `${Math.floor(minutes / 60)}:${pad(minutes % 60)}:${pad(total % 60)} h`;
}

const percent = (share: number): string => `${(share * 100).toFixed(2)} %`;

/** Counts images and training time, and says how they stand. Time between epochs does not count. */
class Pace {
  readonly #settings: ProgressSettings;
  readonly now: () => number;
  epoch = 0;
  done = 0;
  /** The means of the epoch so far. */
  #figures = '';
  #images = 0;
  #milliseconds = 0;
  #last = 0;

  constructor(settings: ProgressSettings) {
    this.#settings = settings;
    this.now = settings.now ?? performance.now.bind(performance);
  }

  start(epoch: number, done: number): void {
    this.epoch = epoch;
    this.done = done;
    this.#figures = 'loss –';
    this.#last = this.now();
  }

  step(done: number, loss: number, accuracy?: number): number {
    const now = this.now();
    this.#images += done - this.done;
    this.#milliseconds += now - this.#last;
    this.#last = now;
    this.done = done;
    this.#figures = `loss ${loss.toFixed(4)}${accuracy === undefined ? '' : `  acc ${percent(accuracy)}`}`;
    return now;
  }

  /** The parts of a line, in both views. */
  parts() {
    const { epochs, images } = this.#settings;
    const perSecond = this.#milliseconds > 0 ? (this.#images / this.#milliseconds) * 1000 : 0;
    const left = (epochs - this.epoch + 1) * images - this.done;
    return {
      label: `epoch ${String(this.epoch).padStart(String(epochs).length)}/${epochs}`,
      share: `${Math.floor((this.done / images) * 100)}%`.padStart(4),
      figures: this.#figures,
      rate: `${Math.round(perSecond).toLocaleString('en-US')} img/s`,
      left: perSecond > 0 ? `${formatDuration(left / perSecond)} left` : '',
    };
  }
}

/** One bar an epoch; it is redrawn inside update(), for a training loop gives timers no turn. */
class BarProgress implements Progress {
  readonly #settings: ProgressSettings;
  readonly #stream: NodeJS.WriteStream;
  readonly #pace: Pace;
  #bar: cliProgress.SingleBar | undefined;

  constructor(settings: ProgressSettings, stream: NodeJS.WriteStream) {
    this.#settings = settings;
    this.#stream = stream;
    this.#pace = new Pace(settings);
  }

  startEpoch(epoch: number, done = 0): void {
    this.stop();
    this.#pace.start(epoch, done);
    // https://no-color.org: any value but the empty one.
    const color = !process.env.NO_COLOR && this.#stream.hasColors?.() === true;
    this.#bar = new cliProgress.SingleBar({
      stream: this.#stream,
      format: color
        ? BAR_FORMAT.replace('{bar}', '\x1b[36m{bar}\x1b[0m').replace('{label}', '\x1b[1m{label}\x1b[0m')
        : BAR_FORMAT,
      barCompleteChar: '█',
      barIncompleteChar: '░',
      // What the numbers leave of the line.
      barsize: Math.max(5, Math.min(30, (this.#stream.columns ?? 80) - 74)),
      hideCursor: true,
      clearOnComplete: true,
      gracefulExit: false,
      emptyOnZero: true,
    });
    this.#bar.start(this.#settings.images, done, this.#pace.parts());
  }

  update(done: number, loss: number, accuracy?: number): void {
    this.#pace.step(done, loss, accuracy);
    this.#bar?.update(done, this.#pace.parts());
  }

  endEpoch(summary: string): void {
    this.stop();
    this.#stream.write(`${summary}\n`);
  }

  stop(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }
}

class PlainProgress implements Progress {
  readonly #stream: NodeJS.WriteStream;
  readonly #pace: Pace;
  #written: number;

  constructor(settings: ProgressSettings, stream: NodeJS.WriteStream) {
    this.#stream = stream;
    this.#pace = new Pace(settings);
    this.#written = this.#pace.now();
  }

  startEpoch(epoch: number, done = 0): void {
    this.#pace.start(epoch, done);
  }

  update(done: number, loss: number, accuracy?: number): void {
    const now = this.#pace.step(done, loss, accuracy);
    if (now - this.#written < PLAIN_EVERY_MS) return;
    this.#written = now;
    const { label, share, figures, rate, left } = this.#pace.parts();
    this.#stream.write(`${label} ${share}  ${figures}  ${rate}  ${left}\n`);
  }

  endEpoch(summary: string): void {
    this.#stream.write(`${summary}\n`);
  }

  stop(): void {}
}
