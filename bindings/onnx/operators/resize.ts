// Images of another size, one dim after the other: elements by index, or weighed sums of neighbours, which are products
// with a matrix.
import { familyOps } from '../../autograd.ts';
import { tensor } from '../../creation.ts';
import { cast } from '../../functional/arguments.ts';
import * as F from '../../functional/elementwise.ts';
import { affineGrid, gridSample } from '../../functional/grid.ts';
import { indexSelect } from '../../functional/indexing.ts';
import { matmul } from '../../functional/matmul.ts';
import { reshape, transpose } from '../../functional/shape.ts';
import { ArgumentError, ShapeError } from '../../memory/errors.ts';
import { resampleRows } from '../../ops/resample.ts';
import type { Tensor } from '../../tensor.ts';
import type { Call, Family, Operator } from '../operator.ts';
import { dtypeOf } from '../values.ts';

const own = familyOps(resampleRows);

const MODES = ['nearest', 'linear', 'cubic'] as const;
type Mode = (typeof MODES)[number];

/** How one dim is resized. */
interface Along {
  readonly dim: number;
  readonly length: number;
  /** Of the result. */
  readonly size: number;
  readonly scale: number;
  /** The part that is looked at, where it is a part. */
  readonly roi: readonly [from: number, to: number];
}

type Place = (x: number, along: Along) => number;
/** Where an element of the result lies in the input; see ONNX's coordinate_transformation_mode. */
const PLACES: Readonly<Record<string, Place>> = {
  half_pixel: (x, { scale }) => (x + 0.5) / scale - 0.5,
  half_pixel_symmetric: (x, { scale, size, length }) => {
    const whole = size / (scale * length);
    return (length / 2) * (1 - whole) + (x + 0.5) / scale - 0.5;
  },
  pytorch_half_pixel: (x, { scale, length }) => (scale * length === 1 ? -0.5 : (x + 0.5) / scale - 0.5),
  align_corners: (x, { scale, length }) => {
    const width = scale * length;
    return width === 1 ? 0 : (x * (length - 1)) / (width - 1);
  },
  asymmetric: (x, { scale }) => x / scale,
  tf_half_pixel_for_nn: (x, { scale }) => (x + 0.5) / scale,
  tf_crop_and_resize: (x, { scale, length, roi: [from, to] }) => {
    const width = scale * length;
    const at = width === 1 ? ((to - from) * (length - 1)) / 2 : (x * (to - from) * (length - 1)) / (width - 1);
    return at + from * (length - 1);
  },
};

const ROUNDED: Readonly<Record<string, (x: number) => number>> = {
  round_prefer_floor: (x) => Math.ceil(x - 0.5),
  round_prefer_ceil: (x) => Math.floor(x + 0.5),
  floor: Math.floor,
  ceil: Math.ceil,
};

/** Keys' cubic convolution with a of −0.75 or another. */
function cubic(distance: number, a: number): number {
  const x = Math.abs(distance);
  if (x <= 1) return (a + 2) * x ** 3 - (a + 3) * x ** 2 + 1;
  return x < 2 ? a * x ** 3 - 5 * a * x ** 2 + 8 * a * x - 4 * a : 0;
}

interface Settings {
  readonly mode: Mode;
  readonly place: string;
  readonly nearest: string;
  readonly a: number;
  readonly antialias: boolean;
  readonly exclude: boolean;
  readonly extrapolation: number;
}

/** What an element of the result takes: places that may be outside, and their weights. */
function tapsOf(at: number, { scale }: Along, { mode, a, antialias }: Settings): [at: number, weight: number][] {
  const base = Math.floor(at);
  const by = antialias ? Math.min(scale, 1) : 1;
  const support = mode === 'linear' ? 1 : 2;
  const from = Math.floor(-support / by) + 1;
  const taps = Array.from({ length: 2 - 2 * from }, (_, i): [number, number] => {
    const distance = (from + i - (at - base)) * by;
    return [base + from + i, mode === 'linear' ? Math.max(0, 1 - Math.abs(distance)) : cubic(distance, a)];
  });
  const sum = taps.reduce((total, [, weight]) => total + weight, 0);
  return by < 1 ? taps.map(([place, weight]) => [place, weight / sum]) : taps;
}

