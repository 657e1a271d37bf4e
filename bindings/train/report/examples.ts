// What a model makes of examples: figures of all of them, and the worst.
import { withoutTape } from '../../autograd.ts';
import {
  abs,
  amax,
  argmax,
  eq,
  max,
  mean,
  min,
  mul,
  permute,
  reshape,
  select,
  sigmoid,
  softmax,
  sub,
  to,
  transpose,
} from '../../functional/functions.ts';
import { binaryCrossEntropyWithLogits, crossEntropy } from '../../functional/index.ts';
import { topk } from '../../functional/sort.ts';
import { ArgumentError, describe } from '../../memory/errors.ts';
import type { Module } from '../../nn/module.ts';
import { short } from '../../page/html.ts';
import { getRngState, setRngState } from '../../random.ts';
import { scope } from '../../scope.ts';
import { Tensor } from '../../tensor.ts';
import { type Batches, Feed } from '../feed.ts';
import { Accuracy, CalibrationError, ConfusionMatrix, R2Score, ROC, type RocCurve } from '../metrics/index.ts';
import { type Unpacked, unpackUsual } from '../unpack.ts';
import type { ReportData, ReportExample, ReportFact } from './data.ts';
import type { ReportOptions, Shown } from './options.ts';

/** What was seen: cards of the page, and figures that stand out. */
interface Seen {
  readonly shown: Pick<ReportData, 'classification' | 'regression' | 'worst'>;
  readonly facts: Readonly<Record<string, ReportFact>>;
}

/** Classes whose curves of ROC can be told apart. */
const MOST_CURVES = 8;
/** Classes of which all pairs are counted. */
const MOST_CLASSES = 1000;
/** Names in a row that are shown of an example. */
const MOST_VALUES = 12;

/** A batch, as what looks at it takes it. */
interface Looked {
  readonly output: Tensor;
  readonly target: Tensor;
}

/** What is said of an example. */
type Words = Pick<ReportExample, 'target' | 'predicted' | 'confidence'>;

/** What each kind of targets is looked at with. */
interface Looker {
  /** Adds a batch. @returns how wrong each example is, f32 [N] */
  add(batch: Looked): Tensor;
  /** What an example is, and what it was taken for. */
  words(batch: Looked, i: number): Words;
  seen(): Omit<Seen['shown'], 'worst'>;
  facts(): Seen['facts'];
}

/** Takes a batch apart. */
export type Unpack = (batch: unknown) => Unpacked;

/** The mean over all dims but the first. */
const byExample = (x: Tensor): Tensor => mean(reshape(x, [x.sizes[0] as number, x.size / (x.sizes[0] as number)]), 1);

class Classes implements Looker {
  readonly #names: readonly string[] | null;
  readonly #confusion = new ConfusionMatrix();
  readonly #accuracy = new Accuracy();
  readonly #calibration = new CalibrationError({ nBins: 10 });
  readonly #roc = new ROC({ thresholds: 201 });
  #count = 0;
  #seen = 0;

  constructor(names: readonly string[] | null) {
    this.#names = names;
  }

  /** One score for each target stands for two classes. */
  #isBinary = ({ output, target }: Looked): boolean => output.size === target.size;

