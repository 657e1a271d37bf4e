// The layers of transformers: attention and two affine maps, each with a residual and a norm.
import * as F from '../functional/index.ts';
import { ArgumentError, named } from '../memory/errors.ts';
import { type Arguments, type Signature, signature } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { MultiheadAttention } from './attention.ts';
import { Dropout } from './dropout.ts';
import type { Layer } from './layer.ts';
import { Linear } from './linear.ts';
import { Module } from './module.ts';
import { LayerNorm } from './norm.ts';
import { checkSizes, describeOptions } from './parameter.ts';

/** What stands between the two affine maps of a layer: a name, a function or a layer. */
export type TransformerActivation = 'relu' | 'gelu' | ((x: Tensor) => Tensor) | Layer;

/** Options of {@link TransformerEncoderLayer} and {@link TransformerDecoderLayer}. */
export interface TransformerLayerOptions {
  /** The width between the two affine maps. @defaultValue 2048 */
  dimFeedforward?: number;
  /** The probability that an element becomes 0, wherever something is dropped. @defaultValue 0.1 */
  dropout?: number;
  /** What stands between the two affine maps. @defaultValue 'relu' */
  activation?: TransformerActivation;
  /** Added to the variances of the norms. @defaultValue 1e-5 */
  layerNormEps?: number;
  /** Whether inputs are [n, length, dModel], and not [length, n, dModel]. @defaultValue false */
  batchFirst?: boolean;
  /** Whether norms stand before attention and affine maps, and not behind the residuals. @defaultValue false */
  normFirst?: boolean;
  /** Whether affine maps and norms have biases. @defaultValue true */
  bias?: boolean;
}

/** The optional arguments of a layer in order. */
export type LayerPositions = [
  dimFeedforward: number,
  dropout: number,
  activation: TransformerActivation,
  layerNormEps: number,
  batchFirst: boolean,
  normFirst: boolean,
  bias: boolean,
];
/** What the constructors of the layers take. */
export type TransformerLayerArguments = Arguments<
  [dModel: number, nhead: number],
  LayerPositions,
  TransformerLayerOptions,
  ['dModel', 'nhead']
>;
type Values = [dModel: number, nhead: number, ...LayerPositions];

/** Options of {@link TransformerEncoderLayer.forward}. */
export interface EncoderLayerCallOptions {
  /** Which keys a query does not look at: see {@link MultiheadAttentionCallOptions.attnMask}. @defaultValue null */
  srcMask?: Tensor | null;
  /** Keys that nobody looks at. @defaultValue null */
  srcKeyPaddingMask?: Tensor | null;
  /** Says that srcMask is causal. @defaultValue false */
  isCausal?: boolean;
}

/** Options of {@link TransformerDecoderLayer.forward}. */
export interface DecoderLayerCallOptions {
  /** Which of its own elements one does not look at. @defaultValue null */
  tgtMask?: Tensor | null;
  /** Which elements of the memory one does not look at. @defaultValue null */
  memoryMask?: Tensor | null;
  /** Its own elements that nobody looks at. @defaultValue null */
  tgtKeyPaddingMask?: Tensor | null;
  /** Elements of the memory that nobody looks at. @defaultValue null */
  memoryKeyPaddingMask?: Tensor | null;
  /** Says that tgtMask is causal. @defaultValue false */
  tgtIsCausal?: boolean;
  /** Says that memoryMask is causal. @defaultValue false */
  memoryIsCausal?: boolean;
}

/* @__NO_SIDE_EFFECTS__ */
const ofLayer = (name: string): Signature =>
  signature(
    `${name}(dModel: int, nhead: int, dimFeedforward: int = 2048, dropout: number = 0.1, activation: 'relu'|'gelu'|function|Module = 'relu', layerNormEps: number = 1e-5, batchFirst: bool = false, normFirst: bool = false, bias: bool = true, -device: any = null, -dtype: any = null)`,
  );
const ofEncoderLayer = ofLayer('TransformerEncoderLayer');
const ofDecoderLayer = ofLayer('TransformerDecoderLayer');
const ofEncoder = signature(
  'TransformerEncoderLayer.forward(src: Tensor, srcMask: Tensor|null = null, srcKeyPaddingMask: Tensor|null = null, isCausal: bool = false)',
);
const ofDecoder = signature(
  'TransformerDecoderLayer.forward(tgt: Tensor, memory: Tensor, tgtMask: Tensor|null = null, memoryMask: Tensor|null = null, tgtKeyPaddingMask: Tensor|null = null, memoryKeyPaddingMask: Tensor|null = null, tgtIsCausal: bool = false, memoryIsCausal: bool = false)',
);

