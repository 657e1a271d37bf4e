// BERT (Devlin et al. 2018), with the names of its parameters in Hugging Face's files.
import { Dropout } from '../../nn/dropout.ts';
import type { Embedding } from '../../nn/embedding.ts';
import * as init from '../../nn/init.ts';
import type { Linear } from '../../nn/linear.ts';
import { Module } from '../../nn/module.ts';
import type { LayerNorm } from '../../nn/norm.ts';
import { type Parameter, parameter } from '../../nn/parameter.ts';
import type { Tensor } from '../../tensor.ts';
import type { Config } from './config.ts';
import { attend, Embeddings, type Settings } from './encoder.ts';
import {
  ACTIVATIONS,
  Head,
  headWeight,
  type Looks,
  linear,
  looksOf,
  norm,
  Pretrained,
  type PretrainedInputs,
  type PretrainedOutput,
  pieceLoss,
  scored,
  textLoss,
} from './layers.ts';

function settingsOf(config: Config): Settings {
  config.only('position_embedding_type', 'absolute');
  config.only('is_decoder', false);
  config.only('add_cross_attention', false);
  return {
    width: config.size('hidden_size', 768),
    heads: config.heads('num_attention_heads', 12, config.size('hidden_size', 768)),
    inner: config.size('intermediate_size', 3072),
    layers: config.layers('num_hidden_layers', 12),
    places: config.size('max_position_embeddings', 512),
    eps: config.number('layer_norm_eps', 1e-12),
    dropout: config.number('hidden_dropout_prob', 0.1),
    attentionDropout: config.number('attention_probs_dropout_prob', 0.1),
    activation: config.word('hidden_act', ACTIVATIONS, 'gelu'),
  };
}

/** A dense layer, and the norm of its result beside what was in front. */
class Output extends Module {
  dense: Linear;
  // biome-ignore lint/style/useNamingConvention: states have it
  LayerNorm: LayerNorm;
  readonly dropout: Dropout;

  constructor(config: Config, { width, eps, dropout }: Settings, inner: number) {
    super();
    this.dense = linear(config, inner, width);
    this.LayerNorm = norm(config, width, eps);
    this.dropout = new Dropout(dropout);
  }

  forward(x: Tensor, residual: Tensor): Tensor {
    return this.LayerNorm.forward(this.dropout.forward(this.dense.forward(x)).add(residual));
  }
}

class SelfAttention extends Module {
  query: Linear;
  key: Linear;
  value: Linear;
  readonly settings: Settings;

  constructor(config: Config, settings: Settings) {
    super();
    const { width } = settings;
    this.query = linear(config, width, width);
    this.key = linear(config, width, width);
    this.value = linear(config, width, width);
    this.settings = settings;
  }

  forward(x: Tensor, looks: Looks): Tensor {
    const { heads, attentionDropout } = this.settings;
    return attend([this.query, this.key, this.value], x, heads, looks, this.training ? attentionDropout : 0);
  }
}

class Attention extends Module {
  self: SelfAttention;
  output: Output;

  constructor(config: Config, settings: Settings) {
    super();
    this.self = new SelfAttention(config, settings);
    this.output = new Output(config, settings, settings.width);
  }

  forward(x: Tensor, looks: Looks): Tensor {
    return this.output.forward(this.self.forward(x, looks), x);
  }
}

class Intermediate extends Module {
  dense: Linear;
  readonly activation: (x: Tensor) => Tensor;

  constructor(config: Config, { width, inner, activation }: Settings) {
    super();
    this.dense = linear(config, width, inner);
    this.activation = activation;
  }

  forward(x: Tensor): Tensor {
    return this.activation(this.dense.forward(x));
  }
}

class Layer extends Module {
  attention: Attention;
  intermediate: Intermediate;
  output: Output;

  constructor(config: Config, settings: Settings) {
    super();
    this.attention = new Attention(config, settings);
    this.intermediate = new Intermediate(config, settings);
    this.output = new Output(config, settings, settings.inner);
  }

  forward(x: Tensor, looks: Looks): Tensor {
    const y = this.attention.forward(x, looks);
    return this.output.forward(this.intermediate.forward(y), y);
  }
}

class Encoder extends Module {
  layer: Layer[];

  constructor(config: Config, settings: Settings) {
    super();
    this.layer = Array.from({ length: settings.layers }, () => new Layer(config, settings));
  }

  forward(x: Tensor, looks: Looks): Tensor {
    return this.layer.reduce((y, layer) => layer.forward(y, looks), x);
  }
}

class Pooler extends Module {
  dense: Linear;

  constructor(config: Config, width: number) {
    super();
    this.dense = linear(config, width, width);
  }

