// Attention with several heads.
import { ops } from '../autograd.ts';
import { constantFor } from '../functional/arguments.ts';
import { attend, attentionScores } from '../functional/attention.ts';
import * as F from '../functional/index.ts';
import { cat } from '../functional/shape.ts';
import { ArgumentError, DtypeError, formatShape, named, ShapeError } from '../memory/errors.ts';
import { type Arguments, signature } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import * as init from './init.ts';
import { Linear } from './linear.ts';
import { Module } from './module.ts';
import { checkSizes, describeOptions, type Parameter, parameter } from './parameter.ts';

/** Options of {@link MultiheadAttention}. */
export interface MultiheadAttentionOptions {
  /** The probability that a weight becomes 0 in training. @defaultValue 0 */
  dropout?: number;
  /** Whether the projections have biases. @defaultValue true */
  bias?: boolean;
  /** Whether a trained key and value are put behind the others. @defaultValue false */
  addBiasKv?: boolean;
  /** Whether a key and a value of zeros are put behind the others. @defaultValue false */
  addZeroAttn?: boolean;
  /** The width of keys; null: embedDim. @defaultValue null */
  kdim?: number | null;
  /** The width of values; null: embedDim. @defaultValue null */
  vdim?: number | null;
  /** Whether inputs are [n, length, width], and not [length, n, width]. @defaultValue false */
  batchFirst?: boolean;
}

/** Options of {@link MultiheadAttention.forward}. */
export interface MultiheadAttentionCallOptions {
  /**
   * Keys that nobody looks at, [n, keys], or [keys] without a batch: a mask (u8), 1 where nobody does, or numbers (f32)
   * that are added to the scores.
   * @defaultValue null
   */
  keyPaddingMask?: Tensor | null;
  /** Whether the weights are given as well, which needs room for all of them. @defaultValue true */
  needWeights?: boolean;
  /**
   * Which keys a query does not look at, [queries, keys] or [n · numHeads, queries, keys]: a mask (u8), 1 where it does
   * not, or numbers (f32) that are added to the scores.
   * @defaultValue null
   */
  attnMask?: Tensor | null;
  /** Whether the weights are those of all heads on average. @defaultValue true */
  averageAttnWeights?: boolean;
  /** Says that attnMask is causal, which is faster; it has to be given nevertheless. @defaultValue false */
  isCausal?: boolean;
}

const declared = signature(
  'MultiheadAttention(embedDim: int, numHeads: int, dropout: number = 0, bias: bool = true, addBiasKv: bool = false, addZeroAttn: bool = false, kdim: int|null = null, vdim: int|null = null, batchFirst: bool = false, -device: any = null, -dtype: any = null)',
);
const ofForward = signature(
  'MultiheadAttention.forward(query: Tensor, key: Tensor, value: Tensor, keyPaddingMask: Tensor|null = null, needWeights: bool = true, attnMask: Tensor|null = null, averageAttnWeights: bool = true, isCausal: bool = false)',
);

/** What forward was given, checked; masks as they came. */
interface Given {
  readonly query: Tensor;
  readonly key: Tensor;
  readonly value: Tensor;
  readonly keyPadding: Tensor | null;
  readonly mask: Tensor | null;
}
/** A mask of which keys may be looked at (u8), or what is added to scores (f32). */
type Mask = Tensor | null;

/** 1 where a key may be looked at. @throws DtypeError */
function canonical(name: string, mask: Mask): Mask {
  if (mask?.dtype === 'i32')
    throw new DtypeError(
      `MultiheadAttention: expected ${name} in u8 or f32, got i32; make a mask by .ne(0), or numbers by .to('f32')`,
    );
  return mask?.dtype === 'u8' ? ops.logicalNot({ x: mask }) : mask;
}

/** Both masks in one. */
function merged(a: Mask, b: Mask): Mask {
  if (!a || !b) return a ?? b;
  if (a.dtype === 'u8' && b.dtype === 'u8') return ops.logicalAnd({ a, b });
  const added = (x: Tensor): Tensor =>
    x.dtype === 'f32'
      ? x
      : ops.where({ condition: x, a: constantFor(x, 0), b: constantFor(x, Number.NEGATIVE_INFINITY) });
  return ops.add({ a: added(a), b: added(b) });
}

