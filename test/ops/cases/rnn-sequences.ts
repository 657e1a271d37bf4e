// Cases of recurrent networks over whole sequences.
import { at, type Nd } from '../../../reference/nd.ts';
import { type Order, pass, reversed, sigmoid } from '../../../reference/rnn.ts';
import { type Bad, type Cases, dtypeError, f32, freedError, i32, type Spec, shapeError, uniform } from './types.ts';

/** Orders with the size of elements and the width of states: those of five rows and more have packed weights. */
const orders: readonly (Order & { readonly inputs: number; readonly width: number })[] = [
  { batchSizes: [1], reverse: false, inputs: 1, width: 1 },
  { batchSizes: [2, 2, 1], reverse: false, inputs: 2, width: 3 },
  { batchSizes: [3, 1], reverse: true, inputs: 2, width: 2 },
  { batchSizes: [6, 5, 2], reverse: true, inputs: 2, width: 5 },
  { batchSizes: [3, 2], reverse: false, inputs: 1, width: 4 },
];
/** Those where panels of weights do not end with them. */
const wide: typeof orders = [
  { batchSizes: [6, 6, 6], reverse: false, inputs: 3, width: 18 },
  { batchSizes: [10, 9, 1], reverse: true, inputs: 2, width: 21 },
  { batchSizes: [0, 0], reverse: false, inputs: 2, width: 3 },
];
const totalOf = ({ batchSizes }: Order): number => batchSizes.reduce((a, b) => a + b, 0);
const small = uniform(-0.7, 0.7);
const opened = uniform(0.1, 0.9);

/** Inputs of a pass of so many gates. */
const given = (order: (typeof orders)[number], gates: number, full: boolean) => ({
  x: f32([totalOf(order), order.inputs]),
  weightIh: f32([gates * order.width, order.inputs], small),
  bias: full ? f32([gates * order.width], small) : null,
  weightHh: f32([gates * order.width, order.width], small),
  h0: full ? f32([order.batchSizes[0] ?? 0, order.width], small) : null,
});
const attrsOf = ({ batchSizes, reverse }: Order): Order => ({ batchSizes, reverse });
/** All orders with and without what may be left out; the wide ones by their values alone. */
const both = <T>(make: (order: (typeof orders)[number], full: boolean) => T) => [
  ...orders.flatMap((order) => [make(order, true), make(order, false)]),
  ...wide.flatMap((order) => [
    { ...make(order, true), valueOnly: true },
    { ...make(order, false), valueOnly: true },
  ]),
];

const tolerance = { relative: 5e-6, absolute: 5e-6 };

/** Errors of a pass. */
function passErrors(
  op: string,
  gates: number,
  more: Readonly<Record<string, null>>,
  attrs: object = {},
): [Bad, Bad, Bad, Bad] {
  const order = { batchSizes: [2, 1], reverse: false, ...attrs };
  const right = { ...given({ ...order, inputs: 2, width: 3 }, gates, true), ...more };
  return [
    shapeError({ ...right, x: f32([4, 2]) }, order, new RegExp(`^${op}: expected input \\[3, in\\], got \\[4, 2\\]`)),
    shapeError({ ...right, weightIh: f32([2, 2]) }, order, new RegExp(`^${op}: expected weightIh of shape`)),
    dtypeError({ ...right, x: i32([3, 2]) }, order, new RegExp(`^${op}: expected dtype f32, got i32`)),
    freedError(right, order, 'x'),
  ];
}
/** Errors of the gradients of a pass. */
function gradErrors(op: string, right: Readonly<Record<string, Spec | null>>, attrs: object): [Bad, Bad, Bad] {
  const order = { batchSizes: [2, 1], reverse: false, states: true, ...attrs };
  return [
    shapeError(
      { ...right, dy: f32([2, 3]) },
      order,
      new RegExp(`^${op}: expected the gradient of all hidden states of`),
    ),
    shapeError({ ...right, dh: f32([3, 3]) }, order, new RegExp(`^${op}: expected the gradient of a state of shape`)),
    dtypeError({ ...right, dy: i32([3, 3]) }, order, new RegExp(`^${op}: expected dtype f32, got i32`)),
  ];
}

