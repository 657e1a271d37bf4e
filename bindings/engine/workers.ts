// The workers of a thread pool, in Node and in pages, and how they and the thread that drives find together.
import { type BuildName, resolveUrl, type UrlLike } from './builds.ts';
import { isNode } from './platform.ts';
import { ARRIVED, COUNT, NODE_WORKER, WORKER } from './worker-text.ts';

/** What every worker gets. */
export interface Job {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** Address of the control block. */
  readonly control: number;
  /** Where each thread packs, and keeps the intermediates of loops. */
  readonly workspaces: readonly number[];
  readonly scratches: readonly number[];
  readonly tile: number;
}

/** A worker, whichever kind it is. */
export interface PoolWorker {
  /** Its number, as soon as it has said so. */
  index: number;
  terminate(): void;
}

/** What the pool wants to hear of a worker. */
export interface Listener {
  /** It has arrived. */
  ready(): void;
  /** It has ended, or did not start. */
  gone(worker: PoolWorker, error: Error): void;
}

/** How to make workers here. */
export type StartWorker = (job: Job, listener: Listener) => PoolWorker;

/** @param url of build/lib/worker.js, where workers made of text are forbidden */
export async function workerStarter(url?: string | UrlLike): Promise<StartWorker> {
  return isNode ? nodeStarter() : pageStarter(url);
}

async function nodeStarter(): Promise<StartWorker> {
  const { Worker } = await import('node:worker_threads');
  return (job, { ready, gone }) => {
    // Without the flags of this process, some of which say how a program given as text is read.
    const worker = new Worker(NODE_WORKER, { eval: true, workerData: job, execArgv: [] });
    const made: PoolWorker = { index: 0, terminate: () => void worker.terminate() };
    worker.once('message', (index: number) => {
      made.index = index;
      ready();
    });
    worker.once('error', (error) => gone(made, error));
    worker.once('exit', () => gone(made, new Error('the worker ended')));
    worker.unref(); // the process may end while it waits; before a listener is added it would not last
    return made;
  };
}

function pageStarter(url?: string | UrlLike): StartWorker {
  return (job, { ready, gone }) => {
    const text = url ? '' : URL.createObjectURL(new Blob([WORKER], { type: 'text/javascript' }));
    const worker = new Worker(url ? resolveUrl(url) : text);
    const made: PoolWorker = { index: 0, terminate: () => worker.terminate() };
    worker.onmessage = ({ data }) => {
      if (text) URL.revokeObjectURL(text);
      made.index = data as number;
      ready();
    };
    worker.onerror = ({ message }) => gone(made, new Error(message || refused(url)));
    worker.postMessage(job);
    return made;
  };
}

const refused = (url?: string | UrlLike): string =>
  url
    ? `nothing that runs at ${resolveUrl(url)}`
    : 'the page forbids workers made of text: allow worker-src blob:, or pass init({ worker }) with the URL of build/lib/worker.js';

/** The team as its control block says. */
export class Muster {
  readonly #words: Int32Array;
  readonly #arrived: number;
  readonly #count: number;

  /** @param control address of a block that is zero */
  constructor(memory: WebAssembly.Memory, control: number) {
    this.#words = new Int32Array(memory.buffer);
    this.#arrived = (control + ARRIVED) >>> 2;
    this.#count = (control + COUNT) >>> 2;
  }

  /** Workers that are here. */
  get arrived(): number {
    return Atomics.load(this.#words, this.#arrived);
  }

  /** Sleeps until another worker is here, at most so many milliseconds. For threads that may sleep. */
  wait(most: number): void {
    Atomics.wait(this.#words, this.#arrived, this.arrived, most);
  }

  /** Makes up a team of those that are here. @returns how many threads it has, this one included */
  close(): number {
    const threads = this.arrived + 1;
    Atomics.store(this.#words, this.#count, threads);
    Atomics.notify(this.#words, this.#count);
    return threads;
  }
}

/** Why there cannot be threads here, or null. */
export function missingForThreads(node = isNode): string | null {
  if (!node && globalThis.crossOriginIsolated === false) return 'the page is not cross-origin isolated';
  if (typeof SharedArrayBuffer === 'undefined') return 'the engine has no SharedArrayBuffer';
  if (!node && typeof Worker === 'undefined') return 'there are no workers';
  return null;
}

/** How many processors the engine says that it has. */
async function processors(): Promise<number> {
  if (isNode) return (await import('node:os')).availableParallelism();
  return globalThis.navigator?.hardwareConcurrency ?? 1;
}

/** What each thread needs to pack in, and more threads than 'auto' starts. */
export const THREAD_BYTES = 2 ** 21;
const MOST_BY_ITSELF = 16;

/** A number of threads, and why. */
export interface Wanted {
  readonly threads: number;
  readonly reason: string;
}

export const oneThread = (reason: string): Wanted => ({ threads: 1, reason: `one thread: ${reason}` });

/** How many threads to start. @param build that was given, and may have none @param maxBytes of the memory */
export async function pickThreads(
  threads: number | 'auto',
  build: BuildName | null,
  maxBytes: number,
): Promise<Wanted> {
  const missing = missingForThreads();
  if (build && !build.endsWith('-threads')) return oneThread('the module that was given has no others');
  if (threads === 1) return oneThread('asked for');
  if (missing) return oneThread(missing);
  if (threads !== 'auto') return { threads, reason: `${threads} threads: asked for` };
  const most = await processors();
  const room = Math.floor(maxBytes / (8 * THREAD_BYTES));
  const count = Math.min(most, MOST_BY_ITSELF, room);
  if (most === 1) return oneThread('the engine has one processor');
  if (count <= 1) return oneThread(`maxBytes ${maxBytes} has no room for more`);
  const limit =
    count === most
      ? 'as many as processors'
      : count === room
        ? 'as many as maxBytes has room for'
        : 'more have to be asked for';
  return { threads: count, reason: `${count} threads: ${limit}` };
}
