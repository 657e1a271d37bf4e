// Lists and dictionaries of modules and of parameters.
import { tracing } from '../execute.ts';
import { isPlain, type Kind } from '../kinds.ts';
import { ArgumentError, typeName } from '../memory/errors.ts';
import { type Arguments, signature } from '../signature.ts';
import { Tensor } from '../tensor.ts';
import { expectModule, Indexed, noForward, positionOf, replaceItems } from './indexed.ts';
import { Module } from './module.ts';
import { checkName, ITEM_OF, ITEMS, NAME_OF } from './names.ts';
import { Parameter } from './parameter.ts';

/** Options of {@link ModuleList.pop}. */
export interface PopOptions {
  /** Which item; negative ones count from the end. @defaultValue -1 */
  index?: number;
}

const ofExtend = signature('ModuleList.extend(items: any)');
const ofInsert = signature('ModuleList.insert(index: int, item: any)');
const ofPop = signature('ModuleList.pop(index: int = -1)');
const ofModuleList = signature('ModuleList(modules: any = [])');
const ofParameterList = signature('ParameterList(values: any = [])');

/** `values` as items of a list. @throws ArgumentError where one is none */
function itemsOf<T extends object>(list: Indexed<T>, op: string, values: Iterable<unknown>): T[] {
  if (typeof values !== 'object' || values === null || !(Symbol.iterator in values))
    throw new ArgumentError(`${op}: expected a list, got ${typeName(values)}`);
  return Array.from(values, (value) => list[ITEM_OF](op, value));
}

/** A list whose items come and go. */
abstract class List<T extends object> extends Indexed<T> {
  /** Adds items at the end. Returns itself. @throws ArgumentError before any is added */
  extend(...args: [items: Iterable<T>]): this {
    const [items] = ofExtend.parse(args) as typeof args;
    return replaceItems(this, [...this, ...itemsOf(this, 'extend', items)]);
  }

  /** Adds an item before the one at `index`. Returns itself. @throws ArgumentError */
  insert(...args: [index: number, item: T]): this {
    const [index, item] = ofInsert.parse(args) as typeof args;
    const items = [...this];
    const at = index === items.length ? index : positionOf(this, 'insert', index);
    items.splice(at, 0, this[ITEM_OF]('insert', item));
    return replaceItems(this, items);
  }

  /** Takes the item at `index` out, and gives it back. @throws ArgumentError where there is none */
  pop(...args: Arguments<[], [index: number], PopOptions>): T {
    const [index] = ofPop.parse(args) as [number];
    const items = [...this];
    const [item] = items.splice(positionOf(this, 'pop', index), 1) as [T];
    replaceItems(this, items);
    return item;
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
  /** A list of modules. @throws ArgumentError */
  constructor(...args: [modules?: Iterable<T>]) {
    super();
    const [modules] = ofModuleList.parse(args) as [Iterable<T>];
    replaceItems(this, itemsOf(this, 'constructor', modules));
  }

  /** @internal */
  [ITEM_OF](op: string, value: unknown): T {
    return expectModule(op === 'constructor' ? 'ModuleList' : `ModuleList.${op}`, value) as T;
  }

  /** @throws ArgumentError always: a list computes nothing */
  forward(): never {
    noForward('ModuleList');
  }
}

const asParameter = (op: string, value: unknown): Parameter => {
  if (!(value instanceof Tensor)) throw new ArgumentError(`${op}: expected a tensor, got ${typeName(value)}`);
  return value instanceof Parameter ? value : new Parameter(value);
};

/** A list of parameters, named `0`, `1`, … (PyTorch's `nn.ParameterList`). Other tensors become parameters. */
export class ParameterList extends List<Parameter> {
  /** A list of parameters. @throws ArgumentError */
  constructor(...args: [values?: Iterable<Tensor>]) {
    super();
    const [values] = ofParameterList.parse(args) as [Iterable<Tensor>];
    replaceItems(this, itemsOf(this, 'constructor', values));
  }

  /** @internal */
  [ITEM_OF](op: string, value: unknown): Parameter {
    return asParameter(`ParameterList.${op}`, value);
  }

  /** @throws ArgumentError always: a list computes nothing */
  forward(): never {
    noForward('ParameterList');
  }
}

const ofGet = signature('ModuleDict.get(key: string)');
const ofHas = signature('ModuleDict.has(key: string)');
const ofSet = signature('ModuleDict.set(key: string, item: any)');
const ofDelete = signature('ModuleDict.delete(key: string)');
const entries: Kind = [
  (x) => isPlain(x) || (typeof x === 'object' && x !== null && Symbol.iterator in x),
  'an object, a Map or a list of pairs',
];
const ofClear = signature('ModuleDict.clear()');
const ofKeys = signature('ModuleDict.keys()');
const ofValues = signature('ModuleDict.values()');
const ofEntries = signature('ModuleDict.entries()');
const ofUpdate = signature('ModuleDict.update(items: entries)', { entries });
const ofModuleDict = signature('ModuleDict(modules: entries)', { entries });
const ofParameterDict = signature('ParameterDict(values: entries)', { entries });

/** What a dictionary may be made of. */
export type Entries<T> = Readonly<Record<string, T>> | Iterable<readonly [string, T]>;

/** Items by key, in the order in which they came; as a Map has them. */
abstract class Keyed<T extends object> extends Module {
  readonly #items = new Map<string, T>();
  /** How often items have changed. */
  #version = 0;

