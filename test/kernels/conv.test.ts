// Convolutions against their definition in f64, and to the bit against it in f32 in the strict build.
import { describe, expect, it } from 'vitest';
import { builds, KernelBench } from '../support/kernels.ts';
import { random } from '../support/tensors.ts';

/** [size, outputs, kernel, stride, padding, dilation]; the padding behind shows in the outputs. */
type Axis = readonly [size: number, outputs: number, kernel: number, stride: number, padding: number, dilation: number];

interface Shape {
  readonly batch: number;
  readonly groups: number;
  /** Channels of a group. */
  readonly ins: number;
  readonly outs: number;
  readonly axes: readonly [Axis, Axis, Axis];
}

const NONE: Axis = [1, 1, 1, 1, 0, 1];
const axis = (size: number, kernel: number, stride = 1, padding = 0, dilation = 1, behind = padding): Axis => [
  size,
  Math.floor((size + padding + behind - (kernel - 1) * dilation - 1) / stride) + 1,
  kernel,
  stride,
  padding,
  dilation,
];
const square = (channels: readonly [number, number], a: Axis, { batch = 1, groups = 1 } = {}): Shape => ({
  batch,
  groups,
  ins: channels[0],
  outs: channels[1],
  axes: [NONE, a, a],
});

const shapes: readonly (readonly [string, Shape])[] = [
  ['one element', square([1, 1], axis(1, 1))],
  ['1x1', square([9, 7], axis(5, 1), { batch: 2 })],
  ['1x1, more pixels than a block has', square([3, 5], axis(24, 1))],
  ['1x1, stride 2', square([3, 5], axis(9, 1, 2))],
  ['3x3', square([5, 9], axis(11, 3, 1, 1), { batch: 2 })],
  ['3x3, images of one block', square([4, 6], axis(7, 3, 1, 1), { batch: 13 })],
  ['3x3, several K blocks', square([61, 10], axis(6, 3, 1, 1))],
  ['3x3, several blocks of rows', square([2, 151], axis(5, 3, 1, 1))],
  ['3x3, stride 2', square([5, 6], axis(12, 3, 2, 1), { batch: 2 })],
  ['2x2, stride 3: elements that no tap reaches', square([3, 4], axis(11, 2, 3, 1))],
  ['3x3, stride 4, dilation 2: a common factor', square([3, 4], axis(13, 3, 4, 2, 2))],
  ['3x3, dilation 3', square([3, 4], axis(13, 3, 1, 3, 3))],
  ['4x4, more padding behind', square([3, 4], axis(9, 4, 1, 1, 1, 2))],
  ['3x3, less than no padding behind', square([3, 4], axis(9, 3, 2, 1, 1, -1))],
  ['5x5, padding as wide as the kernel', square([2, 3], axis(6, 5, 1, 5))],
  ['7x7, stride 2', square([3, 9], axis(23, 7, 2, 3))],
  ['groups', square([3, 4], axis(9, 3, 1, 1), { groups: 3, batch: 2 })],
  ['groups of one input', square([1, 2], axis(9, 3, 2, 1), { groups: 5 })],
  ['depthwise 3x3', square([1, 1], axis(14, 3, 1, 1), { groups: 5, batch: 2 })],
  ['depthwise 3x3, wider than a band', square([1, 1], axis(131, 3, 1, 1), { groups: 2 })],
  ['depthwise 3x3, stride 2', square([1, 1], axis(15, 3, 2, 1), { groups: 5, batch: 2 })],
  ['depthwise 3x3, stride 3', square([1, 1], axis(16, 3, 3, 2), { groups: 2 })],
  ['depthwise 5x5, dilation 2', square([1, 1], axis(13, 5, 1, 3, 2), { groups: 3 })],
  ['depthwise 3x3, small', square([1, 1], axis(3, 3, 1, 1), { groups: 3, batch: 2 })],
  ['depthwise over one axis', { batch: 2, groups: 3, ins: 1, outs: 1, axes: [NONE, NONE, axis(19, 4, 2, 1)] }],
  ['more outputs than one', square([1, 5], axis(9, 3, 1, 1), { batch: 2 })],
  ['one axis', { batch: 3, groups: 1, ins: 4, outs: 6, axes: [NONE, NONE, axis(37, 5, 2, 2)] }],
  ['three axes', { batch: 2, groups: 2, ins: 2, outs: 3, axes: [axis(4, 2), axis(5, 3, 2, 1), axis(6, 3, 1, 1, 2)] }],
  [
    'depthwise over three axes',
    { batch: 1, groups: 3, ins: 1, outs: 1, axes: [axis(4, 2), axis(5, 3, 1, 1), axis(6, 3)] },
  ],
  ['no images', square([2, 3], axis(5, 3), { batch: 0 })],
];