/** The function that an activation is. */
function functionOf(activation: TransformerActivation): (x: Tensor) => Tensor {
  if (activation === 'relu') return F.relu as (x: Tensor) => Tensor;
  if (activation === 'gelu') return (x) => F.gelu(x);
  return typeof activation === 'function' ? activation : (x) => activation.forward(x);
}

/** What the two kinds of layers have in common. */
abstract class TransformerLayer extends Module {
  /** Attention of the elements to each other. */
  abstract selfAttn: MultiheadAttention;
  /** The first affine map. */
  abstract linear1: Linear;
  /** What is dropped between the affine maps. */
  abstract dropout: Dropout;
  /** The second affine map. */
  abstract linear2: Linear;
  /** Whether norms stand before attention and affine maps. */
  normFirst: boolean;
  /** What stands between the two affine maps. */
  activation: TransformerActivation;
  /** What it was made with. @internal */
  readonly made: Values;

  /** @internal */
  constructor(declared: Signature, args: readonly unknown[]) {
    super();
    this.made = declared.parse(args) as unknown as Values;
    const [dModel, nhead, dimFeedforward, , activation, , , normFirst] = this.made;
    checkSizes(declared.name, { dModel, nhead, dimFeedforward });
    this.normFirst = normFirst;
    this.activation = activation;
  }

  /** x behind a part of the layer, with the residual and the norm of that part. @internal */
  protected part(x: Tensor, norm: LayerNorm, dropout: Dropout, compute: (x: Tensor) => Tensor): Tensor {
    return this.normFirst
      ? x.add(dropout.forward(compute(norm.forward(x))))
      : norm.forward(x.add(dropout.forward(compute(x))));
  }

  /** The affine maps. @internal */
  protected feed(x: Tensor): Tensor {
    return this.linear2.forward(this.dropout.forward(functionOf(this.activation)(this.linear1.forward(x))));
  }

  override extraRepr(): string {
    return describeOptions({ normFirst: this.normFirst || undefined });
  }
}

/** Attention as a layer has it. */
const attentionOf = ([dModel, nhead, , dropout, , , batchFirst, , bias]: Values): MultiheadAttention =>
  new MultiheadAttention(dModel, nhead, { dropout, bias, batchFirst });
const affineOf = ([dModel, , dimFeedforward, , , , , , bias]: Values, back: boolean): Linear =>
  back ? new Linear(dimFeedforward, dModel, { bias }) : new Linear(dModel, dimFeedforward, { bias });
const normOf = ([dModel, , , , , eps, , , bias]: Values): LayerNorm => new LayerNorm(dModel, { eps, bias });

/**
 * A layer of an encoder (Vaswani et al. 2017; PyTorch's `nn.TransformerEncoderLayer`): attention of all elements to
 * each other, then linear2(activation(linear1(x))), each with dropout, a residual and a norm.
 * @example
 * ```ts
 * const layer = new nn.TransformerEncoderLayer(16, 4, { dimFeedforward: 64, batchFirst: true });
 * layer.forward(randn([2, 5, 16])).shape; // [2, 5, 16]
 * ```
 */
export class TransformerEncoderLayer extends TransformerLayer {
  selfAttn: MultiheadAttention;
  linear1: Linear;
  dropout: Dropout;
  linear2: Linear;
  /** The norm of the attention. */
  norm1: LayerNorm;
  /** The norm of the affine maps. */
  norm2: LayerNorm;
  /** What is dropped behind the attention. */
  dropout1: Dropout;
  /** What is dropped behind the affine maps. */
  dropout2: Dropout;

  /** A layer for elements of `dModel` numbers with `nhead` heads. @throws ArgumentError */
  constructor(...args: TransformerLayerArguments) {
    super(ofEncoderLayer, args);
    const { made } = this;
    this.selfAttn = attentionOf(made);
    this.linear1 = affineOf(made, false);
    this.dropout = new Dropout(made[3]);
    this.linear2 = affineOf(made, true);
    this.norm1 = normOf(made);
    this.norm2 = normOf(made);
    this.dropout1 = new Dropout(made[3]);
    this.dropout2 = new Dropout(made[3]);
  }

  /**
   * The result of the layer.
   * @param src [n, length, dModel] with batchFirst, else [length, n, dModel]; or [length, dModel]
   * @throws ShapeError, DtypeError, ArgumentError
   */
  forward(
    ...args: Arguments<
      [src: Tensor],
      [srcMask: Tensor | null, srcKeyPaddingMask: Tensor | null, isCausal: boolean],
      EncoderLayerCallOptions
    >
  ): Tensor {
    try {
      const [src, attnMask, keyPaddingMask, isCausal] = ofEncoder.parse(args) as [
        Tensor,
        Tensor | null,
        Tensor | null,
        boolean,
      ];
      const looks = { attnMask, keyPaddingMask, isCausal, needWeights: false };
      const x = this.part(src, this.norm1, this.dropout1, (h) => this.selfAttn.forward(h, h, h, looks)[0]);
      return this.part(x, this.norm2, this.dropout2, (h) => this.feed(h));
    } catch (error) {
      throw named(error, 'TransformerEncoderLayer');
    }
  }
}

