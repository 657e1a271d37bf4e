// Kernels that are called while others are under way. The calling thread writes commands and goes on, the workers run
// them in their order, and the calling thread takes part when it has to wait: so JavaScript and kernels run at the same
// time, and threads meet only where one has nothing to do. Memory that is given back and given out again meanwhile
// needs no care, as all is done in the order of the calls; only who looks at memory from JavaScript waits (see
// bindings/memory/heap.ts). The other side is in assembly/program/.
import type { commandOf, Slices, slicesOf } from '../kernels/command.ts';
import type { Spec } from '../kernels/descriptor.ts';
import type { EagerCall, EagerKernel } from '../kernels/eager.ts';
import type { KernelName } from '../kernels/table.ts';
import type { UnderWay } from '../memory/heap.ts';
import type { OneThread } from './one-thread.ts';

/** Room for commands; where it is full, the calling thread waits for the others. */
const BYTES = 2 ** 16;
/**
 * About how many nanoseconds of one thread the calls run ahead of the kernels, once or twice: pauses of JavaScript
 * between two kernels, for garbage too, are shorter; and whoever takes the time of a loop of calls has that of the
 * kernels. With 1 ms two threads gain a tenth less on models of TensorFlow.js.
 */
const LEAD = 5e6;
/** Room for numbers that commands read; larger arrays wait for what is under way. */
const STAGING_BYTES = 2 ** 16;
/** Room for one command with its list. */
export const COMMAND_BYTES = 2048;
/** Words in front of the arguments of a command. */
const HEADER = 8;
/** What a command begins with whose parts have to be large: see assembly/program/threads.ts. */
const REPEATS = 2 ** 29;
/** What stands in the place of a kernel where a program that was still being written ends. */
const CLOSED = -2;
/** Most ways to cut the calls of a kernel that are kept. */
const MOST_CUTS = 256;

/** What the queue has of the library. */
export interface QueueParts {
  readonly commandOf: typeof commandOf;
  readonly slicesOf: typeof slicesOf;
}

/** How calls of the same sizes are cut. */
interface Cut extends Pick<Slices, 'units' | 'grain' | 'repeats' | 'count' | 'scale'> {
  /** The sizes. */
  readonly key: readonly number[];
  /** What one unit adds to each argument. */
  readonly steps: readonly number[];
  /** The algorithm that computes the whole. */
  readonly algorithm: number;
}

const WHOLE: Cut = { key: [], units: 0, grain: 1, count: 0, scale: 1, steps: [], algorithm: 0 };

type Named = readonly [name: string, spec: Spec];

/** Writes calls of one kernel as commands. */
class Caller {
  readonly #queue: Queue;
  readonly #called: EagerKernel;
  /** What commands have of its operands. */
  readonly #specs: readonly Named[];
  readonly #workspace: number;
  readonly #cuts = new Map<number, Cut>();
  /** Takes the arguments of the export and the list of a call. */
  readonly #take: EagerCall;
  #args: readonly number[] = [];
  #list: readonly number[] = [];

  constructor(queue: Queue, called: EagerKernel) {
    this.#queue = queue;
    this.#called = called;
    const operands = Object.entries(called.kernel.operands);
    this.#specs = operands.filter(([, { kind }]) => kind !== 'workspace');
    this.#workspace = operands.findIndex(([, { kind }]) => kind === 'workspace');
    const list = (words: readonly number[]): number => {
      this.#list = words;
      return 0;
    };
    const take = (...args: number[]): number => {
      this.#args = args;
      return 0;
    };
    this.#take = called.make(take, { workspace: 0, list });
  }

