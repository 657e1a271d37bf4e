// Elements by index.

import { tensor } from '../../creation.ts';
import { cast } from '../../functional/arguments.ts';
import * as F from '../../functional/elementwise.ts';
import { gather, indexSelect } from '../../functional/indexing.ts';
import { nonzero } from '../../functional/nonzero.ts';
import { oneHot } from '../../functional/one-hot.ts';
import { scatter, scatterReduce } from '../../functional/scatter.ts';
import * as S from '../../functional/shape.ts';
import { topk } from '../../functional/sort.ts';
import { ArgumentError } from '../../memory/errors.ts';
import { numelOf, type Shape, type Tensor } from '../../tensor.ts';
import * as H from '../host.ts';
import { DATA } from '../messages.ts';
import { always, type Call, type Family, first, like, type Operator } from '../operator.ts';
import { HostArray, MOST_ON_HOST } from '../values.ts';

/** Indices of which negative ones count from the end. */
const counted = (index: Tensor, size: number): Tensor => F.where(F.lt(index, 0), F.add(index, size), index);

/** An index input; what is known on the host is counted there. */
function indexOf(call: Call, i: number, size: number): Tensor {
  const value = call.value(i);
  if (!(value instanceof HostArray)) return counted(cast(value, 'i32'), size);
  if (value.data.every((at) => at >= 0)) return call.index(i);
  return tensor(
    Int32Array.from(value.data, (at) => (at < 0 ? at + size : at)),
    { shape: [...value.sizes] },
  );
}

const gathered: Operator = {
  takes: 'data indices | axis=0',
  host: (call, x, index) => {
    const axis = call.axis(call.attr('axis'), x.sizes.length);
    const count = (index.data.length * x.data.length) / Math.max(x.sizes[axis] ?? 1, 1);
    return count <= MOST_ON_HOST ? H.gathered(x, index, axis) : undefined;
  },
  run: (call) => {
    const x = call.x();
    const axis = call.axis(call.attr('axis'), x.ndim);
    const value = call.value(1);
    if (value instanceof HostArray && value.sizes.length === 0) return S.select(x, axis, value.data[0] as number);
    const index = indexOf(call, 1, x.sizes[axis] ?? 1);
    const y = indexSelect(x, axis, S.reshape(index, [index.size]));
    return S.reshape(y, [...x.sizes.slice(0, axis), ...index.sizes, ...x.sizes.slice(axis + 1)]);
  },
};

const elements: Operator = {
  takes: 'data indices | axis=0',
  run: (call) => {
    const axis = call.axis(call.attr('axis'), call.sizes().length);
    return gather(call.x(), axis, indexOf(call, 1, call.sizes()[axis] ?? 1));
  },
};

/** Positions in row-major order of tuples of indices along the dims `sizes`. */
function positions(index: Tensor, sizes: Shape): Tensor {
  const at = sizes.map((size, d) => {
    const one = counted(S.select(index, -1, d), size);
    return F.mul(one, numelOf(sizes.slice(d + 1)));
  });
  return at.reduce((a, b) => F.add(a, b));
}

const gatheredByTuples: Operator = {
  takes: 'data indices | batch_dims=0',
  run: (call) => {
    const [x, index] = [call.x(0), call.index(1)];
    const batch = call.attr('batch_dims');
    const depth = index.sizes.at(-1) as number;
    const lead = x.sizes.slice(0, batch);
    const indexed = x.sizes.slice(batch, batch + depth);
    const rest = x.sizes.slice(batch + depth);
    const rows = numelOf(lead);
    const each = numelOf(indexed);
    let at = S.reshape(positions(index, indexed), [rows, -1]);
    if (rows > 1)
      at = F.add(
        at,
        tensor(
          Int32Array.from({ length: rows }, (_, i) => i * each),
          { shape: [rows, 1] },
        ),
      );
    const flat = S.reshape(x, [rows * each, numelOf(rest)]);
    return S.reshape(indexSelect(flat, 0, S.reshape(at, [at.size])), [...index.sizes.slice(0, -1), ...rest]);
  },
};

const REDUCTIONS = { add: 'sum', mul: 'prod', max: 'amax', min: 'amin' } as const;

