// The thread pool: workers that run the same programs over the same memory. See assembly/program/threads.ts. It is
// loaded where there may be threads: most pages are not isolated, and download none of this. It takes what it needs of
// the library as an argument: where it imported any of it, bundlers would cut the rest in two, which is 2 kB more.
import type { Ref } from '../kernels/command.ts';
import type { EagerCall, EagerKernel } from '../kernels/eager.ts';
import type { encode, Words } from '../kernels/encode.ts';
import type { Block } from '../memory/arena.ts';
import { barriersOf, type Places, type Touching } from './barriers.ts';
import { teamPays } from './contest.ts';
import type { OneThread, Threads } from './one-thread.ts';
import type { now } from './platform.ts';
import { COMMAND_BYTES, Queue, type QueueParts } from './queue.ts';
import { type Job, type Listener, Muster, type PoolWorker, type StartWorker, workerStarter } from './workers.ts';

/** What program_run answers when a thread is gone. */
const GONE = 1;
/** Milliseconds until a team goes to work without the workers that have not arrived. */
const START_LIMIT = 2000;
/** Milliseconds that the first worker has, before the others are asked for, to be refused by the page. */
const FIRST = 150;

/** Numbers that a team is tried with: so many take one thread some tens of microseconds. */
const TRIED = 2 ** 15;

const inWords = (threads: number): string => (threads === 1 ? 'one thread' : `${threads} threads`);

/** What a pool is made of. */
export interface Equipment {
  readonly module: WebAssembly.Module;
  /** The number of the tile. */
  readonly tile: number;
  /** How many threads there shall be. */
  readonly wanted: number;
  /** The URL of the program of workers, for pages that forbid those made of text. */
  readonly worker: (() => string) | null;
  /** Whether fewer are better where all are slower than one. */
  readonly tried: boolean;
  /** Takes a reason for fewer threads than wanted. */
  note(reason: string): void;
}

/** Workers that are on their way. */
interface Coming {
  readonly control: number;
  readonly muster: Muster;
  readonly workers: PoolWorker[];
  /** When it is too late. */
  readonly deadline: number;
  /** Whether settle() waits for them. */
  readonly awaited: boolean;
  /** Ends the wait of start(). */
  settle(): void;
}

/** What the pool has of the library. */
export interface Parts extends QueueParts {
  readonly encode: typeof encode;
  wordsAt(address: number): Words;
  readonly isNode: boolean;
  /** Calls that cost as much are worth the time of several threads. */
  readonly worth: number;
  readonly now: typeof now;
  workerError(message: string): Error;
}

class ThreadPool implements Threads {
  readonly #equipment: Equipment;
  readonly #parts: Parts;
  readonly #alone: OneThread;
  readonly #startWorker: StartWorker;
  readonly #queue: Queue;
  /** How many threads there shall be from now on. */
  #wanted: number;
  #workers: PoolWorker[] = [];
  #coming: Coming | null = null;
  /** Threads that work now. */
  #size = 1;
  /** Whether the first call that is worth it starts the workers. */
  #waits = false;
  /** Whether the next team has to show that it is faster than one thread. */
  #tried: boolean;
  #stopped = false;
  /** Whether a worker is no more, and kernels were under way then. */
  #lost = false;

  constructor(parts: Parts, alone: OneThread, equipment: Equipment, startWorker: StartWorker) {
    this.#parts = parts;
    this.#alone = alone;
    this.#equipment = equipment;
    this.#startWorker = startWorker;
    this.#queue = new Queue(parts, alone, (answer) => this.#check(answer));
    this.#wanted = equipment.wanted;
    this.#tried = equipment.tried;
  }

  /** Threads that work now, those included that the first call worth their time would start. */
  get size(): number {
    return this.#waits ? this.#wanted : this.#gathered();
  }

