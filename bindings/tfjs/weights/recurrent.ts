// Recurrent layers, each a layer of a module that may have several.
import { optional } from '../../lookup.ts';
import { type Fail, type Fields, type Pairing, type Rule, shapeOf, split, turned } from './pairing.ts';
import type { Config, LayerInfo } from './topology.ts';

/** LSTM, GRU and RNN: `suffix` is that of a layer of the module, 'L0' or 'L0Reverse'. */
function recurrent(
  name: string,
  gates: number,
): Rule & { of(module: Fields, l: LayerInfo, f: Fail, suffix: string): Pairing[] } {
  const rule = {
    what: `nn.${name}`,
    turns: true,
    fits: (module: Fields) => {
      const { hiddenSize } = module as unknown as { hiddenSize?: number };
      return hiddenSize !== undefined && shapeOf(module, 'weightHhL0')[0] === gates * hiddenSize && !module.projSize;
    },
    of(module: Fields, { config, from }: LayerInfo, fail: Fail, suffix: string): Pairing[] {
      const u = module.hiddenSize as number;
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
      const [, n = 0] = shapeOf(module, `weightIh${suffix}`);
      const swap = (size: number): { swap?: number } => (gates === 3 ? { swap: size } : {});
      const key = (part: string): string => part + suffix;
      const of = (part: string, role: string, rows: number[], size: number): Pairing => ({
        ...{ role, key: key(part), shape: [size, gates * u], dims: [...rows, gates * u] },
        axes: [rows.length, ...turned(rows)],
        ...swap(u * size),
      });
      const pairs = [
        of('weightIh', 'kernel', split(n, from.places.channels), n),
        of('weightHh', 'recurrent_kernel', [u], u),
      ];
      const one = { role: 'bias', dims: [gates * u], axes: [0], ...swap(u) };
      if (!module.bias) return pairs;
      if (gates === 3)
        return [...pairs, { ...one, key: key('biasIh'), half: 0 }, { ...one, key: key('biasHh'), half: 1 }];
      return [...pairs, { ...one, key: key('biasIh'), rest: key('biasHh') }];
    },
    pairs(module: Fields, layer: LayerInfo, fail: Fail, level: number): Pairing[] {
      if (module.bidirectional)
        fail('a module of one direction', 'a bidirectional one', 'wrap the layer in Bidirectional');
      if (layer.config.go_backwards) fail('goBackwards: false', true, 'turn the input around instead');
      return rule.of(module, layer, fail, `L${level}`);
    },
  };
  return rule;
}
export const cells = optional(() => ({
  LSTM: recurrent('LSTM', 4),
  GRU: recurrent('GRU', 3),
  SimpleRNN: recurrent('RNN', 1),
}));

export const bidirectional: Rule = {
  what: 'a bidirectional nn.LSTM, nn.GRU or nn.RNN',
  turns: true,
  fits: (module) => module.bidirectional === true,
  pairs(module, layer, fail, level) {
    const { layer: inner, merge_mode: merge } = layer.config as unknown as {
      layer: { class_name: keyof typeof cells; config: Config };
      merge_mode: string;
    };
    const cell = cells[inner.class_name];
    if (!cell?.fits(module)) fail(cell?.what ?? 'a recurrent layer inside', module.constructor.name, 'build it so');
    if (merge !== 'concat') fail("mergeMode 'concat'", merge, 'PyTorch has no other');
    return ['', 'Reverse'].flatMap((way) =>
      cell
        .of(module, { ...layer, config: inner.config }, fail, `L${level}${way}`)
        .map((pair) => ({ ...pair, role: `${way ? 'backward' : 'forward'}_${inner.config.name}/${pair.role}` })),
    );
  },
};
