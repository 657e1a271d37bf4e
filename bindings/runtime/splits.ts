// Which independent units the call of a kernel falls into, so that threads can share it and elementwise calls can run block
// by block. A slice is the same kernel with its pointers moved on and a smaller count; the kernels say which slices give the
// same bits. What has no rule here is run in one piece.
import { type KernelName, type ProbeName, signatures } from './kernels.ts';
import type { Command } from './recorder.ts';

/** How a call is cut. */
export interface Split {
  readonly units: number;
  /** Slices begin at multiples of it. */
  readonly grain: number;
  /** Which argument holds the number of units; negative: ~which word of the list that is the last argument. */
  readonly count: number;
  /** For each argument, what one unit adds to it. */
  readonly steps: readonly number[];
  /** Roughly how many nanoseconds one thread takes for all. */
  readonly cost: number;
  /** One element is one unit, and no two operands are laid out differently. */
  readonly elementwise: boolean;
}

/** Arguments as numbers: places are 1, or 0 where absent; the list of dims stands apart. */
export interface Call {
  readonly numbers: readonly number[];
  readonly dims: readonly number[];
}

type Rule = (call: Call) => Split | null;

/** Nanoseconds that a call has to take for threads to share it. */
export const WORTH_SHARING = 20_000;

const FLOAT = 4;
/** Elements: as many as two cache lines, so that threads do not write to the same one; and enough to be worth a call. */
const GRAIN = 1024;

/** A split into `units`, with steps that are left out 0 and those of absent operands 0. */
function split(
  { numbers }: Call,
  units: number,
  grain: number,
  count: number,
  cost: number,
  steps: Readonly<Record<number, number>>,
  elementwise = false,
): Split {
  const all = numbers.map((value, i) => (value === 0 && i !== count ? 0 : (steps[i] ?? 0)));
  return { units, grain, count, steps: all, cost, elementwise };
}

/** Elementwise over n elements: argument `n`; the operands with their bytes an element. */
const elements =
  (n: number, bytes: readonly number[], cost = 0.5, first = -1): Rule =>
  (call) => {
    const units = call.numbers[n] as number;
    const steps: Record<number, number> = { ...bytes };
    if (first >= 0) steps[first] = 1;
    const result = split(call, units, GRAIN, n, units * cost, steps, true);
    // The first element of a draw is 0 for the whole and counts on all the same.
    return first < 0 ? result : { ...result, steps: result.steps.map((step, i) => (i === first ? 1 : step)) };
  };

/** Elementwise over dims = [rank, sizes, the strides of each input], cut along the outermost; `out` is contiguous. */
const broadcast =
  (out: number, ...inputs: readonly number[]): Rule =>
  (call) => {
    const [rank = 0, units = 0] = call.dims;
    if (rank === 0) return null;
    let row = 1;
    for (let d = 1; d < rank; d++) row *= call.dims[1 + d] as number;
    const steps: Record<number, number> = { 0: row * out };
    inputs.forEach((bytes, i) => {
      steps[i + 1] = (call.dims[1 + rank * (i + 1)] as number) * bytes;
    });
    const grain = Math.max(1, Math.ceil(GRAIN / row));
    return split(call, units, grain, ~1, units * row * 0.5, steps, rank === 1);
  };

/** [outer, r, inner] from argument `at`, with the row stride behind: cut by `outer`, or by `inner` where outer is 1. */
const reduction =
  (at: number, outputs: readonly number[], inputs: readonly number[], like: readonly number[] = [], cost = 0.4): Rule =>
  (call) => {
    const [outer = 0, r = 0, inner = 0, stride = 0] = call.numbers.slice(at, at + 4);
    const work = outer * r * inner * cost;
    const steps: Record<number, number> = {};
    if (outer > 1) {
      for (const i of outputs) steps[i] = FLOAT * inner;
      for (const i of inputs) steps[i] = FLOAT * r * stride;
      for (const i of like) steps[i] = FLOAT * r * stride;
      return split(call, outer, Math.max(1, Math.ceil(GRAIN / (r * inner))), at, work, steps);
    }
    if (inner < 32) return null;
    for (const i of [...outputs, ...inputs, ...like]) steps[i] = FLOAT;
    return split(call, inner, 16, at + 2, work, steps);
  };

