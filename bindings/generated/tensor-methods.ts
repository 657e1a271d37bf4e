// Written by tools/generate-methods.mjs out of bindings/functional/. Do not edit.
import type { BackwardOptions } from '../backward.ts';
import type { Dims, TensorLike } from '../functional/arguments.ts';
import type { AddOptions, ClampOptions } from '../functional/elementwise.ts';
import type { RemovableHandle } from '../functional/hooks.ts';
import type { AlongDim, ArgumentOptions, ExtremeOptions, Extremes, NormOptions, ReduceOptions, VarianceOptions } from '../functional/reduction.ts';
import type { DimOptions, FlattenOptions, SliceOptions, SqueezeOptions } from '../functional/shape.ts';
import type { Dtype, Shape, Tensor } from '../tensor.ts';

/** The functions on tensors as methods: `x.add(y)` is `add(x, y)`. */
export interface TensorMethods {
  /** x + alpha · other, broadcast. */
  add(other: TensorLike, options?: AddOptions): Tensor;

  /** x + alpha · other, broadcast. */
  add(options: AddOptions & { other: TensorLike }): Tensor;

  /** x − alpha · other, broadcast. */
  sub(other: TensorLike, options?: AddOptions): Tensor;

  /** x − alpha · other, broadcast. */
  sub(options: AddOptions & { other: TensorLike }): Tensor;

  /** x · other elementwise, broadcast. */
  mul(other: TensorLike): Tensor;

  /** x / other in f32, also of integers, broadcast. */
  div(other: TensorLike): Tensor;

  /** x to the power of `other`, broadcast. Of integers to whole numbers it is an integer. */
  pow(other: TensorLike): Tensor;

  /** The larger of x and `other`, broadcast; NaN where either is NaN. */
  maximum(other: TensorLike): Tensor;

  /** The smaller of x and `other`, broadcast; NaN where either is NaN. */
  minimum(other: TensorLike): Tensor;

  /** The u8 mask of x = other, broadcast. */
  eq(other: TensorLike): Tensor;

  /** The u8 mask of x ≠ other, broadcast. */
  ne(other: TensorLike): Tensor;

  /** The u8 mask of x < other, broadcast. */
  lt(other: TensorLike): Tensor;

  /** The u8 mask of x ≤ other, broadcast. */
  le(other: TensorLike): Tensor;

  /** The u8 mask of x > other, broadcast. */
  gt(other: TensorLike): Tensor;

  /** The u8 mask of x ≥ other, broadcast. */
  ge(other: TensorLike): Tensor;

  /** The bits that both x and `other` have, of i32 or u8, broadcast. */
  bitwiseAnd(other: TensorLike): Tensor;

  /** The bits that x or `other` has, of i32 or u8, broadcast. */
  bitwiseOr(other: TensorLike): Tensor;

  /** The bits that one of x and `other` has, of i32 or u8, broadcast. */
  bitwiseXor(other: TensorLike): Tensor;

  /** The bits that x lacks, of i32 or u8. */
  bitwiseNot(): Tensor;

  /** The u8 mask of where neither x nor `other` is 0, broadcast. */
  logicalAnd(other: TensorLike): Tensor;

  /** The u8 mask of where x or `other` is not 0, broadcast. */
  logicalOr(other: TensorLike): Tensor;

  /** The u8 mask of where one of x and `other` is 0 and the other is not, broadcast. */
  logicalXor(other: TensorLike): Tensor;

  /** The u8 mask of where x is 0. */
  logicalNot(): Tensor;

  /** −x, elementwise. */
  neg(): Tensor;

  /** |x|, elementwise. */
  abs(): Tensor;

  /** eˣ, elementwise. */
  exp(): Tensor;

  /** eˣ − 1, exact near 0. */
  expm1(): Tensor;

  /** The natural logarithm: NaN below 0, −∞ at 0. */
  log(): Tensor;

  /** log(1 + x), exact near 0. */
  log1p(): Tensor;

  /** √x: NaN below 0. */
  sqrt(): Tensor;

  /** 1 / √x. */
  rsqrt(): Tensor;

  /** 1 / x. */
  reciprocal(): Tensor;

  /** x². */
  square(): Tensor;

  /** −1, 0 or 1. Its gradient is 0. */
  sign(): Tensor;

  /** The largest whole number ≤ x. Its gradient is 0. */
  floor(): Tensor;

  /** The smallest whole number ≥ x. Its gradient is 0. */
  ceil(): Tensor;

  /** The nearest whole number; halves go to the even one. Its gradient is 0. */
  round(): Tensor;

  /** x without its fraction. Its gradient is 0. */
  trunc(): Tensor;

  /** The sine of x in radians. */
  sin(): Tensor;

  /** The cosine of x in radians. */
  cos(): Tensor;

