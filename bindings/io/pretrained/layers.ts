// What the transformers of Hugging Face's library have in common.
import { arange } from '../../creation.ts';
import * as F from '../../functional/index.ts';
import { ArgumentError, DtypeError, formatShape, ShapeError } from '../../memory/errors.ts';
import { Embedding } from '../../nn/embedding.ts';
import * as init from '../../nn/init.ts';
import { Linear } from '../../nn/linear.ts';
import { Module } from '../../nn/module.ts';
import { LayerNorm } from '../../nn/norm.ts';
import { type Parameter, parameter } from '../../nn/parameter.ts';
import type { LoadResult } from '../../nn/state.ts';
import type { Tensor } from '../../tensor.ts';
import type { Config } from './config.ts';

/** What is given to a model beside the pieces of text. */
export interface PretrainedInputs {
  /** [n, length] of any dtype: 0 where nobody looks, such as at padding; null: nowhere. @defaultValue null */
  attentionMask?: Tensor | null;
  /** i32 [n, length], of BERT: to which of two texts a piece belongs; null: to the first. @defaultValue null */
  tokenTypeIds?: Tensor | null;
  /** i32 [n, length] or [length]: where a piece stands; null: one after the other. @defaultValue null */
  positionIds?: Tensor | null;
  /**
   * Of models with a head, what it should say: i32 [n, length] pieces or classes, −100 where it does not matter; i32
   * [n] classes of whole texts, or f32 [n] numbers where there is one class. The pieces of models of the next piece are
   * those of the input. @defaultValue null
   */
  labels?: Tensor | null;
}

/** What a model gives. */
export interface PretrainedOutput {
  /** f32 [n, length, width]: the last layer's result, of models without a head. */
  lastHiddenState?: Tensor;
  /** f32 [n, width]: of BERT's first piece. */
  poolerOutput?: Tensor;
  /** What the head says: f32 [n, length, vocabulary], [n, length, classes] or [n, classes]. */
  logits?: Tensor;
  /** f32 []: how far that is from the labels, where some are given. */
  loss?: Tensor;
}

/** The activations by their names in configs. */
export const ACTIVATIONS: Readonly<Record<string, (x: Tensor) => Tensor>> = {
  gelu: (x) => F.gelu(x),
  gelu_new: (x) => F.gelu(x, 'tanh'),
  gelu_pytorch_tanh: (x) => F.gelu(x, 'tanh'),
  gelu_fast: (x) => F.gelu(x, 'tanh'),
  relu: (x) => F.relu(x),
  silu: (x) => F.silu(x),
  swish: (x) => F.silu(x),
  tanh: (x) => x.tanh(),
};

const SCALE = 0.02;

/** A linear layer, normal at first as these models have it. */
export function linear(config: Config, inFeatures: number, outFeatures: number, bias = true): Linear {
  config.take(outFeatures, inFeatures + (bias ? 1 : 0));
  const layer = config.keep(new Linear(inFeatures, outFeatures, { bias }));
  init.normal_(layer.weight, 0, config.number('initializer_range', SCALE));
  if (layer.bias) init.zeros_(layer.bias);
  return layer;
}

/** A table of vectors. The row of `padding`, if it is one, is not trained by looking it up. */
export function embedding(config: Config, count: number, width: number, padding: number | null = null): Embedding {
  config.take(count, width);
  const layer = config.keep(new Embedding(count, width, { paddingIdx: padding }));
  init.normal_(layer.weight, 0, config.number('initializer_range', SCALE));
  return layer;
}

export function norm(config: Config, width: number, eps: number): LayerNorm {
  config.take(2, width);
  return config.keep(new LayerNorm(width, { eps }));
}

/** GPT-2's linear layer, whose weight is [in, out]. */
export class Conv1D extends Module {
  weight: Parameter;
  bias: Parameter;

  constructor(config: Config, inFeatures: number, outFeatures: number) {
    super();
    config.take(outFeatures, inFeatures + 1);
    this.weight = init.normal_(
      config.keep(parameter([inFeatures, outFeatures])),
      0,
      config.number('initializer_range', SCALE),
    );
    this.bias = init.zeros_(config.keep(parameter([outFeatures])));
  }

  forward(x: Tensor): Tensor {
    return x.matmul(this.weight).add(this.bias);
  }
}

/** From states to pieces: by a weight of its own, or by that of the embedding, which is then one parameter. */
export class Head extends Module {
  weight: Parameter;
  bias: Parameter | null;

  constructor(weight: Parameter, bias: Parameter | null = null) {
    super();
    this.weight = weight;
    this.bias = bias;
  }

  forward(x: Tensor): Tensor {
    return F.linear(x, this.weight, this.bias);
  }
}

