// Pools and their gradients against the cpu backend of TensorFlow.js, over a table of geometries.
import '@tensorflow/tfjs-backend-cpu';
import { beforeAll, describe, it } from 'vitest';
import { configure } from '../../bindings/tfjs/index.ts';
import { axesOf, type Windows } from '../../bindings/tfjs/kernels/windows.ts';
import { type Call, expectAlike, stream } from './images.ts';

beforeAll(() => {
  configure({ threads: 1 });
});

interface Geometry extends Windows {
  readonly batch: number;
  readonly sizes: number[];
  readonly filterSize: number[];
  readonly channels: number;
}

const base = { batch: 2, sizes: [6, 8], filterSize: [2, 2], channels: 4, strides: [2, 2], pad: 'valid' } as const;
const list = (rows: readonly object[]): Geometry[] => rows.map((row) => ({ ...base, ...row }) as unknown as Geometry);
const explicit = [
  [0, 0],
  [1, 0],
  [0, 1],
  [0, 0],
];

const images = list([
  ...[1, 3, 4, 6, 8, 17, 35].map((channels) => ({ channels })),
  ...[1, 2, 3, 5, 9].map((n) => ({ sizes: [n, 10 - n], filterSize: [3, 3], pad: 'same' })),
  { filterSize: [3, 3], strides: [1, 1], pad: 'same' },
  { filterSize: [6, 8], strides: [1, 1], batch: 1, channels: 5 },
  { filterSize: [1, 1], strides: [2, 3] },
  { filterSize: [3, 2], strides: [1, 3], pad: 1 },
  { filterSize: [3, 3], pad: explicit },
  { filterSize: [2, 2], strides: [3, 3], pad: 'same', sizes: [7, 7] },
]);
/** Gradients forget how sizes were rounded. */
const rounded = list([
  { filterSize: [3, 3], pad: 0, dimRoundingMode: 'ceil', sizes: [6, 6] },
  { filterSize: [2, 2], strides: [3, 3], pad: 1, dimRoundingMode: 'floor', sizes: [7, 7] },
]);
const volumes = list([
  { sizes: [4, 6, 4], filterSize: [2, 2, 2], strides: [2, 2, 2], channels: 17 },
  { sizes: [3, 5, 4], filterSize: [3, 3, 3], strides: [1, 2, 1], pad: 'same', channels: 1 },
  { sizes: [5, 5, 5], filterSize: [2, 2, 2], strides: [3, 3, 3], pad: 'same' },
  { sizes: [4, 4, 4], filterSize: [2, 2, 2], strides: [2, 2, 2], pad: 1, channels: 3 },
]);

/** Numbers of which many are equal: of equals the first is the greatest, or the last. */
function images4(shape: number[]): { shape: number[]; values: number[] } {
  const random = stream(3);
  const n = shape.reduce((a, b) => a * b, 1);
  return { shape, values: Array.from({ length: n }, () => Math.floor(random() * 4) - 2) };
}

/** What a maximum is the output of: computed anew, on cpu's terms, by the gradient's own test. */
function callOf(kernel: string, geometry: Geometry): Call {
  const { batch, sizes, channels, filterSize, strides, pad, dimRoundingMode } = geometry;
  const shape = [batch, ...sizes, channels];
  const format = sizes.length === 3 ? { dataFormat: 'NDHWC' } : {};
  const attrs = { filterSize, strides, pad, ...format, ...(dimRoundingMode && { dimRoundingMode }) };
  const x = images4(shape);
  if (!kernel.endsWith('Grad')) return { kernel, inputs: { x }, attrs };
  const outputs = axesOf('test', sizes, filterSize, attrs).map((axis) => axis.outputs);
  const dy = [batch, ...outputs, channels];
  if (kernel.startsWith('Avg')) return { kernel, inputs: { dy, input: shape }, attrs };
  return { kernel, inputs: { dy, input: x, output: maxima(x.values, shape, geometry) }, attrs };
}

/** The result of the max pool of values. */
function maxima(values: number[], shape: number[], geometry: Geometry): { shape: number[]; values: number[] } {
  const { batch, sizes, channels, filterSize } = geometry;
  const axes = axesOf('test', sizes, filterSize, geometry);
  const result: number[] = [];
  const steps = shape.map((_, d) => shape.slice(d + 1).reduce((a, b) => a * b, 1));
  const most = (d: number, at: number, starts: number[]): number => {
    const axis = axes[d];
    if (!axis) return values[at] as number;
    let top = Number.NEGATIVE_INFINITY;
    for (let i = Math.max(starts[d] as number, 0); i < Math.min((starts[d] as number) + axis.kernel, axis.size); i++)
      top = Math.max(top, most(d + 1, at + i * (steps[d + 1] as number), starts));
    return top;
  };
  const go = (d: number, at: number, starts: number[]): void => {
    const axis = axes[d];
    if (!axis) for (let c = 0; c < channels; c++) result.push(most(0, at + c, starts));
    else for (let o = 0; o < axis.outputs; o++) go(d + 1, at, [...starts, o * axis.stride - axis.padding]);
  };
  for (let n = 0; n < batch; n++) go(0, n * (steps[0] as number), []);
  return { shape: [batch, ...axes.map((axis) => axis.outputs), channels], values: result };
}

const square = volumes.filter(({ filterSize: [, h, w] }) => h === w);
const TABLE: Readonly<Record<string, readonly Geometry[]>> = {
  MaxPool: [...images, ...rounded],
  AvgPool: [...images, ...rounded],
  MaxPoolGrad: images,
  AvgPoolGrad: images,
  MaxPoolWithArgmax: images,
  MaxPool3D: volumes,
  AvgPool3D: volumes,
  MaxPool3DGrad: square,
  AvgPool3DGrad: volumes,
};

describe('is alike on cpu', () => {
  for (const [kernel, geometries] of Object.entries(TABLE))
    it(`${kernel}, ${geometries.length} geometries`, async () => {
      for (const geometry of geometries) await expectAlike(callOf(kernel, geometry));
    });

  it('MaxPoolWithArgmax, places in the whole batch', async () => {
    for (const geometry of images.slice(0, 8)) {
      const { attrs, ...call } = callOf('MaxPoolWithArgmax', geometry);
      await expectAlike({ ...call, attrs: { ...attrs, includeBatchInIndex: true } });
    }
  });

  it('with NaN and infinities, which maxima pass over', async () => {
    const values = [Number.NaN, 1, Number.NaN, Number.NaN, Number.NEGATIVE_INFINITY, -1, Number.POSITIVE_INFINITY, 2];
    const x = { shape: [1, 2, 4, 1], values };
    const attrs = { filterSize: [2, 2], strides: [1, 1], pad: 'same' };
    await expectAlike({ kernel: 'MaxPool', inputs: { x }, attrs });
    await expectAlike({ kernel: 'MaxPoolWithArgmax', inputs: { x }, attrs });
  });
});
