// Weights of models of TensorFlow.js into modules, and back.
import type { Kind } from '../../kinds.ts';
import { ArgumentError } from '../../memory/errors.ts';
import type { Module } from '../../nn/module.ts';
import { callable } from '../../signature.ts';
import { numelOf } from '../../sizes.ts';
import type { Tensor } from '../../tensor.ts';
import { type LayerPaths, type Match, matches } from './match.ts';
import { permuted, swapped } from './numbers.ts';
import type { Fields } from './pairing.ts';
import { type LayersModelLike, type ModelFiles, sourceOf } from './source.ts';

export { type ModelFile, readModelFiles, writeModelFiles } from './files.ts';
export type { LayerPaths } from './match.ts';
export type { LayersModelLike, ModelFiles, Quantization, WeightSpec } from './source.ts';

/** How layers and modules find each other. */
export interface WeightOptions {
  /**
   * For layers by their names, the path of the module (`'encoder.0'`), or the list of them, that has their weights. All
   * others are matched in their order.
   * @defaultValue `{}`
   */
  layers?: LayerPaths | undefined;
}

const isObject = (x: unknown): x is object => typeof x === 'object' && x !== null && !Array.isArray(x);
const isPath = (x: unknown): boolean => typeof x === 'string' || (Array.isArray(x) && x.every(isPath));

const own: Readonly<Record<string, Kind>> = {
  // By what it does: it may come from another copy of this package.
  Module: [(x) => typeof (x as Partial<Module> | null)?.namedModules === 'function', 'an nn.Module'],
  Model: [isObject, 'a LayersModel or the files of one (tf.loadLayersModel(…) or readModelFiles(…) makes one)'],
  paths: [(x) => isObject(x) && Object.values(x).every(isPath), 'an object of paths of modules by names of layers'],
};

const numbers = (module: Fields, field: string): Float32Array =>
  (Reflect.get(module, field) as Tensor).data as Float32Array;

/**
 * Copies the weights of a LayersModel of TensorFlow.js, or of Keras' files, into a module that is built like it: layers
 * and modules with weights are matched in their order, or by name. Weights of Dense, of convolutions and of recurrent
 * layers are turned as PyTorch has them; a Dense behind the Flatten of an image takes channels first, and one before a
 * Reshape to an image gives them first. All is checked before anything is written.
 * @param module to write to; activations, pools and the like have to be those of the model, which is not checked
 * @param source a LayersModel; or what {@link readModelFiles} or a handler of `tf.io` loads; or model.json, with the
 * bytes as `weightData`
 * @throws ArgumentError that names the layer, where no module gives the same numbers; FormatError for other files
 */
export const loadWeights: (module: Module, source: LayersModelLike | ModelFiles, options?: WeightOptions) => void =
  callable<(module: Module, source: LayersModelLike | ModelFiles, options?: WeightOptions) => void>(
    'loadWeights(module: Module, source: Model, *, layers: paths = {})',
    (module: Module, source: LayersModelLike | ModelFiles, layers: LayerPaths): void => {
      const op = 'loadWeights';
      const state: Record<string, { shape: readonly number[]; data: Float32Array }> = {};
      for (const match of matches(op, module, sourceOf(op, source), layers)) {
        const { path, module: one } = match;
        const put = (key: string, data: Float32Array): void => {
          state[path ? `${path}.${key}` : key] = { shape: (Reflect.get(one, key) as Tensor).shape, data };
        };
        if ('fixed' in match) {
          const { key, value } = match.fixed;
          put(key, numbers(one, key).fill(value));
          continue;
        }
        const { dims, axes, swap, half, rest, key } = match.pair;
        const size = numelOf(dims);
        const all = match.weight.data();
        const values = half === undefined ? all : all.subarray(half * size, (half + 1) * size);
        put(key, swapped(permuted(values, dims, axes), swap));
        if (rest !== undefined) put(rest, new Float32Array(size));
      }
      const { unexpectedKeys } = module.loadStateDict(state, { strict: false });
      if (unexpectedKeys.length > 0)
        throw new ArgumentError(
          `${op}: expected a module that has ${unexpectedKeys.join(', ')}, got none; check its fields`,
        );
    },
    own,
  );

/** What a weight becomes there. */
function back({ pair, module }: Match): Float32Array {
  const { dims, axes, swap, rest, key } = pair;
  let values = swapped(numbers(module, key), swap);
  if (rest !== undefined) {
    const more = numbers(module, rest);
    values = values.map((value, i) => value + (more[i] as number));
  }
  const shape = axes.map((axis) => dims[axis] as number);
  return permuted(
    values,
    shape,
    axes.map((_, d) => axes.indexOf(d)),
  );
}

/**
 * The way back of {@link loadWeights}: writes the weights of a module into a LayersModel that is built like it, or into
 * its files. PyTorch's two biases of an LSTM or RNN become their sum.
 * @param target a LayersModel, whose weights are replaced; or files, which stay as they are
 * @returns the model; or files with the weights, in 32 bits each, which {@link writeModelFiles}, `tf.io.fromMemory` and
 * handlers that save take
 * @throws ArgumentError that names the layer, where no layer gives the same numbers; FormatError for other files
 */
export const saveWeights: <T extends LayersModelLike | ModelFiles>(
  module: Module,
  target: T,
  options?: WeightOptions,
) => T = callable<<T extends LayersModelLike | ModelFiles>(module: Module, target: T, options?: WeightOptions) => T>(
  'saveWeights(module: Module, target: Model, *, layers: paths = {})',
  <T extends LayersModelLike | ModelFiles>(module: Module, target: T, layers: LayerPaths): T => {
    const op = 'saveWeights';
    const source = sourceOf(op, target);
    const next = new Map<string, Float32Array>();
    for (const match of matches(op, module, source, layers)) {
      if ('fixed' in match) {
        const { key, value, why } = match.fixed;
        const other = numbers(match.module, key).find((each) => each !== value);
        if (other !== undefined)
          match.fail(`${key} of ${value}, since ${why}`, other, 'set requiresGrad = false on it');
        continue;
      }
      const { name, weight, pair } = match;
      const turned = back(match);
      const whole = next.get(name) ?? (pair.half === undefined ? turned : weight.data());
      if (pair.half !== undefined) whole.set(turned, pair.half * numelOf(pair.dims));
      next.set(name, whole);
    }
    return source.write(next) as T;
  },
  own,
);
