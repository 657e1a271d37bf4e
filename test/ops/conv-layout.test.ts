// conv2d in TensorFlow's layout against PyTorch's, by functional/conv.ts, with what the cases of the rows do not see.
import { beforeAll, describe, expect, it } from 'vitest';
import { functional as F, grad, init, manualSeed, randn, type Tensor } from '../../bindings/index.ts';

beforeAll(() => init());

const channelsLast = (x: Tensor): Tensor => x.permute([0, 2, 3, 1]);
const near = (actual: Tensor, expected: Tensor): void => {
  expect(actual.shape).toEqual(expected.shape);
  const wanted = expected.data as Float32Array;
  const bound = 1e-5 * wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
  actual.data.forEach((value, i) => {
    expect(Math.abs(value - (wanted[i] as number))).toBeLessThan(bound);
  });
};

describe("conv2d with layout 'nhwc'", () => {
  it.each([
    ['same, an even kernel', { padding: 'same' as const }],
    ['strides and dilation', { stride: 2, padding: [2, 1], dilation: [1, 2] }],
  ])('%s: the result and gradients of nchw', (_, options) => {
    manualSeed(1);
    const x = randn([2, 5, 9, 8]);
    const weight = randn([6, 5, 2, 3]);
    const bias = randn([6]);
    const inputs = [x, weight, bias].map((input) => input.requiresGrad_());
    const last = F.conv2d(channelsLast(x), weight.permute([2, 3, 1, 0]), bias, { ...options, layout: 'nhwc' });
    const first = channelsLast(F.conv2d(x, weight, bias, options));
    near(last, first);
    const [ours, theirs] = [last, first].map((y) => grad([y.square().sum()], inputs));
    ours?.forEach((gradient, i) => {
      near(gradient as Tensor, theirs?.[i] as Tensor);
    });
  });

  it('takes one image, and says what it takes', () => {
    const weight = randn([3, 3, 4, 5]);
    expect(F.conv2d(randn([7, 6, 4]), weight, null, { layout: 'nhwc' }).shape).toEqual([5, 4, 5]);
    expect(() => F.conv2d(randn([4]), weight, null, { layout: 'nhwc' })).toThrow(
      /^conv2d: expected input \[n, height, width, channels\], with or without n, got \[4\]/,
    );
  });

  it.each([1, 2])("does TensorFlow's depthwise convolution by a reshape, multiplier %i", (multiplier) => {
    const [size, channels] = [5, 3];
    const x = randn([1, size, size, channels]);
    const filter = randn([3, 3, channels, multiplier]);
    const weight = filter.reshape([3, 3, 1, channels * multiplier]);
    const y = F.conv2d(x, weight, null, { padding: 'same', groups: channels, layout: 'nhwc' });
    expect(y.shape).toEqual([1, size, size, channels * multiplier]);
    const [image, taps, result] = [x.data, filter.data, y.data];
    for (let at = 0; at < result.length; at++) {
      const o = at % (channels * multiplier);
      const pixel = Math.floor(at / (channels * multiplier));
      const [row, column] = [Math.floor(pixel / size), pixel % size];
      const [c, q] = [Math.floor(o / multiplier), o % multiplier];
      let sum = 0;
      for (let i = 0; i < 3; i++)
        for (let j = 0; j < 3; j++) {
          const [r, s] = [row + i - 1, column + j - 1];
          if (r < 0 || s < 0 || r >= size || s >= size) continue;
          const tap = taps[((i * 3 + j) * channels + c) * multiplier + q] as number;
          sum += tap * (image[(r * size + s) * channels + c] as number);
        }
      expect(Math.abs((result[at] as number) - sum)).toBeLessThan(1e-4);
    }
  });
});
