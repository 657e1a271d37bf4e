// Recurrent networks over whole sequences. Rows of gates hold what belongs to each gate behind one another.
import { rnnKernels } from '../generated/kernel-calls.ts';
import { optional } from '../lookup.ts';
import { formatShape, ShapeError } from '../memory/errors.ts';
import type { Shape, Tensor } from '../tensor.ts';
import { sum } from './algebra.ts';
import {
  attrs,
  aux,
  calling,
  f32,
  family,
  grad,
  type Make,
  maybe,
  noSecondDerivative,
  type Ops,
  row,
  signature,
  strided,
} from './core.ts';
import { eachStep, fillRows, keepRows, type Order, panelShape, place, recurrentProduct } from './rnn-kernels.ts';
import {
  type BackwardOrder,
  type Relu,
  reverseLSTM,
  runGRU,
  runLSTM,
  runRNN,
  type Sequence,
  widthOf,
} from './rnn-passes.ts';
import { composed, gruStep, lstmStep, type MakeStep, rnnStep } from './rnn-steps.ts';
import { expectShape } from './shapes.ts';

/** Of sequences whose elements are rows of x, first those of order.batchSizes[0] sequences, and so on. */
const sequence = {
  x: f32,
  weightIh: strided(f32),
  /** Added to the products of all inputs. */
  bias: maybe(f32),
  weightHh: strided(f32),
  /** The first states; null: zeros. */
  h0: maybe(f32),
};
/** What backward needs: the hidden states before each row. Panels and product are for the kernels alone. */
const kept = { past: aux, panels: aux, product: aux };

const s = optional(() => ({
  /** A layer of long short-term memories: all hidden states by row, and the last states. */
  lstm: signature(
    { ...sequence, c0: maybe(f32) },
    {
      ...{ y: grad, h: grad, c: grad, gates: aux, squashed: aux, before: aux, panels: aux, product: aux },
      /** Rows of x, and beside each the hidden state before it: so the gradients of both weights are one product. */
      inputs: aux,
    },
    attrs<Order>(),
  ),
  lstmBackward: signature(
    { dy: maybe(f32), dh: maybe(f32), dc: maybe(f32), gates: f32, squashed: f32, before: f32, weightHh: strided(f32) },
    { dgates: grad, dh0: grad, dc0: grad, panels: aux },
    attrs<BackwardOrder>(),
  ),
  /** A layer of gated recurrent units (Cho et al. 2014). inner is the bias inside of the reset gate. */
  gru: signature(
    { ...sequence, inner: maybe(f32) },
    { y: grad, h: grad, gates: aux, products: aux, ...kept },
    attrs<Order>(),
  ),
  /** da is the gradient of the products of the inputs, db of those of the hidden states. */
  gruBackward: signature(
    { dy: maybe(f32), dh: maybe(f32), gates: f32, products: f32, past: f32, weightHh: strided(f32) },
    { da: grad, db: grad, dh0: grad, panels: aux, through: aux },
    attrs<BackwardOrder>(),
  ),
  /** A layer of Elman's network. */
  rnn: signature(sequence, { y: grad, h: grad, ...kept }, attrs<Order & Relu>()),
  rnnBackward: signature(
    { dy: maybe(f32), dh: maybe(f32), y: f32, weightHh: strided(f32) },
    { da: grad, dh0: grad, panels: aux },
    attrs<BackwardOrder & Relu>(),
  ),
}));
type S = typeof s;
declare module './core.ts' {
  interface OpTypes extends S {}
}

const totalOf = ({ batchSizes }: Order): number => batchSizes.reduce((all, rows) => all + rows, 0);

