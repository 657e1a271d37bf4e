// Transformers: stacks of layers, and the two stacks that translate.

import { ops } from '../autograd.ts';
import { constantFor } from '../functional/arguments.ts';
import { formatShape, named, ShapeError } from '../memory/errors.ts';
import { causalMask } from '../ops/attention.ts';
import { type Arguments, signature } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import * as init from './init.ts';
import { ModuleList } from './lists.ts';
import { Module } from './module.ts';
import { LayerNorm } from './norm.ts';
import { checkSizes } from './parameter.ts';
import {
  copiesOf,
  type DecoderLayerCallOptions,
  type LayerPositions,
  TransformerDecoderLayer,
  TransformerEncoderLayer,
  type TransformerLayerOptions,
} from './transformer-layers.ts';

/** Options of {@link TransformerEncoder} and {@link TransformerDecoder}. */
export interface TransformerStackOptions {
  /** The norm behind the last layer; null: none. @defaultValue null */
  norm?: Module | null;
}

/** Options of {@link TransformerEncoder}. */
export interface TransformerEncoderOptions extends TransformerStackOptions {
  /** Taken as in PyTorch, where it says how to compute and not what: nothing is nested here. @defaultValue true */
  enableNestedTensor?: boolean;
  /** Taken as in PyTorch, whose fast path it is about. @defaultValue true */
  maskCheck?: boolean;
}

/** Options of {@link TransformerEncoder.forward}. */
export interface EncoderCallOptions {
  /** Which keys a query does not look at: see {@link MultiheadAttentionCallOptions.attnMask}. @defaultValue null */
  mask?: Tensor | null;
  /** Keys that nobody looks at. @defaultValue null */
  srcKeyPaddingMask?: Tensor | null;
  /** Says that mask is causal; null: it is not known. @defaultValue null */
  isCausal?: boolean | null;
}

/** Options of {@link TransformerDecoder.forward}. */
export interface DecoderCallOptions extends Omit<DecoderLayerCallOptions, 'tgtIsCausal'> {
  /** Says that tgtMask is causal; null: it is not known. @defaultValue null */
  tgtIsCausal?: boolean | null;
}

/** Options of {@link Transformer}. */
export interface TransformerOptions extends TransformerLayerOptions {
  /** The width of elements. @defaultValue 512 */
  dModel?: number;
  /** How many heads. @defaultValue 8 */
  nhead?: number;
  /** How many layers the encoder has. @defaultValue 6 */
  numEncoderLayers?: number;
  /** How many layers the decoder has. @defaultValue 6 */
  numDecoderLayers?: number;
  /** An encoder of one's own; null: a {@link TransformerEncoder}. @defaultValue null */
  customEncoder?: Module | null;
  /** A decoder of one's own; null: a {@link TransformerDecoder}. @defaultValue null */
  customDecoder?: Module | null;
}

/** Options of {@link Transformer.forward}. */
export interface TransformerCallOptions extends DecoderCallOptions {
  /** Which elements of src one does not look at. @defaultValue null */
  srcMask?: Tensor | null;
  /** Elements of src that nobody looks at. @defaultValue null */
  srcKeyPaddingMask?: Tensor | null;
  /** Says that srcMask is causal; null: it is not known. @defaultValue null */
  srcIsCausal?: boolean | null;
}

