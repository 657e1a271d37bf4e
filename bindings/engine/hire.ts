// Worker threads that run a text, of Node or of a page, for those who have work for them.
import { builtin, isNode } from './platform.ts';

/** A thread, as who started it sees it. */
export interface Hired {
  postMessage(message: unknown): void;
  /** Ends it at once. */
  end(): unknown;
}

/** The program of a thread, for Node and for pages. */
export interface Texts {
  readonly node: string;
  readonly page: string;
}

/** What a thread says, and, where it ends, why. */
export interface Heard {
  say(message: never): void;
  gone(why: string, cause?: unknown): void;
  /** In place of that where a page let none start. @defaultValue gone */
  refused?(why: string): void;
}

const FORBIDDEN = 'the page forbids workers made of text: allow worker-src blob:';

/** @throws Error where a page forbids it; some engines throw, others tell the worker's onerror */
function pageWorker(url: string): Worker {
  try {
    return new Worker(url, { type: 'module' });
  } catch (cause) {
    URL.revokeObjectURL(url);
    throw new Error(FORBIDDEN, { cause });
  }
}

/** Starts a thread, which gets `job`. @throws Error where none can be started here */
export async function hire({ node, page }: Texts, job: unknown, heard: Heard): Promise<Hired> {
  if (isNode) {
    const { Worker } = await builtin('node:worker_threads', () => import('node:worker_threads'));
    const worker = new Worker(node, { eval: true, workerData: job });
    worker.on('message', (message) => heard.say(message as never));
    worker.on('error', (error) => heard.gone(error.message, error));
    worker.on('exit', (code) => heard.gone(`it ended with exit code ${code}`));
    return { postMessage: (message) => worker.postMessage(message), end: () => worker.terminate() };
  }
  const text = URL.createObjectURL(new Blob([page], { type: 'text/javascript' }));
  const worker = pageWorker(text);
  worker.onmessage = ({ data }) => heard.say(data as never);
  worker.onerror = ({ message }) => {
    if (!message && heard.refused) heard.refused(FORBIDDEN);
    else heard.gone(message || FORBIDDEN);
  };
  worker.postMessage(job);
  return {
    postMessage: (message) => worker.postMessage(message),
    end: () => {
      worker.terminate();
      URL.revokeObjectURL(text);
    },
  };
}

/** The address of a module, absolute, so that it means the same to a worker. */
export async function addressOf(module: string | { readonly href: string }): Promise<string> {
  if (typeof module !== 'string') return module.href;
  if (/^[a-z][\w+.-]+:/i.test(module)) return module;
  if (isNode) return (await builtin('node:url', () => import('node:url'))).pathToFileURL(module).href;
  return new URL(module, globalThis.location.href).href;
}