  add(batch: Looked): Tensor {
    const { output, target } = batch;
    const binary = this.#isBinary(batch);
    this.#seen += target.size;
    this.#count = binary ? 2 : (output.sizes[output.ndim === target.ndim + 1 ? 1 : output.ndim - 1] as number);
    this.#accuracy.update(output, target);
    this.#calibration.update(output, target);
    if (this.#count <= MOST_CLASSES) this.#confusion.update(output, target);
    if (this.#count <= MOST_CURVES) this.#roc.update(output, target);
    if (!binary) return byExample(crossEntropy(output, target, { reduction: 'none' }));
    const like = reshape(to(target, 'f32'), output.shape);
    return byExample(binaryCrossEntropyWithLogits(output, like, { reduction: 'none' }));
  }

  #name = (i: number): string => this.#names?.[i] ?? String(i);

  words(batch: Looked, i: number): Words {
    const { output, target } = batch;
    const own = select(target, 0, i);
    const scores = select(output, 0, i);
    const binary = this.#isBinary(batch);
    // Of sequences, the share of places that are right.
    if (own.size > 1) {
      const hits = eq(argmax(scores, 0), own);
      return { target: `${own.size} places`, predicted: `${short(100 * mean(to(hits, 'f32')).item(), 3)} % right` };
    }
    const chances = binary ? sigmoid(scores) : softmax(reshape(scores, [scores.size]), 0);
    const chance = amax(chances).item();
    const chosen = binary ? Number(chance > 0.5) : argmax(chances).item();
    const sure = binary && chosen === 0 ? 1 - chance : chance;
    return { target: this.#name(own.item()), predicted: this.#name(chosen), confidence: sure };
  }

  seen(): Omit<Seen['shown'], 'worst'> {
    const confusion = this.#confusion.compute() as number[][];
    const classes = Array.from({ length: this.#count }, (_, i) => this.#name(i));
    const curves = this.#count <= MOST_CURVES ? ([this.#roc.compute()].flat() as RocCurve[]) : [];
    const roc = curves.map((curve, i) => ({ label: this.#name(curves.length === 1 ? 1 : i), ...curve }));
    return {
      classification: confusion.length > 0 ? { classes, confusion, roc, calibration: this.#calibration.curve() } : null,
    };
  }

  facts(): Seen['facts'] {
    const accuracy = this.#accuracy.compute();
    const all = this.#seen;
    const words = (count: number): string => count.toLocaleString('en-US');
    return {
      accuracy: [`${(100 * accuracy).toFixed(2)} %`, `${words(Math.round(accuracy * all))} of ${words(all)}`],
      'calibration error': this.#calibration.compute(),
    };
  }
}

class Numbers implements Looker {
  readonly #r2 = new R2Score();
  /** Targets and predictions of each batch. */
  readonly #all: [target: ArrayLike<number>, predicted: ArrayLike<number>][] = [];

  add({ output, target }: Looked): Tensor {
    const like = reshape(output, target.shape);
    this.#r2.update(like, target);
    this.#all.push([target.data, like.data]);
    return byExample(abs(sub(like, target)));
  }

  words({ output, target }: Looked, i: number): Words {
    const words = (x: Tensor): string =>
      Array.from(select(x, 0, i).data.slice(0, 4), (value) => short(value, 4)).join(', ');
    return { target: words(target), predicted: words(output) };
  }

  seen(): Omit<Seen['shown'], 'worst'> {
    const joined = (side: 0 | 1): number[] => this.#all.flatMap((each) => Array.from(each[side]));
    return { regression: { target: joined(0), predicted: joined(1) } };
  }

  facts(): Seen['facts'] {
    return { 'R²': this.#r2.compute() };
  }
}

/** The pixels of an image of channels, rows and columns: its least number is dark, its greatest is bright. */
function imageOf(x: Tensor): NonNullable<Shown['image']> {
  const [height, width] = x.sizes.slice(-2) as [number, number];
  const channels = x.ndim === 2 ? 1 : (x.sizes[0] as number);
  const numbers = permute(reshape(to(x, 'f32'), [channels, height, width]), [1, 2, 0]);
  const [low, high] = [min(numbers).item(), max(numbers).item()];
  const scaled = mul(sub(numbers, low), high > low ? 255 / (high - low) : 0);
  return { pixels: to(scaled, 'u8').data as Uint8Array, width, height, channels };
}

/** What is shown of an input that nobody said anything of. */
function usual(x: Tensor): Shown {
  const isImage = (x.ndim === 3 && (x.sizes[0] as number) <= 4) || x.ndim === 2;
  if (isImage && (x.sizes.at(-1) as number) > 1) return { image: imageOf(x) };
  const side = Math.sqrt(x.size);
  if (x.dtype === 'f32' && x.size >= 64 && Number.isInteger(side)) return { image: imageOf(reshape(x, [side, side])) };
  const values = [...x.data].slice(0, MOST_VALUES);
  if (x.dtype !== 'f32') return { text: values.join(' ') + (x.size > values.length ? ' …' : '') };
  return { row: Object.fromEntries(values.map((value, i) => [String(i), value])) };
}

const SHOWN: readonly (keyof Shown)[] = ['image', 'text', 'row'];

function lookerFor({ output, target }: Looked, { task, classes }: ReportOptions): Looker {
  const numbers = task ? task === 'regression' : target.dtype === 'f32' && output.size === target.size && !classes;
  return numbers ? new Numbers() : new Classes(classes ?? null);
}

/** Scores of classes for each place of a sequence, in the order of PyTorch's losses: [N, C, T]. */
const classesSecond = (output: Tensor, target: Tensor): Tensor =>
  output.ndim === 3 && target.ndim === 2 && output.sizes[1] === target.sizes[1] && output.sizes[2] !== target.sizes[1]
    ? transpose(output, 1, 2)
    : output;

/** Tries a model on all examples, in evaluation. */
export async function look(
  model: Module,
  examples: Batches<unknown>,
  options: Required<ReportOptions>,
  unpack: Unpack = unpackUsual,
): Promise<Seen> {
  const { worst: most, show } = options;
  let looker: Looker | null = null;
  let worst: ReportExample[] = [];
  let seen = 0;
  const visit = (batch: unknown): boolean => {
    const [inputs, target] = unpack(batch);
    const output = (model as Module & { forward(...args: unknown[]): unknown }).forward(...inputs);
    const [input] = inputs;
    if (!(output instanceof Tensor && target instanceof Tensor && input instanceof Tensor))
      throw new ArgumentError(
        `Report: expected tensors as inputs, outputs and targets of examples, got ${describe(output)} for ${describe(target)}`,
      );
    const looked = { output: classesSecond(output, target), target };
    looker ??= lookerFor(looked, options);
    const costs = looker.add(looked);
    const { values, indices } = topk(costs, Math.min(most, costs.size));
    const [scores, places] = [values.data, indices.data];
    const last = worst.length < most ? Number.NEGATIVE_INFINITY : (worst.at(-1) as ReportExample).score;
    for (const [at, score] of scores.entries()) {
      if (score <= last) break;
      const i = places[at] as number;
      const one = select(input, 0, i);
      const given = show ? show(one, seen + i) : usual(one);
      const parts = Object.fromEntries(SHOWN.flatMap((key) => (given[key] === undefined ? [] : [[key, given[key]]])));
      worst.push({ ...parts, ...(looker as Looker).words(looked, i), score, index: seen + i });
    }
    worst = worst.sort((a, b) => b.score - a.score).slice(0, most);
    seen += costs.size;
    return true;
  };
  const modes = model.namedModules().map(([, module]) => [module, module.training] as const);
  // A training that goes on draws what it would without a report.
  const random = getRngState();
  model.eval();
  try {
    await new Feed('examples', examples).visit((batch) => withoutTape(() => scope(() => visit(batch))));
  } finally {
    for (const [module, training] of modes) module.training = training;
    setRngState(random);
  }
  const found = looker as Looker | null;
  return { shown: { ...found?.seen(), worst }, facts: found?.facts() ?? {} };
}
