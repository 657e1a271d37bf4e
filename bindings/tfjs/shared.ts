// One memory for a tensor of ours and data of TensorFlow.js. Each side has a block of its own over it, and lets go of
// that when it likes: the memory goes back with the last of the two. Whoever writes first parts them: then the data of
// tfjs moves to a copy, since compiled programs know where tensors of ours lie.
import { runtime } from '../engine/engine.ts';
import { Block, type Owner } from '../memory/arena.ts';
import { unclonable } from '../memory/heap.ts';
import { type Data, withMemory } from './data.ts';

/** What is shared, by both sides. */
const known = new WeakMap<Block | Data, Shared>();

/** How a block of tensors, or data, is shared, if it is. */
export const sharedOf = (side: Block | Data): Shared | undefined => known.get(side);

/** What the block of tfjs's data takes its memory from. */
export class Shared implements Owner {
  readonly unclonable = unclonable;
  readonly data: Data;
  /** That of the tensors, which the arena owns. */
  readonly block: Block;
  /** That of the data. */
  readonly #place: Block;

  /** Lets `data`, which has no place, share the memory of `block`. */
  constructor(block: Block, data: Data) {
    this.data = data;
    this.block = block;
    this.#place = new Block(this, block.ptr, block.bytes, block.maker);
    data.place = this.#place;
    known.set(block, this).set(data, this);
    // Own properties, so that blocks which are not shared stay as fast as they are. Every write counts the version up
    // before it asks where the memory is.
    for (const each of [block, this.#place]) {
      let { version } = each;
      Object.defineProperty(each, 'version', {
        get: () => version,
        set: (next: number) => {
          version = next;
          this.#part();
        },
        configurable: true,
        enumerable: true,
      });
    }
    block.free = () => this.#free();
  }

  get abandoned(): boolean {
    return runtime().arena.abandoned;
  }

  /** The data is gone, or goes to another place. */
  release(): void {
    this.#end();
  }

  /** The tensors are freed: the data has the memory to itself. */
  #free(): void {
    const { arena } = runtime();
    // While a program is traced that is an error, which the arena throws.
    if (arena.stand) Block.prototype.free.call(this.block);
    this.#end();
    arena.pass(this.block, this.#place);
  }

  /** Gives the data a copy. @throws OutOfMemoryError, and nothing has changed */
  #part(): void {
    const { arena } = runtime();
    const from = this.block.ptr;
    withMemory(() => arena.back(this.#place));
    arena.u8.copyWithin(this.#place.ptr, from, from + this.block.bytes);
    this.#end();
  }

  /** Makes both what blocks are. */
  #end(): void {
    known.delete(this.block);
    known.delete(this.data);
    Reflect.deleteProperty(this.block, 'free');
    for (const each of [this.block, this.#place]) {
      const { version: value } = each;
      Object.defineProperty(each, 'version', { value, configurable: true, enumerable: true, writable: true });
    }
  }
}
