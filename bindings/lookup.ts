// Tables that a user's words look things up in.

/** The row of `table` that `key` names, if there is one: 'constructor' and what else all objects have name none. */
export function rowOf<T extends object>(table: T, key: unknown): T[keyof T] | undefined {
  return typeof key === 'string' && Object.hasOwn(table, key) ? table[key as keyof T] : undefined;
}

/** An object for keys from outside: it has no prototype, so that none of them, not even '__proto__', means anything. */
export const record = <T>(entries: Iterable<readonly [string, T]> = []): Record<string, T> => {
  const result: Record<string, T> = Object.create(null);
  for (const [key, value] of entries) result[key] = value;
  return result;
};

/** Whether `value` is what `{ … }` or Object.create(null) makes, rather than an instance of a class. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return false;
  const prototype = Object.getPrototypeOf(value);
  // Objects of another realm, such as a frame or a test's sandbox, have an Object.prototype of their own.
  return (
    prototype === null || (Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, 'hasOwnProperty'))
  );
}

/** A value in a few words, for errors. */
export function nameOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (typeof value === 'function') return 'a function';
  if (typeof value !== 'object') return String(value);
  if (Array.isArray(value)) return 'an array';
  const name = value.constructor?.name;
  return typeof name === 'string' && name !== '' && !isRecord(value) ? `a ${name}` : 'an object';
}
