// Layers that pad.
import type { Sizes } from '../functional/arguments.ts';
import { type PadMode, pad } from '../functional/pad.ts';
import { ArgumentError, formatShape } from '../memory/errors.ts';
import { type Signature, signature } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { OwnLayer } from './layer.ts';
import { COMPUTE } from './names.ts';
import { describeOptions } from './parameter.ts';

/** Padding around the last dims. */
abstract class PadLayer extends OwnLayer {
  /** How many elements on every side; or before and behind the last dim, then the one in front of it, and so on. */
  readonly padding: Sizes;
  readonly #dims: number;
  readonly #mode: PadMode;

  /** @internal */
  constructor(dims: number, mode: PadMode, declared: Signature, args: readonly unknown[]) {
    super();
    this.#dims = dims;
    this.#mode = mode;
    [this.padding] = declared.parse(args) as [Sizes];
    this.#sides(declared.name);
  }

  #sides(name: string): readonly number[] {
    const { padding } = this;
    const sides = typeof padding === 'number' ? new Array<number>(2 * this.#dims).fill(padding) : padding;
    if (sides.length !== 2 * this.#dims)
      throw new ArgumentError(
        `${name}: expected padding to be one whole number, or ${2 * this.#dims}, got ${formatShape(sides)}`,
      );
    return sides;
  }

  /** @internal */
  [COMPUTE](x: Tensor): Tensor {
    return pad(x, this.#sides(this.constructor.name), this.#mode, (this as { value?: number }).value ?? null);
  }

  override extraRepr(): string {
    return describeOptions({ padding: this.padding, value: (this as { value?: number }).value });
  }
}

/** What the constructors of layers that pad take. */
export type PadArguments = [padding: Sizes];
/** What the constructors of {@link ConstantPad1d}, {@link ConstantPad2d} and {@link ConstantPad3d} take. */
export type ConstantPadArguments = [padding: Sizes, value: number];

/* @__NO_SIDE_EFFECTS__ */
const declare = (name: string, more = ''): Signature => signature(`${name}(padding: int|int[]${more})`);

/** One value around the last dims. */
abstract class ConstantPad extends PadLayer {
  /** What stands in the padding. */
  readonly value: number;

  /** @internal */
  constructor(dims: number, declared: Signature, args: readonly unknown[]) {
    super(dims, 'constant', declared, args);
    [, this.value] = declared.parse(args) as [Sizes, number];
  }
}

const ofConstantPad1d = declare('ConstantPad1d', ', value: number');
/** `value` around the last dim, by {@link functional.pad} (PyTorch's `nn.ConstantPad1d`). */
export class ConstantPad1d extends ConstantPad {
  /** A layer that pads by `padding`: one number for all sides, or two. @throws ArgumentError */
  constructor(...args: ConstantPadArguments) {
    super(1, ofConstantPad1d, args);
  }
}

const ofConstantPad2d = declare('ConstantPad2d', ', value: number');
/** `value` around the last two dims, by {@link functional.pad} (PyTorch's `nn.ConstantPad2d`). */
export class ConstantPad2d extends ConstantPad {
  /** A layer that pads by `padding`: one number for all sides, or four. @throws ArgumentError */
  constructor(...args: ConstantPadArguments) {
    super(2, ofConstantPad2d, args);
  }
}

const ofConstantPad3d = declare('ConstantPad3d', ', value: number');
/** `value` around the last three dims, by {@link functional.pad} (PyTorch's `nn.ConstantPad3d`). */
export class ConstantPad3d extends ConstantPad {
  /** A layer that pads by `padding`: one number for all sides, or six. @throws ArgumentError */
  constructor(...args: ConstantPadArguments) {
    super(3, ofConstantPad3d, args);
  }
}

const ofZeroPad1d = declare('ZeroPad1d');
/** Zeros around the last dim, by {@link functional.pad} (PyTorch's `nn.ZeroPad1d`). */
export class ZeroPad1d extends PadLayer {
  /** A layer that pads by `padding`: one number for all sides, or two. @throws ArgumentError */
  constructor(...args: PadArguments) {
    super(1, 'constant', ofZeroPad1d, args);
  }
}

const ofZeroPad2d = declare('ZeroPad2d');
/** Zeros around the last two dims, by {@link functional.pad} (PyTorch's `nn.ZeroPad2d`). */
export class ZeroPad2d extends PadLayer {
  /** A layer that pads by `padding`: one number for all sides, or four. @throws ArgumentError */
  constructor(...args: PadArguments) {
    super(2, 'constant', ofZeroPad2d, args);
  }
}

const ofZeroPad3d = declare('ZeroPad3d');
/** Zeros around the last three dims, by {@link functional.pad} (PyTorch's `nn.ZeroPad3d`). */
export class ZeroPad3d extends PadLayer {
  /** A layer that pads by `padding`: one number for all sides, or six. @throws ArgumentError */
  constructor(...args: PadArguments) {
    super(3, 'constant', ofZeroPad3d, args);
  }
}

const ofReflectionPad1d = declare('ReflectionPad1d');
/**
 * The input mirrored at its last elements around the last dim, by {@link functional.pad} (PyTorch's
 * `nn.ReflectionPad1d`).
 */
export class ReflectionPad1d extends PadLayer {
  /** A layer that pads by `padding`: one number for all sides, or two. @throws ArgumentError */
  constructor(...args: PadArguments) {
    super(1, 'reflect', ofReflectionPad1d, args);
  }
}

const ofReflectionPad2d = declare('ReflectionPad2d');
/**
 * The input mirrored at its last elements around the last two dims, by {@link functional.pad} (PyTorch's
 * `nn.ReflectionPad2d`).
 */
export class ReflectionPad2d extends PadLayer {
  /** A layer that pads by `padding`: one number for all sides, or four. @throws ArgumentError */
  constructor(...args: PadArguments) {
    super(2, 'reflect', ofReflectionPad2d, args);
  }
}

const ofReflectionPad3d = declare('ReflectionPad3d');
/**
 * The input mirrored at its last elements around the last three dims, by {@link functional.pad} (PyTorch's
 * `nn.ReflectionPad3d`).
 */
export class ReflectionPad3d extends PadLayer {
  /** A layer that pads by `padding`: one number for all sides, or six. @throws ArgumentError */
  constructor(...args: PadArguments) {
    super(3, 'reflect', ofReflectionPad3d, args);
  }
}

const ofReplicationPad1d = declare('ReplicationPad1d');
/** The last elements once more around the last dim, by {@link functional.pad} (PyTorch's `nn.ReplicationPad1d`). */
export class ReplicationPad1d extends PadLayer {
  /** A layer that pads by `padding`: one number for all sides, or two. @throws ArgumentError */
  constructor(...args: PadArguments) {
    super(1, 'replicate', ofReplicationPad1d, args);
  }
}

const ofReplicationPad2d = declare('ReplicationPad2d');
/**
 * The last elements once more around the last two dims, by {@link functional.pad} (PyTorch's `nn.ReplicationPad2d`).
 */
export class ReplicationPad2d extends PadLayer {
  /** A layer that pads by `padding`: one number for all sides, or four. @throws ArgumentError */
  constructor(...args: PadArguments) {
    super(2, 'replicate', ofReplicationPad2d, args);
  }
}

const ofReplicationPad3d = declare('ReplicationPad3d');
/**
 * The last elements once more around the last three dims, by {@link functional.pad} (PyTorch's `nn.ReplicationPad3d`).
 */
export class ReplicationPad3d extends PadLayer {
  /** A layer that pads by `padding`: one number for all sides, or six. @throws ArgumentError */
  constructor(...args: PadArguments) {
    super(3, 'replicate', ofReplicationPad3d, args);
  }
}

const ofCircularPad1d = declare('CircularPad1d');
/** The input from its other end around the last dim, by {@link functional.pad} (PyTorch's `nn.CircularPad1d`). */
export class CircularPad1d extends PadLayer {
  /** A layer that pads by `padding`: one number for all sides, or two. @throws ArgumentError */
  constructor(...args: PadArguments) {
    super(1, 'circular', ofCircularPad1d, args);
  }
}

const ofCircularPad2d = declare('CircularPad2d');
/** The input from its other end around the last two dims, by {@link functional.pad} (PyTorch's `nn.CircularPad2d`). */
export class CircularPad2d extends PadLayer {
  /** A layer that pads by `padding`: one number for all sides, or four. @throws ArgumentError */
  constructor(...args: PadArguments) {
    super(2, 'circular', ofCircularPad2d, args);
  }
}

const ofCircularPad3d = declare('CircularPad3d');
/**
 * The input from its other end around the last three dims, by {@link functional.pad} (PyTorch's `nn.CircularPad3d`).
 */
export class CircularPad3d extends PadLayer {
  /** A layer that pads by `padding`: one number for all sides, or six. @throws ArgumentError */
  constructor(...args: PadArguments) {
    super(3, 'circular', ofCircularPad3d, args);
  }
}
