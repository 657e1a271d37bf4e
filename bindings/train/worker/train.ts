// A training in a worker, as the page sees it.
import { addressOf, hire } from '../../engine/hire.ts';
import * as errors from '../../memory/errors.ts';
import type { Callback, Run } from '../callbacks/callback.ts';
import { Listeners } from '../listeners.ts';
import type { FitResult } from '../position.ts';
import { hear, type SignalLike } from '../signals.ts';
import { type Failure, type Message, type Status, TEXTS, type Weights } from './messages.ts';

/** What the training gives in the end. */
export interface WorkerResult extends FitResult {
  /** The state of the model, for `loadStateDict`. */
  readonly model: Readonly<Record<string, Weights>>;
}

const { WorkerError, RetrogradError } = errors;

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

/** Starts the worker, tells the callbacks, and gives what it ends with. */
export async function train(
  module: string | { readonly href: string },
  data: unknown,
  callbacks: readonly Callback[],
  signal: SignalLike | null,
): Promise<WorkerResult> {
  const listeners = new Listeners(callbacks);
  const url = await addressOf(module);
  let thread: Awaited<ReturnType<typeof hire>> | null = null;
  let reason: string | null = null;
  const run = runOf((why) => {
    reason ??= why;
    thread?.postMessage(reason);
  });
  let told: Promise<unknown> = Promise.resolve();
  let letGo = (): void => {};
  try {
    return await new Promise<WorkerResult>((resolve, reject) => {
      const say = (message: Message): void => {
        if ('event' in message) {
          // One after the other, though a callback may take its time.
          told = told.then(() => {
            run.take(message.status);
            return listeners.tell(message.event, run, message.figures);
          });
          told.catch(reject);
        } else if ('result' in message) told.then(() => resolve({ ...message.result, model: message.model }), reject);
        else if ('failure' in message) reject(errorOf(message.failure));
        else if (reason !== null) thread?.postMessage(reason);
      };
      const gone = (why: string, cause?: unknown): void =>
        reject(new WorkerError(`trainInWorker: expected the worker to go on, got its end: ${why}`, { cause }));
      hire(TEXTS, { url, data }, { say, gone }).then(
        (started) => {
          thread = started;
          letGo = hear(signal, false, run.stop);
        },
        (error) => gone((error as Error).message, error),
      );
    });
  } catch (error) {
    await listeners.tellError(run, error);
    throw error;
  } finally {
    letGo();
    await (thread as { end(): unknown } | null)?.end();
  }
}
