// Layers that lay images out anew.
import type { Sizes } from '../functional/arguments.ts';
import * as F from '../functional/shuffle.ts';
import { unflatten } from '../functional/unflatten.ts';
import { type Arguments, signature } from '../signature.ts';
import type { Shape, Tensor } from '../tensor.ts';
import { OwnLayer } from './layer.ts';
import { COMPUTE } from './names.ts';
import { checkSizes, describeOptions } from './parameter.ts';

const ofPixelShuffle = signature('PixelShuffle(upscaleFactor: int)');
const ofPixelUnshuffle = signature('PixelUnshuffle(downscaleFactor: int)');
const ofChannelShuffle = signature('ChannelShuffle(groups: int)');
const ofUnflatten = signature('Unflatten(dim: int, unflattenedSize: int[])');
const FOLD = 'kernelSize: int|int[], dilation: int|int[] = 1, padding: int|int[] = 0, stride: int|int[] = 1)';
const ofUnfold = signature(`Unfold(${FOLD}`);
const ofFold = signature(`Fold(outputSize: int|int[], ${FOLD}`);

/** Channels laid out as pixels: {@link functional.pixelShuffle} (PyTorch's `nn.PixelShuffle`). */
export class PixelShuffle extends OwnLayer {
  /** How many times higher and wider the image becomes. */
  readonly upscaleFactor: number;

  /** A layer that makes images `upscaleFactor` times higher and wider. @throws ArgumentError */
  constructor(...args: [upscaleFactor: number]) {
    super();
    this.upscaleFactor = ofPixelShuffle.one(args) as number;
    checkSizes('PixelShuffle', { upscaleFactor: this.upscaleFactor });
  }

  /** @internal */
  [COMPUTE](x: Tensor): Tensor {
    return F.pixelShuffle(x, this.upscaleFactor);
  }

  /** What is printed in the parentheses. */
  override extraRepr(): string {
    return describeOptions({ upscaleFactor: this.upscaleFactor });
  }
}

/** Pixels laid out as channels: {@link functional.pixelUnshuffle} (PyTorch's `nn.PixelUnshuffle`). */
export class PixelUnshuffle extends OwnLayer {
  /** How many times lower and narrower the image becomes. */
  readonly downscaleFactor: number;

  /** A layer that makes images `downscaleFactor` times lower and narrower. @throws ArgumentError */
  constructor(...args: [downscaleFactor: number]) {
    super();
    this.downscaleFactor = ofPixelUnshuffle.one(args) as number;
    checkSizes('PixelUnshuffle', { downscaleFactor: this.downscaleFactor });
  }

  /** @internal */
  [COMPUTE](x: Tensor): Tensor {
    return F.pixelUnshuffle(x, this.downscaleFactor);
  }

  /** What is printed in the parentheses. */
  override extraRepr(): string {
    return describeOptions({ downscaleFactor: this.downscaleFactor });
  }
}

/** Channels in another order: {@link functional.channelShuffle} (PyTorch's `nn.ChannelShuffle`). */
export class ChannelShuffle extends OwnLayer {
  /** How many groups of channels take turns. */
  readonly groups: number;

  /** A layer that takes a channel of each of `groups` groups by turns. @throws ArgumentError */
  constructor(...args: [groups: number]) {
    super();
    this.groups = ofChannelShuffle.one(args) as number;
    checkSizes('ChannelShuffle', { groups: this.groups });
  }

  /** @internal */
  [COMPUTE](x: Tensor): Tensor {
    return F.channelShuffle(x, this.groups);
  }

  /** What is printed in the parentheses. */
  override extraRepr(): string {
    return describeOptions({ groups: this.groups });
  }
}

/** Cuts a dim into several: {@link unflatten} (PyTorch's `nn.Unflatten`). */
export class Unflatten extends OwnLayer {
  /** The dim that is cut. */
  readonly dim: number;
  /** The sizes of the dims in its place. */
  readonly unflattenedSize: Shape;

  /** A layer that cuts the dim `dim` into `unflattenedSize`, of which one may be -1. @throws ArgumentError */
  constructor(...args: [dim: number, unflattenedSize: Shape]) {
    super();
    const [dim, unflattenedSize] = ofUnflatten.parse(args) as [number, Shape];
    this.dim = dim;
    this.unflattenedSize = [...unflattenedSize];
  }

  /** @internal */
  [COMPUTE](x: Tensor): Tensor {
    return unflatten(x, this.dim, this.unflattenedSize);
  }

  /** What is printed in the parentheses. */
  override extraRepr(): string {
    return describeOptions({ dim: this.dim, unflattenedSize: this.unflattenedSize });
  }
}

/** What the constructor of {@link Unfold} takes. */
export type UnfoldArguments = Arguments<
  [kernelSize: Sizes],
  [dilation: Sizes, padding: Sizes, stride: Sizes],
  F.FoldOptions,
  ['kernelSize']
>;
/** What the constructor of {@link Fold} takes. */
export type FoldArguments = Arguments<
  [outputSize: Sizes, kernelSize: Sizes],
  [dilation: Sizes, padding: Sizes, stride: Sizes],
  F.FoldOptions,
  ['outputSize', 'kernelSize']
>;

/** What windows are like. */
abstract class Columns extends OwnLayer {
  /** Taps of a window along both dims. */
  readonly kernelSize: Sizes;
  /** Elements from one tap of a window to the next. */
  readonly dilation: Sizes;
  /** Zeros on both sides. */
  readonly padding: Sizes;
  /** Elements from one window to the next. */
  readonly stride: Sizes;

  /** @internal */
  constructor([kernelSize, dilation, padding, stride]: readonly unknown[]) {
    super();
    this.kernelSize = kernelSize as Sizes;
    this.dilation = dilation as Sizes;
    this.padding = padding as Sizes;
    this.stride = stride as Sizes;
  }

  /** What is printed in the parentheses. */
  override extraRepr(): string {
    const { kernelSize, dilation, padding, stride } = this;
    return describeOptions({ kernelSize, dilation, padding, stride });
  }
}

/** The windows of images as columns: {@link functional.unfold} (PyTorch's `nn.Unfold`). */
export class Unfold extends Columns {
  /** A layer of windows of `kernelSize`: one number for both dims, or one for each. @throws ArgumentError */
  constructor(...args: UnfoldArguments) {
    super(ofUnfold.parse(args));
  }

  /** @internal */
  [COMPUTE](x: Tensor): Tensor {
    return F.unfold(x, this.kernelSize, this.dilation, this.padding, this.stride);
  }
}

/** The images that columns add up to: {@link functional.fold} (PyTorch's `nn.Fold`). */
export class Fold extends Columns {
  /** [height, width] of the images. */
  readonly outputSize: Sizes;

  /** A layer that makes images of `outputSize` of columns of windows of `kernelSize`. @throws ArgumentError */
  constructor(...args: FoldArguments) {
    const [outputSize, ...windows] = ofFold.parse(args);
    super(windows);
    this.outputSize = outputSize as Sizes;
  }

  /** @internal */
  [COMPUTE](x: Tensor): Tensor {
    return F.fold(x, this.outputSize, this.kernelSize, this.dilation, this.padding, this.stride);
  }

  /** What is printed in the parentheses. */
  override extraRepr(): string {
    return `${describeOptions({ outputSize: this.outputSize })}, ${super.extraRepr()}`;
  }
}