/** Rows of `width` elements (argument at + 1), argument `at` of them: operands of whole rows, and of one number a row. */
const rows =
  (at: number, whole: readonly number[], single: readonly number[], cost = 1): Rule =>
  (call) => {
    const [count = 0, width = 0] = call.numbers.slice(at, at + 2);
    const steps: Record<number, number> = {};
    for (const i of whole) steps[i] = FLOAT * width;
    for (const i of single) steps[i] = FLOAT;
    return split(call, count, Math.max(1, Math.ceil(GRAIN / width)), at, count * width * cost, steps);
  };

/** The columns (argument at + 1) of rows: operands of whole rows or of one of them. */
const columns =
  (at: number, whole: readonly number[]): Rule =>
  (call) => {
    const [count = 0, width = 0] = call.numbers.slice(at, at + 2);
    const steps: Record<number, number> = {};
    for (const i of whole) steps[i] = FLOAT;
    return split(call, width, 16, at + 1, count * width, steps);
  };

/** [n, channels, s] from argument `at`, with the batch stride behind: cut by channels. */
const channels =
  (at: number, whole: readonly number[], single: readonly number[]): Rule =>
  (call) => {
    const [n = 0, count = 0, s = 0] = call.numbers.slice(at, at + 3);
    const steps: Record<number, number> = {};
    for (const i of whole) steps[i] = FLOAT * s;
    for (const i of single) steps[i] = FLOAT;
    return split(call, count, s < 16 ? 16 : 1, at + 1, n * count * s * 0.4, steps);
  };

/** Nanoseconds of one multiply-add in a matrix product. */
const MADD = 0.04;

/** C [m, n] = A [m, k] B [k, n], by rows or by columns; a batch of products by its outermost dim. */
const gemm: Rule = (call) => {
  const [, , , , m = 0, n = 0, k = 0, ars = 0, , , bcs = 0, crs = 0] = call.numbers;
  const [rank = 0, ...rest] = call.dims;
  const work = m * n * k * MADD;
  if (rank > 0) {
    const units = rest[0] as number;
    const batch = rest.slice(0, rank).reduce((a, b) => a * b, 1);
    const [a = 0, b = 0, c = 0] = [rest[rank], rest[2 * rank], rest[3 * rank]];
    return split(call, units, 1, ~1, work * batch, { 0: FLOAT * c, 1: FLOAT * a, 2: FLOAT * b });
  }
  // Slices must not be single rows or columns, which are computed in another way than many; whole tiles are the fastest.
  if (m >= 16 && (m >= n / 4 || n < 64))
    return split(call, m, m < 192 ? 8 : 24, 4, work, { 0: FLOAT * crs, 1: FLOAT * ars });
  if (n >= 64) return split(call, n, 32, 5, work, { 0: FLOAT, 2: FLOAT * bcs, 3: FLOAT });
  return null;
};

/** dims = [batch, groups, in, out, x's image, y's image, axes …]. */
function convolutionWork(dims: readonly number[]): number {
  const [batch = 0, groups = 0, input = 0, output = 0] = dims;
  let work = batch * groups * input * output;
  for (let axis = 6; axis < dims.length; axis += 6) work *= (dims[axis + 1] as number) * (dims[axis + 2] as number);
  return work * MADD;
}

/** A convolution by images. @param to the operand with y's or x's images, by argument */
const images =
  (x: number, y: number): Rule =>
  (call) => {
    const { dims } = call;
    const [batch = 0, , , , inImage = 0, outImage = 0] = dims;
    return split(call, batch, 1, ~0, convolutionWork(dims), { [x]: FLOAT * inImage, [y]: FLOAT * outImage });
  };