/** Checks the operands of a pass. @returns shapes of what it gives and keeps @throws ShapeError */
function shapesOf(op: string, { x, weightIh, bias, weightHh, h0 }: Sequence, gates: number, order: Order) {
  const width = weightHh.ndim === 2 ? widthOf(weightHh) : 0;
  const total = totalOf(order);
  if (x.ndim !== 2 || x.sizes[0] !== total)
    throw new ShapeError(`${op}: expected input [${total}, in], got ${formatShape(x.sizes)}`);
  expectShape(op, 'weightHh', weightHh, [gates * width, width]);
  expectShape(op, 'weightIh', weightIh, [gates * width, x.sizes[1] as number]);
  if (bias) expectShape(op, 'bias', bias, [gates * width]);
  const n = order.batchSizes[0] as number;
  const state: Shape = [n, width];
  if (h0) expectShape(op, 'the first hidden state', h0, state);
  return {
    width,
    state,
    rows: [total, width] as Shape,
    gates: [total, gates * width] as Shape,
    product: [n, gates * width] as Shape,
    panels: panelShape(order, width, gates * width),
  };
}

/** What every pass makes. */
const madeBy = (make: Make, { rows, state, product, panels }: ReturnType<typeof shapesOf>) => ({
  y: make(rows, 'f32'),
  h: make(state, 'f32'),
  panels: make(panels, 'f32'),
  product: make(product, 'f32'),
});

/** Checks gradients of a pass, and what it saved: rows of so many times the width. @throws ShapeError */
function checkGrads(
  op: string,
  dy: Tensor | null,
  states: readonly (Tensor | null)[],
  weightHh: Tensor,
  gates: number,
  saved: readonly (readonly [what: string, x: Tensor, times: number])[],
  order: Order,
) {
  const width = weightHh.ndim === 2 ? widthOf(weightHh) : 0;
  const total = totalOf(order);
  const shape = [order.batchSizes[0] as number, width];
  expectShape(op, 'weightHh', weightHh, [gates * width, width]);
  if (dy) expectShape(op, 'the gradient of all hidden states', dy, [total, width]);
  for (const state of states) if (state) expectShape(op, 'the gradient of a state', state, shape);
  for (const [what, x, times] of saved) expectShape(op, what, x, [total, times * width]);
  return { shape, panels: panelShape(order, gates * width, width) };
}

const turned = (o: Ops, g: Tensor): Tensor => o.permute({ x: g }, { dims: [1, 0] });

/** Gradients of the operands of a pass from those of its products. */
function operandGrads(
  o: Ops,
  { x, weightIh, past }: { readonly x: Tensor; readonly weightIh: Tensor; readonly past: Tensor },
  da: Tensor,
  db: Tensor,
  needs: Readonly<Record<'x' | 'weightIh' | 'weightHh' | 'bias', boolean>>,
) {
  return {
    x: needs.x ? o.matmul({ a: da, b: weightIh }) : null,
    weightIh: needs.weightIh ? o.matmul({ a: turned(o, da), b: x }) : null,
    weightHh: needs.weightHh ? o.matmul({ a: turned(o, db), b: past }) : null,
    bias: needs.bias ? sum(o, da, 0, 1) : null,
  };
}

/** The gradients of a pass in ops that have some. */
function composedGrads(
  o: Ops,
  make: MakeStep,
  saved: Sequence,
  start: readonly (Tensor | null)[],
  order: Order,
  dy: Tensor | null,
  last: readonly (Tensor | null)[],
) {
  const shape = [order.batchSizes[0] as number, widthOf(saved.weightHh)];
  const states = start.map((state) => state ?? o.full({}, { shape, value: 0 }));
  return composed(o, make, saved, states, order).backward(dy, last);
}

