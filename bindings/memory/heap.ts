// The allocator over one WebAssembly.Memory. Addresses are 64-byte aligned, and 0 is never given out.
//
// What was given back waits in the bin of its size class, so that a training step, which asks for the same sizes again
// and again, allocates by one pop. Only when the memory would have to grow are the bins merged into address-ordered
// holes. What fits anywhere is given: at last without the rounding up to a class.
import { OutOfMemoryError } from './errors.ts';

const PAGE = 65536;
const ALIGN = 64;
const SMALL = 1024; // up to here a class every 64 bytes, beyond it eight classes an octave (at most 12.5 % unused)
const SMALL_CLASSES = SMALL / ALIGN;

function sizeClass(bytes: number): number {
  if (bytes <= SMALL) return Math.max(0, bytes - 1) >>> 6;
  const last = (bytes - 1) >>> 0;
  const octave = 31 - Math.clz32(last); // 2^octave < bytes <= 2^(octave + 1)
  return SMALL_CLASSES + (octave - 11) * 8 + (last >>> (octave - 3));
}

function classBytes(index: number): number {
  if (index < SMALL_CLASSES) return (index + 1) * ALIGN;
  const large = index - SMALL_CLASSES;
  // Eighths of an octave, which begins at 8 of them: 2^(7 + large / 8) bytes each. All of it may be 2^32.
  return ((large & 7) + 9) * (1 << (7 + (large >>> 3)));
}

/** `bytes`, at most 4 GiB, rounded up to the size of their class. */
export const roundUp = (bytes: number): number => classBytes(sizeClass(bytes));

const CLASSES = sizeClass(2 ** 32) + 1;

/** A memory as numbers. */
export interface Views {
  readonly f32: Float32Array;
  readonly i32: Int32Array;
  readonly u8: Uint8Array;
}

/** Kernels that were called and run on other threads, in the order of their calls. */
export interface UnderWay {
  /** Waits until all are done. */
  wait(): void;
  /** The address of room that none of them touches, for a kernel that is called next; 0 where there is none left. */
  room(bytes: number): number;
}

interface Hole {
  ptr: number;
  bytes: number;
}

/**
 * What no structured clone can copy: engines name it in their error. A tensor reaches it before any number, by its
 * block's origin, so that structuredClone and postMessage fail at once instead of copying the memory.
 */
export const unclonable = () =>
  'a tensor: send x.data and x.shape instead, and make it anew by tensor(data, { shape })';

export class Heap {
  /** Stands first. */
  readonly unclonable = unclonable;
  /** Another one, without a page, once all is given up. */
  memory: WebAssembly.Memory;
  /** Bytes that it may reach. */
  readonly limit: number;
  /** Bytes that are taken, rounded up; and the highest that has been. */
  used = 0;
  peak = 0;
  /** Views of the whole memory, made anew whenever it grows; for what no kernel that is under way can touch. */
  views!: Views;
  /** Kernels that may be under way on other threads. */
  underWay: UnderWay | null = null;

  /** Nothing from here on was ever given out. */
  #top: number;
  #capacity = 0;
  /** Bytes below the top that are not in use. */
  #free = 0;
  readonly #bins: number[][] = Array.from({ length: CLASSES }, () => []);
  #holes: Hole[] = [];
  /** The hole that the next search begins with: those before it were too small the last time. */
  #next = 0;
  /** No hole has as much. */
  #beyond = 0;
  /** What is in use and of no class. */
  #odd = 0;

  /** @param base first address behind the module's own data @param limit bytes, at most 4 GiB */
  constructor(memory: WebAssembly.Memory, base: number, limit: number) {
    this.memory = memory;
    this.limit = limit;
    this.#top = Math.ceil(Math.max(base, ALIGN) / ALIGN) * ALIGN;
    this.#refresh();
  }

