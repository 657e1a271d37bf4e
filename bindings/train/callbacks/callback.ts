// What a training tells those who listen: where it stands, and what has just happened.

/** Numbers by name, such as `{ loss: 0.3, accuracy: 0.91 }`. */
export type Figures = Record<string, number>;

/** Where a training stands: what callbacks see of it, also those of a page while it runs in a worker. */
export interface Run {
  /** Epochs that were finished, which is the number of the one under way, from 0. */
  readonly epoch: number;
  /** Epochs there will be in all. */
  readonly epochs: number;
  /** Steps of the optimizer so far, in all epochs. */
  readonly step: number;
  /** Batches of this epoch so far. */
  readonly batch: number;
  /** Batches of an epoch, where that is known. */
  readonly batches: number | undefined;
  /** Examples of this epoch so far. */
  readonly samples: number;
  /** The learning rate of each group of parameters. */
  readonly learningRates: readonly number[];
  /** The means of this epoch so far: `loss` and what else a step gives, the metrics, and `val…` of the last test. */
  readonly figures: Readonly<Figures>;
  /** Why it is about to end before its last epoch, or ended; null where it is not. */
  readonly stopped: string | null;
  /**
   * Ends the training after this step; `fit()` of the same trainer goes on from there.
   * @param reason what is told about it
   */
  stop(reason?: string): void;
}

/**
 * What is called as a training goes on. All methods are optional, and may be asynchronous: the training waits. They are
 * called in the order of the list that the callbacks are in.
 */
export interface Callback<R extends Run = Run> {
  /** What its state is called in checkpoints. @defaultValue the name of its class */
  readonly name?: string;
  /** Whether it is called after the others, such as to save what they are then. @defaultValue false */
  readonly late?: boolean;
  /**
   * Whether, of ranks that train together, the first alone calls it: it prints or writes, and neither changes weights
   * nor calls what ranks do together.
   * @defaultValue false
   */
  readonly firstRankOnly?: boolean;
  /** Before the first step, also where a training goes on. */
  onFitStart?(run: R): void | Promise<void>;
  /** Before the first batch of an epoch; not where a training goes on in the middle of one. */
  onEpochStart?(run: R): void | Promise<void>;
  /**
   * After a step of the optimizer.
   * @param figures of this step
   */
  onStepEnd?(run: R, figures: Readonly<Figures>): void | Promise<void>;
  /** Before the validation of an epoch. */
  onValidationStart?(run: R): void | Promise<void>;
  /**
   * After the validation of an epoch.
   * @param figures of the validation, such as `valLoss`
   */
  onValidationEnd?(run: R, figures: Readonly<Figures>): void | Promise<void>;
  /**
   * After an epoch and its validation.
   * @param figures of both
   */
  onEpochEnd?(run: R, figures: Readonly<Figures>): void | Promise<void>;
  /** After the last step, also of a training that was stopped; not after an error. */
  onFitEnd?(run: R): void | Promise<void>;
  /** In place of onFitEnd, where something was thrown. It is thrown on, whatever this does. */
  onError?(run: R, error: unknown): void | Promise<void>;
  /** What a checkpoint keeps of it: JSON with tensors and typed arrays. */
  state?(): unknown;
  /** Goes on from there; tensors are `{ dtype, shape, data }` then. */
  loadState?(state: never): void;
}
