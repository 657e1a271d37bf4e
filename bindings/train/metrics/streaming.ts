// What all metrics share that see a batch at a time: sums in tensors, or rows that are kept, and how both are put
// together, saved and read back.
import { withoutTape } from '../../autograd.ts';
import { tensor } from '../../creation.ts';
import { tracing } from '../../execute.ts';
import { cat, clone } from '../../functional/functions.ts';
import { isPlain } from '../../kinds.ts';
import { ArgumentError, describe, formatShape, named, ShapeError } from '../../memory/errors.ts';
import { sameShape } from '../../ops/shapes.ts';
import { scope } from '../../scope.ts';
import { signature } from '../../signature.ts';
import { numelOf, type Shape, type Tensor, type TypedArray } from '../../tensor.ts';
import type { Metric } from '../metric.ts';
import { Sums } from './sums.ts';

/** Sums of a metric, as a checkpoint keeps them. */
export interface SavedSums {
  /** Their shape. */
  shape: readonly number[];
  /** Two numbers for each: the sums, and then what rounding lost of each. */
  values: Float32Array;
}

/** Rows that a metric keeps, as a checkpoint has them. */
export interface SavedRows {
  /** Their shape. */
  shape: readonly number[];
  /** Their numbers. */
  values: TypedArray;
}

/** What a checkpoint keeps of a metric. */
export interface MetricState {
  /** What kind of outputs it saw; empty before the first. */
  task: string;
  /** Sums by name: their shapes, and two numbers for each. */
  sums: Record<string, SavedSums>;
  /** Rows that are kept, by name. */
  rows: Record<string, SavedRows>;
}

const takes = {
  reset: signature('StreamingMetric.reset()'),
  update: signature('StreamingMetric.update(output: Tensor, target: Tensor, sampleWeight: Tensor|null = null)'),
  compute: signature('StreamingMetric.compute()'),
  merge: signature('StreamingMetric.merge(other: object)'),
  state: signature('StreamingMetric.state()'),
  loadState: signature('StreamingMetric.loadState(state: object)'),
};

/**
 * A metric that streams over batches. Its state is in tensors and nothing is read before {@link compute}, so that
 * {@link update} may stand in a compiled function.
 */
export abstract class StreamingMetric<Value> implements Metric<Value> {
  readonly #sums = new Map<string, Sums>();
  readonly #rows = new Map<string, Tensor[]>();
  /** @internal */
  protected task = '';

  /** Forgets what it has seen. */
  reset(...args: []): void {
    takes.reset.parse(args);
    for (const sums of this.#sums.values()) sums.clear();
    for (const rows of this.#rows.values()) for (const row of rows.splice(0)) row.dispose();
  }

  /**
   * Adds a batch.
   * @param args the model's output, what it should be, and what each example counts: a weight for each, f32; null: 1
   * @throws ShapeError, DtypeError, ArgumentError for outputs and targets that do not fit one another
   */
  update(...args: [output: Tensor, target: Tensor, sampleWeight?: Tensor | null]): void {
    const [output, target, weight] = takes.update.parse(args) as [Tensor, Tensor, Tensor | null];
    try {
      withoutTape(() => scope(() => this.add(output, target, weight)));
    } catch (error) {
      throw named(error, 'update');
    }
  }

  /** The figure over all batches since the last reset; NaN where there were none. */
  compute(...args: []): Value {
    takes.compute.parse(args);
    return withoutTape(() => scope(() => this.result()));
  }

  /** Adds what another metric of the same kind has seen, such as that of another worker. @throws ArgumentError */
  merge(...args: [other: StreamingMetric<Value>]): void {
    const [other] = takes.merge.parse(args) as [this];
    if (other.constructor !== this.constructor || other === this)
      throw new ArgumentError(`merge: expected another metric of the same class, got ${describe(other)}`);
    withoutTape(() => scope(() => this.join(other)));
  }

  /** What a checkpoint keeps of it. */
  state(...args: []): MetricState {
    takes.state.parse(args);
    const sums = [...this.#sums].map(([name, own]) => [name, { shape: own.shape, values: own.save() }]);
    const rows = [...this.#rows]
      .filter(([, { length }]) => length > 0)
      .map(([name]) =>
        scope(() => {
          const { shape, data } = withoutTape(() => this.rows(name) as Tensor);
          return [name, { shape, values: data }];
        }),
      );
    return { task: this.task, sums: Object.fromEntries(sums), rows: Object.fromEntries(rows) };
  }

  /** Goes on from a state. @throws ArgumentError for anything else */
  loadState(...args: [state: MetricState]): void {
    const [state] = takes.loadState.parse(args) as [MetricState];
    const { task, sums, rows } = state;
    const fits = (x: unknown, each: 1 | 2): boolean =>
      isPlain(x) &&
      Object.values(x as MetricState['rows']).every(
        ({ shape, values }) => Array.isArray(shape) && values?.length === each * numelOf(shape),
      );
    if (typeof task !== 'string' || !fits(sums, 2) || !fits(rows, 1))
      throw new ArgumentError(`loadState: expected what state() of a metric gave, got ${describe(state)}`);
    this.reset();
    this.task = task;
    for (const [name, { shape, values }] of Object.entries(sums)) this.sum(name, shape).load(values);
    for (const [name, { shape, values }] of Object.entries(rows))
      this.#rows.set(name, [tensor(values, { shape }).keep()]);
  }

  /** Adds a batch, without a tape; what is not kept is freed. @internal */
  protected abstract add(output: Tensor, target: Tensor, weight: Tensor | null): void;
  /** @internal */
  protected abstract result(): Value;

  /** Adds what another one has seen. */
  protected join(other: this): void {
    for (const [name, sums] of other.#sums) {
      const own = this.sum(name, sums.shape);
      const more = sums.read();
      own.write(own.read().map((x, i) => x + (more[i] as number)));
    }
    for (const [name, rows] of other.#rows) for (const row of rows) this.keep(name, row);
    this.task ||= other.task;
  }

  /** The sums of a name, made at the first call. @throws ShapeError where their shape is another one now @internal */
  protected sum(name: string, shape: Shape): Sums {
    const sums = this.#sums.get(name) ?? new Sums(shape);
    this.#sums.set(name, sums);
    if (!sameShape(sums.shape, shape))
      throw new ShapeError(
        `update: expected batches of one kind, got ${formatShape(shape)} figures after ${formatShape(sums.shape)}; make a metric for each`,
      );
    return sums;
  }

  /** The sums of a name as numbers; none before the first batch. @internal */
  protected read(name: string): Float64Array {
    return this.#sums.get(name)?.read() ?? new Float64Array(0);
  }

  /** @internal */
  protected write(name: string, values: Float64Array): void {
    this.#sums.get(name)?.write(values);
  }

  /** Keeps rows until they are wanted all together. @throws RecordingError inside of compile() */
  protected keep(name: string, rows: Tensor): void {
    tracing()?.refuse('update', 'it keeps all scores: count them by thresholds, or call it outside of the function');
    const list = this.#rows.get(name) ?? [];
    this.#rows.set(name, list);
    const [first] = list;
    if (first && !sameShape(first.sizes.slice(1), rows.sizes.slice(1)))
      throw new ShapeError(
        `update: expected batches of one kind, got ${formatShape(rows.sizes)} after ${formatShape(first.sizes)}; make a metric for each`,
      );
    list.push(clone(rows).keep());
  }

  /** All rows of a name, as one tensor; null for none. @internal */
  protected rows(name: string): Tensor | null {
    const list = this.#rows.get(name) ?? [];
    return list.length > 0 ? cat(list) : null;
  }
}
