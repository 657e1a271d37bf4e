// Reductions, scans and softmaxes of the middle axis of x [outer, r, inner], whose r lie `stride` apart.
import type { ElementType } from './descriptor.ts';
import { f32, input, kernel, output, rowGrain, size, workspace } from './descriptor.ts';

const sizes = { outer: size, r: size, inner: size, stride: size };
type Numbers = { readonly outer: number; readonly r: number; readonly inner: number };

/** By `outer`; or by columns, where there are enough of them for whole cache lines. */
const lanes = (cost = 0.4) => ({
  cut: ({ outer, r, inner }: Numbers) => {
    if (outer > 1) return { along: 'outer' as const, grain: rowGrain(r * inner) };
    return inner >= 32 ? { along: 'inner' as const, grain: 16 } : null;
  },
  cost: ({ outer, r, inner }: Numbers): number => outer * r * inner * cost,
});

// Where there is more than one of `outer`, stride is inner.
const reduced = (type: ElementType) => output(type, ['outer', 'stride'], 'inner');
const whole = (type: ElementType) => input(type, 'outer', ['r', 'stride'], 'inner');
const written = (type: ElementType) => output(type, 'outer', ['r', 'stride'], 'inner');

const reduction = (from: ElementType = 'f32', to: ElementType = from, cost?: number) =>
  kernel({ y: reduced(to), x: whole(from), ...sizes }, lanes(cost));
const scan = (cost?: number, type: ElementType = 'f32') =>
  kernel({ y: written(type), x: whole(type), ...sizes }, lanes(cost));
const scanBackward = (cost?: number) =>
  kernel({ dx: written('f32'), g: whole('f32'), y: whole('f32'), ...sizes }, lanes(cost));

export const reduceKernels = {
  sum_f32: kernel({ y: reduced('f32'), x: whole('f32'), ...sizes, factor: f32, workspace }, lanes()),
  sum_squares_f32: kernel({ y: reduced('f32'), x: whole('f32'), ...sizes, workspace }, lanes()),
  prod_f32: reduction(),
  prod_backward_f32: kernel(
    { dx: written('f32'), g: input('f32', 'outer', 'inner'), x: whole('f32'), ...sizes },
    lanes(),
  ),
  max_f32: reduction(),
  min_f32: reduction(),
  argmax_f32: reduction('f32', 'i32'),
  argmin_f32: reduction('f32', 'i32'),
  sum_i32: reduction('i32'),
  sum_u8: reduction('u8', 'i32'),
  max_i32: reduction('i32'),
  min_i32: reduction('i32'),
  argmax_i32: reduction('i32'),
  argmin_i32: reduction('i32'),
  logsumexp_f32: reduction('f32', 'f32', 2),
  variance_f32: kernel(
    { y: reduced('f32'), mean: reduced('f32'), x: whole('f32'), ...sizes, correction: f32, workspace },
    lanes(),
  ),
  cumsum_forward_f32: scan(),
  cumsum_forward_i32: scan(0.4, 'i32'),
  cumsum_backward_f32: scan(),
  logcumsumexp_forward_f32: scan(4),
  logcumsumexp_backward_f32: kernel(
    { dx: written('f32'), g: whole('f32'), x: whole('f32'), y: whole('f32'), ...sizes },
    lanes(4),
  ),
  softmax_forward_f32: scan(2),
  softmax_backward_f32: scanBackward(),
  log_softmax_forward_f32: scan(2),
  log_softmax_backward_f32: scanBackward(2),
};
