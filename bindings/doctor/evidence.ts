// What the rules judge: all that was noted, and what can be seen of the state at the end.
import { withoutTape } from '../autograd.ts';
import * as F from '../functional/functions.ts';
import { scope } from '../scope.ts';
import type { Tensor } from '../tensor.ts';
import { few } from './close.ts';
import type { Copies } from './copies.ts';
import { type Data, dataOf, joined } from './data.ts';
import type { History, Watcher } from './doctor.ts';
import { type Batch, evaluate, type Score, type Task, taskOf } from './evaluate.ts';
import { type Facts, factsOf, rmsOf } from './facts.ts';
import { type GradientNoise, noiseOf } from './noise.ts';
import type { WatchOptions } from './options.ts';
import { ownerOf, type Patient, type Weight } from './patient.ts';
import { drifts } from './pool.ts';
import { type Form, firstOf, lossOf, pass } from './probe.ts';

export interface Evidence {
  readonly patient: Patient;
  readonly loss: unknown;
  readonly options: WatchOptions;
  readonly history: History;
  readonly steps: number;
  /** The losses that are numbers. */
  readonly losses: readonly number[];
  /** Means of the first and the last losses, and the least mean of as many in a row. */
  readonly first: number;
  readonly last: number;
  readonly least: number;
  readonly weights: readonly Weight[];
  readonly form: Form | null;
  readonly task: Task;
  /** A pass before the first step, and one after the last; null where the model cannot be called so. */
  readonly before: Facts | null;
  readonly after: Facts | null;
  readonly train: Score | null;
  readonly validation: Score | null;
  /** What the steps were given; else what it trains on by the options. */
  readonly batches: readonly Batch[];
  readonly data: Data | null;
  /** Paths of modules that do other things in training than in evaluation. */
  readonly modal: readonly string[];
  /** Whether the program minimises the declared loss, which is a known one of outputs and targets. */
  readonly judged: boolean;
  /** Whether skill says how good it is at that, too. */
  readonly graded: boolean;
  /** By which part the loss fell in the last part of the training. */
  readonly falling: number;
  /** Paths of modules that drop in evaluation as well. */
  readonly always: readonly string[];
  /** How far the losses of batches are apart by the weights at the end. */
  readonly noise: number;
  /** How much of the gradients is chance, by the later of the looks at them; null: they could not be taken apart. */
  readonly chance: GradientNoise | null;
  /** Parameters that are no longer what they were when the watching began. */
  readonly moved: ReadonlySet<Tensor>;
  /** Weights whose units were all alike before the first step. */
  readonly equal: readonly Equal[];
}

/** A weight whose rows are alike. */
export interface Equal {
  readonly path: string;
  readonly owner: string;
  readonly units: number;
  readonly start: boolean;
  /** Whether they still are. */
  readonly end: boolean;
  readonly constant: 'zero' | 'nonzero' | '';
}

/** Whether rows of x, units of a layer, are alike. */
function isAlike(x: Tensor): boolean {
  const rows = F.reshape(x.detach(), [x.sizes[0] as number, -1]);
  const size = rmsOf(rows);
  return rmsOf(F.sub(rows, F.mean(rows, 0, { keepdim: true }))) <= 1e-4 * size;
}

function equalOf(weights: readonly Weight[], start: Copies): Equal[] {
  return weights.flatMap(({ path, x }) => {
    const was = start.of(x);
    if (!was || x.ndim < 2 || (x.sizes[0] ?? 0) < 2 || x.size === x.sizes[0] || !x.requiresGrad || path === '')
      return [];
    if (!isAlike(was)) return [];
    const constant = rmsOf(was) === 0 ? 'zero' : 'nonzero';
    return [{ path, owner: ownerOf(path), units: x.sizes[0] as number, start: true, end: isAlike(x), constant }];
  });
}

function movedOf(weights: readonly Weight[], start: Copies): Set<Tensor> {
  const isOther = ({ x }: Weight): boolean => {
    const was = start.of(x);
    return was !== null && was.size > 0 && F.max(F.abs(F.sub(x.detach(), was))).item() !== 0;
  };
  return new Set(weights.filter(isOther).map(({ x }) => x));
}

/**
 * Logarithms that are multiplied with something other than probabilities or classes: rewards, which are a surrogate.
 */
function isWeighed(facts: Facts | null, data: Data | null): boolean {
  if (!facts || !data || data.target.integer || !facts.output.core.startsWith('log')) return false;
  const { sums, whole, low, high } = data.target;
  const isBinary = whole && low >= 0 && high <= 1;
  return !isBinary && !(sums !== null && low >= 0 && Math.abs(sums[0] - 1) < 0.05 && Math.abs(sums[1] - 1) < 0.05);
}

/** Batches enough to say how far their losses are apart: of few rows it takes more. */
function sampleOf({ train }: History, batches: readonly Batch[]): Batch[] {
  const rows = batches[0]?.[0].sizes[0] ?? 1;
  const all =
    train.batches.length > batches.length && train.batches[0]?.[0].sizes[0] === rows ? train.batches : batches;
  return all.slice(0, Math.min(64, Math.max(12, Math.ceil(192 / rows))));
}

