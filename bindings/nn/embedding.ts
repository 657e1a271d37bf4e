// Tables of vectors that are looked up by number.
import { withoutTape } from '../autograd.ts';
import * as F from '../functional/index.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { type Arguments, signature } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import * as init from './init.ts';
import { OwnLayer } from './layer.ts';
import { COMPUTE } from './names.ts';
import { checkSizes, describeOptions, Parameter, parameter } from './parameter.ts';

/** Options of {@link Embedding}. */
export interface EmbeddingLayerOptions {
  /** The row that starts as zeros and gets no gradient, negative from the end; null: none. @defaultValue null */
  paddingIdx?: number | null;
  /** Rows that are taken and have a larger norm are scaled to it in place, first; null: none. @defaultValue null */
  maxNorm?: number | null;
  /** The order of that norm. @defaultValue 2 */
  normType?: number;
  /** Whether the gradient of a row is divided by how often it is taken. @defaultValue false */
  scaleGradByFreq?: boolean;
}

/** Options of {@link Embedding.fromPretrained}. */
export interface PretrainedOptions extends EmbeddingLayerOptions {
  /** Whether the table is not trained. @defaultValue true */
  freeze?: boolean;
}

const AFTER = 'maxNorm: number|null = null, normType: number = 2, scaleGradByFreq: bool = false';
const declared = signature(
  `Embedding(numEmbeddings: int, embeddingDim: int, paddingIdx: int|null = null, ${AFTER}, -sparse: bool = false, -_weight: null = null, -_freeze: bool = false, -device: any = null, -dtype: any = null)`,
);
const ofPretrained = signature(
  `Embedding.fromPretrained(embeddings: Tensor, freeze: bool = true, paddingIdx: int|null = null, ${AFTER}, -sparse: bool = false)`,
);
type Settings = [paddingIdx: number | null, maxNorm: number | null, normType: number, scaleGradByFreq: boolean];

/**
 * A table of `numEmbeddings` vectors of `embeddingDim` numbers; forward gives those at the indices (PyTorch's
 * `nn.Embedding`): i32 [...] → [..., embeddingDim]. They start from the standard normal distribution.
 * @example
 * ```ts
 * const words = new nn.Embedding(1000, 16, { paddingIdx: 0 });
 * words.forward(tensor([[5, 7, 0]], { dtype: 'i32' })).shape; // [1, 3, 16]
 * ```
 */
export class Embedding extends OwnLayer {
  /** How many vectors. */
  readonly numEmbeddings: number;
  /** The numbers of a vector. */
  readonly embeddingDim: number;
  /** The row that gets no gradient, from 0; or null. */
  paddingIdx: number | null;
  /** The norm to which rows that are taken are scaled down; null: none. */
  maxNorm: number | null;
  /** The order of that norm. */
  normType: number;
  /** Whether the gradient of a row is divided by how often it is taken. */
  scaleGradByFreq: boolean;
  /** [numEmbeddings, embeddingDim]. */
  weight: Parameter;

  /** A table of `numEmbeddings` vectors of `embeddingDim` numbers. @throws ArgumentError */
  constructor(...args: Arguments<[numEmbeddings: number, embeddingDim: number], Settings, EmbeddingLayerOptions>) {
    super();
    const [numEmbeddings, embeddingDim, paddingIdx, maxNorm, normType, scaleGradByFreq] = declared.parse(args) as [
      number,
      number,
      ...Settings,
    ];
    checkSizes('Embedding', { numEmbeddings, embeddingDim });
    this.numEmbeddings = numEmbeddings;
    this.embeddingDim = embeddingDim;
    this.paddingIdx = paddingIdx;
    if (paddingIdx !== null) {
      if (!(paddingIdx >= -numEmbeddings && paddingIdx < numEmbeddings))
        throw new ArgumentError(
          `Embedding: expected paddingIdx from ${-numEmbeddings} to ${numEmbeddings - 1}, got ${paddingIdx}`,
        );
      if (paddingIdx < 0) this.paddingIdx = paddingIdx + numEmbeddings;
    }
    this.maxNorm = maxNorm;
    this.normType = normType;
    this.scaleGradByFreq = scaleGradByFreq;
    this.weight = this.registerParameter('weight', init.normal_(parameter([numEmbeddings, embeddingDim])));
    const padding = this.paddingIdx;
    if (padding !== null) withoutTape(() => init.zeros_(this.weight.select(0, padding)));
  }

  /**
   * A table of given vectors (PyTorch's `Embedding.from_pretrained`), which shares their memory.
   * @param embeddings [numEmbeddings, embeddingDim]
   * @throws ShapeError, ArgumentError
   */
  static fromPretrained(
    ...args: Arguments<[embeddings: Tensor], [freeze: boolean, ...Settings], PretrainedOptions>
  ): Embedding {
    const [embeddings, freeze, ...settings] = ofPretrained.parse(args) as [Tensor, boolean, ...Settings];
    if (embeddings.ndim !== 2)
      throw new ShapeError(`fromPretrained: expected embeddings [rows, width], got ${formatShape(embeddings.sizes)}`);
    const [rows, width] = embeddings.sizes as [number, number];
    const layer = new Embedding(rows, width, ...(settings.slice(0, 4) as Settings));
    layer.weight.dispose();
    layer.weight = new Parameter(embeddings, { requiresGrad: !freeze });
    return layer;
  }

  /** @internal */
  [COMPUTE](x: Tensor): Tensor {
    const { weight, paddingIdx, maxNorm, normType, scaleGradByFreq } = this;
    return F.embedding(x, weight, paddingIdx, maxNorm, normType, scaleGradByFreq);
  }

  override extraRepr(): string {
    const { numEmbeddings, embeddingDim, paddingIdx, maxNorm, normType, scaleGradByFreq } = this;
    return describeOptions({
      numEmbeddings,
      embeddingDim,
      paddingIdx: paddingIdx ?? undefined,
      maxNorm: maxNorm ?? undefined,
      normType: normType === 2 ? undefined : normType,
      scaleGradByFreq: scaleGradByFreq || undefined,
    });
  }
}
