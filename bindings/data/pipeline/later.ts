// What comes with its code when it is first asked for: sources that a page may have no use for, or only later, and what
// stages do.
import type { Run, Source } from './source.ts';

/** Something that comes when it is asked for. */
export interface Coming<T> {
  /** It, when it is there. */
  readonly made: T | null;
  get(): Promise<T>;
}

/** What `make` makes of a module once, when it is first needed. */
export class Later<M, T> implements Coming<T> {
  made: T | null = null;
  readonly #load: () => Promise<M>;
  readonly #make: (module: M) => T;

  constructor(load: () => Promise<M>, make: (module: M) => T) {
    this.#load = load;
    this.#make = make;
  }

  /** @throws what the engine throws where the module cannot be loaded; the next call tries again */
  async get(): Promise<T> {
    const module = this.made ?? (await this.#load());
    this.made ??= this.#make(module as M);
    return this.made;
  }
}

/** What a source is before it is read. */
export interface Known extends Pick<Source<unknown>, 'length' | 'seed' | 'fresh'> {
  readonly inputs?: Source<unknown>['inputs'];
  /** Whether its records can be asked for by number. */
  readonly get?: unknown;
}

/** A source that is made when it is first read. */
export const laterSource = <T>(name: string, own: Coming<Run<T>>, { get, ...known }: Known = {}): Source<T> => ({
  ...{ name, inputs: [], ...known },
  open: async (epoch, state) => (await own.get()).open(epoch, state),
  get: get ? async (indices, epoch) => getOf(own.made ?? (await own.get()))(indices, epoch) : undefined,
});

const getOf = <T>(run: Run<T>) => run.get?.bind(run) as NonNullable<Source<T>['get']>;

const load = () => import('../passes/stages.ts');

export type Stages = Awaited<ReturnType<typeof load>>;

let loaded: Stages | null = null;

/** What stages do, and what reads memory. To import what is there takes longer than a short pass. */
export async function stages(): Promise<Stages> {
  loaded ??= await load();
  return loaded;
}

/** A stage over sources. */
export const stage = <T>(
  name: string,
  inputs: readonly Source<unknown>[],
  make: (stages: Stages) => Run<T>,
  known?: Known,
): Source<T> => laterSource(name, new Later(stages, make), { inputs, ...known });
