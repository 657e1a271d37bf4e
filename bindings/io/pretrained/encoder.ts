// What BERT and DistilBERT have in common.
import * as F from '../../functional/index.ts';
import { Dropout } from '../../nn/dropout.ts';
import type { Embedding } from '../../nn/embedding.ts';
import type { Linear } from '../../nn/linear.ts';
import { Module } from '../../nn/module.ts';
import type { LayerNorm } from '../../nn/norm.ts';
import type { Tensor } from '../../tensor.ts';
import type { Config } from './config.ts';
import {
  checkIds,
  embedding,
  fromHeads,
  type Looks,
  norm,
  type PretrainedInputs,
  placesIn,
  toHeads,
} from './layers.ts';

/** The settings of both, by one set of names. */
export interface Settings {
  readonly width: number;
  readonly heads: number;
  readonly inner: number;
  readonly layers: number;
  readonly places: number;
  readonly eps: number;
  readonly dropout: number;
  readonly attentionDropout: number;
  readonly activation: (x: Tensor) => Tensor;
}

/** Attention of x to itself by three layers. */
export function attend(
  layers: readonly [Linear, Linear, Linear],
  x: Tensor,
  heads: number,
  looks: Looks,
  dropoutP: number,
): Tensor {
  const [q, k, v] = layers.map((layer) => toHeads(layer.forward(x), heads)) as [Tensor, Tensor, Tensor];
  return fromHeads(F.scaledDotProductAttention(q, k, v, { ...looks, dropoutP }));
}

/** Of pieces, places and, of BERT, the two texts. */
export class Embeddings extends Module {
  wordEmbeddings: Embedding;
  positionEmbeddings: Embedding;
  tokenTypeEmbeddings: Embedding | null = null;
  // biome-ignore lint/style/useNamingConvention: states have it
  LayerNorm: LayerNorm;
  readonly dropout: Dropout;
  readonly places: number;

  constructor(config: Config, { width, eps, dropout, places }: Settings, types: number) {
    super();
    this.wordEmbeddings = embedding(config, config.size('vocab_size', 30_522), width, config.padding(0));
    this.positionEmbeddings = embedding(config, places, width);
    if (types > 0) this.tokenTypeEmbeddings = embedding(config, types, width);
    this.LayerNorm = norm(config, width, eps);
    this.dropout = new Dropout(dropout);
    this.places = places;
  }

  forward(ids: Tensor, { tokenTypeIds = null, positionIds = null }: PretrainedInputs): Tensor {
    checkIds(ids, this.places);
    let x = this.wordEmbeddings.forward(ids).add(placesIn(this.positionEmbeddings, ids, positionIds));
    const types = this.tokenTypeEmbeddings;
    if (types) x = x.add(tokenTypeIds ? types.forward(tokenTypeIds) : types.weight.select(0, 0));
    return this.dropout.forward(this.LayerNorm.forward(x));
  }
}
