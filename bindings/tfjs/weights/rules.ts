// For each kind of layer: which module it is here, and how its weights lie there and here.
import { optional } from '../../lookup.ts';
import {
  bias,
  type Fail,
  type Fields,
  type Fixed,
  list,
  type Pairing,
  type Rule,
  shapeOf,
  split,
  turned,
  vector,
} from './pairing.ts';
import { bidirectional, cells } from './recurrent.ts';
import type { Config } from './topology.ts';

/** Strides, dilation and padding have to be the same. */
function checkConv(module: Fields, config: Config, taps: readonly number[], fail: Fail): void {
  const n = taps.length;
  const want = { stride: list(config.strides, n), dilation: list(config.dilation_rate, n) };
  for (const [key, sizes] of Object.entries(want))
    if (list(module[key], n).join() !== sizes.join())
      fail(`${key} [${sizes}]`, `[${list(module[key], n)}]`, 'build it so');
  const { padding } = config;
  const zeros = taps.map((k, d) => (want.dilation[d] as number) * (k - 1));
  const own = module.padding === 'valid' ? list(0, n) : module.padding;
  if (padding === 'valid' && list(own, n).some((p) => p !== 0)) fail('padding 0', String(own), 'build it so');
  if (padding === 'causal' && list(own, n).some((p) => p !== 0))
    fail('padding 0', String(own), `put nn.ZeroPad1d([${zeros[0]}, 0]) before it`);
  if (padding !== 'same') return;
  if (want.stride.every((s) => s === 1)) {
    if (own !== 'same' && list(own, n).some((p, d) => 2 * p !== zeros[d]))
      fail("padding 'same'", String(own), 'build it so');
  } else if (own === 'same' || list(own, n).some((p) => p !== 0))
    fail(
      'padding 0',
      String(own),
      "TensorFlow pads 'same' by the size of the input where it strides, more behind than before: put nn.ZeroPad2d([before, behind, …]) before the convolution",
    );
}

const isConv = (module: Fields, dims: number): boolean =>
  module.kernelSize !== undefined && module.inChannels !== undefined && shapeOf(module, 'weight').length === dims + 2;
const isTransposed = (module: Fields): boolean => 'outputPadding' in ((module.options ?? {}) as object);

const conv = (spatial: number): Rule => ({
  what: `nn.Conv${spatial}d`,
  fits: (module) => isConv(module, spatial) && !isTransposed(module),
  pairs(module, { config }, fail) {
    const [out, each, ...taps] = shapeOf(module, 'weight') as [number, number, ...number[]];
    const groups = (config.groups as number) ?? 1;
    if (module.groups !== groups) fail(`groups: ${groups}`, module.groups, 'build it so');
    checkConv(module, config, taps, fail);
    const axes = [spatial + 1, spatial, ...taps.map((_, d) => d)];
    return [{ role: 'kernel', key: 'weight', dims: [...taps, each, out], axes }, ...bias(module, config, fail)];
  },
});

const depthwise = (spatial: number): Rule => ({
  what: `nn.Conv${spatial}d with a group for each channel`,
  fits: (module) => isConv(module, spatial) && !isTransposed(module),
  pairs(module, { config }, fail) {
    const [out, each, ...taps] = shapeOf(module, 'weight') as [number, number, ...number[]];
    const groups = module.inChannels as number;
    // TensorFlow.js does not save that of a SeparableConv2D; the shape tells.
    const factor = (config.depth_multiplier as number) ?? out / groups;
    if (each !== 1 || module.groups !== groups || out !== groups * factor)
      fail(`groups and ${factor} times as many channels`, `groups: ${module.groups}`, 'build it so');
    checkConv(module, config, taps, fail);
    const axes = [spatial, spatial + 1, ...taps.map((_, d) => d)];
    return [
      { role: 'depthwise_kernel', key: 'weight', dims: [...taps, groups, factor], axes },
      ...bias(module, config, fail),
    ];
  },
});

const transposed: Rule = {
  what: 'nn.ConvTranspose2d',
  fits: (module) => isConv(module, 2) && isTransposed(module),
  pairs(module, { config }, fail) {
    const [into, out, ...taps] = shapeOf(module, 'weight') as [number, number, ...number[]];
    const strides = list(config.strides, 2);
    taps.forEach((k, d) => {
      const s = strides[d] as number;
      const cut = config.padding === 'same' ? Math.max(k - s, 0) : 0;
      if (cut % 2 === 1)
        fail(
          `a kernel and strides whose difference is even for padding 'same'`,
          `${k} and ${s}`,
          "PyTorch cuts both sides alike: use padding 'valid' there",
        );
      const want = { stride: s, padding: cut / 2, outputPadding: Math.max(s - k, 0) };
      for (const [key, value] of Object.entries(want))
        if ((Array.isArray(module[key]) ? module[key][d] : module[key]) !== value)
          fail(`${key} ${value}`, module[key], 'build it so');
    });
    const kernel = { role: 'kernel', key: 'weight', dims: [...taps, out, into], axes: [3, 2, 0, 1] };
    return [kernel, ...bias(module, config, fail)];
  },
};

