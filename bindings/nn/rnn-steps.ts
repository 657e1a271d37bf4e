// Steps of recurrent networks, and sequences of them.
import { familyOps, ops } from '../autograd.ts';
import { constantFor } from '../functional/arguments.ts';
import * as F from '../functional/index.ts';
import { cat, narrow } from '../functional/shape.ts';
import { rnnRows } from '../ops/rnn.ts';
import { sequenceRows } from '../ops/rnn-sequences.ts';
import type { Tensor } from '../tensor.ts';

const rnnOps = familyOps(rnnRows);
const sequenceOps = familyOps(sequenceRows);

/** What a state is of a sum of products. */
export type Nonlinearity = 'tanh' | 'relu';

/** What a layer gives: all hidden states by row, and the last states of every sequence. */
export interface Ran {
  readonly y: Tensor;
  readonly states: readonly Tensor[];
}

/**
 * Runs `step` over sequences that are packed, from row to row of the products of all inputs.
 * @param products [rows, gates · width], those of batchSizes[0] sequences, then of batchSizes[1], and so on
 * @param start the first states, each [batchSizes[0], width]; the first is the hidden one
 */
export function stepwise(
  products: Tensor,
  start: readonly Tensor[],
  batchSizes: readonly number[],
  reverse: boolean,
  step: (a: Tensor, states: readonly Tensor[]) => readonly Tensor[],
): Ran {
  const part = (x: Tensor, from: number, rows: number): Tensor =>
    from === 0 && rows === x.sizes[0] ? x : narrow(x, 0, from, rows);
  const join = (parts: readonly Tensor[]): Tensor => (parts.length === 1 ? (parts[0] as Tensor) : cat(parts));
  const ys: Tensor[] = [];
  /** The last states of sequences that have ended, the longest last. */
  const ended: (readonly Tensor[])[] = [];
  let states = reverse ? start.map((x) => part(x, 0, batchSizes.at(-1) ?? 0)) : start;
  let at = reverse ? (products.sizes[0] as number) : 0;
  for (const rows of reverse ? [...batchSizes].reverse() : batchSizes) {
    const had = (states[0] as Tensor).sizes[0] as number;
    if (rows < had) {
      ended.push(states.map((x) => part(x, rows, had - rows)));
      states = states.map((x) => part(x, 0, rows));
    } else if (rows > had) states = states.map((x, i) => join([x, part(start[i] as Tensor, had, rows - had)]));
    if (reverse) at -= rows;
    states = step(part(products, at, rows), states);
    ys.push(states[0] as Tensor);
    if (!reverse) at += rows;
  }
  if (reverse) ys.reverse();
  ended.reverse();
  return { y: join(ys), states: states.map((x, i) => join([x, ...ended.map((each) => each[i] as Tensor)])) };
}

/** The parameters of one direction of a layer. */
export interface Weights {
  readonly weightIh: Tensor;
  readonly weightHh: Tensor;
  readonly biasIh: Tensor | null;
  readonly biasHh: Tensor | null;
  /** Of projections. */
  readonly weightHr: Tensor | null;
}

/** One direction of a layer over packed rows. @param start the first states; null: zeros */
export type RunLayer = (
  x: Tensor,
  weights: Weights,
  start: readonly Tensor[] | null,
  batchSizes: readonly number[],
  reverse: boolean,
) => Ran;

/** What is added to the products of the inputs. */
const sumOf = (a: Tensor | null, b: Tensor | null): Tensor | null => a && b && ops.add({ a, b });

/** A direction of a layer of long short-term memories. */
export const runLSTM: RunLayer = (x, weights, start, batchSizes, reverse) => {
  const { weightIh, biasIh, weightHh, biasHh, weightHr } = weights;
  if (!weightHr) {
    const [h0, c0] = start ?? [null, null];
    const bias = sumOf(biasIh, biasHh);
    const { y, h, c } = sequenceOps.lstm(
      { x, weightIh, bias, weightHh, h0: h0 ?? null, c0: c0 ?? null },
      { batchSizes, reverse },
    );
    return { y, states: [h, c] };
  }
  const [projected, width] = weightHr.sizes as [number, number];
  const n = batchSizes[0] as number;
  const zeros = (size: number): Tensor => constantFor(x, 0, 'f32', [n, size]);
  const first = start ?? [zeros(projected), zeros(width)];
  return stepwise(F.linear(x, weightIh, biasIh), first, batchSizes, reverse, (a, [h, cell]) => {
    const next = rnnOps.lstmCell({ a, b: F.linear(h as Tensor, weightHh, biasHh), cell: cell as Tensor });
    return [F.linear(next.h, weightHr), next.c];
  });
};

/** A direction of a layer of gated recurrent units. */
export const runGRU: RunLayer = (x, { weightIh, biasIh, weightHh, biasHh }, start, batchSizes, reverse) => {
  const width = weightHh.sizes[1] as number;
  const part = (bias: Tensor, from: number, gates: number): Tensor => narrow(bias, 0, from * width, gates * width);
  // The reset gate stands between the candidate's bias and its place: only the others are added to those of the inputs.
  const bias = biasIh && biasHh && cat([ops.add({ a: part(biasIh, 0, 2), b: part(biasHh, 0, 2) }), part(biasIh, 2, 1)]);
  const inner = biasHh && part(biasHh, 2, 1);
  const { y, h } = sequenceOps.gru(
    { x, weightIh, bias, weightHh, h0: start?.[0] ?? null, inner },
    { batchSizes, reverse },
  );
  return { y, states: [h] };
};

/** A direction of a layer of Elman's network. */
export const runRNN =
  (nonlinearity: Nonlinearity): RunLayer =>
  (x, { weightIh, biasIh, weightHh, biasHh }, start, batchSizes, reverse) => {
    const { y, h } = sequenceOps.rnn(
      { x, weightIh, bias: sumOf(biasIh, biasHh), weightHh, h0: start?.[0] ?? null },
      { batchSizes, reverse, relu: nonlinearity === 'relu' },
    );
    return { y, states: [h] };
  };
