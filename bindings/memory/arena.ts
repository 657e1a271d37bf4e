// The arena: blocks of the heap, and who frees them.
//
// A scope frees its blocks when it ends, a turn of a loader loop when the next begins. Scopes are synchronous, turns
// need not be: their body may await, and then anybody runs. So what a turn collects is provisional. If it ends before
// the microtask that was queued when it began, nothing can have awaited, and all that was made meanwhile goes. If that
// microtask finds the turn open, it is detached: it keeps its batch and what descends from it through ops, whoever
// computes it and when; the rest goes when it is garbage.
import { RecordingError } from './errors.ts';
import { Heap, roundUp, type unclonable } from './heap.ts';

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
  /** The turn that it descends from: it is of its batch, or was computed from what is. */
  turn: Scope | null = null;
  /** Counts the writes, so that backward() notices a saved value that was overwritten. */
  version = 0;
  /** How many gradients of the backward() that is under way lie here. */
  gradients = 0;
  /** The last call of a row that writes in which it was, as execute.ts counts them. */
  lastWrite = 0;
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

/** Blocks in a scope before it looks for those that are gone. */
const FEW = 4096;

let scopes = 0;

/** The blocks that are freed together. */
export class Scope {
  /** Of a turn: it may go on after an await. */
  readonly turn: boolean;
  /** Later ones have higher numbers. */
  readonly number = scopes++;
  /** Those around it and inside of it. */
  parent: Scope | null;
  child: Scope | null = null;
  open = true;
  /** Its turn awaits: it is around nobody, and only what descends from it is its own. */
  detached = false;
  blocks: Block[] = [];
  #most = FEW;

  constructor(parent: Scope | null, turn: boolean) {
    this.parent = parent;
    this.turn = turn;
  }

  add(block: Block): void {
    if (this.blocks.push(block) < this.#most) return;
    // One that is open for long must not hold on to what was disposed of.
    this.blocks = this.blocks.filter((one) => one.scope === this && !one.freed);
    this.#most = Math.max(FEW, 2 * this.blocks.length);
  }

  /** Frees what it owns. */
  end(): void {
    this.open = false;
    // A block that changed scopes stays in the old list.
    for (const block of this.blocks) if (block.scope === this) block.free();
    this.blocks = [];
  }
}

/** Of the open turns that results descend from, the latest: `heir`, or that of an input. */
export function heirOf(heir: Scope | null, { turn }: Block): Scope | null {
  return turn?.open && (heir === null || turn.number > heir.number) ? turn : heir;
}

/**
 * Where blocks without memory are: an address that no view of the memory has, so that a read or a write fails at once.
 */
const NOWHERE = 2 ** 40;

/** Lasting blocks, and their bytes, that may be without the last net while a program runs on. */
const MOST_FRESH = 64;
const MOST_FRESH_BYTES = 2 ** 20;

/**
 * The last net under blocks that no scope is sure to free, and whose tensors were dropped without dispose(). One for
 * all arenas: where one is collected that has something to do, Node 20 never calls any other again.
 */
const net = new FinalizationRegistry<{ arena: Arena; ptr: number; bytes: number }>(({ arena, ptr, bytes }) =>
  arena.reclaim(ptr, bytes),
);

export class Arena extends Heap implements Owner {
  /** Living blocks. */
  count = 0;
  /** The memory is gone and with it every block. */
  abandoned = false;
  /** While it is set, blocks are made without memory and are its own; see program/trace.ts. */
  stand: Owner | null = null;
  /** The innermost open scope that is not detached. */
  #scope: Scope | null = null;
  /** Blocks that it is not under yet: gradients, say, go again within a step, and to be registered costs. */
  readonly #fresh: Block[] = [];
  #freshBytes = 0;
  #awaited = false;

  /** The innermost open scope. */
  get scope(): Scope | null {
    return this.#scope;
  }

  /**
   * A block of at least `bytes`, owned by the innermost scope, and without one by the turn that it descends from.
   * Contents are whatever was there.
   * @throws OutOfMemoryError
   */
  allocate(bytes: number, maker: string, turn: Scope | null = null): Block {
    const block = this.bare(bytes, maker);
    block.turn = turn;
    const scope = this.#scope ?? turn;
    block.scope = scope;
    if (scope) scope.add(block);
    if (!scope || scope.detached) this.#catch(block);
    return block;
  }

  /**
   * A block that no scope frees and no net catches: it lasts until it is freed, and is lost where nobody does.
   * @throws OutOfMemoryError
   */
  bare(bytes: number, maker: string): Block {
    if (bytes > this.limit) throw this.full(bytes); // the class arithmetic would overflow
    return this.stand ? new Block(this.stand, NOWHERE, roundUp(bytes), maker) : this.#make(bytes, maker);
  }

  #make(bytes: number, maker: string): Block {
    let size = roundUp(bytes);
    let ptr = this.take(size);
    if (ptr === 0) ({ ptr, size } = this.takeOdd(bytes));
    this.count++;
    return new Block(this, ptr, size, maker);
  }

  /** A block that no scope frees. */
  lasting(bytes: number, maker: string): Block {
    const block = this.allocate(bytes, maker);
    this.keep(block);
    return block;
  }

