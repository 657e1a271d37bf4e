// Regions of images by as many samples as they have pixels, as ONNX Runtime takes them.
import { beforeAll, it } from 'vitest';
import { autograd, init, manualSeed, noGrad, rand, randn, type Tensor, tensor } from '../../bindings/index.ts';
import { loadOnnx } from '../../bindings/onnx/index.ts';
import { toNd } from '../support/tensors.ts';
import { floats, model, node, value, whole } from './build.ts';
import { closeTo, Runtime } from './runtime.ts';

beforeAll(async () => {
  await init({ threads: 1 });
  manualSeed(2);
});

it.each([
  [0, 'avg', 'half_pixel'],
  [0, 'avg', 'output_half_pixel'],
  [3, 'avg', 'half_pixel'],
] as const)('RoiAlign of %i samples, %s, %s', async (ratio, mode, way) => {
  const rois = [0.5, 1, 5.25, 7, -2, -1, 3, 2.5, 2, 3, 30, 30, 1, 1, 1.1, 1.2];
  const bytes = model({
    node: [
      node('RoiAlign', ['x', 'rois', 'images'], ['y'], {
        mode,
        coordinate_transformation_mode: way,
        output_height: 2,
        output_width: 3,
        sampling_ratio: ratio,
        spatial_scale: 0.75,
      }),
    ],
    input: [value('x', [2, 3, 6, 7])],
    output: [value('y', [4, 3, 2, 3])],
    initializer: [floats('rois', [4, 4], rois), whole('images', [4], [0, 1, 1, 0])],
  });
  const x = randn([2, 3, 6, 7]);
  const runtime = await Runtime.load(bytes);
  const read = await loadOnnx(bytes);
  const [answer] = await runtime.run([x]);
  closeTo(answer, toNd(noGrad(() => read.forward(x))), 'regions');
  await runtime.release();
});

it.each(['RoiAlign', 'DeformConv'])('%s has the gradients that small steps say, off the kinks', async (op) => {
  const region = op === 'RoiAlign';
  const read = await loadOnnx<Tensor, [Tensor, Tensor]>(
    model({
      node: [
        region
          ? node(op, ['x', 'places', 'images'], ['y'], { output_height: 2, output_width: 2, sampling_ratio: 2 })
          : node(op, ['x', 'w', 'places'], ['y'], { group: 2, offset_group: 2, strides: [2, 1], pads: [1, 0, 0, 1] }),
      ],
      input: [value('x', [1, 2, 5, 6]), value('places', region ? [2, 4] : [1, 16, 3, 6])],
      output: [value('y', region ? [2, 2, 2, 2] : [1, 4, 3, 6])],
      initializer: [
        whole('images', [2], [0, 0]),
        floats(
          'w',
          [4, 1, 2, 2],
          Array.from({ length: 16 }, (_, i) => i - 7.5),
        ),
      ],
    }),
  );
  const x = randn([1, 2, 5, 6]);
  // Samples stand a quarter away from pixels at least, and inside.
  const places = region
    ? tensor([0.7, 0.8, 4.3, 4.3, 0.9, 0.9, 3.7, 3.7], { shape: [2, 4] })
    : rand([1, 16, 3, 6]).mul(0.4).add(0.3);
  autograd.gradcheck(
    (a: Tensor, b: Tensor) => read.forward(a, b),
    [x.requiresGrad_(), places.detach().requiresGrad_()],
    {
      atol: 5e-3,
      rtol: 1e-2,
    },
  );
});
