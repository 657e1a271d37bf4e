// Which steps of a program have to wait until all threads have done what stands before them: those that touch what
// another thread may still be writing, or write what it may still be reading. Threads that cut their steps alike never
// meet. It comes with thread-pool.ts: one thread waits for nobody.
import type { Block } from '../memory/arena.ts';

/** What threads have to know of one step of a program, or of a loop: what each of its commands touches. */
export interface Touching {
  readonly tasks: readonly {
    readonly touches: readonly {
      readonly block: Block;
      readonly offset: number;
      /** Bytes from one unit of the slices to the next. */
      readonly step: number;
      readonly writes: boolean;
    }[];
    /** How threads share it; null: one does it alone. */
    readonly slices: { readonly units: number; readonly grain: number } | null;
    /** A check has a complaint. */
    readonly command: { readonly complain?: unknown };
  }[];
}

/** Where blocks of a program lie. */
export interface Places<S> {
  readonly offsets: ReadonlyMap<Block, number>;
  /** Of loops: what lies in the scratch of each thread, and units a block. */
  readonly loops: ReadonlyMap<S, { readonly offsets: ReadonlyMap<Block, number>; readonly units: number }>;
}

/** The map at `key`, an empty one where there is none yet. */
function getOrMake<A, K, V>(maps: Map<A, Map<K, V>>, key: A): Map<K, V> {
  let map = maps.get(key);
  if (!map) {
    map = new Map();
    maps.set(key, map);
  }
  return map;
}

const NONE = 0;
/** Slices of more than one kind: whatever comes is unlike one of them. */
const MANY = -1;
/** Whether something touched in the way of `known` was touched in another way than `kind`. */
const unlike = (known: number, kind: number): boolean => known !== NONE && (known !== kind || kind === MANY);

/** Words of a node: how it is read and written as a whole, and how anything within it is; and since which barrier. */
const [READ, WRITTEN, READ_WITHIN, WRITTEN_WITHIN, SINCE, WORDS] = [0, 1, 2, 3, 4, 5];

/** What was touched since the last barrier: a segment tree over pieces of memory. Its words are kinds of slices. */
class Touched {
  readonly #leaves: number;
  readonly #words: Int32Array;
  /** Counts barriers: what a node says from before the last one is void. */
  #now = 1;

  constructor(pieces: number) {
    this.#leaves = 2 ** Math.ceil(Math.log2(Math.max(1, pieces)));
    this.#words = new Int32Array(2 * this.#leaves * WORDS);
  }

  /** Forgets all, in O(1). */
  clear(): void {
    this.#now++;
  }

  /** Whether `node` has an access that one of this kind could meet. @param from READ or READ_WITHIN */
  #clashes(node: number, from: number, writes: boolean, kind: number): boolean {
    const at = node * WORDS;
    if (this.#words[at + SINCE] !== this.#now) return false;
    const read = this.#words[at + from] as number;
    const written = this.#words[at + from + 1] as number;
    return unlike(written, kind) || (writes && unlike(read, kind));
  }