/** dw, g, x: by output channels, or by groups where there are several. */
const convolutionWeight: Rule = (call) => {
  const { dims } = call;
  const [, groups = 0, input = 0, output = 0] = dims;
  let taps = 1;
  let inPlane = 1;
  let outPlane = 1;
  for (let axis = 6; axis < dims.length; axis += 6) {
    inPlane *= dims[axis] as number;
    outPlane *= dims[axis + 1] as number;
    taps *= dims[axis + 2] as number;
  }
  const work = convolutionWork(dims);
  // Each slice packs all of x anew, or transforms it.
  if (groups === 1) return split(call, output, 8, ~3, work, { 0: FLOAT * input * taps, 1: FLOAT * outPlane });
  const steps = { 0: FLOAT * output * input * taps, 1: FLOAT * output * outPlane, 2: FLOAT * input * inPlane };
  return split(call, groups, 1, ~1, work, steps);
};

/** Likewise where channels lie side by side: threads should not write to the same cache line. */
const channelsLastWeight: Rule = (call) => {
  const { dims } = call;
  const [, groups = 0, input = 0, output = 0] = dims;
  const work = convolutionWork(dims);
  if (groups === 1) return split(call, output, 16, ~3, work, { 0: FLOAT, 1: FLOAT });
  const steps = { 0: FLOAT * output, 1: FLOAT * output, 2: FLOAT * input };
  return split(call, groups, Math.ceil(16 / Math.max(1, output)), ~1, work, steps);
};

/** Pooled planes, argument `at` of them; dims = two axes. Operands of whole planes, and of one number a window. */
const planes =
  (at: number, whole: readonly number[], windows: readonly number[]): Rule =>
  (call) => {
    const { dims } = call;
    const size = (dims[0] as number) * (dims[6] as number);
    const count = (dims[1] as number) * (dims[7] as number);
    const steps: Record<number, number> = {};
    for (const i of whole) steps[i] = FLOAT * size;
    for (const i of windows) steps[i] = FLOAT * count;
    const units = call.numbers[at] as number;
    return split(call, units, Math.ceil(16 / Math.max(1, count)), at, units * size, steps);
  };

/** Samples of groups of channels: n, groups, c, s from argument `at`. */
const groups =
  (at: number, whole: readonly number[], single: readonly number[]): Rule =>
  (call) => {
    const [n = 0, count = 0, c = 0, s = 0] = call.numbers.slice(at, at + 4);
    const steps: Record<number, number> = {};
    for (const i of whole) steps[i] = FLOAT * count * c * s;
    for (const i of single) steps[i] = FLOAT * count;
    return split(call, n, 1, at, n * count * c * s, steps);
  };

const cheap = [4, 4] as const;
const three = [4, 4, 4] as const;