/** The weight of a head: that of the embedding where they are tied. */
export function headWeight(config: Config, table: Embedding, tied: boolean): Parameter {
  if (config.bool('tie_word_embeddings', tied)) return table.weight;
  const { shape } = table.weight;
  config.take(...shape);
  return init.normal_(config.keep(parameter([...shape])), 0, config.number('initializer_range', SCALE));
}

/** [n, length, width] as [n, heads, length, width / heads]. */
export const toHeads = (x: Tensor, heads: number): Tensor => {
  const [n = 0, length = 0, width = 0] = x.shape;
  return x.reshape([n, length, heads, width / heads]).transpose(1, 2);
};

export const fromHeads = (x: Tensor): Tensor => {
  const [n = 0, heads = 0, length = 0, width = 0] = x.shape;
  return x.transpose(1, 2).reshape([n, length, heads * width]);
};

/** Which keys each query looks at. */
export interface Looks {
  readonly attnMask: Tensor | null;
  readonly isCausal: boolean;
}

/** Keys that the mask shows, up to the query's own place where it is causal. */
export function looksOf(x: Tensor, mask: Tensor | null, isCausal: boolean): Looks {
  const [n = 0, length = 0] = x.shape;
  if (!mask) return { attnMask: null, isCausal };
  if (mask.ndim !== 2 || mask.shape[0] !== n || mask.shape[1] !== length)
    throw new ShapeError(
      `forward: expected attentionMask of shape ${formatShape([n, length])}, got ${formatShape(mask.shape)}`,
    );
  const shown = mask.ne(0).reshape([n, 1, 1, length]);
  if (!isCausal) return { attnMask: shown, isCausal };
  const places = arange(length);
  return { attnMask: places.reshape([length, 1]).ge(places).logicalAnd(shown), isCausal: false };
}

/**
 * @throws DtypeError, ShapeError, ArgumentError unless it is i32 [n, length] with as many pieces as there are places
 */
export function checkIds(ids: Tensor, places: number): void {
  if (ids.dtype !== 'i32') throw new DtypeError(`forward: expected inputIds in i32, got ${ids.dtype}`);
  if (ids.ndim !== 2)
    throw new ShapeError(`forward: expected inputIds of shape [n, length], got ${formatShape(ids.shape)}`);
  if ((ids.shape[1] as number) > places)
    throw new ArgumentError(
      `forward: expected at most ${places} pieces, which the model has places for, got ${ids.shape[1]}`,
    );
}

/** The rows of a table of places for `ids`. */
export function placesIn(table: Embedding, ids: Tensor, positions: Tensor | null): Tensor {
  return positions ? table.forward(positions) : table.weight.narrow(0, 0, ids.shape[1] as number);
}

/** The loss of logits [n, length, classes] for labels [n, length]. */
export function pieceLoss(logits: Tensor, labels: Tensor): Tensor {
  const classes = logits.shape.at(-1) as number;
  return F.crossEntropy(logits.reshape([-1, classes]), labels.reshape([-1]));
}

/** The loss of the next piece, whose labels are the pieces themselves. */
export function nextLoss(logits: Tensor, labels: Tensor): Tensor {
  const length = logits.shape[1] as number;
  return pieceLoss(logits.narrow(1, 0, length - 1), labels.narrow(1, 1, length - 1));
}

/** The loss of logits [n, classes] for labels: numbers where there is one class, else classes. */
export function textLoss(logits: Tensor, labels: Tensor): Tensor {
  if (logits.shape[1] === 1) return F.mseLoss(logits.reshape([-1]), labels.reshape([-1]));
  if (labels.dtype === 'f32') return F.binaryCrossEntropyWithLogits(logits, labels);
  return F.crossEntropy(logits, labels.reshape([-1]));
}

/** What a head says, and how wrong it is. */
export const scored = (
  logits: Tensor,
  labels: Tensor | null | undefined,
  lossOf: (x: Tensor, y: Tensor) => Tensor,
): PretrainedOutput => (labels ? { logits, loss: lossOf(logits, labels) } : { logits });

/** What a model of the library is: inputs, and what it gives. */
export abstract class Pretrained extends Module {
  /** The config.json that it was made by. */
  readonly config: Readonly<Record<string, unknown>>;

  /** What the files lack, which is random at first, and what they have beyond the model. */
  loading: LoadResult = { missingKeys: [], unexpectedKeys: [] };

  /** @internal */
  constructor(config: Config) {
    super();
    this.config = config.json;
  }

  /**
   * @param inputIds i32 [n, length]: the numbers of pieces of text
   * @throws ShapeError, DtypeError, ArgumentError
   */
  abstract forward(inputIds: Tensor, inputs?: PretrainedInputs): PretrainedOutput;
}
