// Columns of files into the numbers that networks take: what has to be known of the data is found in passes over it, by
// fit.ts, and saved with the model.
import { isPlain } from '../../kinds.ts';
import { rowOf } from '../../lookup.ts';
import { ArgumentError, describe } from '../../memory/errors.ts';
import { signature } from '../../signature.ts';
import type { Column, NdArray } from '../pipeline/columns.ts';
import { Pipeline } from '../pipeline/pipeline.ts';
import type { Row } from '../pipeline/source.ts';
import { codesOf, type DatePart, datePartsOf, hashedOf, oneHotOf } from './categorical.ts';
import { clipOf, type Fill, fillOf, logOf, minMaxOf, quantileOf, standardizeOf } from './numeric.ts';
import type { Step, StepState } from './step.ts';
import { columnOf, type Values } from './values.ts';

/** What becomes of the columns of a source: by the names of what comes out, the columns that go in and their steps. */
export type PreparationSpec<K extends string = string> = Readonly<
  Record<K, Readonly<Record<string, Step | readonly Step[]>>>
>;

/** A Preparation as JSON, to be saved in a checkpoint's `extra`. */
export type PreparationState = Readonly<Record<string, Readonly<Record<string, readonly StepState[]>>>>;

/** What states of steps have. */
interface Saved {
  readonly low: number;
  readonly high: number;
  readonly points: number;
  readonly normal: boolean;
  readonly offset: number;
  readonly by: Fill;
  readonly flag: boolean;
  readonly minCount: number;
  readonly max: number | null;
  readonly buckets: number;
  readonly parts: readonly DatePart[];
  /** What the step found: what it is, its own function knows. */
  readonly fit: never;
}

const most = (max: number | null): number => max ?? Number.POSITIVE_INFINITY;

/** The steps by the names that states have for them, from what was saved. */
const STEPS: Readonly<Record<string, (saved: Saved) => Step>> = {
  standardize: ({ fit }) => standardizeOf(fit),
  minMax: ({ low, high, fit }) => minMaxOf(low, high, fit),
  quantile: ({ points, normal, fit }) => quantileOf(points, normal, fit),
  log: ({ offset }) => logOf(offset),
  clip: ({ low, high }) => clipOf(low, high),
  fill: ({ by, flag, fit }) => fillOf(by, flag, fit),
  codes: ({ minCount, max, fit }) => codesOf(minCount, most(max), fit),
  oneHot: ({ minCount, max, fit }) => oneHotOf(minCount, most(max), fit),
  hashed: ({ buckets }) => hashedOf(buckets),
  dateParts: ({ parts }) => datePartsOf(parts),
};

/** The steps of one column. */
class Chain {
  readonly column: string;
  readonly steps: readonly Step[];
  /** What messages call it. */
  readonly where: string;

  /** @throws ArgumentError for what are no steps, and for steps after one that makes codes or several columns */
  constructor(output: string, column: string, steps: unknown) {
    this.column = column;
    this.where = `Preparation: ${output}.${column}`;
    this.steps = (Array.isArray(steps) ? steps : [steps]) as Step[];
    const strange = this.steps.findIndex((step) => typeof step?.apply !== 'function');
    if (this.steps.length === 0 || strange >= 0)
      throw new ArgumentError(
        `${this.where}: expected steps such as standardize() and oneHot(), got ${strange < 0 ? 'none' : describe(this.steps[strange])}`,
      );
    const early = this.steps.findIndex(({ codes, inverse, width }) => codes || inverse === null || width !== 1);
    const single = (step: Step): boolean => !step.codes && step.width === 1 && step.state().step !== 'oneHot';
    if (early >= 0 && early < this.steps.length - 1 && !this.steps.slice(0, -1).every(single))
      throw new ArgumentError(`${this.where}: expected codes and several columns to come last, got a step after them`);
  }

  get #last(): Step {
    return this.steps.at(-1) as Step;
  }

  get codes(): boolean {
    return this.#last.codes;
  }

  get width(): number {
    return this.#last.width;
  }

  /** The first step that has not seen the data. */
  get unfitted(): Step | undefined {
    return this.steps.find(({ fitted }) => !fitted);
  }

  apply(values: Values): Float64Array {
    return this.steps.reduce<Values>((now, step) => step.apply(now), values) as Float64Array;
  }
}

