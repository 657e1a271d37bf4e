// Convolutions against their definition in f64, and to the bit against it in f32 in the strict build.
import { describe, expect, it } from 'vitest';
import { axis, forEachTerm, inPixels, NONE, outPixels, type Sums } from '../../reference/conv.ts';
import { random } from '../../reference/random.ts';
import { all, close, dimsOf, layouts, problem, run, select, shapes, tensors, tiled } from '../support/convolutions.ts';
import { algorithmsOf, bits, builds, KernelBench } from '../support/kernels.ts';

const variants = builds.flatMap((build) => layouts.map((layout) => [build, layout] as const));

/** The algorithms that one layout alone has. */
const only = {
  nchw: ['WINOGRAD', 'DEPTHWISE_PLANE', 'DEPTHWISE_STRIDE2', 'DIRECT', 'DIRECT_ROWS', 'WINOGRAD_ROWS'],
  nhwc: ['POINTWISE'],
};

describe.each(variants)('convolution, %s, %s', (build, layout) => {
  const bench = new KernelBench(build);
  const tiles = Array.from({ length: bench.run('gemm_tile_count') as number }, (_, id) => id);
  const [, implicit] = algorithmsOf(bench, 'ConvAlgorithm').find(([name]) => name === 'IGEMM') as [string, number];

  it.each(all)('%s: agrees with f64, the same bits for every tile', (name, shape) => {
    const { given, expected } = problem(name, shape);
    let first: ReturnType<typeof run> | undefined;
    for (const tile of tiles) {
      bench.run('gemm_set_tile', tile);
      const actual = run(bench, shape, given, { layout });
      for (const part of ['y', 'dx', 'dw'] as const) {
        close(name, part, actual[part], expected[part]);
        if (first) expect(bits(actual[part]), part).toEqual(bits(first[part]));
      }
      first ??= actual;
    }
  });

  it.each(all)('%s: bias, and relu forward', (name, shape) => {
    const next = random(`bias of ${name}`);
    const { given, expected } = problem(name, shape);
    const bias = (channels: number): Float32Array =>
      Float32Array.from({ length: shape.groups * channels }, () => next() * 4 - 2);
    const [outBias, inBias] = [bias(shape.outs), bias(shape.ins)];
    const finish = (sums: Sums, biases: Float32Array, pixels: number, act: (v: number) => number): Sums => {
      const at = (i: number): number => biases[Math.floor(i / pixels) % biases.length] as number;
      return {
        value: sums.value.map((v, i) => act(v + at(i))),
        size: sums.size.map((v, i) => v + Math.abs(at(i))),
      };
    };
    const actual = run(bench, shape, given, { outBias, inBias, act: 1, layout });
    close(
      name,
      'y',
      actual.y,
      finish(expected.y, outBias, outPixels(shape), (v) => Math.max(v, 0)),
    );
    close(
      name,
      'dx',
      actual.dx,
      finish(expected.dx, inBias, inPixels(shape), (v) => v),
    );
  });

  it('agrees with f64 as an implicit product, which computes all of them', () => {
    for (const [name, shape] of all) {
      const { given, expected } = problem(name, shape);
      const actual = run(bench, shape, given, { layout, algorithm: implicit });
      for (const part of ['y', 'dx', 'dw'] as const) close(name, part, actual[part], expected[part]);
    }
  });

  it('gives images the same bits among others, wherever blocks of an implicit product end', () => {
    // Images of less than a block of 512 outputs, none of which ends with one, and of more; the last in deep blocks.
    for (const [size, outs] of [
      [40, 3],
      [48, 3],
      [40, 260],
    ] as const) {
      const axes = [NONE, axis(size, 3, 2, 1), axis(size, 3, 2, 1)] as const;
      const one = { batch: 1, groups: 1, ins: 2, outs, axes };
      const shape = { ...one, batch: 3 };
      const given = tensors(shape, random('images'));
      const whole = run(bench, shape, given, { layout, algorithm: implicit });
      for (let i = 0; i < shape.batch; i++) {
        const image = (x: Float32Array): Float32Array => {
          const n = x.length / shape.batch;
          return x.slice(i * n, (i + 1) * n);
        };
        const alone = { ...given, x: image(given.x), g: image(given.g) };
        const { y, dx } = run(bench, one, alone, { layout, algorithm: implicit });
        expect(bits(image(whole.y)), `y ${size} ${outs}`).toEqual(bits(y));
        expect(bits(image(whole.dx)), `dx ${size} ${outs}`).toEqual(bits(dx));
      }
    }
  });

  it('is within 1e-5 of the norm where it multiplies in tiles', () => {
    for (const [name, shape] of tiled) {
      const { given, expected } = problem(name, shape);
      const actual = run(bench, shape, given, { layout });
      for (const part of ['y', 'dx', 'dw'] as const) {
        const norm = Math.hypot(...expected[part].value);
        const error = Math.hypot(...actual[part].map((v, i) => v - (expected[part].value[i] as number)));
        expect(error / norm, `${name}: ${part}`).toBeLessThan(1e-5);
      }
    }
  });

  it('adds in the order of taps and, for weights, of pixels, to the bit', () => {
    // The terms come in the order of NCHW, which is that of NHWC too where there is one input channel.
    const names = {
      nchw: ['3x3', '3x3, stride 2', 'depthwise 3x3', 'groups'],
      nhwc: ['more outputs than one', '32 outputs of one', 'groups of one input', 'depthwise 5x5'],
    }[layout];
    for (const [, shape] of shapes.filter(([name]) => names.includes(name))) {
      const given = tensors(shape, random('order'));
      const y = new Float32Array(given.g.length);
      forEachTerm(shape, (i, j, k) => {
        y[i] = (y[i] as number) + Math.fround((given.x[j] as number) * (given.w[k] as number));
      });
      // The relaxed build rounds a product and a sum once, which f64 cannot show.
      if (build === 'strict') expect(bits(run(bench, shape, given, { layout }).y)).toEqual(bits(y));
    }
  });

  it('selects every algorithm that the layout has, and no other', () => {
    const names = algorithmsOf(bench, 'ConvAlgorithm');
    bench.reset();
    const selected = all.flatMap(([, shape]) => Object.values(select(bench, layout, bench.i32(dimsOf(shape)))));
    const expected = names.filter(([name]) => !only[layout === 'nchw' ? 'nhwc' : 'nchw'].includes(name));
    expect(new Set(selected)).toEqual(new Set(expected.map(([, number]) => number)));
  });
});
