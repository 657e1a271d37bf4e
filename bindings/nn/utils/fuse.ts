// Batch normalisation that is part of the layer before it, for evaluation (PyTorch's torch.nn.utils.fusion).
import { withoutTape } from '../../autograd.ts';
import { reshape } from '../../functional/shape.ts';
import { ArgumentError } from '../../memory/errors.ts';
import { callable } from '../../signature.ts';
import type { Tensor } from '../../tensor.ts';
import type { Conv1d, Conv2d, Conv3d } from '../conv.ts';
import { Linear } from '../linear.ts';
import type { Module } from '../module.ts';
import { BatchNorm1d, BatchNorm2d, BatchNorm3d } from '../norm.ts';
import { Parameter } from '../parameter.ts';

/** Convolutions of any rank. */
export type AnyConv = Conv1d | Conv2d | Conv3d;
/** Batch normalisations of any rank. */
export type AnyBatchNorm = BatchNorm1d | BatchNorm2d | BatchNorm3d;

/** The weight and the bias of a layer that does what it and the normalisation behind it do. */
function fused(op: string, layer: { weight: Tensor; bias: Tensor | null }, bn: Module): [weight: Tensor, bias: Tensor] {
  if (!(bn instanceof BatchNorm1d || bn instanceof BatchNorm2d || bn instanceof BatchNorm3d))
    throw new ArgumentError(`${op}: expected batch normalisation, got ${bn.constructor.name}`);
  const { runningMean: mean, runningVar: variance, weight: gamma, bias: beta, eps } = bn;
  if (!mean || !variance)
    throw new ArgumentError(`${op}: expected batch normalisation with running statistics, got one without`);
  const { weight, bias } = layer;
  const scale = variance
    .add(eps)
    .rsqrt()
    .mul(gamma ?? 1);
  const shift = (bias ? bias.sub(mean) : mean.neg()).mul(scale);
  const columns = reshape(scale, [scale.size, ...weight.sizes.slice(1).map(() => 1)]);
  return [weight.mul(columns), beta ? shift.add(beta) : shift];
}

/** @throws ArgumentError unless both are in evaluation mode */
function expectEval(op: string, ...modules: Module[]): void {
  if (modules.some(({ training }) => training))
    throw new ArgumentError(`${op}: expected modules in evaluation mode, got one in training; call eval()`);
}

/**
 * A new convolution that does what `conv` and then `bn` do in evaluation (PyTorch's `fuse_conv_bn_eval`).
 * @throws ArgumentError in training mode, without running statistics
 */
export const fuseConvBnEval = callable<<C extends AnyConv>(conv: C, bn: AnyBatchNorm) => C>(
  'fuseConvBnEval(conv: Module, bn: Module, -transpose: bool = false)',
  ((conv: AnyConv, bn: AnyBatchNorm) => {
    const op = 'fuseConvBnEval';
    expectEval(op, conv, bn);
    const { inChannels, outChannels, kernelSize, stride, padding, dilation, groups, paddingMode } = conv;
    if (dilation === undefined || paddingMode === undefined)
      throw new ArgumentError(`${op}: expected a convolution, got ${conv.constructor.name}`);
    const Class = conv.constructor as typeof Conv2d;
    const options = { stride, padding, dilation, groups, paddingMode };
    return withoutTape(() => filled(new Class(inChannels, outChannels, kernelSize, options), fused(op, conv, bn)));
  }) as never,
);

/**
 * A new layer that does what `linear` and then `bn` do in evaluation (PyTorch's `fuse_linear_bn_eval`).
 * @throws ArgumentError in training mode, without running statistics
 */
export const fuseLinearBnEval = callable<(linear: Linear, bn: AnyBatchNorm) => Linear>(
  'fuseLinearBnEval(linear: Module, bn: Module)',
  (linear: Linear, bn: AnyBatchNorm) => {
    const op = 'fuseLinearBnEval';
    if (!(linear instanceof Linear))
      throw new ArgumentError(`${op}: expected a Linear, got ${(linear as Module).constructor.name}`);
    expectEval(op, linear, bn);
    return withoutTape(() => filled(new Linear(linear.inFeatures, linear.outFeatures), fused(op, linear, bn)));
  },
);

/** The layer with another weight and bias, in evaluation mode. */
function filled<L extends Module & { weight: Tensor; bias: Tensor | null }>(
  layer: L,
  [weight, bias]: [weight: Tensor, bias: Tensor],
): L {
  layer.weight.dispose();
  layer.bias?.dispose();
  layer.weight = new Parameter(weight);
  layer.bias = new Parameter(bias);
  return layer.eval();
}
