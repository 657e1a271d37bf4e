// Pools over windows, with all of ONNX's paddings.

import { ones } from '../../creation.ts';
import { cast } from '../../functional/arguments.ts';
import * as F from '../../functional/elementwise.ts';
import { pad } from '../../functional/pad.ts';
import { iota } from '../../functional/places.ts';
import * as P from '../../functional/pool.ts';
import { amax, mean, sum } from '../../functional/reduction.ts';
import { reshape } from '../../functional/shape.ts';
import { maxUnpool1d, maxUnpool2d, maxUnpool3d } from '../../functional/unpool.ts';
import { formatShape, ShapeError } from '../../memory/errors.ts';
import type { Shape, Tensor } from '../../tensor.ts';
import { DATA } from '../messages.ts';
import { type Call, type Family, first, type Operator } from '../operator.ts';
import { around, reach, type Windows, windowsOf } from './windows.ts';

/** How far each dim is read beyond its end: as ceil_mode says, and not where a window would be in the padding alone. */
function overhang(call: Call, size: Shape, windows: Windows): number[] {
  const { kernel, stride, dilation, before, behind } = windows;
  return size.map((length, d) => {
    const step = stride[d] as number;
    const room = length + (before[d] as number) + (behind[d] as number);
    const rest = room - reach(kernel[d] as number, dilation[d] as number);
    let count = Math.floor(rest / step) + 1;
    if (call.attr('ceil_mode')) {
      count = Math.ceil(rest / step) + 1;
      if ((count - 1) * step >= length + (before[d] as number)) count--;
    }
    return Math.max(0, (count - 1) * step - rest);
  });
}

interface Pooled extends Windows {
  readonly x: Tensor;
  readonly size: Shape;
  /** With what ceil_mode adds. */
  readonly end: number[];
}

function poolOf(call: Call): Pooled {
  const x = call.x();
  const size = x.sizes.slice(2);
  if (size.length < 1 || size.length > 3)
    throw new ShapeError(
      `${call.node.op}: expected input [n, channels, ...] with 1 to 3 further dims, got ${formatShape(x.sizes)}`,
    );
  const windows = windowsOf(call, size, call.ints('kernel_shape') ?? []);
  const over = overhang(call, size, windows);
  return { ...windows, x, size, end: windows.behind.map((n, d) => n + (over[d] as number)) };
}

const WINDOWS = 'auto_pad=NOTSET ceil_mode=0 dilations:ints kernel_shape!:ints pads:ints strides:ints';
const none = (sides: readonly number[]): boolean => sides.every((n) => n === 0);

/** Padding that pools know: alike on both sides, and at most half of the window. */
const isCommon = ({ before, end, kernel }: Pooled): boolean =>
  before.every((n, d) => n === end[d] && n <= (kernel[d] as number) / 2);

const maxPools = [P.maxPool1d, P.maxPool2d, P.maxPool3d] as const;
const avgPools = [P.avgPool1d, P.avgPool2d, P.avgPool3d] as const;

const greatest: Operator = {
  takes: `X | ${WINDOWS} storage_order=0`,
  types: first(DATA.INT64),
  run: (call) => {
    const pooled = poolOf(call);
    const { before, end, kernel, stride, dilation, size } = pooled;
    const floats = cast(pooled.x, 'f32');
    const spatial = size.length;
    const pool = maxPools[spatial - 1] as typeof P.maxPool1d;
    const common = isCommon(pooled);
    const x = common ? floats : pad(floats, around({ before, behind: end }), 'constant', Number.NEGATIVE_INFINITY);
    const padding = common ? before : before.map(() => 0);
    if (!call.wants(1)) return cast(pool(x, kernel, stride, padding, dilation), pooled.x.dtype);
    const [y, index] = pool(x, kernel, stride, padding, dilation, { returnIndices: true });
    return [cast(y, pooled.x.dtype), placesOf(call, index, x, pooled, common)];
  },
};

/** Places in a padded plane as those in the whole tensor, which ONNX counts. */
function placesOf(call: Call, index: Tensor, padded: Tensor, { before, size, x }: Pooled, common: boolean): Tensor {
  const spatial = size.length;
  let rest = index;
  let place: Tensor | null = null;
  let step = 1;
  const column = call.attr('storage_order') === 1;
  // From the last dim on; column by column the first dim moves by one.
  for (let d = spatial - 1; d >= 0; d--) {
    const width = padded.sizes[d + 2] as number;
    const whole = cast(F.floor(F.div(rest, width)), 'i32');
    let at = F.sub(rest, F.mul(whole, width));
    if (!common) at = F.sub(at, before[d] as number);
    const weight = column ? size.slice(0, d).reduce((a, b) => a * b, 1) : step;
    const part = F.mul(at, weight);
    place = place ? F.add(place, part) : part;
    rest = whole;
    step *= size[d] as number;
  }
  const planes = reshape(iota(x.size / step, x), [...x.sizes.slice(0, 2), ...size.map(() => 1)]);
  return F.add(place as Tensor, F.mul(planes, step));
}