  /** The Gauss error function 2 / √π ∫₀ˣ exp(−t²) dt. */
  erf(): Tensor;

  /** The hyperbolic tangent (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ). */
  tanh(): Tensor;

  /** The logistic function 1 / (1 + e⁻ˣ). */
  sigmoid(): Tensor;

  /** The rectifier max(x, 0). */
  relu(): Tensor;

  /** x + weight · (end − x), broadcast: x at weight 0, `end` at 1. */
  lerp(end: Tensor, weight: TensorLike): Tensor;

  /**
   * x limited to `min` … `max`; the gradient is 0 where it was beyond them.
   * @throws ArgumentError without either bound
   */
  clamp(options?: ClampOptions): Tensor;

  /**
   * x limited to `min` … `max`; the gradient is 0 where it was beyond them.
   * @throws ArgumentError without either bound
   */
  clamp(min?: number | null, max?: number | null): Tensor;

  /**
   * x limited to `min` … `max`; the gradient is 0 where it was beyond them.
   * @throws ArgumentError without either bound
   */
  clamp(min: number | null | undefined, options?: ClampOptions): Tensor;

  /**
   * x limited to `min` … `max`; the gradient is 0 where it was beyond them.
   * @throws ArgumentError without either bound
   */
  clamp(min: number | null | undefined, max: number | null | undefined, options?: ClampOptions): Tensor;

  /**
   * x as another dtype; x itself where it has that dtype. From f32 to integers it cuts the fraction off and saturates.
   * The gradient goes from f32 to f32 only.
   */
  to(dtype: Dtype): Tensor;

  /**
   * Has backward() and grad() call `hook` with the whole gradient of x, when it is there and before it goes on. What the
   * hook gives, if anything, takes its place (PyTorch's `register_hook`). The gradient goes when backward ends: keep()
   * what has to last. In compiled functions its ops are part of the program.
   * @returns what takes it off again
   * @throws GradError where x requires no gradient
   * @example
   * ```ts
   * const w = tensor([1, 2], { requiresGrad: true });
   * w.registerHook((grad) => grad.clamp(-1, 1));
   * w.square().sum().backward();
   * console.log(w.grad?.toArray()); // [1, 1]
   * ```
   */
  registerHook(hook: (grad: Tensor) => unknown): RemovableHandle;

  /**
   * Has backward() call `hook` with the leaf x when its `.grad` is there, such as for an optimizer step that lets go of
   * it at once (PyTorch's `register_post_accumulate_grad_hook`).
   * @returns what takes it off again
   * @throws GradError unless x is a leaf that requires a gradient
   */
  registerPostAccumulateGradHook(hook: (param: Tensor) => unknown): RemovableHandle;

  /**
   * The parts of x at the listed places along `dim`: out[.., i, ..] = x[.., index[i], ..]. A u8 index is a mask of the
   * places to take.
   * @param index i32 [m], each from 0 to before the size of `dim`; or a u8 mask of that size
   * @returns x's shape with m along `dim`
   * @throws ArgumentError for an index out of range, ShapeError for a mask of another size, RecordingError for a mask
   *   inside of compile()
   */
  indexSelect(dim: number, index: Tensor): Tensor;

  /**
   * The elements of x where the mask is not 0, in row-major order (PyTorch's `masked_select`).
   * @param mask u8, stretched to the shape of x
   * @returns [how many there are]
   * @throws ShapeError, DtypeError; RecordingError inside of compile()
   */
  maskedSelect(mask: Tensor): Tensor;

  /**
   * A copy of x with `value` where the mask is not 0 (PyTorch's `masked_fill`).
   * @param mask u8, broadcast with x
   */
  maskedFill(mask: Tensor, value: number): Tensor;

  /**
   * One element of x for each index: out[.., i, ..] = x[.., index[.., i, ..], ..].
   * @param index i32 of x's number of dims; in dims other than `dim` it may be smaller than x
   * @returns f32 of index's shape
   * @throws ArgumentError for an index out of range
   */
  gather(dim: number, index: Tensor): Tensor;

  /**
   * A copy of x with `src` added at the index along `dim`: out[.., index[.., i, ..], ..] += src[.., i, ..].
   * @param index i32 of x's number of dims; no larger than src, nor, in other dims than `dim`, than x
   * @throws ArgumentError for an index out of range, ShapeError
   */
  scatterAdd(dim: number, index: Tensor, src: Tensor): Tensor;

  /**
   * Overwrites x with `src`, stretched to its shape and cast to its dtype, and returns x (PyTorch's `copy_`). Where `src`
   * is another view of x's memory, x gets what it held before. Outside of noGrad() the write becomes a part of the
   * history of x, and of what x is a view of.
   * @throws ShapeError; GradError where x is a leaf that requires a gradient, or a view of one, outside of noGrad()
   */
  copy_(src: Tensor): Tensor;

