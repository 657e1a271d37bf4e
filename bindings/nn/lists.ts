// Lists and dictionaries of modules and of parameters.
import { ArgumentError } from '../memory/errors.ts';
import { Tensor } from '../tensor.ts';
import { expectModule, Indexed, noForward } from './indexed.ts';
import { Module } from './module.ts';
import { checkName, type Place } from './names.ts';
import { Parameter } from './parameter.ts';

/** A list whose items come and go. */
abstract class List<T extends object> extends Indexed<T> {
  /** Adds items at the end. Returns itself. @throws ArgumentError before any is added */
  extend(items: Iterable<T>): this {
    return this.replace([...this, ...this.itemsOf('extend', items)]);
  }

  /** Adds an item before the one at `index`. Returns itself. @throws ArgumentError */
  insert(index: number, item: T): this {
    const items = [...this];
    const at = index === items.length ? index : this.position('insert', index, items.length);
    items.splice(at, 0, this.itemOf('insert', item));
    return this.replace(items);
  }

  /** Takes the item at `index` out, and gives it back. @throws ArgumentError where there is none */
  pop(index = -1): T {
    const items = [...this];
    const [item] = items.splice(this.position('pop', index, items.length), 1) as [T];
    this.replace(items);
    return item;
  }

  /** @throws ArgumentError unless all of `values` are items @internal */
  protected itemsOf(op: string, values: Iterable<unknown>): T[] {
    if (typeof values !== 'object' || values === null || !(Symbol.iterator in values))
      throw new ArgumentError(
        `${this.constructor.name}.${op}: expected a list, got ${values === null ? 'null' : typeof values}`,
      );
    return Array.from(values, (value) => this.itemOf(op, value));
  }
}

/**
 * A list of modules, named `0`, `1`, … (PyTorch's `nn.ModuleList`). An array in a field does as well.
 * @example
 * ```ts
 * const layers = new nn.ModuleList([new nn.Linear(4, 4), new nn.Linear(4, 2)]);
 * layers.append(new nn.Linear(2, 1));
 * let x = randn([3, 4]);
 * for (const layer of layers) x = layer.forward(x);
 * ```
 */
export class ModuleList<T extends Module = Module> extends List<T> {
  constructor(modules: Iterable<T> = []) {
    super();
    this.replace(this.itemsOf('constructor', modules));
  }

  /** @internal */
  protected itemOf(op: string, value: unknown): T {
    return expectModule(`ModuleList.${op}`, value) as T;
  }

  /** @throws ArgumentError always: a list computes nothing */
  forward(): never {
    noForward('ModuleList');
  }
}

const asParameter = (op: string, value: unknown): Parameter => {
  if (!(value instanceof Tensor))
    throw new ArgumentError(`${op}: expected a tensor, got ${value === null ? 'null' : typeof value}`);
  return value instanceof Parameter ? value : new Parameter(value);
};

/** A list of parameters, named `0`, `1`, … (PyTorch's `nn.ParameterList`). Other tensors become parameters. */
export class ParameterList extends List<Parameter> {
  constructor(values: Iterable<Tensor> = []) {
    super();
    this.replace(this.itemsOf('constructor', values));
  }

  /** @internal */
  protected itemOf(op: string, value: unknown): Parameter {
    return asParameter(`ParameterList.${op}`, value);
  }

  /** @throws ArgumentError always: a list computes nothing */
  forward(): never {
    noForward('ParameterList');
  }
}

/** Items by key, in the order in which they came; as a Map has them. */
abstract class Keyed<T extends object> extends Module {
  readonly #items = new Map<string, T>();

  /** The item that `value` becomes. @throws ArgumentError where it is none @internal */
  protected abstract itemOf(op: string, value: unknown): T;

  /** @internal */
  protected override fields(): Omit<Place, 'unfit'>[] {
    return [...super.fields(), ...[...this.#items].map(([name, value]) => ({ name, field: name, value }))];
  }

  /** How many items there are. */
  get size(): number {
    return this.#items.size;
  }

  /** The item of `key`, or undefined. */
  get(key: string): T | undefined {
    return this.#items.get(key);
  }

  /** Whether there is an item of `key`. */
  has(key: string): boolean {
    return this.#items.has(key);
  }

  /** Puts an item at `key`. Returns itself. @throws ArgumentError where it is none, or the key has a dot */
  set(key: string, item: T): this {
    const op = `${this.constructor.name}.set`;
    checkName(op, key);
    this.#items.set(key, this.itemOf(op, item));
    return this;
  }

  /** Takes the item of `key` out. @returns whether there was one */
  delete(key: string): boolean {
    return this.#items.delete(key);
  }

  /** Takes all items out. */
  clear(): void {
    this.#items.clear();
  }

  /** Puts all items of an object or a Map. Returns itself. @throws ArgumentError before any is put */
  update(items: Readonly<Record<string, T>> | Iterable<readonly [string, T]>): this {
    const op = `${this.constructor.name}.update`;
    if (typeof items !== 'object' || items === null)
      throw new ArgumentError(`${op}: expected an object or a Map, got ${items === null ? 'null' : typeof items}`);
    const entries = [...(Symbol.iterator in items ? (items as Iterable<readonly [string, T]>) : Object.entries(items))];
    for (const entry of entries) {
      if (!Array.isArray(entry) || entry.length !== 2)
        throw new ArgumentError(`${op}: expected pairs of key and item, got ${typeof entry}`);
      checkName(op, entry[0]);
    }
    const made = entries.map(([key, item]) => [key, this.itemOf(op, item)] as const);
    for (const [key, item] of made) this.#items.set(key, item);
    return this;
  }

  /** The keys in order. */
  keys(): IterableIterator<string> {
    return this.#items.keys();
  }

  /** The items in order. */
  values(): IterableIterator<T> {
    return this.#items.values();
  }

  /** Keys and items in order. */
  entries(): IterableIterator<[string, T]> {
    return this.#items.entries();
  }

  /** Keys and items in order, as a Map gives them. */
  [Symbol.iterator](): IterableIterator<[string, T]> {
    return this.#items.entries();
  }

  /** @throws ArgumentError always: a dictionary computes nothing */
  forward(): never {
    noForward(this.constructor.name);
  }
}

/** Modules by key (PyTorch's `nn.ModuleDict`). An object or a Map in a field does as well. */
export class ModuleDict<T extends Module = Module> extends Keyed<T> {
  constructor(modules: Readonly<Record<string, T>> | Iterable<readonly [string, T]> = []) {
    super();
    this.update(modules);
  }

  /** @internal */
  protected itemOf(op: string, value: unknown): T {
    return expectModule(op, value) as T;
  }
}

/** Parameters by key (PyTorch's `nn.ParameterDict`). Other tensors become parameters. */
export class ParameterDict extends Keyed<Parameter> {
  constructor(values: Readonly<Record<string, Tensor>> | Iterable<readonly [string, Tensor]> = []) {
    super();
    this.update(values);
  }

  /** @internal */
  protected itemOf(op: string, value: unknown): Parameter {
    return asParameter(op, value);
  }
}
