// Normalisation: by statistics of channels that are given, and by the neighbours of a channel.
import { batchNormKernels, poolKernels } from '../../generated/kernel-calls.ts';
import { numelOf } from '../../sizes.ts';
import type { Backend } from '../backend.ts';
import type { Data } from '../data.ts';
import type { Info } from '../engine.ts';
import { F, type Family, maybe, row } from '../row.ts';
import { fill } from './layout.ts';

interface BatchNorm {
  readonly varianceEpsilon?: number | null;
}

interface Statistics {
  readonly x: Info;
  readonly mean: Info;
  readonly variance: Info;
  readonly scale?: Info | undefined;
  readonly offset?: Info | undefined;
}

/** How many values each of the others has; they count along the last elements of x, and start anew. */
const lengths = ({ mean, variance, scale, offset }: Statistics): number[] =>
  [mean, variance, scale, offset].flatMap((info) => (info ? numelOf(info.shape) : []));

/** y = (x - mean) / √(variance + ε) * scale + offset. */
function normalize(backend: Backend, inputs: Statistics, { varianceEpsilon }: BatchNorm): Info {
  const { x, mean, variance, scale, offset } = inputs;
  const { kernels } = backend;
  const y = backend.make(x.shape, 'float32');
  const size = y.dataId.size;
  if (size === 0) return y;
  const c = numelOf(variance.shape);
  const rstd = backend.temporary(c, 'float32');
  kernels.rstd_f32({ rstd, variance: backend.at(variance), n: c, eps: varianceEpsilon ?? 0.001 });
  if (lengths(inputs).every((n) => n === c)) {
    const sizes = { n: size / c, c, s: 1, stride: c };
    const [weight, bias] = [scale, offset].map((info) => (info ? backend.at(info) : null)) as [
      Data | null,
      Data | null,
    ];
    const call = { y: y.dataId, x: backend.at(x), mean: backend.at(mean), rstd, weight, bias };
    kernels.batch_norm_forward_f32({ ...call, ...sizes, act: 0 });
    return y;
  }
  /** Rows of y as long as b. */
  const along = (a: Data, b: Data) => ({
    ...{ y: y.dataId, a, b },
    dims: [2, size / b.size, b.size, b.size, 1, 0, 1],
  });
  kernels.sub_forward_f32(along(backend.at(x), backend.at(mean)));
  kernels.mul_forward_f32(along(y.dataId, rstd));
  if (scale) kernels.mul_forward_f32(along(y.dataId, backend.at(scale)));
  if (offset) kernels.add_forward_f32(along(y.dataId, backend.at(offset)));
  return y;
}

interface Response {
  readonly depthRadius: number;
  readonly bias: number;
  readonly alpha: number;
  readonly beta: number;
}

/** y = the sums of x over the channels of a pixel that are at most `radius` away, pixel by pixel. */
function neighbours(backend: Backend, y: Data, x: Data, channels: number, radius: number): void {
  const near = Math.min(radius, channels);
  const axis = [channels, channels, 2 * near + 1, 1, near, 1];
  const dims = [1, 1, 1, 1, 0, 1, ...axis, 1, 1];
  backend.kernels.avg_pool_forward_f32({ y, x, planes: y.size / channels, dims });
}

/** What a response is divided by to the power of β: bias + α times the sum of squares. */
function divisor(backend: Backend, x: Info, { depthRadius, bias, alpha }: Response): Data {
  const { kernels } = backend;
  const channels = x.shape[x.shape.length - 1] as number;
  const n = numelOf(x.shape);
  const [squares, sums] = [backend.temporary(n, 'float32'), backend.temporary(n, 'float32')];
  kernels.square_forward_f32({ y: squares, x: backend.at(x), n });
  neighbours(backend, sums, squares, channels, depthRadius);
  kernels.scale_f32({ y: sums, x: sums, n, alpha, beta: bias });
  return sums;
}

/** y = x to the power of a number. */
function power(backend: Backend, y: Data, x: Data, exponent: number): void {
  const b = backend.temporary(1, 'float32');
  fill(backend.kernels, 'float32', b, 1, exponent);
  backend.kernels.pow_forward_f32({ y, a: x, b, dims: [1, y.size, 1, 0] });
}

const flat = (n: number): number[] => [1, n, 1, 1];

export const norm: Family = {
  kernels: [batchNormKernels, poolKernels],
  rows: {
    FusedBatchNorm: row(
      { x: F, mean: F, variance: F, scale: maybe(F), offset: maybe(F) },
      (backend, inputs, attrs: BatchNorm) => normalize(backend, inputs, attrs),
      (inputs) => {
        const { x, mean, variance, scale = mean, offset = mean } = inputs;
        if ([variance, scale, offset].some(({ shape }) => shape.length !== mean.shape.length)) return false;
        const n = numelOf(x.shape);
        return lengths(inputs).every((length) => length > 0 && n % length === 0);
      },
    ),
    LRN: row({ x: F }, (backend, { x }, attrs: Response) => {
      const y = backend.make(x.shape, 'float32');
      const n = y.dataId.size;
      if (n === 0) return y;
      power(backend, y.dataId, divisor(backend, x, attrs), -attrs.beta);
      backend.kernels.mul_forward_f32({ y: y.dataId, a: y.dataId, b: backend.at(x), dims: flat(n) });
      return y;
    }),
    LRNGrad: row({ x: F, y: F, dy: F }, (backend, { x, y, dy }, attrs: Response) => {
      const { kernels } = backend;
      const dx = backend.make(x.shape, 'float32');
      const n = dx.dataId.size;
      if (n === 0) return dx;
      const by = divisor(backend, x, attrs);
      const [own, terms, sums] = [1, 2, 3].map(() => backend.temporary(n, 'float32')) as [Data, Data, Data];
      const dims = flat(n);
      // What each of the neighbours takes back: dy y / divisor.
      kernels.mul_forward_f32({ y: terms, a: backend.at(dy), b: backend.at(y), dims });
      kernels.div_forward_f32({ y: terms, a: terms, b: by, dims });
      neighbours(backend, sums, terms, x.shape[x.shape.length - 1] as number, attrs.depthRadius);
      kernels.mul_forward_f32({ y: sums, a: sums, b: backend.at(x), dims });
      kernels.scale_f32({ y: sums, x: sums, n, alpha: -2 * attrs.alpha * attrs.beta, beta: 0 });
      power(backend, own, by, -attrs.beta);
      kernels.mul_forward_f32({ y: own, a: own, b: backend.at(dy), dims });
      kernels.add_forward_f32({ y: dx.dataId, a: own, b: sums, dims });
      return dx;
    }),
  },
};
