// For each kind of layer: which module it is here, and how its weights lie there and here.
import { optional } from '../../lookup.ts';
import { ArgumentError } from '../../memory/errors.ts';
import type { Module } from '../../nn/module.ts';
import type { Config, LayerInfo } from './topology.ts';

/** A weight there and here. */
export interface Pairing {
  /** The last part of its name in TensorFlow, behind that of the layer. */
  readonly role: string;
  /** The field of the module. */
  readonly key: string;
  /** The dims that it is seen with there. */
  readonly dims: readonly number[];
  /** The order that those have here. */
  readonly axes: readonly number[];
  /** Of a GRU: elements of a gate. The first two change places. */
  readonly swap?: number;
  /** Bias of which two are the sum: this one is zero, and added on the way back. */
  readonly rest?: string;
  /** Which half of the weight, of two. */
  readonly half?: 0 | 1;
}

/** What a module is known by: its fields, so that it may come from another copy of this package. */
export type Fields = Module & Readonly<Record<string, unknown>>;

const shapeOf = (module: Fields, key: string): readonly number[] =>
  ((module[key] ?? {}) as { readonly shape?: readonly number[] }).shape ?? [];

/** @throws ArgumentError, which names the layer */
export type Fail = (expected: string, got: unknown, cure: string) => never;
export const failing =
  (op: string, { name, kind }: LayerInfo, path: string): Fail =>
  (expected, got, cure) => {
    throw new ArgumentError(`${op}: expected for layer ${name} (${kind}) ${expected}, got ${got} at ${path}; ${cure}`);
  };

interface Rule {
  /** What errors call the module. */
  readonly what: string;
  fits(module: Fields): boolean;
  pairs(module: Fields, layer: LayerInfo, fail: Fail): Pairing[];
}

const vector = (role: string, key: string, module: Fields): Pairing => ({
  role,
  key,
  dims: shapeOf(module, key),
  axes: [0],
});
const list = (x: unknown, n: number): number[] => (Array.isArray(x) ? x : new Array(n).fill(x ?? 1));
const bias = (module: Fields, { use_bias: used }: Config, fail: Fail): Pairing[] => {
  const has = Boolean(module.bias);
  if ((used !== false) !== has) fail(`bias: ${used !== false}`, `bias: ${has}`, 'build both with it or without');
  return has ? [vector('bias', 'bias', module)] : [];
};

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

