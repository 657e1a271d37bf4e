// What threads rely on: a kernel done in slices leaves the bits it leaves done at once. A slice is the same call with one
// count made smaller and its other operands moved on by a constant for each unit before it.
import { describe, expect, it } from 'vitest';
import { type OperandKind, signatures } from '../../bindings/runtime/kernels.ts';
import { type Build, builds, KernelBench } from '../support/kernels.ts';

/** An operand: what makes it, and how far it moves with each unit: in elements, or, of a number, by itself. */
interface Operand {
  readonly values?: Float32Array | Int32Array | Uint8Array;
  readonly number?: number;
  /** How many of the count one unit is, where this is the count. */
  readonly counts?: number;
  readonly writes?: boolean;
  readonly step: number;
}

/** Reproducible values in [-2, 2] that are no simple sequence. */
const noise = (n: number, seed: number): Float32Array =>
  Float32Array.from({ length: n }, (_, i) => 2 * Math.sin(seed + i * i * 1.37));
const positive = (n: number, seed: number): Float32Array => noise(n, seed).map((v) => Math.abs(v) + 0.1);

let seed = 0;
/** n numbers to read. */
const input = (n: number, step: number): Operand => ({ values: noise(n, ++seed), step });
const inputOf = (values: Float32Array | Int32Array | Uint8Array, step: number): Operand => ({ values, step });
/** n numbers to write. */
const output = (n: number, step: number): Operand => ({ values: new Float32Array(n).fill(7), writes: true, step });
const words = (n: number, step: number): Operand => ({ values: new Int32Array(n).fill(7), writes: true, step });
const bytes = (n: number, step: number): Operand => ({ values: new Uint8Array(n).fill(7), writes: true, step });
/** n numbers to read and write. */
const state = (n: number, step: number): Operand => ({ values: positive(n, ++seed), writes: true, step });
const count = (counts = 1): Operand => ({ counts, step: 0 });
const number = (value: number, step = 0): Operand => ({ number: value, step });
const none = number(0);
/** Room for the sums of columns. */
const workspace: Operand = { values: new Float32Array(4096), step: 0 };

interface Case {
  readonly kernel: string;
  readonly units: number;
  /** Slices begin at multiples of it. */
  readonly multiple: number;
  readonly operands: readonly Operand[];
}
const cases: Case[] = [];
const add = (kernel: string, units: number, multiple: number, operands: readonly Operand[]): void => {
  cases.push({ kernel, units, multiple, operands });
};

// By elements.
const N = 1009;
const isKinds = (kinds: readonly OperandKind[], ...expected: OperandKind[]): boolean =>
  kinds.join() === expected.join();
for (const [kernel, kinds] of Object.entries(signatures) as [string, readonly OperandKind[]][]) {
  if (kernel.startsWith('dropout') || kernel.startsWith('cast')) continue;
  const scalars = kinds.filter((kind) => kind === 'f32');
  const parameters = scalars.map((_, i) => number(0.25 + i));
  if (isKinds(kinds, 'out', 'in', 'i32', ...scalars))
    add(kernel, N, 16, [output(N, 1), input(N, 1), count(), ...parameters]);
  if (isKinds(kinds, 'out', 'in', 'in', 'i32', ...scalars))
    add(kernel, N, 16, [
      output(N, 1),
      input(N, 1),
      inputOf(
        positive(N, 3).map((v) => v / 3),
        1,
      ),
      count(),
      ...parameters,
    ]);
  if (isKinds(kinds, 'out', 'in', 'in', 'in', 'i32', ...scalars))
    add(kernel, N, 16, [
      output(N, 1),
      input(N, 1),
      inputOf(
        positive(N, 3).map((v) => v / 3),
        1,
      ),
      input(N, 1),
      count(),
      ...parameters,
    ]);
}
add('cast_f32_i32', N, 16, [words(N, 1), input(N, 1), count()]);
add('cast_f32_u8', N, 16, [bytes(N, 1), input(N, 1), count()]);
add('cast_u8_f32', N, 16, [
  output(N, 1),
  inputOf(
    Uint8Array.from({ length: N }, (_, i) => i),
    1,
  ),
  count(),
]);
add('fill_f32', N, 16, [output(N, 1), count(), number(3)]);
add('axpy_f32', N, 16, [state(N, 1), input(N, 1), count(), number(0.3)]);
add('scale_by_f32', N, 16, [state(N, 1), count(), input(1, 0)]);
for (const weights of [none, input(7, 0)]) {
  const sizes = [count(7), number(7)];
  add('bce_with_logits_forward_f32', 37, 1, [
    output(259, 7),
    input(259, 7),
    inputOf(positive(259, 1), 7),
    weights,
    ...sizes,
  ]);
  add('bce_with_logits_backward_f32', 37, 1, [
    output(259, 7),
    input(259, 7),
    input(259, 7),
    inputOf(positive(259, 1), 7),
    weights,
    ...sizes,
  ]);
}

