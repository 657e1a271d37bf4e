// LLaMA (Touvron et al. 2023), and Mistral and Qwen2, which are of its shape, with the names of their parameters in
// Hugging Face's files: rotary positions, groups of query heads for each of keys, RMS norms, SwiGLU.
import { arange, tensor } from '../../creation.ts';
import * as F from '../../functional/index.ts';
import { cat } from '../../functional/shape.ts';
import { ArgumentError } from '../../memory/errors.ts';
import type { Embedding } from '../../nn/embedding.ts';
import type { Linear } from '../../nn/linear.ts';
import { Module } from '../../nn/module.ts';
import { RMSNorm } from '../../nn/rms-norm.ts';
import type { Tensor } from '../../tensor.ts';
import type { Config } from './config.ts';
import {
  ACTIVATIONS,
  checkIds,
  embedding,
  fromHeads,
  Head,
  headWeight,
  type Looks,
  linear,
  looksOf,
  nextLoss,
  Pretrained,
  type PretrainedInputs,
  type PretrainedOutput,
  scored,
  toHeads,
} from './layers.ts';

/** How many radians each pair of numbers turns from one place to the next, by the kind of the rotary positions. */
const FREQUENCIES: Readonly<Record<string, (base: readonly number[], rope: Config) => readonly number[]>> = {
  default: (base) => base,
  linear: (base, rope) => base.map((f) => f / rope.number('factor')),
  // Long waves are stretched, short ones stay, and those between are in between (Dubey et al. 2024).
  llama3: (base, rope) => {
    const [factor, low, high] = [
      rope.number('factor'),
      rope.number('low_freq_factor'),
      rope.number('high_freq_factor'),
    ];
    const places = rope.number('original_max_position_embeddings');
    return base.map((f) => {
      const turns = (places * f) / (2 * Math.PI);
      if (turns < low) return f / factor;
      if (turns > high) return f;
      const share = (turns - low) / (high - low);
      return ((1 - share) * f) / factor + share * f;
    });
  },
};

/** The frequencies that a config says, in either of its two ways. */
function frequenciesOf(config: Config, width: number): number[] {
  const rope = config.inner('rope_parameters') ?? config.inner('rope_scaling');
  const theta = rope?.json.rope_theta === undefined ? config.number('rope_theta', 10_000) : rope.number('rope_theta');
  const base = Array.from({ length: width / 2 }, (_, i) => Math.fround(1 / theta ** ((2 * i) / width)));
  if (!rope) return base;
  // Older files call the kind `type`.
  return [...rope.word(rope.json.rope_type === undefined ? 'type' : 'rope_type', FREQUENCIES, 'default')(base, rope)];
}

function rmsNorm(config: Config, width: number): RMSNorm {
  config.take(width);
  return config.keep(new RMSNorm(width, { eps: config.number('rms_norm_eps', 1e-6) }));
}

/** The cosines and sines of all places, [length, width]. */
interface Turns {
  readonly cos: Tensor;
  readonly sin: Tensor;
}

/** Each half of the numbers of a head turned by the other. */
function turned(x: Tensor, { cos, sin }: Turns): Tensor {
  const half = (x.shape[3] as number) / 2;
  const crossed = cat([x.narrow(3, half, half).neg(), x.narrow(3, 0, half)], 3);
  return x.mul(cos).add(crossed.mul(sin));
}

class Attention extends Module {
  qProj: Linear;
  kProj: Linear;
  vProj: Linear;
  oProj: Linear;
  readonly heads: number;
  readonly shared: number;
  readonly attentionDropout: number;

  constructor(config: Config, width: number, head: number) {
    super();
    this.heads = config.size('num_attention_heads', 32);
    this.shared = config.size('num_key_value_heads', this.heads);
    if (this.heads % this.shared !== 0) throw config.bad('num_key_value_heads', `a divisor of ${this.heads}`);
    this.attentionDropout = config.number('attention_dropout', 0);
    // Qwen2 has biases in front of attention alone, without saying so.
    const qwen = config.json.model_type === 'qwen2';
    const bias = qwen || config.bool('attention_bias', false);
    this.qProj = linear(config, width, this.heads * head, bias);
    this.kProj = linear(config, width, this.shared * head, bias);
    this.vProj = linear(config, width, this.shared * head, bias);
    this.oProj = linear(config, this.heads * head, width, bias && !qwen);
  }

  forward(x: Tensor, looks: Looks, turns: Turns): Tensor {
    const q = turned(toHeads(this.qProj.forward(x), this.heads), turns);
    const k = turned(toHeads(this.kProj.forward(x), this.shared), turns);
    const v = toHeads(this.vProj.forward(x), this.shared);
    const dropoutP = this.training ? this.attentionDropout : 0;
    const enableGqa = this.heads !== this.shared;
    return this.oProj.forward(fromHeads(F.scaledDotProductAttention(q, k, v, { ...looks, dropoutP, enableGqa })));
  }
}

