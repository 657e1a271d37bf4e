// Steps of recurrent networks, and sequences of them.
import { familyOps, ops } from '../autograd.ts';
import * as F from '../functional/index.ts';
import { cat, narrow } from '../functional/shape.ts';
import { rnnRows } from '../ops/rnn.ts';
import type { Tensor } from '../tensor.ts';

const rnnOps = familyOps(rnnRows);

/** What a state is of a sum of products. */
export type Nonlinearity = 'tanh' | 'relu';

/** [h, c] after a step of a long short-term memory, of the products a and b. */
export function lstmStep(a: Tensor, b: Tensor, cell: Tensor): readonly [h: Tensor, c: Tensor] {
  const { h, c } = rnnOps.lstmCell({ a, b, cell });
  return [h, c];
}

/** The state after a step of Elman's network, of the products a and b. */
export const rnnStep = (a: Tensor, b: Tensor, nonlinearity: Nonlinearity): Tensor =>
  nonlinearity === 'tanh' ? ops.tanh({ x: ops.add({ a, b }) }) : ops.relu({ x: ops.add({ a, b }) });

/** The state after a step of a gated recurrent unit, of the products a and b. */
export function gruStep(a: Tensor, b: Tensor, h: Tensor): Tensor {
  const width = h.sizes[1] as number;
  const part = (x: Tensor, k: number): Tensor => narrow(x, 1, k * width, width);
  const gate = (k: number): Tensor => ops.sigmoid({ x: ops.add({ a: part(a, k), b: part(b, k) }) });
  const [reset, update] = [gate(0), gate(1)];
  const candidate = ops.tanh({ x: ops.add({ a: part(a, 2), b: ops.mul({ a: reset, b: part(b, 2) }) }) });
  // (1 − update) candidate + update h
  return ops.add({ a: candidate, b: ops.mul({ a: update, b: ops.sub({ a: h, b: candidate }) }) });
}

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

/** One direction of a layer over packed rows. */
export type RunLayer = (
  x: Tensor,
  weights: Weights,
  start: readonly Tensor[],
  batchSizes: readonly number[],
  reverse: boolean,
) => Ran;

/** A direction of a layer of long short-term memories. */
export const runLSTM: RunLayer = (x, { weightIh, biasIh, weightHh, biasHh, weightHr }, start, batchSizes, reverse) =>
  stepwise(F.linear(x, weightIh, biasIh), start, batchSizes, reverse, (a, [h, cell]) => {
    const [next, c] = lstmStep(a, F.linear(h as Tensor, weightHh, biasHh), cell as Tensor);
    return [weightHr ? F.linear(next, weightHr) : next, c];
  });

/** A direction of a layer of gated recurrent units. */
export const runGRU: RunLayer = (x, { weightIh, biasIh, weightHh, biasHh }, start, batchSizes, reverse) =>
  stepwise(F.linear(x, weightIh, biasIh), start, batchSizes, reverse, (a, [h]) => [
    gruStep(a, F.linear(h as Tensor, weightHh, biasHh), h as Tensor),
  ]);

/** A direction of a layer of Elman's network. */
export const runRNN =
  (nonlinearity: Nonlinearity): RunLayer =>
  (x, { weightIh, biasIh, weightHh, biasHh }, start, batchSizes, reverse) =>
    stepwise(F.linear(x, weightIh, biasIh), start, batchSizes, reverse, (a, [h]) => [
      rnnStep(a, F.linear(h as Tensor, weightHh, biasHh), nonlinearity),
    ]);
