// Every kernel by its name. A kernel's place in the table is its number in programs; probes come after all others. What
// methods of tensors call is in every program; the others' descriptors and eager calls come with the families of rows
// that call their kernels, so that a bundle carries those of convolutions only where something convolves.

import { optional } from '../lookup.ts';
import { attentionKernels } from './attention.ts';
import { broadcastKernels } from './broadcast.ts';
import { columnKernels } from './columns.ts';
import { convKernels } from './conv.ts';
import type { Call, Kernel, Specs } from './descriptor.ts';
import type { EagerKernel } from './eager.ts';
import { elementwiseKernels } from './elementwise.ts';
import { embeddingKernels, offsetProbes } from './embedding.ts';
import { gemmKernels } from './gemm.ts';
import { countProbes, indexingKernels } from './indexing.ts';
import {
  checkProbes,
  classWeightKernels,
  crossEntropyKernels,
  ctcKernels,
  ctcProbes,
  nllKernels,
  pointwiseLossKernels,
} from './loss.ts';
import { batchNormKernels, groupNormKernels, layerNormKernels } from './norm.ts';
import { adagradKernels, adamKernels, clipKernels, rmspropKernels, scaleKernels, sgdKernels } from './optim.ts';
import { optimizerKernels, tensorflowKernels } from './optimizers.ts';
import { orderKernels } from './order.ts';
import { padKernels } from './pad.ts';
import { poolKernels, poolLastKernels, unpoolKernels } from './pool.ts';
import { randomKernels, samplingKernels, samplingProbes } from './random.ts';
import { reduceKernels } from './reduce.ts';
import { gridKernels, resampleKernels } from './resample.ts';
import { rnnKernels } from './rnn.ts';
import { scatterKernels } from './scatter.ts';
import { recurrenceKernels, specialKernels } from './special.ts';
import { tfjsKernels } from './tfjs.ts';

/** The families of kernels by their names. A kernel is in one of them. */
export const families = optional(() => ({
  elementwiseKernels,
  broadcastKernels,
  gemmKernels,
  convKernels,
  reduceKernels,
  layerNormKernels,
  batchNormKernels,
  groupNormKernels,
  columnKernels,
  padKernels,
  poolKernels,
  unpoolKernels,
  poolLastKernels,
  crossEntropyKernels,
  nllKernels,
  classWeightKernels,
  pointwiseLossKernels,
  ctcKernels,
  samplingKernels,
  randomKernels,
  sgdKernels,
  adamKernels,
  rmspropKernels,
  adagradKernels,
  clipKernels,
  scaleKernels,
  indexingKernels,
  resampleKernels,
  gridKernels,
  rnnKernels,
  orderKernels,
  scatterKernels,
  embeddingKernels,
  attentionKernels,
  optimizerKernels,
  specialKernels,
  recurrenceKernels,
  tfjsKernels,
  tensorflowKernels,
}));
/** The families of probes. */
export const probeFamilies = optional(() => ({ checkProbes, countProbes, offsetProbes, ctcProbes, samplingProbes }));

type Merged<U> = (U extends unknown ? (x: U) => void : never) extends (x: infer I) => void
  ? { readonly [K in keyof I]: I[K] }
  : never;
/** All members of all families, in their order. */
const merged = <F extends object>(from: F): Merged<F[keyof F]> => Object.assign({}, ...Object.values(from));

/** All kernels, for tools and tests. */
export const table = optional(() => merged(families));
/** Exports that look at values and answer with a number; in a program an answer from 0 stops it. */
export const probes = optional(() => merged(probeFamilies));

export type KernelName = keyof typeof table;
export type ProbeName = keyof typeof probes;

type Operands<K> = K extends Kernel<infer S extends Specs> ? S : never;
/** Every kernel, called with an object of its operands by name. The only way from an op row to a kernel. */
export type Kernels = { readonly [K in KernelName]: (call: Call<Operands<(typeof table)[K]>>) => void };
/** Every probe; −1 is the answer that all is well. */
export type Probes = { readonly [K in ProbeName]: (call: Call<Operands<(typeof probes)[K]>>) => number };

const descriptors = new Map<string, Kernel>();
const numbers = new Map<string, number>();
const added: EagerKernel[] = [];
const links = new Set<(kernel: EagerKernel) => void>();

/** Makes descriptors known. */
export function addDescriptors(kernels: object): void {
  for (const [name, kernel] of Object.entries(kernels)) descriptors.set(name, kernel);
}

/** Makes the kernels of a family known, also to the instance that runs. Several families of rows may bring the same. */
export function addKernels(family: readonly EagerKernel[]): void {
  for (const kernel of family) {
    const { name, number } = kernel;
    if (numbers.has(name)) continue;
    descriptors.set(name, kernel.kernel);
    numbers.set(name, number);
    added.push(kernel);
    for (const link of links) link(kernel);
  }
}

/** Calls `link` with each kernel that is known, and with each as it becomes known. @returns what ends that */
export function linkKernels(link: (kernel: EagerKernel) => void): () => void {
  added.forEach(link);
  links.add(link);
  return () => links.delete(link);
}

/** The descriptor of a kernel or probe. */
export const descriptorOf = (name: KernelName | ProbeName): Kernel => descriptors.get(name) as Kernel;

/** The number of a kernel or probe in programs. */
export const numberOf = (name: KernelName | ProbeName): number => numbers.get(name) as number;
