// What is explained, a model at some inputs: how it is called, which of its outputs count, in how large batches; and
// that nobody can tell afterwards.
import { listOf, type Tensors } from '../autograd/lists.ts';
import { withoutTape, withTape } from '../autograd.ts';
import { grad } from '../backward.ts';
import { full, ones, tensor, zerosLike } from '../creation.ts';
import { gather } from '../functional/indexing.ts';
import { argmax } from '../functional/reduction.ts';
import { cat } from '../functional/shape.ts';
import {
  ArgumentError,
  DtypeError,
  describe,
  expectSynchronous,
  formatShape,
  GradError,
  ShapeError,
} from '../memory/errors.ts';
import { Module } from '../nn/module.ts';
import { scope } from '../scope.ts';
import { Tensor } from '../tensor.ts';
import type { Baseline, Model, Neuron, Target } from './options.ts';
import { kept, neuronOf, visited } from './visit.ts';

/** What the caller asked for. */
export interface Asked {
  readonly op: string;
  readonly model: Model;
  readonly inputs: Tensors;
  readonly target: Target | null;
  readonly extra: readonly unknown[] | null;
  readonly limit: number | null;
  /** The module whose output is explained instead of the inputs; or with `neuron`, of which one number is. */
  readonly layer?: Module | null;
  readonly neuron?: Neuron | null;
}

/** So many versions of samples are tried at once, where nobody says how many. */
const TOGETHER = 128;

const isOf = (n: number, x: unknown): x is Tensor => x instanceof Tensor && x.ndim > 0 && x.sizes[0] === n;

/** All samples, `times` over: [n, …] → [times · n, …]. */
export const repeated = (x: Tensor, times: number): Tensor =>
  times === 1
    ? x
    : x
        .unsqueeze(0)
        .expand([times, ...x.sizes])
        .reshape([times * (x.sizes[0] as number), ...x.sizes.slice(1)]);

/** Numbers along a first dim of their own, beside `ndim` others. */
export const along = (values: readonly number[], ndim: number): Tensor =>
  tensor(Float32Array.from(values)).reshape([values.length, ...new Array<number>(ndim).fill(1)]);

/** The sum over all dims but the first: [n, …] → [n]. */
export const perSample = (x: Tensor): Tensor => x.reshape([x.sizes[0] as number, -1]).sum(1);

/** Buffers that forward changes, such as running means of a model that trains, are what they were afterwards. */
export function preserving<T>(model: unknown, fn: () => T): T {
  const buffers = model instanceof Module ? model.buffers() : [];
  const before = withoutTape(() => buffers.map((x) => ({ x, copy: x.clone(), version: x.block.version })));
  try {
    return fn();
  } finally {
    withoutTape(() => {
      for (const { x, copy, version } of before) {
        // A write would tell graphs of the user's that it is not what they saved.
        if (x.block.version !== version) x.copy_(copy);
        copy.dispose();
      }
    });
  }
}

export class Subject {
  readonly op: string;
  readonly model: Model;
  /** What is explained: the inputs of the model, or what a layer gives for them. */
  readonly inputs: readonly Tensor[];
  /** How many samples. */
  readonly n: number;
  readonly limit: number | null;
  readonly #extra: readonly unknown[];
  /** The inputs of the model. */
  readonly #given: readonly Tensor[];
  #baselines: readonly Tensor[] = [];
  readonly #layer: Module | null;
  readonly #neuron: Neuron | null;
  #target: Target | null;
  /** Of what belongs to all samples, what belongs to these. */
  #cut: (x: unknown) => unknown = (x) => x;

