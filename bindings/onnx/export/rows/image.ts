// Images of another size, and images looked at where a grid says.

import type { Resample } from '../../../ops/resample.ts';
import { numelOf } from '../../../sizes.ts';
import { DATA } from '../../messages.ts';
import { float } from '../graph.ts';
import { linear, type Size, type Sizes } from '../sizes.ts';
import { type Call, needOpset, type Operand, type Writer, type Writers } from '../writers.ts';

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** The nearest element of `n`, as the kernels find it: in f32. */
function nearest(n: number, { size, mode, align, step }: Resample): number[] {
  if (align) return range(size).map((i) => Math.floor(0.5 + (size > 1 ? ((n - 1) / (size - 1)) * i : 0)));
  const scale = Math.fround(step > 0 ? step : n / size);
  const half = mode === 'nearest' ? 0 : 0.5;
  return range(size).map((i) => Math.min(Math.floor(Math.fround(Math.fround(i + half) * scale)), n - 1));
}

/** What each element of the result takes of each of the input, [n, size], as the cubic of PyTorch or linear. */
function weightsOf(n: number, { size, mode, align, step }: Resample): number[] {
  const scale = align ? (size > 1 ? (n - 1) / (size - 1) : 0) : step > 0 ? step : n / size;
  const cubic = mode.endsWith('cubic');
  const smooth = mode.startsWith('smooth');
  // Wider where elements are left out, so that all of them count.
  const wide = smooth ? Math.max(scale, 1) : 1;
  const a = smooth ? -0.5 : -0.75;
  const kernel = (t: number): number => {
    const x = Math.abs(t);
    if (!cubic) return Math.max(0, 1 - x);
    if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
  };
  const weights = new Array<number>(n * size).fill(0);
  for (let i = 0; i < size; i++) {
    const middle = align && !smooth ? i * scale : (i + 0.5) * scale - 0.5;
    const at = cubic || smooth ? middle : Math.max(middle, 0);
    const reach = (cubic ? 2 : 1) * wide;
    const taps = range(2 * Math.ceil(reach) + 2).map((j) => Math.floor(at) - Math.ceil(reach) + j);
    // Beyond the edge stands what is there; what is smoothed ends at it, and makes up for it.
    const inside = smooth ? taps.filter((j) => j >= 0 && j < n) : taps;
    const total = smooth ? inside.reduce((sum, j) => sum + kernel((j - at) / wide), 0) : 1;
    for (const j of inside) {
      const place = Math.min(Math.max(j, 0), n - 1) * size + i;
      weights[place] = (weights[place] as number) + kernel((j - at) / wide) / total;
    }
  }
  return weights;
}

/** Elements before, of and behind a dim. */
function aroundDim(call: Call, x: Operand, dim: number): [lead: Size, n: number, inner: number] {
  const fixed = (sizes: Sizes): number => numelOf(sizes.map((size) => call.fixed(size)));
  const lead = linear(x.sizes[0] as Size, fixed(x.sizes.slice(1, dim)), 0);
  return [dim === 0 ? 1 : lead, call.fixed(x.sizes[dim] as Size), fixed(x.sizes.slice(dim + 1))];
}

const resample: Writer<'resample'> = (g, { x }, attrs, call) => {
  const rank = x.sizes.length;
  const dim = attrs.dim < 0 ? attrs.dim + rank : attrs.dim;
  const { mode, size, align, step } = attrs;
  const [lead, n, inner] = aroundDim(call, x, dim);
  if (mode.startsWith('nearest')) return g.node('Gather', [x, g.ints(nearest(n, attrs))], { axis: dim });
  if ((mode === 'linear' || mode === 'cubic') && step === 0 && size > 1) {
    // All that is around the dim as an image of one channel: runtimes resize those.
    const image = g.reshape(x, [lead, 1, n, inner], x.sizes);
    const attributes = {
      mode,
      coordinate_transformation_mode: align ? 'align_corners' : 'half_pixel',
      ...(mode === 'cubic' && { cubic_coeff_a: float(-0.75) }),
    };
    const y = g.node('Resize', [image, null, null, g.sizes([lead, 1, size, inner])], attributes);
    return g.reshape(y, call.sizes, [lead, 1, size, inner]);
  }
  const weights = g.constant(weightsOf(n, attrs), DATA.FLOAT, [n, size]);
  const swapped = range(rank).map((d) => (d === dim ? rank - 1 : d === rank - 1 ? dim : d));
  return g.transpose(g.node('MatMul', [g.transpose(x, swapped), weights]), swapped);
};

/** What modes are called before and since opset 20. */
const GRID_MODES = {
  bilinear: ['bilinear', 'linear'],
  nearest: ['nearest', 'nearest'],
  bicubic: ['bicubic', 'cubic'],
} as const;

export const imageWriters = {
  resample,
  gridSample: (g, { x, grid }, { mode, padding, align }, call) => {
    if (x.sizes.length > 4) needOpset(g, call, 20);
    const [before, since] = GRID_MODES[mode];
    const attributes = {
      mode: g.opset >= 20 ? since : before,
      padding_mode: padding,
      align_corners: Number(align),
    };
    return g.node('GridSample', [x, grid], attributes);
  },
} satisfies Writers;
