// Other shapes of the same elements, and parts of them.
import { arange, eye, full, tensor } from '../../creation.ts';
import { indexSelect } from '../../functional/indexing.ts';
import { pad } from '../../functional/pad.ts';
import { tril, triu } from '../../functional/parts.ts';
import { flip, tile } from '../../functional/rearrange.ts';
import * as S from '../../functional/shape.ts';
import { ArgumentError, formatShape, ShapeError } from '../../memory/errors.ts';
import { contiguousStrides, numelOf, type Shape, type Tensor } from '../../tensor.ts';
import * as H from '../host.ts';
import { DATA, type TensorProto } from '../messages.ts';
import { always, type Call, type Family, type Operator } from '../operator.ts';
import { readTensor } from '../tensors.ts';
import { dtypeOf, HostArray, listOf, MOST_ON_HOST, numberOf, type Value } from '../values.ts';

const shaped = (x: Value, sizes: Shape): Value =>
  x instanceof HostArray ? new HostArray(sizes, x.data) : S.reshape(x, sizes);

/** A shape with 0 for sizes to keep and -1 for what is left. */
function resolved(call: Call, from: Shape, wanted: readonly number[], zeros: boolean): number[] {
  const sizes = wanted.map((size, d) => (size === 0 && !zeros ? (from[d] ?? 0) : size));
  const at = sizes.indexOf(-1);
  if (at >= 0) {
    const rest = numelOf(sizes.filter((_, d) => d !== at));
    sizes[at] = rest === 0 ? 0 : numelOf(from) / rest;
  }
  if (sizes.some((size) => !Number.isSafeInteger(size) || size < 0) || numelOf(sizes) !== numelOf(from))
    throw new ShapeError(
      `${call.node.op}: expected a shape of as many elements as ${formatShape(from)} has, got ${formatShape(wanted)}`,
    );
  return sizes;
}

const reshape: Operator = {
  takes: 'data shape?# | allowzero=0 shape:ints',
  run: (call) => {
    const wanted = call.listOr(1, 'shape') ?? [];
    return shaped(call.value(0), resolved(call, call.sizes(), wanted, call.attr('allowzero') !== 0));
  },
};

/** An operator on shapes alone, of tensors and of numbers of the host. */
const reshaping = (takes: string, to: (call: Call, from: Shape) => Shape): Operator => ({
  takes,
  run: (call) => shaped(call.value(0), to(call, call.sizes())),
});

const axesOf = (call: Call, rank: number): number[] | null =>
  call.listOr(1, 'axes')?.map((axis) => call.axis(axis, rank)) ?? null;

const squeezed = (call: Call, from: Shape): Shape => {
  const axes = axesOf(call, from.length);
  if (axes?.some((d) => from[d] !== 1))
    throw new ShapeError(`Squeeze: expected dims of size 1 at ${formatShape(axes)}, got ${formatShape(from)}`);
  return from.filter((size, d) => (axes ? !axes.includes(d) : size !== 1));
};

const unsqueezed = (call: Call, from: Shape): Shape => {
  const count = call.listOr(1, 'axes')?.length ?? 0;
  const axes = axesOf(call, from.length + count) ?? [];
  const rest = [...from];
  return Array.from({ length: from.length + count }, (_, d) => (axes.includes(d) ? 1 : (rest.shift() ?? 1)));
};

const flattened = (call: Call, from: Shape): Shape => {
  const axis = call.attr('axis');
  const front = axis < 0 ? axis + from.length : axis;
  return [numelOf(from.slice(0, front)), numelOf(from.slice(front))];
};

const transposed: Operator = {
  takes: 'X | perm:ints',
  host: (call, x) => {
    const order = orderOf(call, x.sizes.length);
    const steps = contiguousStrides(x.sizes);
    return H.viewed(
      x,
      order.map((d) => x.sizes[d] as number),
      order.map((d) => steps[d] as number),
    );
  },
  run: (call) => S.permute(call.x(), orderOf(call, call.sizes().length)),
};

const orderOf = (call: Call, rank: number): readonly number[] =>
  call.ints('perm') ?? Array.from({ length: rank }, (_, d) => rank - 1 - d);

