// What every layer is: named parameters, buffers and children, a mode, and a state that can be saved.

import { insideModule, tracing, upload, wantsModules } from '../execute.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { sameShape } from '../ops/shapes.ts';
import { Tensor, type TypedArray } from '../tensor.ts';

/** A tensor's numbers, as files give them. */
export interface SavedTensor {
  /** Sizes, outermost first. */
  readonly shape: readonly number[];
  /** The elements in row-major order. */
  readonly data: TypedArray;
}

/** What stateDict() gives and loadStateDict() takes: tensors, or their numbers, by PyTorch's keys. */
export type StateDict = Record<string, Tensor | SavedTensor>;

/** Options of {@link Module.loadStateDict}. */
export interface LoadOptions {
  /**
   * Whether the keys have to be exactly those of the module; otherwise missing and unexpected ones are skipped.
   * @defaultValue true
   */
  strict?: boolean;
}

/** What {@link Module.loadStateDict} skipped. */
export interface LoadResult {
  /** Keys of the module that the saved state lacks. */
  missing: string[];
  /** Keys of the saved state that the module lacks. */
  unexpected: string[];
}

/**
 * Base class of all layers (PyTorch's `nn.Module`). Tensors and modules stored in fields are found by their field
 * names.
 * `forward` takes and returns whatever the author of a module declares.
 * @example
 * ```ts
 * class Residual extends nn.Module {
 *   readonly inner = new nn.Linear(64, 64);
 *   forward(x: Tensor, scale: number) {
 *     return x.add(this.inner.forward(x).relu().mul(scale));
 *   }
 * }
 * const y = new Residual().forward(randn([8, 64]), 0.5);
 * ```
 */
export abstract class Module {
  #training = true;
  readonly #buffers = new Set<string>();

  constructor() {
    // Users call forward itself: an own one stands before the author's, so that traces and profiles know whose ops run.
    const { forward } = this;
    Object.defineProperty(this, 'forward', {
      value: (...args: never[]): unknown =>
        wantsModules() ? insideModule(this, () => forward.apply(this, args)) : forward.apply(this, args),
      configurable: true,
      writable: true,
    });
  }

  /** What the module does; its author declares what it takes and returns. */
  abstract forward(...args: never[]): unknown;

  /** Whether dropout drops and batch norm uses its batch; set by {@link train} and {@link eval}. */
  get training(): boolean {
    const mode = this.#training;
    // A program holds for the mode it was recorded in.
    tracing()?.guard(() => this.#training === mode);
    return mode;
  }

  /** Sets the mode of this module alone; see {@link train}. */
  set training(mode: boolean) {
    this.#training = mode;
  }

  /** Declares that the field `name` holds a tensor that is saved but not trained. */
  protected registerBuffer(name: string): void {
    this.#buffers.add(name);
  }

  /** The modules in fields, by the names of the fields. */
  namedChildren(): [string, Module][] {
    return Object.entries(this).filter((entry): entry is [string, Module] => entry[1] instanceof Module);
  }

  /** This module and all below it, by dotted path; '' is this one. */
  *namedModules(prefix = ''): Generator<[string, Module]> {
    yield [prefix, this];
    for (const [name, child] of this.namedChildren()) yield* child.namedModules(prefix ? `${prefix}.${name}` : name);
  }

  *#ownTensors(buffers: boolean): Generator<[string, Tensor]> {
    for (const [name, value] of Object.entries(this))
      if (
        value instanceof Tensor &&
        this.#buffers.has(name) === buffers &&
        (buffers || value.requiresGrad || value.isLeaf)
      )
        yield [name, value];
  }

