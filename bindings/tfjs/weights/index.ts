// Weights of models of TensorFlow.js into modules, and back.
import { runtime } from '../../engine/engine.ts';
import type { Block } from '../../memory/arena.ts';
import { ArgumentError, describe } from '../../memory/errors.ts';
import type { Module } from '../../nn/module.ts';
import { loopDims } from '../../ops/shapes.ts';
import { contiguousStrides, numelOf, type Shape } from '../../sizes.ts';
import type { Tensor } from '../../tensor.ts';
import { type Fail, type Fields, failing, type Pairing, rules } from './rules.ts';
import { type LayersModelLike, type ModelFiles, type Source, sourceOf, type Weight } from './source.ts';
import { type LayerInfo, layersOf, type RawLayer } from './topology.ts';

export type { LayersModelLike, ModelFiles, WeightSpec } from './source.ts';

/** A weight there, with its place here. */
interface Match {
  readonly name: string;
  readonly weight: Weight;
  readonly pair: Pairing;
  readonly path: string;
  readonly module: Fields;
}

/** The numbers with their dims in another order. */
function permuted(values: Float32Array, dims: Shape, axes: readonly number[]): Float32Array {
  const { arena, kernels } = runtime();
  const blocks: Block[] = [];
  const room = (): Block => {
    const block = arena.bare(values.length * 4, 'weights');
    blocks.push(block);
    return block;
  };
  try {
    const [x, y] = [room(), room()];
    arena.f32.set(values, x.ptr / 4);
    const from = contiguousStrides(dims);
    const shape = axes.map((axis) => dims[axis] as number);
    const steps = axes.map((axis) => from[axis] as number);
    const at = (block: Block) => ({ block, byteOffset: 0 });
    kernels.copy_32({ y: at(y), x: at(x), dims: loopDims(shape, contiguousStrides(shape), steps) });
    return arena.f32.slice(y.ptr / 4, y.ptr / 4 + values.length);
  } finally {
    for (const block of blocks) block.free();
  }
}

/** The first two gates in each other's place. */
function swapped(values: Float32Array, size: number | undefined): Float32Array {
  if (size === undefined) return values;
  const result = values.slice();
  result.set(values.subarray(size, 2 * size), 0);
  result.set(values.subarray(0, size), size);
  return result;
}

/** The name of the weight of a layer: Keras may have the cell's between both. */
function nameOf(weights: Source['weights'], layer: string, role: string): string | undefined {
  const exact = `${layer}/${role}`;
  if (weights.has(exact)) return exact;
  const parts = role.split('/');
  const last = parts.pop() as string;
  const front = [layer, ...parts].join('/');
  return [...weights.keys()].find(
    (name) => name.startsWith(`${front}/`) && name.slice(name.lastIndexOf('/') + 1) === last,
  );
}

function checkShape(fail: Fail, { dims, role, half }: Pairing, { shape }: Weight): void {
  const whole = half === undefined ? dims : [2, ...dims];
  const same =
    shape.length === whole.length ? shape.join() === whole.join() : shape.length === 1 || shape.at(-1) === dims.at(-1);
  if (!same || numelOf(shape) !== numelOf(whole)) fail(`${role} of shape [${shape}]`, `[${whole}]`, 'build it so');
}

/** The modules that have tensors of their own. */
const holders = (root: Module): [string, Fields][] =>
  root
    .namedModules()
    .filter(
      ([, one]) => one.namedParameters({ recurse: false }).length + one.namedBuffers({ recurse: false }).length > 0,
    )
    .map(([path, one]) => [path, one as Fields]);

/** The weights of a layer with their places in the modules of `take`. */
function matchLayer(
  op: string,
  layer: LayerInfo,
  { weights }: Source,
  take: () => [string, Fields] | undefined,
): Match[] {
  const inner = (layer.kind === 'TimeDistributed' ? layer.config.layer : null) as RawLayer | null;
  const { kind, config } = inner ? { kind: inner.class_name, config: inner.config } : layer;
  const parts = Object.hasOwn(rules, kind) ? rules[kind] : undefined;
  if (!parts)
    throw new ArgumentError(
      `${op}: expected for layer ${layer.name} one of ${Object.keys(rules).join(', ')}, got ${kind}; copy its weights yourself by loadStateDict()`,
    );
  const seen = { ...layer, kind, config };
  return parts.flatMap((rule) => {
    const [path, module] = take() ?? ['the end of the module', null];
    const fail: Fail = failing(op, seen, path || 'the module itself');
    if (!module) return fail(rule.what, 'none', 'the module has fewer layers with weights');
    if (!rule.fits(module)) fail(rule.what, module.constructor.name, 'modules are matched in their order');
    return rule.pairs(module, seen, fail).map((pair) => {
      const name = nameOf(weights, layer.name, pair.role);
      const weight = name === undefined ? undefined : weights.get(name);
      if (name === undefined || !weight) return fail(`a weight ${pair.role}`, 'none', 'the files lack it');
      checkShape(fail, pair, weight);
      return { name, weight, pair, path, module };
    });
  });
}

