// Trials in worker threads, of a module that exports `run`.
import { builtin, isNode } from '../../engine/platform.ts';
import { ArgumentError, WorkerError } from '../../memory/errors.ts';

/** Runs trials one after the other. */
export interface Runner {
  run(id: number, config: unknown, report: (step: number, value: number) => boolean): Promise<number | undefined>;
  close(): void;
}

/** What a worker says. */
interface Said {
  readonly report?: readonly [step: number, value: number];
  readonly done?: { readonly value?: number };
  readonly failure?: { readonly name: string; readonly message: string; readonly stack?: string };
}

interface Thread {
  post(message: object): void;
  end(): void;
}

/** The program of workers: for each message that has a config, a trial; others answer reports. */
const PROGRAM = `let answer = () => {};
const hear = async (message, post) => {
  if (!('config' in message)) return answer(message.goesOn);
  try {
    const { run } = await import(message.url);
    if (typeof run !== 'function') throw new Error('expected a module that exports run(config, trial), got ' + message.url);
    const report = (step, value) => new Promise((resolve) => { answer = resolve; post({ report: [step, value] }); });
    const value = await run(message.config, { id: message.id, report });
    post({ done: { value } });
  } catch (error) {
    const { name, message: what, stack } = Object(error);
    post({ failure: { name, message: what ?? String(error), stack } });
  }
};
`;
const NODE = `${PROGRAM}import('node:worker_threads').then(({ parentPort }) => {
  parentPort.on('message', (message) => hear(message, (said) => parentPort.postMessage(said)));
});
`;
const PAGE = `${PROGRAM}onmessage = ({ data }) => hear(data, (said) => postMessage(said));
`;

async function start(say: (said: Said) => void, gone: (why: string) => void): Promise<Thread> {
  if (isNode) {
    const { Worker } = await builtin('node:worker_threads', () => import('node:worker_threads'));
    const worker = new Worker(NODE, { eval: true, execArgv: [] });
    worker.on('message', say);
    worker.on('error', (error) => gone(error.message));
    worker.on('exit', (code) => gone(`it ended with exit code ${code}`));
    return { post: (message) => worker.postMessage(message), end: () => void worker.terminate() };
  }
  const url = URL.createObjectURL(new Blob([PAGE], { type: 'text/javascript' }));
  const worker = new Worker(url, { type: 'module' });
  worker.onmessage = ({ data }) => say(data as Said);
  worker.onerror = ({ message }) => gone(message || 'the page forbids workers made of text: allow worker-src blob:');
  return {
    post: (message) => worker.postMessage(message),
    end: () => {
      worker.terminate();
      URL.revokeObjectURL(url);
    },
  };
}

/** The address of a module, as workers import it. */
async function addressOf(module: string | { readonly href: string }): Promise<string> {
  const text = typeof module === 'string' ? module : module.href;
  if (/^(\w[\w+.-]+:|\/\/)/.test(text)) return text;
  if (!isNode) return new URL(text, globalThis.location.href).href;
  const { pathToFileURL } = await import('node:url');
  return pathToFileURL(text).href;
}

/** A worker that runs trials of `module`. */
export async function threadFor(module: string | { readonly href: string }): Promise<Runner> {
  const url = await addressOf(module);
  let [say, gone]: [(said: Said) => void, (error: Error) => void] = [() => {}, () => {}];
  let lost: Error | null = null;
  const thread = await start(
    (said) => say(said),
    (why) => {
      lost = new WorkerError(`tune: expected a worker that runs ${url}, got none: ${why}`);
      gone(lost);
    },
  );
  return {
    run: (id, config, report) =>
      new Promise((resolve, reject) => {
        if (lost) return reject(lost);
        gone = reject;
        const answer = (given: readonly [number, number]): void => {
          try {
            thread.post({ goesOn: report(...given) });
          } catch (error) {
            reject(error);
          }
        };
        say = ({ report: given, done, failure }) => {
          if (given) answer(given);
          else if (failure) {
            const { name, message, stack } = failure;
            reject(Object.assign(new Error(message), { name, ...(stack ? { stack } : {}) }));
          } else resolve(done?.value);
        };
        try {
          thread.post({ url, id, config });
        } catch (cause) {
          const why = (cause as Error).message;
          reject(new ArgumentError(`tune: expected hyperparameters that can be cloned, got others: ${why}`, { cause }));
        }
      }),
    close: () => thread.end(),
  };
}