const expanded: Operator = {
  takes: 'X shape#',
  host: (call, x) => {
    const sizes = H.broadcast(x.sizes, call.list(1));
    return numelOf(sizes) <= MOST_ON_HOST ? H.expanded(x, sizes) : undefined;
  },
  run: (call) => S.expand(call.x(), H.broadcast(call.sizes(), call.list(1))),
};

const concatenated: Operator = {
  takes: 'X... | axis=1',
  host: (call, ...xs) => H.joined(xs, call.axis(call.attr('axis'), xs[0]?.sizes.length ?? 1)),
  run: (call) =>
    S.cat(
      call.values.map((_, i) => call.x(i)),
      call.axis(call.attr('axis'), call.sizes().length),
    ),
};

const splitting: Operator = {
  takes: 'X split?# | axis=0 split:ints num_outputs:int',
  types: ({ types, wanted }) => wanted.map(() => types[0] as number),
  host: (call, x) => {
    const axis = call.axis(call.attr('axis'), x.sizes.length);
    let from = 0;
    return partsOf(call, x.sizes[axis] ?? 1).map((length) => {
      const index = listOf(Array.from({ length }, (_, i) => from + i));
      from += length;
      return H.gathered(x, index, axis);
    });
  },
  run: (call) => {
    const axis = call.axis(call.attr('axis'), call.sizes().length);
    return S.split(call.x(), partsOf(call, call.sizes()[axis] ?? 1), axis);
  },
};

function partsOf(call: Call, size: number): readonly number[] {
  const given = call.listOr(1, 'split');
  if (given) return given;
  const count = call.attr('num_outputs') ?? call.node.wanted.length;
  const most = Math.ceil(size / count);
  return Array.from({ length: count }, (_, i) => Math.max(0, Math.min(most, size - i * most)));
}

interface Cut {
  readonly dim: number;
  readonly start: number;
  readonly length: number;
  readonly step: number;
}

/** What Slice takes of each dim, as NumPy does. */
function cutsOf(call: Call, sizes: Shape): Cut[] {
  const starts = call.listOr(1, 'starts') ?? [];
  const ends = call.listOr(2, 'ends') ?? [];
  const axes = call.listOr(3, 'axes') ?? starts.map((_, d) => d);
  const steps = call.has(4) ? call.list(4) : starts.map(() => 1);
  return axes.map((axis, i) => {
    const dim = call.axis(axis, sizes.length);
    const [size, step] = [sizes[dim] ?? 1, steps[i] ?? 1];
    if (!Number.isInteger(step) || step === 0)
      throw new ArgumentError(`Slice: expected a step other than 0, got ${step}`);
    const clip = (at: number): number => {
      const from = at < 0 ? at + size : at;
      return step > 0 ? Math.min(Math.max(from, 0), size) : Math.min(Math.max(from, -1), size - 1);
    };
    const start = clip(starts[i] ?? 0);
    return { dim, start, length: Math.max(0, Math.ceil((clip(ends[i] ?? size) - start) / step)), step };
  });
}

const slicing: Operator = {
  takes: 'data starts?# ends?# axes?# steps?# | starts:ints ends:ints axes:ints',
  run: (call) => {
    const value = call.value(0);
    const cuts = cutsOf(call, value.sizes);
    if (value instanceof HostArray) return cuts.reduce(cutHost, value);
    return cuts.reduce((x, { dim, start, length, step }) => {
      if (length === 0) return S.narrow(x, dim, 0, 0);
      const last = start + (length - 1) * step;
      if (step > 0) return S.slice(x, dim, start, last + 1, step);
      return flip(S.slice(x, dim, last, start + 1, -step), [dim]);
    }, value);
  },
};

const cutHost = (x: HostArray, { dim, start, length, step }: Cut): HostArray => {
  const steps = contiguousStrides(x.sizes);
  const along = steps[dim] ?? 1;
  return H.viewed(
    x,
    x.sizes.map((size, d) => (d === dim ? length : size)),
    steps.map((own, d) => (d === dim ? own * step : own)),
    start * along,
  );
};

/** Pairs before and behind each dim, as {@link pad} takes them: from the last dim on. */
const sidesOf = (before: readonly number[], behind: readonly number[]): number[] =>
  before.flatMap((_, i) => [before[before.length - 1 - i] as number, behind[before.length - 1 - i] as number]);

