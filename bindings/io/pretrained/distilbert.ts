// DistilBERT (Sanh et al. 2019), with the names of its parameters in Hugging Face's files.
import { Dropout } from '../../nn/dropout.ts';
import * as init from '../../nn/init.ts';
import type { Linear } from '../../nn/linear.ts';
import { Module } from '../../nn/module.ts';
import type { LayerNorm } from '../../nn/norm.ts';
import { parameter } from '../../nn/parameter.ts';
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

const settingsOf = (config: Config): Settings => ({
  width: config.size('dim', 768),
  heads: config.heads('n_heads', 12, config.size('dim', 768)),
  inner: config.size('hidden_dim', 3072),
  layers: config.layers('n_layers', 6),
  places: config.size('max_position_embeddings', 512),
  eps: 1e-12,
  dropout: config.number('dropout', 0.1),
  attentionDropout: config.number('attention_dropout', 0.1),
  activation: config.word('activation', ACTIVATIONS, 'gelu'),
});

class DistilAttention extends Module {
  qLin: Linear;
  kLin: Linear;
  vLin: Linear;
  outLin: Linear;
  readonly settings: Settings;

  constructor(config: Config, settings: Settings) {
    super();
    const { width } = settings;
    [this.qLin, this.kLin, this.vLin, this.outLin] = [0, 1, 2, 3].map(() => linear(config, width, width)) as [
      Linear,
      Linear,
      Linear,
      Linear,
    ];
    this.settings = settings;
  }

  forward(x: Tensor, looks: Looks): Tensor {
    const { heads, attentionDropout } = this.settings;
    const p = this.training ? attentionDropout : 0;
    return this.outLin.forward(attend([this.qLin, this.kLin, this.vLin], x, heads, looks, p));
  }
}

class FeedForward extends Module {
  lin1: Linear;
  lin2: Linear;
  readonly dropout: Dropout;
  readonly activation: (x: Tensor) => Tensor;

  constructor(config: Config, { width, inner, dropout, activation }: Settings) {
    super();
    this.lin1 = linear(config, width, inner);
    this.lin2 = linear(config, inner, width);
    this.dropout = new Dropout(dropout);
    this.activation = activation;
  }

  forward(x: Tensor): Tensor {
    return this.dropout.forward(this.lin2.forward(this.activation(this.lin1.forward(x))));
  }
}

class DistilLayer extends Module {
  attention: DistilAttention;
  saLayerNorm: LayerNorm;
  ffn: FeedForward;
  outputLayerNorm: LayerNorm;

  constructor(config: Config, settings: Settings) {
    super();
    const { width, eps } = settings;
    this.attention = new DistilAttention(config, settings);
    this.saLayerNorm = norm(config, width, eps);
    this.ffn = new FeedForward(config, settings);
    this.outputLayerNorm = norm(config, width, eps);
  }

  forward(x: Tensor, looks: Looks): Tensor {
    const y = this.saLayerNorm.forward(this.attention.forward(x, looks).add(x));
    return this.outputLayerNorm.forward(this.ffn.forward(y).add(y));
  }
}

class DistilTransformer extends Module {
  layer: DistilLayer[];

  constructor(config: Config, settings: Settings) {
    super();
    this.layer = Array.from({ length: settings.layers }, () => new DistilLayer(config, settings));
  }

  forward(x: Tensor, looks: Looks): Tensor {
    return this.layer.reduce((y, layer) => layer.forward(y, looks), x);
  }
}

/** DistilBertModel. */
export class DistilBertModel extends Pretrained {
  embeddings: Embeddings;
  transformer: DistilTransformer;
  readonly width: number;

  constructor(config: Config) {
    super(config);
    const settings = settingsOf(config);
    this.embeddings = new Embeddings(config, settings, 0);
    this.transformer = new DistilTransformer(config, settings);
    this.width = settings.width;
  }

  states(ids: Tensor, inputs: PretrainedInputs): Tensor {
    const x = this.embeddings.forward(ids, inputs);
    return this.transformer.forward(x, looksOf(x, inputs.attentionMask ?? null, false));
  }

  forward(ids: Tensor, inputs: PretrainedInputs = {}): PretrainedOutput {
    return { lastHiddenState: this.states(ids, inputs) };
  }
}

/** DistilBertForMaskedLM. */
export class DistilBertForMaskedLM extends Pretrained {
  distilbert: DistilBertModel;
  vocabTransform: Linear;
  vocabLayerNorm: LayerNorm;
  vocabProjector: Head;
  readonly activation: (x: Tensor) => Tensor;

  constructor(config: Config) {
    super(config);
    this.distilbert = new DistilBertModel(config);
    const { width } = this.distilbert;
    const table = this.distilbert.embeddings.wordEmbeddings;
    this.vocabTransform = linear(config, width, width);
    this.vocabLayerNorm = norm(config, width, 1e-12);
    const bias = init.zeros_(config.keep(parameter([table.weight.shape[0] as number])));
    this.vocabProjector = new Head(headWeight(config, table, true), bias);
    this.activation = settingsOf(config).activation;
  }

  forward(ids: Tensor, inputs: PretrainedInputs = {}): PretrainedOutput {
    const x = this.activation(this.vocabTransform.forward(this.distilbert.states(ids, inputs)));
    return scored(this.vocabProjector.forward(this.vocabLayerNorm.forward(x)), inputs.labels, pieceLoss);
  }
}

/** DistilBertForSequenceClassification. */
export class DistilBertForSequenceClassification extends Pretrained {
  distilbert: DistilBertModel;
  preClassifier: Linear;
  classifier: Linear;
  readonly dropout: Dropout;

  constructor(config: Config) {
    super(config);
    this.distilbert = new DistilBertModel(config);
    const { width } = this.distilbert;
    this.preClassifier = linear(config, width, width);
    this.classifier = linear(config, width, config.labels);
    this.dropout = new Dropout(config.number('seq_classif_dropout', 0.2));
  }

  forward(ids: Tensor, inputs: PretrainedInputs = {}): PretrainedOutput {
    const first = this.distilbert.states(ids, inputs).select(1, 0);
    const x = this.dropout.forward(this.preClassifier.forward(first).relu());
    return scored(this.classifier.forward(x), inputs.labels, textLoss);
  }
}