  /**
   * Starts the workers, and waits until the team is made up; at the worst this thread works alone. Where it may sleep
   * and nobody asked for workers, they start with the first call that is worth their time.
   */
  async start(): Promise<void> {
    if (this.#parts.isNode && this.#tried) {
      this.#waits = this.#wanted > 1;
      return;
    }
    while (this.#wanted > 1 && this.#size === 1 && !this.#stopped)
      await new Promise<void>((done) => this.#call(false, done));
  }

  /** Waits, without giving way to other code, for workers that were to be started later. For threads that may sleep. */
  settle(): void {
    if (this.#waits) this.#call(true);
    while (this.#coming?.awaited) {
      this.#coming.muster.wait(Math.max(0, this.#coming.deadline - Date.now()));
      this.#gathered();
    }
  }

  /** Starts workers. What they say, or the next look of #gathered(), makes up the team. */
  #call(awaited: boolean, started?: () => void): void {
    this.#waits = false;
    const { module, tile } = this.#equipment;
    const { memory } = this.#alone.arena;
    let control: number;
    try {
      this.#alone.makeRoom(this.#wanted);
      const bytes = Number(this.#alone.exports.thread_control_bytes?.(this.#wanted));
      control = this.#alone.arena.reserve(bytes);
      this.#alone.arena.u8.fill(0, control, control + bytes);
    } catch (error) {
      this.#fail(error as Error);
      started?.();
      return;
    }
    const muster = new Muster(memory, control);
    const deadline = Date.now() + START_LIMIT;
    const timer: unknown = setTimeout(() => this.#coming === coming && this.#gathered(), START_LIMIT + 1);
    // It keeps the process while start() waits, and only then.
    if (this.#parts.isNode && !started) (timer as NodeJS.Timeout).unref();
    const settle = (): void => {
      clearTimeout(timer as number);
      started?.();
    };
    const coming: Coming = { control, muster, workers: [], deadline, awaited, settle };
    this.#coming = coming;
    const job: Job = {
      module,
      memory,
      control,
      workspaces: this.#alone.workspaces,
      scratches: this.#alone.scratches,
      tile,
    };
    this.#add(coming, job);
  }

  /** Adds the workers that a team lacks. */
  #add(coming: Coming, job: Job): void {
    const { workers } = coming;
    const listener: Listener = {
      ready: () => {
        if (this.#coming === coming && this.#gathered() === 1) this.#add(coming, job);
      },
      gone: (worker, error) => this.#gone(coming, worker, error),
    };
    try {
      while (this.#coming === coming && workers.length < this.#wanted - 1) {
        workers.push(this.#startWorker(job, listener));
        // Where a page forbids the first, the others need not be asked for.
        if (!this.#parts.isNode && workers.length === 1) setTimeout(() => this.#add(coming, job), FIRST);
        if (!this.#parts.isNode && workers.length === 1) return;
      }
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  /** A worker is no more. */
  #gone(team: Coming, { index }: PoolWorker, error: Error): void {
    if (this.#stopped) return;
    if (this.#coming === team) this.#fail(error);
    // Between two programs: the others wait, and new ones start. Those that came too late leave by themselves.
    else if (this.#workers === team.workers && index > 0 && index < this.#size) {
      // What is under way may yet be done by the others.
      if (this.#queue.busy) this.#lost = true;
      else this.#restart();
    }
  }

  /** Works alone, where a worker did not start. */
  #fail(error: Error): void {
    this.#dismiss();
    this.#wanted = 1;
    this.#equipment.note(`one thread after all: no worker started (${error.message})`);
  }

  /** Makes up the team, if all workers are here or it is too late for the others. @returns threads that work now */
  #gathered(): number {
    const coming = this.#coming;
    if (!coming) return this.#size;
    const { muster, workers, control, deadline } = coming;
    const all = muster.arrived === this.#wanted - 1;
    if (!all && Date.now() < deadline) return this.#size;
    this.#coming = null;
    const size = muster.close();
    this.#workers = workers;
    if (!all) {
      const late = `only ${size - 1} of ${this.#wanted - 1} workers started within ${START_LIMIT / 1000} s`;
      this.#equipment.note(`${inWords(size)} after all: ${late}`);
      this.#wanted = size;
    }
    if (size > 1) this.#join(size, control);
    else this.#dismiss();
    if (size > 1 && this.#tried) this.#try(coming);
    coming.settle();
    return this.#size;
  }

  /** Sends a team away that is slower than this thread alone, and starts one of half the size. */
  #try({ awaited }: Coming): void {
    // Where this thread packs: no product runs now.
    const x = this.#alone.workspace;
    const n = Math.min(TRIED, (Number(this.#alone.exports.gemm_workspace_bytes?.()) - COMMAND_BYTES) >>> 3);
    const place = (ptr: number): Ref => ({ block: { ptr } as Block, offset: 0, shape: [], dtype: '' });
    const y = x + 4 * n;
    const command = { kernel: 'exp_forward_f32', call: { y: place(y), x: place(x), n } } as const;
    const buffer = y + 4 * n;
    const words = this.#parts.wordsAt(buffer);
    this.#parts.encode(words, command, this.#parts.slicesOf(command), false, ({ block }) => block.ptr);
    this.#alone.arena.f32.fill(0, x / 4, y / 4);
    const { program_run: run, exp_forward_f32: exp } = this.#alone.exports;
    const team = (): void => void run?.(buffer, words.address);
    this.#tried = !teamPays(team, () => exp?.(y, x, n), this.#parts.now);
    if (!this.#tried) return;
    const size = this.#size;
    this.#dismiss();
    this.#wanted = size >> 1;
    this.#equipment.note(`${inWords(this.#wanted)} after all: ${size} were not faster than one in a short check`);
    if (awaited && this.#wanted > 1) this.#call(true);
  }

  /** Sends the workers away, and starts others. Until they are ready this thread works alone. */
  #restart(): void {
    this.#lost = false;
    this.#dismiss();
    this.#call(false);
  }

  /** Makes this thread the first of `count`. */
  #join(count: number, control: number): void {
    this.#alone.takePart(count, control);
    this.#size = count;
  }

  #dismiss(): void {
    const coming = this.#coming;
    this.#queue.drop();
    for (const worker of [...this.#workers, ...(coming?.workers ?? [])]) worker.terminate();
    this.#workers = [];
    this.#coming = null;
    this.#join(1, 0);
    coming?.settle();
  }

  stop(): void {
    this.#stopped = true;
    this.#waits = false;
    this.#alone.exports.thread_stop?.();
    this.#dismiss();
  }

  /** Starts the workers, or looks for them. @returns threads that work now */
  #team(): number {
    if (this.#waits) this.#call(true);
    return this.#gathered();
  }

  barriers<S extends Touching>(steps: readonly S[], places: Places<S>): boolean[] {
    return barriersOf(steps, places);
  }

  run(from: number, to: number): number {
    this.#team();
    this.#queue.close();
    const answer = this.#alone.run(from, to);
    this.#check(answer);
    return answer;
  }

  /** Starts other workers where one is gone. @throws WorkerError where that was noticed in the middle of something */
  #check(answer: number): void {
    if (answer === GONE || this.#lost) this.#restart();
    if (answer !== GONE) return;
    throw this.#parts.workerError(
      'threads: expected all threads to finish, got no sign of life for 1.2 seconds from one of them, which was ended from outside; ' +
        'what was being computed is incomplete (after an optimizer step also the weights): restore a checkpoint. New threads are starting',
    );
  }

  sharing(called: EagerKernel, alone: EagerCall): EagerCall {
    const queue = this.#queue;
    const { cut, cost } = called.kernel;
    const after: EagerCall = (call) => {
      queue.catchUp();
      return alone(call);
    };
    // Probes, and kernels that may take any time.
    if (!cost) return after;
    const { worth } = this.#parts;
    let caller: ReturnType<Queue['caller']> | undefined;
    return (call) => {
      const time = this.size > 1 ? cost(call) : 0;
      const shared = time >= worth && cut !== undefined && this.#team() > 1;
      if (!shared && !queue.busy) return alone(call);
      caller ??= queue.caller(called);
      return caller.add(call, time, shared) ? 0 : after(call);
    };
  }

  get intermediateBytes(): number {
    return this.#alone.intermediateBytes;
  }
}

/** A pool, with its workers on their way. */
export async function startPool(parts: Parts, alone: OneThread, equipment: Equipment): Promise<Threads> {
  const pool = new ThreadPool(parts, alone, equipment, await workerStarter(parts.isNode, equipment.worker));
  await pool.start();
  return pool;
}