  /**
   * Overwrites every element of x with `value` and returns x (PyTorch's `fill_`).
   * @throws ArgumentError where x's dtype cannot hold the number; GradError where x is a leaf that requires a gradient,
   *   outside of noGrad()
   */
  fill_(value: number): Tensor;

  /** Overwrites every element of x with 0 and returns x (PyTorch's `zero_`). @throws GradError as {@link fill_} */
  zero_(): Tensor;

  /**
   * The matrix product over the last two dims; the dims before them are a batch and broadcast. A vector on the left is
   * a row and one on the right a column, and the result lacks that dim.
   * @param other [..., k, n] or [k]
   * @returns [..., m, n]
   * @throws ShapeError where the inner dims differ, or an operand is a single number
   */
  matmul(other: Tensor): Tensor;

  /** The sum of the elements over `dim`, one dim or several; all by default. */
  sum(options?: ReduceOptions): Tensor;

  /** The sum of the elements over `dim`, one dim or several; all by default. */
  sum(dim?: Dims | null, keepdim?: boolean): Tensor;

  /** The sum of the elements over `dim`, one dim or several; all by default. */
  sum(dim: Dims | null | undefined, options?: ReduceOptions): Tensor;

  /** The sum of the elements over `dim`, one dim or several; all by default. */
  sum(dim: Dims | null | undefined, keepdim: boolean | undefined, options?: ReduceOptions): Tensor;

  /** The mean of the elements over `dim`, one dim or several; all by default. NaN for none. */
  mean(options?: ReduceOptions): Tensor;

  /** The mean of the elements over `dim`, one dim or several; all by default. NaN for none. */
  mean(dim?: Dims | null, keepdim?: boolean): Tensor;

  /** The mean of the elements over `dim`, one dim or several; all by default. NaN for none. */
  mean(dim: Dims | null | undefined, options?: ReduceOptions): Tensor;

  /** The mean of the elements over `dim`, one dim or several; all by default. NaN for none. */
  mean(dim: Dims | null | undefined, keepdim: boolean | undefined, options?: ReduceOptions): Tensor;

  /** The product of the elements over `dim`, one dim or several; all by default. */
  prod(options?: ReduceOptions): Tensor;

  /** The product of the elements over `dim`, one dim or several; all by default. */
  prod(dim?: Dims | null, keepdim?: boolean): Tensor;

  /** The product of the elements over `dim`, one dim or several; all by default. */
  prod(dim: Dims | null | undefined, options?: ReduceOptions): Tensor;

  /** The product of the elements over `dim`, one dim or several; all by default. */
  prod(dim: Dims | null | undefined, keepdim: boolean | undefined, options?: ReduceOptions): Tensor;

  /**
   * The largest elements over `dim`, one dim or several; all by default. NaN if one is NaN. Equal ones share the
   * gradient.
   */
  amax(options?: ReduceOptions): Tensor;

  /**
   * The largest elements over `dim`, one dim or several; all by default. NaN if one is NaN. Equal ones share the
   * gradient.
   */
  amax(dim?: Dims | null, keepdim?: boolean): Tensor;

  /**
   * The largest elements over `dim`, one dim or several; all by default. NaN if one is NaN. Equal ones share the
   * gradient.
   */
  amax(dim: Dims | null | undefined, options?: ReduceOptions): Tensor;

  /**
   * The largest elements over `dim`, one dim or several; all by default. NaN if one is NaN. Equal ones share the
   * gradient.
   */
  amax(dim: Dims | null | undefined, keepdim: boolean | undefined, options?: ReduceOptions): Tensor;

  /**
   * The smallest elements over `dim`, one dim or several; all by default. NaN if one is NaN. Equal ones share the
   * gradient.
   */
  amin(options?: ReduceOptions): Tensor;

  /**
   * The smallest elements over `dim`, one dim or several; all by default. NaN if one is NaN. Equal ones share the
   * gradient.
   */
  amin(dim?: Dims | null, keepdim?: boolean): Tensor;

  /**
   * The smallest elements over `dim`, one dim or several; all by default. NaN if one is NaN. Equal ones share the
   * gradient.
   */
  amin(dim: Dims | null | undefined, options?: ReduceOptions): Tensor;

  /**
   * The smallest elements over `dim`, one dim or several; all by default. NaN if one is NaN. Equal ones share the
   * gradient.
   */
  amin(dim: Dims | null | undefined, keepdim: boolean | undefined, options?: ReduceOptions): Tensor;

  /**
   * `max(x)`: the largest element; equal ones share the gradient. `max(x, dim)`: the largest along `dim`, with its
   * places. `max(x, other)`: {@link maximum}. A NaN is larger than all numbers. For several dims see {@link amax}.
   */
  max(): Tensor;