  /** Trained tensors by dotted path, such as `0.weight`. A tensor used in two places is listed once. */
  namedParameters(): [string, Tensor][] {
    return [...this.#named(false)];
  }

  /** Saved but untrained tensors by dotted path, such as `1.runningMean`. */
  namedBuffers(): [string, Tensor][] {
    return [...this.#named(true)];
  }

  *#named(buffers: boolean): Generator<[string, Tensor]> {
    const seen = new Set<Tensor>();
    for (const [path, module] of this.namedModules())
      for (const [name, x] of module.#ownTensors(buffers)) {
        if (seen.has(x)) continue;
        seen.add(x);
        yield [path ? `${path}.${name}` : name, x];
      }
  }

  /** Trained tensors, as optimizers take them. */
  parameters(): Tensor[] {
    return this.namedParameters().map(([, x]) => x);
  }

  /** Sets training mode, or with `false` evaluation mode, here and below. Returns itself. */
  train(mode = true): this {
    for (const [, module] of this.namedModules()) module.training = mode;
    return this;
  }

  /** Sets evaluation mode here and below. Returns itself. */
  eval(): this {
    return this.train(false);
  }

  /** Lets go of all gradients. */
  zeroGrad(): void {
    for (const parameter of this.parameters()) {
      parameter.clearGrad();
    }
  }

  /** Turns gradients of all parameters on or off (freezing). Returns itself. */
  requiresGrad_(on = true): this {
    for (const parameter of this.parameters()) parameter.requiresGrad_(on);
    return this;
  }

  /** The tensors themselves (not copies) under PyTorch's keys, such as `0.weight` and `1.running_mean`. */
  stateDict(): Record<string, Tensor> {
    const state: Record<string, Tensor> = {};
    for (const [path, module] of this.namedModules())
      for (const buffers of [false, true])
        for (const [name, x] of module.#ownTensors(buffers))
          state[[path, name].filter(Boolean).map(snakeCase).join('.')] = x;
    return state;
  }

  /**
   * Copies saved values into the tensors of this module. Everything is checked before anything is written.
   * @returns the keys that were skipped
   * @throws ArgumentError for keys, ShapeError for shapes that differ
   */
  loadStateDict(state: StateDict, options: LoadOptions = {}): LoadResult {
    return this.prepareStateDict(state, options)();
  }

  /** The checks of loadStateDict(); what it returns does the copying and cannot fail. @internal */
  prepareStateDict(state: StateDict, { strict = true }: LoadOptions = {}): () => LoadResult {
    const own = this.stateDict();
    const missing = Object.keys(own).filter((key) => !Object.hasOwn(state, key));
    const unexpected = Object.keys(state).filter((key) => !Object.hasOwn(own, key));
    if (strict && missing.length + unexpected.length > 0)
      throw new ArgumentError(
        `loadStateDict: expected the keys of this module, got ${missing.length ? `none for ${missing.join(', ')}` : ''}` +
          `${missing.length && unexpected.length ? ' and ' : ''}${unexpected.length ? `also ${unexpected.join(', ')}` : ''}; pass { strict: false } to skip them`,
      );
    const pairs = Object.entries(own).filter(([key]) => Object.hasOwn(state, key));
    const values = pairs.map(([key, x]) => {
      const { shape, data } = state[key] as { shape: readonly number[]; data: TypedArray };
      if (!sameShape(shape, x.shape))
        throw new ShapeError(
          `loadStateDict: expected ${key} of shape ${formatShape(x.shape)}, got ${formatShape(shape)}`,
        );
      if (data.length !== x.size)
        throw new ShapeError(`loadStateDict: expected ${x.size} numbers for ${key}, got ${data.length}`);
      return data;
    });
    return () => {
      pairs.forEach(([, x], i) => {
        upload(x, values[i] as TypedArray);
      });
      return { missing, unexpected };
    };
  }

  /** `Linear(...)` and the like, one child a line. */
  toString(): string {
    const children = this.namedChildren().map(
      ([name, child]) => `  (${name}): ${String(child).replaceAll('\n', '\n  ')}`,
    );
    const head = `${this.constructor.name}(${this.describe()}`;
    return children.length > 0 ? `${head}\n${children.join('\n')}\n)` : `${head})`;
  }

  /** What stands between the brackets in toString(). */
  protected describe(): string {
    return '';
  }

  /** Gives back the memory of all parameters and buffers. */
  dispose(): void {
    for (const [, x] of [...this.namedParameters(), ...this.namedBuffers()]) x.dispose();
  }
}

const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
