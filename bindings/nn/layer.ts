// Modules of one input and one result.
import type { Tensor } from '../tensor.ts';
import { Module } from './module.ts';

/** A module from one tensor to one tensor, as {@link Sequential} takes them. */
export abstract class Layer extends Module {
  /** The result of the layer for the input x. */
  abstract override forward(x: Tensor): Tensor;
}