  constructor({ op, model, inputs, target, extra, limit, layer = null, neuron = null }: Asked) {
    this.op = op;
    this.model = model;
    this.limit = limit;
    this.#extra = extra ?? [];
    this.#layer = layer;
    this.#neuron = neuron;
    if (neuron !== null && !layer)
      throw new ArgumentError(`${op}: expected the layer of the neuron, got none; pass { layer: model.conv, neuron }`);
    const given = listOf(inputs).map((x) => x.detach());
    this.#given = given;
    const n = given[0]?.sizes[0];
    if (!n || given.some((x) => !isOf(n, x)))
      throw new ShapeError(
        `${op}: expected inputs [n, …] of at least one sample, got ${given.map(({ sizes }) => formatShape(sizes)).join(' and ') || 'none'}; unsqueeze(0) makes a batch of one`,
      );
    this.n = n;
    if (limit !== null && limit < 1) throw new ArgumentError(`${op}: expected internalBatchSize >= 1, got ${limit}`);
    if (Array.isArray(target)) {
      if (target.length !== n)
        throw new ArgumentError(`${op}: expected ${n} targets, one for each sample, got ${target.length}`);
      this.#target = tensor([...(target as readonly number[])], { dtype: 'i32' });
    } else if (target instanceof Tensor) {
      target.checkAlive();
      if (target.size !== n || target.dtype === 'f32')
        throw new ArgumentError(
          `${op}: expected a target of ${n} whole numbers (i32), one for each sample, got ${target.dtype} ${formatShape(target.sizes)}`,
        );
      this.#target = target.detach().to('i32').reshape([n]);
    } else this.#target = target;
    this.inputs = this.#atLayer(given);
  }

