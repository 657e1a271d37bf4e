// Modules of one input and one result.
import { named } from '../memory/errors.ts';
import { signature } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { Module } from './module.ts';
import { COMPUTE } from './names.ts';

/** A module from one tensor to one tensor, as {@link Sequential} takes them. */
export abstract class Layer extends Module {
  /** The result of the layer for the input x. */
  abstract override forward(x: Tensor): Tensor;
}

const ofOne = signature('Layer.forward(x: Tensor)');

/** The layers of the package: errors bear their names. */
export abstract class OwnLayer extends Layer {
  /** The result of the layer for the input x. */
  forward(...args: [x: Tensor]): Tensor {
    try {
      return this[COMPUTE](ofOne.one(args) as Tensor);
    } catch (error) {
      throw named(error, this.constructor.name);
    }
  }

  /** What forward does. @internal */
  abstract [COMPUTE](x: Tensor): Tensor;
}
