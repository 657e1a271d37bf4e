// What the methods take that Tensor has itself; functional/ declares the others.
import { signature } from './signature.ts';

/** Options of {@link Tensor.requiresGrad_}. */
export interface RequiresGradOptions {
  /** Whether gradients flow. @defaultValue true */
  requiresGrad?: boolean;
}

export const takes = {
  dim: signature('Tensor.dim()'),
  numel: signature('Tensor.numel()'),
  isContiguous: signature('Tensor.isContiguous()'),
  requiresGrad_: signature('Tensor.requiresGrad_(requiresGrad: bool = true)'),
  retainGrad: signature('Tensor.retainGrad()'),
  clearGrad: signature('Tensor.clearGrad()'),
  detach: signature('Tensor.detach()'),
  item: signature('Tensor.item()'),
  toArray: signature('Tensor.toArray()'),
  keep: signature('Tensor.keep()'),
  dispose: signature('Tensor.dispose()'),
};

/** @throws ArgumentError where a method that takes no arguments was given some; quick, for some are called often */
export function expectNone(name: keyof typeof takes, args: readonly unknown[]): void {
  if (args.length > 0) takes[name].parse(args);
}
