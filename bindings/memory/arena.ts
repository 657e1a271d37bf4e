// The allocator over one WebAssembly.Memory. Blocks are 64-byte aligned; address 0 is never given out.
//
// Freed blocks wait in the bin of their size class, so that a training step, which asks for the same sizes again and
// again, allocates by one pop. Only when the memory would have to grow are the bins merged into address-ordered holes.
import { OutOfMemoryError, RecordingError } from './errors.ts';

const PAGE = 65536;
const ALIGN = 64;
const SMALL = 1024; // up to here a class every 64 bytes, beyond it eight classes an octave (at most 12.5 % unused)
const SMALL_CLASSES = SMALL / ALIGN;

/**
 * What no structured clone can copy: engines name it in their error. A tensor reaches it before any number, by its
 * block's origin, so that structuredClone and postMessage fail at once instead of copying the memory.
 */
export const unclonable = () =>
  'a tensor: send x.data and x.shape instead, and make it anew by tensor(data, { shape })';

/** What a block takes its memory from and gives it back to. */
export interface Owner {
  /** Stands first. */
  readonly unclonable: typeof unclonable;
  /** The memory is gone and with it every block. */
  readonly abandoned: boolean;
  release(block: Block): void;
}

/** A piece of the arena with an owner. All views of a tensor share one. */
export class Block {
  /** Byte address; that of a block without memory says nothing. */
  ptr: number;
  readonly bytes: number;
  /** The op that made it, for messages. */
  readonly maker: string;
  /** Where it was made: in an arena, or in a recording. */
  readonly origin: Owner;
  /** The scope that frees it, or null when it lasts until it is disposed of. */
  scope: Scope | null = null;
  /** Counts the writes, so that backward() notices a saved value that was overwritten. */
  version = 0;
  /** How often a noted write gave what lies here another history. */
  histories = 0;
  /** How many gradients of the backward() that is under way lie here. */
  gradients = 0;
  /** Whether the arena's last net is under it. */
  caught = false;
  /** Null once freed. */
  #owner: Owner | null;

  constructor(owner: Owner, ptr: number, bytes: number, maker: string) {
    this.#owner = owner;
    this.origin = owner;
    this.ptr = ptr;
    this.bytes = bytes;
    this.maker = maker;
  }

  get freed(): boolean {
    return this.#owner === null || this.#owner.abandoned;
  }

  /** Whether it takes its memory from `owner`. */
  ownedBy(owner: Owner): boolean {
    return this.#owner === owner;
  }

  /** Gives a block of a recording its memory; see Arena.back(). */
  settle(owner: Owner | null, ptr: number): void {
    this.#owner = owner;
    this.ptr = ptr;
  }

  /** Gives the memory back; a second call does nothing. */
  free(): void {
    this.#owner?.release(this);
    this.#owner = null;
  }
}

/** The blocks that are freed together. */
export class Scope {
  readonly blocks: Block[] = [];
  readonly parent: Scope | null;

  constructor(parent: Scope | null) {
    this.parent = parent;
  }
}

function sizeClass(bytes: number): number {
  if (bytes <= SMALL) return Math.max(0, Math.ceil(bytes / ALIGN) - 1);
  const octave = 31 - Math.clz32((bytes - 1) >>> 0); // 2^octave < bytes <= 2^(octave + 1)
  const step = 2 ** (octave - 3);
  return SMALL_CLASSES + (octave - 10) * 8 + Math.ceil((bytes - 2 ** octave) / step) - 1;
}

function classBytes(index: number): number {
  if (index < SMALL_CLASSES) return (index + 1) * ALIGN;
  const octave = 10 + Math.floor((index - SMALL_CLASSES) / 8);
  return 2 ** octave + (((index - SMALL_CLASSES) % 8) + 1) * 2 ** (octave - 3);
}

/**
 * Where blocks without memory are: an address that no view of the memory has, so that a read or a write fails at once.
 */
const NOWHERE = 2 ** 40;

const CLASSES = sizeClass(2 ** 32) + 1;

