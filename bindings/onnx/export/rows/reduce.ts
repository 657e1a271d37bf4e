// Reductions, running ones, and what puts elements in order.
import { DATA } from '../../messages.ts';
import type { Graph, Value } from '../graph.ts';
import type { Size } from '../sizes.ts';
import type { Call, Operand, Writer, Writers } from '../writers.ts';

/** Which dims go. */
interface Run {
  readonly dim: number;
  readonly end: number;
  readonly keepdim: boolean;
}

const axesOf = ({ dim, end }: Run): number[] => Array.from({ length: end - dim }, (_, i) => dim + i);

/** Reduces x. Where no dim goes, each element is all there is: one along a dim of its own. */
function reduce(g: Graph, opType: string, x: Value, rank: number, run: Run): Value {
  if (run.end > run.dim) return g.reduce(opType, x, axesOf(run), run.keepdim);
  return g.reduce(opType, g.unsqueeze(x, [rank]), [rank], false);
}

const reducing =
  (opType: string) =>
  (g: Graph, { x }: { readonly x: Operand }, run: Run): Value =>
    reduce(g, opType, g.counted(x), x.sizes.length, run);

/** The elements that each result is made of. */
const countOf = (call: Call, x: Operand, run: Run): number =>
  axesOf(run).reduce((count, d) => count * call.fixed(x.sizes[d] as Size), 1);

function variance(g: Graph, x: Operand, run: Run & { readonly correction: number }, call: Call): Value {
  const rank = x.sizes.length;
  const mean = run.end > run.dim ? g.reduce('ReduceMean', x, axesOf(run), true) : x;
  const rest = g.sub(x, mean);
  const spread = reduce(g, 'ReduceMean', g.mul(rest, rest), rank, run);
  if (run.correction === 0) return spread;
  const count = countOf(call, x, run);
  return g.scale(spread, count / Math.max(0, count - run.correction));
}

/** Positions among the elements of the dims that go, as one number. */
const position =
  (opType: string): Writer<'argmax'> =>
  (g, { x }, run, call) => {
    const { dim, end, keepdim } = run;
    const joined: Size[] = [...x.sizes.slice(0, dim), end - dim === 1 ? (x.sizes[dim] as Size) : countOf(call, x, run)];
    const flat = g.reshape(x, [...joined, ...x.sizes.slice(end)], x.sizes);
    const index = g.node(opType, [flat], { axis: dim, keepdims: 0 }, DATA.INT64);
    return g.cast(keepdim ? g.unsqueeze(index, axesOf(run)) : index, DATA.INT32);
  };

/** A single number as a list of one, for operators that need a dim. */
function alongDim(g: Graph, x: Operand, make: (x: Value) => Value): Value {
  return x.sizes.length > 0 ? make(x) : g.squeeze(make(g.unsqueeze(x, [0])), [0]);
}

const softmax =
  (opType: string): Writer<'softmax'> =>
  (g, { x }, { dim }) =>
    alongDim(g, x, (lanes) => g.node(opType, [lanes], { axis: dim }));

const frontOf = (dim: number, rank: number): number => (dim < 0 ? dim + rank : dim);

/** The elements of each prefix along `dim`, as a dim behind it, and `rest` in the place of those that come later. */
function prefixes(g: Graph, x: Operand, dim: number, rest: number, call: Call): Value {
  const n = call.fixed(x.sizes[dim] as Size);
  const behind = x.sizes.length - dim - 1;
  const until = Array.from({ length: n * n }, (_, i) => Number(i % n <= Math.floor(i / n)));
  const mask = g.constant(until, DATA.BOOL, [n, n, ...new Array<number>(behind).fill(1)]);
  return g.where(mask, g.unsqueeze(x, [dim]), g.scalar(rest, x.type));
}

/** What no number of the type is less than, or greater. */
const leastOf = (type: number): number => (type === DATA.FLOAT ? Number.NEGATIVE_INFINITY : -(2 ** 31));
const mostOf = (type: number): number => (type === DATA.FLOAT ? Number.POSITIVE_INFINITY : 2 ** 31 - 1);

