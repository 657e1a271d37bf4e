// Quantised operators, by numbers of f32 that are whole.
import { cast } from '../../functional/arguments.ts';
import { repeatInterleave } from '../../functional/count.ts';
import * as F from '../../functional/elementwise.ts';
import { matmul } from '../../functional/matmul.ts';
import { amax, amin } from '../../functional/reduction.ts';
import { narrow, reshape } from '../../functional/shape.ts';
import type { Tensor } from '../../tensor.ts';
import { DATA } from '../messages.ts';
import { always, type Call, type Family, type Operator, type TypeRule } from '../operator.ts';
import { dtypeOf, rangeOf } from '../values.ts';
import { centred, convolved, WINDOWS } from './conv.ts';

/** A scale or a zero point as it stands beside x: one, one for each part along an axis, or one for each block. */
function spread(call: Call, t: Tensor, x: Tensor): Tensor {
  if (t.size === 1) return reshape(t, []);
  const axis = call.axis(call.attr('axis'), x.ndim);
  if (t.ndim === 1)
    return reshape(
      t,
      x.sizes.map((_, d) => (d === axis ? t.size : 1)),
    );
  const size = x.sizes[axis] as number;
  const block = call.attr('block_size') || Math.ceil(size / (t.sizes[axis] as number));
  return narrow(repeatInterleave(t, block, axis), axis, 0, size);
}

/** Whole numbers that a type holds: rounded, halves to the even one, and cut to its range. */
function saturated(x: Tensor, type: number): Tensor {
  const [low, high] = rangeOf(type);
  return cast(F.clamp(F.round(x), low, high), dtypeOf(type));
}

const quantisedType: TypeRule = ({ types, attributes }) => [
  types[2] || (attributes.output_dtype as number) || DATA.UINT8,
];

/** What tensors were before they were quantised. */
const origins = new WeakMap<Tensor, Tensor>();

const quantise: Operator = {
  takes: 'x y_scale~ y_zero_point? | axis=1 block_size=0 output_dtype=0 saturate=1 precision=0',
  types: quantisedType,
  run: (call) => {
    const x = call.float(0);
    const y = F.round(F.div(x, spread(call, call.float(1), x)));
    const moved = call.has(2) ? F.add(y, spread(call, call.float(2), x)) : y;
    const quantised = saturated(moved, call.node.given[0] as number);
    if (x.requiresGrad) origins.set(quantised, x);
    return quantised;
  },
};

const dequantise: Operator = {
  takes: 'x x_scale~ x_zero_point? | axis=1 block_size=0 output_dtype=0',
  types: ({ types }) => [types[1] as number],
  run: (call) => {
    const x = call.float(0);
    const scale = spread(call, call.float(1), x);
    const zero = call.has(2) ? spread(call, call.float(2), x) : null;
    const of = (y: Tensor): Tensor => F.mul(zero ? F.sub(y, zero) : y, scale);
    const origin = origins.get(call.x(0));
    if (!origin) return of(x);
    // Straight through: as if nothing had been rounded, but cut to the range (Bengio et al. 2013).
    const [low, high] = rangeOf(call.type());
    const scaled = F.div(origin, scale);
    const smooth = of(F.clamp(zero ? F.add(scaled, zero) : scaled, low, high));
    return F.add(smooth, F.sub(of(x), smooth).detach());
  },
};

const dynamic: Operator = {
  takes: 'x',
  types: always(DATA.UINT8),
  run: (call) => {
    const x = call.float();
    const [high, low] = [F.clamp(amax(x), 0, null), F.clamp(amin(x), null, 0)];
    const scale = F.div(F.sub(high, low), 255);
    const zero = F.clamp(F.round(F.div(F.neg(low), scale)), 0, 255);
    return [saturated(F.add(F.round(F.div(x, scale)), zero), DATA.UINT8), scale, cast(zero, 'u8')];
  },
};

/** A column or a row of scales beside a matrix. */
const beside = (t: Tensor, x: Tensor, row: boolean): Tensor =>
  t.ndim === 1 && t.size > 1 && x.ndim > 1
    ? reshape(t, row ? [t.size, 1] : [1, t.size])
    : t.size === 1
      ? reshape(t, [])
      : t;

const product: Operator = {
  takes: 'a a_scale~ a_zero_point b b_scale~ b_zero_point y_scale~ y_zero_point',
  types: ({ types }) => [types[7] as number],
  run: (call) => {
    const [a, b] = [call.float(0), call.float(3)];
    const of = (i: number, x: Tensor, row: boolean): Tensor => beside(call.float(i), x, row);
    const y = matmul(F.sub(a, of(2, a, true)), F.sub(b, of(5, b, false)));
    const scale = F.div(F.mul(of(1, a, true), of(4, b, false)), beside(call.float(6), y, true));
    return saturated(F.add(F.round(F.mul(y, scale)), beside(call.float(7), y, true)), call.node.given[0] as number);
  },
};

const convolution: Operator = {
  takes: `x x_scale~ x_zero_point w w_scale~ w_zero_point y_scale~ y_zero_point B? | ${WINDOWS}`,
  types: ({ types }) => [types[7] as number],
  run: (call) => {
    const [x, w] = [call.float(0), call.float(3)];
    const y = convolved(
      ...([call, centred(x, call.x(2)), centred(w, call.x(5), 0), call.has(8) ? call.float(8) : null] as const),
    );
    const channels = (t: Tensor): Tensor =>
      t.size === 1
        ? reshape(t, [])
        : reshape(
            t,
            y.sizes.map((_, d) => (d === 1 ? t.size : 1)),
          );
    const scale = F.div(F.mul(channels(call.float(1)), channels(call.float(4))), channels(call.float(6)));
    return saturated(F.add(F.round(F.mul(y, scale)), channels(call.float(7))), call.node.given[0] as number);
  },
};

export const quantised: Family = {
  ConvInteger: {
    takes: `x w x_zero_point? w_zero_point? | ${WINDOWS}`,
    types: always(DATA.INT32),
    run: (call) =>
      cast(convolved(call, centred(call.x(0), call.maybe(2)), centred(call.x(1), call.maybe(3), 0), null), 'i32'),
  },
  DequantizeLinear: dequantise,
  DynamicQuantizeLinear: { ...dynamic, types: () => [DATA.UINT8, DATA.FLOAT, DATA.UINT8] },
  MatMulInteger: {
    takes: 'A B a_zero_point? b_zero_point?',
    types: always(DATA.INT32),
    run: (call) => {
      const [a, b] = [call.float(0), call.float(1)];
      const left = call.has(2) ? F.sub(a, beside(call.float(2), a, true)) : a;
      const right = call.has(3) ? F.sub(b, beside(call.float(3), b, false)) : b;
      return cast(F.round(matmul(left, right)), 'i32');
    },
  },
  QLinearConv: convolution,
  QLinearMatMul: product,
  QuantizeLinear: quantise,
};
