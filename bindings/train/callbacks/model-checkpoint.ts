// Checkpoints as a training goes on: the best ones and the last.
import { now } from '../../engine/platform.ts';
import { ArgumentError } from '../../memory/errors.ts';
import { signature } from '../../signature.ts';
import { folderOf } from '../folder.ts';
import type { Trainer } from '../trainer.ts';
import type { Callback, Figures } from './callback.ts';
import { isBetter, type Mode, monitored } from './monitor.ts';

/** Where checkpoints are kept. */
export interface CheckpointStorage {
  /** Writes a file, in place of one of that name. */
  write(name: string, bytes: Uint8Array): void | Promise<void>;
  /** Removes a file. */
  remove(name: string): void | Promise<void>;
}

/** Options of {@link ModelCheckpoint}. */
export interface ModelCheckpointOptions {
  /** The figure by which epochs are the best; null: the newest ones are kept. @defaultValue null */
  monitor?: string | null;
  /** Whether less of it is better, or more. @defaultValue `'min'` */
  mode?: Mode;
  /** How many of the best, or newest, are kept; 0: only the last. @defaultValue 1 */
  saveTopK?: number;
  /** Whether `last.safetensors` is written, after each epoch and where the training ends. @defaultValue true */
  saveLast?: boolean;
  /** Every how many steps that is written as well. @defaultValue null */
  everySteps?: number | null;
  /** After how many seconds that is written as well. @defaultValue null */
  everySeconds?: number | null;
}

const declared = signature(
  "ModelCheckpoint(folder: string|object, *, monitor: string|null = null, mode: 'min'|'max' = 'min', saveTopK: int = 1, " +
    'saveLast: bool = true, everySteps: int|null = null, everySeconds: number|null = null)',
);

/** A checkpoint that is kept. */
interface Entry {
  readonly name: string;
  readonly score: number;
}

const LAST = 'last.safetensors';

/**
 * Saves the trainer as it goes on (Lightning's `ModelCheckpoint`): after an epoch that is one of the best, as
 * `epoch-3-step-120.safetensors`, and the last as `last.safetensors`, from which `trainer.loadCheckpoint` goes on.
 * @example
 * ```ts
 * const model = new nn.Linear(4, 1);
 * const checkpoints = new train.ModelCheckpoint('runs/first', { monitor: 'valLoss', everySeconds: 60 });
 * const optimizer = new optim.Adam(model.parameters());
 * new train.Trainer(model, { loss: functional.mseLoss, optimizer, callbacks: [checkpoints] });
 * ```
 */
export class ModelCheckpoint implements Callback<Trainer> {
  readonly name = 'ModelCheckpoint';
  readonly late = true;
  readonly #folder: string | CheckpointStorage;
  readonly #options: Required<ModelCheckpointOptions>;
  #storage: CheckpointStorage | null = null;
  /** The best first. */
  #kept: readonly Entry[] = [];
  #saved = 0;

  /** @param folder is made where there is none; in a page, what keeps files */
  constructor(...args: [folder: string | CheckpointStorage, options?: ModelCheckpointOptions]) {
    const [folder, monitor, mode, saveTopK, saveLast, everySteps, everySeconds] = declared.parse(args);
    const options = { monitor, mode, saveTopK, saveLast, everySteps, everySeconds };
    this.#options = options as Required<ModelCheckpointOptions>;
    this.#folder = folder as string | CheckpointStorage;
    const { write, remove } = Object(folder) as Partial<CheckpointStorage>;
    if (typeof folder !== 'string' && !(typeof write === 'function' && typeof remove === 'function'))
      throw new ArgumentError(
        'ModelCheckpoint: expected a folder, or an object that can write and remove, got neither',
      );
    if (
      (saveTopK as number) < 0 ||
      ((everySteps as number | null) ?? 1) < 1 ||
      !(((everySeconds as number | null) ?? 1) > 0)
    )
      throw new ArgumentError(
        `ModelCheckpoint: expected saveTopK >= 0, everySteps >= 1 and everySeconds > 0, got ${saveTopK}, ${everySteps} and ${everySeconds}`,
      );
  }

  /** The name of the best checkpoint, of the newest without a `monitor`; null before the first. */
  get bestModelPath(): string | null {
    return this.#kept[0]?.name ?? null;
  }

  /** Its figure; without a `monitor` the number of its step. */
  get bestModelScore(): number | null {
    return this.#kept[0]?.score ?? null;
  }

  async onFitStart(run: Trainer): Promise<void> {
    this.#saved = now();
    if (run.sharing.first)
      this.#storage = typeof this.#folder === 'string' ? await folderOf(this.#folder) : this.#folder;
  }

  onStepEnd(run: Trainer): void | Promise<void> {
    const { everySteps, everySeconds } = this.#options;
    const due = everySteps !== null && run.step % everySteps === 0;
    // Clocks of ranks differ.
    const late = everySeconds !== null && run.sharing.decide(now() - this.#saved >= 1000 * everySeconds);
    if (due || late) return this.#write(run, LAST);
  }

  async onEpochEnd(run: Trainer, figures: Readonly<Figures>): Promise<void> {
    const { monitor, mode, saveTopK, saveLast } = this.#options;
    const score = monitor === null ? run.step : monitored('ModelCheckpoint', monitor, figures);
    const order = monitor === null ? 'max' : mode;
    const entry = { name: `epoch-${run.epoch}-step-${run.step}.safetensors`, score };
    const place = this.#kept.findIndex((each) => isBetter(order, score, each.score));
    const kept = [...this.#kept];
    kept.splice(place < 0 ? kept.length : place, 0, entry);
    const gone = kept.splice(saveTopK);
    this.#kept = kept;
    // First what comes, then what goes: there is one at any moment.
    if (kept.includes(entry)) await this.#write(run, entry.name);
    for (const { name } of gone) if (name !== entry.name) await this.#storage?.remove(name);
    if (saveLast) await this.#write(run, LAST);
  }

  async onFitEnd(run: Trainer): Promise<void> {
    if (this.#options.saveLast) await this.#write(run, LAST);
  }

  async #write(run: Trainer, name: string): Promise<void> {
    // All ranks call it: they may each have a part of the state.
    const bytes = run.encodeCheckpoint();
    await this.#storage?.write(name, bytes);
    this.#saved = now();
  }

  /** @internal */
  state(): object {
    return { kept: this.#kept };
  }

  /** @internal */
  loadState({ kept }: { kept: readonly Entry[] }): void {
    this.#kept = kept;
  }
}
