// What the methods of pipelines take by name.

/** Options of {@link Pipeline.batch}. */
export interface BatchOptions<T = unknown, B = unknown> {
  /** Whether a last batch that is not full is left out. @defaultValue false */
  dropLast?: boolean;
  /**
   * Makes the batch of its records, or promises it. null: numbers become typed arrays, arrays of one shape an
   * {@link NdArray}, strings a list, objects and lists are batched by keys and places.
   * @defaultValue null
   */
  collate?: ((records: readonly T[]) => B | PromiseLike<B>) | null;
}

/** Options of {@link Pipeline.window}. */
export interface WindowOptions<T = unknown, B = unknown> extends BatchOptions<T, B> {
  /** How far the first record of a window is from that of the one before. @defaultValue 1 */
  stride?: number;
  /** Whether the last windows, which are not full, are left out. @defaultValue true */
  dropLast?: boolean;
}

/** Options of {@link Pipeline.bucketByLength}. */
export interface BucketOptions<T = unknown, B = unknown> extends BatchOptions<T, B> {
  /** Records that are sorted at a time. null: 100 batches. @defaultValue null */
  windowSize?: number | null;
  /** Seed of the order of batches; null: one from the default generator. @defaultValue null */
  seed?: number | null;
}

/** Options of {@link Pipeline.interleave}. */
export interface InterleaveOptions {
  /** How likely each is the next, this pipeline first, in any unit; null: they take turns. @defaultValue null */
  weights?: readonly number[] | null;
  /** Seed of the choices; null: one from the default generator. @defaultValue null */
  seed?: number | null;
  /** Whether it ends with the first that ends, or with the last. @defaultValue `'all'` */
  until?: 'first' | 'all';
}

/** Options of {@link Pipeline.shuffle}. */
export interface ShuffleOptions {
  /**
   * Records of a window, which is read whole and given in random order. null: all, where the source has random access,
   * else 10,000.
   * @defaultValue null
   */
  bufferSize?: number | null;
  /** Seed of the orders; null: one from the default generator. @defaultValue null */
  seed?: number | null;
}
