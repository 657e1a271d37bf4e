// Products of matrices.

import { cast } from '../../functional/arguments.ts';
import { einsum } from '../../functional/einsum.ts';
import * as F from '../../functional/elementwise.ts';
import { linear } from '../../functional/linear.ts';
import { matmul } from '../../functional/matmul.ts';
import { t } from '../../functional/shape.ts';
import type { Tensor } from '../../tensor.ts';
import type { Call, Family, Operator } from '../operator.ts';
import { dtypeOf } from '../values.ts';

const scaled = (x: Tensor, by: number): Tensor => (by === 1 ? x : F.mul(x, by));

/** alpha · A · B + beta · C; with a bias of a vector it is a linear layer. */
const gemm: Operator = {
  takes: 'A B C? | alpha=1 beta=1 broadcast=0 transA=0 transB=0',
  run: (call) => {
    const a = call.attr('transA') ? t(call.float(0)) : call.float(0);
    const [alpha, beta] = [call.attr('alpha'), call.attr('beta')];
    const c = call.has(2) ? scaled(call.float(2), beta) : null;
    const whole = (y: Tensor): Tensor => cast(call.isFloat() ? y : F.round(y), dtypeOf(call.type()));
    if (alpha === 1 && (c === null || (c.ndim === 1 && c.size === call.sizes(1)[call.attr('transB') ? 0 : 1]))) {
      const weight = call.attr('transB') ? call.float(1) : t(call.float(1));
      return whole(linear(a, weight, c));
    }
    const y = scaled(matmul(a, call.attr('transB') ? t(call.float(1)) : call.float(1)), alpha);
    return whole(c ? F.add(y, c) : y);
  },
};

/** Products of integers are exact as long as f32 holds their sums. */
export const product = (call: Call, a: Tensor, b: Tensor): Tensor => {
  const y = matmul(cast(a, 'f32'), cast(b, 'f32'));
  return call.isFloat() ? y : cast(F.round(y), dtypeOf(call.type()));
};

export const products: Family = {
  Einsum: {
    takes: 'X... | equation!:text',
    run: (call) => {
      const y = einsum(call.text('equation').replaceAll(' ', ''), ...call.values.map((_, i) => call.float(i)));
      return cast(y, dtypeOf(call.type()));
    },
  },
  Gemm: gemm,
  MatMul: { takes: 'A B', run: (call) => product(call, call.x(0), call.x(1)) },
};
