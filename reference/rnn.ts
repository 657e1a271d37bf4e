// Recurrent networks over sequences in f64, from their definitions. Rows of x are the first elements of batchSizes[0]
// sequences, the second ones of batchSizes[1], and so on; with `reverse`, sequences go from their ends to their starts.
import { at, build, type Nd } from './nd.ts';

/** How rows of sequences follow one another. */
export interface Order {
  readonly batchSizes: readonly number[];
  readonly reverse: boolean;
}

export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const sizeOf = (x: Nd, d: number): number => x.shape[d] as number;

/** The first row and the number of rows of each step, in the order of steps. */
function stepsOf({ batchSizes, reverse }: Order): { from: number; rows: number }[] {
  let from = 0;
  const steps = batchSizes.map((rows) => {
    from += rows;
    return { from: from - rows, rows };
  });
  return reverse ? steps.reverse() : steps;
}

/** Sum over j of weight[i, j] row[j]. */
const product = (weight: Nd, i: number, row: (j: number) => number): number => {
  let sum = 0;
  for (let j = 0; j < sizeOf(weight, 1); j++) sum += at(weight, [i, j]) * row(j);
  return sum;
};

/** What goes into a pass. */
export interface Pass {
  readonly x: Nd;
  readonly weightIh: Nd;
  readonly bias: Nd | null;
  readonly weightHh: Nd;
}

/**
 * The states of a pass: `step` gives the new ones of unit j from the products of its gates and the states before.
 * @param start the first states, each [n, width]; null: zeros
 */
export function pass(
  { x, weightIh, bias, weightHh }: Pass,
  start: readonly (Nd | null)[],
  order: Order,
  step: (a: (gate: number) => number, b: (gate: number) => number, before: readonly number[], j: number) => number[],
): { y: Nd; last: Nd[] } {
  const [n, width] = [order.batchSizes[0] ?? 0, sizeOf(weightHh, 1)];
  const last = start.map((state) => build([n, width], (index) => (state ? at(state, index) : 0)));
  const y = build([sizeOf(x, 0), width], () => 0);
  for (const { from, rows } of stepsOf(order)) {
    const old = last.map(({ data }) => data.slice());
    for (let r = 0; r < rows; r++)
      for (let j = 0; j < width; j++) {
        const row = (gate: number): number => gate * width + j;
        const a = (gate: number): number =>
          product(weightIh, row(gate), (i) => at(x, [from + r, i])) + (bias ? at(bias, [row(gate)]) : 0);
        const b = (gate: number): number =>
          product(weightHh, row(gate), (i) => (old[0] as Float64Array)[r * width + i] as number);
        const made = step(
          a,
          b,
          old.map((state) => state[r * width + j] as number),
          j,
        );
        made.forEach((value, i) => {
          (last[i] as Nd).data[r * width + j] = value;
        });
        y.data[(from + r) * width + j] = made[0] as number;
      }
  }
  return { y, last };
}

/**
 * The gradients of a pass: `step` gives those of the gates of unit j, and those of the states before but for what
 * comes through the product of the hidden one, from those of the states.
 * @param last the gradients of the last states, each [n, width]; null: zeros
 */
export function reversed(
  weightHh: Nd,
  dy: Nd | null,
  last: readonly (Nd | null)[],
  order: Order,
  gates: number,
  step: (g: readonly number[], row: number, j: number) => { a: number[]; b: number[]; states: number[] },
): { da: Nd; db: Nd; states: Nd[] } {
  const [n, width] = [order.batchSizes[0] ?? 0, sizeOf(weightHh, 1)];
  const total = order.batchSizes.reduce((sum, rows) => sum + rows, 0);
  const states = last.map((state) => build([n, width], (index) => (state ? at(state, index) : 0)));
  const [da, db] = [build([total, gates * width], () => 0), build([total, gates * width], () => 0)];
  for (const { from, rows } of stepsOf(order).reverse())
    for (let r = 0; r < rows; r++) {
      for (let j = 0; j < width; j++) {
        const g = states.map((state) => at(state, [r, j]));
        if (dy) g[0] = (g[0] as number) + at(dy, [from + r, j]);
        const found = step(g, from + r, j);
        for (let k = 0; k < gates; k++) {
          da.data[(from + r) * gates * width + k * width + j] = found.a[k] as number;
          db.data[(from + r) * gates * width + k * width + j] = found.b[k] as number;
        }
        found.states.forEach((value, i) => {
          (states[i] as Nd).data[r * width + j] = value;
        });
      }
      for (let j = 0; j < width; j++) {
        let through = 0;
        for (let i = 0; i < gates * width; i++) through += at(db, [from + r, i]) * at(weightHh, [i, j]);
        (states[0] as Nd).data[r * width + j] = at(states[0] as Nd, [r, j]) + through;
      }
    }
  return { da, db, states };
}
