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
