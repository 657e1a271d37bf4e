// Which algorithm is selected, on either side of every limit. Those of a product give the same bits, and those of a
// convolution agree with f64: another choice is only slower, which no test of numbers sees.
import { describe, expect, it } from 'vitest';
import { type Axis, axis, NONE, type Shape } from '../../reference/conv.ts';
import { dimsOf, type Layout, select, square } from '../support/convolutions.ts';
import { algorithmsOf, builds, KernelBench } from '../support/kernels.ts';
import { strides } from '../support/products.ts';

type Product = readonly [m: number, n: number, k: number, layouts: 'NN' | 'NT' | 'TN' | 'TT'];
const PRODUCTS: readonly (readonly [algorithm: string, ...products: Product[]])[] = [
  ['SMALL', [64, 64, 64, 'NN'], [4, 16, 1, 'NN'], [64, 64, 64, 'TT'], [60, 48, 9, 'TN']],
  // As many rows as columns or fewer, eight at most; four where B is transposed.
  ['GEMV_ROWS', [8, 9, 50, 'NN'], [8, 8, 65, 'NN'], [4, 100, 50, 'NT'], [1, 1, 1, 'NN'], [1, 900, 300, 'TT']],
  // Eight steps at most.
  ['GEMV_ROWS', [100, 9, 8, 'NN'], [64, 64, 0, 'NN'], [500, 500, 1, 'TN']],
  // Four columns at most; eight where A is transposed.
  ['GEMV_COLUMNS', [9, 4, 50, 'NN'], [9, 8, 50, 'TN'], [100, 4, 8, 'NN'], [900, 1, 300, 'NT'], [100, 8, 8, 'TN']],
  ['BLOCKED', [65, 64, 64, 'NN'], [68, 64, 64, 'NN'], [64, 80, 64, 'NN'], [64, 64, 65, 'NN'], [64, 60, 64, 'NN']],
  ['BLOCKED', [9, 100, 50, 'NN'], [5, 100, 50, 'NT'], [9, 5, 50, 'NN'], [10, 9, 50, 'TN'], [100, 9, 9, 'NN']],
  ['BLOCKED', [100, 8, 8, 'NN'], [100, 9, 8, 'NT']],
];

const wide = (height: Axis, width: Axis, more: Partial<Shape> = {}): Shape => ({
  ...{ batch: 1, groups: 2, ins: 1, outs: 1, axes: [NONE, height, width] },
  ...more,
});
const padded = (n: number) => axis(n, 3, 1, 1);