  /** The item that `value` becomes. @throws ArgumentError where it is none @internal */
  abstract [ITEM_OF](op: string, value: unknown): T;

  /** @internal */
  override [ITEMS](): Iterable<readonly [string, object]> {
    return this.#items;
  }

  /** @internal */
  override [NAME_OF](field: string): string {
    return this.#items.has(field) ? field : super[NAME_OF](field);
  }

  /** The items, of which a program that is traced depends. */
  #read(): Map<string, T> {
    const version = this.#version;
    tracing()?.guard(() => this.#version === version);
    return this.#items;
  }

  /** How many items there are. */
  get size(): number {
    return this.#read().size;
  }

  /** The item of `key`, or undefined. */
  get(...args: [key: string]): T | undefined {
    return this.#read().get(ofGet.parse(args)[0] as string);
  }

  /** Whether there is an item of `key`. */
  has(...args: [key: string]): boolean {
    return this.#read().has(ofHas.parse(args)[0] as string);
  }

  /** Puts an item at `key`. Returns itself. @throws ArgumentError where it is none, or the key has a dot */
  set(...args: [key: string, item: T]): this {
    const [key, item] = ofSet.parse(args) as typeof args;
    const op = 'set';
    checkName(op, key);
    const made = this[ITEM_OF](op, item);
    this.#version++;
    this.#items.set(key, made);
    return this;
  }

  /** Takes the item of `key` out. @returns whether there was one */
  delete(...args: [key: string]): boolean {
    this.#version++;
    return this.#items.delete(ofDelete.parse(args)[0] as string);
  }

  /** Takes all items out. */
  clear(...args: []): void {
    ofClear.parse(args);
    this.#version++;
    this.#items.clear();
  }

  /** Puts all items of an object or a Map. Returns itself. @throws ArgumentError before any is put */
  update(...args: [items: Entries<T>]): this {
    const [items] = ofUpdate.parse(args) as typeof args;
    const op = 'update';
    const pairs = [...(Symbol.iterator in items ? (items as Iterable<readonly [string, T]>) : Object.entries(items))];
    for (const entry of pairs) {
      if (!Array.isArray(entry) || entry.length !== 2)
        throw new ArgumentError(`${op}: expected pairs of key and item, got ${typeof entry}`);
      checkName(op, entry[0]);
    }
    const made = pairs.map(([key, item]) => [key, this[ITEM_OF](op, item)] as const);
    this.#version++;
    for (const [key, item] of made) this.#items.set(key, item);
    return this;
  }

  /** The keys in order. */
  keys(...args: []): IterableIterator<string> {
    ofKeys.parse(args);
    return this.#read().keys();
  }

  /** The items in order. */
  values(...args: []): IterableIterator<T> {
    ofValues.parse(args);
    return this.#read().values();
  }

  /** Keys and items in order. */
  entries(...args: []): IterableIterator<[string, T]> {
    ofEntries.parse(args);
    return this.#read().entries();
  }

  /** Keys and items in order, as a Map gives them. */
  [Symbol.iterator](): IterableIterator<[string, T]> {
    return this.#read().entries();
  }

  /** @throws ArgumentError always: a dictionary computes nothing */
  forward(): never {
    noForward(this.constructor.name);
  }
}

/** Modules by key (PyTorch's `nn.ModuleDict`). An object or a Map in a field does as well. */
export class ModuleDict<T extends Module = Module> extends Keyed<T> {
  /** A dictionary of modules. @throws ArgumentError */
  constructor(...args: [modules?: Entries<T>]) {
    super();
    if (args.length > 0) this.update((ofModuleDict.parse(args) as [Entries<T>])[0]);
  }

  /** @internal */
  [ITEM_OF](op: string, value: unknown): T {
    return expectModule(op, value) as T;
  }
}

/** Parameters by key (PyTorch's `nn.ParameterDict`). Other tensors become parameters. */
export class ParameterDict extends Keyed<Parameter> {
  /** A dictionary of parameters. @throws ArgumentError */
  constructor(...args: [values?: Entries<Tensor>]) {
    super();
    if (args.length > 0) this.update((ofParameterDict.parse(args) as [Entries<Tensor>])[0]);
  }

  /** @internal */
  [ITEM_OF](op: string, value: unknown): Parameter {
    return asParameter(op, value);
  }
}