const ofEncoder = signature(
  'TransformerEncoder(encoderLayer: Module, numLayers: int, norm: Module|null = null, enableNestedTensor: bool = true, maskCheck: bool = true)',
);
const ofEncoderForward = signature(
  'TransformerEncoder.forward(src: Tensor, mask: Tensor|null = null, srcKeyPaddingMask: Tensor|null = null, isCausal: bool|null = null)',
);
const ofDecoder = signature('TransformerDecoder(decoderLayer: Module, numLayers: int, norm: Module|null = null)');
const ofDecoderForward = signature(
  'TransformerDecoder.forward(tgt: Tensor, memory: Tensor, tgtMask: Tensor|null = null, memoryMask: Tensor|null = null, tgtKeyPaddingMask: Tensor|null = null, memoryKeyPaddingMask: Tensor|null = null, tgtIsCausal: bool|null = null, memoryIsCausal: bool = false)',
);
const ofTransformer = signature(
  "Transformer(dModel: int = 512, nhead: int = 8, numEncoderLayers: int = 6, numDecoderLayers: int = 6, dimFeedforward: int = 2048, dropout: number = 0.1, activation: 'relu'|'gelu'|function|Module = 'relu', customEncoder: Module|null = null, customDecoder: Module|null = null, layerNormEps: number = 1e-5, batchFirst: bool = false, normFirst: bool = false, bias: bool = true, -device: any = null, -dtype: any = null)",
);
const ofTransformerForward = signature(
  'Transformer.forward(src: Tensor, tgt: Tensor, srcMask: Tensor|null = null, tgtMask: Tensor|null = null, memoryMask: Tensor|null = null, srcKeyPaddingMask: Tensor|null = null, tgtKeyPaddingMask: Tensor|null = null, memoryKeyPaddingMask: Tensor|null = null, srcIsCausal: bool|null = null, tgtIsCausal: bool|null = null, memoryIsCausal: bool = false)',
);
const ofMask = signature('Transformer.generateSquareSubsequentMask(sz: int, -device: any = null, -dtype: any = null)');

/** What the constructors of stacks of layers take. */
export type StackArguments<R extends readonly unknown[], O, K extends readonly string[]> = Arguments<
  R,
  [norm: Module | null],
  O,
  K
>;
type Any = { forward(x: Tensor, ...rest: unknown[]): Tensor };

/**
 * Layers one after the other (PyTorch's `nn.TransformerEncoder`). Each is a copy of `encoderLayer`, with its weights.
 */
export class TransformerEncoder extends Module {
  /** The layers. */
  layers: ModuleList<TransformerEncoderLayer>;
  /** How many layers. */
  readonly numLayers: number;
  /** The norm behind the last layer, or null. */
  norm: Module | null;

  /** `numLayers` copies of `encoderLayer`. @throws ArgumentError */
  constructor(
    ...args: StackArguments<
      [encoderLayer: TransformerEncoderLayer, numLayers: number],
      TransformerEncoderOptions,
      ['encoderLayer', 'numLayers']
    >
  ) {
    super();
    const [layer, numLayers, norm] = ofEncoder.parse(args) as [Module, number, Module | null];
    this.layers = new ModuleList(copiesOf('TransformerEncoder', TransformerEncoderLayer, layer, numLayers));
    this.numLayers = numLayers;
    this.norm = norm;
  }

  /**
   * The result of the last layer.
   * @param src [n, length, dModel] with batchFirst, else [length, n, dModel]; or [length, dModel]
   * @throws ShapeError, DtypeError, ArgumentError
   */
  forward(
    ...args: Arguments<
      [src: Tensor],
      [mask: Tensor | null, srcKeyPaddingMask: Tensor | null, isCausal: boolean | null],
      EncoderCallOptions
    >
  ): Tensor {
    try {
      const [src, srcMask, srcKeyPaddingMask, isCausal] = ofEncoderForward.parse(args) as [
        Tensor,
        Tensor | null,
        Tensor | null,
        boolean | null,
      ];
      const looks = { srcMask, srcKeyPaddingMask, isCausal: isCausal ?? false };
      let x = src;
      for (const layer of this.layers) x = layer.forward(x, looks);
      return this.norm ? (this.norm as unknown as Any).forward(x) : x;
    } catch (error) {
      throw named(error, 'TransformerEncoder');
    }
  }
}

/**
 * Layers one after the other (PyTorch's `nn.TransformerDecoder`). Each is a copy of `decoderLayer`, with its weights.
 */
