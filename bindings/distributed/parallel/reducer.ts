// The gradients of one model, which backward() makes the means of all ranks.
import { notes, ops, withoutTape } from '../../autograd.ts';
import { runtime } from '../../engine/engine.ts';
import { aside, tracing } from '../../execute.ts';
import { GradError } from '../../memory/errors.ts';
import { listeners } from '../../node.ts';
import type { Tensor } from '../../tensor.ts';
import { denseOf, sumOf } from '../../walk.ts';
import type { Communicator } from '../mpi/communicator.ts';
import { type Bucket, bucketsOf } from './buckets.ts';

/** Gradients on their way through backward(). */
export interface Gradients {
  get(x: Tensor): Tensor | undefined;
}

/** What a reducer may be told. */
export interface ReducerSettings {
  readonly bucketBytes: number;
  readonly findUnused: boolean;
}

/** Whether `g` was made by the walk that is under way and is nobody else's, so that it may be written. */
const isOwn = (g: Tensor): boolean =>
  !notes() &&
  !g.isSparse &&
  g.block.scope === runtime().arena.scope &&
  g.block.gradients === 1 &&
  g.isContiguous() &&
  g.offset === 0;

/** All of them in one tensor of their own. */
const copyOf = (g: Tensor): Tensor => ops.contiguous({ x: denseOf(g) });

export class Reducer {
  /** Whether the next backward() is one of all ranks; programs depend on it. */
  syncs = true;
  readonly communicator: Communicator;
  readonly #named: readonly (readonly [string, Tensor])[];
  readonly #settings: ReducerSettings;
  /** The parameters that the buckets are of. */
  #parameters: readonly Tensor[] = [];
  #buckets: readonly Bucket[] = [];
  readonly #bucketOf = new Map<Tensor, Bucket>();
  /** Of the backward() that is under way: the bucket that is next to begin, */
  #next = 0;
  /** and those whose gradients have come. */
  readonly #come = new Set<Tensor>();
  #finished = true;

  constructor(communicator: Communicator, named: readonly (readonly [string, Tensor])[], settings: ReducerSettings) {
    this.communicator = communicator;
    this.#named = named;
    this.#settings = settings;
  }

  /** The parameters of the model. */
  get all(): readonly Tensor[] {
    return this.#named.map(([, p]) => p);
  }

  /** The parameters that require a gradient now. */
  get parameters(): readonly Tensor[] {
    return this.#named.flatMap(([, p]) => (p.requiresGrad ? [p] : []));
  }

  /** Whether it waits for gradients. */
  get busy(): boolean {
    return !this.#finished;
  }

  /** Makes ready for the gradients of a pass. */
  begin(): void {
    tracing()?.dependOn(this, ['syncs']);
    const parameters = this.parameters;
    const known = this.#parameters;
    // Some may have been frozen, or are no longer.
    if (parameters.length !== known.length || parameters.some((p, i) => p !== known[i])) this.#rebuild(parameters);
    for (const bucket of this.#buckets) bucket.begin();
    this.#next = 0;
    this.#come.clear();
    this.#finished = false;
  }

  #rebuild(parameters: readonly Tensor[]): void {
    for (const bucket of this.#buckets) bucket.dispose();
    this.#buckets = aside(() => bucketsOf(parameters, this.#settings.bucketBytes));
    this.#parameters = parameters;
    this.#bucketOf.clear();
    for (const bucket of this.#buckets) for (const p of bucket.parameters) this.#bucketOf.set(p, bucket);
  }

  has(x: Tensor): boolean {
    return this.#bucketOf.has(x);
  }

  /** Takes a gradient that is whole; it is reduced as soon as those of its bucket are, and of the buckets before. */
  ready(p: Tensor, whole: Tensor): void {
    withoutTape(() => {
      // Hooks of users get what this rank has.
      const heard = listeners.gradient ? listeners.gradient(p, whole) : whole;
      const { grad: before } = p;
      const bucket = this.#bucketOf.get(p) as Bucket;
      // What was left by passes of this rank alone is reduced with it.
      const g = before ? sumOf(before, heard) : heard;
      bucket.take(p, bucket.copies ? denseOf(g) : before || !isOwn(g) ? copyOf(g) : g);
    });
    this.#come.add(p);
    this.#start();
  }

  #start(): void {
    for (let bucket = this.#buckets[this.#next]; bucket?.full; bucket = this.#buckets[++this.#next])
      bucket.start(this.communicator);
  }

  /**
   * Waits for all. @param inputs the only ones that backward() was asked for; null: all
   * @throws GradError where some had no part, which others may wait for
   */
  finish(inputs: ReadonlySet<Tensor> | null): void {
    this.#finished = true;
    const unused = this.#parameters.filter((p) => !this.#come.has(p));
    this.#expectUsed(inputs ? [] : unused);
    this.#complete(unused, inputs === null);
  }

  /** @param unused have no gradient of this pass @param leaves whether they take part with what passes before left */
  #complete(unused: readonly Tensor[], leaves: boolean): void {
    withoutTape(() => {
      for (const p of unused) this.#bucketOf.get(p)?.take(p, leaves && p.grad ? copyOf(p.grad) : null);
      this.#start();
      for (const bucket of this.#buckets) bucket.finish(this.communicator);
      if (leaves) for (const p of unused) this.#leave(p);
      for (const p of this.#come) p.clearGrad();
    });
  }

  /** Makes what passes of this rank alone have left the means of all. @throws GradError where some have left nothing */
  reduceLeft(): void {
    this.begin();
    this.#finished = true;
    this.#expectUsed(this.#parameters.filter((p) => !p.grad));
    this.#complete(this.#parameters, true);
  }

  #expectUsed(unused: readonly Tensor[]): void {
    if (unused.length === 0 || this.#settings.findUnused) return;
    const names = unused.map((p) => this.#named.find(([, other]) => other === p)?.[0]);
    const shown = names.length > 5 ? [...names.slice(0, 5), `${names.length - 5} more`] : names;
    throw new GradError(
      `backward: expected all parameters of DataParallel to take part, got none of ${shown.join(', ')}; pass findUnusedParameters: true, or freeze them`,
    );
  }

  /** Gives a parameter that had no part here the mean of those of the others. */
  #leave(p: Tensor): void {
    const g = ops.contiguous({ x: this.result(p) });
    p.clearGrad();
    p.takeGrad(g);
    runtime().arena.follow(g.block, p.block);
  }

  /** The mean of a gradient, once all is finished. */
  result(p: Tensor): Tensor {
    return (this.#bucketOf.get(p) as Bucket).result(p);
  }

  dispose(): void {
    for (const bucket of this.#buckets) bucket.dispose();
    this.#buckets = [];
    this.#parameters = [];
    this.#bucketOf.clear();
  }
}
