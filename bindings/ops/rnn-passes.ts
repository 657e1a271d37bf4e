// The kernels of a pass over sequences, in order.
import type { Kernels, Tensor } from './core.ts';
import {
  eachStep,
  fillRows,
  inputProduct,
  keepRows,
  type Order,
  partOf,
  place,
  recurrentProduct,
} from './rnn-kernels.ts';
import { loopDims } from './shapes.ts';

/** Whether the nonlinearity is relu, not tanh. */
export type Relu = { readonly relu: boolean };

/** Whether the gradients of the first states are wanted: the last product is for them alone. */
export type BackwardOrder = Order & { readonly states: boolean };

export const widthOf = (weightHh: Tensor): number => weightHh.sizes[1] as number;

/** What goes into a pass: see the ops. */
export interface Sequence {
  readonly x: Tensor;
  readonly weightIh: Tensor;
  readonly bias: Tensor | null;
  readonly weightHh: Tensor;
  readonly h0: Tensor | null;
}

/** A layer of long short-term memories. */
export const runLSTM = (
  k: Kernels,
  outputs: Readonly<
    Record<'y' | 'h' | 'c' | 'gates' | 'squashed' | 'before' | 'inputs' | 'panels' | 'product', Tensor>
  >,
  inputs: Sequence & { readonly c0: Tensor | null },
  order: Order,
): void => {
  const { y, h, c, gates, squashed, before, product } = outputs;
  const width = widthOf(inputs.weightHh);
  const size = inputs.x.sizes[1] as number;
  const pastRow = size + width;
  k.copy_32({ y: outputs.inputs, x: inputs.x, dims: loopDims(inputs.x.sizes, [pastRow, 1], [size, 1]) });
  inputProduct(k, gates, inputs);
  keepRows(k, h, inputs.h0);
  keepRows(k, c, inputs.c0);
  const multiply = recurrentProduct(k, order, outputs.panels, inputs.weightHh, 'forward');
  eachStep(order, (at, rows, first) => {
    if (first && !inputs.h0) fillRows(k, product, rows);
    else multiply(product, h, rows);
    const own = place(gates, at, rows);
    const [a, b] = [own, product];
    const past = partOf(outputs.inputs, at * pastRow + size, [rows, width]);
    const kept = { squashed: place(squashed, at, rows), y: place(y, at, rows), past, before: place(before, at, rows) };
    k.lstm_cell_forward_f32({ h, c, gates: own, ...kept, a, b, hidden: h, cell: c, rows, width, pastRow });
  });
};

/** Reverses a layer of long short-term memories: the gradients of its gates and first states. */
export const reverseLSTM = (
  k: Kernels,
  { dgates, dh0, dc0, panels }: Readonly<Record<'dgates' | 'dh0' | 'dc0' | 'panels', Tensor>>,
  inputs: Readonly<Record<'dy' | 'dh' | 'dc', Tensor | null>> &
    Readonly<Record<'gates' | 'squashed' | 'before' | 'weightHh', Tensor>>,
  order: BackwardOrder,
): void => {
  const { dy, gates, squashed, before, weightHh } = inputs;
  const width = widthOf(weightHh);
  keepRows(k, dh0, inputs.dh);
  keepRows(k, dc0, inputs.dc);
  const multiply = recurrentProduct(k, order, panels, weightHh, 'backward');
  eachStep({ ...order, backwards: true }, (at, rows, _, last) => {
    const own = place(dgates, at, rows);
    k.lstm_cell_backward_f32({
      ...{ dgates: own, dcell: dc0, dh: dh0, dy: dy && place(dy, at, rows), dc: dc0 },
      ...{ gates: place(gates, at, rows), squashed: place(squashed, at, rows), cell: place(before, at, rows) },
      ...{ rows, width },
    });
    if (!last || order.states) multiply(dh0, own, rows);
  });
};

/** A layer of gated recurrent units. */
export const runGRU = (
  k: Kernels,
  outputs: Readonly<Record<'y' | 'h' | 'gates' | 'products' | 'past' | 'panels' | 'product', Tensor>>,
  inputs: Sequence & { readonly inner: Tensor | null },
  order: Order,
): void => {
  const { y, h, gates, products, past, product } = outputs;
  const width = widthOf(inputs.weightHh);
  inputProduct(k, gates, inputs);
  keepRows(k, h, inputs.h0);
  const multiply = recurrentProduct(k, order, outputs.panels, inputs.weightHh, 'forward');
  eachStep(order, (at, rows, first) => {
    if (first && !inputs.h0) fillRows(k, product, rows);
    else multiply(product, h, rows);
    const own = place(gates, at, rows);
    const kept = { y: place(y, at, rows), inner: place(products, at, rows), past: place(past, at, rows) };
    k.gru_cell_forward_f32({ h, gates: own, ...kept, a: own, b: product, bias: inputs.inner, hidden: h, rows, width });
  });
};

/** A layer of Elman's network. */
export const runRNN = (
  k: Kernels,
  outputs: Readonly<Record<'y' | 'h' | 'past' | 'panels' | 'product', Tensor>>,
  inputs: Sequence,
  order: Order & Relu,
): void => {
  const { y, h, past, product } = outputs;
  const width = widthOf(inputs.weightHh);
  inputProduct(k, y, inputs);
  keepRows(k, h, inputs.h0);
  const multiply = recurrentProduct(k, order, outputs.panels, inputs.weightHh, 'forward');
  eachStep(order, (at, rows, first) => {
    if (first && !inputs.h0) fillRows(k, product, rows);
    else multiply(product, h, rows);
    const own = place(y, at, rows);
    const n = rows * width;
    k.copy_32({ y: place(past, at, rows), x: h, dims: [1, n, 1, 1] });
    k.add_forward_f32({ y: own, a: own, b: product, dims: [1, n, 1, 1] });
    if (order.relu) k.relu_forward_f32({ y: own, x: own, n });
    else k.tanh_forward_f32({ y: own, x: own, n });
    k.copy_32({ y: h, x: own, dims: [1, n, 1, 1] });
  });
};
