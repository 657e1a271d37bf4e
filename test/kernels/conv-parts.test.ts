// What parts of convolutions share with the whole, and what does not reach beyond a part.
import { describe, expect, it } from 'vitest';
import { axis, channelsLast, forEachTerm, inPixels, NONE, outPixels, type Shape, taps } from '../../reference/conv.ts';
import { random } from '../../reference/random.ts';
import {
  all,
  dimsOf,
  layouts,
  lineArguments,
  linesOf,
  run,
  SELECT,
  select,
  shapes,
  square,
  tapArguments,
  tensors,
  tiled,
} from '../support/convolutions.ts';
import { algorithmsOf, bits, builds, KernelBench } from '../support/kernels.ts';

const variants = builds.flatMap((build) => layouts.map((layout) => [build, layout] as const));

/** The elements of each result that element `at` of x or of g is a term of. */
function reached(shape: Shape, part: 'x' | 'g', at: number): Record<'y' | 'dx' | 'dw', number[]> {
  const [y, dx, dw] = [new Set<number>(), new Set<number>(), new Set<number>()];
  forEachTerm(shape, (i, j, k) => {
    if ((part === 'x' ? j : i) !== at) return;
    (part === 'x' ? y : dx).add(part === 'x' ? i : j);
    dw.add(k);
  });
  const sorted = (set: Set<number>): number[] => [...set].sort((a, b) => a - b);
  return { y: sorted(y), dx: sorted(dx), dw: sorted(dw) };
}

/** Where NaN and infinity are. */
const unusual = (values: Float32Array): number[] =>
  [...values.entries()].filter(([, value]) => !Number.isFinite(value)).map(([i]) => i);

