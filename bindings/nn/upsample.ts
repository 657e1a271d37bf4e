// Layers that make images larger.
import type { Sizes } from '../functional/arguments.ts';
import { type InterpolateMode, type InterpolateOptions, interpolate } from '../functional/interpolate.ts';
import { type Arguments, type Signature, signature } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { OwnLayer } from './layer.ts';
import { COMPUTE } from './names.ts';
import { describeOptions } from './parameter.ts';

/** Options of {@link Upsample}. */
export interface UpsampleOptions extends Omit<InterpolateOptions, 'antialias'> {}
/** Options of {@link UpsamplingNearest2d} and {@link UpsamplingBilinear2d}. */
export interface UpsamplingOptions extends Pick<InterpolateOptions, 'size' | 'scaleFactor'> {}

/** Factors along all dims, or each; null where sizes are given. */
export type ScaleFactors = number | readonly number[] | null;
const SIZES = '(size: int|int[]|null = null, scaleFactor: number|number[]|null = null';

/** What all have. */
abstract class Resize extends OwnLayer {
  /** The size of the result along each dim; null: by {@link scaleFactor}. */
  readonly size: Sizes | null;
  /** How many times larger the result is along each dim; null: by {@link size}. */
  readonly scaleFactor: ScaleFactors;

  /** @internal */
  constructor([size, scaleFactor]: readonly unknown[]) {
    super();
    this.size = size as Sizes | null;
    this.scaleFactor = scaleFactor as ScaleFactors;
  }

  /** Those of the options that are given. @internal */
  protected describe(others: object): string {
    const all = Object.entries({ size: this.size, scaleFactor: this.scaleFactor, ...others });
    return describeOptions(Object.fromEntries(all.filter(([, value]) => value !== null)));
  }
}

const ofUpsample = signature(
  `Upsample${SIZES}, mode: 'nearest'|'nearest-exact'|'linear'|'bilinear'|'trilinear'|'bicubic'|'area' = 'nearest', alignCorners: bool|null = null, recomputeScaleFactor: bool|null = null)`,
);

/** Images in another size: {@link functional.interpolate} (PyTorch's `nn.Upsample`). */
export class Upsample extends Resize {
  /** How elements are made. */
  readonly mode: InterpolateMode;
  /** Whether the middles of corner elements stay where they are; null: as false, or not asked. */
  readonly alignCorners: boolean | null;
  /** Whether steps follow from the sizes. */
  readonly recomputeScaleFactor: boolean | null;

  /** A layer that gives `size`, or `scaleFactor` times the size of its input. @throws ArgumentError */
  constructor(
    ...args: Arguments<
      [],
      [
        size: Sizes | null,
        scaleFactor: ScaleFactors,
        mode: InterpolateMode,
        alignCorners: boolean | null,
        recomputeScaleFactor: boolean | null,
      ],
      UpsampleOptions
    >
  ) {
    const values = ofUpsample.parse(args);
    super(values);
    [, , this.mode, this.alignCorners, this.recomputeScaleFactor] = values as [
      unknown,
      unknown,
      InterpolateMode,
      boolean | null,
      boolean | null,
    ];
  }

  /** @internal */
  [COMPUTE](x: Tensor): Tensor {
    return interpolate(x, this.size, this.scaleFactor, this.mode, this.alignCorners, this.recomputeScaleFactor);
  }

  override extraRepr(): string {
    const { mode, alignCorners, recomputeScaleFactor } = this;
    return this.describe({ mode, alignCorners, recomputeScaleFactor });
  }
}

/** What the constructors of {@link UpsamplingNearest2d} and {@link UpsamplingBilinear2d} take. */
export type UpsamplingArguments = Arguments<[], [size: Sizes | null, scaleFactor: ScaleFactors], UpsamplingOptions>;

/* @__NO_SIDE_EFFECTS__ */
const declare = (name: string): Signature => signature(`${name}${SIZES})`);
const ofNearest = declare('UpsamplingNearest2d');
const ofBilinear = declare('UpsamplingBilinear2d');

/** Larger images of the nearest elements (PyTorch's `nn.UpsamplingNearest2d`). */
export class UpsamplingNearest2d extends Resize {
  /** A layer that gives `size`, or `scaleFactor` times the size of its input. @throws ArgumentError */
  constructor(...args: UpsamplingArguments) {
    super(ofNearest.parse(args));
  }

  /** @internal */
  [COMPUTE](x: Tensor): Tensor {
    return interpolate(x, this.size, this.scaleFactor, 'nearest');
  }

  override extraRepr(): string {
    return this.describe({});
  }
}

/** Larger images of lines between elements, whose corners stay (PyTorch's `nn.UpsamplingBilinear2d`). */
export class UpsamplingBilinear2d extends Resize {
  /** A layer that gives `size`, or `scaleFactor` times the size of its input. @throws ArgumentError */
  constructor(...args: UpsamplingArguments) {
    super(ofBilinear.parse(args));
  }

  /** @internal */
  [COMPUTE](x: Tensor): Tensor {
    return interpolate(x, this.size, this.scaleFactor, 'bilinear', true);
  }

  override extraRepr(): string {
    return this.describe({});
  }
}
