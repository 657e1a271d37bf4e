// A model of averaged weights, as PyTorch's swa_utils has it.
import { functionalCall } from '../../autograd/functional-call.ts';
import { ops, withoutTape } from '../../autograd.ts';
import { tracing } from '../../execute.ts';
import { clone, gt, where } from '../../functional/functions.ts';
import { ArgumentError, formatShape, ShapeError } from '../../memory/errors.ts';
import type { Forward } from '../../nn/hooks.ts';
import { Module } from '../../nn/module.ts';
import { ITEMS, NAME_OF } from '../../nn/names.ts';
import { Buffer, buffer, kindOf, Parameter } from '../../nn/parameter.ts';
import { sameShape } from '../../ops/shapes.ts';
import { type Arguments, signature } from '../../signature.ts';
import type { Tensor } from '../../tensor.ts';
import { type AvgFn, getSwaMultiAvgFn, type MultiAvgFn, writeAll } from './averages.ts';

/** Options of {@link AveragedModel}. */
export interface AveragedModelOptions {
  /** The new average of one tensor. @defaultValue null */
  avgFn?: AvgFn | null;
  /** Writes the new averages of all tensors; null, and no avgFn: their means. @defaultValue null */
  multiAvgFn?: MultiAvgFn | null;
  /** Whether buffers are averaged as well; else they are those of the model. @defaultValue false */
  useBuffers?: boolean;
}

const declared = signature(
  'AveragedModel(model: Module, -device: any = null, avgFn: function|null = null, multiAvgFn: function|null = null, useBuffers: bool = false)',
);
const updateTakes = signature('AveragedModel.updateParameters(model: Module)');

/** Stands where the model has a module: has its mode, and tensors of its names. */
class Place extends Module {
  readonly #items = new Map<string, object>();

  forward(..._: never[]): unknown {
    return undefined;
  }

  override [ITEMS](): Iterable<readonly [string, object]> {
    return this.#items;
  }

  override [NAME_OF](name: string): string {
    return name;
  }

  put(name: string, x: object): void {
    this.#items.set(name, x);
  }

  at(name: string): Place {
    const found = this.#items.get(name) ?? new Place();
    this.put(name, found);
    return found as Place;
  }
}

/** Puts copies of the tensors and modes of a model below `root`, by its paths. */
function copyInto(root: Place, model: Module): void {
  const place = (keys: readonly string[]): Place => {
    let at = root;
    for (const key of keys) at = at.at(key);
    return at;
  };
  const copies = new Map<Tensor, Tensor>();
  const copyOf = (x: Tensor): Tensor => {
    const kind = kindOf(x);
    return kind === 'parameter'
      ? new Parameter(clone(x), x.requiresGrad)
      : new Buffer(clone(x), { persistent: kind !== 'transient' });
  };
  // A tensor in two places is one here as well.
  const all = { removeDuplicate: false };
  withoutTape(() => {
    for (const [path, { training }] of model.namedModules(all)) place(path ? path.split('.') : []).training = training;
    for (const [path, x] of [...model.namedParameters(all), ...model.namedBuffers(all)]) {
      const copy = copies.get(x) ?? copyOf(x);
      copies.set(x, copy);
      const keys = path.split('.');
      place(keys.slice(0, -1)).put(keys.at(-1) as string, copy);
    }
  });
}

/**
 * The tensors and modes of a model, copied, and its code: forward is that of the model, with these.
 * @internal
 */
export class Copy<M extends Module = Module> extends Place {
  readonly #original: M;

  constructor(model: M) {
    super();
    this.#original = model;
    copyInto(this as Place, model);
  }

  /** The model whose code it has. */
  get original(): M {
    return this.#original;
  }

  /** What the model gives with these tensors, in these modes. */
  override forward(...args: Parameters<Forward<M>>): ReturnType<Forward<M>> {
    const own = Object.fromEntries([...this.namedParameters(), ...this.namedBuffers()]);
    const modes = new Map(this.namedModules().map(([path, { training }]) => [path, training]));
    const modules = this.original.namedModules();
    try {
      // In front of the mode of the model itself, which programs do not depend on then.
      for (const [path, module] of modules)
        Object.defineProperty(module, 'training', { value: modes.get(path), configurable: true, writable: true });
      return functionalCall(this.original, own, args) as ReturnType<Forward<M>>;
    } finally {
      for (const [, module] of modules) Reflect.deleteProperty(module, 'training');
    }
  }
}

