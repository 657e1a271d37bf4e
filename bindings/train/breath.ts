// Turns for all else that waits: a page that is drawn, a signal, a message.
import { isNode, now } from '../engine/platform.ts';

/** How often others have a turn where nobody looks on. */
const EVERY_MS = 50;

interface Scheduler {
  yield?(): Promise<void>;
}

/** Ends this task, and goes on in the next one: setTimeout would wait for four milliseconds. */
function nextTask(): Promise<void> {
  const { scheduler, setImmediate } = globalThis as { scheduler?: Scheduler; setImmediate?: (fn: () => void) => void };
  if (isNode && setImmediate) return new Promise((resolve) => setImmediate(resolve));
  if (scheduler?.yield) return scheduler.yield();
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/** Gives others a turn: in a page after every step, elsewhere now and then. */
export class Breath {
  readonly #every = 'document' in globalThis ? 0 : EVERY_MS;
  #last = now();

  /** Waits where it is time for it. */
  take(): undefined | Promise<void> {
    const time = now();
    if (time - this.#last < this.#every) return undefined;
    return nextTask().then(() => {
      this.#last = now();
    });
  }
}
