// GPT-2 (Radford et al. 2019), with the names of its parameters in Hugging Face's files.
import * as F from '../../functional/index.ts';
import { Dropout } from '../../nn/dropout.ts';
import type { Embedding } from '../../nn/embedding.ts';
import { Module } from '../../nn/module.ts';
import { NAME_OF } from '../../nn/names.ts';
import type { LayerNorm } from '../../nn/norm.ts';
import type { Tensor } from '../../tensor.ts';
import type { Config } from './config.ts';
import {
  ACTIVATIONS,
  Conv1D,
  checkIds,
  embedding,
  fromHeads,
  Head,
  headWeight,
  type Looks,
  looksOf,
  nextLoss,
  norm,
  Pretrained,
  type PretrainedInputs,
  type PretrainedOutput,
  placesIn,
  scored,
  toHeads,
} from './layers.ts';

class Attention extends Module {
  cAttn: Conv1D;
  cProj: Conv1D;
  readonly residDropout: Dropout;
  readonly heads: number;
  readonly attentionDropout: number;
  readonly scale: number;

  constructor(config: Config, width: number, at: number) {
    super();
    this.heads = config.heads('n_head', 12, width);
    this.attentionDropout = config.number('attn_pdrop', 0.1);
    const scale = config.bool('scale_attn_weights', true) ? 1 / Math.sqrt(width / this.heads) : 1;
    this.scale = config.bool('scale_attn_by_inverse_layer_idx', false) ? scale / (at + 1) : scale;
    this.cAttn = new Conv1D(config, width, 3 * width);
    this.cProj = new Conv1D(config, width, width);
    this.residDropout = new Dropout(config.number('resid_pdrop', 0.1));
  }

  forward(x: Tensor, looks: Looks): Tensor {
    const { heads, scale } = this;
    const parts = this.cAttn.forward(x).split(x.shape[2] as number, 2);
    const [q, k, v] = parts.map((part) => toHeads(part, heads)) as [Tensor, Tensor, Tensor];
    const dropoutP = this.training ? this.attentionDropout : 0;
    const y = fromHeads(F.scaledDotProductAttention(q, k, v, { ...looks, dropoutP, scale }));
    return this.residDropout.forward(this.cProj.forward(y));
  }
}

class FeedForward extends Module {
  cFc: Conv1D;
  cProj: Conv1D;
  readonly activation: (x: Tensor) => Tensor;
  readonly dropout: Dropout;

  constructor(config: Config, width: number) {
    super();
    const inner = config.size('n_inner', 4 * width);
    this.cFc = new Conv1D(config, width, inner);
    this.cProj = new Conv1D(config, inner, width);
    this.activation = config.word('activation_function', ACTIVATIONS, 'gelu_new');
    this.dropout = new Dropout(config.number('resid_pdrop', 0.1));
  }

  forward(x: Tensor): Tensor {
    return this.dropout.forward(this.cProj.forward(this.activation(this.cFc.forward(x))));
  }
}

class Block extends Module {
  ln1: LayerNorm;
  attn: Attention;
  ln2: LayerNorm;
  mlp: FeedForward;

  constructor(config: Config, width: number, at: number) {
    super();
    const eps = config.number('layer_norm_epsilon', 1e-5);
    this.ln1 = norm(config, width, eps);
    this.attn = new Attention(config, width, at);
    this.ln2 = norm(config, width, eps);
    this.mlp = new FeedForward(config, width);
  }

  /** @internal */
  override [NAME_OF](field: string): string {
    return super[NAME_OF](field.replace(/^ln(\d)$/, 'ln_$1'));
  }

  forward(x: Tensor, looks: Looks): Tensor {
    const y = x.add(this.attn.forward(this.ln1.forward(x), looks));
    return y.add(this.mlp.forward(this.ln2.forward(y)));
  }
}

/** GPT2Model. */
export class GPT2Model extends Pretrained {
  wte: Embedding;
  wpe: Embedding;
  h: Block[];
  lnF: LayerNorm;
  readonly drop: Dropout;
  readonly places: number;

  constructor(config: Config) {
    super(config);
    config.only('add_cross_attention', false);
    const width = config.size('n_embd', 768);
    this.places = config.size('n_positions', 1024);
    this.wte = embedding(config, config.size('vocab_size', 50257), width);
    this.wpe = embedding(config, this.places, width);
    this.h = Array.from({ length: config.layers('n_layer', 12) }, (_, i) => new Block(config, width, i));
    this.lnF = norm(config, width, config.number('layer_norm_epsilon', 1e-5));
    this.drop = new Dropout(config.number('embd_pdrop', 0.1));
  }

  states(ids: Tensor, { attentionMask = null, tokenTypeIds = null, positionIds = null }: PretrainedInputs): Tensor {
    checkIds(ids, this.places);
    let x = this.wte.forward(ids).add(placesIn(this.wpe, ids, positionIds));
    if (tokenTypeIds) x = x.add(this.wte.forward(tokenTypeIds));
    const looks = looksOf(x, attentionMask, true);
    return this.lnF.forward(this.h.reduce((y, block) => block.forward(y, looks), this.drop.forward(x)));
  }

  forward(ids: Tensor, inputs: PretrainedInputs = {}): PretrainedOutput {
    return { lastHiddenState: this.states(ids, inputs) };
  }
}

/** GPT2LMHeadModel. */
export class GPT2LMHeadModel extends Pretrained {
  transformer: GPT2Model;
  lmHead: Head;

  constructor(config: Config) {
    super(config);
    this.transformer = new GPT2Model(config);
    this.lmHead = new Head(headWeight(config, this.transformer.wte, true));
  }

  forward(ids: Tensor, inputs: PretrainedInputs = {}): PretrainedOutput {
    return scored(this.lmHead.forward(this.transformer.states(ids, inputs)), inputs.labels, nextLoss);
  }
}
