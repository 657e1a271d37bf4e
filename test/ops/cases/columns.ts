// Cases of windows as columns, and back.
import { type Nd, nd } from '../../../reference/nd.ts';
import { type AttrsOf, argumentError, type Cases, dtypeError, f32, i32, shapeError } from './types.ts';

type Attrs = AttrsOf<'im2col'>;
const plain: Attrs = { kernelSize: [2, 3], stride: [1, 1], padding: [0, 0], dilation: [1, 1] };
const samples: readonly (readonly [x: readonly number[], Attrs])[] = [
  [[1, 1, 1, 1], { ...plain, kernelSize: [1, 1] }],
  [[2, 3, 4, 5], plain],
  [[1, 2, 5, 6], { kernelSize: [3, 2], stride: [2, 3], padding: [1, 2], dilation: [1, 2] }],
  [[2, 1, 3, 17], { kernelSize: [2, 3], stride: [1, 1], padding: [2, 1], dilation: [3, 2] }],
  [[1, 1, 2, 3], { kernelSize: [2, 2], stride: [9, 7], padding: [3, 3], dilation: [1, 4] }],
  [[0, 2, 4, 4], plain],
  [[3, 1, 1, 3], { ...plain, kernelSize: [1, 3] }],
  [[1, 2, 3, 7], { ...plain, kernelSize: [1, 3] }],
  [[1, 19, 6, 7], { ...plain, kernelSize: [3, 3], padding: [1, 1] }],
];

/** Calls visit with the position of every element of the columns and of that of the image; -1 in the padding. */
function eachTap(shape: readonly number[], attrs: Attrs, visit: (column: number, pixel: number) => void): number[] {
  const [n, c, h, w] = shape as [number, number, number, number];
  const [kh, kw] = attrs.kernelSize as [number, number];
  const [oh, ow] = [h, w].map((size, d) => {
    const reach = (attrs.dilation[d] as number) * ((attrs.kernelSize[d] as number) - 1) + 1;
    return Math.floor((size + 2 * (attrs.padding[d] as number) - reach) / (attrs.stride[d] as number)) + 1;
  }) as [number, number];
  let column = 0;
  for (let plane = 0; plane < n * c; plane++)
    for (let i = 0; i < kh; i++)
      for (let j = 0; j < kw; j++)
        for (let o = 0; o < oh; o++)
          for (let p = 0; p < ow; p++) {
            const y =
              o * (attrs.stride[0] as number) - (attrs.padding[0] as number) + i * (attrs.dilation[0] as number);
            const x =
              p * (attrs.stride[1] as number) - (attrs.padding[1] as number) + j * (attrs.dilation[1] as number);
            visit(column++, y >= 0 && y < h && x >= 0 && x < w ? (plane * h + y) * w + x : -1);
          }
  return [n, c * kh * kw, oh * ow];
}
function columns(x: Nd, attrs: Attrs): Nd {
  const values: number[] = [];
  const shape = eachTap(x.shape, attrs, (at, pixel) => {
    values[at] = pixel < 0 ? 0 : (x.data[pixel] as number);
  });
  return nd(shape, values);
}
function summed(y: Nd, shape: readonly number[], attrs: Attrs): Nd {
  const image = nd(shape, new Float64Array(shape.reduce((a, b) => a * b, 1)));
  eachTap(shape, attrs, (at, pixel) => {
    if (pixel >= 0) image.data[pixel] = (image.data[pixel] as number) + (y.data[at] as number);
  });
  return image;
}

const sized = { ...plain, size: [3, 4] };

export const columnCases = {
  im2col: {
    samples: samples.map(([x, attrs]) => ({ inputs: { x: f32(x) }, attrs })),
    reference: ({ x }, attrs) => columns(x, attrs),
    tolerance: { relative: 0 },
    gradients: 'all',
    errors: [
      dtypeError({ x: i32([1, 1, 3, 3]) }, plain, /^unfold: expected dtype f32, got i32/),
      shapeError(
        { x: f32([3, 3]) },
        plain,
        /^unfold: expected input \[n, channels, height, width\], with or without n/,
      ),
      shapeError({ x: f32([1, 1, 1, 3]) }, plain, /^unfold: expected windows that fit the padded image \[1, 3\], got/),
      argumentError({ x: f32([1, 1, 3, 3]) }, { ...plain, stride: [1, 0] }, /^unfold: expected stride of 2 whole/),
      argumentError({ x: f32([1, 1, 3, 3]) }, { ...plain, kernelSize: [1] }, /^unfold: expected kernelSize of 2 whole/),
    ],
  },
  col2im: {
    samples: samples.map(([x, attrs]) => ({
      inputs: { x: f32(eachTap(x, attrs, () => undefined)) },
      attrs: { ...attrs, size: x.slice(2) },
    })),
    reference: ({ x }, { size, ...attrs }) => {
      const [n, rows] = x.shape as [number, number];
      const taps = attrs.kernelSize.reduce((a, b) => a * b, 1);
      return summed(x, [n, rows / taps, ...size], attrs);
    },
    tolerance: { relative: 1e-6, absolute: 2e-6 },
    gradients: 'all',
    errors: [
      dtypeError({ x: i32([1, 6, 4]) }, sized, /^fold: expected dtype f32, got i32/),
      shapeError({ x: f32([6, 4]) }, sized, /^fold: expected input \[n, channels · taps, windows\]/),
      shapeError({ x: f32([1, 7, 4]) }, sized, /^fold: expected channels · 6 rows for kernelSize \[2, 3\], got/),
      shapeError({ x: f32([1, 6, 5]) }, sized, /^fold: expected input of shape \[1, 6, 4\], got \[1, 6, 5\]/),
      argumentError({ x: f32([1, 6, 4]) }, { ...sized, size: [3] }, /^fold: expected size of 2 whole numbers >= 1/),
    ],
  },
} satisfies Cases;
