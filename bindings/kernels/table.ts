// Every kernel by its name. A kernel's place in the table is its number in programs; probes come after all others. The
// descriptors of what methods of tensors call are in every program; the others come with the families of rows that call
// their kernels, so that a bundle carries those of convolutions only where something convolves.

import { optional } from '../lookup.ts';
import { attentionKernels } from './attention.ts';
import { broadcastKernels } from './broadcast.ts';
import { columnKernels } from './columns.ts';
import { convKernels } from './conv.ts';
import type { Call, Kernel, Specs } from './descriptor.ts';
import { elementwiseKernels } from './elementwise.ts';
import { embeddingKernels, offsetProbes } from './embedding.ts';
import { gemmKernels } from './gemm.ts';
import { countProbes, indexingKernels } from './indexing.ts';
import { checkProbes, classLossKernels, ctcKernels, ctcProbes, pointwiseLossKernels } from './loss.ts';
import { batchNormKernels, groupNormKernels, layerNormKernels } from './norm.ts';
import { optimKernels, scaleKernels } from './optim.ts';
import { optimizerKernels } from './optimizers.ts';
import { orderKernels } from './order.ts';
import { padKernels } from './pad.ts';
import { poolKernels, unpoolKernels } from './pool.ts';
import { randomKernels, samplingKernels, samplingProbes } from './random.ts';
import { reduceKernels } from './reduce.ts';
import { gridKernels, resampleKernels } from './resample.ts';
import { rnnKernels } from './rnn.ts';
import { scatterKernels } from './scatter.ts';

/** All kernels, for tools and tests. */
export const table = optional(() => ({
  ...elementwiseKernels,
  ...broadcastKernels,
  ...gemmKernels,
  ...convKernels,
  ...reduceKernels,
  ...layerNormKernels,
  ...batchNormKernels,
  ...groupNormKernels,
  ...columnKernels,
  ...padKernels,
  ...poolKernels,
  ...unpoolKernels,
  ...classLossKernels,
  ...pointwiseLossKernels,
  ...ctcKernels,
  ...samplingKernels,
  ...randomKernels,
  ...optimKernels,
  ...scaleKernels,
  ...indexingKernels,
  ...resampleKernels,
  ...gridKernels,
  ...rnnKernels,
  ...orderKernels,
  ...scatterKernels,
  ...embeddingKernels,
  ...attentionKernels,
  ...optimizerKernels,
}));
/** Exports that look at values and answer with a number; in a program an answer from 0 stops it. */
export const probes = optional(() => ({
  ...checkProbes,
  ...countProbes,
  ...offsetProbes,
  ...ctcProbes,
  ...samplingProbes,
}));

export type KernelName = keyof typeof table;
export type ProbeName = keyof typeof probes;

type Operands<K> = K extends Kernel<infer S extends Specs> ? S : never;
/** Every kernel, called with an object of its operands by name. The only way from an op row to a kernel. */
export type Kernels = { readonly [K in KernelName]: (call: Call<Operands<(typeof table)[K]>>) => void };
/** Every probe; −1 is the answer that all is well. */
export type Probes = { readonly [K in ProbeName]: (call: Call<Operands<(typeof probes)[K]>>) => number };

const descriptors = new Map<string, Kernel>();
const numbers = new Map<string, number>();

/** Makes the descriptors of a family known. */
export function addKernels(family: object): void {
  for (const [name, kernel] of Object.entries(family)) descriptors.set(name, kernel);
}
for (const family of [
  ...[elementwiseKernels, broadcastKernels, gemmKernels, reduceKernels],
  ...[randomKernels, scaleKernels, indexingKernels, checkProbes, countProbes, offsetProbes],
])
  addKernels(family);

/** The descriptor of a kernel or probe. */
export const descriptorOf = (name: KernelName | ProbeName): Kernel => descriptors.get(name) as Kernel;

/** Tells the numbers of all kernels and probes, which their eager calls have by their order. */
export function numberKernels(names: readonly string[]): void {
  for (const [i, name] of names.entries()) numbers.set(name, i);
}

/** The number of a kernel or probe in programs. */
export const numberOf = (name: KernelName | ProbeName): number => numbers.get(name) as number;
/** The number of a loop, which is no kernel. */
export const loopNumber = (): number => numbers.size;
