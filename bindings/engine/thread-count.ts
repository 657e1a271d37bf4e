// How many threads there shall be.
import type { BuildName } from './builds.ts';
import { builtin, isNode } from './platform.ts';

/** Why there cannot be threads here, or null. */
export function missingForThreads(node = isNode): string | null {
  if (!node && globalThis.crossOriginIsolated === false) return 'the page is not cross-origin isolated';
  if (typeof SharedArrayBuffer === 'undefined') return 'the engine has no SharedArrayBuffer';
  if (!node && typeof Worker === 'undefined') return 'there are no workers';
  return null;
}

/** How many processors the engine says that it has. */
async function processors(): Promise<number> {
  if (isNode) return (await builtin('node:os', () => import('node:os'))).availableParallelism();
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
