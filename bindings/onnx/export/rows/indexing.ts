// What reads and writes by index: rows of tables, elements, diagonals and windows.
import type { Diagonal, Windows } from '../../../ops/rearrange.ts';
import { DATA } from '../../messages.ts';
import type { Graph, Value } from '../graph.ts';
import { ratio, type Size, type Sizes, times } from '../sizes.ts';
import { type Call, needOpset, type Operand, type Writer, type Writers } from '../writers.ts';

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const frontOf = (dim: number, rank: number): number => (dim < 0 ? dim + rank : dim);
const bytes = (g: Graph, x: Value): Value => (x.type === DATA.BOOL ? g.cast(x, DATA.UINT8) : x);

/** An index of one dim, as one for every element of `like`. */
function along(g: Graph, index: Value, dim: number, like: Operand): Value {
  const rank = like.sizes.length;
  const others = range(rank).filter((d) => d !== frontOf(dim, rank));
  return g.expand(others.length > 0 ? g.unsqueeze(index, others) : index, like.sizes);
}

const REDUCTIONS = { set: 'none', sum: 'add', prod: 'mul', amax: 'max', amin: 'min' } as const;

function scatter(
  g: Graph,
  x: Value,
  index: Value,
  src: Value,
  axis: number,
  how: keyof typeof REDUCTIONS = 'set',
): Value {
  return g.node('ScatterElements', [x, index, src], { axis, reduction: REDUCTIONS[how] });
}

/** 0, 1, 2 … below `size`, i32. */
function counting(g: Graph, size: Size): Value {
  if (typeof size === 'number') return g.constant(range(size), DATA.INT32, [size]);
  const end = g.squeeze(g.sizes([size]), [0]);
  return g.cast(g.node('Range', [g.scalar(0, DATA.INT64), end, g.scalar(1, DATA.INT64)]), DATA.INT32);
}

/** The two dims last and as one, and the other way round. */
function pairLast(sizes: Sizes, dim1: number, dim2: number, call: Call) {
  const others = range(sizes.length).filter((d) => d !== dim1 && d !== dim2);
  const [rows, cols] = [call.fixed(sizes[dim1] as Size), call.fixed(sizes[dim2] as Size)];
  const turned = [...others, dim1, dim2].map((d) => sizes[d] as Size);
  return { others, rows, cols, perm: [...others, dim1, dim2], turned };
}

const lengthOf = (rows: number, cols: number, offset: number): number =>
  Math.max(0, offset >= 0 ? Math.min(rows, cols - offset) : Math.min(rows + offset, cols));
const placeOf = (i: number, cols: number, offset: number): number =>
  offset >= 0 ? i * cols + i + offset : (i - offset) * cols + i;

function diagonal(g: Graph, x: Operand, { offset, dim1, dim2 }: Diagonal, call: Call): Value {
  const { others, rows, cols, perm, turned } = pairLast(x.sizes, dim1, dim2, call);
  const flat = g.reshape(g.transpose(x, perm), [...turned.slice(0, -2), rows * cols], turned);
  const places = range(lengthOf(rows, cols, offset)).map((i) => placeOf(i, cols, offset));
  return g.node('Gather', [flat, g.ints(places)], { axis: others.length });
}

/** Zeros with x on a diagonal: each place takes an element of x, or the 0 that is put behind them. */
function onDiagonal(g: Graph, x: Operand, attrs: Diagonal, shape: Sizes, call: Call): Value {
  const { offset, dim1, dim2 } = attrs;
  const { others, rows, cols, perm, turned } = pairLast(shape, dim1, dim2, call);
  const length = lengthOf(rows, cols, offset);
  const places = new Array<number>(rows * cols).fill(length);
  for (let i = 0; i < length; i++) places[placeOf(i, cols, offset)] = i;
  const more = new Array<number>(x.sizes.length).fill(0);
  const padded = g.node('Pad', [bytes(g, x), g.ints([...more, ...more.with(-1, 1)])], { mode: 'constant' });
  const flat = g.node('Gather', [padded, g.ints(places)], { axis: others.length });
  const back = perm.map((_, d) => perm.indexOf(d));
  return g.transpose(g.reshape(flat, turned, [...turned.slice(0, -2), rows * cols]), back);
}