/** @throws ArgumentError, ShapeError unless `current` are tensors such as those of `averaged` */
function checkPairs(averaged: readonly Tensor[], current: readonly Tensor[]): void {
  const op = 'updateParameters';
  if (averaged.length !== current.length)
    throw new ArgumentError(
      `${op}: expected a model with ${averaged.length} parameters and buffers, as the averaged one, got ${current.length}`,
    );
  for (const [i, x] of current.entries()) {
    const { sizes } = averaged[i] as Tensor;
    if (!sameShape(x.sizes, sizes))
      throw new ShapeError(`${op}: expected tensor ${i} of shape ${formatShape(sizes)}, got ${formatShape(x.sizes)}`);
  }
}

/**
 * A model with averages of the weights of another one (PyTorch's `swa_utils.AveragedModel`): of all that it is given,
 * or exponential ones by {@link getEmaMultiAvgFn}. Its parameters, buffers and modes are its own; its code is that of
 * the model, whose forward it calls with them.
 * @example
 * ```ts
 * const model = new nn.Linear(4, 1);
 * const multiAvgFn = optim.swaUtils.getEmaMultiAvgFn(0.99);
 * const ema = new optim.swaUtils.AveragedModel(model, { multiAvgFn });
 * // … after each step of the optimizer
 * ema.updateParameters(model);
 * console.log(ema.forward(randn([2, 4])));
 * ```
 */
export class AveragedModel<M extends Module = Module> extends Module {
  /** The averages, by the paths of the model; its forward is the model's. */
  readonly module: Module & {
    /** What the model gives with the averages. */
    forward(...args: Parameters<Forward<M>>): ReturnType<Forward<M>>;
  };
  /** How many weights are averaged, f32 [] where PyTorch has i64. */
  readonly nAveraged: Buffer;
  readonly #avgFn: AvgFn | null;
  readonly #multiAvgFn: MultiAvgFn;
  readonly #useBuffers: boolean;

  /**
   * @param model whose weights are the first ones
   * @throws ArgumentError for both an avgFn and a multiAvgFn
   */
  constructor(
    ...args: Arguments<
      [model: M],
      [device: null, avgFn: AvgFn | null, multiAvgFn: MultiAvgFn | null, useBuffers: boolean],
      AveragedModelOptions
    >
  ) {
    super();
    type Values = [M, null, AvgFn | null, MultiAvgFn | null, boolean];
    const [model, , avgFn, multiAvgFn, useBuffers] = declared.parse(args) as unknown as Values;
    if (avgFn && multiAvgFn) throw new ArgumentError('AveragedModel: expected avgFn or multiAvgFn, got both');
    this.#avgFn = avgFn;
    this.#multiAvgFn = multiAvgFn ?? getSwaMultiAvgFn();
    this.#useBuffers = useBuffers;
    this.module = new Copy(model);
    this.training = model.training;
    this.nAveraged = this.registerBuffer('nAveraged', buffer([], 0));
  }

  /** What the model gives with the averages. */
  forward(...args: Parameters<Forward<M>>): ReturnType<Forward<M>> {
    return this.module.forward(...args) as ReturnType<Forward<M>>;
  }

  /**
   * Takes the weights of a model into the averages; the first are copied.
   * @throws ArgumentError, ShapeError for a model with other parameters or buffers
   */
  updateParameters(model: Module): void;
  updateParameters(...args: unknown[]): void {
    const [model] = updateTakes.parse(args) as [Module];
    const split = this.#useBuffers ? Number.POSITIVE_INFINITY : this.module.parameters().length;
    const own = [...this.module.parameters(), ...this.module.buffers()].map((x) => x.detach());
    const theirs = [...model.parameters(), ...model.buffers()].map((x) => x.detach());
    checkPairs(own, theirs);
    withoutTape(() => {
      this.#average(own.slice(0, split), theirs.slice(0, split));
      for (let i = split; i < own.length; i++) ops.copy({ y: own[i] as Tensor, x: theirs[i] as Tensor });
      ops.addInto({ y: this.nAveraged, x: ops.full({}, { shape: [], value: 1 }) });
    });
  }

  #average(averaged: readonly Tensor[], current: readonly Tensor[]): void {
    const n = this.nAveraged;
    const at = (i: number): Tensor => current[i] as Tensor;
    // A program runs for the first weights and for others alike.
    const traced = tracing() !== null;
    const first = !traced && n.item() === 0;
    const begun = traced && gt(n, 0);
    const unlessFirst = (x: Tensor, i: number): Tensor => (begun ? where(begun, x, at(i)) : x);
    const avgFn = this.#avgFn;
    if (first) writeAll(averaged, (_, i) => at(i));
    else if (avgFn) writeAll(averaged, (x, i) => unlessFirst(avgFn(x, at(i), n), i));
    else {
      this.#multiAvgFn(averaged, current, n);
      if (traced) writeAll(averaged, unlessFirst);
    }
  }
}