interface Selection {
  readonly shape: Shape;
  readonly nchw: readonly [y: string, dx: string, dw: string];
  /** Of all, or of each; else IGEMM for all. */
  readonly nhwc?: string | readonly [y: string, dx: string, dw: string];
}
const same = (name: string) => [name, name, name] as const;
const CONVOLUTIONS: Record<string, Selection> = {
  winograd: { shape: square([16, 16], padded(16)), nchw: same('WINOGRAD') },
  'fewer inputs': { shape: square([15, 16], padded(16)), nchw: ['WINOGRAD_ROWS', 'WINOGRAD_ROWS', 'DEPTHWISE_PLANE'] },
  'fewer outputs': { shape: square([16, 15], padded(16)), nchw: ['WINOGRAD_ROWS', 'WINOGRAD_ROWS', 'DEPTHWISE_PLANE'] },
  'fewest pixels, and too few tiles for weights': {
    shape: square([16, 16], padded(4), { batch: 3 }),
    nchw: ['WINOGRAD', 'WINOGRAD', 'IGEMM'],
  },
  'as many tiles as weights need': { shape: square([16, 16], padded(4), { batch: 4 }), nchw: same('WINOGRAD') },
  'parts of tiles count': { shape: square([16, 16], padded(5)), nchw: same('WINOGRAD') },
  'winograd, 5x5': { shape: square([8, 16], axis(4, 5, 1, 2)), nchw: same('WINOGRAD') },
  '5x5, fewer inputs': { shape: square([7, 32], axis(14, 5, 1, 2)), nchw: same('DIRECT') },
  '5x5, fewer outputs': { shape: square([32, 7], axis(14, 5, 1, 2)), nchw: same('DIRECT') },
  '5x5, fewer pairs': { shape: square([8, 15], axis(14, 5, 1, 2)), nchw: ['DIRECT', 'DIRECT', 'WINOGRAD'] },
  '5x3': {
    shape: { ...square([16, 16], padded(14)), axes: [NONE, axis(14, 5, 1, 2), padded(14)] },
    nchw: same('DIRECT'),
  },
  'fewer outputs than a tile': {
    shape: square([16, 16], axis(5, 3), { batch: 16 }),
    nchw: ['DIRECT', 'DIRECT', 'IGEMM'],
  },
  'fewer pixels than a tile': {
    shape: square([16, 16], axis(3, 3, 1, 2), { batch: 16 }),
    nchw: ['DIRECT', 'DIRECT', 'IGEMM'],
  },
  'a stride': { shape: square([48, 16], axis(28, 3, 2, 1)), nchw: same('DIRECT') },
  'a stride, many outputs': { shape: square([48, 32], axis(28, 3, 2, 1)), nchw: same('DIRECT') },
  'a stride, more outputs': { shape: square([48, 33], axis(28, 3, 2, 1)), nchw: ['DIRECT', 'IGEMM', 'IGEMM'] },
  'a stride, two inputs': { shape: square([2, 4], axis(28, 3, 2, 1)), nchw: ['DIRECT', 'DIRECT_ROWS', 'DIRECT'] },
  'a stride, two inputs, more outputs': {
    shape: square([2, 5], axis(28, 3, 2, 1)),
    nchw: ['DIRECT', 'IGEMM', 'DIRECT'],
  },
  'a stride, narrow': { shape: square([32, 16], axis(13, 3, 2, 1)), nchw: same('DIRECT') },
  'a stride that leaves elements out': {
    shape: square([3, 16], axis(28, 3, 4, 1)),
    nchw: ['DIRECT', 'IGEMM', 'DIRECT'],
  },
  'a stride, too many weights for the workspace': {
    shape: square([48, 128], axis(28, 9, 2, 4)),
    nchw: ['IGEMM', 'IGEMM', 'IGEMM'],
  },
  'three outputs, and three rows of taps': {
    shape: square([9, 3], padded(14)),
    nchw: ['WINOGRAD_ROWS', 'WINOGRAD_ROWS', 'DEPTHWISE_PLANE'],
  },
  'three outputs, and four rows of taps': { shape: square([9, 3], axis(14, 4)), nchw: same('DIRECT') },
  'two inputs': { shape: square([2, 9], padded(14)), nchw: ['WINOGRAD_ROWS', 'WINOGRAD_ROWS', 'DEPTHWISE_PLANE'] },
  'three inputs': { shape: square([3, 9], padded(14)), nchw: ['WINOGRAD_ROWS', 'WINOGRAD_ROWS', 'DEPTHWISE_PLANE'] },
  'three inputs, fewer rows': {
    shape: square([3, 9], padded(9)),
    nchw: ['DIRECT', 'DIRECT_ROWS', 'DEPTHWISE_PLANE'],
  },
  'one output': { shape: square([5, 1], padded(14)), nchw: ['DIRECT_ROWS', 'WINOGRAD_ROWS', 'DEPTHWISE_PLANE'] },
  'one output, narrow': { shape: square([5, 1], padded(7)), nchw: ['DIRECT', 'DIRECT', 'DEPTHWISE_PLANE'] },
  'as many inputs as tiles of four rows read': {
    shape: square([32, 15], padded(28)),
    nchw: ['WINOGRAD_ROWS', 'WINOGRAD_ROWS', 'DEPTHWISE_PLANE'],
  },
  'more inputs than they read': {
    shape: square([33, 15], padded(28)),
    nchw: ['DIRECT', 'WINOGRAD_ROWS', 'DEPTHWISE_PLANE'],
  },
  'more weights than lie beside them': {
    shape: square([15, 64], padded(28)),
    nchw: ['DIRECT', 'DIRECT', 'DEPTHWISE_PLANE'],
  },
  'planes that stay near': {
    shape: square([3, 9], padded(64)),
    nchw: ['WINOGRAD_ROWS', 'WINOGRAD_ROWS', 'DEPTHWISE_PLANE'],
  },
  'planes that do not': {
    shape: square([3, 9], padded(65)),
    nchw: ['WINOGRAD_ROWS', 'WINOGRAD_ROWS', 'DIRECT'],
  },
  'a dilation': { shape: square([16, 16], axis(16, 3, 1, 2, 2)), nchw: same('DIRECT') },
  'two taps': { shape: square([16, 16], axis(16, 2)), nchw: same('DIRECT') },
  'one channel on either side': {
    shape: square([1, 2], padded(28)),
    nchw: ['WINOGRAD_ROWS', 'DIRECT_ROWS', 'DEPTHWISE_PLANE'],
    nhwc: ['IGEMM', 'IGEMM', 'DEPTHWISE'],
  },
  'as many channels as sums are for': {
    shape: square([64, 64], axis(14, 4, 1, 2)),
    nchw: ['DIRECT', 'DIRECT', 'IGEMM'],
  },
  'more outputs than sums are for': { shape: square([64, 65], axis(14, 4, 1, 2)), nchw: ['IGEMM', 'DIRECT', 'IGEMM'] },
  'more inputs than sums are for': { shape: square([129, 64], axis(14, 4, 1, 2)), nchw: same('IGEMM') },
  'rows of few outputs': { shape: square([8, 33], padded(6)), nchw: ['IGEMM', 'DIRECT', 'IGEMM'] },
  'sums of weights that are too many': {
    shape: square([51, 32], axis(28, 4, 1, 2)),
    nchw: ['DIRECT', 'DIRECT', 'IGEMM'],
  },
  'sums of weights that are not': { shape: square([50, 32], axis(28, 4, 1, 2)), nchw: same('DIRECT') },
  'a third axis': {
    shape: { ...square([16, 16], padded(16)), axes: [axis(2, 2), padded(16), padded(16)] },
    nchw: same('IGEMM'),
  },
  'one tap': { shape: square([3, 5], axis(9, 1)), nchw: same('IGEMM'), nhwc: 'POINTWISE' },
  'one tap, with a stride': { shape: square([3, 5], axis(9, 1, 2)), nchw: same('IGEMM') },
  'one tap, padded': { shape: square([3, 5], axis(9, 1, 1, 1)), nchw: same('IGEMM') },
  'one tap, cut off behind': { shape: square([3, 5], axis(9, 1, 1, 0, 1, -1)), nchw: same('IGEMM') },
  'one channel a group': { shape: wide(padded(9), padded(9)), nchw: same('DEPTHWISE_PLANE'), nhwc: 'DEPTHWISE' },
  'rows of a vector': { shape: wide(padded(9), padded(4)), nchw: same('DEPTHWISE_PLANE'), nhwc: 'DEPTHWISE' },
  'rows below a vector': { shape: wide(padded(9), padded(3)), nchw: same('DEPTHWISE'), nhwc: 'DEPTHWISE' },
  'not padded': { shape: wide(axis(9, 3), axis(9, 3)), nchw: same('DEPTHWISE'), nhwc: 'DEPTHWISE' },
  'taps that are apart': { shape: wide(padded(9), axis(9, 3, 1, 2, 2)), nchw: same('DEPTHWISE'), nhwc: 'DEPTHWISE' },
  'taps that are apart down': {
    shape: wide(axis(9, 3, 1, 2, 2), padded(9)),
    nchw: same('DEPTHWISE'),
    nhwc: 'DEPTHWISE',
  },
  'a stride of 2': {
    shape: wide(axis(8, 3, 2, 1), axis(8, 3, 2, 1)),
    nchw: same('DEPTHWISE_PLANE'),
    nhwc: 'DEPTHWISE',
  },
  'a stride of 2, over fewer than two vectors': {
    shape: wide(axis(8, 3, 2, 1), axis(6, 3, 2, 1)),
    nchw: ['DEPTHWISE', 'DEPTHWISE_STRIDE2', 'DEPTHWISE'],
    nhwc: 'DEPTHWISE',
  },
  'a stride of 2, over odd rows': {
    shape: wide(axis(8, 3, 2, 1), axis(9, 3, 2, 1)),
    nchw: ['DEPTHWISE', 'DEPTHWISE_STRIDE2', 'DEPTHWISE'],
    nhwc: 'DEPTHWISE',
  },
  'a stride of 2 across': {
    shape: wide(axis(3, 3), axis(9, 3, 2, 1)),
    nchw: ['DEPTHWISE', 'DEPTHWISE_STRIDE2', 'DEPTHWISE'],
    nhwc: 'DEPTHWISE',
  },
  'a stride of 3': {
    shape: wide(axis(15, 3, 3, 1), axis(15, 3, 3, 1)),
    nchw: same('DEPTHWISE'),
    nhwc: 'DEPTHWISE',
  },
  'a stride of 3 down, of which there is one': {
    shape: wide(axis(3, 3, 3), axis(19, 3, 2, 1)),
    nchw: same('DEPTHWISE'),
    nhwc: 'DEPTHWISE',
  },
  'strides that differ': {
    shape: wide(axis(9, 3, 1, 1), axis(9, 3, 2, 1)),
    nchw: same('DIRECT'),
    nhwc: 'DEPTHWISE',
  },
  'taps of 5x3': { shape: wide(axis(9, 5), padded(9)), nchw: same('DEPTHWISE'), nhwc: 'DEPTHWISE' },
  'taps of 3x5': { shape: wide(padded(9), axis(9, 5)), nchw: same('DEPTHWISE'), nhwc: 'DEPTHWISE' },
  'two outputs a group': {
    shape: wide(padded(9), padded(9), { outs: 2 }),
    nchw: ['DIRECT_ROWS', 'DIRECT_ROWS', 'DIRECT'],
    nhwc: ['IGEMM', 'IGEMM', 'DEPTHWISE'],
  },
  'two inputs a group': {
    shape: wide(padded(9), padded(9), { ins: 2 }),
    nchw: ['DIRECT_ROWS', 'DIRECT_ROWS', 'DIRECT'],
  },
  'one channel and a third axis': {
    shape: { batch: 1, groups: 2, ins: 1, outs: 1, axes: [axis(2, 2), padded(9), padded(9)] },
    nchw: same('IGEMM'),
    nhwc: 'DEPTHWISE',
  },
};

