// What a trace depends on besides tensors and arguments, as far as it can be seen: the fields of the modules whose
// forward ran, and lists such as the parameters of an optimizer. They are noted when the trace first meets them and
// compared before each run, by values, as anybody may write them.

import { isPlain } from '../kinds.ts';
import type { Owner } from '../memory/arena.ts';
import { Tensor } from '../tensor.ts';

/** Longer lists count as one value: to compare them would take longer than to run a small program. */
const LONGEST = 256;

/** Arrays, also of numbers, that are not too long, and modules that are indexed as they are. */
const isListLike = (x: unknown): x is { readonly length: number } =>
  typeof x === 'object' &&
  x !== null &&
  Symbol.iterator in x &&
  !(x instanceof Tensor) &&
  ((x as { length?: unknown }).length as number) <= LONGEST;

export class Watch {
  // Three lists and not one of objects: they are gone through before each run.
  readonly #objects: object[] = [];
  readonly #keys: (string | number)[] = [];
  readonly #values: unknown[] = [];
  readonly #maps: [map: Map<unknown, unknown> | Set<unknown>, entries: readonly [unknown, unknown][]][] = [];
  /** Fields that hold results. */
  readonly #results: [object: object, key: string, value: unknown][] = [];
  readonly #seen = new Set<object>();

  /** Notes the fields of an object, or what a map holds; of fields that hold lists and the like, what those hold. */
  note(object: object): void {
    if (this.#seen.has(object)) return;
    this.#seen.add(object);
    if (object instanceof Map || object instanceof Set) {
      this.#maps.push([object, [...object.entries()]]);
      return;
    }
    if (Array.isArray(object)) this.#add(object, 'length', object.length);
    else if (isListLike(object)) this.#add(object, object.length, undefined); // an item more
    for (const [key, value] of Object.entries(object)) {
      this.#add(object, Array.isArray(object) ? Number(key) : key, value);
      if (value instanceof Map || value instanceof Set || isPlain(value) || isListLike(value)) this.note(value);
    }
  }

  /** Notes some fields of an object and, of lists, which items they hold. */
  noteFields(object: object, fields: readonly string[]): void {
    if (this.#seen.has(object)) return;
    this.#seen.add(object);
    for (const field of fields) {
      const value = Reflect.get(object, field);
      this.#add(object, field, value);
      if (!Array.isArray(value)) continue;
      this.#add(value, 'length', value.length);
      value.forEach((item, i) => {
        this.#add(value, i, item);
      });
    }
  }

  #add(object: object, key: string | number, value: unknown): void {
    this.#objects.push(object);
    this.#keys.push(key);
    this.#values.push(value);
  }

  /**
   * Fields in which the function left tensors of the trace of `owner` say nothing: it puts others there each time.
   */
  setResultsApart(owner: Owner): void {
    let kept = 0;
    for (let i = 0; i < this.#objects.length; i++) {
      const [object, key, value] = [this.#objects[i] as object, this.#keys[i] as string, this.#values[i]];
      const now = Reflect.get(object, key);
      if (now instanceof Tensor && now.block.origin === owner) {
        this.#results.push([object, key, value]);
        continue;
      }
      this.#objects[kept] = object;
      this.#keys[kept] = key;
      this.#values[kept++] = value;
    }
    this.#objects.length = kept;
    this.#keys.length = kept;
    this.#values.length = kept;
  }

  /** Whether all is as it was. */
  holds(): boolean {
    const [objects, keys, values] = [this.#objects, this.#keys, this.#values];
    for (let i = 0; i < objects.length; i++) {
      const now = (objects[i] as Record<string | number, unknown>)[keys[i] as string | number];
      if (now !== values[i] && !Object.is(now, values[i])) return false;
    }
    for (const [map, entries] of this.#maps)
      if (
        map.size !== entries.length ||
        entries.some(([key, value]) => (map instanceof Map ? map.get(key) !== value : !map.has(key)))
      )
        return false;
    return true;
  }

  /** Puts back what was there. @param results also where the function left tensors of the trace */
  restore(results: boolean): void {
    for (let i = this.#objects.length - 1; i >= 0; i--)
      setBack(this.#objects[i] as object, this.#keys[i] as string, this.#values[i]);
    if (results) for (const [object, key, value] of this.#results) setBack(object, key, value);
  }
}

function setBack(object: object, key: string, value: unknown): void {
  if (!Object.is(Reflect.get(object, key), value)) Reflect.set(object, key, value);
}
