// Where figures are written down.

/** Settings of a run by name. */
export type Hyperparameters = Record<string, string | number | boolean>;

/** Writes figures down as a training goes on, such as into a file. */
export interface Logger {
  /**
   * Before anything is logged.
   * @param step steps that were made before; what was logged of later ones is of steps that will be made again
   */
  open?(step: number): void | Promise<void>;
  /**
   * Figures after a step.
   * @param step steps of the optimizer so far
   */
  logScalars(step: number, record: Readonly<Record<string, number>>): void;
  /** The settings of the run, once. */
  logHyperparameters(record: Readonly<Hyperparameters>): void;
  /** After the last record: all is written when it returns, or its promise is kept. */
  close(): void | Promise<void>;
}

/** @param hyperparameters what is logged once, before the first step */
export async function openAll(
  loggers: readonly Logger[],
  step: number,
  hyperparameters: Hyperparameters | null,
): Promise<void> {
  for (const logger of loggers) {
    await logger.open?.(step);
    if (hyperparameters && step === 0) logger.logHyperparameters(hyperparameters);
  }
}

/**
 * Closes all, also those behind one that fails.
 * @param lost whether something has failed before: that is what the caller should hear of
 * @throws what the first of them throws
 */
export async function closeAll(loggers: readonly Logger[], lost: boolean): Promise<void> {
  const failures: unknown[] = [];
  for (const logger of loggers)
    try {
      await logger.close();
    } catch (error) {
      failures.push(error);
    }
  const first = lost ? null : failures.shift();
  for (const error of failures) console.error('Trainer: close of a logger failed:', error);
  if (first) throw first;
}
