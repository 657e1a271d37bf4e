// Modules of one input and one result.
import { named } from '../memory/errors.ts';
import { type Signature, signature } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { Module } from './module.ts';

/** A module from one tensor to one tensor, as {@link Sequential} takes them. */
export abstract class Layer extends Module {
  /** The result of the layer for the input x. */
  abstract override forward(x: Tensor): Tensor;
}

const ofOne = signature('Layer.forward(x: Tensor)');

/** Calls `compute` with the arguments of forward. @throws what it throws, and ArgumentError, in the name of `owner` */
export function computed<T>(
  owner: object,
  declared: Signature,
  args: readonly unknown[],
  compute: (...values: never[]) => T,
): T {
  try {
    return compute.apply(owner, declared.parse(args) as never[]);
  } catch (error) {
    throw named(error, owner.constructor.name);
  }
}

/** The layers of the package: errors bear their names. */
export abstract class OwnLayer extends Layer {
  /** The result of the layer for the input x. */
  forward(...args: [x: Tensor]): Tensor {
    return computed(this, ofOne, args, this.compute);
  }

  /** What forward does. @internal */
  protected abstract compute(x: Tensor): Tensor;
}