  /**
   * `max(x)`: the largest element; equal ones share the gradient. `max(x, dim)`: the largest along `dim`, with its
   * places. `max(x, other)`: {@link maximum}. A NaN is larger than all numbers. For several dims see {@link amax}.
   */
  max(dim: number, options?: ExtremeOptions): Extremes;

  /**
   * `max(x)`: the largest element; equal ones share the gradient. `max(x, dim)`: the largest along `dim`, with its
   * places. `max(x, other)`: {@link maximum}. A NaN is larger than all numbers. For several dims see {@link amax}.
   */
  max(dim: number, keepdim?: boolean): Extremes;

  /**
   * `max(x)`: the largest element; equal ones share the gradient. `max(x, dim)`: the largest along `dim`, with its
   * places. `max(x, other)`: {@link maximum}. A NaN is larger than all numbers. For several dims see {@link amax}.
   */
  max(other: Tensor): Tensor;

  /**
   * `min(x)`: the smallest element; equal ones share the gradient. `min(x, dim)`: the smallest along `dim`, with its
   * places. `min(x, other)`: {@link minimum}. A NaN is smaller than all numbers. For several dims see {@link amin}.
   */
  min(): Tensor;

  /**
   * `min(x)`: the smallest element; equal ones share the gradient. `min(x, dim)`: the smallest along `dim`, with its
   * places. `min(x, other)`: {@link minimum}. A NaN is smaller than all numbers. For several dims see {@link amin}.
   */
  min(dim: number, options?: ExtremeOptions): Extremes;

  /**
   * `min(x)`: the smallest element; equal ones share the gradient. `min(x, dim)`: the smallest along `dim`, with its
   * places. `min(x, other)`: {@link minimum}. A NaN is smaller than all numbers. For several dims see {@link amin}.
   */
  min(dim: number, keepdim?: boolean): Extremes;

  /**
   * `min(x)`: the smallest element; equal ones share the gradient. `min(x, dim)`: the smallest along `dim`, with its
   * places. `min(x, other)`: {@link minimum}. A NaN is smaller than all numbers. For several dims see {@link amin}.
   */
  min(other: Tensor): Tensor;

  /** log Σ exp(x) over `dim`, one dim or several, without overflow; all by default. */
  logsumexp(options?: ReduceOptions): Tensor;

  /** log Σ exp(x) over `dim`, one dim or several, without overflow; all by default. */
  logsumexp(dim?: Dims | null, keepdim?: boolean): Tensor;

  /** log Σ exp(x) over `dim`, one dim or several, without overflow; all by default. */
  logsumexp(dim: Dims | null | undefined, options?: ReduceOptions): Tensor;

  /** log Σ exp(x) over `dim`, one dim or several, without overflow; all by default. */
  logsumexp(dim: Dims | null | undefined, keepdim: boolean | undefined, options?: ReduceOptions): Tensor;

  /** The p-norm (Σ |x|ᵖ)^(1 / p) over `dim`, one dim or several; all by default. */
  norm(options?: NormOptions): Tensor;

  /** The p-norm (Σ |x|ᵖ)^(1 / p) over `dim`, one dim or several; all by default. */
  norm(p?: number | 'fro', dim?: Dims | null, keepdim?: boolean): Tensor;

  /** The p-norm (Σ |x|ᵖ)^(1 / p) over `dim`, one dim or several; all by default. */
  norm(p: number | 'fro' | undefined, options?: NormOptions): Tensor;

  /** The p-norm (Σ |x|ᵖ)^(1 / p) over `dim`, one dim or several; all by default. */
  norm(p: number | 'fro' | undefined, dim: Dims | null | undefined, options?: NormOptions): Tensor;

  /** The p-norm (Σ |x|ᵖ)^(1 / p) over `dim`, one dim or several; all by default. */
  norm(p: number | 'fro' | undefined, dim: Dims | null | undefined, keepdim: boolean | undefined, options?: NormOptions): Tensor;

  /** The variance Σ (x − mean)² / (n − correction) over `dim`, one dim or several; all by default. */
  var(options?: VarianceOptions): Tensor;

  /** The variance Σ (x − mean)² / (n − correction) over `dim`, one dim or several; all by default. */
  var(dim?: Dims | null): Tensor;

  /** The variance Σ (x − mean)² / (n − correction) over `dim`, one dim or several; all by default. */
  var(dim: Dims | null | undefined, options?: VarianceOptions): Tensor;

  /** The standard deviation over `dim`, one dim or several; all by default: the root of {@link var}. */
  std(options?: VarianceOptions): Tensor;

  /** The standard deviation over `dim`, one dim or several; all by default: the root of {@link var}. */
  std(dim?: Dims | null): Tensor;

  /** The standard deviation over `dim`, one dim or several; all by default: the root of {@link var}. */
  std(dim: Dims | null | undefined, options?: VarianceOptions): Tensor;

