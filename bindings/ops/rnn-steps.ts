// Recurrent networks and their gradients in ops that have gradients themselves: derivatives of derivatives are made of
// these, where fused kernels have none.
import { add, mul, scale, sub, sum } from './algebra.ts';
import type { Ops, Tensor } from './core.ts';

/** Gradients of the operands of a step. */
export interface StepGrads {
  /** Of the products of the input and of the hidden state. */
  readonly a: Tensor;
  readonly b: Tensor;
  /** Of all states, but for what comes through the product of the hidden one; null: none. */
  readonly states: readonly (Tensor | null)[];
}

/** A step that was made, and how it is reversed. */
export interface Step {
  /** The new states; the first is the hidden one. */
  readonly states: readonly Tensor[];
  backward(grads: readonly (Tensor | null)[]): StepGrads;
}

/** A step of the products of the input and of the hidden state, and the states. */
export type MakeStep = (o: Ops, a: Tensor, b: Tensor, states: readonly Tensor[]) => Step;

/** s (1 − s) of a sigmoid. */
const sigmoidSlope = (o: Ops, s: Tensor): Tensor => sub(o, s, mul(o, s, s));
/** 1 − t². */
const tanhSlope = (o: Ops, t: Tensor): Tensor => scale(o, mul(o, t, t), -1, 1);

/** Part k of a row of `width` numbers each. */
const partOf = (o: Ops, x: Tensor, k: number, width: number): Tensor =>
  o.slice({ x }, { dim: 1, start: k * width, length: width, step: 1 });

/** `length` rows of x. */
export const rowsOf = (o: Ops, x: Tensor, start: number, length: number): Tensor =>
  start === 0 && length === x.sizes[0] ? x : o.slice({ x }, { dim: 0, start, length, step: 1 });

const join = (o: Ops, xs: readonly Tensor[], dim = 0): Tensor =>
  xs.length === 1 ? (xs[0] as Tensor) : o.concat({ xs }, { dim });

/** A step of a long short-term memory. */
export const lstmStep: MakeStep = (o, a, b, [, cell]) => {
  const before = cell as Tensor;
  const width = before.sizes[1] as number;
  const whole = add(o, a, b);
  const part = (k: number): Tensor => partOf(o, whole, k, width);
  const [input, forget, output] = [0, 1, 3].map((k) => o.sigmoid({ x: part(k) })) as [Tensor, Tensor, Tensor];
  const candidate = o.tanh({ x: part(2) });
  const c = add(o, mul(o, forget, before), mul(o, input, candidate));
  const squashed = o.tanh({ x: c });
  return {
    states: [mul(o, output, squashed), c],
    backward([dh = null, dc = null]) {
      const through = dh && mul(o, mul(o, dh, output), tanhSlope(o, squashed));
      const d = through && dc ? add(o, through, dc) : ((through ?? dc) as Tensor);
      const gates = join(
        o,
        [
          mul(o, mul(o, d, candidate), sigmoidSlope(o, input)),
          mul(o, mul(o, d, before), sigmoidSlope(o, forget)),
          mul(o, mul(o, d, input), tanhSlope(o, candidate)),
          dh ? mul(o, mul(o, dh, squashed), sigmoidSlope(o, output)) : scale(o, output, 0),
        ],
        1,
      );
      return { a: gates, b: gates, states: [null, mul(o, d, forget)] };
    },
  };
};

/** A step of a gated recurrent unit. @param bias of the candidate's part of the product of the hidden state */
export const gruStep =
  (bias: Tensor | null): MakeStep =>
  (o, a, b, [hidden]) => {
    const before = hidden as Tensor;
    const width = before.sizes[1] as number;
    const gate = (k: number): Tensor => o.sigmoid({ x: add(o, partOf(o, a, k, width), partOf(o, b, k, width)) });
    const [reset, update] = [gate(0), gate(1)];
    const product = partOf(o, b, 2, width);
    const inner = bias ? add(o, product, bias) : product;
    const candidate = o.tanh({ x: add(o, partOf(o, a, 2, width), mul(o, reset, inner)) });
    return {
      states: [add(o, candidate, mul(o, update, sub(o, before, candidate)))],
      backward([dh]) {
        const g = dh as Tensor;
        const slope = mul(o, mul(o, g, scale(o, update, -1, 1)), tanhSlope(o, candidate));
        const gates = [
          mul(o, mul(o, slope, inner), sigmoidSlope(o, reset)),
          mul(o, mul(o, g, sub(o, before, candidate)), sigmoidSlope(o, update)),
        ];
        return {
          a: join(o, [...gates, slope], 1),
          b: join(o, [...gates, mul(o, slope, reset)], 1),
          states: [mul(o, g, update)],
        };
      },
    };
  };

