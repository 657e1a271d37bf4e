// What TensorBoard shows: scalars, histograms, images, texts, graphs and hyperparameters. All is noted at once, and
// written by what is loaded for it.
import { isNode } from '../../engine/platform.ts';
import { ArgumentError, describe, formatShape, ShapeError } from '../../memory/errors.ts';
import type { Module } from '../../nn/module.ts';
import { signature } from '../../signature.ts';
import { Tensor } from '../../tensor.ts';
import type { Hyperparameters, Logger } from '../loggers/logger.ts';
import type { EventFiles, Place } from './event-files.ts';
import { type Pending, snapshotOf, type Value } from './pending.ts';

/** Options of {@link SummaryWriter}. */
export interface SummaryWriterOptions {
  /** The folder, also `runs/mine`; null: one by date and computer in `runs`. @defaultValue null */
  logDir?: string | null;
  /** What that name ends in. @defaultValue '' */
  comment?: string;
  /** What is there of this step and later ones is not shown any more; null: all stays. @defaultValue null */
  purgeStep?: number | null;
  /** So many values are written together, in the background. @defaultValue 10 */
  maxQueue?: number;
  /** What names of files end in. @defaultValue '' */
  filenameSuffix?: string;
  /**
   * Whether files stay in memory, for {@link SummaryWriter.files}; null: where there is no file system, as in pages.
   * @defaultValue null
   */
  inMemory?: boolean | null;
}

/** When something was. */
export interface AtOptions {
  /** The step; null: 0. @defaultValue null */
  globalStep?: number | null;
  /** In seconds since 1970; null: now. @defaultValue null */
  walltime?: number | null;
}

/** Options of {@link SummaryWriter.addHistogram}. */
export interface HistogramAtOptions extends AtOptions {
  /** How many bins, or TensorFlow's, which are finer near 0. @defaultValue 'tensorflow' */
  bins?: 'tensorflow' | number;
}

/** Options of {@link SummaryWriter.addImage}. */
export interface ImageAtOptions extends AtOptions {
  /** What the dims are: channels, rows (H) and columns (W). @defaultValue 'CHW' */
  dataformats?: 'CHW' | 'HWC' | 'HW';
}

/** Options of {@link SummaryWriter.addHparams}. */
export interface HparamsOptions {
  /** All values that hyperparameters may have, by name. @defaultValue {} */
  hparamDomainDiscrete?: Readonly<Record<string, readonly (string | number | boolean)[]>>;
  /** The folder within that of the writer; null: by the time. @defaultValue null */
  runName?: string | null;
  /** The step of the metrics; null: 0. @defaultValue null */
  globalStep?: number | null;
}

const AT = 'globalStep: int|null = null, walltime: number|null = null';
const declared = signature(
  "SummaryWriter(logDir: string|null = null, comment: string = '', purgeStep: int|null = null, maxQueue: int = 10, -flushSecs: int = 120, filenameSuffix: string = '', *, inMemory: bool|null = null)",
);
const takes = {
  addScalar: signature(`SummaryWriter.addScalar(tag: string, scalarValue: Tensor|number, ${AT})`),
  addScalars: signature(`SummaryWriter.addScalars(mainTag: string, tagScalarDict: object, ${AT})`),
  addHistogram: signature(
    `SummaryWriter.addHistogram(tag: string, values: Tensor, globalStep: int|null = null, bins: 'tensorflow'|int = 'tensorflow', walltime: number|null = null)`,
  ),
  addImage: signature(
    `SummaryWriter.addImage(tag: string, imgTensor: Tensor, ${AT}, dataformats: 'CHW'|'HWC'|'HW' = 'CHW')`,
  ),
  addText: signature(`SummaryWriter.addText(tag: string, textString: string, ${AT})`),
  addGraph: signature('SummaryWriter.addGraph(model: Module, inputToModel: Tensor|Tensor[]|null = null)'),
  addHparams: signature(
    'SummaryWriter.addHparams(hparamDict: object, metricDict: object, hparamDomainDiscrete: object = {}, runName: string|null = null, globalStep: int|null = null)',
  ),
  flush: signature('SummaryWriter.flush()'),
  close: signature('SummaryWriter.close()'),
  files: signature('SummaryWriter.files()'),
};