// Random numbers.
const generator = inputOf(Int32Array.of(12345, 678, -2, 7), 0);
add('random_u32', N, 4, [words(N, 1), count(), number(0, 1), generator]);
add('random_u32', 50, 4, [words(50, 1), count(), number(64, 1), generator]);
add('uniform_f32', N, 4, [output(N, 1), count(), number(0, 1), number(-1), number(2), generator]);
add('normal_f32', N, 4, [output(N, 1), count(), number(0, 1), number(1), number(2), generator]);
add('bernoulli_f32', N, 4, [output(N, 1), count(), number(0, 1), number(0.3), generator]);
add('dropout_forward_f32', N, 4, [
  output(N, 1),
  bytes(N, 1),
  input(N, 1),
  count(),
  number(0, 1),
  number(0.3),
  generator,
]);
const mask = Uint8Array.from({ length: N }, (_, i) => ((i * i) % 3) & 1);
add('dropout_backward_f32', N, 4, [output(N, 1), input(N, 1), inputOf(mask, 1), count(), number(0.3)]);

// Optimizers.
const step = inputOf(Float32Array.of(3), 0);
const hyper = inputOf(Float32Array.of(0.01, 0.1, 0, 0.1, 0.01, 1e-8, 1), 0);
for (const extra of [none, state(N, 1)]) {
  add('sgd_step_f32', N, 16, [state(N, 1), input(N, 1), extra, step, hyper, count()]);
  add('adam_step_f32', N, 16, [state(N, 1), input(N, 1), state(N, 1), state(N, 1), extra, step, hyper, count()]);
  add('rmsprop_step_f32', N, 16, [state(N, 1), input(N, 1), state(N, 1), extra, extra, step, hyper, count()]);
}
add('adagrad_step_f32', N, 16, [state(N, 1), input(N, 1), state(N, 1), step, hyper, count()]);

// Reductions and softmaxes of [outer, r, inner]: by outer, and by columns of one matrix.
const reductions = ['sum', 'sum_squares', 'prod', 'max', 'min', 'argmax', 'argmin', 'logsumexp'];
const maps = ['cumsum_forward', 'cumsum_backward', 'softmax_forward', 'log_softmax_forward'];
const gradients = ['softmax_backward', 'log_softmax_backward'];
for (const [outer, r, inner] of [
  [23, 67, 1],
  [11, 19, 5],
  [1, 67, 53],
  [1, 1009, 19],
  [1, 40, 2083],
] as const) {
  const units = outer > 1 ? outer : inner;
  const out = outer > 1 ? inner : 1; // elements of a result, and of x, in a unit
  const x = outer > 1 ? r * inner : 1;
  const sizes = [outer > 1 ? count() : number(1), number(r), outer > 1 ? number(inner) : count(), number(inner)];
  const n = outer * r * inner;
  for (const name of reductions)
    add(`${name}_f32`, units, 1, [
      output(outer * inner, out),
      input(n, x),
      ...sizes,
      ...(name === 'sum' ? [number(0.3)] : []),
      ...(name.startsWith('sum') ? [workspace] : []),
    ]);
  add('variance_f32', units, 1, [
    output(outer * inner, out),
    output(outer * inner, out),
    input(n, x),
    ...sizes,
    number(1),
    workspace,
  ]);
  add('prod_backward_f32', units, 1, [output(n, x), input(outer * inner, out), input(n, x), ...sizes]);
  for (const name of maps) add(`${name}_f32`, units, 1, [output(n, x), input(n, x), ...sizes]);
  for (const name of gradients) add(`${name}_f32`, units, 1, [output(n, x), input(n, x), input(n, x), ...sizes]);
}

