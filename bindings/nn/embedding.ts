// Tables of vectors that are looked up by number.
import { withoutTape } from '../autograd.ts';
import * as F from '../functional/index.ts';
import { ArgumentError, formatShape, named, ShapeError } from '../memory/errors.ts';
import { type Arguments, signature } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import * as init from './init.ts';
import { OwnLayer } from './layer.ts';
import { Module } from './module.ts';
import { COMPUTE } from './names.ts';
import { checkSizes, describeCall, describeOptions, Parameter, parameter } from './parameter.ts';

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
  /** Whether the gradient of the weight is a {@link SparseTensor} of the rows that were taken. @defaultValue false */
  sparse?: boolean;
}

/** Options of {@link Embedding.fromPretrained}. */
export interface PretrainedOptions extends EmbeddingLayerOptions {
  /** Whether the table is not trained. @defaultValue true */
  freeze?: boolean;
}

const AFTER = 'maxNorm: number|null = null, normType: number = 2, scaleGradByFreq: bool = false';
const declared = signature(
  `Embedding(numEmbeddings: int, embeddingDim: int, paddingIdx: int|null = null, ${AFTER}, sparse: bool = false, -_weight: null = null, -_freeze: bool = false, -device: any = null, -dtype: any = null)`,
);
const ofPretrained = signature(
  `Embedding.fromPretrained(embeddings: Tensor, freeze: bool = true, paddingIdx: int|null = null, ${AFTER}, sparse: bool = false)`,
);
/** The optional arguments of {@link Embedding}, by position. */
export type EmbeddingSettings = [
  paddingIdx: number | null,
  maxNorm: number | null,
  normType: number,
  scaleGradByFreq: boolean,
  sparse: boolean,
];

/** The number of a row from 0. @throws ArgumentError where there is no such row */
function fromFront(layer: string, paddingIdx: number | null, rows: number): number | null {
  if (paddingIdx === null) return null;
  if (!(paddingIdx >= -rows && paddingIdx < rows))
    throw new ArgumentError(`${layer}: expected paddingIdx from ${-rows} to ${rows - 1}, got ${paddingIdx}`);
  return paddingIdx < 0 ? paddingIdx + rows : paddingIdx;
}

/** A table of random vectors; that of the padding is zeros. */
function table(rows: number, width: number, padding: number | null): Parameter {
  const weight = init.normal_(parameter([rows, width]));
  if (padding !== null) withoutTape(() => init.zeros_(weight.select(0, padding)));
  return weight;
}

/** @throws ShapeError */
function sizesOf(embeddings: Tensor): [rows: number, width: number] {
  if (embeddings.ndim !== 2)
    throw new ShapeError(`fromPretrained: expected embeddings [rows, width], got ${formatShape(embeddings.sizes)}`);
  return embeddings.sizes as [number, number];
}

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
  /** Whether the gradient of the weight is a {@link SparseTensor}. */
  sparse: boolean;
  /** [numEmbeddings, embeddingDim]. */
  weight: Parameter;

  /** A table of `numEmbeddings` vectors of `embeddingDim` numbers. @throws ArgumentError */
  constructor(
    ...args: Arguments<
      [numEmbeddings: number, embeddingDim: number],
      EmbeddingSettings,
      EmbeddingLayerOptions,
      ['numEmbeddings', 'embeddingDim']
    >
  ) {
    super();
    const [numEmbeddings, embeddingDim, paddingIdx, maxNorm, normType, scaleGradByFreq, sparse] = declared.parse(
      args,
    ) as [number, number, ...settings: EmbeddingSettings];
    checkSizes('Embedding', { numEmbeddings, embeddingDim });
    this.numEmbeddings = numEmbeddings;
    this.embeddingDim = embeddingDim;
    this.paddingIdx = fromFront('Embedding', paddingIdx, numEmbeddings);
    this.maxNorm = maxNorm;
    this.normType = normType;
    this.scaleGradByFreq = scaleGradByFreq;
    this.sparse = sparse;
    this.weight = this.registerParameter('weight', table(numEmbeddings, embeddingDim, this.paddingIdx));
  }

  /**
   * A table of given vectors (PyTorch's `Embedding.from_pretrained`), which shares their memory.
   * @param embeddings [numEmbeddings, embeddingDim]
   * @throws ShapeError, ArgumentError
   */
  static fromPretrained(
    ...args: Arguments<
      [embeddings: Tensor],
      [freeze: boolean, ...settings: EmbeddingSettings],
      PretrainedOptions,
      ['embeddings']
    >
  ): Embedding {
    const [embeddings, freeze, ...settings] = ofPretrained.parse(args) as [
      Tensor,
      boolean,
      ...settings: EmbeddingSettings,
    ];
    const layer = new Embedding(...sizesOf(embeddings), ...settings);
    layer.weight.dispose();
    layer.weight = new Parameter(embeddings, { requiresGrad: !freeze });
    return layer;
  }

  /** @internal */
  [COMPUTE](x: Tensor): Tensor {
    const { weight, paddingIdx, maxNorm, normType, scaleGradByFreq, sparse } = this;
    return F.embedding(x, weight, paddingIdx, maxNorm, normType, scaleGradByFreq, sparse);
  }

  override extraRepr(): string {
    const { numEmbeddings, embeddingDim, paddingIdx, maxNorm, normType, scaleGradByFreq, sparse } = this;
    return describeOptions({
      numEmbeddings,
      embeddingDim,
      paddingIdx: paddingIdx ?? undefined,
      maxNorm: maxNorm ?? undefined,
      normType: normType === 2 ? undefined : normType,
      scaleGradByFreq: scaleGradByFreq || undefined,
      sparse: sparse || undefined,
    });
  }
}