  /** Takes the memory of a block back, which is garbage. */
  reclaim(ptr: number, bytes: number): void {
    this.count--;
    this.give(ptr, bytes);
  }

  /** Gives a block that was made without memory some of its own. @throws OutOfMemoryError */
  back(block: Block): void {
    const ptr = this.take(block.bytes);
    if (ptr === 0) throw this.full(block.bytes);
    this.count++;
    block.settle(this, ptr);
    if (!block.scope) this.#catch(block);
  }

  /** What Block.free() calls; use that. @throws RecordingError while blocks without memory are made */
  release(block: Block): void {
    // A program would read it, and free it with every run.
    if (this.stand)
      throw new RecordingError(
        `dispose: expected tensors from outside of a compiled function to live on, got one that ${block.maker} made; dispose of it outside`,
      );
    this.#uncatch(block);
    this.reclaim(block.ptr, block.bytes);
  }

  #uncatch(block: Block): void {
    if (block.caught) net.unregister(block);
    block.caught = false;
  }

  /** Gives `heir` the memory of `block`, which counts as freed from then on. */
  pass(block: Block, heir: Block): void {
    this.#uncatch(block);
    heir.settle(this, block.ptr);
    block.settle(null, block.ptr);
  }

  /** Hands `block` to `scope` (null: it lasts until freed). */
  adopt(block: Block, scope: Scope | null): void {
    if (block.scope === scope) return;
    block.scope = scope;
    if (scope) scope.add(block);
    if (!scope || scope.detached) this.#catch(block);
  }

  /** Lets `block` outlive all scopes. */
  keep(block: Block): void {
    block.turn = null;
    this.adopt(block, null);
  }

  /** Hands a block of `scope`, which is about to end, to what is around. */
  lift(block: Block, scope: Scope): void {
    if (block.scope === scope) this.adopt(block, scope.parent ?? heirOf(null, block));
  }

  /** Lets `block` live as long as `other`. */
  follow(block: Block, other: Block): void {
    block.turn = other.turn;
    this.adopt(block, other.scope);
  }

  /** Lets `block`, a constant that was made for an op on `other`, descend from what that descends from. */
  join(block: Block, other: Block): void {
    block.turn = heirOf(block.turn, other);
    if (block.turn && !block.scope) this.adopt(block, block.turn);
  }

  /** Opens a scope inside the current one; for a turn one that may be open when other code runs. */
  open(turn = false): Scope {
    const scope = new Scope(this.#scope, turn);
    if (this.#scope) this.#scope.child = scope;
    this.#scope = scope;
    if (turn) this.#soon();
    return scope;
  }

  /** Closes `scope`, and all scopes that were opened inside it, and frees what they own. Turns inside go on. */
  close(scope: Scope): void {
    if (!scope.open) return; // together with one around it
    if (!scope.turn)
      for (let inner = this.#scope; inner && inner !== scope; inner = this.#scope) {
        if (inner.turn) this.#detach(inner);
        else this.#end(inner);
      }
    this.#end(scope);
  }

  #end(scope: Scope): void {
    if (!scope.detached) this.#unlink(scope);
    scope.end();
  }

  /** Takes a scope out of those that are around each other. */
  #unlink(scope: Scope): void {
    const { parent, child } = scope;
    if (parent) parent.child = child;
    if (child) child.parent = parent;
    else this.#scope = parent;
    scope.parent = null;
    scope.child = null;
  }

  /** Other code runs while the turn is open. */
  #detach(turn: Scope): void {
    this.#unlink(turn);
    turn.detached = true;
    const { blocks } = turn;
    turn.blocks = [];
    for (const block of blocks) {
      if (block.scope !== turn || block.freed) continue;
      block.scope = null;
      const heir = heirOf(null, block);
      if (heir) this.adopt(block, heir);
      else this.#catch(block);
    }
  }

  /** What is done when the running code has ended, which is before anything that it awaits goes on. */
  #soon(): void {
    if (this.#awaited) return;
    this.#awaited = true;
    queueMicrotask(() => {
      this.#awaited = false;
      for (let scope = this.#scope; scope; ) {
        const { parent } = scope;
        if (scope.turn) this.#detach(scope);
        scope = parent;
      }
      this.#spread();
    });
  }

  /** Sees to it that a block gets the last net: soon, and at the latest when the running code has ended. */
  #catch(block: Block): void {
    if (block.caught || !block.ownedBy(this)) return;
    this.#freshBytes += block.bytes;
    if (this.#fresh.push(block) > MOST_FRESH || this.#freshBytes > MOST_FRESH_BYTES) this.#spread();
    else this.#soon();
  }

  /** Puts the last net under the blocks that are to have it, and are without. */
  #spread(): void {
    for (const block of this.#fresh) {
      if (block.caught || (block.scope && !block.scope.detached) || !block.ownedBy(this)) continue;
      block.caught = true;
      net.register(block, { arena: this, ptr: block.ptr, bytes: block.bytes }, block);
    }
    this.#fresh.length = 0;
    this.#freshBytes = 0;
  }

  /** Declares every block freed, and lets go of the memory. */
  abandon(): void {
    this.abandoned = true;
    this.giveUp();
  }
}
