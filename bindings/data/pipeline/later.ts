// What comes with its code when it is first asked for: sources that a page may have no use for, or only later.
import type { Source } from './source.ts';

/** What `make` makes of a module once, when it is first needed. */
export class Later<M, T> {
  /** It, when it is there. */
  made: T | null = null;
  readonly #load: () => Promise<M>;
  readonly #make: (module: M) => T;

  constructor(load: () => Promise<M>, make: (module: M) => T) {
    this.#load = load;
    this.#make = make;
  }

  /** @throws what the engine throws where the module cannot be loaded; the next call tries again */
  async get(): Promise<T> {
    const module = await this.#load();
    this.made ??= this.#make(module);
    return this.made;
  }
}

/** A source of which the name is there, and the number of its records where it can be asked for by number. */
export function laterSource<T>(
  name: string,
  own: { get(): Promise<Pick<Source<T>, 'open' | 'get'>> },
  length?: number,
): Source<T> {
  return {
    ...{ name, inputs: [], length },
    open: async (epoch, state) => (await own.get()).open(epoch, state),
    get:
      length === undefined
        ? undefined
        : async (indices, epoch) => {
            const source = await own.get();
            return (source.get as NonNullable<typeof source.get>)(indices, epoch);
          },
  };
}