describe.each(builds)('selection, %s', (build) => {
  const bench = new KernelBench(build);
  const named = (which: string, number: unknown) =>
    algorithmsOf(bench, which).find(([, other]) => other === number)?.[0] ?? `none: ${number}`;

  it.each(Array.from({ length: bench.run('gemm_tile_count') as number }, (_, tile) => tile))(
    'products, tile %i',
    (tile) => {
      bench.run('gemm_set_tile', tile);
      const selected = (m: number, n: number, k: number, layouts: string): string => {
        const [a, b] = [...layouts] as ['N' | 'T', 'N' | 'T'];
        return named('GemmAlgorithm', bench.run('gemm_select_f32', m, n, k, ...strides(a, m, k), ...strides(b, k, n)));
      };
      const found = PRODUCTS.map(([, ...products]) => products.map((product) => selected(...product)));
      expect(found).toEqual(PRODUCTS.map(([algorithm, ...products]) => products.map(() => algorithm)));
      // Tiles of 4x8, or of 4x16.
      const columns = tile > 1 ? 16 : 8;
      expect(selected(12, 3 * columns, 20, 'NN')).toBe('SMALL');
      expect(selected(12, 3.5 * columns, 20, 'NN')).toBe('BLOCKED');
      expect(selected(14, 3 * columns, 20, 'NN')).toBe('BLOCKED');
      expect(selected(13, 3 * columns, 20, 'NN')).toBe('BLOCKED');
    },
  );

  it.each(Object.entries(CONVOLUTIONS))('convolutions: %s', (_, { shape, nchw, nhwc = 'IGEMM' }) => {
    bench.reset();
    const dims = bench.i32(dimsOf(shape));
    const selected = (layout: Layout) =>
      Object.values(select(bench, layout, dims)).map((number) => named('ConvAlgorithm', number));
    expect(selected('nchw')).toEqual(nchw);
    expect(selected('nhwc')).toEqual(typeof nhwc === 'string' ? same(nhwc) : nhwc);
  });
});