export const reduceWriters = {
  ...{ sum: reducing('ReduceSum'), mean: reducing('ReduceMean'), prod: reducing('ReduceProd') },
  ...{ max: reducing('ReduceMax'), min: reducing('ReduceMin'), norm: reducing('ReduceL2') },
  logsumexp: reducing('ReduceLogSumExp'),
  ...{ argmax: position('ArgMax'), argmin: position('ArgMin') },
  variance: (g, { x }, run, call) => variance(g, x, run, call),
  std: (g, { x }, run, call) => g.node('Sqrt', [variance(g, x, run, call)]),
  ...{ softmax: softmax('Softmax'), logSoftmax: softmax('LogSoftmax') },
  cumsum: (g, { x }, { dim }) => alongDim(g, x, (lanes) => g.node('CumSum', [lanes, g.scalar(dim, DATA.INT64)])),
  // Each prefix by itself, so that no element is lost beside the largest of all.
  logcumsumexp: (g, { x }, { dim }, call) => {
    if (x.sizes.length === 0) return x;
    const d = frontOf(dim, x.sizes.length);
    return g.reduce('ReduceLogSumExp', prefixes(g, x, d, Number.NEGATIVE_INFINITY, call), [d + 1], false);
  },
  cumulativeArg: (g, { x }, { dim, least }, call) => {
    if (x.sizes.length === 0) return g.scalar(0, DATA.INT32);
    const d = frontOf(dim, x.sizes.length);
    const rest = least ? mostOf(x.type) : leastOf(x.type);
    const attributes = { axis: d + 1, keepdims: 0, select_last_index: 1 };
    const index = g.node(least ? 'ArgMin' : 'ArgMax', [prefixes(g, x, d, rest, call)], attributes, DATA.INT64);
    return g.cast(index, DATA.INT32);
  },
  sort: (g, { x }, { k, descending }, call) => {
    const attributes = { axis: x.sizes.length - 1, largest: Number(descending), sorted: 1 };
    const length = call.results.values?.at(-1);
    const count = k === 0 ? g.ints([0]) : g.sizes([length ?? k]);
    const [values, indices] = g.nodeOf('TopK', [x, count], attributes, [x.type, DATA.INT64]) as [Value, Value];
    return { values, indices: g.cast(indices, DATA.INT32) };
  },
  // How many stand before each.
  searchSorted: (g, { x, v }, { right }) => {
    const rank = v.sizes.length;
    const each = g.unsqueeze(v, [rank]);
    // A vector serves all; rows of x each their own of v.
    const all = x.sizes.length > 1 ? g.unsqueeze(x, [rank - 1]) : x;
    const before = right ? g.node('LessOrEqual', [all, each], {}, DATA.BOOL) : g.less(all, each);
    return g.reduce('ReduceSum', g.cast(before, DATA.INT32), [rank], false);
  },
} satisfies Writers;

/** y[j] = a[j] y[j − 1] + b[j], step by step. */
function recurrence(
  g: Graph,
  { a, b }: { readonly a: Operand; readonly b: Operand | null },
  { dim, start, backward }: { readonly dim: number; readonly start: number; readonly backward: boolean },
): Value {
  const d = frontOf(dim, a.sizes.length);
  const first = g.filled(a.sizes.toSpliced(d, 1), start, DATA.FLOAT);
  const lanes = b ? [a, b] : [a];
  const type = { tensorType: { elemType: DATA.FLOAT } };
  const [before, factor, more, product, after, result] = ['before', 'factor', 'more', 'product', 'after', 'result'].map(
    (name) => g.claim(name),
  ) as [string, string, string, string, string, string];
  const last = b ? after : product;
  const body = {
    name: g.claim('recurrence'),
    node: [
      { opType: 'Mul', input: [factor, before], output: [product] },
      ...(b ? [{ opType: 'Add', input: [product, more], output: [after] }] : []),
      { opType: 'Identity', input: [last], output: [result] },
    ],
    input: [before, factor, ...(b ? [more] : [])].map((name) => ({ name, type })),
    output: [last, result].map((name) => ({ name, type })),
  };
  const ways = (way: number, count: number): number[] => new Array<number>(count).fill(way);
  const way = Number(backward);
  return g.nodeOf(
    'Scan',
    [first, ...lanes],
    {
      body: { g: body },
      num_scan_inputs: lanes.length,
      scan_input_axes: ways(d, lanes.length),
      scan_input_directions: ways(way, lanes.length),
      scan_output_axes: [d],
      scan_output_directions: [way],
    },
    [DATA.FLOAT, DATA.FLOAT],
  )[1] as Value;
}

export const recurrenceWriters = {
  recurrence: (g, inputs, attrs) => {
    if (inputs.a.sizes.length > 0) return recurrence(g, inputs, attrs);
    const first = g.scale(inputs.a, attrs.start);
    return inputs.b ? g.add(first, inputs.b) : first;
  },
} satisfies Writers;