/** Those of 3x3 taps with enough channels go by Winograd's algorithm: tiles of 4x4 outputs, all of an image or parts. */
const tiled: readonly (readonly [string, Shape])[] = [
  ['tiles, one of four', square([16, 16], axis(4, 3, 1, 1), { batch: 3 })],
  ['tiles cut off, channels that fill no vector', square([17, 19], axis(9, 3, 1, 1), { batch: 2 })],
  ['tiles, several blocks', square([16, 18], axis(35, 3, 1, 1))],
  ['tiles, several blocks of channels', square([131, 29], axis(6, 3, 1, 1), { batch: 2 })],
  ['tiles, several blocks of lines', square([70, 53], axis(7, 3, 1, 1), { batch: 4 })],
  ['tiles without padding', square([18, 16], axis(10, 3), { batch: 2 })],
  ['tiles, more padding than taps', square([16, 17], axis(5, 3, 1, 4))],
  ['tiles, more padding behind', square([16, 16], axis(6, 3, 1, 1, 1, 3), { batch: 2 })],
  ['tiles, wide', { batch: 1, groups: 1, ins: 16, outs: 16, axes: [NONE, axis(4, 3, 1, 1), axis(270, 3, 1, 1)] }],
  ['tiles in groups', square([16, 20], axis(8, 3, 1, 1), { groups: 2, batch: 2 })],
];
const all = [...shapes, ...tiled];

/** The `dims` operand of a convolution, or of a slice of it whose tensors are those of `whole`. */
const dimsOf = (shape: Shape, whole = shape): number[] => [
  shape.batch,
  shape.groups,
  shape.ins,
  shape.outs,
  whole.groups * whole.ins * inPixels(whole),
  whole.groups * whole.outs * outPixels(whole),
  ...shape.axes.flat(),
];

const product = (values: readonly number[]): number => values.reduce((a, b) => a * b, 1);
const inPixels = ({ axes }: Shape): number => product(axes.map(([size]) => size));
const outPixels = ({ axes }: Shape): number => product(axes.map(([, outputs]) => outputs));
const taps = ({ axes }: Shape): number => product(axes.map(([, , kernel]) => kernel));

/** Calls `visit` with the positions in y, x and w of all factors, in the order in which y and dw are summed. */
function forEachTerm(
  { batch, groups, ins, outs, axes }: Shape,
  visit: (y: number, x: number, w: number) => void,
): void {
  const [d, h, w] = axes;
  const reach = ([size, , kernel, stride, padding, dilation]: Axis, o: number): [tap: number, at: number][] =>
    Array.from({ length: kernel }, (_, t): [number, number] => [t, o * stride - padding + t * dilation]).filter(
      ([, at]) => at >= 0 && at < size,
    );
  const columns = Array.from({ length: w[1] }, (_, o) => reach(w, o));
  for (let image = 0; image < batch * groups; image++)
    for (let o = 0; o < outs; o++)
      for (let a = 0; a < d[1]; a++)
        for (let b = 0; b < h[1]; b++)
          columns.forEach((column, c) => {
            const y = (((image * outs + o) * d[1] + a) * h[1] + b) * w[1] + c;
            for (let i = 0; i < ins; i++)
              for (const [tz, z] of reach(d, a))
                for (const [ty, r] of reach(h, b))
                  for (const [tx, s] of column)
                    visit(
                      y,
                      (((image * ins + i) * d[0] + z) * h[0] + r) * w[0] + s,
                      (((((image % groups) * outs + o) * ins + i) * d[2] + tz) * h[2] + ty) * w[2] + tx,
                    );
          });
}