/** The mask with one more key, which everybody looks at. */
const withOneMore = (mask: Mask): Mask =>
  mask && cat([mask, constantFor(mask, mask.dtype === 'u8' ? 1 : 0, mask.dtype, [...mask.sizes.slice(0, -1), 1])], -1);

/** @throws ShapeError where the inputs and masks do not belong together */
function checkShapes({ query, key, value, keyPadding, mask }: Given, heads: number, batchFirst: boolean): void {
  const expect = (what: string, x: Tensor, ...shapes: readonly (readonly number[])[]): void => {
    if (!shapes.some((shape) => formatShape(shape) === formatShape(x.sizes)))
      throw new ShapeError(
        `MultiheadAttention: expected ${what} of shape ${shapes.map(formatShape).join(' or ')}, got ${formatShape(x.sizes)}`,
      );
  };
  const batched = query.ndim === 3;
  const [along, of] = batched && !batchFirst ? [0, 1] : [query.ndim - 2, 0];
  const [rows, keys, n] = [query.sizes[along], key.sizes[along], batched ? query.sizes[of] : 1] as [
    number,
    number,
    number,
  ];
  const lead = (length: number): number[] => (!batched ? [length] : batchFirst ? [n, length] : [length, n]);
  expect('key', key, [...lead(keys), key.sizes.at(-1) as number]);
  expect('value', value, [...lead(keys), value.sizes.at(-1) as number]);
  if (keyPadding) expect('keyPaddingMask', keyPadding, batched ? [n, keys] : [keys]);
  if (mask) expect('attnMask', mask, [rows, keys], [n * heads, rows, keys]);
}

/**
 * Attention with several heads (Vaswani et al. 2017; PyTorch's `nn.MultiheadAttention`): queries, keys and values are
 * projected, each head attends with its part of them, and what all heads give is projected once more. Projections start
 * by Xavier's rule, biases at 0.
 * @example
 * ```ts
 * const attention = new nn.MultiheadAttention(16, 4, { batchFirst: true });
 * const x = randn([2, 5, 16]);
 * const [y, weights] = attention.forward(x, x, x);
 * y.shape; // [2, 5, 16]
 * weights?.shape; // [2, 5, 5]
 * ```
 */
export class MultiheadAttention extends Module {
  /** The width of queries and results. */
  readonly embedDim: number;
  /** How many heads. */
  readonly numHeads: number;
  /** The probability that a weight becomes 0 in training. */
  dropout: number;
  /** The width of keys. */
  readonly kdim: number;
  /** The width of values. */
  readonly vdim: number;
  /** Whether inputs are [n, length, width], and not [length, n, width]. */
  batchFirst: boolean;
  /** Whether a key and a value of zeros are put behind the others. */
  addZeroAttn: boolean;
  /** [embedDim, embedDim], where keys or values have widths of their own; else null. */
  qProjWeight: Parameter | null;
  /** [embedDim, kdim], likewise. */
  kProjWeight: Parameter | null;
  /** [embedDim, vdim], likewise. */
  vProjWeight: Parameter | null;
  /** [3 · embedDim, embedDim]: rows for queries, keys and values; null where these have weights of their own. */
  inProjWeight: Parameter | null;
  /** [3 · embedDim], or null. */
  inProjBias: Parameter | null;
  /** The trained key, [1, 1, embedDim], or null. */
  biasK: Parameter | null;
  /** The trained value, [1, 1, embedDim], or null. */
  biasV: Parameter | null;
  /** The projection of what the heads give. */
  outProj: Linear;

