// What every layer is: named parameters, buffers and children, a mode, and a state that can be saved.

import { sameShape } from '../ops/shapes.ts';
import { ArgumentError, formatShape, ShapeError } from '../runtime/errors.ts';
import { recording, runtime } from '../runtime/wasm.ts';
import { Tensor, type TypedArray } from '../tensor.ts';

/** What stateDict() gives and loadStateDict() takes: a tensor, or its shape and numbers. */
export type StateDict = Record<string, Tensor | { readonly shape: readonly number[]; readonly data: TypedArray }>;

/** Base class of all layers (PyTorch's `nn.Module`). Tensors and modules stored in fields are found by their field names. */
export abstract class Module {
  #training = true;
  readonly #buffers = new Set<string>();

  abstract forward(...inputs: Tensor[]): Tensor | readonly unknown[];

  /** Whether dropout drops and batch norm uses its batch; set by train() and eval(). */
  get training(): boolean {
    const mode = this.#training;
    // A program holds for the mode it was recorded in.
    recording()?.guards.push(() => this.#training === mode);
    return mode;
  }

  set training(mode: boolean) {
    this.#training = mode;
  }

  /** Declares that field `name` holds a tensor that is saved but not trained. */
  protected registerBuffer(name: string): void {
    this.#buffers.add(name);
  }

  /** Modules in fields, and in arrays in fields, by name. */
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

  /** Sets training mode here and below. */
  train(mode = true): this {
    for (const [, module] of this.namedModules()) module.training = mode;
    return this;
  }

  /** Sets evaluation mode here and below. */
  eval(): this {
    return this.train(false);
  }

  /** Lets go of all gradients. */
  zeroGrad(): void {
    for (const parameter of this.parameters()) {
      parameter.clearGrad();
    }
  }

  /** Turns gradients of all parameters on or off (freezing). */
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
   * @param strict demand exactly the keys of this module; otherwise missing and unexpected ones are skipped and returned
   * @throws ArgumentError for keys, ShapeError for shapes that differ
   */
  loadStateDict(state: StateDict, { strict = true } = {}): { missing: string[]; unexpected: string[] } {
    return this.prepareStateDict(state, { strict })();
  }

  /** Internal: the checks of loadStateDict(); what it returns does the copying and cannot fail. */
  prepareStateDict(state: StateDict, { strict = true } = {}): () => { missing: string[]; unexpected: string[] } {
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
        write(x, values[i] as TypedArray);
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

/** Overwrites the contents of a contiguous tensor, and tells the tape. */
export function write(x: Tensor, data: ArrayLike<number>): void {
  const { arena, recorder } = runtime();
  recorder?.refuse('loadStateDict', 'load weights outside of the compiled function');
  if (x.dtype === 'f32') arena.f32.set(data, x.address / 4);
  else if (x.dtype === 'i32') arena.i32.set(data, x.address / 4);
  else arena.u8.set(data, x.address);
  x.block.version++;
}