class FeedForward extends Module {
  gateProj: Linear;
  upProj: Linear;
  downProj: Linear;
  readonly activation: (x: Tensor) => Tensor;

  constructor(config: Config, width: number) {
    super();
    const inner = config.size('intermediate_size', 11_008);
    const bias = config.bool('mlp_bias', false);
    this.gateProj = linear(config, width, inner, bias);
    this.upProj = linear(config, width, inner, bias);
    this.downProj = linear(config, inner, width, bias);
    this.activation = config.word('hidden_act', ACTIVATIONS, 'silu');
  }

  forward(x: Tensor): Tensor {
    return this.downProj.forward(this.activation(this.gateProj.forward(x)).mul(this.upProj.forward(x)));
  }
}

class Layer extends Module {
  selfAttn: Attention;
  mlp: FeedForward;
  inputLayernorm: RMSNorm;
  postAttentionLayernorm: RMSNorm;

  constructor(config: Config, width: number, head: number) {
    super();
    this.selfAttn = new Attention(config, width, head);
    this.mlp = new FeedForward(config, width);
    this.inputLayernorm = rmsNorm(config, width);
    this.postAttentionLayernorm = rmsNorm(config, width);
  }

  forward(x: Tensor, looks: Looks, turns: Turns): Tensor {
    const y = x.add(this.selfAttn.forward(this.inputLayernorm.forward(x), looks, turns));
    return y.add(this.mlp.forward(this.postAttentionLayernorm.forward(y)));
  }
}

/** LlamaModel, MistralModel and Qwen2Model. */
export class LlamaModel extends Pretrained {
  embedTokens: Embedding;
  layers: Layer[];
  norm: RMSNorm;
  readonly places: number;
  readonly frequencies: readonly number[];
  /** How far back a piece looks at most; null: to the first. */
  readonly window: number | null;

  constructor(config: Config) {
    super(config);
    const width = config.size('hidden_size', 4096);
    const head = config.size('head_dim', width / config.size('num_attention_heads', 32), 65_536);
    if (head % 2 !== 0) throw config.bad('head_dim', 'an even number');
    this.places = config.size('max_position_embeddings', 2048);
    this.frequencies = frequenciesOf(config, head);
    const windowed = config.json.model_type === 'mistral' || config.bool('use_sliding_window', false);
    this.window = windowed && config.json.sliding_window != null ? config.size('sliding_window') : null;
    this.embedTokens = embedding(config, config.size('vocab_size', 32_000), width, config.padding(null));
    this.layers = Array.from({ length: config.layers('num_hidden_layers', 32) }, () => new Layer(config, width, head));
    this.norm = rmsNorm(config, width);
  }

  /** The turns of each place, [length, width], or [n, 1, length, width] for places of each text. */
  #turns(length: number, positions: Tensor | null): Turns {
    const places = positions ? positions.to('f32') : arange(length);
    const angles = places.unsqueeze(-1).mul(tensor([...this.frequencies]));
    const all = cat([angles, angles], -1);
    const shaped = all.ndim === 3 ? all.unsqueeze(1) : all;
    return { cos: shaped.cos(), sin: shaped.sin() };
  }

  states(ids: Tensor, { attentionMask = null, positionIds = null }: PretrainedInputs): Tensor {
    checkIds(ids, this.places);
    const length = ids.shape[1] as number;
    if (this.window !== null && length > this.window)
      throw new ArgumentError(
        `forward: expected at most ${this.window} pieces, the window that the model looks at, got ${length}`,
      );
    const x = this.embedTokens.forward(ids);
    const [looks, turns] = [looksOf(x, attentionMask, true), this.#turns(length, positionIds)];
    return this.norm.forward(this.layers.reduce((y, layer) => layer.forward(y, looks, turns), x));
  }

  forward(ids: Tensor, inputs: PretrainedInputs = {}): PretrainedOutput {
    return { lastHiddenState: this.states(ids, inputs) };
  }
}

/** LlamaForCausalLM, MistralForCausalLM and Qwen2ForCausalLM. */
export class LlamaForCausalLM extends Pretrained {
  model: LlamaModel;
  lmHead: Head;

  constructor(config: Config) {
    super(config);
    this.model = new LlamaModel(config);
    this.lmHead = new Head(headWeight(config, this.model.embedTokens, false));
  }

  forward(ids: Tensor, inputs: PretrainedInputs = {}): PretrainedOutput {
    return scored(this.lmHead.forward(this.model.states(ids, inputs)), inputs.labels, nextLoss);
  }
}