/** Lasting blocks, and their bytes, that may be without the last net while a program runs on. */
const MOST_FRESH = 64;
const MOST_FRESH_BYTES = 2 ** 20;

export class Arena implements Owner {
  readonly unclonable = unclonable;
  readonly memory: WebAssembly.Memory;
  /** Bytes the arena may reach. */
  readonly limit: number;
  /** Bytes in living blocks, rounded up to their size classes; and the highest that has been. */
  used = 0;
  peak = 0;
  /** Living blocks. */
  count = 0;
  /** The memory is gone and with it every block. */
  abandoned = false;
  /** Views of the whole memory; made anew whenever it grows. */
  f32!: Float32Array;
  i32!: Int32Array;
  u8!: Uint8Array;

  #top: number;
  #capacity = 0;
  #free = 0;
  readonly #bins: number[][] = Array.from({ length: CLASSES }, () => []);
  #holes: { ptr: number; bytes: number }[] = [];
  #scope: Scope | null = null;
  /** While it is set, blocks are made without memory and are its own; see program/trace.ts. */
  stand: Owner | null = null;
  /** The last net under lasting blocks whose tensors were dropped without dispose(). */
  readonly #net: FinalizationRegistry<{ ptr: number; bytes: number }>;
  /** Lasting blocks that it is not under yet: gradients, say, go again within a step, and to be registered costs. */
  readonly #fresh: Block[] = [];
  #freshBytes = 0;
  #awaited = false;

  /** @param base first address behind the module's own data @param limit bytes, at most 4 GiB */
  constructor(memory: WebAssembly.Memory, base: number, limit: number) {
    this.memory = memory;
    this.limit = limit;
    this.#top = Math.ceil(Math.max(base, ALIGN) / ALIGN) * ALIGN;
    this.#net = new FinalizationRegistry(({ ptr, bytes }) => this.#give(ptr, bytes));
    this.#refresh();
  }

