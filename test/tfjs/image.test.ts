// What normalises, resizes, pads and cuts images, against the cpu backend of TensorFlow.js.
import '@tensorflow/tfjs-backend-cpu';
import { beforeAll, describe, it } from 'vitest';
import { configure } from '../../bindings/tfjs/index.ts';
import { type Call, expectAlike, type Inputs, stream } from './images.ts';

beforeAll(() => {
  configure({ threads: 1 });
});

const given = (shape: number[], f: (random: () => number) => number, dtype?: 'int32') => {
  const random = stream(5);
  const values = Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => f(random));
  return { shape, values, ...(dtype && { dtype }) };
};

const square = [2, 5, 5, 3];
const wide = [2, 4, 7, 5];
const modes = [{}, { alignCorners: true }, { halfPixelCenters: true }];
const sizes: [number, number][] = [
  [1, 1],
  [3, 9],
  [5, 5],
  [10, 2],
  [7, 7],
];
const resizes = (kernel: string): Call[] =>
  [square, wide, [1, 1, 6, 1], [3, 9, 1, 17]].flatMap((images) =>
    sizes.flatMap((size) => modes.map((mode) => ({ kernel, inputs: { images }, attrs: { ...mode, size } }))),
  );
/**
 * The cpu backend's gradient of a bilinear resize mixes up height and width, that of the nearest reads one image alone,
 * and none knows of half pixels.
 */
const gradients = (kernel: string, batch: number): Call[] =>
  sizes.flatMap(([h, w]) =>
    modes.slice(0, 2).map((attrs) => ({ kernel, inputs: { images: [batch, 5, 5, 3], dy: [batch, h, w, 3] }, attrs })),
  );

/** x, and statistics of each length. */
const batchNorms = (): Call[] =>
  [
    [1, 1, 4],
    [2, 3, 4],
    [1, 1, 1],
  ].flatMap((shape) => {
    const channels = [1, 1, 4];
    return [{}, { scale: shape }, { offset: channels }, { scale: channels, offset: channels }].map((more) => {
      const variance = given(shape, (random) => random() + 0.1);
      const inputs: Inputs = { x: [2, 3, 4], mean: channels, variance, ...more };
      return { kernel: 'FusedBatchNorm', inputs, attrs: { varianceEpsilon: 0.01 } };
    });
  });

const responses = (kernel: string, inputs: string[]): Call[] =>
  [1, 3, 8, 17].flatMap((channels) =>
    [0, 1, 2, 9].map((depthRadius) => {
      const shape = [2, 2, 3, channels];
      return {
        kernel,
        inputs: Object.fromEntries(inputs.map((name) => [name, shape])),
        attrs: { depthRadius, bias: 1.5, alpha: 0.7, beta: 0.6 },
      };
    }),
  );

const counted = (shape: number[]) => given(shape, (random) => Math.floor(random() * 100), 'int32');
const blocks: Call[] = [
  {
    kernel: 'SpaceToBatchND',
    inputs: { x: [2, 4, 6, 3] },
    attrs: {
      blockShape: [2, 3],
      paddings: [
        [0, 0],
        [0, 0],
      ],
    },
  },
  {
    kernel: 'SpaceToBatchND',
    inputs: { x: [1, 3, 4, 2] },
    attrs: {
      blockShape: [2, 2],
      paddings: [
        [1, 0],
        [0, 2],
      ],
    },
  },
  { kernel: 'SpaceToBatchND', inputs: { x: counted([2, 5]) }, attrs: { blockShape: [3], paddings: [[0, 1]] } },
  {
    kernel: 'BatchToSpaceND',
    inputs: { x: [8, 2, 3, 5] },
    attrs: {
      blockShape: [2, 2],
      crops: [
        [0, 0],
        [0, 0],
      ],
    },
  },
  {
    kernel: 'BatchToSpaceND',
    inputs: { x: [6, 2, 3, 5] },
    attrs: {
      blockShape: [2, 3],
      crops: [
        [1, 0],
        [2, 3],
      ],
    },
  },
  { kernel: 'BatchToSpaceND', inputs: { x: counted([3, 4]) }, attrs: { blockShape: [3], crops: [[1, 1]] } },
  { kernel: 'DepthToSpace', inputs: { x: [2, 3, 2, 12] }, attrs: { blockSize: 2, dataFormat: 'NHWC' } },
  { kernel: 'FlipLeftRight', inputs: { image: wide }, attrs: {} },
  { kernel: 'FlipLeftRight', inputs: { image: counted([1, 2, 3, 4]) }, attrs: {} },
  ...['reflect', 'symmetric'].flatMap((mode): Call[] => [
    {
      kernel: 'MirrorPad',
      inputs: { x: [3, 4] },
      attrs: {
        mode,
        paddings: [
          [1, 2],
          [0, 3],
        ],
      },
    },
    {
      kernel: 'MirrorPad',
      inputs: { x: [2, 3, 5, 3] },
      attrs: {
        mode,
        paddings: [
          [0, 0],
          [2, 1],
          [4, 0],
          [0, 0],
        ],
      },
    },
    { kernel: 'MirrorPad', inputs: { x: counted([4]) }, attrs: { mode, paddings: [[3, 3]] } },
    {
      kernel: 'MirrorPad',
      inputs: { x: [2, 2] },
      attrs: {
        mode,
        paddings: [
          [0, 0],
          [0, 0],
        ],
      },
    },
  ]),
];

const TABLE: Readonly<Record<string, Call[]>> = {
  ResizeBilinear: [
    ...resizes('ResizeBilinear'),
    { kernel: 'ResizeBilinear', inputs: { images: counted([1, 3, 2, 4]) }, attrs: { size: [5, 4] } },
  ],
  ResizeNearestNeighbor: resizes('ResizeNearestNeighbor'),
  ResizeBilinearGrad: gradients('ResizeBilinearGrad', 2),
  ResizeNearestNeighborGrad: gradients('ResizeNearestNeighborGrad', 1),
  FusedBatchNorm: batchNorms(),
  LRN: responses('LRN', ['x']),
  LRNGrad: responses('LRNGrad', ['x', 'y', 'dy']),
  'blocks and mirrors': blocks,
};

describe('is alike on cpu', () => {
  for (const [name, calls] of Object.entries(TABLE))
    it(`${name}, ${calls.length} calls`, async () => {
      for (const call of calls) await expectAlike(call);
    });

  it('what mirrors further than it reaches, by the cpu backend itself', async () => {
    const attrs = { mode: 'reflect', paddings: [[0, 5]] };
    await expectAlike({ kernel: 'MirrorPad', inputs: { x: [4] }, attrs }, false);
  });
});
