// What is asked of objects that users give.
import { meant, orList } from '../kinds.ts';
import { ArgumentError, describe } from '../memory/errors.ts';

/** @throws ArgumentError for a key of `options` that is none of `keys` */
export function expectKeys(what: string, options: object, keys: readonly string[]): void {
  for (const key of Object.keys(options)) {
    if (keys.includes(key)) continue;
    const near = meant(key, keys);
    throw new ArgumentError(
      `Trainer: expected ${orList(keys)} in ${what}, got '${key}'${near ? `; did you mean ${near}?` : ''}`,
    );
  }
}

/** @throws ArgumentError where one of `objects` lacks a method */
export function expectMethods(op: string, what: string, objects: readonly unknown[], methods: readonly string[]): void {
  for (const each of objects)
    for (const name of methods)
      if (typeof Object(each)[name] !== 'function')
        throw new ArgumentError(`${op}: expected ${what} with a method ${name}, got ${describe(each)}`);
}
