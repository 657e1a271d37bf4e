// What a run shows while it trains: a bar on a terminal, else a plain line every two seconds. For loops that are
// written by hand; a Trainer has the ProgressBar as a callback.
import { type Figures, formatDuration, ProgressBar, type ProgressBarOptions, type Run } from 'retrograd/train';

export { formatDuration };

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

export interface ProgressSettings extends Pick<ProgressBarOptions, 'stream' | 'now'> {
  readonly epochs: number;
  /** Images an epoch. */
  readonly images: number;
}

export const percent = (share: number): string => `${(share * 100).toFixed(2)} %`;

/** The figures of images: loss and, where there is one, accuracy. */
export const figuresOfImages = ({ loss = Number.NaN, accuracy }: Readonly<Figures>): string =>
  `loss ${loss.toFixed(4)}${accuracy === undefined ? '' : `  acc ${percent(accuracy)}`}`;

/** Makes the view that suits the stream. */
export function createProgress({ epochs, images, ...given }: ProgressSettings): Progress {
  let summary = '';
  const bar = new ProgressBar({
    ...given,
    unit: 'img',
    examples: images,
    figures: figuresOfImages,
    summary: () => summary,
  });
  const rest = { epochs, step: 0, batch: 0, batches: undefined, learningRates: [], stopped: null, stop: () => {} };
  let run: Run = { ...rest, epoch: 0, samples: 0, figures: {} };
  let started = false;
  return {
    startEpoch(epoch, done = 0) {
      run = { ...run, epoch: epoch - 1, samples: done };
      if (!started) bar.onFitStart(run);
      started = true;
      bar.onEpochStart(run);
    },
    update(done, loss, accuracy) {
      run = { ...run, samples: done, figures: accuracy === undefined ? { loss } : { loss, accuracy } };
      bar.onStepEnd(run);
    },
    endEpoch(text) {
      summary = text;
      bar.onEpochEnd(run, run.figures);
    },
    stop: () => bar.onFitEnd(),
  };
}