describe.each(variants)('convolution, %s, %s', (build, layout) => {
  const bench = new KernelBench(build);
  const nhwc = layout === 'nhwc';
  const kernel = (name: string): string => `conv_${nhwc ? 'nhwc_' : ''}${name}_f32`;

  it('gives an image the bits that it has alone', () => {
    for (const [name, shape] of all.filter(([, { batch }]) => batch > 1)) {
      const given = tensors(shape, random(name));
      const whole = run(bench, shape, given, { layout });
      const cut = (all: Float32Array): Float32Array => all.slice(-all.length / shape.batch);
      const alone = run(bench, { ...shape, batch: 1 }, { x: cut(given.x), w: given.w, g: cut(given.g) }, { layout });
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
      const whole = run(bench, shape, given, { outBias, inBias, act: 1, layout });
      const { x, w, g } = nhwc ? channelsLast(shape, given) : given;
      const [px, pw, pg] = [bench.f32(x), bench.f32(w), bench.f32(g)];
      const [po, pi] = [bench.f32(outBias), bench.f32(inBias)];
      const [y, dx, dw] = [bench.f32(given.g.length), bench.f32(given.x.length), bench.f32(given.w.length)];
      const workspace = bench.f32((bench.run('gemm_workspace_bytes') as number) / 4);
      const { groups, ins, outs } = shape;
      // From channel to channel of x, y and the weights.
      const [inStep, outStep] = nhwc ? [1, 1] : [inPixels(shape), outPixels(shape)];
      const weightStep = nhwc ? 1 : ins * taps(shape);
      const [inImage, outImage] = [groups * ins * inPixels(shape), groups * outs * outPixels(shape)];
      const algorithms = select(bench, layout, bench.i32(dimsOf(shape)));
      /** Calls `each` with where some slices of n units begin, and with their units. */
      const cut = (n: number, each: (at: number, units: number) => void): void => {
        const cuts = [...new Set([0, 1, n >> 1, n - 1, n])].filter((cut) => cut >= 0).sort((a, b) => a - b);
        for (const [i, end] of cuts.slice(1).entries()) each(cuts[i] as number, end - (cuts[i] as number));
      };
      /** Calls `each` with some slices along a side, and where each begins. */
      const slices = (
        side: 'batch' | 'groups' | 'outs',
        each: (at: number, dims: number, slice: Shape) => void,
      ): void =>
        cut(shape[side], (at, units) => {
          const slice = { ...shape, [side]: units };
          each(at, bench.i32(dimsOf(slice, shape)), slice);
        });
      const forward = (image: number, out: number, group: number, dims: number, slice = shape): void => {
        const from = px + 4 * (image * inImage + group * ins * inStep);
        const weights = pw + 4 * out * weightStep;
        bench.run(
          kernel('forward'),
          y + 4 * (image * outImage + out * outStep),
          from,
          weights,
          po + 4 * out,
          ...lineArguments(layout, slice),
          1,
          algorithms.y,
          workspace,
          dims,
        );
      };
      const input = (image: number, group: number, dims: number): void => {
        const to = dx + 4 * (image * inImage + group * ins * inStep);
        const from = pg + 4 * (image * outImage + group * outs * outStep);
        bench.run(
          kernel('backward_input'),
          to,
          from,
          pw + 4 * group * outs * weightStep,
          pi + 4 * group * ins,
          algorithms.dx,
          workspace,
          dims,
        );
      };
      const weight = (out: number, group: number, dims: number): void => {
        const [g, x] = [pg + 4 * out * outStep, px + 4 * group * ins * inStep];
        const all = tapArguments(layout, shape);
        bench.run(kernel('backward_weight'), dw + 4 * out * weightStep, g, x, ...all, algorithms.dw, workspace, dims);
      };
      const same = (part: 'y' | 'dx' | 'dw', side: string): void => {
        const [at, { length }] = { y: [y, whole.y] as const, dx: [dx, whole.dx] as const, dw: [dw, whole.dw] as const }[
          part
        ];
        const made = { [part]: bench.readF32(at, length) };
        const actual = (nhwc ? channelsLast(shape, made, true) : made)[part] as Float32Array;
        expect(bits(actual), `${name}: ${part} by ${side}`).toEqual(bits(whole[part]));
        new Float32Array(bench.memory.buffer, at, length).fill(Number.NaN);
      };
      slices('batch', (image, dims, slice) => {
        forward(image, 0, 0, dims, slice);
        input(image, 0, dims);
      });
      same('y', 'images');
      if (nhwc) {
        const dims = bench.i32(dimsOf(shape));
        const line = given.g.length / linesOf(shape);
        cut(linesOf(shape), (first, lines) => {
          const to = y + 4 * first * line;
          bench.run(kernel('forward'), to, px, pw, po, first, lines, 1, algorithms.y, workspace, dims);
        });
        same('y', 'lines');
      }
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
          const { y, dx, dw } = reached(shape, part, at);
          const actual = run(bench, shape, spoilt, { layout });
          expect(unusual(actual.y), `${name}: y`).toEqual(y);
          expect(unusual(actual.dx), `${name}: dx`).toEqual(dx);
          const spoiltTaps = unusual(actual.dw);
          if (part === 'x') expect(spoiltTaps, `${name}: dw`).toEqual(dw);
          else {
            // Zeros of the padding times NaN are NaN: within the channel of the gradient all taps may be.
            const row = shape.ins * taps(shape);
            const channel = Math.floor(at / outPixels(shape)) % (shape.groups * shape.outs);
            expect(spoiltTaps).toEqual(expect.arrayContaining(dw));
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
          const actual = run(bench, shape, spoilt, { layout });
          const result = part === 'x' ? 'y' : 'dx';
          const values = actual[result];
          const must = reached(shape, part, at)[result];
          const missed = must.filter((i) => Number.isFinite(values[i]));
          expect(missed, `${name}: ${part}[${at}]`).toEqual([]);
          values.forEach((value, i) => {
            const elsewhere = Math.floor(i / (values.length / shape.batch)) !== Math.floor(at / image);
            if (elsewhere && !Number.isFinite(value)) expect.fail(`${name}: ${part}[${at}] reached ${i}`);
          });
        }
    }
  });

  it('stays within its workspace where blocks are full', () => {
    for (const [channels, size, kernel] of [
      [64, 30, 3],
      [128, 30, 3],
      [128, 12, 3],
      [64, 22, 5],
    ] as const)
      for (let tile = 0; tile < (bench.run('gemm_tile_count') as number); tile++) {
        const shape = square([channels, 50], axis(size, kernel, 1, kernel >> 1));
        bench.run('gemm_set_tile', tile);
        run(bench, shape, tensors(shape, random('full')), { layout });
      }
  });

  it.runIf(!nhwc).each([
    [1, 2],
    [1, 64],
    [4, 64],
    [15, 50],
    [32, 2],
    [32, 15],
  ])('stays within its workspace in the widest tiles of four rows, %i to %i channels', (reads, results) => {
    const algorithms = new Map(algorithmsOf(bench, 'ConvAlgorithm'));
    for (const part of ['y', 'dx'] as const) {
      const [ins, outs] = part === 'y' ? [reads, results] : [results, reads];
      const shapeOf = (width: number): Shape => ({
        ...{ batch: 1, groups: 1, ins, outs },
        axes: [NONE, axis(14, 3, 1, 1), axis(width, 3, 1, 1)],
      });
      const takes = (width: number): boolean => {
        bench.reset();
        return select(bench, layout, bench.i32(dimsOf(shapeOf(width))))[part] === algorithms.get('WINOGRAD_ROWS');
      };
      let [width, wider] = [10, 8192];
      expect([takes(width), takes(wider)]).toEqual([true, false]);
      while (wider - width > 1) {
        const middle = (width + wider) >> 1;
        if (takes(middle)) width = middle;
        else wider = middle;
      }
      const shape = shapeOf(width);
      const given = tensors(shape, random('wide'));
      const actual = run(bench, shape, given)[part];
      const expected = run(bench, shape, given, { algorithm: algorithms.get('IGEMM') as number })[part];
      const norm = Math.sqrt(expected.reduce((sum, v) => sum + v * v, 0) / expected.length);
      const off = actual.reduce((most, v, i) => Math.max(most, Math.abs(v - (expected[i] as number))), 0);
      expect(off / norm).toBeLessThan(2e-5);
    }
  });

  it('reads nothing behind its operands at the end of memory', () => {
    bench.reset();
    const workspace = bench.f32((bench.run('gemm_workspace_bytes') as number) / 4);
    const most = Math.max(...all.flatMap(([, shape]) => Object.values(tensors(shape, () => 0)).map((x) => x.length)));
    const scratch = bench.f32(most);
    bench.memory.grow(Math.ceil((4 * most) / 65536));
    const end = bench.memory.buffer.byteLength;
    for (const [, shape] of all) {
      const { x, w, g } = tensors(shape, () => 0);
      const dims = bench.i32(dimsOf(shape));
      const tail = ({ length }: Float32Array): number => end - 4 * length;
      const forward = (y: number, a: number, b: number): unknown =>
        bench.run(kernel('forward'), y, a, b, 0, ...lineArguments(layout, shape), 1, SELECT, workspace, dims);
      const input = (dx: number, a: number, b: number): unknown =>
        bench.run(kernel('backward_input'), dx, a, b, 0, SELECT, workspace, dims);
      const weight = (dw: number, a: number, b: number): unknown =>
        bench.run(kernel('backward_weight'), dw, a, b, ...tapArguments(layout, shape), SELECT, workspace, dims);
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