/** A step of Elman's network. */
export const rnnStep =
  (relu: boolean): MakeStep =>
  (o, a, b) => {
    const x = add(o, a, b);
    const h = relu ? o.relu({ x }) : o.tanh({ x });
    return {
      states: [h],
      backward([dh]) {
        const g = dh as Tensor;
        const d = relu ? o.reluBackward({ g, saved: h }) : mul(o, g, tanhSlope(o, h));
        return { a: d, b: d, states: [null] };
      },
    };
  };

/** How rows of sequences follow one another. */
export interface Order {
  /** How many sequences have a first element, a second one, and so on. */
  readonly batchSizes: readonly number[];
  /** Whether sequences go from their ends to their starts. */
  readonly reverse: boolean;
}

/** The rows of each step, in the order of steps. */
export function stepsOf({ batchSizes, reverse }: Order): { readonly at: number; readonly rows: number }[] {
  let at = 0;
  const steps = batchSizes.map((rows) => {
    at += rows;
    return { at: at - rows, rows };
  });
  return reverse ? steps.reverse() : steps;
}

/** Puts rows in the place of the first ones of x. */
const withRows = (o: Ops, x: Tensor, rows: Tensor): Tensor => {
  const [n, first] = [x.sizes[0] as number, rows.sizes[0] as number];
  return first === n ? rows : join(o, [rows, rowsOf(o, x, first, n - first)]);
};

/** What goes into a pass over sequences: see the op `lstm`. */
export interface Given {
  readonly x: Tensor;
  readonly weightIh: Tensor;
  readonly weightHh: Tensor;
  readonly bias: Tensor | null;
}

/**
 * A pass of `make` over sequences, and its gradients in ops that have some.
 * @param start the first states, each [batchSizes[0], width]
 */
export function composed(
  o: Ops,
  make: MakeStep,
  { x, weightIh, weightHh, bias }: Given,
  start: readonly Tensor[],
  order: Order,
) {
  const products = o.linear({ x, weight: weightIh, bias });
  const steps = stepsOf(order);
  let states = start;
  const made = steps.map(({ at, rows }) => {
    const last = states.map((state) => rowsOf(o, state, 0, rows));
    const b = o.linear({ x: last[0] as Tensor, weight: weightHh, bias: null });
    const step = make(o, rowsOf(o, products, at, rows), b, last);
    states = states.map((state, i) => withRows(o, state, step.states[i] as Tensor));
    return { step, past: last[0] as Tensor };
  });
  const inRows = (parts: readonly Tensor[]): Tensor => join(o, order.reverse ? [...parts].reverse() : parts);
  return {
    y: inRows(made.map(({ step }) => step.states[0] as Tensor)),
    states,
    /** @param dy of all hidden states @param last of the last states */
    backward(dy: Tensor | null, last: readonly (Tensor | null)[]) {
      let grads = last.map((g, i) => g ?? o.full({}, { shape: (states[i] as Tensor).sizes, value: 0 }));
      const [a, b]: [Tensor[], Tensor[]] = [[], []];
      for (let t = steps.length - 1; t >= 0; t--) {
        const { at, rows } = steps[t] as { at: number; rows: number };
        const { step } = made[t] as (typeof made)[number];
        const own = grads.map((g) => rowsOf(o, g, 0, rows));
        if (dy) own[0] = add(o, own[0] as Tensor, rowsOf(o, dy, at, rows));
        const found = step.backward(own);
        const through = o.matmul({ a: found.b, b: weightHh });
        const direct = found.states[0];
        const before = found.states.map((g, i) =>
          i === 0 ? (direct ? add(o, direct, through) : through) : (g as Tensor),
        );
        grads = grads.map((g, i) => withRows(o, g, before[i] as Tensor));
        a.unshift(found.a);
        b.unshift(found.b);
      }
      const [da, db] = [inRows(a), inRows(b)];
      const turned = (g: Tensor): Tensor => o.permute({ x: g }, { dims: [1, 0] });
      return {
        x: o.matmul({ a: da, b: weightIh }),
        weightIh: o.matmul({ a: turned(da), b: x }),
        weightHh: o.matmul({ a: turned(db), b: inRows(made.map(({ past }) => past)) }),
        bias: bias && sum(o, da, 0, 1),
        db,
        states: grads,
      };
    },
  };
}