const padding: Operator = {
  takes: 'data pads?# value?# axes?# | mode=constant pads:ints paddings:ints value=0',
  run: (call) => {
    const x = call.x();
    const given = call.listOr(1, 'pads') ?? call.ints('paddings') ?? [];
    const axes = (call.has(3) ? call.list(3) : x.sizes.map((_, d) => d)).map((axis) => call.axis(axis, x.ndim));
    if (given.length !== 2 * axes.length)
      throw new ArgumentError(`Pad: expected ${2 * axes.length} pads, got ${given.length}; mend the model`);
    const [before, behind] = [x.sizes.map(() => 0), x.sizes.map(() => 0)];
    axes.forEach((dim, i) => {
      before[dim] = given[i] as number;
      behind[dim] = given[i + axes.length] as number;
    });
    const mode = call.word('mode', 'constant', 'reflect', 'edge', 'wrap');
    if (mode === 'constant') return pad(x, sidesOf(before, behind), 'constant', call.number(2, call.attr('value')));
    return padEdges(x, before, behind, mode);
  },
};

/** One dim after the other: as the first of a plane of lines. */
function padEdges(x: Tensor, before: readonly number[], behind: readonly number[], mode: 'reflect' | 'edge' | 'wrap') {
  const how = { reflect: 'reflect', edge: 'replicate', wrap: 'circular' } as const;
  return x.sizes.reduce((y, size, dim) => {
    const [front, back] = [before[dim] as number, behind[dim] as number];
    if (front === 0 && back === 0) return y;
    const lines = S.reshape(S.transpose(y, dim, -1), [1, -1, size]);
    const padded = pad(lines, [front, back], how[mode]);
    const sizes = y.sizes.with(dim, y.sizes.at(-1) as number).with(-1, padded.sizes[2] as number);
    return S.transpose(S.reshape(padded, sizes), dim, -1);
  }, x);
}

const shapeOf: Operator = {
  takes: 'data | start=0 end:int',
  types: always(DATA.INT64),
  run: (call) => listOf(call.sizes().slice(call.attr('start'), call.attr('end') ?? undefined)),
};

/** Blocks of channels as pixels, and back. */
const blocks = (deep: boolean): Operator => ({
  takes: 'X | blocksize!:int mode=DCR',
  run: (call) => {
    const x = call.x();
    const [n, c, h, w] = x.sizes as [number, number, number, number];
    const size = call.attr('blocksize');
    if (deep) {
      const apart = S.reshape(x, [n, c, h / size, size, w / size, size]);
      const order = call.word('mode', 'DCR', 'CRD') === 'DCR' ? [0, 3, 5, 1, 2, 4] : [0, 1, 3, 5, 2, 4];
      return S.reshape(S.permute(apart, order), [n, c * size * size, h / size, w / size]);
    }
    const depth = c / (size * size);
    const rows = call.word('mode', 'DCR', 'CRD') === 'DCR';
    const apart = S.reshape(x, rows ? [n, size, size, depth, h, w] : [n, depth, size, size, h, w]);
    const order = rows ? [0, 3, 4, 1, 5, 2] : [0, 1, 4, 2, 5, 3];
    return S.reshape(S.permute(apart, order), [n, depth, h * size, w * size]);
  },
});

const triangle: Operator = {
  takes: 'X k?# | upper=1',
  run: (call) => {
    const k = Math.max(-(2 ** 30), Math.min(2 ** 30, call.number(1, 0)));
    return call.sizes().includes(0) ? call.x() : (call.attr('upper') ? triu : tril)(call.x(), k);
  },
};

const eyeLike: Operator = {
  takes: 'X | dtype:int k=0',
  types: ({ attributes, types }) => [(attributes.dtype as number) ?? types[0]],
  run: (call) => {
    const [rows, columns] = call.sizes() as [number, number];
    const k = call.attr('k');
    const dtype = dtypeOf(call.node.given[0] as number);
    // Column j + k of row j has the 1.
    const wide = eye(Math.max(rows, columns) + Math.abs(k), { dtype });
    return S.narrow(S.narrow(wide, 0, Math.max(k, 0), rows), 1, Math.max(-k, 0), columns);
  },
};

