// Where a training stands.
import type { Figures } from './callbacks/callback.ts';
import type { Feed, Place } from './feed.ts';

/** Where a training stands, as checkpoints have it. */
export interface Progress {
  readonly epoch: number;
  readonly step: number;
  readonly batch: number;
  readonly samples: number;
  /** Whether the batches of the epoch are done. */
  readonly trained: boolean;
  readonly figures: Figures;
  readonly valFigures: Figures;
  readonly history: readonly Figures[];
}

/** What `fit()` gives. */
export interface FitResult {
  /** Epochs that were finished, those before included. */
  readonly epochs: number;
  /** Steps of the optimizer, those before included. */
  readonly steps: number;
  /** Why it ended before its last epoch; null where it did not. */
  readonly stopped: string | null;
  /** The figures of each epoch, those before included. */
  readonly history: readonly Figures[];
}

export class Position {
  epoch = 0;
  step = 0;
  batch = 0;
  samples = 0;
  /** Whether the batches of this epoch are done; and whether all of it is, but for its callbacks. */
  trained = false;
  ended = false;
  /** What training gave, once the batches of the epoch are done; and what validation gave last. */
  figures: Figures = {};
  valFigures: Figures = {};
  history: readonly Figures[] = [];
  feed: Feed | null = null;
  /** Where the next pass begins; null: where it will. */
  resume: Place | null = null;

  /** The beginning of an epoch: of the next, where this one has ended. */
  begin(): void {
    if (this.ended) this.epoch++;
    this.batch = 0;
    this.samples = 0;
    this.trained = false;
    this.ended = false;
  }

  /** The place in the data, from which the next pass goes on. */
  place(): Place {
    if (this.resume) return this.resume;
    return { loader: this.feed?.state() ?? null, batch: this.trained ? 0 : this.batch };
  }

  /** What is saved of it: of an epoch that has ended the beginning of the next. */
  progress(): Progress {
    const { epoch, step, batch, samples, trained, ended, figures, valFigures, history } = this;
    const all = { epoch, step, batch, samples, trained, figures, valFigures, history };
    return ended ? { ...all, epoch: epoch + 1, batch: 0, samples: 0, trained: false } : all;
  }

  load(progress: Progress, place: Place): void {
    Object.assign(this, progress);
    this.ended = false;
    this.resume = place;
  }
}
