// Which module has the weights of which layer: by the order of both, and by names where the user gives some.
import { ArgumentError } from '../../memory/errors.ts';
import type { Module } from '../../nn/module.ts';
import { numelOf, type Shape } from '../../sizes.ts';
import { type Fail, type Fields, type Fixed, failing, type Pairing } from './pairing.ts';
import { rules } from './rules.ts';
import type { Source, Weight } from './source.ts';
import { type LayerInfo, layersOf, type RawLayer } from './topology.ts';

/** By the names of layers, the path of the module, or of the modules, that has the weights. */
export type LayerPaths = Readonly<Record<string, string | readonly string[]>>;

/** A weight there, with its place here. */
export interface Match {
  readonly name: string;
  readonly weight: Weight;
  readonly pair: Pairing;
  readonly path: string;
  readonly module: Fields;
}
/** A weight that is only here. */
export interface Extra {
  readonly fixed: Fixed;
  readonly path: string;
  readonly module: Fields;
  readonly fail: Fail;
}

/** A module that has tensors of its own; one of several layers stands for each of them. */
interface Place {
  readonly path: string;
  readonly module: Fields;
  readonly level: number;
}

function placesIn(root: Module): Place[] {
  return root.namedModules().flatMap(([path, one]) => {
    if (one.namedParameters({ recurse: false }).length + one.namedBuffers({ recurse: false }).length === 0) return [];
    const module = one as Fields;
    const levels = module.hiddenSize === undefined ? 1 : ((module.numLayers as number | undefined) ?? 1);
    return Array.from({ length: levels }, (_, level) => ({ path, module, level }));
  });
}

const oneOf = (names: readonly string[]): string => [...new Set(names)].join(', ') || 'none';

/** What gives each layer its places, and says at the end what is left. @throws ArgumentError for names of nothing */
function assign(op: string, layers: readonly LayerInfo[], root: Module, paths: LayerPaths) {
  const all = placesIn(root);
  const left = [...all];
  const named = new Map<string, Place[]>();
  const wrong = (expected: string, got: string): never => {
    throw new ArgumentError(`${op}: expected ${expected}, got ${got}`);
  };
  for (const name of Object.keys(paths))
    if (!layers.some((layer) => layer.name === name))
      wrong(`names of layers with weights in layers, of ${oneOf(layers.map((layer) => layer.name))}`, name);
  for (const { name } of layers) {
    if (!Object.hasOwn(paths, name)) continue;
    const taken = [paths[name] as string | readonly string[]].flat().map((path) => {
      const at = left.findIndex((place) => place.path === path);
      if (at < 0 && all.some((place) => place.path === path)) wrong(`a module once in layers`, `${path} again`);
      if (at < 0) wrong(`for layer ${name} a module with weights, of ${oneOf(all.map((place) => place.path))}`, path);
      return left.splice(at, 1)[0] as Place;
    });
    named.set(name, taken);
  }
  return {
    take: (name: string): Place | undefined => (named.get(name) ?? left).shift(),
    expectNoneLeft(count: number): void {
      for (const [name, [more]] of named)
        if (more) wrong(`no more modules for layer ${name} than it has parts`, more.path);
      if (left.length > 0)
        wrong(
          `as many layers with weights as the module has, which are ${count + left.length}`,
          `${count}; the first without one is ${left[0]?.path}`,
        );
    },
  };
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

/** But for dims of 1. */
const bare = (shape: Shape): string => shape.filter((n) => n !== 1).join();

function checkShape(fail: Fail, { shape: own, dims, role, half }: Pairing, { shape }: Weight): void {
  const want = half === undefined ? (own ?? dims) : [2, ...dims];
  if (bare(shape) !== bare(want) || numelOf(shape) !== numelOf(want))
    fail(`${role} of shape [${shape}]`, `[${want}]`, 'build it so');
}

/** Behind an order of numbers that is not known, its weights, or those before, depend on that. */
const isUnknown = ({ from: { order, places } }: LayerInfo, turns = false): boolean =>
  order === 'unknown' || (places.channels !== null && !turns);

/** The weights of a layer with their places in the modules of `take`. */
function matchLayer(
  op: string,
  layer: LayerInfo,
  { weights }: Source,
  take: () => Place | undefined,
): (Match | Extra)[] {
  const inner = (layer.kind === 'TimeDistributed' ? layer.config.layer : null) as RawLayer | null;
  const { kind, config } = inner ? { kind: inner.class_name, config: inner.config } : layer;
  const parts = Object.hasOwn(rules, kind) ? rules[kind] : undefined;
  if (!parts)
    throw new ArgumentError(
      `${op}: expected for layer ${layer.name} one of ${Object.keys(rules).join(', ')}, got ${kind}; copy its weights yourself by loadStateDict()`,
    );
  const seen = { ...layer, kind, config };
  return parts.flatMap((rule) => {
    if (isUnknown(layer, rule.turns))
      throw new ArgumentError(
        `${op}: expected layer ${layer.name} (${kind}) after one whose order of numbers is known, got one behind a Reshape, Permute or Concatenate of images or of joined ones; use Flatten, or load the layers on either side apart`,
      );
    const { path, module, level } = take() ?? { path: 'the end of the module', module: null, level: 0 };
    const fail: Fail = failing(op, seen, path || 'the module itself');
    if (!module) return fail(rule.what, 'none', 'the module has fewer layers with weights');
    if (!rule.fits(module))
      fail(rule.what, module.constructor.name, 'modules are matched in their order, or as { layers } says');
    return rule.pairs(module, seen, fail, level).map((pair) => {
      if (!('role' in pair)) return { fixed: pair, path, module, fail };
      const name = nameOf(weights, layer.name, pair.role);
      const weight = name === undefined ? undefined : weights.get(name);
      if (name === undefined || !weight) return fail(`a weight ${pair.role}`, 'none', 'the files lack it');
      checkShape(fail, pair, weight);
      return { name, weight, pair, path, module };
    });
  });
}

/** Each weight with its place. @throws ArgumentError, which names the layer */
export function matches(op: string, root: Module, source: Source, paths: LayerPaths): (Match | Extra)[] {
  const names = [...source.weights.keys()];
  const layers = layersOf(op, source.topology).filter(({ name }) => names.some((key) => key.startsWith(`${name}/`)));
  const { take, expectNoneLeft } = assign(op, layers, root, paths);
  let count = 0;
  const found = layers.flatMap((layer) =>
    matchLayer(op, layer, source, () => {
      count++;
      return take(layer.name);
    }),
  );
  expectNoneLeft(count);
  return found;
}
