// What a page and a training in a worker tell each other.
import type { Figures } from '../callbacks/callback.ts';
import type { Event } from '../listeners.ts';
import type { FitResult } from '../position.ts';

/** What is trained, and where. */
export interface Job {
  /** Of the module that exports `setup`. */
  readonly url: string;
  readonly data: unknown;
  /** Why to stop before the first step, or null. */
  readonly stopped: string | null;
}

/** Where a training stands; figures only now and then, for metrics have to be computed. */
export interface Status {
  readonly epoch: number;
  readonly epochs: number;
  readonly step: number;
  readonly batch: number;
  readonly batches: number | undefined;
  readonly samples: number;
  readonly learningRates: readonly number[];
  readonly stopped: string | null;
  readonly figures?: Readonly<Figures>;
}

/** Numbers of a model, by their names in its state. */
export interface Weights {
  /** The element type. */
  readonly dtype: 'f32' | 'i32' | 'u8';
  /** Sizes, outermost first. */
  readonly shape: readonly number[];
  /** The elements in row-major order. */
  readonly data: Float32Array | Int32Array | Uint8Array;
}

/** What went wrong, as it can be sent. */
export interface Failure {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
}

export type Message =
  | { readonly started: true }
  | { readonly event: Event; readonly status: Status; readonly figures: Readonly<Figures> }
  | { readonly result: FitResult; readonly model: Readonly<Record<string, Weights>> }
  | { readonly failure: Failure };

/** Where messages go, and from where the word comes to stop. */
export interface Port {
  postMessage(message: Message, transfer?: ArrayBuffer[]): void;
  onstop: (reason: string) => void;
  /** Why to stop, where the word came before anybody heard it. */
  stopped?: string;
}

/** What `setup()` of a module gives. */
export interface Setup {
  readonly loader: unknown;
  readonly fit?: object;
}

/** Whether an import failed for want of a module, in the words of Node and of browsers; as text, for a worker. */
const MISSING = `((error) => error.code === 'ERR_MODULE_NOT_FOUND' || (error instanceof TypeError && /import/i.test(error.message)))`;

/** Imports the module, and has its trainer serve: all else it has to know is in that. */
const RUN = `const run = async (job, port) => {
  if (job.stopped !== null) port.stopped = job.stopped;
  port.postMessage({ started: true });
  try {
    const wrong = (what) => Object.assign(new Error('trainInWorker: expected ' + what + '; of ' + job.url), { name: 'ArgumentError' });
    const { setup } = await import(job.url).catch((error) => {
      throw ${MISSING}(error) ? wrong('a module that can be loaded, got ' + error.message) : error;
    });
    if (typeof setup !== 'function') throw wrong('a module that exports setup(data), got none');
    const made = await setup(job.data);
    if (typeof made?.trainer?.serve !== 'function') throw wrong('{ trainer, loader, fit } from setup(), got no trainer');
    await made.trainer.serve(made, port);
  } catch ({ name, message, stack }) {
    port.postMessage({ failure: { name, message, stack } });
  }
};
`;

export const TEXTS = {
  node: `${RUN}import('node:worker_threads').then(({ parentPort, workerData }) => {
  const port = { postMessage: (message, transfer) => parentPort.postMessage(message, transfer), onstop(reason) { port.stopped = reason; } };
  parentPort.on('message', (reason) => port.onstop(reason));
  run(workerData, port).finally(() => parentPort.close());
});
`,
  page: `${RUN}const port = { postMessage: (message, transfer = []) => postMessage(message, transfer), onstop(reason) { port.stopped = reason; } };
onmessage = ({ data }) => typeof data === 'string' ? port.onstop(data) : run(data, port);
`,
} as const;
