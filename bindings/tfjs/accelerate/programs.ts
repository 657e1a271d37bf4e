// The programs of models: when a step is traced, which program fits a batch, and what falls back to tfjs's own code.
import { OutOfMemoryError } from '../../memory/errors.ts';
import { Backend } from '../backend.ts';
import { type Batch, type Context, Replay, Traced } from './replay.ts';
import type { BatchFunction, TfLayer, TfModel, TfOptimizer, TfTensor } from './tensorflow.ts';

/** What is known of a kind of batch. */
interface Entry {
  readonly key: readonly unknown[];
  replay: Replay | null;
  runs: number;
  /** Times that it was traced anew, since a tensor that it used was gone. */
  renewals: number;
  refused: boolean;
}

interface ModelState {
  /** The last used ones first. */
  readonly entries: Entry[];
  /** All layers, also those inside of layers. */
  readonly layers: readonly TfLayer[];
  /** Why it is not traced; null where it is. */
  readonly reason: string | null;
  /** It has code of the user's: that may do something else one day. */
  readonly watched: boolean;
}

/** Kinds of batches of a model that are remembered. */
const MOST_ENTRIES = 32;
/** A step whose tensors from outside are others each time is none that can be replayed. */
const MOST_RENEWALS = 3;

const isLayer = (x: unknown): x is TfLayer =>
  typeof x === 'object' && x !== null && typeof (x as Partial<TfLayer>).getClassName === 'function';

/** All that can be saved and stands in the fields of an object: cells, wrapped layers, regularizers. */
function partsOf(object: object): TfLayer[] {
  return Object.values(object).flatMap((value: unknown) => (Array.isArray(value) ? value : [value]).filter(isLayer));
}

/** Models, layers and what they are made of, each once. */
function walk(roots: readonly TfLayer[]): Set<TfLayer> {
  const seen = new Set<TfLayer>();
  const rest = [...roots];
  for (let one = rest.pop(); one; one = rest.pop()) {
    if (seen.has(one)) continue;
    seen.add(one);
    rest.push(...partsOf(one));
  }
  return seen;
}

/** Whether a loss or metrics are functions of the user's, and not only names. */
const hasFunctions = (value: unknown): boolean =>
  typeof value === 'function' ||
  (typeof value === 'object' && value !== null && Object.values(value).some(hasFunctions));

export const sameKey = (a: readonly unknown[], b: readonly unknown[]): boolean => {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
};

const isPowerOfTwo = (n: number): boolean => (n & (n - 1)) === 0;

/** Why something could not be traced. */
export const reasonOf = (error: unknown): string =>
  error instanceof OutOfMemoryError ? 'there is no memory for its program' : (error as Error).message;

/** What is counted. */
export interface Stats {
  steps: number;
  replays: number;
  traces: number;
  readonly fallbacks: string[];
}

/** The options of accelerate(). */
export interface Settings {
  readonly custom: boolean;
  readonly warn: boolean;
}

export class Programs {
  readonly stats: Stats;
  /** Off: all goes the way of tfjs. */
  on = true;
  readonly #context: Context;
  readonly #custom: boolean;
  readonly #warn: boolean;
  readonly #models = new WeakMap<TfModel, ModelState>();
  /** All programs, to give them back. */
  readonly #living = new Set<WeakRef<Replay>>();

  constructor(context: Context, stats: Stats, { custom, warn }: Settings) {
    this.stats = stats;
    this.#context = context;
    this.#custom = custom;
    this.#warn = warn;
  }