/** The sum of each window; of one that is dilated by shifted parts. */
function sums(x: Tensor, { before, end, kernel, stride, dilation, size }: Pooled): Tensor {
  const spatial = size.length;
  const padded = none([...before, ...end]) ? x : pad(x, around({ before, behind: end }));
  if (dilation.every((n) => n === 1)) {
    const total = kernel.reduce((a, b) => a * b, 1);
    return F.mul((avgPools[spatial - 1] as typeof P.avgPool2d)(padded, kernel, stride), total);
  }
  return kernel.reduce((y, taps, d) => {
    const [step, apart] = [stride[d] as number, dilation[d] as number];
    const count = Math.floor(((y.sizes[d + 2] as number) - reach(taps, apart)) / step) + 1;
    const parts = Array.from({ length: taps }, (_, tap) =>
      y.slice(d + 2, tap * apart, tap * apart + (count - 1) * step + 1, step),
    );
    return parts.reduce((a, b) => F.add(a, b));
  }, padded);
}

/** How many elements each window has, [1, 1, ...]: those of the padding too where they count. */
function countsOf(pooled: Pooled, include: boolean): Tensor {
  const { before, behind, end, size } = pooled;
  const image = ones([1, 1, ...size]);
  if (!include) return sums(image, pooled);
  const framed = pad(image, around({ before, behind }), 'constant', 1);
  return sums(framed, { ...pooled, before: before.map(() => 0), end: end.map((n, d) => n - (behind[d] as number)) });
}

const average: Operator = {
  takes: `X | ${WINDOWS} count_include_pad=0`,
  run: (call) => {
    const pooled = poolOf(call);
    const { before, behind, end, kernel, stride, dilation, size } = pooled;
    const include = call.attr('count_include_pad') !== 0;
    const x = cast(pooled.x, 'f32');
    if (isCommon(pooled) && dilation.every((n) => n === 1) && none(end.map((n, d) => n - (behind[d] as number))))
      return (avgPools[size.length - 1] as typeof P.avgPool1d)(x, kernel, stride, before, false, include);
    return F.div(sums(x, pooled), countsOf(pooled, include));
  },
};

/** (Σ |x|ᵖ)^(1 / p). */
const byPower = (x: Tensor, p: number, total: (x: Tensor) => Tensor): Tensor => {
  if (p === 1) return total(F.abs(x));
  const y = total(p === 2 ? F.square(x) : F.pow(F.abs(x), p));
  return p === 2 ? F.sqrt(y) : F.pow(y, 1 / p);
};

const power: Operator = {
  takes: `X | ${WINDOWS} p=2`,
  run: (call) => {
    const pooled = poolOf(call);
    return byPower(cast(pooled.x, 'f32'), call.attr('p'), (x) => sums(x, pooled));
  },
};

const whole = (fn: (x: Tensor, dims: number[], call: Call) => Tensor, attributes = ''): Operator => ({
  takes: `X | ${attributes}`,
  run: (call) => {
    const x = call.x();
    return fn(x, x.sizes.map((_, d) => d).slice(2), call);
  },
});

const unpooled: Operator = {
  takes: 'X I output_shape?# | kernel_shape!:ints pads:ints strides:ints',
  run: (call) => {
    const [x, index] = [call.x(0), call.index(1)];
    const kernel = call.ints('kernel_shape') as readonly number[];
    const spatial = kernel.length;
    const stride = call.ints('strides') ?? kernel.map(() => 1);
    const padding = (call.ints('pads') ?? kernel.map(() => 0)).slice(0, spatial);
    const least = kernel.map(
      (size, d) => ((x.sizes[d + 2] as number) - 1) * (stride[d] as number) - 2 * (padding[d] as number) + size,
    );
    const size = call.has(2) ? call.list(2).slice(-spatial) : least;
    // ONNX's places are those in the tensor as it was pooled; a larger result keeps them.
    const planes = least.reduce((a, b) => a * b, 1);
    const inPlane = F.sub(index, F.mul(cast(F.floor(F.div(index, planes)), 'i32'), planes));
    const unpool = [maxUnpool1d, maxUnpool2d, maxUnpool3d][spatial - 1] as typeof maxUnpool2d;
    const y = unpool(x, inPlane, [...kernel], { stride: [...stride], padding: [...padding], outputSize: [...least] });
    if (size.every((n, d) => n === least[d])) return y;
    return pad(y, around({ before: least.map(() => 0), behind: size.map((n, d) => n - (least[d] as number)) }));
  },
};

export const pools: Family = {
  AveragePool: average,
  GlobalAveragePool: whole((x, dims) => mean(x, dims, true)),
  GlobalLpPool: whole((x, dims, call) => byPower(x, call.attr('p'), (y) => sum(y, dims, true)), 'p=2'),
  GlobalMaxPool: whole((x, dims) => amax(x, dims, true)),
  LpPool: power,
  MaxPool: greatest,
  MaxUnpool: unpooled,
};
