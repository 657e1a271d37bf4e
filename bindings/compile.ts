// compile(fn): records what fn does once, and from then on replays it as one call.
import { keyOf, Recording } from './recording.ts';
import { RecordingError } from './runtime/errors.ts';
import { listing } from './runtime/listing.ts';
import { recording } from './runtime/wasm.ts';

/** A function that replays programs; see {@link compile}. */
export interface Compiled<A extends unknown[], R> {
  (...args: A): R;
  /** How many programs it has recorded. */
  readonly programs: number;
  /**
   * The programs that live, a line a step: command, operands, shapes, bytes.
   * @param profile runs each program that often, as it was called last, and adds the share of each step in the time. What a
   *   program changes, such as weights, changes with every run.
   */
  dump(options?: { profile?: number }): string;
  /** Gives the memory of the programs back; the next call records anew. */
  dispose(): void;
}

/** Living programs of one function. More of them mean that something changes with every call. */
const MAX_PROGRAMS = 64;

/**
 * A function that does what `fn` does, faster: its first call records every kernel that `fn` calls, and later calls replay
 * them as one call, without running `fn`. Arguments and results are tensors, other values, and arrays or plain objects of
 * them. There is a program for each combination of shapes, dtypes and other arguments, and for each mode (training or
 * evaluation, with or without gradients). Tensors that `fn` uses from outside (weights, optimizer state) are read and written
 * in place. Results are new tensors without history; gradients that it leaves are overwritten by its next run.
 *
 * `fn` has to do the same each time: values that change are arguments, and tensors are not read inside.
 * @throws RecordingError where `fn` reads a value, or differs from its recording; and what `fn` throws
 */
export function compile<A extends unknown[], R>(fn: (...args: A) => R): Compiled<A, R> {
  let recordings: { recording: Recording; runs: number }[] = [];
  let programs = 0;

  function call(...args: A): R {
    if (recording()) return fn(...args); // a part of the program around it
    const key = keyOf(args);
    let entry = recordings.find((candidate) => candidate.recording.fits(key));
    const make = (sites = false): Recording => new Recording(fn as (...args: unknown[]) => unknown, args, key, sites);
    if (!entry) {
      recordings = recordings.filter(({ recording: old }) => {
        if (old.dead) old.dispose();
        return !old.dead;
      });
      if (recordings.length >= MAX_PROGRAMS)
        throw new RecordingError(
          `compile: expected at most ${MAX_PROGRAMS} kinds of calls, got another one; pass numbers that change as tensors, and pad batches to the same size`,
        );
      entry = { recording: make(), runs: 0 };
      programs++;
      recordings.unshift(entry);
    } else if (entry.runs === 1) {
      // A second look shows what fn does differently though its arguments are alike.
      const difference = entry.recording.differs(make(true));
      if (difference)
        throw new RecordingError(
          `compile: expected the function to do the same with arguments alike, got ${difference}; make what it depends on an argument`,
        );
    }
    entry.runs++;
    return entry.recording.run(key.tensors) as R;
  }

  return Object.defineProperties(call as Compiled<A, R>, {
    programs: { get: () => programs },
    dump: {
      value: ({ profile = 0 }: { profile?: number } = {}) =>
        recordings.map(({ recording: { program } }) => listing(program, profile)).join('\n\n'),
    },
    dispose: {
      value: () => {
        for (const { recording: old } of recordings) old.dispose();
        recordings = [];
      },
    },
  });
}