  #refresh(): void {
    const { buffer } = this.memory;
    this.#capacity = buffer.byteLength;
    this.views = { f32: new Float32Array(buffer), i32: new Int32Array(buffer), u8: new Uint8Array(buffer) };
  }

  /** A view of the whole memory, until it grows or the next kernel is called; so are the two below. */
  get f32(): Float32Array {
    this.underWay?.wait();
    return this.views.f32;
  }
  get i32(): Int32Array {
    this.underWay?.wait();
    return this.views.i32;
  }
  get u8(): Uint8Array {
    this.underWay?.wait();
    return this.views.u8;
  }

  /** Lets go of the memory. */
  protected giveUp(): void {
    this.memory = new WebAssembly.Memory({ initial: 0 });
    this.#refresh();
  }

  /** Takes `size` bytes, rounded up to a class. @returns their address, or 0 where there is no room */
  protected take(size: number): number {
    const ptr = this.#bins[sizeClass(size)]?.pop() ?? this.#find(size);
    if (ptr !== 0) this.#count(size);
    return ptr;
  }

  /**
   * Takes `bytes` as they are, where take() has no room for them rounded up.
   * @throws OutOfMemoryError
   */
  protected takeOdd(bytes: number): { ptr: number; size: number } {
    const size = Math.ceil(Math.max(bytes, 1) / ALIGN) * ALIGN;
    const ptr = size <= this.limit ? this.#find(size) : 0;
    if (ptr === 0) throw this.full(bytes);
    if (roundUp(size) !== size) this.#odd++;
    this.#count(size);
    return { ptr, size };
  }

  #count(size: number): void {
    this.used += size;
    this.#free -= size;
    if (this.used > this.peak) this.peak = this.used;
  }

  /** Takes back what take() or takeOdd() gave. */
  protected give(ptr: number, size: number): void {
    this.used -= size;
    this.#free += size;
    if (this.#odd > 0 && roundUp(size) !== size) {
      this.#odd--;
      this.#holes.push({ ptr, bytes: size });
      this.#beyond = Math.max(this.#beyond, size + 1);
    } else (this.#bins[sizeClass(size)] as number[]).push(ptr);
  }

  /** Address of `bytes` that are never given back, for the runtime's own use. @throws OutOfMemoryError */
  reserve(bytes: number): number {
    const size = roundUp(bytes);
    const ptr = this.#find(size);
    if (ptr === 0) throw this.full(bytes);
    this.#free -= size;
    return ptr;
  }

  protected full(bytes: number): OutOfMemoryError {
    return new OutOfMemoryError(bytes, this.used, this.limit, this.limit - this.#top + this.#free);
  }

  /** @returns an address of `size` bytes that count as free, or 0 */
  #find(size: number): number {
    const hole = this.#fromHoles(size);
    if (hole !== 0) return hole;
    if (this.#top + size > this.#capacity && this.#free > 0) {
      this.#merge();
      const merged = this.#fromHoles(size);
      if (merged !== 0) return merged;
    }
    if (this.#top + size > this.#capacity && !this.#grow(this.#top + size)) return 0;
    const ptr = this.#top;
    this.#top += size;
    this.#free += size;
    return ptr;
  }

  #fromHoles(size: number): number {
    if (size >= this.#beyond) return 0;
    const holes = this.#holes;
    for (let i = 0; i < holes.length; i++) {
      if (this.#next >= holes.length) this.#next = 0;
      const hole = holes[this.#next] as Hole;
      if (hole.bytes >= size) {
        const { ptr } = hole;
        hole.ptr += size;
        hole.bytes -= size;
        if (hole.bytes === 0) {
          // Their order is made when they are merged.
          holes[this.#next] = holes.at(-1) as Hole;
          holes.pop();
        }
        return ptr;
      }
      this.#next++;
    }
    this.#beyond = size;
    return 0;
  }

  /** Empties the bins into holes, joining neighbours; a hole that ends at the top is given back to it. */
  #merge(): void {
    const pieces = this.#holes;
    this.#bins.forEach((bin, index) => {
      for (const ptr of bin) pieces.push({ ptr, bytes: classBytes(index) });
      bin.length = 0;
    });
    pieces.sort((a, b) => a.ptr - b.ptr);
    const holes: Hole[] = [];
    for (const piece of pieces) {
      const last = holes.at(-1);
      if (last && last.ptr + last.bytes === piece.ptr) last.bytes += piece.bytes;
      else holes.push(piece);
    }
    const last = holes.at(-1);
    if (last && last.ptr + last.bytes === this.#top) {
      this.#top = last.ptr;
      this.#free -= last.bytes;
      holes.pop();
    }
    this.#holes = holes;
    this.#next = 0;
    this.#beyond = Number.POSITIVE_INFINITY;
  }

  /** @returns whether it reaches `end` now */
  #grow(end: number): boolean {
    if (end > this.limit) return false;
    // An eighth more than now, so that growing n times costs O(log n) merges; less when the limit is near.
    const wish = Math.min(this.limit, Math.max(end, this.#capacity * 1.125, this.#capacity + 16 * PAGE));
    for (const target of [wish, end]) {
      try {
        this.memory.grow(Math.ceil((target - this.#capacity) / PAGE));
        this.#refresh();
        return true;
      } catch {
        // The engine has less than was wished; try the bare need.
      }
    }
    return false;
  }
}
