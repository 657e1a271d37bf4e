// Layers that undo max pools.
import type { Sizes } from '../functional/arguments.ts';
import * as F from '../functional/unpool.ts';
import { named } from '../memory/errors.ts';
import { type Arguments, type Signature, signature } from '../signature.ts';
import type { Shape, Tensor } from '../tensor.ts';
import { Module } from './module.ts';
import { describeOptions } from './parameter.ts';

/** What the constructors of {@link MaxUnpool1d} and its like take. */
export type UnpoolArguments = Arguments<
  [kernelSize: Sizes],
  [stride: Sizes | null, padding: Sizes],
  Omit<F.UnpoolOptions, 'outputSize'>,
  ['kernelSize']
>;

/* @__NO_SIDE_EFFECTS__ */
const declare = (name: string): Signature =>
  signature(`${name}(kernelSize: int|int[], stride: int|int[]|null = null, padding: int|int[] = 0)`);
const ofForward = signature('MaxUnpool.forward(x: Tensor, indices: Tensor, outputSize: int[]|null = null)');

/** Puts maxima back where they stood. */
abstract class MaxUnpool extends Module {
  /** Elements of a window along each dim. */
  readonly kernelSize: Sizes;
  /** Elements from one window to the next; null: as long as a window. */
  readonly stride: Sizes | null;
  /** Positions that were added on both sides. */
  readonly padding: Sizes;
  readonly #function: F.MaxUnpoolFunction;

  /** @internal */
  constructor(f: F.MaxUnpoolFunction, declared: Signature, args: readonly unknown[]) {
    super();
    const [kernelSize, stride, padding] = declared.parse(args) as [Sizes, Sizes | null, Sizes];
    this.kernelSize = kernelSize;
    this.stride = stride;
    this.padding = padding;
    this.#function = f;
  }

  /**
   * The elements of x where they stood, among zeros.
   *
   * @param x what the pool gave
   * @param indices where that stood
   * @param outputSize of the result, where the pool's input was longer than its windows
   */
  forward(...args: [x: Tensor, indices: Tensor, outputSize?: Shape | null]): Tensor {
    try {
      const [x, indices, outputSize] = ofForward.parse(args) as [Tensor, Tensor, Shape | null];
      return this.#function(x, indices, this.kernelSize, this.stride, this.padding, outputSize);
    } catch (error) {
      throw named(error, this.constructor.name);
    }
  }

  /** What is printed in the parentheses. */
  override extraRepr(): string {
    const { kernelSize, stride, padding } = this;
    return describeOptions({ kernelSize, stride: stride ?? kernelSize, padding });
  }
}

const ofMaxUnpool1d = declare('MaxUnpool1d');
/** Undoes {@link MaxPool1d}: {@link functional.maxUnpool1d} (PyTorch's `nn.MaxUnpool1d`). */
export class MaxUnpool1d extends MaxUnpool {
  /** A layer for the windows that were pooled. @throws ArgumentError */
  constructor(...args: UnpoolArguments) {
    super(F.maxUnpool1d, ofMaxUnpool1d, args);
  }
}

const ofMaxUnpool2d = declare('MaxUnpool2d');
/** Undoes {@link MaxPool2d}: {@link functional.maxUnpool2d} (PyTorch's `nn.MaxUnpool2d`). */
export class MaxUnpool2d extends MaxUnpool {
  /** A layer for the windows that were pooled. @throws ArgumentError */
  constructor(...args: UnpoolArguments) {
    super(F.maxUnpool2d, ofMaxUnpool2d, args);
  }
}

const ofMaxUnpool3d = declare('MaxUnpool3d');
/** Undoes {@link MaxPool3d}: {@link functional.maxUnpool3d} (PyTorch's `nn.MaxUnpool3d`). */
export class MaxUnpool3d extends MaxUnpool {
  /** A layer for the windows that were pooled. @throws ArgumentError */
  constructor(...args: UnpoolArguments) {
    super(F.maxUnpool3d, ofMaxUnpool3d, args);
  }
}