  /**
   * The i32 index of the first largest element along `dim`; without `dim` that in the flattened tensor. It has no
   * gradient.
   */
  argmax(options?: ArgumentOptions): Tensor;

  /**
   * The i32 index of the first largest element along `dim`; without `dim` that in the flattened tensor. It has no
   * gradient.
   */
  argmax(dim?: number | null, keepdim?: boolean): Tensor;

  /**
   * The i32 index of the first largest element along `dim`; without `dim` that in the flattened tensor. It has no
   * gradient.
   */
  argmax(dim: number | null | undefined, options?: ArgumentOptions): Tensor;

  /**
   * The i32 index of the first largest element along `dim`; without `dim` that in the flattened tensor. It has no
   * gradient.
   */
  argmax(dim: number | null | undefined, keepdim: boolean | undefined, options?: ArgumentOptions): Tensor;

  /**
   * The i32 index of the first smallest element along `dim`; without `dim` that in the flattened tensor. It has no
   * gradient.
   */
  argmin(options?: ArgumentOptions): Tensor;

  /**
   * The i32 index of the first smallest element along `dim`; without `dim` that in the flattened tensor. It has no
   * gradient.
   */
  argmin(dim?: number | null, keepdim?: boolean): Tensor;

  /**
   * The i32 index of the first smallest element along `dim`; without `dim` that in the flattened tensor. It has no
   * gradient.
   */
  argmin(dim: number | null | undefined, options?: ArgumentOptions): Tensor;

  /**
   * The i32 index of the first smallest element along `dim`; without `dim` that in the flattened tensor. It has no
   * gradient.
   */
  argmin(dim: number | null | undefined, keepdim: boolean | undefined, options?: ArgumentOptions): Tensor;

  /** The running sum along `dim`: y[i] = x[0] + … + x[i]. */
  cumsum(dim: number): Tensor;

  /** The running sum along `dim`: y[i] = x[0] + … + x[i]. */
  cumsum(options: AlongDim): Tensor;

  /** The logarithm of the running sum of eˣ along `dim`, without overflow. */
  logcumsumexp(dim: number): Tensor;

  /** The logarithm of the running sum of eˣ along `dim`, without overflow. */
  logcumsumexp(options: AlongDim): Tensor;

  /** eˣ / Σ eˣ along `dim`, without overflow. */
  softmax(dim: number): Tensor;

  /** eˣ / Σ eˣ along `dim`, without overflow. */
  softmax(options: AlongDim): Tensor;

  /** log(eˣ / Σ eˣ) along `dim`, without overflow. */
  logSoftmax(dim: number): Tensor;

  /** log(eˣ / Σ eˣ) along `dim`, without overflow. */
  logSoftmax(options: AlongDim): Tensor;

  /**
   * The same elements in another shape; a view where the strides of x allow that, else a copy.
   * @param shape as many elements as x has; one size may be -1 and is worked out
   * @throws ShapeError for another number of elements
   */
  reshape(shape: Shape): Tensor;

  /**
   * The same elements in another shape; a view where the strides of x allow that, else a copy.
   * @param shape as many elements as x has; one size may be -1 and is worked out
   * @throws ShapeError for another number of elements
   */
  reshape(...shape: number[]): Tensor;

  /**
   * The same memory in another shape (PyTorch's `view`): what is written to one is seen in the other.
   * @param shape as many elements as x has; one size may be -1 and is worked out
   * @throws ShapeError for another number of elements, or where the strides of x need a copy, which reshape() makes
   */
  view(shape: Shape): Tensor;

  /**
   * The same memory in another shape (PyTorch's `view`): what is written to one is seen in the other.
   * @param shape as many elements as x has; one size may be -1 and is worked out
   * @throws ShapeError for another number of elements, or where the strides of x need a copy, which reshape() makes
   */
  view(...shape: number[]): Tensor;

  /** Joins the dims `startDim` … `endDim`, both included, into one; by default all of them. */
  flatten(options?: FlattenOptions): Tensor;

  /** Joins the dims `startDim` … `endDim`, both included, into one; by default all of them. */
  flatten(startDim?: number, endDim?: number): Tensor;

  /** Joins the dims `startDim` … `endDim`, both included, into one; by default all of them. */
  flatten(startDim: number | undefined, options?: FlattenOptions): Tensor;

  /** Joins the dims `startDim` … `endDim`, both included, into one; by default all of them. */
  flatten(startDim: number | undefined, endDim: number | undefined, options?: FlattenOptions): Tensor;

  /** A view with the dims `dim0` and `dim1` swapped. */
  transpose(dim0: number, dim1: number): Tensor;

  /**
   * A matrix transposed, as a view; x itself where it has fewer dims. For batches of matrices see {@link transpose}.
   * @throws ShapeError beyond 2 dims
   */
  t(): Tensor;

