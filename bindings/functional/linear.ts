// The affine map.
import { ops } from '../autograd.ts';
import { formatShape, ShapeError } from '../memory/errors.ts';
import { type Callable, callable } from '../signature.ts';
import { numelOf, type Tensor } from '../tensor.ts';
import { contiguous, reshape, transpose } from './shape.ts';

/** Options of {@link linear}. */
export interface LinearOptions {
  /** What is added to every row, f32 [out]; null: nothing. @defaultValue null */
  bias?: Tensor | null;
}

/**
 * x · weightᵀ + bias.
 * @param x [..., in]
 * @param weight [out, in]
 * @param bias [out], or null for none
 * @returns [..., out]
 * @throws ShapeError, DtypeError
 */
export const linear = callable<
  Callable<[x: Tensor, weight: Tensor], [bias: Tensor | null], LinearOptions, Tensor, ['x', 'weight']>
>('linear(x: Tensor, weight: Tensor, bias: Tensor|null = null)', (x: Tensor, weight: Tensor, bias: Tensor | null) => {
  const added = bias && contiguous(bias);
  if (x.ndim === 2) return ops.linear({ x, weight, bias: added });
  if (x.ndim === 0) throw new ShapeError('linear: expected input of at least 1 dim, got a single number');
  const lead = x.sizes.slice(0, -1);
  const flat = reshape(x, [numelOf(lead), x.sizes.at(-1) as number]);
  const y = ops.linear({ x: flat, weight, bias: added });
  return ops.reshape({ x: y }, { shape: [...lead, y.sizes[1] as number] });
});

/**
 * x1 · weight[o] · x2 + bias[o] for each o.
 * @param input1 [..., in1]
 * @param input2 [..., in2]
 * @param weight [out, in1, in2]
 * @param bias [out], or null for none
 * @returns [..., out]
 * @throws ShapeError, DtypeError
 */
export const bilinear = callable<
  Callable<
    [input1: Tensor, input2: Tensor, weight: Tensor],
    [bias: Tensor | null],
    LinearOptions,
    Tensor,
    ['input1', 'input2', 'weight']
  >
>(
  'bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor|null = null)',
  (input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | null) => {
    const [out, in1, in2] = weight.sizes as [number, number, number];
    if (weight.ndim !== 3)
      throw new ShapeError(`bilinear: expected a weight [out, in1, in2], got ${formatShape(weight.sizes)}`);
    const lead = input1.sizes.slice(0, -1);
    const fits = (x: Tensor, width: number): boolean =>
      x.ndim > 0 && formatShape(x.sizes) === formatShape([...lead, width]);
    if (!fits(input1, in1) || !fits(input2, in2))
      throw new ShapeError(
        `bilinear: expected inputs [..., ${in1}] and [..., ${in2}], got ${formatShape(input1.sizes)} and ${formatShape(input2.sizes)}`,
      );
    const n = numelOf(lead);
    const [a, b] = [reshape(input1, [n, in1]), reshape(input2, [n, in2])];
    // [out, n, in2]: the weight is taken as it lies.
    const half = ops.mul({ a: ops.matmul({ a, b: weight }), b });
    const y = transpose(ops.sum({ x: half }, { dim: 2, end: 3, keepdim: false }), 0, 1);
    const shaped = reshape(y, [...lead, out]);
    return bias ? ops.add({ a: shaped, b: bias }) : shaped;
  },
);
