// Normalisation.
import * as F from '../../functional/elementwise.ts';
import { batchNorm, groupNorm, instanceNorm, layerNorm } from '../../functional/norm.ts';
import * as R from '../../functional/reduction.ts';
import { mean, norm } from '../../functional/reduction.ts';
import { localResponseNorm } from '../../functional/response.ts';
import { rmsNorm } from '../../functional/rms-norm.ts';
import { expand, reshape } from '../../functional/shape.ts';
import { Buffer } from '../../nn/parameter.ts';
import { numelOf, type Tensor } from '../../tensor.ts';
import { DATA } from '../messages.ts';
import type { Call, Family, Operator } from '../operator.ts';

/** [channels] beside [n, channels, ...]. */
const beside = (x: Tensor, like: Tensor): Tensor =>
  reshape(
    x,
    like.sizes.map((_, d) => (d === 1 ? x.size : 1)),
  );

/** Of a node that says itself that it trains: ONNX's own statistics, with the variance of all. */
function trained(call: Call, x: Tensor): Tensor[] {
  const [scale, bias, runningMean, runningVar] = [1, 2, 3, 4].map((i) => call.float(i)) as [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  const dims = x.sizes.map((_, d) => d).filter((d) => d !== 1);
  const [centre, spread] = [mean(x, dims), R.var(x, dims, { correction: 0 })];
  const momentum = call.attr('momentum');
  const moved = (from: Tensor, to: Tensor): Tensor => F.add(F.mul(from, momentum), F.mul(to, 1 - momentum));
  const scaled = F.mul(
    F.div(F.sub(x, beside(centre, x)), F.sqrt(F.add(beside(spread, x), call.attr('epsilon')))),
    beside(scale, x),
  );
  return [F.add(scaled, beside(bias, x)), moved(runningMean, centre), moved(runningVar, spread)];
}

const ofBatch: Operator = {
  takes: 'X scale B mean~ var~ | epsilon=1e-5 is_test=0 momentum=0.9 spatial=1 training_mode=0',
  types: ({ types, wanted }) => wanted.map((_, i) => types[i === 0 ? 0 : 3] as number),
  run: (call) => {
    const x = call.float(0);
    const [scale, bias, runningMean, runningVar] = [1, 2, 3, 4].map((i) => call.float(i)) as [
      Tensor,
      Tensor,
      Tensor,
      Tensor,
    ];
    // Statistics of the module's own move as PyTorch's do, and where it trains; others as ONNX says.
    if (call.attr('training_mode') && !(runningMean instanceof Buffer)) return trained(call, x);
    const y = batchNorm(x, runningMean, runningVar, {
      weight: scale,
      bias,
      training: call.training,
      momentum: 1 - call.attr('momentum'),
      eps: call.attr('epsilon'),
    });
    return [y, runningMean, runningVar];
  },
};

const ofInstances: Operator = {
  takes: 'X scale B | epsilon=1e-5',
  run: (call) => instanceNorm(call.float(0), { weight: call.float(1), bias: call.float(2), eps: call.attr('epsilon') }),
};

/** From an axis on, with what was subtracted and multiplied by where anybody asks. */
const ofLayers: Operator = {
  takes: 'X Scale B? | axis=-1 epsilon=1e-5 stash_type=1',
  types: ({ types }) => [types[0] as number, DATA.FLOAT, DATA.FLOAT],
  run: (call) => {
    const x = call.float(0);
    const axis = call.axis(call.attr('axis'), x.ndim);
    const shape = x.sizes.slice(axis);
    const eps = call.attr('epsilon');
    const [scale, bias] = [call.float(1), call.maybe(2)];
    const fits = (t: Tensor | null): boolean => !t || (t.ndim === shape.length && t.size === numelOf(shape));
    let y: Tensor;
    if (fits(scale) && fits(bias)) y = layerNorm(x, shape, scale, bias, eps);
    else {
      const scaled = F.mul(layerNorm(x, shape, null, null, eps), scale);
      y = bias ? F.add(scaled, bias) : scaled;
    }
    if (!call.wants(1) && !call.wants(2)) return y;
    const dims = shape.map((_, d) => d + axis);
    return [y, mean(x, dims, true), F.rsqrt(F.add(R.var(x, dims, { correction: 0, keepdim: true }), eps))];
  },
};

/** Before opset 21 there is a scale for each group, since then for each channel. */
const ofGroups: Operator = {
  takes: 'X scale bias | epsilon=1e-5 num_groups!:int stash_type=1',
  run: (call) => {
    const x = call.float(0);
    const groups = call.attr('num_groups');
    const channels = x.sizes[1] as number;
    const [weight, bias] = [1, 2].map((i) => {
      const t = call.float(i);
      return t.size === channels
        ? t
        : reshape(expand(reshape(t, [groups, 1]), [groups, channels / groups]), [channels]);
    }) as [Tensor, Tensor];
    return groupNorm(x, groups, weight, bias, call.attr('epsilon'));
  },
};

const byRoot: Operator = {
  takes: 'X scale | axis=-1 epsilon=1e-5 stash_type=1',
  types: ({ types }) => [types[1] as number],
  run: (call) => {
    const x = call.float(0);
    const shape = x.sizes.slice(call.axis(call.attr('axis'), x.ndim));
    const scale = call.float(1);
    const own = scale.ndim === shape.length && scale.size === numelOf(shape);
    const y = rmsNorm(x, shape, own ? scale : null, call.attr('epsilon'));
    return own ? y : F.mul(y, scale);
  },
};

const byPower: Operator = {
  takes: 'X | axis=-1 p=2',
  run: (call) => {
    const x = call.float();
    const size = norm(x, call.attr('p'), call.axis(call.attr('axis'), x.ndim), true);
    // Of zeros it is zero.
    return F.where(F.eq(size, 0), 0, F.div(x, F.where(F.eq(size, 0), 1, size)));
  },
};

const byMeanAndVariance: Operator = {
  takes: 'X | axes:ints',
  run: (call) => {
    const x = call.float();
    const dims = (call.ints('axes') ?? [0, 2, 3]).map((axis) => call.axis(axis, x.ndim));
    const spread = F.sqrt(R.var(x, dims, { correction: 0, keepdim: true }));
    return F.div(F.sub(x, mean(x, dims, true)), F.add(spread, 1e-9));
  },
};

export const norms: Family = {
  BatchNormalization: ofBatch,
  GroupNormalization: ofGroups,
  InstanceNormalization: ofInstances,
  LRN: {
    takes: 'X | alpha=1e-4 beta=0.75 bias=1 size!:int',
    run: (call) =>
      localResponseNorm(call.float(), call.attr('size'), call.attr('alpha'), call.attr('beta'), call.attr('bias')),
  },
  LayerNormalization: ofLayers,
  LpNormalization: byPower,
  MeanVarianceNormalization: byMeanAndVariance,
  RMSNormalization: byRoot,
};