// biome-ignore lint/complexity/noExcessiveLinesPerFunction: a table, of rows that are short each
export const sequenceRows = family(calling(rnnKernels, s), () => ({
  lstm: row(s.lstm, {
    outputs: (make, inputs, order, op) => {
      const shapes = shapesOf(op, inputs, 4, order);
      if (inputs.c0) expectShape(op, 'the first cell state', inputs.c0, shapes.state);
      const [total, size] = inputs.x.sizes as [number, number];
      return {
        ...madeBy(make, shapes),
        gates: make(shapes.gates, 'f32'),
        squashed: make(shapes.rows, 'f32'),
        before: make(shapes.rows, 'f32'),
        c: make(shapes.state, 'f32'),
        inputs: make([total, size + shapes.width], 'f32'),
      };
    },
    forward: runLSTM,
    saves: ['x', 'weightIh', 'bias', 'weightHh', 'h0', 'c0', 'gates', 'squashed', 'before', 'inputs'],
    backward: (o, { y: dy, h: dh, c: dc }, saved, order, { needs, noted }) => {
      if (noted) {
        const start = [saved.h0, saved.c0];
        const { states, db: _, ...grads } = composedGrads(o, lstmStep, saved, start, order, dy, [dh, dc]);
        return { ...grads, h0: states[0], c0: states[1] };
      }
      const { x, weightIh, weightHh, gates, squashed, before, inputs } = saved;
      const d = o.lstmBackward({ dy, dh, dc, gates, squashed, before, weightHh }, { ...order, states: needs.h0 });
      const size = x.sizes[1] as number;
      const columns = (of: Tensor, start: number, length: number): Tensor =>
        o.slice({ x: of }, { dim: 1, start, length, step: 1 });
      const weights = needs.weightIh || needs.weightHh ? o.matmul({ a: turned(o, d.dgates), b: inputs }) : null;
      return {
        x: needs.x ? o.matmul({ a: d.dgates, b: weightIh }) : null,
        weightIh: weights && columns(weights, 0, size),
        weightHh: weights && columns(weights, size, widthOf(weightHh)),
        bias: needs.bias ? sum(o, d.dgates, 0, 1) : null,
        h0: d.dh0,
        c0: d.dc0,
      };
    },
  }),
  lstmBackward: row(s.lstmBackward, {
    outputs: (make, { dy, dh, dc, gates, squashed, before, weightHh }, order, op) => {
      const saved = [['gates', gates, 4] as const, ['squashed', squashed, 1] as const, ['before', before, 1] as const];
      const { shape, panels } = checkGrads(op, dy, [dh, dc], weightHh, 4, saved, order);
      const [dgates, dh0, dc0, own] = [gates.sizes, shape, shape, panels].map((size) => make(size, 'f32')) as [
        Tensor,
        Tensor,
        Tensor,
        Tensor,
      ];
      return { dgates, dh0, dc0, panels: own };
    },
    forward: reverseLSTM,
    backward: () => noSecondDerivative('lstm'),
  }),
  gru: row(s.gru, {
    outputs: (make, inputs, order, op) => {
      const shapes = shapesOf(op, inputs, 3, order);
      if (inputs.inner) expectShape(op, 'inner', inputs.inner, [shapes.width]);
      const [gates, products] = [make(shapes.gates, 'f32'), make(shapes.rows, 'f32')];
      return { ...madeBy(make, shapes), gates, products, past: make(shapes.rows, 'f32') };
    },
    forward: runGRU,
    saves: ['x', 'weightIh', 'bias', 'weightHh', 'h0', 'inner', 'gates', 'products', 'past'],
    backward: (o, { y: dy, h: dh }, { gates, products, past, inner, ...saved }, order, { needs, noted }) => {
      const width = widthOf(saved.weightHh);
      const innerOf = (db: Tensor) =>
        needs.inner ? sum(o, o.slice({ x: db }, { dim: 1, start: 2 * width, length: width, step: 1 }), 0, 1) : null;
      if (noted) {
        const { states, db, ...grads } = composedGrads(o, gruStep(inner), saved, [saved.h0], order, dy, [dh]);
        return { ...grads, h0: states[0], inner: innerOf(db) };
      }
      const { weightHh } = saved;
      const d = o.gruBackward({ dy, dh, gates, products, past, weightHh }, { ...order, states: needs.h0 });
      return { ...operandGrads(o, { ...saved, past }, d.da, d.db, needs), h0: d.dh0, inner: innerOf(d.db) };
    },
  }),
  gruBackward: row(s.gruBackward, {
    outputs: (make, { dy, dh, gates, products, past, weightHh }, order, op) => {
      const saved = [['gates', gates, 3] as const, ['products', products, 1] as const, ['past', past, 1] as const];
      const { shape, panels } = checkGrads(op, dy, [dh], weightHh, 3, saved, order);
      const [da, db, dh0, own, through] = [gates.sizes, gates.sizes, shape, panels, shape].map((size) =>
        make(size, 'f32'),
      ) as [Tensor, Tensor, Tensor, Tensor, Tensor];
      return { da, db, dh0, panels: own, through };
    },
    forward: (k, { da, db, dh0, panels, through }, { dy, dh, gates, products, past, weightHh }, order) => {
      const width = widthOf(weightHh);
      keepRows(k, dh0, dh);
      fillRows(k, through, through.sizes[0] as number);
      const multiply = recurrentProduct(k, order, panels, weightHh, 'backward');
      eachStep({ ...order, backwards: true }, (at, rows, _, last) => {
        const own = place(db, at, rows);
        k.gru_cell_backward_f32({
          ...{ da: place(da, at, rows), db: own, dhidden: dh0, dh: dh0, dy: dy && place(dy, at, rows), through },
          ...{
            gates: place(gates, at, rows),
            inner: place(products, at, rows),
            past: place(past, at, rows),
            rows,
            width,
          },
        });
        if (!last || order.states) multiply(through, own, rows);
      });
      if (order.states) k.add_forward_f32({ y: dh0, a: dh0, b: through, dims: [1, dh0.size, 1, 1] });
    },
    backward: () => noSecondDerivative('gru'),
  }),
  rnn: row(s.rnn, {
    outputs: (make, inputs, order, op) => {
      const shapes = shapesOf(op, inputs, 1, order);
      return { ...madeBy(make, shapes), past: make(shapes.rows, 'f32') };
    },
    forward: runRNN,
    saves: ['x', 'weightIh', 'bias', 'weightHh', 'h0', 'y', 'past'],
    backward: (o, { y: dy, h: dh }, { y, past, ...saved }, order, { needs, noted }) => {
      if (noted) {
        const { states, db: _, ...grads } = composedGrads(o, rnnStep(order.relu), saved, [saved.h0], order, dy, [dh]);
        return { ...grads, h0: states[0] };
      }
      const { weightHh } = saved;
      const d = o.rnnBackward({ dy, dh, y, weightHh }, { ...order, states: needs.h0 });
      return { ...operandGrads(o, { ...saved, past }, d.da, d.da, needs), h0: d.dh0 };
    },
  }),
  rnnBackward: row(s.rnnBackward, {
    outputs: (make, { dy, dh, y, weightHh }, order, op) => {
      const { shape, panels } = checkGrads(op, dy, [dh], weightHh, 1, [['the hidden states', y, 1]], order);
      return { da: make(y.sizes, 'f32'), dh0: make(shape, 'f32'), panels: make(panels, 'f32') };
    },
    forward: (k, { da, dh0, panels }, { dy, dh, y, weightHh }, order) => {
      keepRows(k, dh0, dh);
      const multiply = recurrentProduct(k, order, panels, weightHh, 'backward');
      eachStep({ ...order, backwards: true }, (at, rows, _, last) => {
        const [dx, saved, n] = [place(da, at, rows), place(y, at, rows), rows * widthOf(weightHh)];
        if (dy) k.add_forward_f32({ y: dx, a: dh0, b: place(dy, at, rows), dims: [1, n, 1, 1] });
        const g = dy ? dx : dh0;
        if (order.relu) k.relu_backward_f32({ dx, g, saved, n });
        else k.tanh_backward_f32({ dx, g, saved, n });
        if (!last || order.states) multiply(dh0, dx, rows);
      });
    },
    backward: () => noSecondDerivative('rnn'),
  }),
}));
