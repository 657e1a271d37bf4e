// Every kernel by its name. A kernel's place in the table is its number in programs; probes come after all others.
import { broadcastKernels } from './broadcast.ts';
import { convKernels } from './conv.ts';
import type { Call, Kernel, Specs } from './descriptor.ts';
import { elementwiseKernels } from './elementwise.ts';
import { gemmKernels } from './gemm.ts';
import { countProbes, indexingKernels } from './indexing.ts';
import { checkProbes, lossKernels } from './loss.ts';
import { normKernels } from './norm.ts';
import { optimKernels } from './optim.ts';
import { poolKernels } from './pool.ts';
import { randomKernels } from './random.ts';
import { reduceKernels } from './reduce.ts';
import { rnnKernels } from './rnn.ts';

export const table = {
  ...elementwiseKernels,
  ...broadcastKernels,
  ...gemmKernels,
  ...convKernels,
  ...reduceKernels,
  ...normKernels,
  ...poolKernels,
  ...lossKernels,
  ...randomKernels,
  ...optimKernels,
  ...indexingKernels,
  ...rnnKernels,
};
/** Exports that look at values and answer with a number; in a program an answer from 0 stops it. */
export const probes = { ...checkProbes, ...countProbes };

export type KernelName = keyof typeof table;
export type ProbeName = keyof typeof probes;

type Operands<K> = K extends Kernel<infer S extends Specs> ? S : never;
/** Every kernel, called with an object of its operands by name. The only way from an op row to a kernel. */
export type Kernels = { readonly [K in KernelName]: (call: Call<Operands<(typeof table)[K]>>) => void };
/** Every probe; −1 is the answer that all is well. */
export type Probes = { readonly [K in ProbeName]: (call: Call<Operands<(typeof probes)[K]>>) => number };

const descriptors: ReadonlyMap<string, Kernel> = new Map(Object.entries({ ...table, ...probes })) as never;

/** The descriptor of a kernel or probe. */
export const descriptorOf = (name: KernelName | ProbeName): Kernel => descriptors.get(name) as Kernel;
