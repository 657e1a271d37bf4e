// compile(fn): traces what fn does once, and from then on replays it as one call.
import { tracing } from '../execute.ts';
import { RecordingError } from '../memory/errors.ts';
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

/** Living programs of one function. More of them mean that something changes with every call. */
const MAX_PROGRAMS = 64;

/**
 * A function that does what `fn` does, faster: its first call traces every op that `fn` calls, and later calls replay
 * them as one call, without running `fn`. Arguments and results are tensors, other values, and arrays or plain objects
 * of them. There is a program for each combination of shapes, dtypes and other arguments, and for each mode (training
 * or evaluation, with or without gradients). Tensors that `fn` uses from outside (weights, optimizer state) are read
 * and written in place. Results are new tensors without history; gradients that it leaves are overwritten by its next
 * run.
 *
 * `fn` has to do the same each time: values that change are arguments, and tensors are not read inside.
 * @throws RecordingError where `fn` reads a value, or differs from its trace; and what `fn` throws
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
export function compile<A extends unknown[], R>(fn: (...args: A) => R): Compiled<A, R> {
  let traced: { specialization: Specialization; runs: number }[] = [];
  let programs = 0;

  function call(...args: A): R {
    if (tracing()) return fn(...args); // a part of the program around it
    const key = keyOf(args);
    let entry = traced.find(({ specialization }) => specialization.fits(key));
    const make = (): Specialization => new Specialization(fn as (...args: unknown[]) => unknown, args, key);
    if (!entry) {
      traced = traced.filter(({ specialization }) => {
        if (specialization.dead) specialization.dispose();
        return !specialization.dead;
      });
      if (traced.length >= MAX_PROGRAMS)
        throw new RecordingError(
          `compile: expected at most ${MAX_PROGRAMS} kinds of calls, got another one; pass numbers that change as tensors, and pad batches to the same size`,
        );
      entry = { specialization: make(), runs: 0 };
      programs++;
      traced.unshift(entry);
    } else if (entry.runs === 1) {
      // A second look shows what fn does differently though its arguments are alike.
      const again = make();
      const difference = entry.specialization.differs(again);
      if (!difference && again.lets) {
        // What fn kept is that of the second look now, also where fn put it.
        entry.specialization.dispose();
        entry.specialization = again;
      } else again.discard();
      if (difference)
        throw new RecordingError(
          `compile: expected the function to do the same with arguments alike, got ${difference}; make what it depends on an argument`,
        );
    }
    entry.runs++;
    return entry.specialization.run(key.tensors) as R;
  }

  return Object.defineProperties(call as Compiled<A, R>, {
    programs: { get: () => programs },
    dump: { value: () => traced.map(({ specialization }) => dump(specialization.program)).join('\n\n') },
    dispose: {
      value: () => {
        for (const { specialization } of traced) specialization.dispose();
        traced = [];
      },
    },
  });
}