const preparation = signature('Preparation(spec: object)');
const toFit = signature('Preparation.fit(pipeline: object)');
const toApply = signature('Preparation.apply(pipeline: object)');
const toTransform = signature('Preparation.transform(columns: object)');
const toInverse = signature('Preparation.inverse(output: string, values: any)');
const toCategories = signature('Preparation.categories(output: string, column: string)');
const toState = signature('Preparation.state()');
const toMake = signature('Preparation.from(state: object)');

/**
 * Makes of the columns of a source the inputs and targets of a network: standardised numbers, codes, dates. What it has
 * to know, means, values, ranks, {@link Preparation.fit} finds in passes over the training data, of any size.
 *
 * Each output is one {@link NdArray} of shape [rows, width], f32, the numbers of its columns side by side; or i32,
 * where all its steps make codes.
 * @example
 * ```ts
 * const carat = [0.3, 1.2, Number.NaN, 0.7];
 * const train = data.from({ carat, cut: ['good', 'ideal', 'good', 'fair'], price: [430, 6100, 990, 2300] });
 * const prepare = new data.Preparation({
 *   x: { carat: [data.fill('median'), data.log(), data.standardize()], cut: data.oneHot() },
 *   kind: { cut: data.codes() }, // for an nn.Embedding
 *   y: { price: [data.log(), data.standardize()] },
 * });
 * await prepare.fit(train);
 * for await (const { x, kind, y } of prepare.apply(train).batch(2)) console.log(x.shape, kind.shape, y.shape);
 * ```
 */
export class Preparation<K extends string = string> {
  readonly #outputs: ReadonlyMap<string, readonly Chain[]>;