/**
 * A layer of a decoder (Vaswani et al. 2017; PyTorch's `nn.TransformerDecoderLayer`): attention of all elements to each
 * other, attention to the memory, then linear2(activation(linear1(x))), each with dropout, a residual and a norm.
 */
export class TransformerDecoderLayer extends TransformerLayer {
  selfAttn: MultiheadAttention;
  /** Attention to the memory. */
  multiheadAttn: MultiheadAttention;
  linear1: Linear;
  dropout: Dropout;
  linear2: Linear;
  /** The norm of the attention to each other. */
  norm1: LayerNorm;
  /** The norm of the attention to the memory. */
  norm2: LayerNorm;
  /** The norm of the affine maps. */
  norm3: LayerNorm;
  /** What is dropped behind the attention to each other. */
  dropout1: Dropout;
  /** What is dropped behind the attention to the memory. */
  dropout2: Dropout;
  /** What is dropped behind the affine maps. */
  dropout3: Dropout;

  /** A layer for elements of `dModel` numbers with `nhead` heads. @throws ArgumentError */
  constructor(...args: TransformerLayerArguments) {
    super(ofDecoderLayer, args);
    const { made } = this;
    this.selfAttn = attentionOf(made);
    this.multiheadAttn = attentionOf(made);
    this.linear1 = affineOf(made, false);
    this.dropout = new Dropout(made[3]);
    this.linear2 = affineOf(made, true);
    this.norm1 = normOf(made);
    this.norm2 = normOf(made);
    this.norm3 = normOf(made);
    this.dropout1 = new Dropout(made[3]);
    this.dropout2 = new Dropout(made[3]);
    this.dropout3 = new Dropout(made[3]);
  }

  /**
   * The result of the layer.
   * @param tgt [n, length, dModel] with batchFirst, else [length, n, dModel]; or [length, dModel]
   * @param memory what the encoder gives, laid out likewise
   * @throws ShapeError, DtypeError, ArgumentError
   */
  forward(
    ...args: Arguments<
      [tgt: Tensor, memory: Tensor],
      [
        tgtMask: Tensor | null,
        memoryMask: Tensor | null,
        tgtKeyPaddingMask: Tensor | null,
        memoryKeyPaddingMask: Tensor | null,
        tgtIsCausal: boolean,
        memoryIsCausal: boolean,
      ],
      DecoderLayerCallOptions,
      ['tgt', 'memory']
    >
  ): Tensor {
    try {
      const [tgt, memory, tgtMask, memoryMask, tgtPadding, memoryPadding, tgtIsCausal, memoryIsCausal] =
        ofDecoder.parse(args) as [Tensor, Tensor, ...(Tensor | null)[]] as unknown as [
          Tensor,
          Tensor,
          Tensor | null,
          Tensor | null,
          Tensor | null,
          Tensor | null,
          boolean,
          boolean,
        ];
      const own = { attnMask: tgtMask, keyPaddingMask: tgtPadding, isCausal: tgtIsCausal, needWeights: false };
      const other = {
        ...{ attnMask: memoryMask, keyPaddingMask: memoryPadding },
        ...{ isCausal: memoryIsCausal, needWeights: false },
      };
      let x = this.part(tgt, this.norm1, this.dropout1, (h) => this.selfAttn.forward(h, h, h, own)[0]);
      x = this.part(x, this.norm2, this.dropout2, (h) => this.multiheadAttn.forward(h, memory, memory, other)[0]);
      return this.part(x, this.norm3, this.dropout3, (h) => this.feed(h));
    } catch (error) {
      throw named(error, 'TransformerDecoderLayer');
    }
  }
}

/**
 * `count` layers of their own like `layer`, with its weights.
 * @throws ArgumentError for a layer of another class, which nobody but its author can copy
 */
export function copiesOf<L extends TransformerEncoderLayer | TransformerDecoderLayer>(
  op: string,
  type: new (...args: TransformerLayerArguments) => L,
  layer: Module,
  count: number,
): L[] {
  checkSizes(op, { numLayers: count });
  if (layer.constructor !== type)
    throw new ArgumentError(
      `${op}: expected an nn.${type.name} to copy, got ${layer.constructor.name}; put layers of your own into an nn.ModuleList`,
    );
  const from = layer as L;
  return Array.from({ length: count }, () => {
    const copy = new type(...(from.made.slice(0, 9) as unknown as TransformerLayerArguments));
    copy.normFirst = from.normFirst;
    copy.activation = from.activation;
    copy.loadStateDict(from.stateDict());
    copy.train(from.training);
    return copy;
  });
}