  /** Notes why something runs unaccelerated. */
  fallBack(reason: string): void {
    const { fallbacks } = this.stats;
    if (fallbacks.includes(reason)) return;
    fallbacks.push(reason);
    if (this.#warn) console.warn(`retrograd: ${reason}`);
  }

  refuseOptimizer(optimizer: TfOptimizer): void {
    this.fallBack(`the optimizer ${optimizer.getClassName()}, which is not of TensorFlow.js, trains unaccelerated`);
  }

  #stateOf(model: TfModel): ModelState {
    let state = this.#models.get(model);
    if (!state) {
      const all = [...walk(model.layers)];
      const { classNameMap } = this.#context.tf.serialization.SerializationMap.getMap();
      const classes = new Set<unknown>(Object.values(classNameMap).map(([one]) => one));
      const foreign = all.find((one) => !('makeTrainFunction' in one || classes.has(one.constructor)));
      const stateful = all.find((one) => one.stateful === true);
      let reason: string | null = null;
      if (foreign && !this.#custom)
        reason = `a model with ${foreign.getClassName()}, which is not of TensorFlow.js, is not replayed as a whole: accelerate(tf, { custom: true }) does so where it does the same in each step`;
      if (stateful) reason = `a model with a stateful layer (${stateful.name}) is not replayed as a whole`;
      state = {
        entries: [],
        layers: all.filter((one) => 'trainable' in one),
        reason,
        watched: foreign !== undefined || hasFunctions([model.loss, model.metrics]),
      };
      this.#models.set(model, state);
    }
    return state;
  }

  /** Computes a batch: by a program where there is one, else by `fn`. @param optimizer whose step it is, if any */
  run(kind: string, model: TfModel, fn: BatchFunction, batch: Batch, optimizer: TfOptimizer | null): TfTensor[] {
    const { engine, updates } = this.#context;
    const { backend } = engine;
    if (!this.on || !(backend instanceof Backend) || backend.tracer) return fn(batch);
    const { profiling, gradientDepth } = engine.state;
    // Gradients go through a prediction inside of minimize(): through a program they would not.
    if (profiling || gradientDepth > 0 || engine.ENV.getBool('DEBUG')) return fn(batch);
    const state = this.#stateOf(model);
    if (state.reason) {
      this.fallBack(state.reason);
      return fn(batch);
    }
    if (optimizer && !updates.ruleOf(optimizer)) {
      this.refuseOptimizer(optimizer);
      return fn(batch);
    }
    const entry = this.#entryOf(state, this.#keyOf(kind, model, state, batch, optimizer, backend));
    // The first batch makes what is made once, and many kinds of batches come but once.
    if (entry.runs++ === 0 || entry.refused) return fn(batch);
    const replay = this.#replayOf(entry, state, { kind, model, backend, fn, batch, optimizer });
    const result = replay?.run(batch);
    if (!result) return fn(batch);
    this.stats.replays++;
    return result;
  }

  #keyOf(
    kind: string,
    model: TfModel,
    { layers }: ModelState,
    batch: Batch,
    optimizer: TfOptimizer | null,
    backend: Backend,
  ): unknown[] {
    const key: unknown[] = [kind, backend];
    if (kind !== 'predict') key.push(model.lossFunctions, model.metricsTensors);
    if (optimizer) {
      key.push(optimizer, model.collectedTrainableWeights);
      for (let i = 0; i < layers.length; i++) key.push(layers[i]?.trainable);
    }
    for (let i = 0; i < batch.length; i++) {
      const x = batch[i];
      key.push(x?.dtype);
      if (x) for (const size of x.shape) key.push(size);
    }
    return key;
  }

  #entryOf({ entries }: ModelState, key: readonly unknown[]): Entry {
    const at = entries.findIndex((entry) => sameKey(entry.key, key));
    if (at === 0) return entries[0] as Entry;
    const [entry = { key, replay: null, runs: 0, renewals: 0, refused: false }] = at > 0 ? entries.splice(at, 1) : [];
    entries.unshift(entry);
    for (const old of entries.splice(MOST_ENTRIES)) old.replay?.dispose();
    return entry;
  }

  #replayOf(entry: Entry, { watched }: ModelState, step: Step): Replay | null {
    const { kind, model } = step;
    const title = `${kind} of a model (${model.name ?? 'unnamed'})`;
    const refuse = (why: string): null => {
      entry.replay?.dispose();
      entry.replay = null;
      entry.refused = true;
      this.fallBack(`${title} is not replayed as a whole: ${why}`);
      return null;
    };
    try {
      if (entry.replay && !entry.replay.holds()) {
        entry.replay.dispose();
        entry.replay = null;
        if (++entry.renewals > MOST_RENEWALS) return refuse('it uses other tensors from outside in each step');
      }
      if (!entry.replay) entry.replay = this.#make(step);
      else if (watched && isPowerOfTwo(entry.runs)) this.#lookAgain(entry.replay, step);
      return entry.replay;
    } catch (error) {
      return refuse(reasonOf(error));
    }
  }

  #trace({ backend, fn, batch, optimizer }: Step): Traced {
    this.stats.traces++;
    return new Traced(this.#context, backend, fn, batch, optimizer);
  }

  /** Traces a step twice: what it keeps from one to the next shows as a difference. */
  #make(step: Step): Replay {
    const traced = this.#trace(step);
    try {
      this.#compare(traced, step);
      return this.keep(new Replay(this.#context, step.backend, traced));
    } catch (error) {
      traced.dispose();
      throw error;
    }
  }

  /** Knows a program, to give it back one day. */
  keep(replay: Replay): Replay {
    for (const ref of this.#living) if (!ref.deref()) this.#living.delete(ref);
    this.#living.add(new WeakRef(replay));
    return replay;
  }

  #compare(traced: Traced, step: Step): void {
    const again = this.#trace(step);
    const difference = traced.differs(again);
    again.dispose();
    if (difference) throw new Error(`it does something else in each step (${difference})`);
  }

  #lookAgain({ traced }: Replay, step: Step): void {
    this.#compare(traced, step);
  }

  /** Gives all programs back. */
  dispose(): void {
    this.on = false;
    for (const ref of this.#living) ref.deref()?.dispose();
    this.#living.clear();
  }
}

/** A batch that is to be computed. */
interface Step {
  readonly kind: string;
  readonly model: TfModel;
  readonly backend: Backend;
  readonly fn: BatchFunction;
  readonly batch: Batch;
  readonly optimizer: TfOptimizer | null;
}