const norm = (what: string, field: string, ...moments: readonly (readonly [string, string])[]): Rule => ({
  what,
  turns: true,
  fits: (module) => module[field] !== undefined && module[field] !== null && module.eps !== undefined,
  pairs(module, { config, from }, fail) {
    const eps = (config.epsilon as number) ?? 1e-3;
    if (module.eps !== eps) fail(`eps: ${eps}`, `eps: ${module.eps}`, 'build both with the same');
    const of = (role: string, key: string): Pairing => vector(role, key, module, from.places.channels);
    const affine = (['scale gamma weight 1', 'center beta bias 0'] as const).flatMap((words): (Pairing | Fixed)[] => {
      const [setting, role, key, value] = words.split(' ') as [string, string, string, string];
      if (config[setting] !== false) {
        if (!module[key]) fail(`a ${key}, since ${setting} is true`, 'none', 'build both with it or without');
        return [of(role, key)];
      }
      return module[key] ? [{ key, value: Number(value), why: `${setting} is false` }] : [];
    });
    return [...affine, ...moments.map(([role, key]) => of(role, key))];
  },
});

const prelu: Rule = {
  what: 'nn.PReLU',
  turns: true,
  fits: (module) => module.numParameters !== undefined,
  pairs: (module, { from }) => [vector('alpha', 'weight', module, from.places.channels)],
};

const dense: Rule = {
  what: 'nn.Linear',
  turns: true,
  fits: (module) => module.inFeatures !== undefined && module.outFeatures !== undefined,
  pairs(module, { config, from, to }, fail) {
    const [out, into] = shapeOf(module, 'weight') as [number, number];
    const [rows, columns] = [split(into, from.places.channels), split(out, to.channels)];
    const axes = [...turned(columns, rows.length), ...turned(rows)];
    const kernel = { role: 'kernel', key: 'weight', shape: [into, out], dims: [...rows, ...columns], axes };
    return [kernel, ...bias(module, config, fail, to.channels)];
  },
};

/** The second of the two that a separable convolution is. */
const pointwise = (spatial: number): Rule => ({
  ...conv(spatial),
  pairs: (module, layer, fail, level) => {
    const config = { ...layer.config, strides: 1, dilation_rate: 1, padding: 'valid' };
    return conv(spatial)
      .pairs(module, { ...layer, config }, fail, level)
      .map((pair) => ('role' in pair && pair.role === 'kernel' ? { ...pair, role: 'pointwise_kernel' } : pair));
  },
});
const separable = (spatial: number): Rule[] => [
  {
    ...depthwise(spatial),
    pairs: (module, layer, fail, level) =>
      depthwise(spatial).pairs(module, { ...layer, config: { ...layer.config, use_bias: false } }, fail, level),
  },
  pointwise(spatial),
];

/** The modules of each kind of layer, in order; left out of bundles that carry no weights over. */
export const rules: Readonly<Record<string, readonly Rule[]>> = optional(() => ({
  Dense: [dense],
  Conv1D: [conv(1)],
  Conv2D: [conv(2)],
  Conv3D: [conv(3)],
  DepthwiseConv1D: [depthwise(1)],
  DepthwiseConv2D: [depthwise(2)],
  SeparableConv1D: separable(1),
  SeparableConv2D: separable(2),
  Conv2DTranspose: [transposed],
  BatchNormalization: [
    norm('nn.BatchNorm1d, 2d or 3d', 'runningMean', ['moving_mean', 'runningMean'], ['moving_variance', 'runningVar']),
  ],
  LayerNormalization: [norm('nn.LayerNorm', 'normalizedShape')],
  PReLU: [prelu],
  Embedding: [
    {
      what: 'nn.Embedding',
      fits: (module) => module.numEmbeddings !== undefined,
      pairs: (module) => [{ role: 'embeddings', key: 'weight', dims: shapeOf(module, 'weight'), axes: [0, 1] }],
    },
  ],
  LSTM: [cells.LSTM],
  GRU: [cells.GRU],
  SimpleRNN: [cells.SimpleRNN],
  Bidirectional: [bidirectional],
}));
