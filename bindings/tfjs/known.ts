// What tfjs keeps of each data: its backend, dtype, shape and bytes. tfjs looks that up in a weak map by the data's id,
// six times for each tensor, and weak maps are slow, and a burden for the garbage collector. Data of ours keeps it
// itself.
import { Data } from './data.ts';
import type { Table } from './engine.ts';

class Known implements Table {
  /** What there was before, and ids of other backends. */
  readonly #others: Table;

  constructor(others: Table) {
    this.#others = others;
  }

  has(id: object): boolean {
    return (id instanceof Data && id.table === this) || this.#others.has(id);
  }

  get(id: object): unknown {
    return id instanceof Data && id.table === this ? id.info : this.#others.get(id);
  }

  set(id: object, info: object): this {
    if (id instanceof Data) {
      id.table = this;
      id.info = info;
    } else this.#others.set(id, info);
    return this;
  }

  delete(id: object): boolean {
    if (!(id instanceof Data && id.table === this)) return this.#others.delete(id);
    id.table = null;
    id.info = null;
    return true;
  }
}

/** Lets data of ours keep what tfjs knows of it. tfjs begins with another table after a reset. */
export function keepKnown(state: { tensorInfo: Table }): void {
  if (!(state.tensorInfo instanceof Known)) state.tensorInfo = new Known(state.tensorInfo);
}
