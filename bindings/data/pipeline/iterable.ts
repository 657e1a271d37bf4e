// What JavaScript iterates over, now or later.

/** What can be iterated over, now or later. */
export type AnyIterable<T> = Iterable<T> | AsyncIterable<T>;

/** What begins a pass. */
export type Begin = (epoch: number) => AnyIterable<unknown> | Promise<AnyIterable<unknown>>;

export const isIterable = (x: unknown): x is AnyIterable<unknown> => {
  const { [Symbol.iterator]: now, [Symbol.asyncIterator]: later } = (x ?? {}) as Partial<
    Iterable<unknown> & AsyncIterable<unknown>
  >;
  return typeof now === 'function' || typeof later === 'function';
};