function windows(g: Graph, x: Operand, { dim, size, step }: Windows, call: Call): Value {
  const rank = x.sizes.length;
  if (rank === 0) return g.unsqueeze(size === 0 ? g.slice(g.unsqueeze(x, [0]), 0, 0, 0) : x, size === 0 ? [] : [0]);
  const d = frontOf(dim, rank);
  const count = Math.floor((call.fixed(x.sizes[d] as Size) - size) / step) + 1;
  const places = range(count).flatMap((at) => range(size).map((i) => at * step + i));
  const taken = g.node('Gather', [x, g.constant(places, DATA.INT64, [count, size])], { axis: d });
  return g.transpose(taken, [...range(rank + 1).filter((each) => each !== d + 1), d + 1]);
}

export const indexingWriters = {
  embedding: (g, { weight, index }) => g.node('Gather', [weight, index], { axis: 0 }),
  indexSelect: (g, { x, index }, { dim }) => g.node('Gather', [x, index], { axis: dim }),
  gather: (g, { x, index }, { dim }) => g.node('GatherElements', [x, index], { axis: dim }),
  scatterAdd: (g, { x, index, src }, { dim }) => scatter(g, x, index, src, dim, 'sum'),
  indexAdd: (g, { x, index, src }, { dim }) => scatter(g, x, along(g, index, dim, src), src, dim, 'sum'),
  indexCopy: (g, { x, index, src }, { dim }) => scatter(g, x, along(g, index, dim, src), src, dim),
  scatter: (g, { x, index, src }, { dim, how }, call) => {
    if (how === 'amax' || how === 'amin') needOpset(g, call, 18);
    return scatter(g, x, index, src, dim, how);
  },
  // What is checked is no part of a graph.
  checkedIndex: (_, { x }) => x,
  coordinate: (g, { x }, { size, stride }) =>
    g.node('Mod', [g.div(x, g.scalar(stride, DATA.INT32)), g.scalar(size, DATA.INT32)]),
  maskPositions: (g, { mask }, _, call) => {
    const found = g.node('NonZero', [g.bool(g.reshape(mask, [-1]))], {}, DATA.INT64);
    return g.cast(g.reshape(found, call.sizes), DATA.INT32);
  },
  diagonal: (g, { x }, attrs, call) => diagonal(g, x, attrs, call),
  diagonalBackward: (g, { g: x }, attrs, call) => onDiagonal(g, x, attrs, call.list('shape'), call),
  windows: (g, { x }, attrs, call) => windows(g, x, attrs, call),
  putRows: (g, { y, index, x }) => ({ y: g.node('ScatterND', [y, g.cast(g.unsqueeze(index, [1]), DATA.INT64), x]) }),
} satisfies Writers;

/** Where each of `places` is each of `count` bags: a mask [places, bags]. */
const inBags = (g: Graph, place: Value, bags: Size): Value =>
  g.node('Equal', [g.unsqueeze(place, [1]), g.unsqueeze(counting(g, bags), [0])], {}, DATA.BOOL);

/** All elements. */
const product = (sizes: Sizes, call: Call): Size =>
  sizes.reduce((all, size) => times(all, size) ?? call.fixed(all) * call.fixed(size), 1);