/** Each weight with its place: layers and modules in their order. @throws ArgumentError, which names the layer */
function matches(op: string, root: Module, source: Source): Match[] {
  const modules = holders(root);
  let next = 0;
  const names = [...source.weights.keys()];
  const found = layersOf(op, source.topology)
    .filter(({ name }) => names.some((key) => key.startsWith(`${name}/`)))
    .flatMap((layer) => matchLayer(op, layer, source, () => modules[next++]));
  if (next < modules.length)
    throw new ArgumentError(
      `${op}: expected as many layers with weights as the module has, which are ${modules.length}, got ${next}; the first without one is ${modules[next]?.[0]}`,
    );
  return found;
}

function checkModule(op: string, module: unknown): asserts module is Module {
  if (typeof (module as Partial<Module> | null)?.namedModules !== 'function')
    throw new ArgumentError(`${op}: expected an nn.Module, got ${describe(module)}; the module comes first`);
}

/**
 * Copies the weights of a LayersModel of TensorFlow.js, or of Keras' files, into a module that is built like it: layers
 * and modules with weights are matched in their order. Weights of Dense, of convolutions and of recurrent layers are
 * turned as PyTorch has them, and a Dense behind the Flatten of an image takes channels first. All is checked before
 * anything is written.
 * @param module to write to; activations, pools and the like have to be those of the model, which is not checked
 * @param source a LayersModel; or what a handler of `tf.io` loads; or model.json, with the bytes as `weightData`
 * @throws ArgumentError that names the layer, where no module gives the same numbers; FormatError for other files
 */
export function loadWeights(module: Module, source: LayersModelLike | ModelFiles): void {
  const op = 'loadWeights';
  checkModule(op, module);
  const state: Record<string, { shape: readonly number[]; data: Float32Array }> = {};
  for (const { weight, pair, path, module: one } of matches(op, module, sourceOf(op, source))) {
    const front = path ? `${path}.` : '';
    const { dims, axes, swap, half, rest, key } = pair;
    const size = numelOf(dims);
    const all = weight.data();
    const values = half === undefined ? all : all.subarray(half * size, (half + 1) * size);
    const { shape } = Reflect.get(one, key) as Tensor;
    state[front + key] = { shape, data: swapped(permuted(values, dims, axes), swap) };
    if (rest !== undefined) state[front + rest] = { shape, data: new Float32Array(size) };
  }
  const { unexpectedKeys } = module.loadStateDict(state, { strict: false });
  if (unexpectedKeys.length > 0)
    throw new ArgumentError(
      `${op}: expected a module that has ${unexpectedKeys.join(', ')}, got none; check its fields`,
    );
}

/**
 * The way back of {@link loadWeights}: writes the weights of a module into a LayersModel that is built like it, or into
 * its files. PyTorch's two biases of an LSTM or RNN become their sum.
 * @param target a LayersModel, whose weights are replaced; or files, which stay as they are
 * @returns the model; or files with the weights, which `tf.io.fromMemory` and handlers that save take
 * @throws ArgumentError that names the layer, where no layer gives the same numbers; FormatError for other files
 */
export function saveWeights<T extends LayersModelLike | ModelFiles>(module: Module, target: T): T {
  const op = 'saveWeights';
  checkModule(op, module);
  const source = sourceOf(op, target);
  const next = new Map<string, Float32Array>();
  for (const { name, weight, pair, module: one } of matches(op, module, source)) {
    const { dims, axes, swap, half, rest, key } = pair;
    const numbers = (field: string): Float32Array => (Reflect.get(one, field) as Tensor).data as Float32Array;
    let values = swapped(numbers(key), swap);
    if (rest !== undefined) {
      const more = numbers(rest);
      values = values.map((value, i) => value + (more[i] as number));
    }
    const back = axes.map((_, d) => axes.indexOf(d));
    const turned = permuted(
      values,
      axes.map((axis) => dims[axis] as number),
      back,
    );
    const whole = next.get(name) ?? (half === undefined ? turned : weight.data());
    if (half !== undefined) whole.set(turned, half * numelOf(dims));
    next.set(name, whole);
  }
  return source.write(next) as T;
}