export class TransformerDecoder extends Module {
  /** The layers. */
  layers: ModuleList<TransformerDecoderLayer>;
  /** How many layers. */
  readonly numLayers: number;
  /** The norm behind the last layer, or null. */
  norm: Module | null;

  /** `numLayers` copies of `decoderLayer`. @throws ArgumentError */
  constructor(
    ...args: StackArguments<
      [decoderLayer: TransformerDecoderLayer, numLayers: number],
      TransformerStackOptions,
      ['decoderLayer', 'numLayers']
    >
  ) {
    super();
    const [layer, numLayers, norm] = ofDecoder.parse(args) as [Module, number, Module | null];
    this.layers = new ModuleList(copiesOf('TransformerDecoder', TransformerDecoderLayer, layer, numLayers));
    this.numLayers = numLayers;
    this.norm = norm;
  }

  /**
   * The result of the last layer.
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
        tgtIsCausal: boolean | null,
        memoryIsCausal: boolean,
      ],
      DecoderCallOptions,
      ['tgt', 'memory']
    >
  ): Tensor {
    try {
      const [tgt, memory, tgtMask, memoryMask, tgtKeyPaddingMask, memoryKeyPaddingMask, hint, memoryIsCausal] =
        ofDecoderForward.parse(args) as unknown as [
          ...[Tensor, Tensor, Tensor | null, Tensor | null, Tensor | null, Tensor | null],
          ...[boolean | null, boolean],
        ];
      const masks = { tgtMask, memoryMask, tgtKeyPaddingMask, memoryKeyPaddingMask };
      const looks = { ...masks, tgtIsCausal: hint ?? false, memoryIsCausal };
      let x = tgt;
      for (const layer of this.layers) x = layer.forward(x, memory, looks);
      return this.norm ? (this.norm as unknown as Any).forward(x) : x;
    } catch (error) {
      throw named(error, 'TransformerDecoder');
    }
  }
}

/**
 * An encoder and a decoder (Vaswani et al. 2017; PyTorch's `nn.Transformer`), each with a norm behind its last layer.
 * Weights start by Xavier's rule.
 * @example
 * ```ts
 * const model = new nn.Transformer(16, 4, 2, 2, 64, { batchFirst: true });
 * const tgtMask = nn.Transformer.generateSquareSubsequentMask(7);
 * const y = model.forward(randn([2, 5, 16]), randn([2, 7, 16]), { tgtMask, tgtIsCausal: true });
 * y.shape; // [2, 7, 16]
 * ```
 */
export class Transformer extends Module {
  /** From src to the memory. */
  encoder: Module;
  /** From tgt and the memory to the result. */
  decoder: Module;
  /** The width of elements. */
  readonly dModel: number;
  /** How many heads. */
  readonly nhead: number;
  /** Whether inputs are [n, length, dModel], and not [length, n, dModel]. */
  readonly batchFirst: boolean;

  /** An encoder and a decoder for elements of `dModel` numbers. @throws ArgumentError */
  constructor(
    ...args: Arguments<
      [],
      [
        ...[dModel: number, nhead: number, numEncoderLayers: number, numDecoderLayers: number, dimFeedforward: number],
        ...[dropout: number, activation: LayerPositions[2], customEncoder: Module | null, customDecoder: Module | null],
        ...[layerNormEps: number, batchFirst: boolean, normFirst: boolean, bias: boolean],
      ],
      TransformerOptions
    >
  ) {
    super();
    const values = ofTransformer.parse(args) as unknown as [
      ...[number, number, number, number, number, number, LayerPositions[2]],
      ...[Module | null, Module | null, number, boolean, boolean, boolean],
    ];
    const [dModel, nhead, encoders, decoders, ...rest] = values;
    const [dimFeedforward, dropout, activation, encoder, decoder, layerNormEps, batchFirst, normFirst, bias] = rest;
    checkSizes('Transformer', { dModel, nhead });
    const options = { dimFeedforward, dropout, activation, layerNormEps, batchFirst, normFirst, bias };
    const norm = (): LayerNorm => new LayerNorm(dModel, { eps: layerNormEps, bias });
    this.encoder =
      encoder ?? new TransformerEncoder(new TransformerEncoderLayer(dModel, nhead, options), encoders, norm());
    this.decoder =
      decoder ?? new TransformerDecoder(new TransformerDecoderLayer(dModel, nhead, options), decoders, norm());
    for (const p of this.parameters()) if (p.ndim > 1) init.xavierUniform_(p);
    this.dModel = dModel;
    this.nhead = nhead;
    this.batchFirst = batchFirst;
  }

