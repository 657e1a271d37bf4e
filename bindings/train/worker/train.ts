// A training in a worker, as the page sees it.
import { addressOf, hire } from '../../engine/hire.ts';
import * as errors from '../../memory/errors.ts';
import type { Callback, Run } from '../callbacks/callback.ts';
import { Listeners } from '../listeners.ts';
import type { FitResult } from '../position.ts';
import { expectSignal, hear, type SignalLike } from '../signals.ts';
import {
  type Failure,
  type Job,
  type Message,
  type Port,
  type Setup,
  type Status,
  TEXTS,
  type Weights,
} from './messages.ts';

/** What the training gives in the end. */
export interface WorkerResult extends FitResult {
  /** The state of the model, for `loadStateDict`. */
  readonly model: Readonly<Record<string, Weights>>;
}

const { ArgumentError, WorkerError, RetrogradError } = errors;

/** An error of the worker's, of the class that it had there. */
function errorOf({ name, message, stack }: Failure): Error {
  const Class = (errors as unknown as Record<string, new (message: string) => Error>)[name];
  const own = Class?.prototype instanceof RetrogradError && name !== 'OutOfMemoryError' ? Class : Error;
  // It names the call in the worker, not this one.
  return Object.assign(new own(message), { name, call: 'trainInWorker', ...(stack && { stack }) });
}

/** The run, as far as the page knows it. */
function runOf(stop: (reason: string) => void): Run & { take(status: Status): void } {
  const run = {
    ...{ epoch: 0, epochs: 0, step: 0, batch: 0, batches: undefined, samples: 0, learningRates: [], figures: {} },
    stopped: null as string | null,
    stop: (reason = 'stopped') => stop(reason),
    take: (status: Status) => void Object.assign(run, status),
  };
  return run;
}

/** What `setup()` has to give. */
type Made = Setup & { readonly trainer: { serve(made: Setup, port: Port): Promise<void> } };

/** Whether an import failed for want of a module, in the words of Node and of browsers; as in the text of workers. */
const isMissing = (error: Error & { readonly code?: string }): boolean =>
  error.code === 'ERR_MODULE_NOT_FOUND' || (error instanceof TypeError && /import/i.test(error.message));

/** Trains without a worker, between turns for the page after every step. @throws the training's own errors */
async function trainHere({ url, data }: Job, port: Port): Promise<void> {
  const { setup } = (await import(/* webpackIgnore: true */ /* @vite-ignore */ url).catch((error: Error) => {
    const got = `trainInWorker: expected a module that can be loaded, got ${error.message}; of ${url}`;
    throw isMissing(error) ? new ArgumentError(got, { cause: error }) : error;
  })) as { setup?: unknown };
  if (typeof setup !== 'function')
    throw new ArgumentError(`trainInWorker: expected a module that exports setup(data), got none; of ${url}`);
  const made = (await setup(data)) as Partial<Made> | undefined;
  if (typeof made?.trainer?.serve !== 'function')
    throw new ArgumentError(`trainInWorker: expected { trainer, loader, fit } from setup(), got no trainer; of ${url}`);
  await made.trainer.serve(made as Made, port);
}

/** Starts the worker, tells the callbacks, and gives what it ends with. */
export async function train(
  module: string | { readonly href: string },
  data: unknown,
  callbacks: readonly Callback[],
  signal: SignalLike | null,
): Promise<WorkerResult> {
  expectSignal('trainInWorker', signal);
  const listeners = new Listeners(callbacks);
  const url = await addressOf(module);
  let stop = (_: string): void => {};
  let end = (): unknown => undefined;
  let reason: string | null = null;
  const run = runOf((why) => {
    reason ??= why;
    stop(reason);
  });
  let told: Promise<unknown> = Promise.resolve();
  const letGo = hear(signal, false, run.stop);
  try {
    return await new Promise<WorkerResult>((resolve, reject) => {
      // From its last word on a worker may end; callbacks may still take their time.
      let over = false;
      const say = (message: Message): void => {
        over ||= 'result' in message || 'failure' in message;
        if ('event' in message) {
          // One after the other, though a callback may take its time.
          told = told.then(() => {
            run.take(message.status);
            return listeners.tell(message.event, run, message.figures);
          });
          told.catch(reject);
        } else if ('result' in message) told.then(() => resolve({ ...message.result, model: message.model }), reject);
        else if ('failure' in message) reject(errorOf(message.failure));
        else if (reason !== null) stop(reason);
      };
      const gone = (why: string, cause?: unknown): void => {
        if (over) return;
        reject(new WorkerError(`trainInWorker: expected the worker to go on, got its end: ${why}`, { cause }));
      };
      const refused = (why: string): void => {
        console.warn(`trainInWorker: this thread trains, with a turn for the page after each step, for ${why}`);
        const port: Port = {
          postMessage: say,
          onstop(each) {
            port.stopped = each;
          },
        };
        stop = (each) => port.onstop(each);
        if (reason !== null) stop(reason);
        trainHere({ url, data, stopped: reason }, port).catch(reject);
      };
      const job: Job = { url, data, stopped: reason };
      hire(TEXTS, job, { say, gone, refused }).then(
        (thread) => {
          end = () => thread.end();
          stop = (each) => thread.postMessage(each);
        },
        (error) => refused((error as Error).message),
      );
    });
  } catch (error) {
    // What trains here has no end of its own, where a callback failed.
    stop('failed');
    await listeners.tellError(run, error);
    throw error;
  } finally {
    letGo();
    await end();
  }
}
