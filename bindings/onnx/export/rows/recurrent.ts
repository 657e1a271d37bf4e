// Recurrent layers. ONNX has the gates of ours in another order, and sequences as [time, n, size].
import { DATA } from '../../messages.ts';
import type { Attribute, Graph, Value } from '../graph.ts';
import { now, type Size, same, times } from '../sizes.ts';
import type { Call, Operand, Writers } from '../writers.ts';

interface Sequence {
  readonly x: Operand;
  readonly weightIh: Operand;
  readonly bias: Operand | null;
  readonly weightHh: Operand;
  readonly h0: Operand | null;
}

/** Parts of equal length along dim 0, in another order. */
function reordered(g: Graph, x: Value, width: number, order: readonly number[]): Value {
  if (order.every((part, i) => part === i)) return x;
  return g.node(
    'Concat',
    order.map((part) => g.slice(x, 0, part * width, width)),
    { axis: 0 },
  );
}

const zeros = (g: Graph, count: number): Value => g.constant(new Array<number>(count).fill(0), DATA.FLOAT, [count]);

/** Where the rows of packed sequences are among all steps of all of them, and back. */
function places(batchSizes: readonly number[]): {
  readonly spread: number[];
  readonly rows: number[];
  readonly lengths: number[];
} {
  const n = batchSizes[0] ?? 0;
  const spread: number[] = [];
  const rows: number[] = [];
  let at = 0;
  batchSizes.forEach((count, step) => {
    for (let i = 0; i < n; i++) spread.push(i < count ? at + i : 0);
    for (let i = 0; i < count; i++) rows.push(step * n + i);
    at += count;
  });
  const lengths = Array.from({ length: n }, (_, i) => batchSizes.filter((count) => count > i).length);
  return { spread, rows, lengths };
}

interface Layer {
  readonly opType: 'LSTM' | 'GRU' | 'RNN';
  /** Where each gate of ONNX's is among ours. */
  readonly order: readonly number[];
  /** What is added to the products of the hidden states; without it nothing is. */
  readonly inner?: Value | null;
  readonly c0?: Value | null;
  readonly reverse: boolean;
  readonly attributes?: Readonly<Record<string, Attribute>>;
}

/** A layer in one direction: all hidden states by row, and the last states. */
function layer(g: Graph, inputs: Sequence, kind: Layer, call: Call): Record<string, Value> {
  const { x, weightIh, bias, weightHh, h0 } = inputs;
  const { opType, order, inner, c0, reverse, attributes } = kind;
  const all = call.repeated('batchSizes');
  const sizes = all ? [all.item] : call.list('batchSizes');
  const width = now(weightHh.sizes[1] as Size);
  const [n, features] = [sizes[0] as Size, x.sizes[1] as Size];
  const packed = sizes.some((size) => !same(size, n));
  const time = all?.count ?? sizes.length;
  const ragged = packed ? places(sizes.map((size) => call.fixed(size))) : null;
  const rows = ragged ? g.node('Gather', [x, g.ints(ragged.spread)], { axis: 0 }) : x;
  const given = g.reshape(rows, [time, n, features]);
  const weights = [weightIh, weightHh].map((w) => g.unsqueeze(reordered(g, w, width, order), [0]));
  const state = (h: Value | null | undefined): Value | null => (h ? g.unsqueeze(h, [0]) : null);
  const parts = [
    bias ? reordered(g, bias, width, order) : zeros(g, order.length * width),
    inner ?? zeros(g, order.length * width),
  ];
  const biases = bias || inner ? g.unsqueeze(g.node('Concat', parts, { axis: 0 }), [0]) : null;
  const lengths = ragged && g.constant(ragged.lengths, DATA.INT32, [ragged.lengths.length]);
  const made = g.nodeOf(
    opType,
    [given, ...weights, biases, lengths, state(h0), ...(opType === 'LSTM' ? [state(c0)] : [])],
    { hidden_size: width, direction: reverse ? 'reverse' : 'forward', ...attributes },
    new Array<number>(opType === 'LSTM' ? 3 : 2).fill(DATA.FLOAT),
  );
  const [steps, h, c] = made as [Value, Value, Value?];
  const flat = g.reshape(steps, [times(time, n) ?? call.fixed(n), width]);
  const y = ragged ? g.node('Gather', [flat, g.ints(ragged.rows)], { axis: 0 }) : flat;
  return { y, h: g.squeeze(h, [0]), ...(c && { c: g.squeeze(c, [0]) }) };
}

/** Input, output, forget and candidate of input, forget, candidate and output. */
const LSTM_ORDER = [0, 3, 1, 2] as const;
/** Update, reset and candidate of reset, update and candidate. */
const GRU_ORDER = [1, 0, 2] as const;

/** The new states of a cell, its gates in our order. */
function lstmCell(g: Graph, gates: Value, cell: Operand): Record<string, Value> {
  const width = now(cell.sizes[1] as Size);
  const [input, forget, candidate, output] = [0, 1, 2, 3].map((part) => g.slice(gates, 1, part * width, width)) as [
    Value,
    Value,
    Value,
    Value,
  ];
  const sigmoid = (x: Value): Value => g.node('Sigmoid', [x]);
  const c = g.add(g.mul(sigmoid(forget), cell), g.mul(sigmoid(input), g.node('Tanh', [candidate])));
  return { h: g.mul(sigmoid(output), g.node('Tanh', [c])), c };
}

export const recurrentWriters = {
  lstm: (g, inputs, { reverse }, call) => {
    return layer(g, inputs, { opType: 'LSTM', order: LSTM_ORDER, c0: inputs.c0, reverse }, call);
  },
  gru: (g, inputs, { reverse }, call) => {
    const width = now(inputs.weightHh.sizes[1] as Size);
    const inner = inputs.inner && g.node('Concat', [zeros(g, 2 * width), inputs.inner], { axis: 0 });
    const attributes = { linear_before_reset: 1 };
    return layer(g, inputs, { opType: 'GRU', order: GRU_ORDER, inner, reverse, attributes }, call);
  },
  rnn: (g, inputs, { reverse, relu }, call) => {
    const names = new TextEncoder().encode(relu ? 'Relu' : 'Tanh');
    const attributes = { activations: { strings: [names] } };
    return layer(g, inputs, { opType: 'RNN', order: [0], reverse, attributes }, call);
  },
  lstmCell: (g, { a, b, cell }) => lstmCell(g, g.add(a, b), cell),
} satisfies Writers;
