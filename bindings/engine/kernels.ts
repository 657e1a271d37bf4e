// The kernels of a running instance: those of the core, and those that rows bring, also while it runs.
import {
  broadcastKernels,
  checkProbes,
  countProbes,
  elementwiseKernels,
  gemmKernels,
  indexingKernels,
  offsetProbes,
  randomKernels,
  reduceKernels,
  scaleKernels,
} from '../generated/kernel-calls.ts';
import { type EagerCall, kernelOf } from '../kernels/eager.ts';
import { addKernels, type Kernels, linkKernels, type Probes } from '../kernels/table.ts';
import type { Exports } from './instance.ts';
import type { OneThread, Threads } from './one-thread.ts';

for (const family of [
  ...[elementwiseKernels, broadcastKernels, gemmKernels, reduceKernels],
  ...[randomKernels, scaleKernels, indexingKernels, checkProbes, countProbes, offsetProbes],
])
  addKernels(family);

/** The calls of an instance. */
export interface Linked {
  readonly kernels: Kernels;
  readonly probes: Probes;
  /** Ends that further kernels are added. */
  unlink(): void;
}

/** Every known kernel of an instance, called at once. The stamp of a build says that it has them all. */
export function linked(exports: Exports, caller: OneThread, threads: Threads): Linked {
  const kernels: Record<string, EagerCall> = {};
  const probes: Record<string, EagerCall> = {};
  const unlink = linkKernels((called) => {
    const { name, kernel, number, make } = called;
    const calls = kernel.probes ? probes : kernels;
    calls[name] = threads.sharing(called, make(kernelOf(exports, number), caller));
  });
  return { kernels: kernels as unknown as Kernels, probes: probes as unknown as Probes, unlink };
}
