// What lists of modules and of parameters have in common: their items are properties 0, 1, … of their own.
import { tracing } from '../execute.ts';
import { ArgumentError, typeName } from '../memory/errors.ts';
import { methods } from '../signature.ts';
import { Module } from './module.ts';
import { ITEM_OF, NAME_OF } from './names.ts';

/** A list of T that is a module: indexed as an array, `list[0]`, and iterable. */
export abstract class Indexed<T extends object> extends Module {
  [index: number]: T;

  /** The item that `value` becomes. @throws ArgumentError where it is none @internal */
  abstract [ITEM_OF](op: string, value: unknown): T;

  /** How many items there are. */
  get length(): number {
    tracing()?.dependOn(this);
    let length = 0;
    while (this[length] !== undefined) length++;
    return length;
  }

  /** The item at `index`; negative ones count from the end. @throws ArgumentError where there is none */
  at(index: number): T {
    return this[positionOf(this, 'at', index)] as T;
  }

  /** Adds an item at the end. Returns itself. @throws ArgumentError */
  append(item: T): this {
    this[this.length] = this[ITEM_OF]('append', item);
    return this;
  }

  /** @throws ArgumentError for an item behind a gap @internal */
  override [NAME_OF](field: string): string {
    const { length } = this;
    if (Number(field) >= length)
      throw new ArgumentError(
        `${this.constructor.name}: expected items one after the other, got one at ${field} behind ${length}; use append()`,
      );
    return super[NAME_OF](field);
  }

  static {
    methods(Indexed, 'Sequential', 'at(index: int)', 'append(item: any)');
  }

  /** The items in order. */
  *[Symbol.iterator](): IterableIterator<T> {
    tracing()?.dependOn(this);
    for (let i = 0; this[i] !== undefined; i++) yield this[i] as T;
  }
}

/** Replaces all items of a list. */
export function replaceItems<T extends object, L extends Indexed<T>>(list: L, items: readonly T[]): L {
  const to: Record<number, T> = list;
  for (let i = list.length - 1; i >= items.length; i--) delete to[i];
  for (let i = 0; i < items.length; i++) to[i] = items[i] as T;
  return list;
}

/** Where `index` is, counted from the start. @throws ArgumentError where there is no item */
export function positionOf(list: Indexed<object>, op: string, index: number): number {
  const { length } = list;
  if (!(Number.isInteger(index) && index >= -length && index < length))
    throw new ArgumentError(`${op}: expected a whole number from ${-length} to ${length - 1}, got ${index}`);
  return index < 0 ? index + length : index;
}

/** @throws ArgumentError unless `value` is a module */
export function expectModule(op: string, value: unknown): Module {
  if (!(value instanceof Module)) throw new ArgumentError(`${op}: expected a module, got ${typeName(value)}`);
  return value;
}

/** What containers say that compute nothing. @throws ArgumentError always */
export function noForward(name: string): never {
  throw new ArgumentError(`${name}: expected a module that computes, got a container; call forward of its items`);
}
