// Pools over three dims, of those over two: planes first, then their results along the depth. Sums of sums and greatest
// of greatest are those of the whole, and so are counts, which are products of one count a dim.
import { ops } from '../autograd.ts';
import type { OpName, Ops } from '../ops/core.ts';
import type { AvgPool, MaxPool } from '../ops/pool.ts';
import type { Tensor } from '../tensor.ts';

type Pools = Pick<Ops, Extract<OpName, `${string}Pool` | `${string}PoolWithIndices`>>;

/** x [..., depth, ...] with the two dims behind it joined: [..., depth, positions]. */
const joined = (x: Tensor): Tensor =>
  ops.reshape({ x }, { shape: [...x.sizes.slice(0, -2), (x.sizes.at(-2) as number) * (x.sizes.at(-1) as number)] });

/** A result [..., depth, positions] with its positions as [height, width]. */
const apart = (y: Tensor, like: Tensor): Tensor =>
  ops.reshape({ x: y }, { shape: [...y.sizes.slice(0, -1), ...like.sizes.slice(-2)] });

/** x [n?, channels, depth, height, width] as [n · channels, depth, height, width], and back. */
const flat = (x: Tensor): Tensor => ops.reshape({ x }, { shape: [batchOf(x), ...x.sizes.slice(-3)] });
const batchOf = (x: Tensor): number => x.sizes.slice(0, -3).reduce((a, b) => a * b, 1);
const unflat = (y: Tensor, x: Tensor): Tensor =>
  ops.reshape({ x: y }, { shape: [...x.sizes.slice(0, -3), ...y.sizes.slice(1)] });

/** What a pool's numbers are along the last two dims, and along the one before. */
const split = <T>(values: readonly T[], one: T): [planes: T[], depth: T[]] => [values.slice(1), [values[0] as T, one]];

/** The greatest of windows [n?, channels, depth, height, width], and, where asked, where they lie in the volume. */
export function maxVolume(
  pools: Pools,
  x: Tensor,
  { kernelSize, stride, padding, dilation, ceilMode }: MaxPool,
  returnIndices: boolean,
): [y: Tensor, index: Tensor | null] {
  const [kernels, strides, pads, steps] = [
    split(kernelSize, 1),
    split(stride, 1),
    split(padding, 0),
    split(dilation, 1),
  ];
  const attrs = (i: 0 | 1): MaxPool => ({
    kernelSize: kernels[i],
    stride: strides[i],
    padding: pads[i],
    dilation: steps[i],
    ceilMode,
  });
  return greatest(
    x,
    returnIndices,
    (y, i) => pools.maxPoolWithIndices({ x: y }, attrs(i)),
    (y, i) => pools.maxPool({ x: y }, attrs(i)),
  );
}

/** As maxVolume, of a given number of windows. */
export function adaptiveMaxVolume(
  pools: Pools,
  x: Tensor,
  outputSize: readonly number[],
  returnIndices: boolean,
): [y: Tensor, index: Tensor | null] {
  const attrs = (y: Tensor, i: 0 | 1) => ({
    outputSize: i === 0 ? outputSize.slice(1) : [outputSize[0] as number, y.sizes.at(-1) as number],
  });
  return greatest(
    x,
    returnIndices,
    (y, i) => pools.adaptiveMaxPoolWithIndices({ x: y }, attrs(y, i)),
    (y, i) => pools.adaptiveMaxPool({ x: y }, attrs(y, i)),
  );
}

/**
 * @param place a pool that says where its results lie, of planes (0) or along the depth (1) @param pool one that does
 *   not
 */
function greatest(
  x: Tensor,
  returnIndices: boolean,
  place: (x: Tensor, i: 0 | 1) => { readonly y: Tensor; readonly index: Tensor },
  pool: (x: Tensor, i: 0 | 1) => Tensor,
): [y: Tensor, index: Tensor | null] {
  const volumes = flat(x);
  if (!returnIndices) {
    const planes = pool(volumes, 0);
    return [unflat(apart(pool(joined(planes), 1), planes), x), null];
  }
  const planes = place(volumes, 0);
  const rows = place(joined(planes.y), 1);
  // Where those of a plane lie in the volume: depth d adds d times the area, of which cumsum() has one more.
  const n = volumes.sizes[0] as number;
  const area = (x.sizes.at(-2) as number) * (x.sizes.at(-1) as number);
  const areas = ops.full({}, { shape: [x.sizes.at(-3) as number, 1, 1], value: area, dtype: 'i32' });
  const behind = ops.add({ a: planes.index, b: ops.cumsum({ x: areas }, { dim: 0 }) });
  const places = ops.sub({ a: behind, b: ops.full({}, { shape: [], value: area, dtype: 'i32' }) });
  const line = (t: Tensor): Tensor => ops.reshape({ x: t }, { shape: [n, n > 0 ? t.size / n : 0] });
  const index = ops.gather({ x: line(places), index: line(rows.index) }, { dim: 1 });
  const shaped = ops.reshape({ x: index }, { shape: rows.index.sizes });
  return [unflat(apart(rows.y, planes.y), x), unflat(apart(shaped, planes.y), x)];
}

/** The means of windows [n?, channels, depth, height, width]. */
export function meanVolume(
  pools: Pools,
  x: Tensor,
  { kernelSize, stride, padding, ceilMode, countIncludePad, divisorOverride }: AvgPool,
): Tensor {
  const [kernels, strides, pads] = [split(kernelSize, 1), split(stride, 1), split(padding, 0)];
  const attrs = (i: 0 | 1): AvgPool => ({
    kernelSize: kernels[i],
    stride: strides[i],
    padding: pads[i],
    ceilMode,
    countIncludePad,
    divisorOverride: divisorOverride === null || i === 0 ? divisorOverride : 1,
  });
  const planes = pools.avgPool({ x: flat(x) }, attrs(0));
  return unflat(apart(pools.avgPool({ x: joined(planes) }, attrs(1)), planes), x);
}

/** The means of as many windows as outputSize says, over one, two or three dims. */
export function adaptiveMeans(pools: Pools, x: Tensor, outputSize: readonly number[]): Tensor {
  if (outputSize.length < 3) return pools.adaptiveAvgPool({ x }, { outputSize });
  const planes = pools.adaptiveAvgPool({ x: flat(x) }, { outputSize: outputSize.slice(1) });
  const rows = joined(planes);
  const along = [outputSize[0] as number, rows.sizes.at(-1) as number];
  return unflat(apart(pools.adaptiveAvgPool({ x: rows }, { outputSize: along }), planes), x);
}
