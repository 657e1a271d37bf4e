// Elementwise ops of two or three tensors, broadcast by strides: nothing is copied to stretch it.
import type { Kernels } from '../runtime/commands.ts';
import { DtypeError } from '../runtime/errors.ts';
import type { Dtype, Tensor } from '../tensor.ts';
import { broadcastShapes, elementwiseDims, expectDtype } from './shapes.ts';
import type { KernelRow, Ops, Rows, Saved, Saves } from './types.ts';

export interface BinaryOps {
  add(a: Tensor, b: Tensor): Tensor;
  sub(a: Tensor, b: Tensor): Tensor;
  mul(a: Tensor, b: Tensor): Tensor;
  div(a: Tensor, b: Tensor): Tensor;
  pow(a: Tensor, b: Tensor): Tensor;
  maximum(a: Tensor, b: Tensor): Tensor;
  minimum(a: Tensor, b: Tensor): Tensor;
  eq(a: Tensor, b: Tensor): Tensor;
  ne(a: Tensor, b: Tensor): Tensor;
  lt(a: Tensor, b: Tensor): Tensor;
  le(a: Tensor, b: Tensor): Tensor;
  gt(a: Tensor, b: Tensor): Tensor;
  ge(a: Tensor, b: Tensor): Tensor;
  /** a where the u8 mask is not 0, else b. */
  where(condition: Tensor, a: Tensor, b: Tensor): Tensor;
}

type Pair = [Tensor, Tensor];
type Kernel = (out: Tensor, a: Tensor, b: Tensor, dims: readonly number[]) => void;
type ByDtype = { readonly f32: (k: Kernels) => Kernel; readonly i32?: (k: Kernels) => Kernel };

function broadcast(op: string, kernels: ByDtype, result: Dtype | 'same'): Omit<KernelRow<Pair, undefined>, 'saves'> {
  return {
    strided: true,
    infer: ([a, b]) => {
      if (kernels.i32) expectDtype(op, a, 'f32', 'i32');
      else expectDtype(op, a, 'f32');
      if (a.dtype !== b.dtype)
        throw new DtypeError(
          `${op}: expected both of one dtype, got ${a.dtype} and ${b.dtype}; convert one with .to('${a.dtype}')`,
        );
      return [{ shape: broadcastShapes(op, a.shape, b.shape), dtype: result === 'same' ? a.dtype : result }];
    },
    forward: (k, [out], [a, b]) => {
      const y = out as Tensor;
      const kernel = a.dtype === 'i32' && kernels.i32 ? kernels.i32(k) : kernels.f32(k);
      kernel(y, a, b, elementwiseDims(y, a, b));
    },
  };
}

type Partials = [a: (() => Tensor) | null, b: (() => Tensor) | null];

function arithmetic(
  op: string,
  kernels: ByDtype,
  saves: Saves,
  /** The two gradients, each computed only if needed. */
  backward: (o: Ops, g: Tensor, saved: Saved<Pair, undefined>) => Partials,
): KernelRow<Pair, undefined> {
  return {
    ...broadcast(op, kernels, 'same'),
    saves,
    backward: (o, g, saved) =>
      backward(o, g, saved).map((partial, i) => (saved.needs[i] && partial ? partial() : null)),
  };
}

const comparison = (op: string, kernels: ByDtype): KernelRow<Pair, undefined> => ({
  ...broadcast(op, kernels, 'u8'),
  saves: 'none',
});

const constant = (o: Ops, value: number): Tensor => o.full({ shape: [], value });

/** Of two equal values each gets half the gradient, as in PyTorch. */
function pick(o: Ops, g: Tensor, [a, b]: Pair, wins: (x: Tensor, y: Tensor) => Tensor): Partials {
  const share = (x: Tensor, y: Tensor) => (): Tensor => {
    const half = o.scale(g, { alpha: 0.5, beta: 0 });
    return o.where(wins(x, y), g, o.where(o.eq(x, y), half, constant(o, 0)));
  };
  return [share(a, b), share(b, a)];
}

export const binaryRows: Rows<BinaryOps> = {
  add: arithmetic('add', { f32: (k) => k.add_forward_f32, i32: (k) => k.add_forward_i32 }, 'none', (_, g) => [
    () => g,
    () => g,
  ]),
  sub: arithmetic('sub', { f32: (k) => k.sub_forward_f32, i32: (k) => k.sub_forward_i32 }, 'none', (o, g) => [
    () => g,
    () => o.neg(g),
  ]),
  mul: arithmetic(
    'mul',
    { f32: (k) => k.mul_forward_f32, i32: (k) => k.mul_forward_i32 },
    'inputs',
    (o, g, { inputs: [a, b] }) => [() => o.mul(g, b), () => o.mul(g, a)],
  ),
  div: arithmetic('div', { f32: (k) => k.div_forward_f32 }, 'both', (o, g, { inputs: [, b], outputs: [y] }) => [
    () => o.div(g, b),
    () => o.neg(o.mul(o.div(g, b), y as Tensor)),
  ]),
  pow: arithmetic('pow', { f32: (k) => k.pow_forward_f32 }, 'both', (o, g, { inputs: [a, b], outputs: [y] }) => [
    // b aᵇ⁻¹, and 0 (not 0 · ∞) where b = 0.
    () => {
      const slope = o.mul(b, o.pow(a, o.sub(b, constant(o, 1))));
      return o.mul(g, o.where(o.eq(b, constant(o, 0)), constant(o, 0), slope));
    },
    // aᵇ log a, and 0 (not 0 · −∞) where a = 0 and b ≥ 0.
    () => {
      const zero = constant(o, 0);
      const slope = o.mul(y as Tensor, o.log(a));
      return o.mul(g, o.where(o.eq(a, zero), o.where(o.ge(b, zero), zero, slope), slope));
    },
  ]),
  maximum: arithmetic('maximum', { f32: (k) => k.maximum_forward_f32 }, 'inputs', (o, g, { inputs }) =>
    pick(o, g, inputs, (x, y) => o.gt(x, y)),
  ),
  minimum: arithmetic('minimum', { f32: (k) => k.minimum_forward_f32 }, 'inputs', (o, g, { inputs }) =>
    pick(o, g, inputs, (x, y) => o.lt(x, y)),
  ),
  eq: comparison('eq', { f32: (k) => k.eq_f32, i32: (k) => k.eq_i32 }),
  ne: comparison('ne', { f32: (k) => k.ne_f32, i32: (k) => k.ne_i32 }),
  lt: comparison('lt', { f32: (k) => k.lt_f32, i32: (k) => k.lt_i32 }),
  le: comparison('le', { f32: (k) => k.le_f32, i32: (k) => k.le_i32 }),
  gt: comparison('gt', { f32: (k) => k.gt_f32, i32: (k) => k.gt_i32 }),
  ge: comparison('ge', { f32: (k) => k.ge_f32, i32: (k) => k.ge_i32 }),
  where: {
    strided: true,
    infer: ([condition, a, b]) => {
      expectDtype('where', condition, 'u8');
      expectDtype('where', a, 'f32');
      expectDtype('where', b, 'f32');
      return [{ shape: broadcastShapes('where', condition.shape, a.shape, b.shape), dtype: 'f32' }];
    },
    forward: (k, [out], inputs) => {
      const y = out as Tensor;
      k.where_f32(y, ...inputs, elementwiseDims(y, ...inputs));
    },
    saves: 'inputs',
    backward: (o, g, { inputs: [condition], needs }) => [
      null,
      needs[1] ? o.where(condition, g, constant(o, 0)) : null,
      needs[2] ? o.where(condition, constant(o, 0), g) : null,
    ],
  },
};
