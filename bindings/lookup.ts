// What a user's words, or a file's, look up.

/** The row of `table` that `key` names, if there is one: 'constructor' and what else all objects have name none. */
export function rowOf<T extends object>(table: T, key: unknown): T[keyof T] | undefined {
  return typeof key === 'string' && Object.hasOwn(table, key) ? table[key as keyof T] : undefined;
}

/** An object for keys from outside: it has no prototype, so that none of them, not even '__proto__', means anything. */
export function record<T>(entries: Iterable<readonly [string, T]> = []): Record<string, T> {
  const result: Record<string, T> = Object.create(null);
  for (const [key, value] of entries) result[key] = value;
  return result;
}

/** Makes a constant that bundlers leave out where nobody reads it. */
/* @__NO_SIDE_EFFECTS__ */
export const optional = <T>(make: () => T): T => make();
