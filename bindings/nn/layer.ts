// Modules of one input and one result.
import { named } from '../memory/errors.ts';
import { signature } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { Module } from './module.ts';
import { COMPUTE } from './names.ts';

/** A module from one tensor to one tensor, as {@link Sequential} takes them. */
export abstract class Layer extends Module {
  /** The result of the layer for the input x. */
  abstract forward(x: Tensor): Tensor;
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

/** What a pool gives: with indices or without. */
export type Pooled = Tensor | [output: Tensor, indices: Tensor];
/** What forward of a pool gives. */
interface Pooling<R extends boolean> {
  /** The result of the layer for the input x. */
  forward(...args: [x: Tensor]): R extends true ? [output: Tensor, indices: Tensor] : Tensor;
}
// To the type system a module, whose forward may give more than one tensor.
const AnyLayer = OwnLayer as unknown as abstract new <R extends boolean>() => Module & Pooling<R>;

/** Pools, which give [output, indices] where R is true. */
export abstract class PoolLayer<R extends boolean = false> extends AnyLayer<R> {
  /** What forward does. @internal */
  abstract [COMPUTE](x: Tensor): Pooled;
}
