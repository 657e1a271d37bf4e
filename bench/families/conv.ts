// Convolutions in the layout of PyTorch (NCHW), and some in that of TensorFlow (NHWC): the layers of ResNet-18 and
// MobileNetV2, some small ones, each with its gradients.
import { checkConv } from '../checks/conv.ts';
import { type Case, type ConvProblem, type Family, outputsOf, uniform } from '../problems.ts';

type Layer = Omit<ConvProblem, 'direction' | 'x' | 'weight' | 'g'>;

/** `channels → filters` on size × size images. */
function layer(
  n: number,
  channels: number,
  filters: number,
  size: number,
  kernel: number,
  stride = 1,
  groups = 1,
): Layer {
  const padding = Math.floor(kernel / 2);
  return { kind: 'conv', n, channels, height: size, width: size, filters, kernel, stride, padding, groups };
}
const depthwise = (n: number, channels: number, size: number, stride = 1, kernel = 3): Layer =>
  layer(n, channels, channels, size, kernel, stride, channels);
const nhwc = (shape: Layer): Layer => ({ ...shape, kind: 'conv nhwc' });

const LAYERS: readonly Layer[] = [
  // LeNet's and MNIST's kind.
  layer(64, 1, 16, 28, 3),
  layer(64, 16, 32, 14, 5),
  // ResNet-18.
  layer(1, 3, 64, 224, 7, 2),
  layer(1, 64, 64, 56, 3),
  layer(1, 64, 128, 56, 3, 2),
  layer(1, 64, 128, 56, 1, 2),
  layer(1, 128, 128, 28, 3),
  layer(1, 256, 256, 14, 3),
  layer(1, 256, 512, 14, 3, 2),
  layer(1, 512, 512, 7, 3),
  layer(8, 64, 64, 56, 3),
  layer(8, 512, 512, 7, 3),
  // MobileNetV2.
  layer(1, 16, 96, 112, 1),
  depthwise(1, 96, 112, 2),
  layer(1, 96, 24, 56, 1),
  depthwise(1, 144, 56),
  depthwise(1, 384, 14),
  layer(1, 384, 64, 14, 1),
  layer(1, 320, 1280, 7, 1),
  depthwise(1, 960, 7),
  // EfficientNet's.
  depthwise(1, 672, 14, 1, 5),
  nhwc(layer(1, 64, 64, 56, 3)),
  nhwc(layer(1, 256, 64, 56, 1)),
  nhwc(layer(1, 3, 64, 224, 7, 2)),
  nhwc(layer(1, 512, 512, 7, 3)),
  nhwc(depthwise(1, 144, 56)),
  nhwc(depthwise(1, 96, 112, 2)),
];

const QUICK: readonly Layer[] = [
  layer(2, 3, 5, 12, 3),
  layer(2, 8, 16, 9, 5),
  layer(1, 3, 8, 20, 7, 2),
  layer(2, 6, 10, 7, 1),
  layer(1, 32, 32, 8, 3),
  depthwise(2, 10, 9),
  depthwise(1, 10, 10, 2),
  nhwc(layer(2, 8, 16, 9, 5)),
  nhwc(layer(1, 3, 8, 20, 7, 2)),
  nhwc(depthwise(2, 10, 9)),
];

function nameOf({ kind: layout, n, channels, filters, height, width, kernel, stride, groups }: Layer): string {
  const step = stride > 1 ? `/${stride}` : '';
  const kind =
    groups > 1
      ? `depthwise ${kernel}×${kernel}${step} ${channels}`
      : `${kernel}×${kernel}${step} ${channels}→${filters}`;
  return `${kind} on ${n > 1 ? `${n}×` : ''}${height}×${width}${layout === 'conv' ? '' : ' NHWC'}`;
}

function cases(shape: Layer): Case[] {
  const { n, channels, filters, height, width, kernel, groups } = shape;
  const [rows, cols] = outputsOf(shape);
  const sizes = {
    x: n * channels * height * width,
    weight: filters * (channels / groups) * kernel * kernel,
    g: n * filters * rows * cols,
  };
  const work = {
    flops: 2 * rows * cols * n * sizes.weight,
    bytes: 4 * (sizes.x + sizes.weight + sizes.g),
    unit: 'GFLOP/s',
  } as const;
  return (['forward', 'dInput', 'dWeight'] as const).map((direction) => ({
    name: `${nameOf(shape)} ${direction}`,
    work,
    make: () => {
      const problem: ConvProblem = {
        direction,
        ...shape,
        x: uniform(sizes.x, 1),
        weight: uniform(sizes.weight, 2),
        g: uniform(sizes.g, 3),
      };
      return { problem, check: checkConv(problem) };
    },
  }));
}

/** @param quick some small layers instead */
export function convFamily(quick: boolean): Family {
  return { name: 'conv', cases: (quick ? QUICK : LAYERS).flatMap(cases), skipped: [] };
}
