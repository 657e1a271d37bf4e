// The thread pool: workers that run the same programs over the same memory. See assembly/program/threads.ts.
import { commandOf, slicesOf, touchesOf } from '../kernels/command.ts';
import { encode, Words } from '../kernels/encode.ts';
import type { KernelName } from '../kernels/table.ts';
import type { Arena } from '../memory/arena.ts';
import { ArgumentError, WorkerError } from '../memory/errors.ts';
import { type Exports, isNode } from './builds.ts';
import type { Lists } from './lists.ts';

/** More threads than this gain nothing that anybody has measured. */
const MAX_THREADS = 64;
/** Room for one command with its list. */
const COMMAND_BYTES = 1024;
/** What program_run answers when a thread is gone. */
const GONE = 1;

// A worker is this text, so that no bundler has to find a file for it. `serve` gets what the pool sends.
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

/** What the pool needs of a worker, whichever kind it is. */
interface PoolWorker {
  /** Fulfilled when it waits for work; rejected where it could not start. */
  readonly ready: Promise<void>;
  terminate(): void;
}

async function startWorker(data: object, lost: () => void): Promise<PoolWorker> {
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

/** What runs the words of a program: this thread, or all of the pool. */
export interface Runner {
  /** @returns the address of the check that stopped it, or 0 @throws WorkerError */
  run(from: number, to: number): number;
  /** Bytes of the scratch for intermediates of loops. */
  readonly intermediateBytes: number;
}

export class ThreadPool implements Runner {
  readonly #arena: Arena;
  readonly #exports: Exports;
  readonly #lists: Lists;
  /** Where a shared call stands. */
  readonly #buffer: number;
  readonly #module: WebAssembly.Module;
  readonly #tile: number;
  readonly #wanted: number;
  readonly #workspaces: number[] = [];
  readonly #scratches: number[] = [];
  #workers: PoolWorker[] = [];
  #size = 1;
  #stopped = false;
  /** Counts the times the team was put together. */
  #generation = 0;

  constructor(arena: Arena, exports: Exports, lists: Lists, module: WebAssembly.Module, tile: number, wanted: number) {
    this.#arena = arena;
    this.#lists = lists;
    this.#buffer = arena.reserve(COMMAND_BYTES);
    this.#exports = exports;
    this.#module = module;
    this.#tile = tile;
    this.#wanted = wanted;
    for (let i = 0; i < wanted; i++) {
      this.#workspaces.push(arena.reserve(Number(exports.gemm_workspace_bytes?.())));
      this.#scratches.push(arena.reserve(Number(exports.program_scratch_bytes?.())));
    }
    this.#takePart(1, 0);
  }

  /** Threads that work now: fewer than wanted while new ones start. */
  get size(): number {
    return this.#size;
  }

  /** Where this thread packs. */
  get workspace(): number {
    return this.#workspaces[0] as number;
  }

  /** Puts a list where kernels can read it. @returns its address */
  list(words: readonly number[]): number {
    return this.#lists.put(words);
  }

  /** Makes this thread the first of `count`. */
  #takePart(count: number, control: number): void {
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
    const workers: PoolWorker[] = [];
    try {
      for (const index of indices) {
        const [workspace, scratch] = [this.#workspaces[index], this.#scratches[index]];
        const places = { index, count: this.#wanted, control, workspace, scratch };
        const worker = await startWorker({ ...places, module: this.#module, memory, tile: this.#tile }, lost);
        workers.push(worker);
        // Where a page forbids the first, the others need not be asked for.
        if (!isNode && workers.length === 1) await worker.ready;
      }
      await Promise.all(workers.map(({ ready }) => ready));
    } catch (error) {
      for (const worker of workers) worker.terminate();
      throw error;
    }
    if (this.#stopped || generation !== this.#generation) {
      for (const worker of workers) worker.terminate();
      return;
    }
    this.#workers = workers;
    this.#takePart(this.#wanted, control);
  }

  /** Sends the workers away, and starts others. Until they are ready this thread works alone. */
  #restart(): void {
    this.#terminate();
    this.start().catch(() => {
      // Alone it is slower, and right.
    });
  }

  #terminate(): void {
    this.#generation++;
    for (const worker of this.#workers) worker.terminate();
    this.#workers = [];
    this.#takePart(1, 0);
  }

  stop(): void {
    this.#stopped = true;
    this.#exports.thread_stop?.();
    this.#terminate();
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

  /** Runs one call on all threads, where that is worth their time and it can be cut. @returns whether it was */
  share(kernel: KernelName, call: object): boolean {
    const command = commandOf(kernel, call as Readonly<Record<string, unknown>>, this.#lists.select);
    const slices = slicesOf(command);
    if (!slices) return false;
    for (const { ref, writes } of touchesOf(command)) if (writes) ref.block.version++;
    const words = new Words(this.#arena, this.#buffer);
    encode(words, command, slices, false, ({ block, offset }) => block.ptr + offset);
    this.run(this.#buffer, words.address);
    return true;
  }
}