  #refresh(): void {
    const { buffer } = this.memory;
    this.#capacity = buffer.byteLength;
    this.f32 = new Float32Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.u8 = new Uint8Array(buffer);
  }

  /** A block of at least `bytes`, owned by the innermost scope. Contents are whatever was there. */
  allocate(bytes: number, maker: string): Block {
    // Beyond the last class no block can be had, and the class arithmetic would overflow.
    if (bytes > this.limit) throw this.#full(bytes);
    const size = classBytes(sizeClass(bytes));
    const block = this.stand
      ? new Block(this.stand, NOWHERE, size, maker)
      : new Block(this, this.#take(size), size, maker);
    block.scope = this.#scope;
    if (this.#scope) this.#scope.blocks.push(block);
    else this.#catch(block);
    return block;
  }

  /** A block that no scope frees. */
  lasting(bytes: number, maker: string): Block {
    const block = this.allocate(bytes, maker);
    this.adopt(block, null);
    return block;
  }

  /** Gives a block that was made without memory some of its own. */
  back(block: Block): void {
    block.settle(this, this.#take(block.bytes));
    if (!block.scope) this.#catch(block);
  }

  /** Sees to it that a lasting block gets the last net: soon, and at the latest when the running code has ended. */
  #catch(block: Block): void {
    if (!block.ownedBy(this)) return;
    this.#freshBytes += block.bytes;
    if (this.#fresh.push(block) > MOST_FRESH || this.#freshBytes > MOST_FRESH_BYTES) this.#spread();
    else if (!this.#awaited) {
      this.#awaited = true;
      queueMicrotask(() => {
        this.#awaited = false;
        this.#spread();
      });
    }
  }

  /** Puts the last net under the lasting blocks that are without. */
  #spread(): void {
    for (const block of this.#fresh) {
      if (block.caught || block.scope || !block.ownedBy(this)) continue;
      block.caught = true;
      this.#net.register(block, { ptr: block.ptr, bytes: block.bytes }, block);
    }
    this.#fresh.length = 0;
    this.#freshBytes = 0;
  }

  #uncatch(block: Block): void {
    if (block.caught) this.#net.unregister(block);
    block.caught = false;
  }

  #take(size: number): number {
    const ptr = this.#bins[sizeClass(size)]?.pop() ?? this.#find(size);
    this.used += size;
    this.#free -= size;
    this.count++;
    if (this.used > this.peak) this.peak = this.used;
    return ptr;
  }

  /** Address of `bytes` that are never given back, for the runtime's own use. */
  reserve(bytes: number): number {
    const size = classBytes(sizeClass(bytes));
    const ptr = this.#find(size);
    this.#free -= size;
    return ptr;
  }

  /** Hands `block` to `scope` (null: it lasts until freed). */
  adopt(block: Block, scope: Scope | null): void {
    if (block.scope) {
      if (block.scope === scope) return;
    } else this.#uncatch(block);
    block.scope = scope;
    // A block that changed scopes stays in the old list; close() looks at `scope` before it frees.
    if (scope) scope.blocks.push(block);
    else this.#catch(block);
  }

  /** What Block.free() calls; use that. @throws RecordingError while blocks without memory are made */
  release(block: Block): void {
    // A program would read it, and free it with every run.
    if (this.stand)
      throw new RecordingError(
        `dispose: expected tensors from outside of a compiled function to live on, got one that ${block.maker} made; dispose of it outside`,
      );
    this.#uncatch(block);
    this.#give(block.ptr, block.bytes);
  }

  #give(ptr: number, size: number): void {
    this.used -= size;
    this.#free += size;
    this.count--;
    (this.#bins[sizeClass(size)] as number[]).push(ptr);
  }

  #find(size: number): number {
    const hole = this.#fromHoles(size);
    if (hole) return hole;
    if (this.#top + size > this.#capacity && this.#free >= size) {
      this.#merge();
      const merged = this.#fromHoles(size);
      if (merged) return merged;
    }
    if (this.#top + size > this.#capacity) this.#grow(this.#top + size);
    const ptr = this.#top;
    this.#top += size;
    this.#free += size; // allocate() takes it off again
    return ptr;
  }

  #fromHoles(size: number): number {
    const holes = this.#holes;
    for (let i = 0; i < holes.length; i++) {
      const hole = holes[i] as { ptr: number; bytes: number };
      if (hole.bytes < size) continue;
      const { ptr } = hole;
      hole.ptr += size;
      hole.bytes -= size;
      if (hole.bytes === 0) holes.splice(i, 1);
      return ptr;
    }
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
    const holes: typeof pieces = [];
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
  }

  #full(bytes: number): OutOfMemoryError {
    return new OutOfMemoryError(bytes, this.used, this.limit, this.limit - this.#top + this.#free);
  }

  #grow(end: number): void {
    if (end > this.limit) throw this.#full(end - this.#top);
    // An eighth more than now, so that growing n times costs O(log n) merges; less when the limit is near.
    const wish = Math.min(this.limit, Math.max(end, this.#capacity * 1.125, this.#capacity + 16 * PAGE));
    for (const target of [wish, end]) {
      try {
        this.memory.grow(Math.ceil((target - this.#capacity) / PAGE));
        this.#refresh();
        return;
      } catch {
        // The engine has less than was wished; try the bare need.
      }
    }
    throw this.#full(end - this.#top);
  }

  /** Opens a scope inside the current one. */
  open(): Scope {
    this.#scope = new Scope(this.#scope);
    return this.#scope;
  }

  /** Closes `scope` and all that were opened inside it, and frees what they own. */
  close(scope: Scope): void {
    let inner = this.#scope;
    while (inner && inner !== scope) inner = inner.parent;
    if (!inner) return; // closed already, together with a scope around it
    for (let s = this.#scope; s; s = s.parent) {
      for (const block of s.blocks) if (block.scope === s) block.free();
      s.blocks.length = 0;
      if (s === scope) break;
    }
    this.#scope = scope.parent;
  }

  /** Declares every block freed, when the memory itself goes. */
  abandon(): void {
    this.abandoned = true;
  }

  /** The innermost open scope. */
  get scope(): Scope | null {
    return this.#scope;
  }
}
