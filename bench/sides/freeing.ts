// Runs of what gives a tensor.
import type { Tensor } from 'retrograd';
import type { Library, Run } from '../problems.ts';

/** A run of `solve`, whose result is freed each time; `inputs` are freed in the end. */
export function freeing({ scope }: Library, inputs: readonly (Tensor | null)[], solve: () => Tensor): Run {
  return {
    answer: () => scope(() => solve().data as Float32Array),
    run: () => {
      scope(() => {
        solve();
      });
    },
    dispose: () => {
      for (const input of inputs) input?.dispose();
    },
  };
}
