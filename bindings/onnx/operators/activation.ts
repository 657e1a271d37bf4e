// Activations, each with the settings that ONNX gives it.

import * as A from '../../functional/activation.ts';
import { cast } from '../../functional/arguments.ts';
import * as F from '../../functional/elementwise.ts';
import { amax, cumsum, logSoftmax, softmax } from '../../functional/reduction.ts';
import { reshape } from '../../functional/shape.ts';
import { celu } from '../../functional/shrink.ts';
import { numelOf, type Tensor } from '../../tensor.ts';
import type { Call, Family, Operator } from '../operator.ts';

const activation = (attributes: string, fn: (x: Tensor, call: Call) => Tensor): Operator => ({
  takes: `X | ${attributes}`,
  run: (call) => fn(call.float(), call),
});

/** alpha · x + beta, between 0 and 1. */
const hardSigmoid = (x: Tensor, alpha: number, beta: number): Tensor => F.clamp(F.add(F.mul(x, alpha), beta), 0, 1);

/** Along an axis; before opset 13 along all dims from it on. */
const along = (fn: (x: Tensor, dim: number) => Tensor): Operator => ({
  takes: 'X | axis:int',
  run: (call) => {
    const x = call.float();
    const axis = call.axis(call.attr('axis') ?? (call.opset < 13 ? 1 : -1), x.ndim);
    if (call.opset >= 13 || axis === x.ndim - 1) return fn(x, axis);
    const rows = numelOf(x.sizes.slice(0, axis));
    return reshape(fn(reshape(x, [rows, x.size / Math.max(rows, 1)]), 1), x.sizes);
  },
});

/** 1 where the greatest is, else 0; of equal ones the first. */
function hardmax(x: Tensor, dim: number): Tensor {
  const greatest = F.eq(x, amax(x, dim, true));
  const before = F.le(cumsum(cast(greatest, 'f32'), dim), 1);
  return cast(F.logicalAnd(greatest, before), 'f32');
}

export const activations: Family = {
  Celu: activation('alpha=1', (x, call) => celu(x, call.attr('alpha'))),
  Elu: activation('alpha=1', (x, call) => A.elu(x, call.attr('alpha'))),
  Gelu: activation('approximate=none', (x, call) => A.gelu(x, call.word('approximate', 'none', 'tanh'))),
  HardSigmoid: activation('alpha=0.2 beta=0.5', (x, call) => hardSigmoid(x, call.attr('alpha'), call.attr('beta'))),
  HardSwish: activation('', (x) => F.mul(x, hardSigmoid(x, 1 / 6, 0.5))),
  Hardmax: along(hardmax),
  LeakyRelu: activation('alpha=0.01', (x, call) => A.leakyRelu(x, call.attr('alpha'))),
  LogSoftmax: along(logSoftmax),
  Mish: activation('', (x) => A.mish(x)),
  PRelu: {
    takes: 'X slope',
    run: (call) => {
      const x = call.x();
      let slope = call.x(1);
      // PyTorch once wrote a slope for each channel without dims behind it.
      if (
        slope.ndim === 1 &&
        x.ndim > 2 &&
        slope.size === x.sizes[1] &&
        (call.opset < 7 || slope.size !== x.sizes.at(-1))
      )
        slope = reshape(slope, [slope.size, ...x.sizes.slice(2).map(() => 1)]);
      return F.where(F.lt(x, 0), F.mul(x, slope), x);
    },
  },
  Relu: { takes: 'X', run: (call) => F.relu(call.x()) },
  Selu: activation('alpha=1.67326319217681884765625 gamma=1.05070102214813232421875', (x, call) =>
    F.mul(A.elu(x, call.attr('alpha')), call.attr('gamma')),
  ),
  Shrink: {
    takes: 'X | bias=0 lambd=0.5',
    run: (call) => {
      const [x, lambd, bias] = [call.x(), call.attr('lambd'), call.attr('bias')];
      const above = F.where(F.gt(x, lambd), F.sub(x, bias), 0);
      return cast(F.where(F.lt(x, -lambd), F.add(x, bias), above), x.dtype);
    },
  },
  Softmax: along(softmax),
  Softplus: activation('', (x) => A.softplus(x)),
  Softsign: activation('', (x) => A.softsign(x)),
  SwiGLU: {
    takes: 'A B | alpha=1',
    run: (call) => {
      const a = call.float(0);
      return F.mul(F.mul(a, F.sigmoid(F.mul(a, call.attr('alpha')))), call.float(1));
    },
  },
  Swish: activation('alpha=1', (x, call) => F.mul(x, F.sigmoid(F.mul(x, call.attr('alpha'))))),
  ThresholdedRelu: activation('alpha=1', (x, call) => F.where(F.gt(x, call.attr('alpha')), x, 0)),
};