  /** A view with the dims in another order: dim d of the result is dim `dims[d]` of x. */
  permute(dims: readonly number[]): Tensor;

  /** A view with the dims in another order: dim d of the result is dim `dims[d]` of x. */
  permute(...dims: number[]): Tensor;

  /**
   * A view that repeats dims of size 1, or puts dims in front; -1 keeps a size.
   * @throws ShapeError where a size other than 1 would change
   */
  expand(shape: Shape): Tensor;

  /**
   * A view that repeats dims of size 1, or puts dims in front; -1 keeps a size.
   * @throws ShapeError where a size other than 1 would change
   */
  expand(...shape: number[]): Tensor;

  /** A view with a dim of size 1 put in at `dim`; -1 puts it at the end. */
  unsqueeze(dim: number): Tensor;

  /** A view without the dims of size 1, or, with `dim`, without those of them that have size 1. */
  squeeze(options?: SqueezeOptions): Tensor;

  /** A view without the dims of size 1, or, with `dim`, without those of them that have size 1. */
  squeeze(dim?: Dims | null): Tensor;

  /** A view without the dims of size 1, or, with `dim`, without those of them that have size 1. */
  squeeze(dim: Dims | null | undefined, options?: SqueezeOptions): Tensor;

  /** A view of the elements `start` … `end` − 1 along `dim`, every `step`-th; negative positions count from the end. */
  slice(dim: number, options?: SliceOptions): Tensor;

  /** A view of the elements `start` … `end` − 1 along `dim`, every `step`-th; negative positions count from the end. */
  slice(dim: number, start?: number, end?: number | null, step?: number): Tensor;

  /** A view of the elements `start` … `end` − 1 along `dim`, every `step`-th; negative positions count from the end. */
  slice(options: SliceOptions & { dim: number }): Tensor;

  /** A view of the elements `start` … `end` − 1 along `dim`, every `step`-th; negative positions count from the end. */
  slice(dim: number, start: number | undefined, options?: SliceOptions): Tensor;

  /** A view of the elements `start` … `end` − 1 along `dim`, every `step`-th; negative positions count from the end. */
  slice(dim: number, start: number | undefined, end: number | null | undefined, options?: SliceOptions): Tensor;

  /** A view of the elements `start` … `end` − 1 along `dim`, every `step`-th; negative positions count from the end. */
  slice(dim: number, start: number | undefined, end: number | null | undefined, step: number | undefined, options?: SliceOptions): Tensor;

  /** A view of `length` elements from `start` along `dim`; a negative start counts from the end. */
  narrow(dim: number, start: number, length: number): Tensor;

  /**
   * The view at `index` along `dim`, without that dim; a negative index counts from the end.
   * @throws ShapeError for an index out of range
   */
  select(dim: number, index: number): Tensor;

  /**
   * The views along `dim`, without that dim (PyTorch's `unbind`): `for (const row of x.unbind())`.
   * @throws ShapeError for a tensor without dims
   */
  unbind(options?: DimOptions): Tensor[];

  /**
   * The views along `dim`, without that dim (PyTorch's `unbind`): `for (const row of x.unbind())`.
   * @throws ShapeError for a tensor without dims
   */
  unbind(dim?: number): Tensor[];

  /**
   * The views along `dim`, without that dim (PyTorch's `unbind`): `for (const row of x.unbind())`.
   * @throws ShapeError for a tensor without dims
   */
  unbind(dim: number | undefined, options?: DimOptions): Tensor[];

  /** x itself if contiguous, else a copy in row-major order. */
  contiguous(): Tensor;

  /** A copy in memory of its own; gradients flow through it. */
  clone(): Tensor;

  /**
   * Views that cut x along `dim`.
   * @param splitSize elements of each part (the last may have fewer), or the list of their sizes
   * @throws ShapeError where listed sizes do not add up to the size of `dim`
   */
  split(splitSize: Dims, options?: DimOptions): Tensor[];

  /**
   * Views that cut x along `dim`.
   * @param splitSize elements of each part (the last may have fewer), or the list of their sizes
   * @throws ShapeError where listed sizes do not add up to the size of `dim`
   */
  split(splitSize: Dims, dim?: number): Tensor[];

  /**
   * Views that cut x along `dim`.
   * @param splitSize elements of each part (the last may have fewer), or the list of their sizes
   * @throws ShapeError where listed sizes do not add up to the size of `dim`
   */
  split(options: DimOptions & { splitSize: Dims }): Tensor[];

  /**
   * Views that cut x along `dim`.
   * @param splitSize elements of each part (the last may have fewer), or the list of their sizes
   * @throws ShapeError where listed sizes do not add up to the size of `dim`
   */
  split(splitSize: Dims, dim: number | undefined, options?: DimOptions): Tensor[];