/** The weights of all elements, [length, size]. */
function weightsOf(along: Along, settings: Settings, outside: readonly boolean[]): Float32Array {
  const { length, size } = along;
  const weights = new Float32Array(length * size);
  const place = PLACES[settings.place] as Place;
  for (let x = 0; x < size; x++) {
    if (outside[x]) continue;
    let taps = tapsOf(place(x, along), along, settings);
    if (settings.exclude) {
      taps = taps.filter(([at]) => at >= 0 && at < length);
      const sum = taps.reduce((total, [, weight]) => total + weight, 0);
      taps = taps.map(([at, weight]) => [at, weight / sum]);
    }
    for (const [at, weight] of taps) {
      const cell = Math.min(Math.max(at, 0), length - 1) * size + x;
      weights[cell] = (weights[cell] as number) + weight;
    }
  }
  return weights;
}

/** Whether our kernel resamples so. */
const isOurs = ({ mode, place, a, antialias, exclude }: Settings): boolean =>
  mode !== 'nearest' &&
  !antialias &&
  !exclude &&
  (mode === 'linear' || a === -0.75) &&
  (place === 'half_pixel' || place === 'align_corners');

function resizedAlong(x: Tensor, along: Along, settings: Settings): Tensor {
  const { dim, length, size, scale } = along;
  const { mode } = settings;
  if (
    isOurs(settings) &&
    Number.isInteger(size) &&
    size >= 1 &&
    (settings.place === 'half_pixel' || size === scale * length)
  ) {
    const align = settings.place === 'align_corners';
    return own.resample({ x }, { dim, size, mode: mode as 'linear' | 'cubic', align, step: align ? 0 : 1 / scale });
  }
  const place = PLACES[settings.place] as Place;
  const places = Array.from({ length: size }, (_, i) => place(i, along));
  const crops = settings.place === 'tf_crop_and_resize';
  const outside = places.map((at) => crops && (at < 0 || at > length - 1));
  let y: Tensor;
  if (mode === 'nearest') {
    const round = ROUNDED[settings.nearest] as (at: number) => number;
    const index = places.map((at) => Math.min(Math.max(round(at), 0), length - 1));
    y = indexSelect(x, dim, tensor(Int32Array.from(index)));
  } else {
    const matrix = tensor(weightsOf(along, settings, outside), { shape: [length, size] });
    y = transpose(matmul(transpose(x, dim, -1), matrix), dim, -1);
  }
  if (!outside.some(Boolean)) return y;
  const shape = x.sizes.map((_, d) => (d === dim ? size : 1));
  const mask = reshape(tensor(Uint8Array.from(outside, Number)), shape);
  return F.where(mask, settings.extrapolation, y);
}

/** The sizes and scales along the axes. */
function targets(call: Call, x: Tensor, scales: readonly number[] | null, sizes: readonly number[] | null): Along[] {
  const axes = (call.ints('axes') ?? x.sizes.map((_, d) => d)).map((axis) => call.axis(axis, x.ndim));
  const roi = call.opset >= 11 && call.has(1) ? call.list(1) : [];
  const given = scales && scales.length > 0 ? scales : null;
  const list = given ?? sizes ?? [];
  if (list.length !== axes.length)
    throw new ShapeError(
      `${call.node.op}: expected ${axes.length} scales or sizes, got ${list.length}; mend the model`,
    );
  const policy = call.text('keep_aspect_ratio_policy');
  const lengths = axes.map((dim) => x.sizes[dim] as number);
  let ratios = given ?? lengths.map((length, i) => (list[i] as number) / length);
  if (!given && policy !== 'stretch') {
    const one = policy === 'not_larger' ? Math.min(...ratios) : Math.max(...ratios);
    ratios = ratios.map(() => one);
  }
  return axes.map((dim, i) => {
    const [length, scale] = [lengths[i] as number, ratios[i] as number];
    let size = given ? Math.floor(length * scale) : (list[i] as number);
    if (!given && policy !== 'stretch') size = Math.floor(length * scale + 0.5);
    return { dim, length, size, scale, roi: [roi[i] ?? 0, roi[i + axes.length] ?? 1] };
  });
}