const bagPlaces: Writer<'bagPlaces'> = (g, { index, offsets }, { padding }, call) => {
  const bags = call.size('bags');
  const count = product(index.sizes, call);
  let place: Value;
  if (offsets) {
    const places = counting(g, count);
    const started = g.node('LessOrEqual', [g.unsqueeze(offsets, [0]), g.unsqueeze(places, [1])], {}, DATA.BOOL);
    place = g.scale(g.reduce('ReduceSum', g.cast(started, DATA.INT32), [1], false), 1, -1);
  } else {
    const each = ratio(count, bags) ?? call.fixed(count) / Math.max(1, call.fixed(bags));
    place = g.reshape(g.expand(g.unsqueeze(counting(g, bags), [1]), [bags, each]), [count]);
  }
  const all = inBags(g, place, bags);
  let inside = all;
  if (padding >= 0) {
    const left = g.equal(g.reshape(index, [-1]), g.scalar(padding, DATA.INT32));
    place = g.where(left, g.scalar(-1, DATA.INT32), place);
    inside = inBags(g, place, bags);
  }
  const counts = g.reduce('ReduceSum', g.cast(inside, DATA.FLOAT), [0], true);
  // Of the one bag that each is in.
  const share = g.div(g.cast(all, DATA.FLOAT), g.node('Max', [counts, g.scalar(1)]));
  return { place, share: g.reduce('ReduceSum', share, [1], false) };
};

const bagMaxima: Writer<'bagMaxima'> = (g, { weight, index, place }, _, call) => {
  const bags = call.size('bags');
  const flat = g.reshape(index, [-1]);
  const inside = g.transpose(inBags(g, place, bags), [1, 0]);
  const rows = g.unsqueeze(g.node('Gather', [weight, flat], { axis: 0 }), [0]);
  const seen = g.where(g.unsqueeze(inside, [2]), rows, g.scalar(Number.NEGATIVE_INFINITY));
  const best = g.node('ArgMax', [seen], { axis: 1, keepdims: 0 }, DATA.INT64);
  const filled = g.reduce('ReduceMax', g.cast(inside, DATA.FLOAT), [1], true);
  const found = g.node('Gather', [flat, best], { axis: 0 });
  return { rows: g.where(g.bool(filled), found, g.scalar(0, DATA.INT32)), filled };
};

/** y[to[j]] += factor[j] x[from[j]], for what is inside and not left out. */
const sumRows: Writer<'sumRows'> = (g, { x, from, to, factor }, { skipFrom, skipTo }, call) => {
  const n = call.size('n');
  const entries = (from ?? to)?.sizes ?? x.sizes.slice(0, 1);
  const zero = g.scalar(0, DATA.INT32);
  const rows = x.sizes[0] as Size;
  const list = (given: Value | null): Value => (given ? g.reshape(given, [-1]) : counting(g, entries[0] as Size));
  const inside = (index: Value, bound: Size, skip: number): Value => {
    const end = typeof bound === 'number' ? g.scalar(bound, DATA.INT32) : g.cast(g.sizes([bound]), DATA.INT32);
    const fits = g.node('And', [g.node('GreaterOrEqual', [index, zero], {}, DATA.BOOL), g.less(index, end)]);
    return skip < 0 ? fits : g.node('And', [fits, g.node('Not', [g.equal(index, g.scalar(skip, DATA.INT32))])]);
  };
  const [source, target] = [list(from), list(to)];
  const fits = g.node('And', [inside(source, rows, from ? skipFrom : -1), inside(target, n, to ? skipTo : -1)]);
  const taken = g.node('Gather', [x, g.where(fits, source, zero)], { axis: 0 });
  const kept = g.cast(fits, DATA.FLOAT);
  const shares = factor ? g.where(fits, factor, g.scalar(0)) : kept;
  const places = g.cast(g.unsqueeze(g.where(fits, target, zero), [1]), DATA.INT64);
  const zeros = g.filled([n, x.sizes[1] as Size], 0, DATA.FLOAT);
  return g.node('ScatterND', [zeros, places, g.mul(taken, g.unsqueeze(shares, [1]))], { reduction: 'add' });
};

export const bagWriters = { bagPlaces, bagMaxima, sumRows } satisfies Writers;
