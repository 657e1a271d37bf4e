// metrics.jsonl: one JSON object a line, appended as training goes.
import { type Callback, type Figures, JsonLinesLogger, type Trainer } from 'retrograd/train';

/** One training step. */
interface StepRecord {
  readonly type: 'step';
  /** Steps done so far, this one included. */
  readonly step: number;
  /** From 1. */
  readonly epoch: number;
  /** Mean over the batch. NaN and ±Infinity are written as null and read as NaN. */
  readonly loss: number;
  /** Share of the batch that was right, 0 to 1. */
  readonly accuracy: number;
  /** L2 norm of the gradient of each parameter or layer, by name. */
  readonly gradNorm?: Readonly<Record<string, number>>;
}

/** The end of an epoch. */
interface EpochRecord {
  readonly type: 'epoch';
  readonly step: number;
  readonly epoch: number;
  /** Means over the epoch's steps. */
  readonly trainLoss: number;
  readonly trainAccuracy: number;
  /** On the test images. */
  readonly testLoss: number;
  readonly testAccuracy: number;
  /** Seconds of training in this epoch, without the test. */
  readonly seconds: number;
  readonly imagesPerSecond: number;
}

const GRAD_NORM_EVERY = 10;

const gradientNorms = (model: Trainer['model']): Record<string, number> =>
  Object.fromEntries(model.namedParameters().map(([name, p]) => [name, p.grad?.norm().item() ?? 0]));

/** Writes the records of a run, which goes on where the trainer does. */
export class MetricsLog implements Callback<Trainer> {
  readonly firstRankOnly = true;
  readonly #lines: JsonLinesLogger;
  readonly #epoch: (figures: Readonly<Figures>) => Omit<EpochRecord, 'type' | 'step' | 'epoch'>;

  /** @param epoch what the record of an epoch has beside its step and number */
  constructor(path: string, epoch: (figures: Readonly<Figures>) => Omit<EpochRecord, 'type' | 'step' | 'epoch'>) {
    this.#lines = new JsonLinesLogger(path);
    this.#epoch = epoch;
  }

  onFitStart(run: Trainer): Promise<void> {
    return this.#lines.open(run.step);
  }

  onStepEnd({ step, epoch, model }: Trainer, { loss = Number.NaN, accuracy = Number.NaN }: Readonly<Figures>): void {
    const gradNorm = step % GRAD_NORM_EVERY === 1 && { gradNorm: gradientNorms(model) };
    const record: StepRecord = { type: 'step', step, epoch: epoch + 1, loss, accuracy, ...gradNorm };
    this.#lines.append({ ...record });
  }

  onEpochEnd({ step, epoch }: Trainer, figures: Readonly<Figures>): void {
    const record: EpochRecord = { type: 'epoch', step, epoch: epoch + 1, ...this.#epoch(figures) };
    this.#lines.append({ ...record });
  }

  onFitEnd(): void {
    this.#lines.close();
  }

  onError(): void {
    this.#lines.close();
  }
}
