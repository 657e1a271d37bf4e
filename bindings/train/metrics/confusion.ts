// How often each class is taken for each other.
import { add, mul, reshape, to } from '../../functional/functions.ts';
import { iota } from '../../functional/places.ts';
import { signature } from '../../signature.ts';
import type { Tensor } from '../../tensor.ts';
import { total } from './averages.ts';
import {
  type ClassSettings,
  classOf,
  classSettings,
  counts,
  labelsOf,
  readBatch,
  THRESHOLD,
  type ThresholdOptions,
} from './labels.ts';
import { StreamingMetric } from './streaming.ts';

/** Options of {@link ConfusionMatrix}. */
export interface ConfusionOptions extends ThresholdOptions {
  /** Of what cells are shares: of their row, their column, or all; null: they are counts. @defaultValue null */
  normalize?: 'true' | 'pred' | 'all' | null;
}

/** Options of {@link CohenKappa}. */
export interface KappaOptions extends ThresholdOptions {
  /** How much a mistake counts by how far classes are apart; null: all alike. @defaultValue null */
  weights?: 'linear' | 'quadratic' | null;
}

/** Rows of true classes by columns of predictions. */
type Matrix = readonly (readonly number[])[];

/** Counts pairs of classes. */
abstract class Pairs<V> extends StreamingMetric<V> {
  readonly #settings: ClassSettings;
  readonly #threshold: number;
  readonly #logits: boolean | null;

  constructor(op: string, values: readonly unknown[]) {
    super();
    this.#settings = classSettings(op, values);
    [this.#threshold, this.#logits] = values.slice(3) as [number, boolean | null];
  }

  /** @internal */
  protected add(output: Tensor, given: Tensor, sampleWeight: Tensor | null): void {
    const batch = readBatch(output, given, sampleWeight, this.#settings);
    const { classes, target, weight } = batch;
    this.task = batch.task;
    if (batch.task === 'multiclass') {
      const chosen = classOf(batch);
      // Which throws for what is no class, and would be another pair here.
      for (const each of [chosen, target]) counts(each, classes, null);
      const cells = counts(add(mul(target, classes), chosen), classes * classes, weight);
      this.sum('cells', [1, classes, classes]).add(reshape(cells, [1, classes, classes]));
      return;
    }
    // Four cells for each label.
    const chosen = to(labelsOf(batch, this.#threshold, this.#logits), 'i32');
    const first = mul(iota(classes, chosen), 4);
    const cell = add(first, add(mul(to(target, 'i32'), 2), chosen));
    const flat = (x: Tensor): Tensor => reshape(x, [x.size]);
    this.sum('cells', [classes, 2, 2]).add(
      reshape(counts(flat(cell), 4 * classes, weight && flat(weight)), [classes, 2, 2]),
    );
  }

  /** A matrix, or one for each label; none before the first batch. @internal */
  protected matrices(): Matrix[] {
    const cells = this.read('cells');
    if (cells.length === 0) return [];
    const size = this.task === 'multiclass' ? Math.sqrt(cells.length) : 2;
    const row = (at: number): number[] => [...cells.subarray(at, at + size)];
    const matrix = (from: number): Matrix => Array.from({ length: size }, (_, i) => row(from + i * size));
    return Array.from({ length: cells.length / size ** 2 }, (_, i) => matrix(i * size ** 2));
  }
}

const columnsOf = (matrix: Matrix): number[] => matrix.map((_, j) => total(matrix.map((row) => row[j] as number)));
const takesConfusion = signature(`ConfusionMatrix(${THRESHOLD}, normalize: 'true'|'pred'|'all'|null = null)`);

/**
 * How often each true class, the row, is taken for each class, the column (`confusion_matrix`). Of several labels, a
 * matrix for each (`multilabel_confusion_matrix`).
 */
export class ConfusionMatrix extends Pairs<number[][] | number[][][]> {
  readonly #normalize: 'true' | 'pred' | 'all' | null;

  constructor(options?: ConfusionOptions);
  constructor(...args: unknown[]) {
    const values = takesConfusion.parse(args);
    super('ConfusionMatrix', values);
    this.#normalize = values[5] as never;
  }

  /** @internal */
  protected result(): number[][] | number[][][] {
    const all = this.matrices().map((matrix) => {
      const columns = columnsOf(matrix);
      const sums = { true: matrix.map(total), pred: columns, all: total(columns) };
      return matrix.map((row, i) =>
        row.map((cell, j) => {
          if (this.#normalize === null) return cell;
          const by = { true: sums.true[i] as number, pred: columns[j] as number, all: sums.all }[this.#normalize];
          return by === 0 ? 0 : cell / by;
        }),
      );
    });
    return this.task === 'multilabel' ? all : (all[0] ?? []);
  }
}

const takesKappa = signature(`CohenKappa(${THRESHOLD}, weights: 'linear'|'quadratic'|null = null)`);

/** How far predictions and targets agree beyond chance, at most 1 (`cohen_kappa_score`); of labels, over each alone. */
export class CohenKappa extends Pairs<number> {
  readonly #weights: 'linear' | 'quadratic' | null;

  constructor(options?: KappaOptions);
  constructor(...args: unknown[]) {
    const values = takesKappa.parse(args);
    super('CohenKappa', values);
    this.#weights = values[5] as never;
  }

  /** @internal */
  protected result(): number {
    const kappas = this.matrices().map((matrix) => {
      const [rows, columns] = [matrix.map(total), columnsOf(matrix)];
      const all = total(rows);
      let [observed, expected] = [0, 0];
      for (const [i, row] of matrix.entries())
        for (const [j, cell] of row.entries()) {
          const far = this.#weights === 'quadratic' ? (i - j) ** 2 : this.#weights ? Math.abs(i - j) : Number(i !== j);
          observed += far * cell;
          expected += (far * (rows[i] as number) * (columns[j] as number)) / all;
        }
      return 1 - observed / expected;
    });
    return kappas.length === 0 ? Number.NaN : total(kappas) / kappas.length;
  }
}
