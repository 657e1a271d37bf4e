// compile(fn): traces what fn does once, and from then on replays it as one call.
import { tracing } from '../execute.ts';
import { OutOfMemoryError, RecordingError } from '../memory/errors.ts';
import { callable, signature } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { dump } from './dump.ts';
import { keyOf } from './key.ts';
import { Specialization } from './specialization.ts';

/** A function that replays programs; see {@link compile}. */
export interface Compiled<A extends unknown[], R> {
  /** Replays the program for arguments like these, or traces it. */
  (...args: A): R;
  /** How many programs it has made. */
  readonly programs: number;
  /**
   * The programs that live, on two levels: the graph, a line an op with its operands, attributes, module and place in
   * your program; and the commands that it became, a line a step with the kernel, its operands, the algorithm and the
   * bytes.
   */
  dump(): string;
  /** Gives the memory of the programs back; the next call traces anew. */
  dispose(): void;
}

/** Living programs of one function: beyond it, the one that was not used for the longest time gives way. */
const MOST_PROGRAMS = 64;

/** A program, and how often it ran. */
interface Entry {
  specialization: Specialization;
  runs: number;
}

const dumpOf = signature('Compiled.dump()');
const disposeOf = signature('Compiled.dispose()');

/**
 * A function that does what `fn` does, faster: its first call traces every op that `fn` calls, and later calls replay
 * them as one call, without running `fn`. Arguments and results are tensors, other values, and arrays, plain objects,
 * Maps and Sets of them. Tensors that `fn` uses from outside (weights, optimizer state) are read and written in place.
 * Results are new tensors without history; gradients that it leaves are overwritten by its next run.
 *
 * There is a program for each structure of the arguments, with the shapes, dtypes and layouts of their tensors and all
 * other values; and for each state of what it watches: modes, fields of the modules whose forward ran (settings,
 * parameters, children), groups and parameters of optimizers, gradients on or off. Learning rates and the like are read
 * by each run. What it cannot see, such as variables of yours, is looked for at calls 2, 4, 8, 16 …: `fn` is traced
 * once more, without an effect on generators, modules and optimizers, and has to do the same. So values that change are
 * arguments, and tensors are not read inside. The 64 programs that were used last are kept.
 * @throws RecordingError where `fn` reads a value, or differs from its trace; GradError for arguments with a history;
 *   and what `fn` throws
 * @example
 * ```ts
 * const model = new nn.Linear(784, 10);
 * const optimizer = new optim.SGD(model.parameters(), { lr: 0.1 });
 * const step = compile((x: Tensor, y: Tensor) => {
 *   optimizer.zeroGrad();
 *   const loss = functional.crossEntropy(model.forward(x), y);
 *   loss.backward();
 *   optimizer.step();
 *   return loss;
 * });
 * console.log(step(randn([64, 784]), randint(0, 10, [64])).item());
 * ```
 */
export const compile: <A extends unknown[], R>(fn: (...args: A) => R) => Compiled<A, R> = callable(
  'compile(fn: function)',
  compiled,
);

function compiled<A extends unknown[], R>(fn: (...args: A) => R): Compiled<A, R> {
  /** The last used ones first. */
  const traced: Entry[] = [];
  let programs = 0;

  /** @param tensors gets those in the arguments */
  const make = (args: A, tensors: Tensor[]): Specialization => {
    const key = keyOf(args, tensors);
    return new Specialization(fn as (...args: unknown[]) => unknown, args, key, tensors);
  };

  /** Lets go of the programs from `at` on. */
  function evict(at: number): void {
    for (const { specialization } of traced.splice(at)) specialization.dispose();
  }

  /** The program for these arguments, which comes first from then on. @param tensors gets those in them */
  function find(args: A, tensors: Tensor[]): Entry {
    for (let i = 0; i < traced.length; i++) {
      const entry = traced[i] as Entry;
      if (!entry.specialization.fits(args, tensors)) continue;
      if (i > 0) {
        traced.splice(i, 1);
        traced.unshift(entry);
      }
      return entry;
    }
    for (let i = traced.length - 1; i >= 0; i--) {
      const { specialization } = traced[i] as Entry;
      if (!specialization.dead) continue;
      specialization.dispose();
      traced.splice(i, 1);
    }
    const entry = { specialization: make(args, tensors), runs: 0 };
    programs++;
    traced.unshift(entry);
    evict(MOST_PROGRAMS);
    return entry;
  }

  /** Traces once more, and shows what fn does differently though all that can be seen is alike. */
  function lookAgain(entry: Entry, args: A): void {
    const again = make(args, []);
    const difference = entry.specialization.differs(again);
    const adopts = !difference && again.lets;
    again.undo(!adopts);
    if (adopts) {
      // What fn kept is that of the last look now, also where fn put it.
      entry.specialization.dispose();
      entry.specialization = again;
    } else again.discard();
    if (difference)
      throw new RecordingError(
        `compile: expected the function to do the same with arguments alike, got ${difference}; make what it depends on an argument`,
      );
  }

  function call(...args: A): R {
    if (tracing()) return fn(...args); // a part of the program around it
    const tensors: Tensor[] = [];
    const entry = find(args, tensors);
    const times = entry.runs + 1;
    if (times > 1 && (times & (times - 1)) === 0) lookAgain(entry, args);
    entry.runs = times;
    for (;;) {
      try {
        return entry.specialization.run(tensors) as R;
      } catch (error) {
        // Programs that are not in use make room.
        if (!(error instanceof OutOfMemoryError) || traced.length < 2) throw error;
        evict(traced.length - 1);
      }
    }
  }

  return Object.defineProperties(call as Compiled<A, R>, {
    programs: { get: () => programs },
    dump: {
      value: (...none: unknown[]) => {
        dumpOf.parse(none);
        return traced.map(({ specialization }) => dump(specialization.program)).join('\n\n');
      },
    },
    dispose: {
      value: (...none: unknown[]) => {
        disposeOf.parse(none);
        evict(0);
      },
    },
  });
}