/** `src` put to the places of index along a dim, or joined with what is there. */
function placed(call: Call, x: Tensor, dim: number, index: Tensor, src: Tensor): Tensor {
  const how = call.word('reduction', 'none', 'add', 'mul', 'max', 'min');
  return how === 'none' ? scatter(x, dim, index, src) : scatterReduce(x, dim, index, src, REDUCTIONS[how]);
}

const scattered: Operator = {
  takes: 'data indices updates | axis=0 reduction=none',
  run: (call) => {
    const axis = call.axis(call.attr('axis'), call.sizes().length);
    return placed(call, call.x(0), axis, indexOf(call, 1, call.sizes()[axis] ?? 1), call.x(2));
  },
};

const scatteredByTuples: Operator = {
  takes: 'data indices updates | reduction=none',
  run: (call) => {
    const [x, index, updates] = [call.x(0), call.index(1), call.x(2)];
    const depth = index.sizes.at(-1) as number;
    const indexed = x.sizes.slice(0, depth);
    const width = numelOf(x.sizes.slice(depth));
    const at = S.reshape(positions(index, indexed), [-1, 1]);
    const flat = S.reshape(x, [numelOf(indexed), width]);
    const rows = S.reshape(updates, [at.sizes[0] as number, width]);
    return S.reshape(placed(call, flat, 0, S.expand(at, rows.sizes), rows), x.sizes);
  },
};

const hot: Operator = {
  takes: 'indices depth# values | axis=-1',
  types: like(2),
  run: (call) => {
    const depth = call.number(1);
    const index = cast(call.x(0), 'i32');
    const inside = F.logicalAnd(F.ge(index, -depth), F.lt(index, depth));
    const classes = F.where(inside, counted(index, depth), 0);
    const on = F.mul(oneHot(classes, depth), S.unsqueeze(cast(inside, 'f32'), -1));
    const values = call.x(2);
    const [off, full] = [S.select(values, 0, 0), S.select(values, 0, 1)];
    const axis = call.axis(call.attr('axis'), index.ndim + 1);
    const order = Array.from({ length: index.ndim + 1 }, (_, d) => d).filter((d) => d !== index.ndim);
    order.splice(axis, 0, index.ndim);
    return S.permute(F.where(F.gt(on, 0), full, off), order);
  },
};

const greatest: Operator = {
  takes: 'X K?# | axis=-1 k:int largest=1 sorted=1',
  types: first(DATA.INT64),
  run: (call) => {
    const x = call.x();
    const k = call.has(1) ? call.number(1) : call.attr('k');
    const { values, indices } = topk(x, k, call.axis(call.attr('axis'), x.ndim), call.attr('largest') !== 0);
    return [values, indices];
  },
};

const places: Operator = {
  takes: 'X',
  types: always(DATA.INT64),
  run: (call) => S.transpose(nonzero(call.x()), 0, 1),
};

/** A part of a cache overwritten from a place on, which may differ by sequence. */
const written: Operator = {
  takes: 'past update write_indices?# | mode=linear axis=-2',
  run: (call) => {
    const [past, update] = [call.x(0), call.x(1)];
    const axis = call.axis(call.attr('axis'), past.ndim);
    const [size, length] = [past.sizes[axis] as number, update.sizes[axis] as number];
    const circular = call.word('mode', 'linear', 'circular') === 'circular';
    const starts = call.has(2) ? call.list(2) : new Array<number>(past.sizes[0] as number).fill(0);
    const rows = starts.flatMap((start) =>
      Array.from({ length }, (_, i) => (circular ? (start + i) % size : start + i)),
    );
    if (rows.some((at) => at < 0 || at >= size))
      throw new ArgumentError(`TensorScatter: expected places before ${size}, got ${Math.max(...rows)}`);
    const shape = update.sizes.map((n, d) => (d === 0 || d === axis ? n : 1));
    const index = tensor(Int32Array.from(rows), { shape });
    return scatter(past, axis, S.expand(index, update.sizes), update);
  },
};

export const indexing: Family = {
  Gather: gathered,
  GatherElements: elements,
  GatherND: gatheredByTuples,
  NonZero: places,
  OneHot: hot,
  Scatter: scattered,
  ScatterElements: scattered,
  ScatterND: scatteredByTuples,
  TensorScatter: written,
  TopK: greatest,
};