/** Options of {@link EmbeddingBag}. */
export interface EmbeddingBagLayerOptions extends EmbeddingLayerOptions {
  /** How the rows of a bag become one. @defaultValue 'mean' */
  mode?: F.BagMode;
  /** Whether the offsets end with the number of indices. @defaultValue false */
  includeLastOffset?: boolean;
}
/** Options of {@link EmbeddingBag.fromPretrained}. */
export interface PretrainedBagOptions extends EmbeddingBagLayerOptions {
  /** Whether the table is not trained. @defaultValue true */
  freeze?: boolean;
}
/** What {@link EmbeddingBag.forward} takes besides indices. */
export interface EmbeddingBagForwardOptions {
  /** i32 [bags]: where each bag begins, for indices in one list; null: bags are rows of indices. @defaultValue null */
  offsets?: Tensor | null;
  /** f32 of the shape of the indices, what rows are multiplied by before the sum; null: 1. @defaultValue null */
  perSampleWeights?: Tensor | null;
}

const BAG_AFTER =
  "maxNorm: number|null = null, normType: number = 2, scaleGradByFreq: bool = false, mode: 'sum'|'mean'|'max' = 'mean', sparse: bool = false";
const BAG_LAST = 'includeLastOffset: bool = false, paddingIdx: int|null = null';
const declaredBag = signature(
  `EmbeddingBag(numEmbeddings: int, embeddingDim: int, ${BAG_AFTER}, -_weight: null = null, ${BAG_LAST}, -device: any = null, -dtype: any = null)`,
);
const ofPretrainedBag = signature(
  `EmbeddingBag.fromPretrained(embeddings: Tensor, freeze: bool = true, ${BAG_AFTER}, ${BAG_LAST})`,
);
const ofBagForward = signature(
  'EmbeddingBag.forward(x: Tensor, offsets: Tensor|null = null, perSampleWeights: Tensor|null = null)',
);
type BagSettings = [
  maxNorm: number | null,
  normType: number,
  scaleGradByFreq: boolean,
  mode: F.BagMode,
  sparse: boolean,
];
type BagLast = [includeLastOffset: boolean, paddingIdx: number | null];

/**
 * A table of `numEmbeddings` vectors of `embeddingDim` numbers; forward gives the sum, mean or maximum of each bag of
 * them (PyTorch's `nn.EmbeddingBag`): i32 [bags, n] → [bags, embeddingDim].
 * @example
 * ```ts
 * const words = new nn.EmbeddingBag(1000, 16, { mode: 'sum' });
 * const begins = tensor([0, 3], { dtype: 'i32' });
 * words.forward(tensor([5, 7, 0, 9], { dtype: 'i32' }), begins).shape; // [2, 16]
 * ```
 */