type At = readonly [globalStep: number | null, walltime: number | null];

/** @throws ArgumentError for what TensorBoard cannot show */
function checkHparams(op: string, values: Readonly<Record<string, unknown>>): Hyperparameters {
  for (const [name, value] of Object.entries(values))
    if (!['string', 'number', 'boolean'].includes(typeof value))
      throw new ArgumentError(`${op}: expected a string, a number or true or false as ${name}, got ${describe(value)}`);
  return { ...values } as Hyperparameters;
}

/** A number of a dict of figures. */
function numberOf(op: string, name: string, value: unknown): number {
  if (value instanceof Tensor) return value.item();
  if (typeof value !== 'number')
    throw new ArgumentError(`${op}: expected a number or a tensor of one as ${name}, got ${describe(value)}`);
  return value;
}

/**
 * Writes event files for TensorBoard (PyTorch's `SummaryWriter`), in plain JavaScript: what is added is noted at once,
 * and written by `flush` and `close`, and from time to time in between.
 * @example
 * ```ts
 * const writer = new train.SummaryWriter('runs/first', { inMemory: true }); // without that, into the folder
 * for (let step = 0; step < 100; step++) writer.addScalar('loss', 1 / (1 + step), step);
 * writer.addHistogram('weights', randn([1000]), 100);
 * await writer.close(); // tensorboard --logdir runs
 * ```
 */
export class SummaryWriter {
  readonly #place: Place;
  readonly #maxQueue: number;
  #pending: Pending[] = [];
  #files: Promise<EventFiles> | null = null;
  #written: Promise<void> = Promise.resolve();
  /** What went wrong in the background. */
  #failed: unknown = null;

  /** @throws ArgumentError */
  constructor(logDir?: string | null, options?: SummaryWriterOptions);
  constructor(options?: SummaryWriterOptions);
  constructor(...args: unknown[]) {
    const [logDir, comment, purgeStep, maxQueue, , suffix, inMemory] = declared.parse(args) as never as [
      string | null,
      string,
      number | null,
      number,
      number,
      string,
      boolean | null,
    ];
    if (maxQueue < 1) throw new ArgumentError(`SummaryWriter: expected maxQueue >= 1, got ${maxQueue}`);
    this.#place = { logDir, comment, suffix, inMemory: inMemory ?? !isNode };
    this.#maxQueue = maxQueue;
    if (purgeStep !== null) this.#add({ kind: 'start' }, [purgeStep, null]);
  }

  /** A number. */
  addScalar(
    ...args: [
      tag: string,
      scalarValue: Tensor | number,
      globalStep?: number | null | AtOptions,
      walltime?: number | null,
    ]
  ): void {
    const [tag, value, step, walltime] = takes.addScalar.parse(args) as [string, Tensor | number, ...At];
    this.#add({ kind: 'scalar', tag, value: numberOf('addScalar', 'scalarValue', value) }, [step, walltime]);
  }

  /** Several numbers in one diagram: each is a run of its own. */
  addScalars(
    ...args: [
      mainTag: string,
      tagScalarDict: Readonly<Record<string, Tensor | number>>,
      globalStep?: number | null | AtOptions,
      walltime?: number | null,
    ]
  ): void {
    const [mainTag, values, step, walltime] = takes.addScalars.parse(args) as [string, Record<string, unknown>, ...At];
    for (const [name, value] of Object.entries(values)) {
      const run = `${mainTag.replaceAll('/', '_')}_${name.replaceAll('/', '_')}`;
      const scalar = { kind: 'scalar', tag: mainTag, value: numberOf('addScalars', name, value) } as const;
      this.#add(scalar, [step, walltime], run);
    }
  }