// Norms: rows, and columns or channels of parameters.
for (const [rows, cols] of [
  [19, 37],
  [67, 130],
] as const) {
  const n = rows * cols;
  const sizes = [count(), number(cols)];
  add('layer_norm_forward_f32', rows, 1, [
    ...[output(n, cols), output(rows, 1), output(rows, 1), input(n, cols), input(cols, 0), input(cols, 0)],
    ...[...sizes, number(1e-5)],
  ]);
  add('layer_norm_backward_f32', rows, 1, [
    ...[output(n, cols), input(n, cols), input(n, cols), input(rows, 1), input(rows, 1), input(cols, 0)],
    ...sizes,
  ]);
  for (const bias of [output(cols, 1), none])
    add('layer_norm_backward_params_f32', cols, 1, [
      ...[output(cols, 1), bias, input(n, 1), input(n, 1), input(rows, 0), input(rows, 0)],
      ...[number(rows), count(), number(cols), workspace],
    ]);
}
for (const [n, c, s] of [
  [9, 37, 1],
  [3, 11, 21],
  [3, 1030, 3],
] as const) {
  const size = n * c * s;
  const sizes = [number(n), count(), number(s), number(c * s)];
  const [x, channel] = [(): Operand => input(size, s), (): Operand => input(c, 1)];
  add('batch_norm_stats_f32', c, 1, [output(c, 1), output(c, 1), x(), ...sizes, workspace]);
  add('batch_norm_forward_f32', c, 1, [output(size, s), x(), channel(), channel(), channel(), channel(), ...sizes]);
  add('batch_norm_forward_f32', n, 1, [
    ...[output(size, c * s), input(size, c * s), input(c, 0), input(c, 0), input(c, 0), none],
    ...[count(), number(c), number(s), number(c * s)],
  ]);
  add('batch_norm_backward_params_f32', c, 1, [
    output(c, 1),
    output(c, 1),
    x(),
    x(),
    channel(),
    channel(),
    ...sizes,
    workspace,
  ]);
  add('batch_norm_backward_f32', c, 1, [
    ...[output(size, s), x(), x(), channel(), channel(), channel(), channel(), channel()],
    ...sizes,
  ]);
  add('batch_norm_backward_eval_f32', c, 1, [output(size, s), x(), channel(), none, ...sizes]);
  add('batch_norm_update_f32', c, 1, [
    state(c, 1),
    state(c, 1),
    channel(),
    channel(),
    count(),
    number(0.1),
    number(1.1),
  ]);
}
for (const [n, groups, c, s] of [
  [5, 3, 4, 7],
  [3, 515, 2, 3],
  [7, 1, 17, 1],
] as const) {
  const [sample, size, channels] = [groups * c * s, n * groups * c * s, groups * c];
  const sizes = [number(groups), number(c), number(s)];
  add('group_norm_forward_f32', n, 1, [
    ...[output(size, sample), output(n * groups, groups), output(n * groups, groups), input(size, sample)],
    ...[input(channels, 0), input(channels, 0), count(), ...sizes, number(1e-5)],
  ]);
  add('group_norm_backward_f32', n, 1, [
    ...[output(size, sample), input(size, sample), input(size, sample), input(n * groups, groups)],
    ...[input(n * groups, groups), input(channels, 0), count(), ...sizes],
  ]);
  add('group_norm_backward_params_f32', channels, 1, [
    ...[output(channels, 0), output(channels, 0), input(size, 0), input(size, 0), input(n * groups, 0)],
    ...[input(n * groups, 0), number(n), ...sizes, number(0, 1), count(), workspace],
  ]);
}

// Losses by rows.
const [rows, classes] = [29, 13];
const target = Int32Array.from({ length: rows }, (_, i) => (i % 7 === 3 ? -100 : (i * 5) % classes));
for (const [weight, smoothing] of [
  [none, 0],
  [inputOf(positive(classes, 5), 0), 0.1],
] as const) {
  const tail = [count(), number(classes), number(-100), number(smoothing)];
  const logits = input(rows * classes, classes);
  add('cross_entropy_forward_f32', rows, 1, [
    output(rows, 1),
    output(rows, 1),
    logits,
    inputOf(target, 1),
    weight,
    ...tail,
  ]);
  add('cross_entropy_backward_f32', rows, 1, [
    ...[output(rows * classes, classes), input(rows, 1), logits, input(rows, 1), inputOf(target, 1), weight],
    ...tail,
  ]);
  const sizes = [count(), number(classes), number(1), number(-100)];
  add('nll_forward_f32', rows, 1, [output(rows, 1), logits, inputOf(target, 1), weight, ...sizes]);
  add('nll_backward_f32', rows, 1, [
    output(rows * classes, classes),
    input(rows, 1),
    inputOf(target, 1),
    weight,
    ...sizes,
  ]);
  add('class_weights_f32', rows, 1, [
    output(rows, 1),
    inputOf(target, 1),
    weight,
    count(),
    number(classes),
    number(-100),
  ]);
}

