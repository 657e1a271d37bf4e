// How fast a training goes, and how long it will still take, in words.
import { callable } from '../../signature.ts';
import type { Figures, Run } from './callback.ts';

/** `75 s`, `2:05 min`, `1:02:05 h`: whole seconds. */
export const formatDuration: (seconds: number) => string = callable('formatDuration(seconds: number)', duration);

function duration(seconds: number): string {
  const total = Math.max(0, Math.round(seconds));
  const pad = (n: number): string => String(n).padStart(2, '0');
  if (total < 90) return `${total} s`;
  const minutes = Math.floor(total / 60);
  if (minutes < 60) return `${minutes}:${pad(total % 60)} min`;
  return `${Math.floor(minutes / 60)}:${pad(minutes % 60)}:${pad(total % 60)} h`;
}

/** What a line of progress is made of. */
export interface Parts {
  readonly label: string;
  /** Of the epoch, from 0 to 1; null where nobody knows how long it is. */
  readonly share: number | null;
  readonly figures: string;
  readonly rate: string;
  readonly left: string;
}

/** Counts examples and time of training. Time between epochs does not count. */
export class Pace {
  readonly #now: () => number;
  #done = 0;
  #examples = 0;
  #milliseconds = 0;
  #last = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Training begins, or goes on where `done` examples of the epoch are behind it. */
  start(done: number): void {
    this.#done = done;
    this.#last = this.#now();
  }

  /** @returns the time */
  step(done: number): number {
    const time = this.#now();
    this.#examples += done - this.#done;
    this.#milliseconds += time - this.#last;
    this.#last = time;
    this.#done = done;
    return time;
  }

  /** Examples a second. */
  get rate(): number {
    return this.#milliseconds > 0 ? (this.#examples / this.#milliseconds) * 1000 : 0;
  }

  /** @param examples of an epoch, where that is known */
  parts(run: Run, unit: string, examples: number | null, figures: string): Parts {
    const { epoch, epochs, samples, batch, batches } = run;
    const all = examples ?? (batches && batch > 0 ? (samples / batch) * batches : null);
    const left = all === null ? 0 : (epochs - epoch) * all - samples;
    return {
      label: `epoch ${String(epoch + 1).padStart(String(epochs).length)}/${epochs}`,
      share: all === null ? null : Math.min(1, samples / all),
      figures,
      rate: `${Math.round(this.rate).toLocaleString('en-US')} ${unit}/s`,
      left: all !== null && this.rate > 0 ? `${formatDuration(left / this.rate)} left` : '',
    };
  }
}

/** `loss 0.1234  accuracy 0.9876`. */
export const figuresText = (figures: Readonly<Figures>): string =>
  Object.entries(figures)
    .map(([name, x]) => `${name} ${Math.abs(x) >= 1e-3 && Math.abs(x) < 1e5 ? x.toFixed(4) : x.toPrecision(4)}`)
    .join('  ');
