// What a report may be told.
import type { Tensor } from '../../tensor.ts';
import type { Run } from '../callbacks/callback.ts';
import type { Batches } from '../feed.ts';
import type { ReportData, ReportExample, ReportTable } from './data.ts';

/** What is shown of an example: one of them, or several. */
export type Shown = Pick<ReportExample, 'image' | 'text' | 'row'>;

/** What the targets of examples are. */
export type ReportTask = 'classification' | 'regression' | 'sequence';

/** Options of {@link Report}. */
export interface ReportOptions {
  /** The heading. @defaultValue 'Training' */
  title?: string;
  /**
   * Batches of examples that the trained model is tried on, in one pass: for confusion, calibration, residuals and the
   * worst of them; null: the page has none of these.
   * @defaultValue null
   */
  examples?: Batches<unknown> | null;
  /**
   * What their targets are: classes, numbers, or classes for each place of a sequence; null: as dtypes and dims say.
   * @defaultValue null
   */
  task?: ReportTask | null;
  /** Names of classes, in order; null: their numbers. @defaultValue null */
  classes?: readonly string[] | null;
  /**
   * What is shown of an example, such as `(x) => ({ text: decode(x) })`; null: images of `[C, H, W]` and `[H, W]` as
   * such, numbers of `[F]` as a row.
   * @defaultValue null
   */
  show?: ((input: Tensor, index: number) => Shown) | null;
  /** How many of the worst examples are shown. @defaultValue 24 */
  worst?: number;
  /** After so many steps norms of gradients are measured; 0: never. @defaultValue 10 */
  gradientsEvery?: number;
  /** Rows of the table of settings, besides the hyperparameters of the trainer. @defaultValue {} */
  settings?: ReportTable;
  /**
   * What else is shown, asked for when the page is written: figures that stand out, in place of those of the last
   * epoch, and tables, in place of those of the same titles.
   * @defaultValue null
   */
  more?: ((run: Run) => Pick<ReportData, 'facts' | 'tables'>) | null;
}