  forward(x: Tensor): Tensor {
    return this.dense.forward(x.select(1, 0)).tanh();
  }
}

/** BertModel. */
export class BertModel extends Pretrained {
  embeddings: Embeddings;
  encoder: Encoder;
  pooler: Pooler | null;
  readonly width: number;
  readonly dropoutP: number;

  constructor(config: Config, pools = true) {
    super(config);
    const settings = settingsOf(config);
    this.embeddings = new Embeddings(config, settings, config.size('type_vocab_size', 2));
    this.encoder = new Encoder(config, settings);
    this.pooler = pools ? new Pooler(config, settings.width) : null;
    this.width = settings.width;
    this.dropoutP = config.number('classifier_dropout', settings.dropout);
  }

  states(ids: Tensor, inputs: PretrainedInputs): Tensor {
    const x = this.embeddings.forward(ids, inputs);
    return this.encoder.forward(x, looksOf(x, inputs.attentionMask ?? null, false));
  }

  forward(ids: Tensor, inputs: PretrainedInputs = {}): PretrainedOutput {
    const lastHiddenState = this.states(ids, inputs);
    return this.pooler ? { lastHiddenState, poolerOutput: this.pooler.forward(lastHiddenState) } : { lastHiddenState };
  }
}

class Transform extends Module {
  dense: Linear;
  // biome-ignore lint/style/useNamingConvention: states have it
  LayerNorm: LayerNorm;
  readonly activation: (x: Tensor) => Tensor;

  constructor(config: Config) {
    super();
    const { width, eps, activation } = settingsOf(config);
    this.dense = linear(config, width, width);
    this.LayerNorm = norm(config, width, eps);
    this.activation = activation;
  }

  forward(x: Tensor): Tensor {
    return this.LayerNorm.forward(this.activation(this.dense.forward(x)));
  }
}

class Predictions extends Module {
  bias: Parameter;
  transform: Transform;
  decoder: Head;

  constructor(config: Config, table: Embedding) {
    super();
    const biases = (): Parameter => init.zeros_(config.keep(parameter([table.weight.shape[0] as number])));
    this.bias = biases();
    this.transform = new Transform(config);
    // Where the weights are not tied, the decoder has a bias of its own, and this one stands idle.
    const weight = headWeight(config, table, true);
    this.decoder = new Head(weight, weight === table.weight ? this.bias : biases());
  }

  forward(x: Tensor): Tensor {
    return this.decoder.forward(this.transform.forward(x));
  }
}

class MaskedHead extends Module {
  predictions: Predictions;

  constructor(config: Config, table: Embedding) {
    super();
    this.predictions = new Predictions(config, table);
  }

  forward(x: Tensor): Tensor {
    return this.predictions.forward(x);
  }
}

/** BertForMaskedLM. */
export class BertForMaskedLM extends Pretrained {
  bert: BertModel;
  cls: MaskedHead;

  constructor(config: Config) {
    super(config);
    this.bert = new BertModel(config, false);
    this.cls = new MaskedHead(config, this.bert.embeddings.wordEmbeddings);
  }

  forward(ids: Tensor, inputs: PretrainedInputs = {}): PretrainedOutput {
    return scored(this.cls.forward(this.bert.states(ids, inputs)), inputs.labels, pieceLoss);
  }
}

/** BertForSequenceClassification. */
export class BertForSequenceClassification extends Pretrained {
  bert: BertModel;
  readonly dropout: Dropout;
  classifier: Linear;

  constructor(config: Config) {
    super(config);
    this.bert = new BertModel(config);
    this.dropout = new Dropout(this.bert.dropoutP);
    this.classifier = linear(config, this.bert.width, config.labels);
  }

  forward(ids: Tensor, inputs: PretrainedInputs = {}): PretrainedOutput {
    const { poolerOutput } = this.bert.forward(ids, inputs);
    return scored(this.classifier.forward(this.dropout.forward(poolerOutput as Tensor)), inputs.labels, textLoss);
  }
}

/** BertForTokenClassification. */
export class BertForTokenClassification extends Pretrained {
  bert: BertModel;
  readonly dropout: Dropout;
  classifier: Linear;

  constructor(config: Config) {
    super(config);
    this.bert = new BertModel(config, false);
    this.dropout = new Dropout(this.bert.dropoutP);
    this.classifier = linear(config, this.bert.width, config.labels);
  }

  forward(ids: Tensor, inputs: PretrainedInputs = {}): PretrainedOutput {
    const states = this.dropout.forward(this.bert.states(ids, inputs));
    return scored(this.classifier.forward(states), inputs.labels, pieceLoss);
  }
}