interface Tensors {
  readonly x: Float32Array;
  readonly w: Float32Array;
  readonly g: Float32Array;
}
function tensors(shape: Shape, next: () => number): Tensors {
  const { batch, groups, ins, outs } = shape;
  const make = (length: number): Float32Array => Float32Array.from({ length }, () => next() * 2 - 1);
  return {
    x: make(batch * groups * ins * inPixels(shape)),
    w: make(groups * outs * ins * taps(shape)),
    g: make(batch * groups * outs * outPixels(shape)),
  };
}

/** Sums of products, and of their sizes. */
interface Sums {
  readonly value: Float64Array;
  readonly size: Float64Array;
}
function define(shape: Shape, { x, w, g }: Tensors): { y: Sums; dx: Sums; dw: Sums } {
  const sums = ({ length }: Float32Array): Sums => ({
    value: new Float64Array(length),
    size: new Float64Array(length),
  });
  const [y, dx, dw] = [sums(g), sums(x), sums(w)];
  const add = (to: Sums, at: number, term: number): void => {
    to.value[at] = (to.value[at] as number) + term;
    to.size[at] = (to.size[at] as number) + Math.abs(term);
  };
  forEachTerm(shape, (i, j, k) => {
    const [gi, xj, wk] = [g[i], x[j], w[k]] as [number, number, number];
    add(y, i, xj * wk);
    add(dx, j, gi * wk);
    add(dw, k, gi * xj);
  });
  return { y, dx, dw };
}

/** Operands and what they should give, made once for each name. */
const problems = new Map<string, { given: Tensors; expected: ReturnType<typeof define> }>();
function problem(name: string, shape: Shape) {
  const given = problems.get(name)?.given ?? tensors(shape, random(name));
  const made = problems.get(name) ?? { given, expected: define(shape, given) };
  problems.set(name, made);
  return made;
}

interface Options {
  readonly outBias?: Float32Array;
  readonly inBias?: Float32Array;
  readonly act?: number;
}
function run(bench: KernelBench, shape: Shape, { x, w, g }: Tensors, { outBias, inBias, act = 0 }: Options = {}) {
  bench.reset();
  const [px, pw, pg] = [bench.f32(x), bench.f32(w), bench.f32(g)];
  const [y, dx, dw] = [bench.f32(g.length), bench.f32(x.length), bench.f32(w.length)];
  const [po, pi] = [outBias ? bench.f32(outBias) : 0, inBias ? bench.f32(inBias) : 0];
  const workspace = bench.f32((bench.run('gemm_workspace_bytes') as number) / 4);
  const dims = bench.i32(dimsOf(shape));
  bench.run('conv_forward_f32', y, px, pw, po, act, workspace, dims);
  bench.run('conv_backward_input_f32', dx, pg, pw, pi, act, workspace, dims);
  bench.run('conv_backward_weight_f32', dw, pg, px, workspace, dims);
  return { y: bench.readF32(y, g.length), dx: bench.readF32(dx, x.length), dw: bench.readF32(dw, w.length) };
}

/** `name` says of what shape: tiles also hold traces of what is added and taken away in the tile. */
function close(name: string, what: string, actual: Float32Array, { value, size }: Sums): void {
  const trace = tiled.some(([other]) => other === name) ? size.reduce((a, b) => a + b, 0) / size.length : 0;
  for (let i = 0; i < actual.length; i++) {
    // Each product is rounded a few times on its way into a sum of this many terms.
    const bound = Math.max(size[i] as number, trace) * 600 * 2 ** -24;
    if (!(Math.abs((actual[i] as number) - (value[i] as number)) <= bound))
      expect.fail(`${what}[${i}] = ${actual[i]}, expected ${value[i]}`);
  }
}

