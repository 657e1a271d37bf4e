// The layers of a LayersModel in their order, out of the JSON that TensorFlow.js and Keras write, and how the numbers
// that reach each of them lie: TensorFlow has channels last, this package has them first.
import { ArgumentError, describe, FormatError } from '../../memory/errors.ts';

/** A setting of a layer. */
export type Config = Readonly<Record<string, unknown>>;

/** A layer that has weights. */
export interface LayerInfo {
  readonly name: string;
  readonly kind: string;
  readonly config: Config;
  /** Channels, where a Flatten joined them with the dims of an image: these go last there, and first here. */
  readonly joined: number | null;
}

/** A layer in the JSON. */
export interface RawLayer {
  readonly class_name: string;
  readonly config: Config;
  readonly inbound_nodes?: readonly (readonly (readonly unknown[])[])[];
}

/** What a layer gives: an image, an image that was joined, an unknown order, or what is the same on both sides. */
interface Layout {
  readonly order: 'image' | 'joined' | 'unknown' | 'same';
  /** The size of the last dim. */
  readonly channels: number;
}

const KEEPS = /^(MaxPool|AveragePool|UpSampling|ZeroPadding|Cropping|SpatialDropout)/;
const GLOBAL = /^Global(Max|Average)Pool/;

const product = (sizes: readonly (number | null)[]): number => sizes.reduce((a: number, b) => a * (b ?? 1), 1);

function inputLayout(shape: readonly (number | null)[]): Layout {
  const sizes = shape.slice(1);
  return { order: sizes.length > 2 ? 'image' : 'same', channels: sizes.at(-1) ?? 0 };
}

type Next = (config: Config, x: Layout, from: readonly Layout[]) => Layout;

const reshaped: Next = (config, { order, channels }) => {
  const target = (config.target_shape as (number | null)[]) ?? [];
  const last = target.at(-1) ?? 0;
  // Where there is one place, or one channel, both orders are the same.
  const trivial = product(target.slice(0, -1)) === 1 || (last === 1 && order === 'same');
  if (target.length > 2) return { order: trivial ? 'image' : 'unknown', channels: last };
  if (target.length === 1 && order === 'image') return { order: 'joined', channels };
  return { order: order === 'same' ? order : 'unknown', channels: last };
};

const joinedUp: Next = (_, { order }, from) => ({
  order: from.every((one) => one.order === order) && order !== 'joined' ? order : 'unknown',
  channels: from.reduce((sum, one) => sum + one.channels, 0),
});

/** What each kind of layer gives; all others give what they get. */
const layouts: readonly (readonly [RegExp, Next])[] = [
  [/^Dense$/, ({ units }, { order }) => ({ order: order === 'image' ? order : 'same', channels: units as number })],
  [
    /^DepthwiseConv2D$/,
    ({ depth_multiplier: factor }, x) => ({ order: 'image', channels: x.channels * ((factor as number) ?? 1) }),
  ],
  [/^(Conv|SeparableConv)/, ({ filters }) => ({ order: 'image', channels: filters as number })],
  [KEEPS, (_, { channels }) => ({ order: 'image', channels })],
  [GLOBAL, (_, { channels }) => ({ order: 'same', channels })],
  [/^Flatten$/, (_, x) => (x.order === 'image' ? { order: 'joined', channels: x.channels } : x)],
  [/^(LSTM|GRU|SimpleRNN)$/, ({ units }) => ({ order: 'same', channels: units as number })],
  [/^Embedding$/, ({ output_dim: size }) => ({ order: 'same', channels: size as number })],
  [/^Bidirectional$/, () => ({ order: 'same', channels: 0 })],
  [/^TimeDistributed$/, (_, { order }) => ({ order: order === 'same' ? order : 'unknown', channels: 0 })],
  [/^Reshape$/, reshaped],
  [/^Permute$/, (_, { order, channels }) => ({ order: order === 'same' ? order : 'unknown', channels })],
  [/^Concatenate$/, joinedUp],
  [
    /^(Add|Multiply|Average|Maximum|Minimum)$/,
    (_, x, from) => (from.every((one) => one.order === x.order) ? x : { ...x, order: 'unknown' }),
  ],
];

const WEIGHTLESS =
  /^(InputLayer|Activation|Dropout|ReLU|LeakyReLU|ELU|ThresholdedReLU|Softmax|Flatten|Reshape|Permute|RepeatVector|Masking|GaussianNoise|GaussianDropout|AlphaDropout|Dot|Concatenate|Add|Multiply|Average|Maximum|Minimum|Rescaling|Resizing|CenterCrop)$/;
const hasWeights = (kind: string): boolean => !(WEIGHTLESS.test(kind) || KEEPS.test(kind) || GLOBAL.test(kind));

const isObject = (x: unknown): x is Config => typeof x === 'object' && x !== null && !Array.isArray(x);

/** @throws ArgumentError behind an order of numbers that is not known: its weights, or those before, depend on it */
function infoOf(op: string, kind: string, config: Config, { order, channels }: Layout): LayerInfo {
  const name = String(config.name);
  if (order === 'unknown')
    throw new ArgumentError(
      `${op}: expected layer ${name} (${kind}) after one whose order of numbers is known, got one behind a Reshape, Permute or Concatenate of images; use Flatten, or load the layers on either side apart`,
    );
  return { name, kind, config, joined: order === 'joined' ? channels : null };
}

/** The layers in the config of a model, with that of models inside. @returns what it gives */
function walk(op: string, config: Config, into: LayerInfo[], given: Layout | null): Layout {
  // Old Keras has a bare list of layers for a Sequential.
  const layers = (Array.isArray(config) ? config : config.layers) as readonly RawLayer[] | undefined;
  if (!Array.isArray(layers)) throw new FormatError(`${op}: expected the config of a model with layers, got none`);
  const known = new Map<string, Layout>();
  let last: Layout = given ?? { order: 'same', channels: 0 };
  for (const { class_name: kind, config: own, inbound_nodes: nodes } of layers as readonly RawLayer[]) {
    const shape = own.batch_input_shape ?? own.batch_shape;
    let from = nodes?.[0]?.map((node) => known.get(String(node[0])) ?? last) ?? [last];
    if (Array.isArray(shape) && !given) from = [inputLayout(shape)];
    const [x = last] = from;
    if (/^(Sequential|Model|Functional)$/.test(kind)) last = walk(op, own, into, x);
    else {
      if (hasWeights(kind)) into.push(infoOf(op, kind, own, x));
      last = layouts.find(([pattern]) => pattern.test(kind))?.[1](own, x, from) ?? x;
    }
    known.set(String(own.name), last);
  }
  return last;
}

/** The layers with weights of a `modelTopology`. @throws FormatError, ArgumentError */
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