// Pools by planes: of 9 by 11 into windows of 3 by 2, 2 by 2 apart, padded by 1 and 0.
const axes = inputOf(Int32Array.of(9, 5, 3, 2, 1, 1, 11, 5, 2, 2, 0, 1, 1, 0), 0);
const [planes, plane, pooled] = [300, 99, 25];
const places = Int32Array.from({ length: planes * pooled }, (_, i) => (i * 31) % plane);
for (const kind of ['', 'adaptive_']) {
  const [x, y] = [(): Operand => input(planes * plane, plane), (): Operand => output(planes * pooled, pooled)];
  add(`${kind}max_pool_forward_f32`, planes, 1, [y(), words(planes * pooled, pooled), x(), count(), axes]);
  add(`${kind}avg_pool_forward_f32`, planes, 1, [y(), x(), count(), axes]);
  const g = input(planes * pooled, pooled);
  add(`${kind}avg_pool_backward_f32`, planes, 1, [output(planes * plane, plane), g, count(), axes]);
}
add('max_pool_backward_f32', planes, 1, [
  ...[output(planes * plane, plane), input(planes * pooled, pooled), inputOf(places, pooled)],
  ...[count(), number(plane), number(pooled)],
]);

/** What a case writes, done in slices that end at `ends`. NaNs are made alike. */
function written(bench: KernelBench, { kernel, operands }: Case, ends: readonly number[]): Int32Array[] {
  bench.reset();
  const size = (operand: Operand): number => operand.values?.BYTES_PER_ELEMENT ?? 1;
  const at = operands.map(({ values, number: value = 0 }) => {
    if (values instanceof Float32Array) return bench.f32(values);
    if (values instanceof Int32Array) return bench.i32(values);
    return values ? bench.u8(values) : value;
  });
  let start = 0;
  for (const end of ends) {
    const args = operands.map((operand, i) =>
      operand.counts ? (end - start) * operand.counts : (at[i] as number) + start * operand.step * size(operand),
    );
    bench.run(kernel, ...args);
    start = end;
  }
  return operands.flatMap((operand, i) => {
    const { values, writes } = operand;
    if (!writes || !values) return [];
    const p = at[i] as number;
    if (values instanceof Uint8Array) return [Int32Array.from(bench.readU8(p, values.length))];
    if (values instanceof Int32Array) return [bench.readI32(p, values.length)];
    const floats = bench.readF32(p, values.length).map((v) => (Number.isNaN(v) ? Number.NaN : v));
    return [new Int32Array(floats.buffer)];
  });
}

describe.each(builds)('%s', (build: Build) => {
  const bench = new KernelBench(build);

  it.each([...new Set(cases.map(({ kernel }) => kernel))])('%s leaves the same bits in slices', (kernel) => {
    for (const each of cases.filter((c) => c.kernel === kernel)) {
      const { units, multiple } = each;
      const whole = written(bench, each, [units]);
      expect(whole.length).toBeGreaterThan(0);
      for (const pieces of [2, 3, 5]) {
        const ends = Array.from({ length: pieces }, (_, i) =>
          i === pieces - 1 ? units : Math.floor(((i + 1) * units) / pieces / multiple) * multiple,
        );
        expect(written(bench, each, ends), `${units} units until ${ends}`).toEqual(whole);
      }
    }
  });

  // Operands of strided kernels lie in a list: a slice is a list of fewer rows.
  it.each(['add_forward_f32', 'pow_forward_f32', 'gt_f32'])('%s leaves the same bits in slices', (kernel) => {
    const [n, cols] = [37, 21];
    const size = kernel === 'gt_f32' ? 1 : 4;
    for (const [a, b] of [
      [
        [cols, 1],
        [0, 1],
      ],
      [
        [cols, 1],
        [1, 0],
      ],
      [
        [1, n],
        [cols, 1],
      ],
    ] as const) {
      const run = (pieces: number): Uint8Array => {
        bench.reset();
        const [x, y] = [bench.f32(noise(n * cols, 1)), bench.f32(noise(n * cols, 2))];
        const out = bench.u8(n * cols * size);
        for (let i = 0; i < pieces; i++) {
          const [from, to] = [Math.floor((i * n) / pieces), Math.floor(((i + 1) * n) / pieces)];
          const dims = bench.i32([2, to - from, cols, ...a, ...b]);
          bench.run(kernel, out + from * cols * size, x + from * a[0] * 4, y + from * b[0] * 4, dims);
        }
        return bench.readU8(out, n * cols * size);
      };
      for (const pieces of [2, 3, 5]) expect(run(pieces)).toEqual(run(1));
    }
  });
});