const filled: Operator = {
  takes: 'shape# | value:tensor',
  types: ({ attributes }) => [(attributes.value as TensorProto | null)?.dataType ?? DATA.FLOAT],
  run: (call) => {
    const proto = call.node.attributes.value as TensorProto | null;
    const value = proto ? ((readTensor(proto).data[0] as number) ?? 0) : 0;
    const sizes = call.list(0);
    const type = call.node.given[0] as number;
    if (dtypeOf(type) !== 'f32' && numelOf(sizes) <= MOST_ON_HOST)
      return new HostArray(sizes, new Array<number>(numelOf(sizes)).fill(value));
    return full([...sizes], value, { dtype: dtypeOf(type) });
  },
};

const range: Operator = {
  takes: 'start# limit# delta# | stash_type:int',
  run: (call) => {
    const [start, limit, delta] = [call.number(0), call.number(1), call.number(2)];
    const length = Math.max(0, Math.ceil((limit - start) / delta));
    if (!Number.isSafeInteger(length))
      throw new ArgumentError(`Range: expected a delta that leads to ${limit}, got ${delta}`);
    const dtype = dtypeOf(call.type());
    if (length > MOST_ON_HOST) return arange(start, start + length * delta, delta, { dtype });
    return listOf(Array.from({ length }, (_, i) => start + i * delta));
  },
};

const cropPad: Operator = {
  takes: 'X shape# | axes:ints',
  run: (call) => {
    const x = call.x();
    const axes = (call.ints('axes') ?? x.sizes.map((_, d) => d)).map((axis) => call.axis(axis, x.ndim));
    const wanted = call.list(1);
    return axes.reduce((y, dim, i) => {
      const [size, to] = [y.sizes[dim] as number, wanted[i] as number];
      if (to <= size) return S.narrow(y, dim, Math.floor((size - to) / 2), to);
      const before = Math.floor((to - size) / 2);
      const sides = y.sizes.map((_, d) => (d === dim ? 1 : 0));
      return pad(
        y,
        sidesOf(
          sides.map((on) => on * before),
          sides.map((on) => on * (to - size - before)),
        ),
      );
    }, x);
  },
};

const repeated: Operator = {
  takes: 'X repeats#',
  run: (call) => tile(call.x(), [...call.list(1)]),
};

/** The first elements of each sequence the other way round. */
const reversed: Operator = {
  takes: 'X lengths# | batch_axis=1 time_axis=0',
  run: (call) => {
    const x = call.x();
    const [batch, time] = [call.attr('batch_axis'), call.attr('time_axis')];
    const rows = S.unbind(x, batch).map((row, i) => {
      const length = call.list(1)[i] as number;
      const along = time > batch ? time - 1 : time;
      const head = flip(S.narrow(row, along, 0, length), [along]);
      const rest = (row.sizes[along] as number) - length;
      return rest > 0 ? S.cat([head, S.narrow(row, along, length, rest)], along) : head;
    });
    return S.stack(rows, batch);
  },
};

const compressed: Operator = {
  takes: 'X condition# | axis:int',
  run: (call) => {
    const axis = call.attr('axis');
    const x = axis === null ? S.flatten(call.x()) : call.x();
    const places = call.list(1).flatMap((on, i) => (on ? [i] : []));
    return indexSelect(x, axis ?? 0, tensor(Int32Array.from(places)));
  },
};

export const shapes: Family = {
  CenterCropPad: cropPad,
  Compress: compressed,
  Concat: concatenated,
  ConstantOfShape: filled,
  DepthToSpace: blocks(false),
  Expand: expanded,
  EyeLike: eyeLike,
  Flatten: reshaping('X | axis=1', flattened),
  Pad: padding,
  Range: range,
  Reshape: reshape,
  ReverseSequence: reversed,
  Shape: shapeOf,
  Size: { takes: 'data', types: always(DATA.INT64), run: (call) => numberOf(numelOf(call.sizes())) },
  Slice: slicing,
  SpaceToDepth: blocks(true),
  Split: splitting,
  Squeeze: reshaping('data axes?# | axes:ints', squeezed),
  Tile: repeated,
  Transpose: transposed,
  Trilu: triangle,
  Unsqueeze: reshaping('data axes?# | axes:ints', unsqueezed),
};