/** Gradients that a pass gets: all, and each alone. */
const received = (order: (typeof orders)[number], names: readonly ('dy' | 'dh' | 'dc')[]) => {
  const state = [order.batchSizes[0] ?? 0, order.width];
  const shapes = { dy: [totalOf(order), order.width], dh: state, dc: state };
  return [names, ...names.map((name) => [name])].map((present) =>
    Object.fromEntries(names.map((name) => [name, present.includes(name) ? f32(shapes[name], small) : null])),
  ) as Record<'dy' | 'dh' | 'dc', Spec | null>[];
};

/** A number of what is saved of unit j in a row, for gate k. */
const gateOf = (gates: Nd, width: number, row: number, k: number, j: number): number => at(gates, [row, k * width + j]);

export const sequenceCases = {
  lstm: {
    samples: both((order, full) => ({
      inputs: { ...given(order, 4, full), c0: full ? f32([order.batchSizes[0] ?? 0, order.width], small) : null },
      attrs: attrsOf(order),
    })),
    reference: ({ h0, c0, ...rest }, order) => {
      const { y, last } = pass(rest, [h0, c0], order, (a, b, [, cell]) => {
        const gate = (k: number): number => a(k) + b(k);
        const c = sigmoid(gate(1)) * (cell as number) + sigmoid(gate(0)) * Math.tanh(gate(2));
        return [sigmoid(gate(3)) * Math.tanh(c), c];
      });
      return { y, h: last[0] as Nd, c: last[1] as Nd };
    },
    tolerance,
    gradients: 'all',
    errors: passErrors('lstm', 4, { c0: null }),
  },
  lstmBackward: {
    samples: [...orders, ...wide].flatMap((order) =>
      received(order, ['dy', 'dh', 'dc']).map((grads) => ({
        inputs: {
          ...grads,
          gates: f32([totalOf(order), 4 * order.width], opened),
          squashed: f32([totalOf(order), order.width], uniform(-0.9, 0.9)),
          before: f32([totalOf(order), order.width]),
          weightHh: f32([4 * order.width, order.width], small),
        },
        attrs: { ...attrsOf(order), states: true },
      })),
    ),
    reference: ({ dy, dh, dc, gates, squashed: bounded, before, weightHh }, order) => {
      const width = weightHh.shape[1] as number;
      const { da, states } = reversed(weightHh, dy, [dh, dc], order, 4, ([g, s], row, j) => {
        const [i, f, c, o] = [0, 1, 2, 3].map((k) => gateOf(gates, width, row, k, j)) as [
          number,
          number,
          number,
          number,
        ];
        const cell = at(before, [row, j]);
        const squashed = at(bounded, [row, j]);
        const d = (s as number) + (g as number) * o * (1 - squashed ** 2);
        const own = [
          d * c * i * (1 - i),
          d * cell * f * (1 - f),
          d * i * (1 - c ** 2),
          (g as number) * squashed * o * (1 - o),
        ];
        return { a: own, b: own, states: [0, d * f] };
      });
      return { dgates: da, dh0: states[0] as Nd, dc0: states[1] as Nd };
    },
    tolerance,
    gradients: {
      dy: 'throws',
      dh: 'throws',
      dc: 'throws',
      gates: 'throws',
      squashed: 'throws',
      before: 'throws',
      weightHh: 'throws',
    },
    errors: gradErrors(
      'lstmBackward',
      {
        dy: null,
        dh: null,
        dc: null,
        gates: f32([3, 12]),
        squashed: f32([3, 3]),
        before: f32([3, 3]),
        weightHh: f32([12, 3]),
      },
      {},
    ),
  },
  gru: {
    samples: both((order, full) => ({
      inputs: { ...given(order, 3, full), inner: full ? f32([order.width], small) : null },
      attrs: attrsOf(order),
    })),
    reference: ({ h0, inner, ...rest }, order) => {
      const { y, last } = pass(rest, [h0], order, (a, b, [h], j) => {
        const [reset, update] = [sigmoid(a(0) + b(0)), sigmoid(a(1) + b(1))];
        const candidate = Math.tanh(a(2) + reset * (b(2) + (inner ? at(inner, [j]) : 0)));
        return [(1 - update) * candidate + update * (h as number)];
      });
      return { y, h: last[0] as Nd };
    },
    tolerance,
    gradients: 'all',
    errors: passErrors('gru', 3, { inner: null }),
  },
  gruBackward: {
    samples: [...orders, ...wide].flatMap((order) =>
      received(order, ['dy', 'dh']).map((grads) => ({
        inputs: {
          ...{ dy: grads.dy as Spec | null, dh: grads.dh as Spec | null },
          gates: f32([totalOf(order), 3 * order.width], opened),
          products: f32([totalOf(order), order.width]),
          past: f32([totalOf(order), order.width]),
          weightHh: f32([3 * order.width, order.width], small),
        },
        attrs: { ...attrsOf(order), states: true },
      })),
    ),
    reference: ({ dy, dh, gates, products, past, weightHh }, order) => {
      const width = weightHh.shape[1] as number;
      const { da, db, states } = reversed(weightHh, dy, [dh], order, 3, ([g], row, j) => {
        const [r, u, c] = [0, 1, 2].map((k) => gateOf(gates, width, row, k, j)) as [number, number, number];
        const slope = (g as number) * (1 - u) * (1 - c ** 2);
        const own = [
          slope * at(products, [row, j]) * r * (1 - r),
          (g as number) * (at(past, [row, j]) - c) * u * (1 - u),
        ];
        return { a: [...own, slope], b: [...own, slope * r], states: [(g as number) * u] };
      });
      return { da, db, dh0: states[0] as Nd };
    },
    tolerance,
    gradients: { dy: 'throws', dh: 'throws', gates: 'throws', products: 'throws', past: 'throws', weightHh: 'throws' },
    errors: gradErrors(
      'gruBackward',
      { dy: null, dh: null, gates: f32([3, 9]), products: f32([3, 3]), past: f32([3, 3]), weightHh: f32([9, 3]) },
      {},
    ),
  },
  rnn: {
    samples: both((order, full) => ({
      inputs: given(order, 1, full),
      // Finite differences meet the kink of relu.
      attrs: { ...attrsOf(order), relu: false },
    })).concat(
      both((order, full) => ({
        inputs: given(order, 1, full),
        attrs: { ...attrsOf(order), relu: true },
        valueOnly: true,
      })),
    ),
    reference: ({ h0, ...rest }, { relu, ...order }) => {
      const { y, last } = pass(rest, [h0], order, (a, b) => [relu ? Math.max(a(0) + b(0), 0) : Math.tanh(a(0) + b(0))]);
      return { y, h: last[0] as Nd };
    },
    tolerance,
    gradients: 'all',
    errors: passErrors('rnn', 1, {}, { relu: false }),
  },
  rnnBackward: {
    samples: [...orders, ...wide].flatMap((order) =>
      [false, true].flatMap((relu) =>
        received(order, ['dy', 'dh']).map((grads) => ({
          inputs: {
            ...{ dy: grads.dy as Spec | null, dh: grads.dh as Spec | null },
            y: f32([totalOf(order), order.width], uniform(-0.9, 0.9)),
            weightHh: f32([order.width, order.width], small),
          },
          attrs: { ...attrsOf(order), states: true, relu },
        })),
      ),
    ),
    reference: ({ dy, dh, y, weightHh }, { relu, ...order }) => {
      const { da, states } = reversed(weightHh, dy, [dh], order, 1, ([g], row, j) => {
        const value = at(y, [row, j]);
        const own = [(g as number) * (relu ? Number(value > 0) : 1 - value ** 2)];
        return { a: own, b: own, states: [0] };
      });
      return { da, dh0: states[0] as Nd };
    },
    tolerance,
    gradients: { dy: 'throws', dh: 'throws', y: 'throws', weightHh: 'throws' },
    errors: gradErrors('rnnBackward', { dy: null, dh: null, y: f32([3, 3]), weightHh: f32([3, 3]) }, { relu: false }),
  },
} satisfies Cases;
