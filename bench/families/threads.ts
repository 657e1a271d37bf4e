// Products and training steps with more threads than one, as cases that versions of the library can be compared by.
import type { Family, Side } from '../problems.ts';
import { product } from './gemm.ts';
import { TINY, trainCases } from './train.ts';

/** @param threaded instances with more threads */
export function threadsFamily(quick: boolean, threaded: readonly Side[]): Family {
  return {
    name: 'threads',
    cases: [
      ...(quick ? [256] : [1024, 2048]).map((n) => product('NN', n, n, n, threaded)),
      ...trainCases(quick)
        .filter((item) => item !== TINY)
        .map((item) => ({ ...item, sides: threaded })),
    ],
    skipped: [],
  };
}
