// Lists of i32s, where kernels can read them for the time of one call.
import type { Select } from '../kernels/command.ts';
import type { Arena } from '../memory/arena.ts';
import type { Exports } from './instance.ts';

/** Room for the list of one call: eight dims by five rows fit. */
const BYTES = 1024;

export class Lists {
  readonly #arena: Arena;
  readonly #at: number;
  /** Asks an export which algorithm computes a call. */
  readonly select: Select;

  constructor(arena: Arena, exports: Exports) {
    this.#arena = arena;
    this.#at = arena.reserve(BYTES);
    this.select = (name, given) => {
      const select = exports[name];
      if (!select) throw new Error(`the wasm build lacks ${name}; run npm run build`);
      return select(...given.map((x) => (typeof x === 'number' ? x : this.put(x))));
    };
  }

  /** Puts a list into memory. @returns its address, until the next one is put */
  put(words: readonly number[]): number {
    const { i32 } = this.#arena.views;
    const from = this.#at >>> 2;
    for (let i = 0; i < words.length; i++) i32[from + i] = words[i] as number;
    return this.#at;
  }
}