  /** Whether pieces first … end - 1 have an access of another kind, of which one writes. */
  meets(first: number, end: number, writes: boolean, kind: number): boolean {
    let left = first + this.#leaves;
    let right = end + this.#leaves;
    for (let a = left, b = right - 1; a > 0; a >>= 1, b >>= 1)
      if (this.#clashes(a, READ, writes, kind) || (a !== b && this.#clashes(b, READ, writes, kind))) return true;
    for (; left < right; left >>= 1, right >>= 1) {
      if (left & 1 && this.#clashes(left++, READ_WITHIN, writes, kind)) return true;
      if (right & 1 && this.#clashes(--right, READ_WITHIN, writes, kind)) return true;
    }
    return false;
  }

  /** @returns whether that changed the node */
  #noteAt(node: number, word: number, kind: number): boolean {
    const at = node * WORDS;
    const words = this.#words;
    if (words[at + SINCE] !== this.#now) {
      words.fill(NONE, at, at + WORDS);
      words[at + SINCE] = this.#now;
    }
    const known = words[at + word];
    if (known === kind || known === MANY) return false;
    words[at + word] = known === NONE ? kind : MANY;
    return true;
  }

  #noteNode(node: number, writes: boolean, kind: number): void {
    this.#noteAt(node, writes ? WRITTEN : READ, kind);
    // A node knows all that its children do: what is no news to one is none above it.
    const word = writes ? WRITTEN_WITHIN : READ_WITHIN;
    for (let above = node; above > 0 && this.#noteAt(above, word, kind); ) above >>= 1;
  }

  note(first: number, end: number, writes: boolean, kind: number): void {
    let left = first + this.#leaves;
    let right = end + this.#leaves;
    for (; left < right; left >>= 1, right >>= 1) {
      if (left & 1) this.#noteNode(left++, writes, kind);
      if (right & 1) this.#noteNode(--right, writes, kind);
    }
  }
}

/** A memory, which has no byte in common with another. */
interface Memory {
  /** The first range of it that is touched. */
  readonly from: number;
  readonly to: number;
  /**
   * Where ranges begin and end, with the number of the piece that begins there; undefined while there is only one
   * range.
   */
  ends: Map<number, number> | undefined;
  /** The number of its first piece. */
  piece: number;
}

/** What thread 0 does alone. */
const ALONE = 1;

/** What the steps of a program touch, noted in their order, and which of them need a barrier. */
export class Accesses {
  readonly #memories = new Map<unknown, Memory>();
  /** Kinds of slices by units, grain, step and start: the same number for the same. */
  readonly #kinds = new Map<number, Map<number, Map<number, Map<number, number>>>>();
  #lastKind = ALONE;
  /** Of each step: where its accesses end, and whether it checks. */
  readonly #ends: number[] = [];
  readonly #checks: boolean[] = [];
  // Of each access. Lists of numbers: objects for hundreds of thousands of accesses would cost more than the search.
  readonly #memory: Memory[] = [];
  readonly #from: number[] = [];
  readonly #to: number[] = [];
  readonly #writes: boolean[] = [];
  readonly #kind: number[] = [];

  /**
   * Notes bytes `from` … `to` - 1 of a memory that the step touches which the next endStep() ends.
   * @param memory any value that is the same for the same memory
   * @param units that the threads share; 0 for what one of them does alone, always the same one
   * @param grain slices begin at multiples of it
   * @param step bytes from one unit to the next
   * @param start where the first unit lies, in bytes of the memory
   */
  // biome-ignore lint/complexity/useMaxParams: called for each operand of each command, objects would cost more
  add(memory: unknown, from: number, to: number, writes: boolean, units = 0, grain = 0, step = 0, start = 0): void {
    if (from === to) return;
    let known = this.#memories.get(memory);
    if (!known) {
      known = { from, to, ends: undefined, piece: 0 };
      this.#memories.set(memory, known);
    }
    if (known.ends || known.from !== from || known.to !== to) {
      known.ends ??= new Map([
        [known.from, 0],
        [known.to, 0],
      ]);
      known.ends.set(from, 0).set(to, 0);
    }
    this.#memory.push(known);
    this.#from.push(from);
    this.#to.push(to);
    this.#writes.push(writes);
    this.#kind.push(units === 0 ? ALONE : this.#kindOf(units, grain, step, start));
  }

  /** @param checks all threads have to hear how it ended before they go on, and what it reads has to be whole */
  endStep(checks: boolean): void {
    this.#ends.push(this.#memory.length);
    this.#checks.push(checks);
  }

  #kindOf(units: number, grain: number, step: number, start: number): number {
    const alike = getOrMake(getOrMake(getOrMake(this.#kinds, units), grain), step);
    const known = alike.get(start);
    if (known !== undefined) return known;
    alike.set(start, ++this.#lastKind);
    return this.#lastKind;
  }

  /** Numbers the pieces of memories that no access begins or ends within. @returns how many there are */
  #numberPieces(): number {
    let count = 0;
    for (const memory of this.#memories.values()) {
      memory.piece = count++;
      if (!memory.ends) continue;
      count--;
      for (const end of Float64Array.from(memory.ends.keys()).sort()) memory.ends.set(end, count++);
    }
    return count;
  }

  /** Of each step, whether all threads have to wait before it. O(n log n) for n accesses. */
  barriers(): boolean[] {
    const count = this.#memory.length;
    const touched = new Touched(this.#numberPieces());
    const first = new Int32Array(count);
    const end = new Int32Array(count);
    for (let i = 0; i < count; i++) {
      const { ends, piece } = this.#memory[i] as Memory;
      first[i] = ends ? (ends.get(this.#from[i] as number) as number) : piece;
      end[i] = ends ? (ends.get(this.#to[i] as number) as number) : piece + 1;
    }
    let checked = false;
    let from = 0;
    return this.#ends.map((to, step) => {
      const checks = this.#checks[step] as boolean;
      // A check waits for whatever writes or reads what it reads: it is like no slices.
      const writes = (i: number): boolean => checks || (this.#writes[i] as boolean);
      const kind = (i: number): number => (checks ? MANY : (this.#kind[i] as number));
      let waits = checked;
      for (let i = from; i < to && !waits; i++)
        waits = touched.meets(first[i] as number, end[i] as number, writes(i), kind(i));
      if (waits) touched.clear();
      checked = checks;
      for (; from < to; from++) touched.note(first[from] as number, end[from] as number, writes(from), kind(from));
      return waits;
    });
  }
}

/** Of each step, whether the threads have to wait before it. */
export function barriersOf<S extends Touching>(steps: readonly S[], { offsets, loops }: Places<S>): boolean[] {
  const accesses = new Accesses();
  for (const step of steps) {
    const loop = loops.get(step);
    for (const { touches, slices } of step.tasks)
      for (const { block, offset, step: bytes, writes } of touches) {
        if (loop?.offsets.has(block)) continue;
        const planned = offsets.get(block);
        const memory = planned === undefined ? block : null;
        const from = planned ?? 0;
        const to = from + block.bytes;
        if (slices)
          accesses.add(memory, from, to, writes, slices.units, loop ? loop.units : slices.grain, bytes, from + offset);
        else accesses.add(memory, from, to, writes);
      }
    accesses.endStep(step.tasks.some(({ command }) => command.complain !== undefined));
  }
  return accesses.barriers();
}
