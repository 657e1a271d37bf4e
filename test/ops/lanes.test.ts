// What test/kernels/units.test.ts can't hold: along a size that no call is cut along, a call has no calls of one unit
// to be compared with. There the cases of ops, which have an f64 reference, have to reach every remainder of a vector.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { backward } from '../../bindings/backward.ts';
import { init, runtime, shutdown } from '../../bindings/engine/engine.ts';
import { everyKernel } from '../../bindings/generated/kernel-calls.ts';
import { sizesOf } from '../../bindings/kernels/command.ts';
import { addKernels, type KernelName, table } from '../../bindings/kernels/table.ts';
import { RetrogradError } from '../../bindings/memory/errors.ts';
import { scope } from '../../bindings/scope.ts';
import { buffersOf } from '../support/trials.ts';
import { alongsOf } from '../support/units.ts';
import { list } from './cases/index.ts';
import { differentiableOf, leaves, runSample, valuesOf } from './cases/samples.ts';

addKernels(everyKernel);
beforeAll(() => init({ simd: 'strict', threads: 1 }));
afterAll(() => shutdown());

/** Sizes of operands that have no remainders, and why. */
const NONE: Readonly<Record<string, string>> = {
  'ctc_forward_f32 width': 'states are labels with blanks around each: an odd number',
  'ctc_backward_f32 width': 'likewise',
  'class_weights_f32 classes': 'a table that classes are looked up in',
  'grid_sample_forward_f32 axes': 'two or three',
  'grid_sample_backward_input_f32 axes': 'likewise',
  'grid_sample_backward_grid_f32 axes': 'likewise',
  'sort_32 width': 'bytes of its room',
};

/** Kernels that no op calls, but TensorFlow.js: test/tfjs/pool.test.ts has their remainders. */
const FOREIGN = /_pool_last_/;

type Call = Readonly<Record<string, unknown>>;
/** The sizes that kernels were called with. */
const seen = new Map<string, Map<string, Set<number>>>();

function watchKernels(): void {
  const kernels = runtime().kernels as unknown as Record<string, (call: Call) => void>;
  for (const [kernel, call] of Object.entries(kernels))
    kernels[kernel] = (operands) => {
      const of = seen.get(kernel) ?? new Map<string, Set<number>>();
      seen.set(kernel, of);
      for (const [name, n] of Object.entries(sizesOf({ kernel, call: operands } as never)))
        of.set(name, (of.get(name) ?? new Set()).add(n));
      call(operands);
    };
}

/** Sizes of innermost axes, along which kernels go by vectors, but for those along which calls are cut. */
function lanesOf(kernel: KernelName): string[] {
  const cut = alongsOf(kernel);
  const inner = buffersOf(kernel).flatMap(([, { axes }]) => axes.at(-1)?.size ?? []);
  return [...new Set(inner)].filter((size): size is string => typeof size === 'string' && !cut.includes(size));
}

it('reaches each remainder of a vector along each size that calls are not cut along', () => {
  watchKernels();
  for (const [op, { samples }] of list)
    for (const [i, sample] of samples.entries())
      scope(() => {
        const results = runSample(op, sample, leaves(sample, valuesOf(op, sample, i)));
        for (const name of differentiableOf(op))
          try {
            if (results[name]?.requiresGrad) backward(results[name].sum(), undefined, { retainGraph: true } as never);
          } catch (error) {
            if (!(error instanceof RetrogradError)) throw error; // of a kind that has no backward
          }
      });
  const missing: string[] = [];
  for (const kernel of Object.keys(table).filter((name) => !FOREIGN.test(name)) as KernelName[])
    for (const size of lanesOf(kernel)) {
      const lengths = [...(seen.get(kernel)?.get(size) ?? [])].filter((n) => n > 0);
      const absent = [0, 1, 2, 3].filter((rest) => !lengths.some((n) => n % 4 === rest));
      const place = `${kernel} ${size}`;
      if (absent.length > 0 && !(place in NONE)) missing.push(`${place}: 4n + ${absent} of ${lengths}`);
    }
  expect(missing).toEqual([]);
});