  /**
   * What the decoder makes of tgt and of what the encoder makes of src.
   * @param src [n, length, dModel] with batchFirst, else [length, n, dModel]; or [length, dModel]
   * @param tgt likewise, of a length of its own
   * @throws ShapeError, DtypeError, ArgumentError
   */
  forward(
    ...args: Arguments<
      [src: Tensor, tgt: Tensor],
      [
        ...[srcMask: Tensor | null, tgtMask: Tensor | null, memoryMask: Tensor | null],
        ...[srcKeyPaddingMask: Tensor | null, tgtKeyPaddingMask: Tensor | null, memoryKeyPaddingMask: Tensor | null],
        ...[srcIsCausal: boolean | null, tgtIsCausal: boolean | null, memoryIsCausal: boolean],
      ],
      TransformerCallOptions,
      ['src', 'tgt']
    >
  ): Tensor {
    try {
      const values = ofTransformerForward.parse(args) as unknown as [
        ...[Tensor, Tensor, Tensor | null, Tensor | null, Tensor | null, Tensor | null, Tensor | null, Tensor | null],
        ...[boolean | null, boolean | null, boolean],
      ];
      const [src, tgt, srcMask, tgtMask, memoryMask, srcKeyPaddingMask, tgtKeyPaddingMask, ...rest] = values;
      const [memoryKeyPaddingMask, srcIsCausal, tgtIsCausal, memoryIsCausal] = rest;
      this.#check(src, tgt);
      const memory = (this.encoder as unknown as Any).forward(src, {
        ...{ mask: srcMask, srcKeyPaddingMask, isCausal: srcIsCausal },
      });
      return (this.decoder as unknown as Any).forward(tgt, memory, {
        ...{ tgtMask, memoryMask, tgtKeyPaddingMask, memoryKeyPaddingMask, tgtIsCausal, memoryIsCausal },
      });
    } catch (error) {
      throw named(error, 'Transformer');
    }
  }

  /** @throws ShapeError */
  #check(src: Tensor, tgt: Tensor): void {
    const of = this.batchFirst ? 0 : 1;
    const fits = src.ndim === tgt.ndim && (src.ndim < 3 || src.sizes[of] === tgt.sizes[of]);
    if (!fits || src.sizes.at(-1) !== this.dModel || tgt.sizes.at(-1) !== this.dModel)
      throw new ShapeError(
        `Transformer: expected src and tgt ${this.batchFirst ? '[n, length' : '[length, n'}, ${this.dModel}] or [length, ${this.dModel}] of the same batch, got ${formatShape(src.sizes)} and ${formatShape(tgt.sizes)}`,
      );
  }

  /** A mask to add to scores, f32 [sz, sz]: −∞ where a key comes after the query, else 0. @throws ArgumentError */
  static generateSquareSubsequentMask(...args: [sz: number]): Tensor {
    const [sz] = ofMask.parse(args) as [number];
    const allowed = causalMask(ops, sz, sz);
    const [a, b] = [constantFor(allowed, 0), constantFor(allowed, Number.NEGATIVE_INFINITY)];
    return ops.where({ condition: allowed, a, b });
  }
}