  /**
   * Adds d root / d x to `x.grad` of every leaf x with requiresGrad (and of tensors with retainGrad()). Either all of
   * them change or, after an error, none.
   * @param gradient of some later value by `root`; may be left out when `root` is a single number
   * @throws GradError where there is nothing to differentiate, or the graph was walked already
   * @example
   * ```ts
   * const w = tensor([1, 2, 3], { requiresGrad: true });
   * w.square().sum().backward();
   * console.log(w.grad?.toArray()); // [2, 4, 6]
   * ```
   */
  backward(options?: BackwardOptions): void;

  /**
   * Adds d root / d x to `x.grad` of every leaf x with requiresGrad (and of tensors with retainGrad()). Either all of
   * them change or, after an error, none.
   * @param gradient of some later value by `root`; may be left out when `root` is a single number
   * @throws GradError where there is nothing to differentiate, or the graph was walked already
   * @example
   * ```ts
   * const w = tensor([1, 2, 3], { requiresGrad: true });
   * w.square().sum().backward();
   * console.log(w.grad?.toArray()); // [2, 4, 6]
   * ```
   */
  backward(gradient?: Tensor | null, retainGraph?: boolean | null, createGraph?: boolean, inputs?: Tensor | readonly Tensor[] | null): void;

  /**
   * Adds d root / d x to `x.grad` of every leaf x with requiresGrad (and of tensors with retainGrad()). Either all of
   * them change or, after an error, none.
   * @param gradient of some later value by `root`; may be left out when `root` is a single number
   * @throws GradError where there is nothing to differentiate, or the graph was walked already
   * @example
   * ```ts
   * const w = tensor([1, 2, 3], { requiresGrad: true });
   * w.square().sum().backward();
   * console.log(w.grad?.toArray()); // [2, 4, 6]
   * ```
   */
  backward(gradient: Tensor | null | undefined, options?: BackwardOptions): void;

  /**
   * Adds d root / d x to `x.grad` of every leaf x with requiresGrad (and of tensors with retainGrad()). Either all of
   * them change or, after an error, none.
   * @param gradient of some later value by `root`; may be left out when `root` is a single number
   * @throws GradError where there is nothing to differentiate, or the graph was walked already
   * @example
   * ```ts
   * const w = tensor([1, 2, 3], { requiresGrad: true });
   * w.square().sum().backward();
   * console.log(w.grad?.toArray()); // [2, 4, 6]
   * ```
   */
  backward(gradient: Tensor | null | undefined, retainGraph: boolean | null | undefined, options?: BackwardOptions): void;

  /**
   * Adds d root / d x to `x.grad` of every leaf x with requiresGrad (and of tensors with retainGrad()). Either all of
   * them change or, after an error, none.
   * @param gradient of some later value by `root`; may be left out when `root` is a single number
   * @throws GradError where there is nothing to differentiate, or the graph was walked already
   * @example
   * ```ts
   * const w = tensor([1, 2, 3], { requiresGrad: true });
   * w.square().sum().backward();
   * console.log(w.grad?.toArray()); // [2, 4, 6]
   * ```
   */
  backward(gradient: Tensor | null | undefined, retainGraph: boolean | null | undefined, createGraph: boolean | undefined, options?: BackwardOptions): void;

  /**
   * Adds d root / d x to `x.grad` of every leaf x with requiresGrad (and of tensors with retainGrad()). Either all of
   * them change or, after an error, none.
   * @param gradient of some later value by `root`; may be left out when `root` is a single number
   * @throws GradError where there is nothing to differentiate, or the graph was walked already
   * @example
   * ```ts
   * const w = tensor([1, 2, 3], { requiresGrad: true });
   * w.square().sum().backward();
   * console.log(w.grad?.toArray()); // [2, 4, 6]
   * ```
   */
  backward(gradient: Tensor | null | undefined, retainGraph: boolean | null | undefined, createGraph: boolean | undefined, inputs: Tensor | readonly Tensor[] | null | undefined, options?: BackwardOptions): void;

  /** {@link add}, written over this tensor, which it returns. */
  add_(other: TensorLike, options?: AddOptions): Tensor;

  /** {@link add}, written over this tensor, which it returns. */
  add_(options: AddOptions & { other: TensorLike }): Tensor;

  /** {@link sub}, written over this tensor, which it returns. */
  sub_(other: TensorLike, options?: AddOptions): Tensor;

  /** {@link sub}, written over this tensor, which it returns. */
  sub_(options: AddOptions & { other: TensorLike }): Tensor;

  /** {@link mul}, written over this tensor, which it returns. */
  mul_(other: TensorLike): Tensor;

  /** {@link div}, written over this tensor, which it returns. */
  div_(other: TensorLike): Tensor;

  /** {@link pow}, written over this tensor, which it returns. */
  pow_(other: TensorLike): Tensor;

