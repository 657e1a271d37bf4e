// Kernels of an instance by their names: a build exports them by numbers.
import type { Exports } from '../../bindings/engine/instance.ts';
import { everyKernel } from '../../bindings/generated/kernel-calls.ts';
import { exportOf } from '../../bindings/kernels/eager.ts';

/** The exports with each kernel under its name instead of its number. */
export function byName(exports: Exports): Exports {
  const names = new Map(everyKernel.map(({ name, number }) => [exportOf(number), name]));
  return Object.fromEntries(Object.entries(exports).map(([key, value]) => [names.get(key) ?? key, value]));
}
