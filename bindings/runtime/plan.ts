// Where the blocks of a program lie: two share memory unless both are needed at the same time.
import type { Block } from './arena.ts';
import type { Step } from './passes.ts';

const ALIGN = 64;

/** A piece of the program's memory, from the first to the last step that touches it. */
interface Room {
  readonly blocks: Block[];
  readonly bytes: number;
  readonly first: number;
  last: number;
  /** Bytes from the start of the program's memory. */
  offset: number;
}

export interface Plan {
  /** Where each block of the program lies in its memory. */
  readonly offsets: ReadonlyMap<Block, number>;
  readonly bytes: number;
  /** Of each loop: where its intermediates lie in the scratch of a thread, and elements a block. */
  readonly loops: ReadonlyMap<Step, { readonly offsets: ReadonlyMap<Block, number>; readonly elements: number }>;
}

interface Life {
  first: number;
  last: number;
}

function livesOf(steps: readonly Step[], inside: (block: Block) => boolean): Map<Block, Life> {
  const lives = new Map<Block, Life>();
  steps.forEach((step, at) => {
    for (const { touches } of step.tasks)
      for (const { ref } of touches) {
        if (!inside(ref.block)) continue;
        const life = lives.get(ref.block);
        if (life) life.last = at;
        else lives.set(ref.block, { first: at, last: at });
      }
  });
  return lives;
}

/** Most elements of a block of a loop: one call's worth that leaves room for its operands in the first cache. */
const BLOCK_ELEMENTS = 2048;

/** What only a loop itself touches lies in the scratch. @param capacity bytes of it */
function planLoop(
  step: Step,
  lives: Map<Block, Life>,
  capacity: number,
): { offsets: Map<Block, number>; elements: number } {
  const own = new Map<Block, { first: number; last: number; slot: number }>();
  step.tasks.forEach(({ touches, split }, at) => {
    for (const { ref, arg } of touches) {
      const life = lives.get(ref.block);
      if (!life || life.first !== life.last || split?.steps[arg] !== 4 || ref.offset !== 0) continue;
      const known = own.get(ref.block);
      if (known) known.last = at;
      else own.set(ref.block, { first: at, last: at, slot: 0 });
    }
  });
  const free: number[] = [];
  let slots = 0;
  const intervals = [...own.values()];
  step.tasks.forEach((_, at) => {
    // A result may take the place of an operand that is read for the last time.
    for (const interval of intervals) if (interval.last === at && interval.first < at) free.push(interval.slot);
    for (const interval of intervals) if (interval.first === at) interval.slot = free.pop() ?? slots++;
  });
  const elements = Math.max(64, Math.min(BLOCK_ELEMENTS, Math.floor(capacity / 4 / Math.max(1, slots) / 64) * 64));
  const offsets = new Map([...own].map(([block, { slot }]) => [block, slot * elements * 4]));
  for (const block of own.keys()) lives.delete(block);
  return { offsets, elements };
}

/** The room of an operand that an elementwise step reads for the last time, for its result to take. */
function reusable(step: Step, at: number, rooms: ReadonlyMap<Block, Room>, block: Block): Room | undefined {
  for (const { touches, split } of step.tasks) {
    if (!split?.elementwise) return undefined;
    const out = touches.find(({ ref, writes }) => writes && ref.block === block);
    if (!out) continue;
    for (const { ref, reads, writes } of touches) {
      const room = rooms.get(ref.block);
      // Also read in another way, say as one number for all, it would be overwritten before its last reader has it.
      const alike = touches.every(
        (other) =>
          (other !== out && other.ref.block !== ref.block) ||
          (other.ref.offset === 0 && split.steps[other.arg] === split.steps[out.arg]),
      );
      if (room && reads && !writes && alike && room.last === at && room.bytes === block.bytes) return room;
    }
  }
  return undefined;
}

/** @param inside blocks that the program has to make room for @param capacity bytes for the intermediates of loops */
export function planMemory(steps: readonly Step[], inside: (block: Block) => boolean, capacity: number): Plan {
  const lives = livesOf(steps, inside);
  const loops = new Map(
    steps.filter(({ loop }) => loop).map((step) => [step, planLoop(step, lives, capacity)] as const),
  );
  const rooms = new Map<Block, Room>();
  const all: Room[] = [];
  // By first use: the map is in that order.
  for (const [block, life] of lives) {
    const at = life.first;
    const step = steps[at] as Step;
    const taken = step.loop ? undefined : reusable(step, at, rooms, block);
    const room = taken ?? { blocks: [], bytes: block.bytes, first: life.first, last: life.last, offset: -1 };
    if (!taken) all.push(room);
    room.blocks.push(block);
    room.last = Math.max(room.last, life.last);
    rooms.set(block, room);
  }
  return {
    offsets: place(all),
    bytes: all.reduce((end, { offset, bytes }) => Math.max(end, offset + bytes), 0),
    loops,
  };
}

/** The largest first, each in the smallest gap between those that live at the same time. */
function place(rooms: readonly Room[]): Map<Block, number> {
  const placed: Room[] = [];
  for (const room of rooms.toSorted((a, b) => b.bytes - a.bytes)) {
    const neighbours = placed.filter(({ first, last }) => first <= room.last && room.first <= last);
    neighbours.sort((a, b) => a.offset - b.offset);
    let best = -1;
    let smallest = Number.POSITIVE_INFINITY;
    let end = 0;
    for (const { offset, bytes } of neighbours) {
      const gap = offset - end;
      if (gap >= room.bytes && gap < smallest) {
        best = end;
        smallest = gap;
      }
      end = Math.max(end, Math.ceil((offset + bytes) / ALIGN) * ALIGN);
    }
    room.offset = best >= 0 ? best : end;
    placed.push(room);
  }
  return new Map(rooms.flatMap(({ blocks, offset }) => blocks.map((block) => [block, offset])));
}