  /** {@link eq}, written over this tensor, which it returns. */
  eq_(other: TensorLike): Tensor;

  /** {@link ne}, written over this tensor, which it returns. */
  ne_(other: TensorLike): Tensor;

  /** {@link lt}, written over this tensor, which it returns. */
  lt_(other: TensorLike): Tensor;

  /** {@link le}, written over this tensor, which it returns. */
  le_(other: TensorLike): Tensor;

  /** {@link gt}, written over this tensor, which it returns. */
  gt_(other: TensorLike): Tensor;

  /** {@link ge}, written over this tensor, which it returns. */
  ge_(other: TensorLike): Tensor;

  /** {@link bitwiseAnd}, written over this tensor, which it returns. */
  bitwiseAnd_(other: TensorLike): Tensor;

  /** {@link bitwiseOr}, written over this tensor, which it returns. */
  bitwiseOr_(other: TensorLike): Tensor;

  /** {@link bitwiseXor}, written over this tensor, which it returns. */
  bitwiseXor_(other: TensorLike): Tensor;

  /** {@link bitwiseNot}, written over this tensor, which it returns. */
  bitwiseNot_(): Tensor;

  /** {@link logicalAnd}, written over this tensor, which it returns. */
  logicalAnd_(other: TensorLike): Tensor;

  /** {@link logicalOr}, written over this tensor, which it returns. */
  logicalOr_(other: TensorLike): Tensor;

  /** {@link logicalXor}, written over this tensor, which it returns. */
  logicalXor_(other: TensorLike): Tensor;

  /** {@link logicalNot}, written over this tensor, which it returns. */
  logicalNot_(): Tensor;

  /** {@link neg}, written over this tensor, which it returns. */
  neg_(): Tensor;

  /** {@link abs}, written over this tensor, which it returns. */
  abs_(): Tensor;

  /** {@link exp}, written over this tensor, which it returns. */
  exp_(): Tensor;

  /** {@link expm1}, written over this tensor, which it returns. */
  expm1_(): Tensor;

  /** {@link log}, written over this tensor, which it returns. */
  log_(): Tensor;

  /** {@link log1p}, written over this tensor, which it returns. */
  log1p_(): Tensor;

  /** {@link sqrt}, written over this tensor, which it returns. */
  sqrt_(): Tensor;

  /** {@link rsqrt}, written over this tensor, which it returns. */
  rsqrt_(): Tensor;

  /** {@link reciprocal}, written over this tensor, which it returns. */
  reciprocal_(): Tensor;

  /** {@link square}, written over this tensor, which it returns. */
  square_(): Tensor;

  /** {@link sign}, written over this tensor, which it returns. */
  sign_(): Tensor;

  /** {@link floor}, written over this tensor, which it returns. */
  floor_(): Tensor;

  /** {@link ceil}, written over this tensor, which it returns. */
  ceil_(): Tensor;

  /** {@link round}, written over this tensor, which it returns. */
  round_(): Tensor;

  /** {@link trunc}, written over this tensor, which it returns. */
  trunc_(): Tensor;

  /** {@link sin}, written over this tensor, which it returns. */
  sin_(): Tensor;

  /** {@link cos}, written over this tensor, which it returns. */
  cos_(): Tensor;

  /** {@link erf}, written over this tensor, which it returns. */
  erf_(): Tensor;

  /** {@link tanh}, written over this tensor, which it returns. */
  tanh_(): Tensor;

  /** {@link sigmoid}, written over this tensor, which it returns. */
  sigmoid_(): Tensor;

  /** {@link relu}, written over this tensor, which it returns. */
  relu_(): Tensor;

  /** {@link lerp}, written over this tensor, which it returns. */
  lerp_(end: Tensor, weight: TensorLike): Tensor;

  /** {@link clamp}, written over this tensor, which it returns. */
  clamp_(options?: ClampOptions): Tensor;

  /** {@link clamp}, written over this tensor, which it returns. */
  clamp_(min?: number | null, max?: number | null): Tensor;

  /** {@link clamp}, written over this tensor, which it returns. */
  clamp_(min: number | null | undefined, options?: ClampOptions): Tensor;

  /** {@link clamp}, written over this tensor, which it returns. */
  clamp_(min: number | null | undefined, max: number | null | undefined, options?: ClampOptions): Tensor;

  /** {@link maskedFill}, written over this tensor, which it returns. */
  maskedFill_(mask: Tensor, value: number): Tensor;

  /** {@link scatterAdd}, written over this tensor, which it returns. */
  scatterAdd_(dim: number, index: Tensor, src: Tensor): Tensor;

  /** {@link cumsum}, written over this tensor, which it returns. */
  cumsum_(dim: number): Tensor;

  /** {@link cumsum}, written over this tensor, which it returns. */
  cumsum_(options: AlongDim): Tensor;
}