function resized(
  call: Call,
  settings: Settings,
  scales: readonly number[] | null,
  sizes: readonly number[] | null,
): Tensor {
  for (const [table, word] of [
    [PLACES, settings.place],
    [ROUNDED, settings.nearest],
  ] as const)
    if (!Object.hasOwn(table, word))
      throw new ArgumentError(`${call.node.op}: expected one of ${Object.keys(table).join(', ')}, got '${word}'`);
  const x = call.float();
  const y = targets(call, x, scales, sizes)
    .filter(
      ({ length, size, scale, dim }) =>
        size !== length || (scale !== 1 && dim >= 0) || settings.place === 'tf_crop_and_resize',
    )
    .reduce((z, along) => resizedAlong(z, along, settings), x);
  return cast(y, dtypeOf(call.type()));
}

const resize: Operator = {
  takes:
    'X roi?# scales?# sizes?# | mode=nearest coordinate_transformation_mode:text nearest_mode:text cubic_coeff_a=-0.75 antialias=0 exclude_outside=0 extrapolation_value=0 axes:ints keep_aspect_ratio_policy=stretch',
  run: (call) => {
    // In opset 10 scales are the second input, and places are simple.
    const old = call.opset < 11;
    const settings: Settings = {
      mode: call.word('mode', ...MODES),
      place: call.text('coordinate_transformation_mode') ?? (old ? 'asymmetric' : 'half_pixel'),
      nearest: call.text('nearest_mode') ?? (old ? 'floor' : 'round_prefer_floor'),
      a: call.attr('cubic_coeff_a'),
      antialias: call.attr('antialias') !== 0,
      exclude: call.attr('exclude_outside') !== 0,
      extrapolation: call.attr('extrapolation_value'),
    };
    const at = old ? 1 : 2;
    return resized(call, settings, call.has(at) ? call.list(at) : null, !old && call.has(3) ? call.list(3) : null);
  },
};

const upsample: Operator = {
  takes: 'X scales?# | mode=nearest scales:floats axes:ints keep_aspect_ratio_policy=stretch',
  run: (call) =>
    resized(
      call,
      {
        mode: call.word('mode', ...MODES),
        ...{ place: 'asymmetric', nearest: 'floor', a: -0.75, antialias: false, exclude: false, extrapolation: 0 },
      },
      call.listOr(1, 'scales'),
      null,
    ),
};

const WORDS = {
  linear: 'bilinear',
  bilinear: 'bilinear',
  nearest: 'nearest',
  cubic: 'bicubic',
  bicubic: 'bicubic',
} as const;

export const images: Family = {
  AffineGrid: {
    takes: 'theta size# | align_corners=0',
    run: (call) => affineGrid(call.float(0), [...call.list(1)], call.attr('align_corners') !== 0),
  },
  GridSample: {
    takes: 'X grid | align_corners=0 mode=linear padding_mode=zeros',
    run: (call) => {
      const mode = WORDS[call.word('mode', 'linear', 'bilinear', 'nearest', 'cubic', 'bicubic')];
      const padding = call.word('padding_mode', 'zeros', 'border', 'reflection');
      return gridSample(call.float(0), call.float(1), mode, padding, call.attr('align_corners') !== 0);
    },
  },
  Resize: resize,
  Upsample: upsample,
};