const rules: Partial<Record<KernelName | ProbeName, Rule>> = {
  axpy_f32: elements(2, cheap),
  fill_f32: elements(1, [4]),
  cast_f32_i32: elements(2, [4, 4]),
  cast_f32_u8: elements(2, [1, 4]),
  cast_i32_f32: elements(2, [4, 4]),
  cast_i32_u8: elements(2, [1, 4]),
  cast_u8_f32: elements(2, [4, 1]),
  cast_u8_i32: elements(2, [4, 1]),
  where_f32: broadcast(4, 1, 4, 4),
  gemm_f32: gemm,
  conv_forward_f32: images(1, 0),
  conv_backward_input_f32: images(0, 1),
  conv_backward_weight_f32: convolutionWeight,
  conv_nhwc_forward_f32: images(1, 0),
  conv_nhwc_backward_input_f32: images(0, 1),
  conv_nhwc_backward_weight_f32: channelsLastWeight,
  sum_f32: reduction(2, [0], [1]),
  max_f32: reduction(2, [0], [1]),
  min_f32: reduction(2, [0], [1]),
  logsumexp_f32: reduction(2, [0], [1], [], 2),
  softmax_forward_f32: reduction(2, [], [], [0, 1], 2),
  softmax_backward_f32: reduction(3, [], [], [0, 1, 2]),
  log_softmax_forward_f32: reduction(2, [], [], [0, 1], 2),
  log_softmax_backward_f32: reduction(3, [], [], [0, 1, 2], 2),
  layer_norm_forward_f32: rows(6, [0, 3], [1, 2]),
  layer_norm_backward_f32: rows(6, [0, 1, 2], [3, 4]),
  layer_norm_backward_params_f32: columns(6, [0, 1, 2, 3]),
  batch_norm_stats_f32: channels(3, [2], [0, 1]),
  batch_norm_forward_f32: channels(6, [0, 1], [2, 3, 4, 5]),
  batch_norm_backward_params_f32: channels(6, [2, 3], [0, 1, 4, 5]),
  batch_norm_backward_f32: channels(8, [0, 1, 2], [3, 4, 5, 6, 7]),
  batch_norm_backward_eval_f32: channels(4, [0, 1], [2, 3]),
  group_norm_forward_f32: groups(6, [0, 3], [1, 2]),
  group_norm_backward_f32: groups(6, [0, 1, 2], [3, 4]),
  max_pool_forward_f32: planes(3, [2], [0, 1]),
  adaptive_max_pool_forward_f32: planes(3, [2], [0, 1]),
  avg_pool_forward_f32: planes(2, [1], [0]),
  avg_pool_backward_f32: planes(2, [0], [1]),
  adaptive_avg_pool_forward_f32: planes(2, [1], [0]),
  adaptive_avg_pool_backward_f32: planes(2, [0], [1]),
  max_pool_backward_f32: (call) => {
    const [, , , units = 0, size = 0, count = 0] = call.numbers;
    const steps = { 0: FLOAT * size, 1: FLOAT * count, 2: FLOAT * count };
    return split(call, units, Math.ceil(16 / Math.max(1, count)), 3, units * size, steps);
  },
  cross_entropy_forward_f32: rows(5, [2], [0, 1, 3], 3),
  cross_entropy_backward_f32: rows(6, [0, 2], [1, 3, 4], 3),
  uniform_f32: elements(1, [4], 2, 2),
  normal_f32: elements(1, [4], 5, 2),
  bernoulli_f32: elements(1, [4], 2, 2),
  dropout_forward_f32: elements(3, [4, 1, 4], 2, 4),
  dropout_backward_f32: elements(3, [4, 4, 1]),
  sgd_step_f32: elements(5, [4, 4, 4]),
  adam_step_f32: elements(7, [4, 4, 4, 4, 4], 1.5),
  rmsprop_step_f32: elements(7, [4, 4, 4, 4, 4], 1.5),
  adagrad_step_f32: elements(5, three, 1),
  scale_by_f32: elements(1, [4]),
};

/** Elementwise kernels whose names tell what they are: out, one or two inputs, n. */
for (const [name, kinds] of Object.entries(signatures)) {
  const list = kinds.join(' ');
  const kernel = name as KernelName;
  if (rules[kernel]) continue;
  if (/^out in i32( f32)*$/.test(list)) rules[kernel] = elements(2, cheap, 1);
  else if (/^out in in i32( f32)*$/.test(list) && /_backward_f32$/.test(name)) rules[kernel] = elements(3, three, 1);
  else if (list === 'out in in dims') rules[kernel] = broadcast(/^(eq|ne|lt|le|gt|ge)_/.test(name) ? 1 : 4, 4, 4);
}

/** Whether calls of a kernel may be cut at all. */
export const hasSplit = (kernel: KernelName): boolean => kernel in rules;

/** How a call is cut; null where it is not. */
export function splitOf({ kernel, args }: Command): Split | null {
  const rule = rules[kernel];
  if (!rule) return null;
  const numbers = args.map((x) => (typeof x === 'number' ? x : x === null ? 0 : 1));
  const last = args.at(-1);
  return rule({ numbers, dims: Array.isArray(last) ? last : [] });
}