  /** @throws ArgumentError for what are no steps, and for outputs that mix codes with numbers */
  constructor(...args: [spec: PreparationSpec<K>]) {
    const [spec] = preparation.parse(args) as typeof args;
    this.#outputs = new Map(
      Object.entries(spec).map(([output, columns]) => {
        if (!isPlain(columns) || Object.keys(columns).length === 0)
          throw new ArgumentError(
            `Preparation: expected an object of columns and their steps for '${output}', got ${describe(columns)}`,
          );
        const chains = Object.entries(columns).map(([column, steps]) => new Chain(output, column, steps));
        if (new Set(chains.map(({ codes }) => codes)).size > 1)
          throw new ArgumentError(
            `Preparation: expected '${output}' to be of numbers or of codes, got both; give codes an output of their own`,
          );
        return [output, chains];
      }),
    );
  }

  /** How many numbers each output has for a row, by its name. Of one-hot columns it is known after fit(). */
  get widths(): Readonly<Record<K, number>> {
    const widths = [...this.#outputs].map(([output, chains]) => [output, widthOf(chains)] as const);
    return Object.fromEntries(widths) as Record<K, number>;
  }

  #chains(): Chain[] {
    return [...this.#outputs.values()].flat();
  }

  /**
   * Finds what the steps have to know, in as many passes as a column has steps that do.
   * @param pipeline rows, of the training data alone
   * @throws ArgumentError where a column is missing or has nothing to find; what the pipeline throws
   */
  async fit(...args: [pipeline: Pipeline<Row>]): Promise<void> {
    const [pipeline] = toFit.parse(args) as typeof args;
    const { source } = rows('fit', pipeline);
    const { fitAll } = await import('./fit.ts');
    return fitAll(source, this.#chains());
  }

  /** The outputs of rows: what {@link Preparation.transform} makes, a record a row. */
  apply(...args: [pipeline: Pipeline<Row>]): Pipeline<Record<K, NdArray>> {
    const [pipeline] = toApply.parse(args) as typeof args;
    this.#checkFitted('apply');
    return rows('apply', pipeline).mapChunk((columns: Record<string, Column>) => this.#transform('apply', columns));
  }

  /**
   * The outputs of some rows, by columns.
   * @throws ArgumentError before fit(), and where a column is missing
   */
  transform(...args: [columns: Readonly<Record<string, Column>>]): Record<K, NdArray> {
    const [columns] = toTransform.parse(args) as typeof args;
    this.#checkFitted('transform');
    return this.#transform('transform', columns);
  }

  #transform(op: string, columns: Readonly<Record<string, Column>>): Record<K, NdArray> {
    const table = new Map(Object.entries(columns));
    const outputs = [...this.#outputs].map(([output, chains]) => {
      const parts = chains.map((chain) => chain.apply(columnOf(op, table, chain.column)));
      return [output, sideBySide(parts, chains)] as const;
    });
    return Object.fromEntries(outputs) as Record<K, NdArray>;
  }

  /**
   * What the values of an output were before its steps: predictions in the unit of the file.
   * @param output its name; it has one column, whose steps have a way back
   * @throws ArgumentError for another output
   */
  inverse(...args: [output: K, values: ArrayLike<number>]): Float64Array {
    const [output, values] = toInverse.parse(args) as typeof args;
    const chains = this.#outputs.get(output) ?? [];
    const [chain] = chains;
    const back = chain?.steps.map(({ inverse }) => inverse) ?? [];
    if (chains.length !== 1 || back.includes(null))
      throw new ArgumentError(
        `inverse: expected an output of one column whose steps have a way back, got '${output}'${chain ? '' : `; there are ${[...this.#outputs.keys()].join(', ')}`}`,
      );
    this.#checkFitted('inverse');
    let now: Float64Array = Float64Array.from(values);
    for (const step of back.reverse()) now = step ? step(now) : now;
    return now;
  }

  /**
   * The values that codes and one-hot columns know, in the order of their numbers; codes count from 1. An embedding of
   * the codes has one row more, for what is unknown.
   * @throws ArgumentError for another output or column, and before fit()
   */
  categories(...args: [output: K, column: string]): readonly string[] {
    const [output, column] = toCategories.parse(args) as typeof args;
    this.#checkFitted('categories');
    const chain = this.#outputs.get(output)?.find((each) => each.column === column);
    const fit = chain ? (chain.steps.at(-1) as Step).state().fit : null;
    if (!(Array.isArray(fit) && fit.every((value) => typeof value === 'string')))
      throw new ArgumentError(`categories: expected a column of codes() or oneHot(), got '${output}.${column}'`);
    return fit;
  }

  /** All that it found, as JSON. @throws ArgumentError before fit() */
  state(...args: []): PreparationState {
    toState.parse(args);
    this.#checkFitted('state');
    const outputs = [...this.#outputs].map(([output, chains]) => {
      const columns = chains.map(({ column, steps }) => [column, steps.map((step) => step.state())] as const);
      return [output, Object.fromEntries(columns)] as const;
    });
    return Object.fromEntries(outputs);
  }

  /** A preparation as it was saved. @throws ArgumentError for what is no state of one */
  static from(...args: [state: PreparationState]): Preparation {
    const [state] = toMake.parse(args) as typeof args;
    const strange = (what: unknown): ArgumentError =>
      new ArgumentError(`Preparation.from: expected what state() gave, got ${describe(what)}`);
    const stepOf = (saved: unknown): Step => {
      const make = isPlain(saved) && typeof saved.step === 'string' ? rowOf(STEPS, saved.step) : undefined;
      if (!make) throw strange(saved);
      try {
        return make(saved as unknown as Saved);
      } catch {
        throw strange(saved);
      }
    };
    const spec = Object.entries(state).map(([output, columns]) => {
      if (!isPlain(columns)) throw strange(columns);
      const chains = Object.entries(columns).map(([column, steps]) => {
        if (!Array.isArray(steps)) throw strange(steps);
        return [column, steps.map(stepOf)] as const;
      });
      return [output, Object.fromEntries(chains)] as const;
    });
    return new Preparation(Object.fromEntries(spec));
  }

  #checkFitted(op: string): void {
    const open = this.#chains().find(({ unfitted }) => unfitted);
    if (open)
      throw new ArgumentError(
        `${op}: expected a preparation that knows the data, got one before fit(); await fit(train) first`,
      );
  }
}

const widthOf = (chains: readonly Chain[]): number => chains.reduce((sum, { width }) => sum + width, 0);

/** Numbers of several columns, row by row. */
function sideBySide(parts: readonly Float64Array[], chains: readonly Chain[]): NdArray {
  const width = widthOf(chains);
  const [first] = chains as [Chain];
  const count = (parts[0] as Float64Array).length / first.width;
  const all = new (first.codes ? Int32Array : Float32Array)(count * width);
  let column = 0;
  for (const [k, part] of parts.entries()) {
    const own = (chains[k] as Chain).width;
    for (let i = 0; i < count; i++)
      for (let j = 0; j < own; j++) all[i * width + column + j] = part[i * own + j] as number;
    column += own;
  }
  return { data: all, shape: [count, width] };
}

/** @throws ArgumentError unless `pipeline` is one */
function rows(op: string, pipeline: unknown): Pipeline<Row> {
  if (pipeline instanceof Pipeline) return pipeline as Pipeline<Row>;
  throw new ArgumentError(`${op}: expected a pipeline of rows, got ${describe(pipeline)}; make one with data.from()`);
}
