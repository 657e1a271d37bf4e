// Reading ahead, in this thread: what waits for files and functions waits while the program computes.
import type { Chunk, Run, Source, State } from '../pipeline/source.ts';

/** A chunk, or why there is none. */
interface Read<T> {
  readonly before: State;
  readonly chunk: Chunk<T> | null;
  readonly error?: unknown;
}

/** @param depth chunks that are read and wait, at most */
export function prefetch<T>(input: Source<T>, depth: number): Run<T> {
  return {
    async open(epoch, state) {
      const reader = await input.open(epoch, state);
      /** In their order; the end, or an error, is the last, and stays. */
      const waiting: Read<T>[] = [];
      let done = false;
      let reading: Promise<void> | null = null;
      /** Where the reader stood before the call that is under way. */
      let before: State;
      let wake = (): void => {};

      const read = async (): Promise<void> => {
        while (waiting.length < depth && !done) {
          before = reader.state();
          let next: Read<T>;
          try {
            next = { before, chunk: await reader.next(1) };
          } catch (error) {
            next = { before, chunk: null, error };
          }
          done ||= !next.chunk;
          waiting.push(next);
          wake();
        }
        reading = null;
      };
      const ahead = (): void => {
        if (waiting.length < depth && !done) reading ??= read();
      };

      return {
        async next() {
          ahead();
          while (waiting.length === 0)
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
          const [{ chunk, error }] = waiting as [Read<T>];
          if (error !== undefined) throw error;
          if (chunk) waiting.shift();
          ahead();
          return chunk;
        },
        state: () => waiting[0]?.before ?? (reading ? before : reader.state()),
        async close() {
          done = true;
          await reading;
          await reader.close();
        },
      };
    },
  };
}
