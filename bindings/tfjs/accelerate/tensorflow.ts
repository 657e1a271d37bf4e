// The part of TensorFlow.js that accelerate() patches and calls, private names included. They are the same in all
// published builds since 2021, minified ones too; checkParts() looks for them before anything is patched.
import { ArgumentError } from '../../memory/errors.ts';
import type { Engine, Info, Table, TfBackend, TfDtype } from '../engine.ts';

/** A tensor of tfjs. */
export interface TfTensor extends Info {
  readonly size: number;
  /** Those made later have larger ones. */
  readonly id: number;
  readonly kept?: boolean;
  readonly isDisposed: boolean;
  dispose(): void;
  dataSync(): ArrayLike<number>;
}

/** A variable: its data is another after each assign(). */
export interface TfVariable extends TfTensor {
  readonly name: string;
  readonly trainable: boolean;
  assign(value: TfTensor): void;
}

/** What an optimizer keeps for a weight. */
export interface Slot {
  readonly originalName: string;
  readonly variable: TfVariable;
}
export type Slots = Slot[];

/** The gradients of variables, by name or in the order of the variables. */
export type Gradients =
  | Readonly<Record<string, TfTensor | null>>
  | readonly { readonly name: string; readonly tensor: TfTensor | null }[];

/** An optimizer, as this package sees any of them. */
export interface TfOptimizer extends Record<'iterations_', number> {
  readonly iterations: number;
  incrementIterations(): void;
  applyGradients(gradients: Gradients): void;
  computeGradients(...args: unknown[]): unknown;
  getClassName(): string;
  minimize(f: () => TfTensor, returnCost?: boolean, varList?: TfVariable[]): TfTensor | null;
}

/** A layer, or whatever has a class that can be saved: regularizers, constraints. */
export interface TfLayer {
  readonly name?: string;
  readonly trainable?: boolean;
  readonly stateful?: boolean;
  readonly layers?: readonly TfLayer[];
  getClassName(): string;
}

/** Computes a batch. */
export type BatchFunction = (data: (TfTensor | null)[]) => TfTensor[];

/** A LayersModel. */
export interface TfModel extends TfLayer, Readonly<Record<'optimizer_', TfOptimizer>> {
  readonly layers: readonly TfLayer[];
  readonly inputs: readonly unknown[];
  readonly loss: unknown;
  readonly metrics: unknown;
  readonly lossFunctions: unknown;
  readonly metricsTensors: unknown;
  readonly collectedTrainableWeights: readonly object[];
  testFunction: BatchFunction;
  makeTrainFunction(): BatchFunction;
  makeTestFunction(): void;
  predictLoop(inputs: TfTensor | TfTensor[], batchSize?: number, verbose?: boolean): TfTensor | TfTensor[];
}

type Class<T> = { readonly prototype: T };

/** Runs a function that has a gradient of its own. */
export interface CustomCall {
  readonly inputs: Readonly<Record<string, TfTensor>>;
  readonly backwardsFunc: unknown;
  forwardFunc(backend: object, save: (tensors: TfTensor[]) => void): TfTensor | TfTensor[];
}

/** The engine with what is read and put back while a step is traced. */
export interface TfEngine extends Engine {
  readonly backendName: string;
  readonly backend: TfBackend;
  readonly state: {
    readonly registeredVariables: Record<string, TfVariable>;
    readonly profiling: boolean;
    /** How many functions whose gradients are asked for are running. */
    readonly gradientDepth: number;
    /** How many kernels are running. */
    kernelDepth: number;
    activeTape: unknown[] | null;
    readonly activeScope: { readonly name: string } | null;
    tensorInfo: Table;
    numTensors: number;
    numBytes: number;
    numDataBuffers: number;
    numStringTensors: number;
  };
  readonly ENV: { getBool(flag: string): boolean };
  makeTensorFromTensorInfo(info: Info, backend?: object): TfTensor;
  makeVariable(...args: unknown[]): TfVariable;
  removeDataId(id: object, backend: object): void;
  runKernel(name: string, inputs: object, attrs: unknown): TfTensor | TfTensor[];
  runKernelFunc(call: Partial<CustomCall>): TfTensor | TfTensor[];
  tidy<T>(fn: () => T): T;
  clone(x: TfTensor): TfTensor;
  keep(x: TfTensor): TfTensor;
  addTapeNode(name: string, inputs: object, outputs: object, backwardsFunc: unknown, saved: readonly TfTensor[]): void;
  gradients(f: unknown, xs: unknown, dy: unknown, allowNone?: boolean): unknown;
}

/** The classes of optimizers that are patched. */
export const OPTIMIZERS = [
  'SGDOptimizer',
  'MomentumOptimizer',
  'AdamOptimizer',
  'AdamaxOptimizer',
  'RMSPropOptimizer',
  'AdagradOptimizer',
  'AdadeltaOptimizer',
] as const;

/** Classes that can be saved, by their names. */
interface ClassMap {
  readonly classNameMap: Readonly<Record<string, readonly [unknown, ...unknown[]]>>;
}

/** The module, as `import * as tf from '@tensorflow/tfjs'` has it. Of tfjs-core alone, without `LayersModel`. */
export interface TfModule
  extends Readonly<Record<(typeof OPTIMIZERS)[number] | 'Optimizer', Class<TfOptimizer>>>,
    Readonly<Partial<Record<'LayersModel', Class<TfModel>>>>,
    Readonly<Record<'Variable', Class<TfVariable>>> {
  engine(): object;
  readonly serialization: Readonly<Record<'SerializationMap', { getMap(): ClassMap }>>;
  tidy<T>(fn: () => T): T;
  keep<T>(x: T): T;
  zerosLike(x: TfTensor): TfTensor & { variable(trainable: boolean): TfVariable };
  fill(shape: readonly number[], value: number): TfTensor & { variable(trainable: boolean): TfVariable };
  slice(x: TfTensor, begin: readonly number[], size: readonly number[]): TfTensor;
  concat(xs: readonly TfTensor[], axis: number): TfTensor;
  randomUniform(shape: readonly number[], low: number, high: number, dtype: TfDtype, seed: number): TfTensor;
  randomNormal(shape: readonly number[], mean: number, std: number, dtype: TfDtype, seed: number): TfTensor;
}

const METHODS = ['makeTrainFunction', 'makeTestFunction', 'predictLoop'] as const;

/** @throws ArgumentError for anything but a TensorFlow.js that has the parts which are patched */
export function checkParts(tf: object): asserts tf is TfModule {
  const given: Partial<TfModule> = tf;
  const parts: [string, unknown][] = [
    ...OPTIMIZERS.map((name): [string, unknown] => [name, given[name]?.prototype.applyGradients]),
    ['Optimizer', given.Optimizer?.prototype.computeGradients],
    ['Optimizer', given.Optimizer?.prototype.minimize],
    ['Variable', given.Variable?.prototype.assign],
  ];
  if (given.LayersModel)
    parts.push(...METHODS.map((name): [string, unknown] => [name, given.LayersModel?.prototype[name]]));
  for (const [name, part] of parts)
    if (typeof part !== 'function')
      throw new ArgumentError(`accelerate: expected a TensorFlow.js 4, got one without ${name}; update it`);
}