  /** How many values lie in each of many ranges. */
  addHistogram(
    ...args: [
      tag: string,
      values: Tensor,
      globalStep?: number | null | HistogramAtOptions,
      bins?: 'tensorflow' | number,
      walltime?: number | null,
    ]
  ): void {
    const [tag, values, step, bins, walltime] = takes.addHistogram.parse(args) as [
      string,
      Tensor,
      number | null,
      'tensorflow',
      number | null,
    ];
    if (values.size === 0) throw new ArgumentError('addHistogram: expected at least one value, got none');
    this.#add({ kind: 'histogram', tag, values: snapshotOf(values), bins }, [step, walltime]);
  }

  /**
   * An image: f32 from 0 to 1, or u8.
   * @throws ShapeError unless it has 1 to 4 channels
   */
  addImage(
    ...args: [
      tag: string,
      imgTensor: Tensor,
      globalStep?: number | null | ImageAtOptions,
      walltime?: number | null,
      dataformats?: 'CHW' | 'HWC' | 'HW',
    ]
  ): void {
    const [tag, image, step, walltime, dataformats] = takes.addImage.parse(args) as [
      string,
      Tensor,
      number | null,
      number | null,
      string,
    ];
    const channels = dataformats === 'HW' ? 1 : (image.sizes[dataformats.indexOf('C')] ?? 0);
    if (image.ndim !== dataformats.length || channels < 1 || channels > 4 || image.size === 0)
      throw new ShapeError(
        `addImage: expected an image of ${dataformats} and 1 to 4 channels, got ${formatShape(image.sizes)}; see dataformats`,
      );
    this.#add({ kind: 'image', tag, image: snapshotOf(image), dataformats }, [step, walltime]);
  }

  /** A text, in Markdown. */
  addText(
    ...args: [tag: string, textString: string, globalStep?: number | null | AtOptions, walltime?: number | null]
  ): void {
    const [tag, text, step, walltime] = takes.addText.parse(args) as [string, string, ...At];
    this.#add({ kind: 'text', tag, text }, [step, walltime]);
  }

  /**
   * A model: the ops that its forward calls for inputs such as these, each in its module; without inputs its modules.
   */
  addGraph(...args: [model: Module, inputToModel?: Tensor | readonly Tensor[] | null]): void {
    const [model, inputs] = takes.addGraph.parse(args) as [Module, Tensor | Tensor[] | null];
    this.#add({ kind: 'graph', model, inputs: [inputs ?? []].flat().map(snapshotOf) }, [null, null]);
  }

  /** Hyperparameters, and what came of them: a row of the table HPARAMS. @throws ArgumentError */
  addHparams(
    ...args: [
      hparamDict: Readonly<Hyperparameters>,
      metricDict: Readonly<Record<string, Tensor | number>>,
      options?: HparamsOptions,
    ]
  ): void {
    const [given, metrics, domains, runName, step] = takes.addHparams.parse(args) as [
      Hyperparameters,
      Record<string, unknown>,
      never,
      string | null,
      number | null,
    ];
    const values = checkHparams('addHparams', given);
    const figures = Object.entries(metrics).map(([tag, value]) => [tag, numberOf('addHparams', tag, value)] as const);
    const run = runName ?? String(Date.now() / 1000);
    this.#add(
      { kind: 'experiment', hparams: values, metrics: figures.map(([tag]) => tag), domains },
      [step, null],
      run,
    );
    this.#add({ kind: 'sessionStart', hparams: values }, [step, null], run);
    this.#add({ kind: 'sessionEnd' }, [step, null], run);
    for (const [tag, value] of figures) this.#add({ kind: 'scalar', tag, value }, [step, null], run);
  }

  /** That this run has begun, with hyperparameters. @internal */
  startSession(hparams: Readonly<Hyperparameters>): void {
    this.#add({ kind: 'sessionStart', hparams: checkHparams('logHyperparameters', hparams) }, [null, null]);
  }

  /** That it has ended well. @internal */
  endSession(): void {
    this.#add({ kind: 'sessionEnd' }, [null, null]);
  }

  /** That what is there of this step and later ones does not count. @internal */
  purge(step: number): void {
    this.#add({ kind: 'start' }, [step, null]);
  }

  /** Writes all that was added. @throws what the file system throws */
  async flush(...args: []): Promise<void> {
    takes.flush.parse(args);
    this.#begin();
    await this.#written;
    const failed = this.#failed;
    this.#failed = null;
    if (failed) throw failed;
  }

  /** Writes all that was added; more may follow. @throws what the file system throws */
  async close(...args: []): Promise<void> {
    takes.close.parse(args);
    await this.flush();
  }

  /**
   * The files that stay in memory, by their paths, for Blobs and downloads.
   * @throws ArgumentError where they are in a folder
   */
  async files(...args: []): Promise<Record<string, Uint8Array>> {
    takes.files.parse(args);
    if (!this.#place.inMemory)
      throw new ArgumentError('files: expected a writer with inMemory: true, got one that writes into a folder');
    await this.flush();
    return (await this.#open()).files();
  }

  #add(value: Value, [step, walltime]: At, run = ''): void {
    this.#pending.push({ run, step: Math.max(0, step ?? 0), walltime: walltime ?? Date.now() / 1000, value });
    if (this.#pending.length === this.#maxQueue) this.#begin();
  }

  #open(): Promise<EventFiles> {
    this.#files ??= import('./event-files.ts').then(({ EventFiles }) => new EventFiles(this.#place));
    return this.#files;
  }

  /** Writes what is pending, when all before is written. */
  #begin(): void {
    this.#written = this.#written.then(async () => {
      const events = this.#pending;
      this.#pending = [];
      if (events.length === 0) return;
      try {
        await (await this.#open()).write(events);
      } catch (error) {
        this.#failed ??= error;
      }
    });
  }
}

