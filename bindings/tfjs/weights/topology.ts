// The layers of a LayersModel in their order, out of the JSON that TensorFlow.js and Keras write, and how the numbers
// that reach each of them lie: TensorFlow has channels last, this package has them first.
import { describe, FormatError } from '../../memory/errors.ts';
import { type Layout, layoutOf, type Places, START } from './layouts.ts';

/** A setting of a layer. */
export type Config = Readonly<Record<string, unknown>>;

/** A layer that has weights. */
export interface LayerInfo {
  readonly name: string;
  readonly kind: string;
  readonly config: Config;
  /** The numbers that it gets, and those that it gives. */
  readonly from: Layout;
  readonly to: Places;
}

/** A layer in the JSON. */
export interface RawLayer {
  readonly class_name: string;
  readonly config: Config;
  readonly inbound_nodes?: readonly (readonly (readonly unknown[])[])[];
}

const WEIGHTLESS =
  /^(InputLayer|Activation|Dropout|ReLU|LeakyReLU|ELU|ThresholdedReLU|Softmax|Flatten|Reshape|Permute|RepeatVector|Masking|GaussianNoise|GaussianDropout|AlphaDropout|Dot|Concatenate|Add|Subtract|Multiply|Average|Maximum|Minimum|Rescaling|Resizing|CenterCrop)$|^(MaxPool|AveragePool|UpSampling|ZeroPadding|Cropping|SpatialDropout|Global)/;

const isObject = (x: unknown): x is Config => typeof x === 'object' && x !== null && !Array.isArray(x);

/** The layers in the config of a model, with that of models inside. @returns what it gives */
function walk(op: string, config: Config, into: LayerInfo[], given: Layout | null): Layout {
  // Old Keras has a bare list of layers for a Sequential.
  const layers = (Array.isArray(config) ? config : config.layers) as readonly RawLayer[] | undefined;
  if (!Array.isArray(layers)) throw new FormatError(`${op}: expected the config of a model with layers, got none`);
  const known = new Map<string, Layout>();
  let last = given ?? START;
  for (const { class_name: kind, config: own, inbound_nodes: nodes } of layers as readonly RawLayer[]) {
    const shape = own.batch_input_shape ?? own.batch_shape;
    const calls = nodes?.map((from) => from.map(([name]) => known.get(String(name)) ?? last)) ?? [];
    if (calls.length === 0) calls.push([last]);
    if (/^(Sequential|Model|Functional)$/.test(kind)) last = walk(op, own, into, calls[0]?.[0] ?? last);
    else {
      const { from, gives } = layoutOf(kind, own, calls, Array.isArray(shape) && !given ? shape : null);
      if (!WEIGHTLESS.test(kind)) into.push({ name: String(own.name), kind, config: own, from, to: gives.places });
      last = gives;
    }
    known.set(String(own.name), last);
  }
  const [[output] = []] = (config.output_layers ?? []) as [unknown[]?];
  return known.get(String(output)) ?? last;
}

/** The layers with weights of a `modelTopology`. @throws FormatError */
export function layersOf(op: string, topology: unknown): LayerInfo[] {
  let found = typeof topology === 'string' ? JSON.parse(topology) : topology;
  if (isObject(found) && isObject(found.model_config)) found = found.model_config;
  if (!isObject(found) || !(isObject(found.config) || Array.isArray(found.config)))
    throw new FormatError(
      `${op}: expected the topology of a LayersModel, got ${describe(topology)}; graph models hold no layers: convert with tfjs_layers_model`,
    );
  const layers: LayerInfo[] = [];
  walk(op, found.config as Config, layers, null);
  return layers;
}
