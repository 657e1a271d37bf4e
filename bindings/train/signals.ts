// What ends a training from outside.
import { expectMethods } from './expect.ts';

/** What of an `AbortSignal` is asked for. */
export interface SignalLike {
  /** Whether it has gone off. */
  readonly aborted: boolean;
  /** Calls a listener when it does. */
  addEventListener(type: 'abort', listener: () => void): void;
  /** Lets go of a listener. */
  removeEventListener(type: 'abort', listener: () => void): void;
}

/** @throws ArgumentError for what is no signal, nor null */
export function expectSignal(op: string, signal: unknown): void {
  if (signal) expectMethods(op, 'a signal', [signal], ['addEventListener', 'removeEventListener']);
}

/** Calls `stop` when the signal goes off, and, where `interrupts`, at Ctrl-C. @returns what lets go of both */
export function hear(signal: SignalLike | null, interrupts: boolean, stop: (reason: string) => void): () => void {
  const abort = (): void => stop('aborted');
  if (signal?.aborted) abort();
  signal?.addEventListener('abort', abort);
  const interrupt = (): void => stop('interrupted');
  const host = interrupts ? globalThis.process : undefined;
  // Once: the second one has the system's own effect.
  host?.once?.('SIGINT', interrupt).once('SIGTERM', interrupt);
  return () => {
    signal?.removeEventListener('abort', abort);
    host?.off?.('SIGINT', interrupt).off('SIGTERM', interrupt);
  };
}