  /** What stands for inputs of the model: they themselves, or what the layer gives for them. */
  #atLayer(inputs: readonly Tensor[]): readonly Tensor[] {
    const { op, n } = this;
    const layer = this.#layer;
    if (!layer || this.#neuron !== null) return inputs;
    const y = withoutTape(() => kept(op, layer, () => this.#call([...inputs], 1)));
    if (y.sizes[0] === n) return [y.detach().clone()];
    throw new ShapeError(`${op}: expected a layer that gives [${n}, …] for ${n} samples, got ${formatShape(y.sizes)}`);
  }

  /** As settle(), and the model is afterwards what it was. */
  settleAside(): this {
    return preserving(this.model, () => this.settle());
  }

  /** Some of the samples. */
  part(from: number, count: number): Subject {
    const cut = (x: unknown): unknown => (isOf(this.n, x) ? x.narrow(0, from, count) : x);
    const { op, model, limit } = this;
    const part = new Subject({
      ...{ op, model, limit, layer: this.#layer, neuron: this.#neuron },
      ...{ extra: this.#extra.map(cut), target: cut(this.target) as Target },
      inputs: this.#given.map((x) => cut(x) as Tensor),
    });
    part.#cut = cut;
    return part;
  }

  /** What an option, one for all inputs or for each, is for input `i` of these samples. @throws ArgumentError */
  optionOf<T extends Tensor | number>(what: string, given: T | readonly T[], i: number, inputs = this.inputs): T {
    const { op } = this;
    const list: readonly T[] = Array.isArray(given) ? given : inputs.map(() => given as T);
    if (list.length !== inputs.length)
      throw new ArgumentError(`${op}: expected ${inputs.length} ${what}, one for each input, got ${list.length}`);
    const value = list[i] as T;
    if (!(value instanceof Tensor)) return value;
    value.checkAlive();
    return (value.ndim === inputs[i]?.ndim ? this.#cut(value) : value) as T;
  }

  /** A baseline for each input, of its shape. @throws ArgumentError, ShapeError, DtypeError */
  baselines(given: Baseline): Tensor[] {
    const { op } = this;
    const own = this.#given.map((x, i) => {
      const b = this.optionOf('baselines', given as number | Tensor, i, this.#given);
      if (typeof b === 'number') return full(x.sizes, b, { dtype: x.dtype });
      if (b.dtype !== x.dtype) throw new DtypeError(`${op}: expected a baseline of ${x.dtype}, got ${b.dtype}`);
      const lead = x.ndim - b.ndim;
      if (lead < 0 || b.sizes.some((size, d) => size !== 1 && size !== x.sizes[lead + d]))
        throw new ShapeError(
          `${op}: expected a baseline that broadcasts to ${formatShape(x.sizes)}, got ${formatShape(b.sizes)}`,
        );
      return b.detach().expand(x.sizes);
    });
    this.#baselines = own;
    return [...this.#atLayer(own)];
  }

  /** The numbers for the inputs less those for the baselines that were asked for, [n], whatever lies between. */
  difference(): Tensor {
    const valuesOf = (inputs: readonly Tensor[]): Tensor => {
      const isAt = this.#layer !== null && this.#neuron === null;
      return isAt ? this.pick(this.#call(inputs, 1) as Tensor) : this.scores(inputs);
    };
    return withoutTape(() => scope(() => valuesOf(this.#given).sub(valuesOf(this.#baselines))));
  }

  /** As {@link baselines}, of sets of any size. @throws ArgumentError where it is at a layer */
  expectInputs(what: string): void {
    if (this.inputs !== this.#given)
      throw new ArgumentError(`${this.op}: expected ${what} for inputs, got a layer; pass a number, or no layer`);
  }

  /** How many versions of all samples may be tried at once. */
  get together(): number {
    return Math.max(1, Math.floor((this.limit ?? TOGETHER) / this.n));
  }

  /** Calls `fn` for `count` versions in groups of as many as may be tried at once, each in a scope of its own. */
  inGroups<T>(count: number, fn: (from: number, size: number) => T): T[] {
    const results: T[] = [];
    for (let from = 0; from < count; from += this.together)
      results.push(scope(() => fn(from, Math.min(this.together, count - from))));
    return results;
  }

  /** What the model gives for `times` versions of all samples. @throws ArgumentError, DtypeError, ShapeError */
  outputs(inputs: readonly Tensor[], times: number): Tensor {
    const { op, n } = this;
    const rows = times * n;
    const layer = this.#layer;
    const y: unknown = !layer
      ? this.#call(inputs, times)
      : this.#neuron !== null
        ? kept(op, layer, () => this.#call(inputs, times))
        : visited(
            op,
            layer,
            // What comes behind may write in place.
            () => (inputs[0] as Tensor).clone(),
            () =>
              this.#call(
                this.#given.map((x) => repeated(x, times)),
                times,
              ),
          );
    expectSynchronous(op, y);
    if (!(y instanceof Tensor))
      throw new ArgumentError(
        `${op}: expected a model that gives a tensor, got ${describe(y)}; pass a function that calls it and picks one`,
      );
    y.checkAlive();
    if (y.dtype !== 'f32') throw new DtypeError(`${op}: expected a model that gives f32, got ${y.dtype}`);
    if (y.sizes[0] !== rows)
      throw new ShapeError(`${op}: expected an output [${rows}, …] for ${rows} samples, got ${formatShape(y.sizes)}`);
    return y;
  }

  /** What the model itself gives for its inputs, `times` versions of all samples. */
  #call(inputs: readonly Tensor[], times: number): unknown {
    const { model, n } = this;
    const args: unknown[] = [...inputs, ...this.#extra.map((x) => (isOf(n, x) ? repeated(x, times) : x))];
    return model instanceof Module ? forwardOf(model)(...args) : model(...args);
  }

  /** Which outputs count. */
  get target(): Target | null {
    return this.#target;
  }

  /** Finds out which outputs count where nobody says: those that are highest for the inputs. */
  settle(): this {
    if (this.#neuron !== null) return this;
    this.#target ??= scope(() => {
      const y = withoutTape(() => this.outputs(this.inputs, 1));
      return y.size === this.n ? onlyOne : y.ndim === 2 ? argmax(y, 1) : null;
    });
    return this;
  }

  /** The numbers of `times` versions that are explained, [times · n]. */
  scores(inputs: readonly Tensor[], times = 1): Tensor {
    return this.pick(this.outputs(inputs, times), times);
  }

  /** Those of the output `y` of `times` versions. @throws ShapeError, ArgumentError */
  pick(y: Tensor, times = 1): Tensor {
    const { op, target } = this;
    const rows = times * this.n;
    if (this.#neuron !== null) return neuronOf(op, y, this.#neuron);
    if (typeof target === 'function') {
      const picked: unknown = target(y);
      if (!(picked instanceof Tensor && picked.size === rows && picked.dtype === 'f32'))
        throw new ArgumentError(
          `${op}: expected target to give one number for each of ${rows} samples, got ${picked instanceof Tensor ? formatShape(picked.sizes) : describe(picked)}`,
        );
      return picked.reshape([rows]);
    }
    const classes = y.sizes[1];
    if (y.ndim !== 2 || classes === undefined || target === null)
      throw new ShapeError(
        `${op}: expected an output [${rows}, outputs] to pick from, got ${formatShape(y.sizes)}; pass a function as target, such as { target: (y) => … }`,
      );
    if (target instanceof Tensor) return gather(y, 1, repeated(target, times).unsqueeze(1)).squeeze(1);
    const at = (target as number) < 0 ? (target as number) + classes : (target as number);
    if (!(at >= 0 && at < classes))
      throw new ArgumentError(`${op}: expected a target below ${classes}, the number of outputs, got ${target}`);
    return y.select(1, at);
  }

  /** The numbers without history. */
  values(inputs: readonly Tensor[], times = 1): Tensor {
    return withoutTape(() => scope(() => this.scores(inputs, times).clone()));
  }

  /** The gradients of the numbers by `points`, `times` versions of all samples. @throws DtypeError, GradError */
  gradients(points: readonly Tensor[], times = 1): Tensor[] {
    return withTape(true, () =>
      scope(() => {
        const leaves = this.leaves(points);
        return this.slopes(this.scores(leaves, times), leaves);
      }),
    );
  }

  /** The same numbers, by which gradients can be asked for. @throws DtypeError */
  leaves(points: readonly Tensor[]): Tensor[] {
    const whole = points.find(({ dtype }) => dtype !== 'f32');
    if (whole)
      throw new DtypeError(
        `${this.op}: expected inputs of f32, which have gradients, got ${whole.dtype}; explain the embedding of tokens by layerIntegratedGradients() and the like, or use featureAblation()`,
      );
    return points.map((x) => x.detach().requiresGrad_());
  }

  /** The gradients of `scores`, weighed by `by`, by `leaves`: zeros where one takes no part. @throws GradError */
  slopes(scores: Tensor, leaves: readonly Tensor[], by: Tensor = ones(scores.sizes)): Tensor[] {
    if (!scores.requiresGrad)
      throw new GradError(
        `${this.op}: expected an output that depends on the inputs, got one that does not; noGrad() inside of the model and compiled functions leave no history`,
      );
    const found = grad(scores, leaves, { gradOutputs: by, allowUnused: true });
    return found.map((g, i) => g ?? zerosLike(leaves[i] as Tensor));
  }
}

const onlyOne = (y: Tensor): Tensor => y;

type Forward = (...args: unknown[]) => unknown;
const forwardOf = (model: Module): Forward => {
  const { forward } = model as unknown as { forward: Forward };
  return (...args) => forward.apply(model, args);
};

/** Without a history, and in memory of its own. */
const own = (x: Tensor): Tensor => (x.isContiguous() && x.block.bytes < 8 * x.size ? x.detach() : x.clone());

/**
 * Calls `fn` with what was asked for, in parts of at most as many samples as may be at once, and joins what it gives.
 * Nothing else stays.
 * @param targeted whether it has to be known which outputs count
 */
export function explained(asked: Asked, fn: (subject: Subject) => readonly Tensor[], targeted = true): Tensor[] {
  return preserving(asked.model, () =>
    scope(() =>
      withoutTape(() => {
        const whole = new Subject(asked);
        const { n, limit } = whole;
        const ready = (subject: Subject): Subject => (targeted ? subject.settle() : subject);
        if (limit === null || n <= limit) return fn(ready(whole)).map(own);
        const parts: (readonly Tensor[])[] = [];
        for (let from = 0; from < n; from += limit)
          parts.push(scope(() => fn(ready(whole.part(from, Math.min(limit, n - from)))).map(own)));
        return (parts[0] as readonly Tensor[]).map((_, i) => cat(parts.map((part) => part[i] as Tensor)));
      }),
    ),
  );
}