export class EmbeddingBag extends Module {
  /** How many vectors. */
  readonly numEmbeddings: number;
  /** The numbers of a vector. */
  readonly embeddingDim: number;
  /** The norm to which rows that are taken are scaled down; null: none. */
  maxNorm: number | null;
  /** The order of that norm. */
  normType: number;
  /** Whether the gradient of a row is divided by how often it is taken. */
  scaleGradByFreq: boolean;
  /** Whether the gradient of the weight is a {@link SparseTensor}. */
  sparse: boolean;
  /** How the rows of a bag become one. */
  mode: F.BagMode;
  /** Whether the offsets end with the number of indices. */
  includeLastOffset: boolean;
  /** The row that is left out of bags, from 0; or null. */
  paddingIdx: number | null;
  /** [numEmbeddings, embeddingDim]. */
  weight: Parameter;

  /** A table of `numEmbeddings` vectors of `embeddingDim` numbers. @throws ArgumentError */
  constructor(
    ...args: Arguments<
      [numEmbeddings: number, embeddingDim: number],
      [...settings: BagSettings, _weight: null, ...last: BagLast],
      EmbeddingBagLayerOptions,
      ['numEmbeddings', 'embeddingDim']
    >
  ) {
    super();
    const [numEmbeddings, embeddingDim, ...others] = declaredBag.parse(args) as [
      ...[number, number],
      ...BagSettings,
      null,
      ...BagLast,
    ];
    const [maxNorm, normType, scaleGradByFreq, mode, sparse, , includeLastOffset, paddingIdx] = others;
    checkSizes('EmbeddingBag', { numEmbeddings, embeddingDim });
    this.numEmbeddings = numEmbeddings;
    this.embeddingDim = embeddingDim;
    this.maxNorm = maxNorm;
    this.normType = normType;
    this.scaleGradByFreq = scaleGradByFreq;
    this.sparse = sparse;
    this.mode = mode;
    this.includeLastOffset = includeLastOffset;
    this.paddingIdx = fromFront('EmbeddingBag', paddingIdx, numEmbeddings);
    this.weight = this.registerParameter('weight', table(numEmbeddings, embeddingDim, this.paddingIdx));
  }

  /**
   * A table of given vectors (PyTorch's `EmbeddingBag.from_pretrained`), which shares their memory.
   * @param embeddings [numEmbeddings, embeddingDim]
   * @throws ShapeError, ArgumentError
   */
  static fromPretrained(
    ...args: Arguments<
      [embeddings: Tensor],
      [freeze: boolean, ...settings: BagSettings, ...last: BagLast],
      PretrainedBagOptions,
      ['embeddings']
    >
  ): EmbeddingBag {
    const [embeddings, freeze, maxNorm, normType, scaleGradByFreq, mode, sparse, includeLastOffset, paddingIdx] =
      ofPretrainedBag.parse(args) as [Tensor, boolean, ...BagSettings, ...BagLast];
    const options = { maxNorm, normType, scaleGradByFreq, mode, sparse, includeLastOffset, paddingIdx };
    const layer = new EmbeddingBag(...sizesOf(embeddings), options);
    layer.weight.dispose();
    layer.weight = new Parameter(embeddings, { requiresGrad: !freeze });
    return layer;
  }

  /**
   * The sum, mean or maximum of each bag.
   * @param x i32 [bags, n]; or [n] with `offsets`
   * @returns [bags, embeddingDim]
   * @throws ArgumentError, ShapeError, DtypeError
   */
  forward(
    ...args: Arguments<
      [x: Tensor],
      [offsets: Tensor | null, perSampleWeights: Tensor | null],
      EmbeddingBagForwardOptions
    >
  ): Tensor {
    try {
      const [x, offsets, perSampleWeights] = ofBagForward.parse(args) as [Tensor, Tensor | null, Tensor | null];
      const { weight, maxNorm, normType, scaleGradByFreq, mode, sparse, includeLastOffset, paddingIdx } = this;
      const options = { maxNorm, normType, scaleGradByFreq, mode, sparse, includeLastOffset, paddingIdx };
      return F.embeddingBag(x, weight, { offsets, perSampleWeights, ...options });
    } catch (error) {
      throw named(error, 'EmbeddingBag');
    }
  }

  override extraRepr(): string {
    return describeCall(
      declaredBag,
      declaredBag.parameters.map(({ name, value, absent }) => (absent ? value : Reflect.get(this, name))),
    );
  }
}
