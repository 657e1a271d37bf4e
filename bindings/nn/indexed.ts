// What lists of modules and of parameters have in common: their items are properties 0, 1, … of their own.
import { tracing } from '../execute.ts';
import { ArgumentError } from '../memory/errors.ts';
import { methods } from '../signature.ts';
import { Module } from './module.ts';

/** A list of T that is a module: indexed as an array, `list[0]`, and iterable. */
export abstract class Indexed<T extends object> extends Module {
  [index: number]: T;

  /** The item that `value` becomes. @throws ArgumentError where it is none @internal */
  protected abstract itemOf(op: string, value: unknown): T;

  /** How many items there are. */
  get length(): number {
    tracing()?.dependOn(this);
    let length = 0;
    while (this[length] !== undefined) length++;
    return length;
  }

  /** Replaces all items. @internal */
  protected replace(items: readonly T[]): this {
    const { length } = this;
    for (let i = items.length; i < length; i++) delete this[i];
    for (let i = 0; i < items.length; i++) this[i] = items[i] as T;
    return this;
  }

  /** Where `index` is, counted from the start. @throws ArgumentError where there is no item @internal */
  protected position(op: string, index: number, length: number): number {
    if (!(Number.isInteger(index) && index >= -length && index < length))
      throw new ArgumentError(
        `${this.constructor.name}.${op}: expected a whole number from ${-length} to ${length - 1}, got ${index}`,
      );
    return index < 0 ? index + length : index;
  }

  /** The item at `index`; negative ones count from the end. @throws ArgumentError where there is none */
  at(index: number): T {
    return this[this.position('at', index, this.length)] as T;
  }

  /** Adds an item at the end. Returns itself. @throws ArgumentError */
  append(item: T): this {
    this[this.length] = this.itemOf('append', item);
    return this;
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

/** @throws ArgumentError unless `value` is a module */
export function expectModule(op: string, value: unknown): Module {
  if (!(value instanceof Module))
    throw new ArgumentError(`${op}: expected a module, got ${value === null ? 'null' : typeof value}`);
  return value;
}

/** What containers say that compute nothing. @throws ArgumentError always */
export function noForward(name: string): never {
  throw new ArgumentError(`${name}: expected a module that computes, got a container; call forward of its items`);
}