  /**
   * @param cost about how many nanoseconds it takes one thread
   * @param shared whether the threads share it, if it can be cut
   * @returns whether it was added. What is long and in one piece is not: a worker that gives no sign of life for as
   *   long is taken for lost, and there is nothing to share
   */
  add(call: object, cost: number, shared: boolean): boolean {
    this.#list = [];
    this.#take(call);
    const args = this.#workspace < 0 ? this.#args : this.#args.filter((_, i) => i !== this.#workspace);
    const { units, grain, repeats, count, scale, steps, algorithm } = shared ? this.#cut(call, args) : WHOLE;
    if (cost >= LEAD && units < 2 * grain) return false;
    const list = this.#list;
    const { i32, f32 } = this.#queue.views;
    const from = this.#queue.room() >>> 2;
    const lists = from + HEADER + 2 * args.length;
    i32[from] = this.#called.number;
    i32[from + 1] = lists + list.length - from;
    i32[from + 2] = repeats ? REPEATS : 0;
    i32[from + 3] = units;
    i32[from + 4] = grain;
    i32[from + 5] = count;
    i32[from + 6] = args.length;
    i32[from + 7] = scale;
    let at = from + HEADER;
    for (let i = 0; i < args.length; i++, at++) {
      const { kind } = (this.#specs[i] as Named)[1];
      if (kind === 'f32') f32[at] = args[i] as number;
      else i32[at] = kind === 'list' ? 4 * lists : kind === 'algorithm' ? algorithm : (args[i] as number);
    }
    for (const step of steps) i32[at++] = step;
    for (let i = 0; i < list.length; i++) i32[lists + i] = list[i] as number;
    this.#queue.extend(4 * (lists + list.length), cost);
    return true;
  }

  /** How a call is cut; the same for calls of the same sizes, which trainings repeat. */
  #cut(call: object, args: readonly number[]): Cut {
    const key = args.map((value, i) => {
      const { kind } = (this.#specs[i] as Named)[1];
      return kind === 'buffer' ? Number(value !== 0) : kind === 'f32' ? 0 : value;
    });
    key.push(...this.#list);
    const hash = key.reduce((h, value) => (Math.imul(h, 31) + value) | 0, 0);
    const known = this.#cuts.get(hash);
    if (known?.key.length === key.length && known.key.every((value, i) => value === key[i])) return known;
    const command = this.#queue.commandOf(this.#called.name as KernelName, call);
    const slices = this.#queue.parts.slicesOf(command);
    const steps = slices ? this.#specs.map(([name]) => slices.steps[name] ?? 0) : [];
    const selected = this.#specs.find(([, { kind }]) => kind === 'algorithm');
    const algorithm = slices && selected ? (command.call[selected[0]] as number) : 0;
    const cut = { ...(slices ?? WHOLE), key, steps, algorithm };
    if (this.#cuts.size >= MOST_CUTS) this.#cuts.clear();
    this.#cuts.set(hash, cut);
    return cut;
  }
}

export class Queue {
  readonly parts: QueueParts;
  readonly #alone: OneThread;
  readonly #begin: number;
  /** Where the next command goes; 0 while the workers follow no queue. */
  #next = 0;
  /** The cost of what was called since the command at the mark. */
  #lead = 0;
  #mark = 0;
  /** Takes what catching up answers: whether a thread is gone. */
  readonly #answer: (answer: number) => void;
  /** Room for what kernels read, and how much of it is taken. */
  readonly #staging: number;
  #staged = 0;
  readonly #underWay: UnderWay = { wait: () => this.catchUp(), room: (bytes) => this.#stage(bytes) };

  constructor(parts: QueueParts, alone: OneThread, answer: (answer: number) => void) {
    this.parts = parts;
    this.#alone = alone;
    this.#answer = answer;
    this.#begin = alone.arena.reserve(BYTES);
    this.#staging = alone.arena.reserve(STAGING_BYTES);
  }

  #stage(bytes: number): number {
    const end = this.#staged + 16 * Math.ceil(bytes / 16);
    if (end > STAGING_BYTES) return 0;
    const address = this.#staging + this.#staged;
    this.#staged = end;
    return address;
  }

  /** Whether kernels may be under way. */
  get busy(): boolean {
    return this.#alone.arena.underWay !== null;
  }

  get views(): OneThread['arena']['views'] {
    return this.#alone.arena.views;
  }

  /** The call of a kernel as a command. */
  commandOf(name: KernelName, call: object): ReturnType<typeof commandOf> {
    return this.parts.commandOf(name, call as Readonly<Record<string, unknown>>, this.#alone.lists.select);
  }

  caller(called: EagerKernel): Caller {
    return new Caller(this, called);
  }

  /** @returns where the next command goes */
  room(): number {
    // What is staged stays: the command that is to be written may read it.
    if (this.#next + COMMAND_BYTES > this.#begin + BYTES) this.#end();
    if (this.#next === 0) {
      this.#next = this.#begin;
      this.#mark = this.#begin;
      this.#alone.exports.program_open?.(this.#begin);
    }
    return this.#next;
  }

  /** Has the command run that was written up to `end`, and waits where the calls are too far ahead. */
  extend(end: number, cost: number): void {
    const begin = this.#next;
    this.#next = end;
    this.#alone.arena.underWay = this.#underWay;
    this.#alone.exports.program_extend?.(end);
    this.#lead += cost;
    if (this.#lead < LEAD) return;
    const before = this.#mark;
    this.#mark = begin;
    this.#lead = cost;
    this.#take(before);
  }

  /** Waits until no kernel is under way. @throws WorkerError */
  catchUp(): void {
    if (!this.busy) return;
    this.#staged = 0;
    this.#finish();
  }

  /** Likewise, and the workers follow no queue any more. @throws WorkerError */
  close(): void {
    if (this.#next === 0) return;
    this.#staged = 0;
    this.#end();
  }

  #end(): void {
    this.views.i32[this.#next >>> 2] = CLOSED;
    this.#alone.exports.program_extend?.(this.#next + 4);
    this.#next = 0;
    this.#finish();
  }

  #finish(): void {
    this.#alone.arena.underWay = null;
    this.#lead = 0;
    this.#mark = this.#next;
    this.#take(0);
  }

  /** Takes part in what was written before the command at `until`; 0: in all. */
  #take(until: number): void {
    this.#answer(Number(this.#alone.exports.program_catch_up?.(until)));
  }

  /** Forgets what is under way: its threads are gone. */
  drop(): void {
    this.#next = 0;
    this.#staged = 0;
    this.#alone.arena.underWay = null;
  }
}