const depthwise = (role: string): Rule => ({
  what: 'nn.Conv2d with a group for each channel',
  fits: (module) => isConv(module, 2) && !isTransposed(module),
  pairs(module, { config }, fail) {
    const [out, each, ...taps] = shapeOf(module, 'weight') as [number, number, ...number[]];
    const groups = module.inChannels as number;
    const factor = (config.depth_multiplier as number) ?? 1;
    if (each !== 1 || module.groups !== groups || out !== groups * factor)
      fail(`groups and ${factor} times as many channels`, `groups: ${module.groups}`, 'build it so');
    checkConv(module, config, taps, fail);
    const kernel = { role, key: 'weight', dims: [...taps, groups, factor], axes: [2, 3, 0, 1] };
    return [kernel, ...bias(module, config, fail)];
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

const norm = (what: string, field: string, names: readonly (readonly [string, string])[]): Rule => ({
  what,
  fits: (module) => module[field] !== undefined && module[field] !== null && module.eps !== undefined,
  pairs(module, { config, joined }, fail) {
    const eps = (config.epsilon as number) ?? 1e-3;
    if (module.eps !== eps) fail(`eps: ${eps}`, `eps: ${module.eps}`, 'build both with the same');
    if (config.center === false || config.scale === false || !module.weight || !module.bias)
      fail('center and scale, and a weight and a bias', 'one without', 'build both with them');
    return names.map(([role, key]) => {
      const [n = 0] = shapeOf(module, key);
      return joined ? { role, key, dims: [n / joined, joined], axes: [1, 0] } : vector(role, key, module);
    });
  },
});

/** LSTM, GRU and RNN: `way` is '' or 'Reverse', of layer 0. */
function recurrent(
  name: string,
  gates: number,
): Rule & { of(module: Fields, l: LayerInfo, f: Fail, way: string): Pairing[] } {
  const rule = {
    what: `nn.${name}`,
    fits: (module: Fields) => {
      const { hiddenSize } = module as unknown as { hiddenSize?: number };
      return hiddenSize !== undefined && shapeOf(module, 'weightHhL0')[0] === gates * hiddenSize && !module.projSize;
    },
    of(module: Fields, { config }: LayerInfo, fail: Fail, way: string): Pairing[] {
      const u = module.hiddenSize as number;
      if (module.numLayers !== 1) fail('numLayers: 1', module.numLayers, 'make a module for each layer');
      const activation = name === 'RNN' ? (module.nonlinearity as string) : 'tanh';
      if ((config.activation ?? 'tanh') !== activation)
        fail(`activation '${activation}'`, config.activation, 'PyTorch has no other');
      if (gates > 1 && config.recurrent_activation !== 'sigmoid')
        fail(
          "recurrentActivation 'sigmoid'",
          config.recurrent_activation,
          'PyTorch has no other; name it when you build the layer',
        );
      if (gates === 3 && config.reset_after !== true)
        fail(
          'resetAfter: true',
          false,
          "PyTorch's GRU applies the reset gate behind the recurrent product: without it no weights give the same numbers",
        );
      if ((config.use_bias !== false) !== module.bias)
        fail(`bias: ${config.use_bias !== false}`, module.bias, 'build both so');
      const [, n = 0] = shapeOf(module, `weightIhL0${way}`);
      const swap = (size: number): { swap?: number } => (gates === 3 ? { swap: size } : {});
      const key = (part: string): string => `${part}L0${way}`;
      const of = (part: string, role: string, size: number): Pairing => ({
        ...{ role, key: key(part), dims: [size, gates * u], axes: [1, 0] },
        ...swap(u * size),
      });
      const pairs = [of('weightIh', 'kernel', n), of('weightHh', 'recurrent_kernel', u)];
      const one = { role: 'bias', dims: [gates * u], axes: [0], ...swap(u) };
      if (!module.bias) return pairs;
      if (gates === 3)
        return [...pairs, { ...one, key: key('biasIh'), half: 0 }, { ...one, key: key('biasHh'), half: 1 }];
      return [...pairs, { ...one, key: key('biasIh'), rest: key('biasHh') }];
    },
    pairs(module: Fields, layer: LayerInfo, fail: Fail): Pairing[] {
      if (module.bidirectional)
        fail('a module of one direction', 'a bidirectional one', 'wrap the layer in Bidirectional');
      if (layer.config.go_backwards) fail('goBackwards: false', true, 'turn the input around instead');
      return rule.of(module, layer, fail, '');
    },
  };
  return rule;
}
const cells = optional(() => ({
  LSTM: recurrent('LSTM', 4),
  GRU: recurrent('GRU', 3),
  SimpleRNN: recurrent('RNN', 1),
}));

const bidirectional: Rule = {
  what: 'a bidirectional nn.LSTM, nn.GRU or nn.RNN',
  fits: (module) => module.bidirectional === true,
  pairs(module, layer, fail) {
    const { layer: inner, merge_mode: merge } = layer.config as unknown as {
      layer: { class_name: keyof typeof cells; config: Config };
      merge_mode: string;
    };
    const cell = cells[inner.class_name];
    if (!cell?.fits(module)) fail(cell?.what ?? 'a recurrent layer inside', inner.class_name, 'build it so');
    if (merge !== 'concat') fail("mergeMode 'concat'", merge, 'PyTorch has no other');
    return ['', 'Reverse'].flatMap((way) =>
      cell
        .of(module, { ...layer, config: inner.config }, fail, way)
        .map((pair) => ({ ...pair, role: `${way ? 'backward' : 'forward'}_${inner.config.name}/${pair.role}` })),
    );
  },
};

const dense: Rule = {
  what: 'nn.Linear',
  fits: (module) => module.inFeatures !== undefined && module.outFeatures !== undefined,
  pairs(module, { config, joined }, fail) {
    const [out, into] = shapeOf(module, 'weight') as [number, number];
    const kernel = joined
      ? { role: 'kernel', key: 'weight', dims: [into / joined, joined, out], axes: [2, 1, 0] }
      : { role: 'kernel', key: 'weight', dims: [into, out], axes: [1, 0] };
    return [kernel, ...bias(module, config, fail)];
  },
};

const pointwise = (): Rule => ({
  ...conv(2),
  pairs: (module, layer, fail) => {
    const config = { ...layer.config, strides: 1, dilation_rate: 1, padding: 'valid' };
    return conv(2)
      .pairs(module, { ...layer, config }, fail)
      .map((pair) => (pair.role === 'kernel' ? { ...pair, role: 'pointwise_kernel' } : pair));
  },
});

const batch = [
  ['gamma', 'weight'],
  ['beta', 'bias'],
  ['moving_mean', 'runningMean'],
  ['moving_variance', 'runningVar'],
] as const;

/** The modules of each kind of layer, in order; left out of bundles that carry no weights over. */
export const rules: Readonly<Record<string, readonly Rule[]>> = optional(() => ({
  Dense: [dense],
  Conv1D: [conv(1)],
  Conv2D: [conv(2)],
  Conv3D: [conv(3)],
  DepthwiseConv2D: [depthwise('depthwise_kernel')],
  SeparableConv2D: [
    {
      ...depthwise('depthwise_kernel'),
      pairs: (module, layer, fail) =>
        depthwise('depthwise_kernel').pairs(module, { ...layer, config: { ...layer.config, use_bias: false } }, fail),
    },
    pointwise(),
  ],
  Conv2DTranspose: [transposed],
  BatchNormalization: [norm('nn.BatchNorm1d, 2d or 3d', 'runningMean', batch)],
  LayerNormalization: [norm('nn.LayerNorm', 'normalizedShape', batch.slice(0, 2))],
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
