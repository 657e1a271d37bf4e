// How the numbers lie that layers get and give: images have channels last there and first here, and so has what becomes
// an image, or was one. A Dense before a Reshape to an image gives channels first here, and all that stands between.

/**
 * The places of a vector's numbers. Where `channels` is set they are those of an image, channels last there and first
 * here; else they are the same on both sides. A Reshape further on may set it while they are `free`: while only layers
 * that treat all numbers alike have seen them.
 */
export interface Places {
  channels: number | null;
  free: boolean;
}

/** What a layer gives. */
export interface Layout {
  readonly order: 'image' | 'flat' | 'unknown';
  /** Dims behind the batch; null where that is not known. */
  readonly rank: number | null;
  /** The size of the last dim. */
  readonly channels: number;
  readonly places: Places;
}

type Config = Readonly<Record<string, unknown>>;
type Shape = readonly (number | null)[];

const fixed = (): Places => ({ channels: null, free: false });
const flat = (rank: number | null, channels = 0): Layout => ({ order: 'flat', rank, channels, places: fixed() });
const image = (channels: number): Layout => ({ order: 'image', rank: null, channels, places: fixed() });
const unknown = (channels = 0): Layout => ({ order: 'unknown', rank: null, channels, places: fixed() });

/** Before the first layer. */
export const START: Layout = flat(null);

/** Nobody may turn these numbers from now on. @returns whether they are the same on both sides */
function same({ order, places }: Layout): boolean {
  places.free = false;
  return order === 'flat' && places.channels === null;
}

const product = (sizes: Shape): number => sizes.reduce((a: number, b) => a * (b ?? 1), 1);

function inputLayout(shape: Shape): Layout {
  const sizes = shape.slice(1);
  const channels = sizes.at(-1) ?? 0;
  return sizes.length > 2 ? image(channels) : flat(sizes.length, channels);
}

type Next = (config: Config, x: Layout, from: readonly Layout[]) => Layout;

const joined = (channels: number): Layout => ({ ...flat(1), places: { channels, free: false } });

/** An image out of a vector, or of a list of pixels. */
function toImage(x: Layout, target: Shape): Layout {
  const last = target.at(-1) ?? 0;
  const { places } = x;
  if (x.rank === 1 && places.channels === last) return image(last);
  // Where there is one place, or one channel, both orders are the same; so they are of pixels.
  const trivial = product(target.slice(0, -1)) === 1 || last === 1 || (x.rank === 2 && x.channels === last);
  if (trivial) return same(x) ? image(last) : unknown(last);
  if (x.rank !== 1 || !places.free) return unknown(last);
  places.channels = last;
  places.free = false;
  return image(last);
}

const reshaped: Next = (config, x) => {
  const target = (config.target_shape as Shape) ?? [];
  const last = target.at(-1) ?? 0;
  if (x.order === 'image') {
    if (target.length === 1) return joined(x.channels);
    const pixels = target.length === 2 && last === x.channels;
    const trivial = product(target.slice(0, -1)) === 1 && x.channels === last;
    return pixels ? flat(2, last) : trivial ? image(last) : unknown(last);
  }
  if (x.order === 'unknown') return x;
  if (target.length > 2) return toImage(x, target);
  if (x.rank === 1 && target.length === 1) return x;
  return same(x) ? flat(target.length, last) : unknown(last);
};

const flattened: Next = (_, x) => {
  if (x.order === 'image') return joined(x.channels);
  if (x.order === 'unknown' || x.rank === 1) return x;
  return same(x) ? flat(1) : unknown();
};

const concatenated: Next = ({ axis }, x, from) => {
  const last = axis === undefined || axis === -1 || axis === 3 || (axis === x.rank && x.order === 'flat');
  const channels = last ? from.reduce((sum, one) => sum + one.channels, 0) : x.channels;
  if (from.every(({ order }) => order === 'image')) return image(channels);
  return from.map(same).every(Boolean) ? flat(x.rank, channels) : unknown(channels);
};

/** Of numbers in the same places, which stay there. */
const merged: Next = (_, x, from) => {
  if (from.every(({ order }) => order === 'image')) return x;
  if (from.every(({ places }) => places === x.places)) return x;
  for (const { places } of from) places.free = false;
  const alike = from.every(({ order, places }) => order === x.order && places.channels === x.places.channels);
  return alike ? x : unknown(x.channels);
};

const recurrent: Next = ({ units, return_sequences: all }) => flat(all ? 2 : 1, (units as number) ?? 0);

/** What each kind of layer gives. */
const layouts: readonly (readonly [RegExp, Next])[] = [
  [
    /^Dense$/,
    ({ units }, { order, rank }) =>
      order === 'image'
        ? image(units as number)
        : { ...flat(rank, units as number), places: { channels: null, free: rank === 1 } },
  ],
  [/^Depthwise/, ({ depth_multiplier: factor }, x) => image(x.channels * ((factor as number) ?? 1))],
  [/^(Conv|SeparableConv)/, ({ filters }) => image(filters as number)],
  [/^(MaxPool|AveragePool|UpSampling|ZeroPadding|Cropping|SpatialDropout)/, (_, { channels }) => image(channels)],
  [/^Global(Max|Average)Pool/, (_, { channels }) => flat(1, channels)],
  [/^Flatten$/, flattened],
  [/^(LSTM|GRU|SimpleRNN)$/, recurrent],
  [/^Bidirectional$/, ({ layer }, x, from) => recurrent((layer as { config: Config }).config, x, from)],
  [/^Embedding$/, ({ output_dim: size }, { rank }) => flat(rank === null ? null : rank + 1, size as number)],
  [/^TimeDistributed$/, (_, x) => (x.order === 'flat' ? flat(x.rank) : unknown())],
  [/^Reshape$/, reshaped],
  [/^Permute$/, (_, x) => (same(x) ? flat(x.rank) : unknown(x.channels))],
  [/^RepeatVector$/, (_, x) => ({ ...x, rank: 2 })],
  [/^Concatenate$/, concatenated],
  [/^(Add|Subtract|Multiply|Average|Maximum|Minimum)$/, merged],
  [
    /^(InputLayer|Activation|Dropout|Gaussian(Noise|Dropout)|AlphaDropout|(Leaky|P|Thresholded)?ReLU|ELU|Softmax|Masking|Rescaling|(Batch|Layer)Normalization)$/,
    (_, x) => x,
  ],
];

/** All others give what they get, of which each number may mean something. */
const other: Next = (_, x, from) => {
  for (const { places } of from) places.free = false;
  return { ...x, rank: null };
};

/**
 * What a layer gets and gives, at all its calls.
 * @param calls what each call gets
 * @param input the shape of the batch, where the layer is the first
 */
export function layoutOf(
  kind: string,
  config: Config,
  calls: readonly (readonly Layout[])[],
  input: Shape | null,
): { from: Layout; gives: Layout } {
  const [first = []] = calls;
  const inputs = input ? [inputLayout(input)] : first;
  const [from = START] = inputs;
  const next = layouts.find(([pattern]) => pattern.test(kind))?.[1] ?? other;
  const gives = next(config, from, inputs);
  if (calls.length < 2) return { from, gives };
  // One layer for several inputs: they have to lie alike, and whatever one of them gives the others give.
  gives.places.free = false;
  for (const { places } of calls.flat()) places.free = false;
  const alike = calls.every(
    ([x]) => x && x.order === from.order && x.places.channels === from.places.channels && x.channels === from.channels,
  );
  return { from: alike ? from : unknown(), gives: alike ? gives : unknown() };
}
