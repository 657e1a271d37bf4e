// The team of threads: workers that run the same programs over the same memory. See assembly/program/team.ts.
import type { Arena } from './arena.ts';
import type { Exports, Kernels } from './commands.ts';
import { ArgumentError, WorkerError } from './errors.ts';
import type { KernelName } from './kernels.ts';
import { encode, type Runner, Words } from './program.ts';
import { type Command, commandOf, forEachWritten } from './recorder.ts';
import { hasSplit, splitOf, WORTH_SHARING } from './splits.ts';

const isNode = typeof process !== 'undefined' && !!process.versions?.node;
/** More threads than this gain nothing that anybody has measured. */
const MAX_THREADS = 64;
/** What program_run answers when a thread is gone. */
const GONE = 1;

// A worker is this text, so that no bundler has to find a file for it. `serve` gets what the team sends.
const WORKER = `
const serve = ({ module, memory, index, count, control, workspace, scratch, tile }, ready) => {
  const env = { memory, now: () => performance.now(), abort() {} };
  const { exports } = new WebAssembly.Instance(module, { env });
  exports._initialize?.();
  exports.gemm_set_tile(tile);
  exports.thread_start(index, count, control, workspace, scratch, 1);
  ready();
  exports.thread_run();
};
`;
const NODE_WORKER = `${WORKER}
const { parentPort, workerData } = require('node:worker_threads');
serve(workerData, () => parentPort.postMessage('ready'));
`;
const WEB_WORKER = `${WORKER}
onmessage = ({ data }) => serve(data, () => postMessage('ready'));
`;

/** What the team needs of a worker, whichever kind it is. */
interface Hand {
  /** Fulfilled when it waits for work; rejected where it could not start. */
  readonly ready: Promise<void>;
  terminate(): void;
}

async function hire(data: object, lost: () => void): Promise<Hand> {
  if (isNode) {
    const { Worker } = await import('node:worker_threads');
    // Without the flags of this process, some of which say how a program given as text is read.
    const worker = new Worker(NODE_WORKER, { eval: true, workerData: data, execArgv: [] });
    worker.unref(); // the process may end while it waits
    const ready = new Promise<void>((resolve, reject) => {
      worker.once('message', () => resolve());
      worker.once('error', reject);
      worker.once('exit', () => reject(new Error('the worker ended')));
    });
    worker.once('exit', lost);
    return { ready, terminate: () => void worker.terminate() };
  }
  const url = URL.createObjectURL(new Blob([WEB_WORKER], { type: 'text/javascript' }));
  const worker = new Worker(url);
  const ready = new Promise<void>((resolve, reject) => {
    worker.onmessage = () => resolve();
    worker.onerror = (event) => {
      reject(new Error(event.message || 'the page forbids workers made of text: worker-src blob:'));
      lost();
    };
  });
  worker.postMessage(data);
  return { ready: ready.finally(() => URL.revokeObjectURL(url)), terminate: () => worker.terminate() };
}

/** How many threads the engine has room for. */
export async function availableThreads(): Promise<number> {
  if (isNode) return (await import('node:os')).availableParallelism();
  return globalThis.navigator?.hardwareConcurrency ?? 1;
}

/** Why the engine cannot have threads, or null. */
export function missingForThreads(): string | null {
  if (typeof SharedArrayBuffer === 'undefined' || (!isNode && !globalThis.crossOriginIsolated))
    return 'the page is not cross-origin isolated';
  if (!isNode && typeof Worker === 'undefined') return 'there are no workers';
  return null;
}

/** @throws ArgumentError unless `threads` is 'auto' or a whole number from 1 to 64 */
export function checkThreads(threads: number | 'auto'): void {
  if (threads !== 'auto' && !(Number.isInteger(threads) && threads >= 1 && threads <= MAX_THREADS))
    throw new ArgumentError(`init: expected threads 'auto' or a whole number from 1 to ${MAX_THREADS}, got ${threads}`);
}

export class Team implements Runner {
  readonly #arena: Arena;
  readonly #exports: Exports;
  readonly #module: WebAssembly.Module;
  readonly #tile: number;
  readonly #wanted: number;
  readonly #workspaces: number[] = [];
  readonly #scratches: number[] = [];
  #hands: Hand[] = [];
  #size = 1;
  #stopped = false;
  /** Counts the times the team was put together. */
  #generation = 0;