const takesLogger = {
  make: signature('TensorBoardLogger(logDir: string|object|null = null)'),
  open: signature('TensorBoardLogger.open(step: int)'),
  logScalars: signature('TensorBoardLogger.logScalars(step: int, record: object)'),
  logHyperparameters: signature('TensorBoardLogger.logHyperparameters(record: object)'),
  close: signature('TensorBoardLogger.close()'),
};

/**
 * Logs the figures of a {@link Trainer} for TensorBoard, its hyperparameters among them.
 * @example
 * ```ts
 * const writer = new train.SummaryWriter({ inMemory: true });
 * const logger = new train.TensorBoardLogger(writer); // or the path of a folder
 * logger.logScalars(1, { loss: 0.5 });
 * await logger.close();
 * ```
 */
export class TensorBoardLogger implements Logger {
  /** What writes, for images, histograms and texts of your own. */
  readonly writer: SummaryWriter;
  #started = false;

  /** @param args the folder, or what writes; null: a folder by the time */
  constructor(...args: [logDir?: string | SummaryWriter | null]) {
    const [place] = takesLogger.make.parse(args) as [string | object | null];
    if (typeof place === 'object' && place !== null && !(place instanceof SummaryWriter))
      throw new ArgumentError(`TensorBoardLogger: expected a folder or a SummaryWriter, got ${describe(place)}`);
    this.writer = place instanceof SummaryWriter ? place : new SummaryWriter(place);
  }

  /** Where a run goes on, what was logged of steps that will be made again does not count. */
  open(...args: [step: number]): void {
    const [step] = takesLogger.open.parse(args) as [number];
    if (step > 0) this.writer.purge(step + 1);
  }

  /** Figures after a step. */
  logScalars(...args: [step: number, record: Readonly<Record<string, number>>]): void {
    const [step, record] = takesLogger.logScalars.parse(args) as [number, Record<string, number>];
    for (const [name, value] of Object.entries(record)) this.writer.addScalar(name, value, step);
  }

  /** The settings of the run, once. */
  logHyperparameters(...args: [record: Readonly<Hyperparameters>]): void {
    this.writer.startSession(takesLogger.logHyperparameters.parse(args)[0] as Hyperparameters);
    this.#started = true;
  }

  /** Writes all. */
  async close(...args: []): Promise<void> {
    takesLogger.close.parse(args);
    if (this.#started) this.writer.endSession();
    this.#started = false;
    await this.writer.close();
  }
}