  /**
   * Attention of `numHeads` heads, each embedDim / numHeads wide.
   * @throws ArgumentError
   */
  constructor(
    ...args: Arguments<
      [embedDim: number, numHeads: number],
      [
        dropout: number,
        bias: boolean,
        addBiasKv: boolean,
        addZeroAttn: boolean,
        kdim: number | null,
        vdim: number | null,
        batchFirst: boolean,
      ],
      MultiheadAttentionOptions,
      ['embedDim', 'numHeads']
    >
  ) {
    super();
    const [embedDim, numHeads, dropout, bias, addBiasKv, addZeroAttn, kdim, vdim, batchFirst] = declared.parse(
      args,
    ) as [number, number, number, boolean, boolean, boolean, number | null, number | null, boolean];
    checkSizes('MultiheadAttention', { embedDim, numHeads, kdim: kdim ?? embedDim, vdim: vdim ?? embedDim });
    if (embedDim % numHeads !== 0)
      throw new ArgumentError(
        `MultiheadAttention: expected embedDim to be a multiple of numHeads, got ${embedDim} and ${numHeads}`,
      );
    if (!(dropout >= 0 && dropout <= 1))
      throw new ArgumentError(`MultiheadAttention: expected dropout from 0 to 1, got ${dropout}`);
    this.embedDim = embedDim;
    this.numHeads = numHeads;
    this.dropout = dropout;
    this.kdim = kdim ?? embedDim;
    this.vdim = vdim ?? embedDim;
    this.batchFirst = batchFirst;
    this.addZeroAttn = addZeroAttn;
    const same = this.kdim === embedDim && this.vdim === embedDim;
    const weight = (name: string, there: boolean, rows: number, width: number): Parameter | null =>
      this.registerParameter(name, there ? init.xavierUniform_(parameter([rows, width])) : null);
    this.qProjWeight = weight('qProjWeight', !same, embedDim, embedDim);
    this.kProjWeight = weight('kProjWeight', !same, embedDim, this.kdim);
    this.vProjWeight = weight('vProjWeight', !same, embedDim, this.vdim);
    this.inProjWeight = weight('inProjWeight', same, 3 * embedDim, embedDim);
    this.inProjBias = this.registerParameter('inProjBias', bias ? init.zeros_(parameter([3 * embedDim])) : null);
    const added = (name: string): Parameter | null =>
      this.registerParameter(name, addBiasKv ? init.xavierNormal_(parameter([1, 1, embedDim])) : null);
    this.biasK = added('biasK');
    this.biasV = added('biasV');
    this.outProj = new Linear(embedDim, embedDim, { bias });
    if (this.outProj.bias) init.zeros_(this.outProj.bias);
  }

  /**
   * What each query gets, and the weights of the keys for it.
   * @param query [n, queries, embedDim] with batchFirst, else [queries, n, embedDim]; or [queries, embedDim]
   * @param key likewise, kdim wide
   * @param value likewise, vdim wide
   * @returns as queries are laid out; and the weights [n, queries, keys], or [n, numHeads, queries, keys] of each head,
   * or null where they are not needed
   * @throws ShapeError, DtypeError, ArgumentError
   */
  forward(
    ...args: Arguments<
      [query: Tensor, key: Tensor, value: Tensor],
      [
        keyPaddingMask: Tensor | null,
        needWeights: boolean,
        attnMask: Tensor | null,
        averageAttnWeights: boolean,
        isCausal: boolean,
      ],
      MultiheadAttentionCallOptions,
      ['query', 'key', 'value']
    >
  ): [Tensor, Tensor | null] {
    try {
      const [query, key, value, keyPadding, needWeights, mask, average, isCausal] = ofForward.parse(args) as [
        Tensor,
        Tensor,
        Tensor,
        Tensor | null,
        boolean,
        Tensor | null,
        boolean,
        boolean,
      ];
      if (isCausal && !mask)
        throw new ArgumentError(
          'MultiheadAttention: expected attnMask with isCausal, got none; see Transformer.generateSquareSubsequentMask',
        );
      return this.#compute({ query, key, value, keyPadding, mask }, needWeights, average, isCausal);
    } catch (error) {
      throw named(error, 'MultiheadAttention');
    }
  }