  constructor(arena: Arena, exports: Exports, module: WebAssembly.Module, tile: number, wanted: number) {
    this.#arena = arena;
    this.#exports = exports;
    this.#module = module;
    this.#tile = tile;
    this.#wanted = wanted;
    for (let i = 0; i < wanted; i++) {
      this.#workspaces.push(arena.reserve(Number(exports.gemm_workspace_bytes?.())));
      this.#scratches.push(arena.reserve(Number(exports.program_scratch_bytes?.())));
    }
    this.#lead(1, 0);
  }

  /** Threads that work now: fewer than wanted while new ones start. */
  get size(): number {
    return this.#size;
  }

  /** Where this thread packs. */
  get workspace(): number {
    return this.#workspaces[0] as number;
  }

  /** Makes this thread the first of `count`. */
  #lead(count: number, control: number): void {
    // The main thread of a page must not sleep.
    const sleeps = isNode || typeof document === 'undefined';
    const [workspace, scratch] = [this.#workspaces[0], this.#scratches[0]] as [number, number];
    this.#exports.thread_start?.(0, count, control, workspace, scratch, Number(sleeps));
    this.#size = count;
  }

  /** Starts the workers. @throws what kept one from starting; this thread works alone then */
  async start(): Promise<void> {
    const generation = ++this.#generation;
    const bytes = Number(this.#exports.thread_control_bytes?.(this.#wanted));
    const control = this.#arena.reserve(bytes);
    this.#arena.u8.fill(0, control, control + bytes);
    const lost = (): void => {
      // Between two programs: the others wait, and a new team starts. A team that never was complete stays alone.
      if (generation === this.#generation && this.#size > 1 && !this.#stopped) this.#restart();
    };
    const { memory } = this.#arena;
    const indices = Array.from({ length: this.#wanted - 1 }, (_, i) => i + 1);
    const hands: Hand[] = [];
    try {
      for (const index of indices) {
        const [workspace, scratch] = [this.#workspaces[index], this.#scratches[index]];
        const places = { index, count: this.#wanted, control, workspace, scratch };
        const hand = await hire({ ...places, module: this.#module, memory, tile: this.#tile }, lost);
        hands.push(hand);
        // Where a page forbids the first, the others need not be asked for.
        if (!isNode && hands.length === 1) await hand.ready;
      }
      await Promise.all(hands.map(({ ready }) => ready));
    } catch (error) {
      for (const hand of hands) hand.terminate();
      throw error;
    }
    if (this.#stopped || generation !== this.#generation) {
      for (const hand of hands) hand.terminate();
      return;
    }
    this.#hands = hands;
    this.#lead(this.#wanted, control);
  }

  /** Sends the workers away, and starts others. Until they are ready this thread works alone. */
  #restart(): void {
    this.#disband();
    this.start().catch(() => {
      // Alone it is slower, and right.
    });
  }

  #disband(): void {
    this.#generation++;
    for (const hand of this.#hands) hand.terminate();
    this.#hands = [];
    this.#lead(1, 0);
  }

  stop(): void {
    this.#stopped = true;
    this.#exports.thread_stop?.();
    this.#disband();
  }

  get intermediateBytes(): number {
    return Number(this.#exports.program_intermediate_bytes?.());
  }

  run(from: number, to: number): number {
    const answer = Number(this.#exports.program_run?.(from, to)) >>> 0;
    if (answer !== GONE) return answer;
    this.#restart();
    throw new WorkerError(
      'threads: expected all threads to finish, got no sign of life for 1.2 seconds from one of them, which was ended from outside; ' +
        'what was being computed is incomplete (after an optimizer step also the weights): restore a checkpoint. New threads are starting',
    );
  }

  /** `kernels` whose larger calls are shared among the threads. */
  share(kernels: Kernels): Kernels {
    const buffer = this.#arena.reserve(1024);
    const entries = Object.entries(kernels) as [KernelName, (...operands: unknown[]) => void][];
    return Object.fromEntries(
      entries.map(([name, alone]) => {
        if (!hasSplit(name)) return [name, alone];
        const shared = (...operands: unknown[]): void => {
          if (this.#size === 1 || !this.#share(commandOf(name, operands), buffer)) alone(...operands);
        };
        return [name, shared];
      }),
    ) as unknown as Kernels;
  }

  /** Runs one command on all threads, where that is worth it. */
  #share(command: Command, buffer: number): boolean {
    const split = splitOf(command);
    if (!split || split.cost < WORTH_SHARING) return false;
    forEachWritten(command, ({ block }) => {
      block.version++;
    });
    const words = new Words();
    encode(words, command, split, false, buffer, ({ block, offset }) => ({
      value: block.ptr + offset,
      scratch: false,
    }));
    this.#arena.i32.set(words.list, buffer / 4);
    this.run(buffer, buffer + 4 * words.list.length);
    return true;
  }
}
