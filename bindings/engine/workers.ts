// The workers of a thread pool, in Node and in pages, and how they and the thread that drives find together.
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
export async function workerStarter(isNode: boolean, url: (() => string) | null): Promise<StartWorker> {
  return isNode ? nodeStarter() : pageStarter(url);
}

async function nodeStarter(): Promise<StartWorker> {
  // Most workers start with a call that is worth it, if ever: until then the module, 2 ms of the start, is not loaded.
  const { getBuiltinModule: builtin } = globalThis.process as { getBuiltinModule?: NodeJS.Process['getBuiltinModule'] };
  const early = builtin ? null : await import('node:worker_threads');
  return (job, { ready, gone }) => {
    const { Worker } = early ?? (builtin as NonNullable<typeof builtin>)('node:worker_threads');
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

function pageStarter(url: (() => string) | null): StartWorker {
  return (job, { ready, gone }) => {
    const text = url ? '' : URL.createObjectURL(new Blob([WORKER], { type: 'text/javascript' }));
    const worker = new Worker(url?.() ?? text);
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

const refused = (url: (() => string) | null): string =>
  url
    ? `nothing that runs at ${url()}`
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
