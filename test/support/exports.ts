// Kernels of an instance by their names: a build has a table of them.
import type { Exports } from '../../bindings/engine/instance.ts';
import { everyKernel } from '../../bindings/generated/kernel-calls.ts';
import { kernelOf } from '../../bindings/kernels/eager.ts';

/** The exports, and each kernel under its name. */
export function byName(exports: Exports): Exports {
  return {
    ...exports,
    ...Object.fromEntries(everyKernel.map(({ name, number }) => [name, kernelOf(exports, number)])),
  };
}
