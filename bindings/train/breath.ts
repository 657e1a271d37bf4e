// Turns for all else that waits: a page that is drawn, a signal, a message.
import { isNode, now } from '../engine/platform.ts';

/** How often others have a turn where nobody looks on. */
const EVERY_MS = 50;

/** Who waits for the next task, in a page. */
const waiting: (() => void)[] = [];
let channel: MessageChannel | null = null;

/**
 * Ends this task, and goes on in the next one. In pages by a message: setTimeout would wait for four milliseconds, and
 * scheduler.yield() comes before timers.
 */
function nextTask(): Promise<void> {
  const { setImmediate } = globalThis as { setImmediate?: (fn: () => void) => void };
  if (isNode && setImmediate) return new Promise((resolve) => setImmediate(resolve));
  if (!channel) {
    channel = new MessageChannel();
    channel.port1.onmessage = () => waiting.shift()?.();
  }
  const { port2 } = channel;
  return new Promise((resolve) => {
    waiting.push(resolve);
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