  /** @throws ShapeError */
  #check(given: Given): void {
    const { embedDim, kdim, vdim, numHeads, batchFirst } = this;
    for (const [name, width] of Object.entries({ query: embedDim, key: kdim, value: vdim }))
      for (const x of [given[name as 'query']])
        if (x.ndim !== given.query.ndim || (x.ndim !== 2 && x.ndim !== 3) || x.sizes.at(-1) !== width)
          throw new ShapeError(
            `MultiheadAttention: expected ${name} [${batchFirst ? 'n, length' : 'length, n'}, ${width}] or [length, ${width}], got ${formatShape(x.sizes)}`,
          );
    checkShapes(given, numHeads, batchFirst);
  }

  #compute(given: Given, needWeights: boolean, average: boolean, hint: boolean): [Tensor, Tensor | null] {
    this.#check(given);
    const { numHeads, embedDim } = this;
    const batched = given.query.ndim === 3;
    const causal = hint && !given.keyPadding && !needWeights;
    let mask = causal ? null : canonical('attnMask', given.mask);
    let padding = canonical('keyPaddingMask', given.keyPadding);
    let [q, k, v] = this.#project(given).map((x) => (batched ? x : x.unsqueeze(this.batchFirst ? 0 : 1))) as [
      Tensor,
      Tensor,
      Tensor,
    ];
    const along = this.batchFirst ? 1 : 0;
    const n = q.sizes[1 - along] as number;
    const grow = (kMore: Tensor, vMore: Tensor): void => {
      k = cat([k, kMore], along);
      v = cat([v, vMore], along);
      mask = withOneMore(mask);
      padding = withOneMore(padding);
    };
    const one = this.batchFirst ? [n, 1, embedDim] : [1, n, embedDim];
    if (this.biasK && this.biasV) grow(this.biasK.expand(one), this.biasV.expand(one));
    if (this.addZeroAttn) grow(constantFor(k, 0, 'f32', one), constantFor(v, 0, 'f32', one));
    if (padding) mask = merged(this.#perHead(mask, n), padding.reshape([n, 1, 1, k.sizes[along] as number]));
    else mask = this.#perHead(mask, n);
    const order = this.batchFirst ? [0, 2, 1, 3] : [1, 2, 0, 3];
    const heads = (x: Tensor): Tensor =>
      x.reshape([...x.sizes.slice(0, 2), numHeads, embedDim / numHeads]).permute(order);
    const looks = {
      mask,
      dropout: this.training ? this.dropout : 0,
      causal,
      scale: 1 / Math.sqrt(embedDim / numHeads),
    };
    let weights: Tensor | null = null;
    let y: Tensor;
    if (needWeights) {
      weights = attentionScores(heads(q), heads(k), looks).softmax(-1);
      if (looks.dropout > 0) weights = F.dropout(weights, looks.dropout);
      y = weights.matmul(heads(v));
      if (average) weights = weights.mean(1);
    } else y = attend(heads(q), heads(k), heads(v), looks);
    y = y.permute(this.batchFirst ? [0, 2, 1, 3] : [2, 0, 1, 3]).reshape(q.sizes);
    const out = this.outProj.forward(batched ? y : y.squeeze(this.batchFirst ? 0 : 1));
    return [out, weights && !batched ? weights.squeeze(0) : weights];
  }

  /** attnMask with dims for the batch and the heads. */
  #perHead(mask: Mask, n: number): Mask {
    if (!mask) return null;
    return mask.ndim === 2 ? mask : mask.reshape([n, this.numHeads, ...mask.sizes.slice(1)]);
  }

  /** Queries, keys and values, all embedDim wide. Those of one tensor are one product. */
  #project({ query, key, value }: Given): Tensor[] {
    const { inProjWeight, inProjBias, embedDim } = this;
    const part = (x: Tensor | null, from: number, count: number): Tensor | null =>
      x && count < 3 ? x.narrow(0, from * embedDim, count * embedDim) : x;
    if (!inProjWeight)
      return [query, key, value].map((x, i) =>
        F.linear(x, [this.qProjWeight, this.kProjWeight, this.vProjWeight][i] as Tensor, part(inProjBias, i, 1)),
      );
    const project = (x: Tensor, from: number, count: number): Tensor[] => {
      const y = F.linear(x, part(inProjWeight, from, count) as Tensor, part(inProjBias, from, count));
      return count === 1 ? [y] : y.split(embedDim, -1);
    };
    if (key !== value) return [query, key, value].flatMap((x, i) => project(x, i, 1));
    return query === key ? project(query, 0, 3) : [...project(query, 0, 1), ...project(key, 1, 2)];
  }

  override extraRepr(): string {
    const { embedDim, numHeads, dropout, batchFirst } = this;
    return describeOptions({ embedDim, numHeads, dropout: dropout || undefined, batchFirst: batchFirst || undefined });
  }
}