const bits = (x: Float32Array): Uint32Array => new Uint32Array(x.buffer, x.byteOffset, x.length);

describe.each(builds)('convolution, %s', (build) => {
  const bench = new KernelBench(build);
  const tiles = Array.from({ length: bench.run('gemm_tile_count') as number }, (_, id) => id);

  it.each(all)('%s: agrees with f64, the same bits for every tile', (name, shape) => {
    const { given, expected } = problem(name, shape);
    let first: ReturnType<typeof run> | undefined;
    for (const tile of tiles) {
      bench.run('gemm_set_tile', tile);
      const actual = run(bench, shape, given);
      for (const part of ['y', 'dx', 'dw'] as const) {
        close(name, part, actual[part], expected[part]);
        if (first) expect(bits(actual[part]), part).toEqual(bits(first[part]));
      }
      first ??= actual;
    }
  });

  it.each(all)('%s: bias and relu', (name, shape) => {
    const next = random(`bias of ${name}`);
    const { given, expected } = problem(name, shape);
    const bias = (channels: number): Float32Array =>
      Float32Array.from({ length: shape.groups * channels }, () => next() * 4 - 2);
    const [outBias, inBias] = [bias(shape.outs), bias(shape.ins)];
    const finish = (sums: Sums, biases: Float32Array, pixels: number): Sums => {
      const at = (i: number): number => biases[Math.floor(i / pixels) % biases.length] as number;
      return {
        value: sums.value.map((v, i) => Math.max(v + at(i), 0)),
        size: sums.size.map((v, i) => v + Math.abs(at(i))),
      };
    };
    const actual = run(bench, shape, given, { outBias, inBias, act: 1 });
    close(name, 'y', actual.y, finish(expected.y, outBias, outPixels(shape)));
    close(name, 'dx', actual.dx, finish(expected.dx, inBias, inPixels(shape)));
  });

  it('adds in the order of taps and, for weights, of pixels, to the bit', () => {
    for (const [, shape] of shapes.filter(([name]) =>
      ['3x3', '3x3, stride 2', 'depthwise 3x3', 'groups'].includes(name),
    )) {
      const given = tensors(shape, random('order'));
      const y = new Float32Array(given.g.length);
      forEachTerm(shape, (i, j, k) => {
        y[i] = (y[i] as number) + Math.fround((given.x[j] as number) * (given.w[k] as number));
      });
      // The relaxed build rounds a product and a sum once, which f64 cannot show.
      if (build === 'strict') expect(bits(run(bench, shape, given).y)).toEqual(bits(y));
    }
  });

  it('gives an image the bits that it has alone', () => {
    for (const [name, shape] of all.filter(([, { batch }]) => batch > 1)) {
      const given = tensors(shape, random(name));
      const whole = run(bench, shape, given);
      const cut = (all: Float32Array): Float32Array => all.slice(-all.length / shape.batch);
      const alone = run(bench, { ...shape, batch: 1 }, { x: cut(given.x), w: given.w, g: cut(given.g) });
      expect(bits(cut(whole.y)), name).toEqual(bits(alone.y));
      expect(bits(cut(whole.dx)), name).toEqual(bits(alone.dx));
    }
  });

  it('gives slices of images, groups and output channels the bits of the whole', () => {
    for (const [name, shape] of all.filter(([, { batch }]) => batch > 0)) {
      const next = random(name);
      const given = tensors(shape, next);
      const outBias = Float32Array.from({ length: shape.groups * shape.outs }, next);
      const inBias = Float32Array.from({ length: shape.groups * shape.ins }, next);
      const whole = run(bench, shape, given, { outBias, inBias, act: 1 });
      const [px, pw, pg] = [bench.f32(given.x), bench.f32(given.w), bench.f32(given.g)];
      const [po, pi] = [bench.f32(outBias), bench.f32(inBias)];
      const [y, dx, dw] = [bench.f32(given.g.length), bench.f32(given.x.length), bench.f32(given.w.length)];
      const workspace = bench.f32((bench.run('gemm_workspace_bytes') as number) / 4);
      const { groups, ins, outs } = shape;
      const [inImage, outImage] = [groups * ins * inPixels(shape), groups * outs * outPixels(shape)];
      /** Calls `each` with the dims of some slices along a side, and where each begins. */
      const slices = (side: 'batch' | 'groups' | 'outs', each: (at: number, dims: number) => void): void => {
        const n = shape[side];
        const cuts = [...new Set([0, 1, n >> 1, n - 1, n])].filter((cut) => cut >= 0).sort((a, b) => a - b);
        cuts.slice(1).forEach((end, i) => {
          const at = cuts[i] as number;
          each(at, bench.i32(dimsOf({ ...shape, [side]: end - at }, shape)));
        });
      };
      const forward = (image: number, out: number, group: number, dims: number): void => {
        const from = px + 4 * (image * inImage + group * ins * inPixels(shape));
        const weights = pw + 4 * out * ins * taps(shape);
        bench.run(
          'conv_forward_f32',
          y + 4 * (image * outImage + out * outPixels(shape)),
          from,
          weights,
          po + 4 * out,
          1,
          workspace,
          dims,
        );
      };
      const input = (image: number, group: number, dims: number): void => {
        const to = dx + 4 * (image * inImage + group * ins * inPixels(shape));
        const from = pg + 4 * (image * outImage + group * outs * outPixels(shape));
        bench.run(
          'conv_backward_input_f32',
          to,
          from,
          pw + 4 * group * outs * ins * taps(shape),
          pi + 4 * group * ins,
          1,
          workspace,
          dims,
        );
      };
      const weight = (out: number, group: number, dims: number): void => {
        const [g, x] = [pg + 4 * out * outPixels(shape), px + 4 * group * ins * inPixels(shape)];
        bench.run('conv_backward_weight_f32', dw + 4 * out * ins * taps(shape), g, x, workspace, dims);
      };
      const same = (part: 'y' | 'dx' | 'dw', side: string): void => {
        const [at, { length }] = { y: [y, whole.y] as const, dx: [dx, whole.dx] as const, dw: [dw, whole.dw] as const }[
          part
        ];
        expect(bits(bench.readF32(at, length)), `${name}: ${part} by ${side}`).toEqual(bits(whole[part]));
        new Float32Array(bench.memory.buffer, at, length).fill(Number.NaN);
      };
      slices('batch', (image, dims) => {
        forward(image, 0, 0, dims);
        input(image, 0, dims);
      });
      same('y', 'images');
      same('dx', 'images');
      slices('groups', (group, dims) => {
        forward(0, group * outs, group, dims);
        input(0, group, dims);
        weight(group * outs, group, dims);
      });
      same('y', 'groups');
      same('dx', 'groups');
      same('dw', 'groups');
      if (groups > 1) continue;
      slices('outs', (out, dims) => {
        forward(0, out, 0, dims);
        weight(out, 0, dims);
      });
      same('y', 'channels');
      same('dw', 'channels');
    }
  });

  it('keeps NaN and infinity where they belong', () => {
    for (const [name, shape] of shapes.filter(([, { batch }]) => batch > 0)) {
      const next = random(name);
      const given = tensors(shape, next);
      for (const bad of [Number.NaN, Number.POSITIVE_INFINITY])
        for (const part of ['x', 'g'] as const) {
          const spoilt = { ...given, [part]: given[part].slice() };
          const at = Math.floor(next() * given[part].length);
          spoilt[part][at] = bad;
          const [y, dw, dx] = [new Set<number>(), new Set<number>(), new Set<number>()];
          forEachTerm(shape, (i, j, k) => {
            if (part === 'x' && j === at) y.add(i);
            if (part === 'g' && i === at) dx.add(j);
            if ((part === 'x' ? j : i) === at) dw.add(k);
          });
          const actual = run(bench, shape, spoilt);
          const unusual = (values: Float32Array): number[] =>
            [...values.entries()].filter(([, v]) => !Number.isFinite(v)).map(([i]) => i);
          const sorted = (set: Set<number>): number[] => [...set].sort((a, b) => a - b);
          expect(unusual(actual.y), `${name}: y`).toEqual(sorted(y));
          expect(unusual(actual.dx), `${name}: dx`).toEqual(sorted(dx));
          const spoiltTaps = unusual(actual.dw);
          if (part === 'x') expect(spoiltTaps, `${name}: dw`).toEqual(sorted(dw));
          else {
            // Zeros of the padding times NaN are NaN: within the channel of the gradient all taps may be.
            const row = shape.ins * taps(shape);
            const channel = Math.floor(at / outPixels(shape)) % (shape.groups * shape.outs);
            expect(spoiltTaps).toEqual(expect.arrayContaining(sorted(dw)));
            expect(
              spoiltTaps.filter((k) => Math.floor(k / row) !== channel),
              `${name}: dw`,
            ).toEqual([]);
          }
        }
    }
  });

  it('keeps NaN and infinity of a tile in its image and channel', () => {
    for (const [name, shape] of tiled) {
      const next = random(name);
      const given = tensors(shape, next);
      for (const bad of [Number.NaN, Number.POSITIVE_INFINITY])
        for (const part of ['x', 'g'] as const) {
          const spoilt = { ...given, [part]: given[part].slice() };
          const image = given[part].length / shape.batch;
          const at = Math.floor(next() * given[part].length);
          spoilt[part][at] = bad;
          const actual = run(bench, shape, spoilt);
          const reached = part === 'x' ? actual.y : actual.dx;
          const must = new Set<number>();
          forEachTerm(shape, (i, j) => {
            if (part === 'x' && j === at) must.add(i);
            if (part === 'g' && i === at) must.add(j);
          });
          const missed = [...must].filter((i) => Number.isFinite(reached[i]));
          expect(missed, `${name}: ${part}[${at}]`).toEqual([]);
          reached.forEach((value, i) => {
            const elsewhere = Math.floor(i / (reached.length / shape.batch)) !== Math.floor(at / image);
            if (elsewhere && !Number.isFinite(value)) expect.fail(`${name}: ${part}[${at}] reached ${i}`);
          });
        }
    }
  });

  it('is within 1e-5 of the norm where it multiplies in tiles', () => {
    for (const [name, shape] of tiled) {
      const { given, expected } = problem(name, shape);
      const actual = run(bench, shape, given);
      for (const part of ['y', 'dx', 'dw'] as const) {
        const norm = Math.hypot(...expected[part].value);
        const error = Math.hypot(...actual[part].map((v, i) => v - (expected[part].value[i] as number)));
        expect(error / norm, `${name}: ${part}`).toBeLessThan(1e-5);
      }
    }
  });

  it('reads nothing behind its operands at the end of memory', () => {
    bench.reset();
    const workspace = bench.f32((bench.run('gemm_workspace_bytes') as number) / 4);
    const scratch = bench.f32(1 << 17);
    bench.memory.grow(1);
    const end = bench.memory.buffer.byteLength;
    for (const [, shape] of all) {
      const { x, w, g } = tensors(shape, () => 0);
      const dims = bench.i32(dimsOf(shape));
      const tail = ({ length }: Float32Array): number => end - 4 * length;
      const forward = (y: number, a: number, b: number): unknown =>
        bench.run('conv_forward_f32', y, a, b, 0, 1, workspace, dims);
      const input = (dx: number, a: number, b: number): unknown =>
        bench.run('conv_backward_input_f32', dx, a, b, 0, 1, workspace, dims);
      const weight = (dw: number, a: number, b: number): unknown =>
        bench.run('conv_backward_weight_f32', dw, a, b, workspace, dims);
      forward(tail(g), scratch, scratch);
      forward(scratch, tail(x), scratch);
      forward(scratch, scratch, tail(w));
      input(tail(x), scratch, scratch);
      input(scratch, tail(g), scratch);
      input(scratch, scratch, tail(w));
      weight(tail(w), scratch, scratch);
      weight(scratch, tail(g), scratch);
      weight(scratch, scratch, tail(x));
    }
  });
});