/** The noise grows as the loss falls: so many looks say how it is at the end. */
const LATE = 5;

/** Cores whose outputs are what the target is, or say its class. */
const GRADED = new Set(['crossEntropy', 'nll', 'bceWithLogits', 'bce', 'huber', 'smoothL1', 'square', 'abs']);

export const meanOf = (values: readonly number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length;

function deviationOf(values: readonly number[]): number {
  const finite = values.filter(Number.isFinite);
  const mean = meanOf(finite);
  return finite.length > 1 ? Math.sqrt(meanOf(finite.map((v) => (v - mean) ** 2))) : 0;
}

function fallOf(losses: readonly number[]): number {
  const part = (from: number, to: number): number => meanOf(losses.slice(losses.length * from, losses.length * to));
  const [before, last] = [part(0.5, 0.75), part(0.85, 1)];
  return (before - last) / Math.max(1e-12, Math.abs(before));
}

/** Means of stretches of losses. */
function smoothed(losses: readonly number[], width: number): number[] {
  const means: number[] = [];
  let sum = 0;
  losses.forEach((value, i) => {
    sum += value - (i >= width ? (losses[i - width] as number) : 0);
    if (i >= width - 1) means.push(sum / width);
  });
  return means;
}

function lookAt(patient: Patient, loss: unknown, [x, y]: Batch, form: Form | null, training = true): Facts | null {
  try {
    return patient.aside(() => {
      patient.model.train(training);
      const { gradients: _, ...facts } = factsOf(patient, pass(patient, loss, [x, y], null, form));
      return facts;
    });
  } catch {
    return null;
  }
}

/** The loss of a batch in training mode. */
function lossIn(patient: Patient, loss: unknown, [x, y]: Batch, form: Form | null): number | null {
  try {
    return patient.aside(() => {
      patient.model.train();
      return withoutTape(() =>
        form ? (lossOf(loss, firstOf(patient.run(x)) as Tensor, y, form)?.item() ?? null) : null,
      );
    });
  } catch {
    return null;
  }
}

export function gather({ patient, options, history, steps }: Watcher): Evidence {
  const { loss } = options;
  const { seen, validation, closes } = history;
  if (validation.rows === 0) patient.aside(() => validation.fill(options.validation));
  if (history.train.rows === 0) patient.aside(() => history.train.fill(options.train));
  const { batches } = seen.rows > 0 ? seen : history.train;
  const form = (closes.findLast(({ exact }) => exact) ?? closes[0])?.form ?? null;
  const before = closes[0]?.step === 0 ? closes[0].facts : null;
  const some = few(batches, 256);
  const all = withoutTape(() => scope(() => joined(some)));
  const batch = some.length > 0 ? all : null;
  const broken = history.broken !== null;
  const after = batch && !broken ? scope(() => lookAt(patient, loss, batch, form)) : null;
  const resting = batch && !broken ? scope(() => lookAt(patient, loss, batch, form, false)) : null;
  const output = (before ?? after)?.output;
  const task = taskOf(output?.core ?? '', output?.columns ?? 1, batches[0]?.[1]);
  const losses = history.losses.filter(Number.isFinite);
  const width = Math.max(1, Math.min(10, Math.floor(losses.length / 4)));
  const means = smoothed(losses, width);
  const score = (some: readonly Batch[]): Score | null =>
    some.length > 0 && !broken ? scope(() => evaluate(patient, loss, form, task, some)) : null;
  const facts = after ?? before;
  const told = closes.filter(({ apart }) => apart > 0);
  const judged =
    facts?.output.plain === true &&
    facts.output.core !== '' &&
    (told.length === 0 || told.some(({ apart }) => apart < 0.1)) &&
    !withoutTape(() => scope(() => drifts(seen.batches)));
  const data = withoutTape(() => scope(() => dataOf(batches)));
  return {
    patient,
    loss,
    options,
    history,
    steps,
    losses,
    first: means[0] ?? Number.NaN,
    last: means.at(-1) ?? Number.NaN,
    least: Math.min(...means),
    weights: patient.weights(),
    form,
    task,
    before,
    after,
    train: score(batches),
    validation: score(validation.batches),
    batches,
    data,
    modal: facts?.modal ?? [],
    judged: judged && !isWeighed(facts, data),
    graded: judged && GRADED.has(facts?.output.core ?? ''),
    falling: fallOf(losses),
    always: resting?.strong.map(({ path }) => path) ?? [],
    noise: deviationOf(
      sampleOf(history, batches).flatMap((one) => (broken ? [] : (lossIn(patient, loss, one, form) ?? []))),
    ),
    chance: noiseOf(closes.flatMap(({ spread }) => spread ?? []).slice(-LATE)),
    moved: withoutTape(() => scope(() => movedOf(patient.weights(), history.start))),
    equal: withoutTape(() => scope(() => equalOf(patient.weights(), history.start))),
  };
}
