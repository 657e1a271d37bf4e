// Steps of recurrent cells, after their products. Rows of gates [n, 4 · width] hold input, forget, candidate and
// output.
import { rnnKernels } from '../generated/kernel-calls.ts';
import { optional } from '../lookup.ts';
import { formatShape, ShapeError } from '../memory/errors.ts';
import type { Tensor } from '../tensor.ts';
import { aux, calling, f32, family, grad, maybe, noSecondDerivative, row, signature } from './core.ts';
import { lstmStep } from './rnn-steps.ts';
import { expectShape } from './shapes.ts';

const s = optional(() => ({
  /**
   * The new hidden and cell state of a long short-term memory (Hochreiter and Schmidhuber 1997), whose gates are those
   * of a + b.
   */
  lstmCell: signature({ a: f32, b: f32, cell: f32 }, { h: grad, c: grad, gates: aux, squashed: aux }),
  /** dgates is the gradient of a and of b. */
  lstmCellBackward: signature(
    { dh: maybe(f32), dc: maybe(f32), gates: f32, squashed: f32, cell: f32 },
    { dgates: grad, dcell: grad },
  ),
}));
type S = typeof s;
declare module './core.ts' {
  interface OpTypes extends S {}
}

/** n and width of a cell state [n, width]. */
function sizesOf(op: string, cell: Tensor): { rows: number; width: number } {
  if (cell.ndim !== 2) throw new ShapeError(`${op}: expected a cell state [n, width], got ${formatShape(cell.sizes)}`);
  const [rows, width] = cell.sizes as [number, number];
  return { rows, width };
}

export const rnnRows = family(calling(rnnKernels, s), () => ({
  lstmCell: row(s.lstmCell, {
    outputs: (make, { a, b, cell }, _, op) => {
      const { rows, width } = sizesOf(op, cell);
      expectShape(op, 'the gates of the input', a, [rows, 4 * width]);
      expectShape(op, 'the gates of the hidden state', b, [rows, 4 * width]);
      return {
        h: make(cell.sizes, 'f32'),
        c: make(cell.sizes, 'f32'),
        gates: make(a.sizes, 'f32'),
        squashed: make(cell.sizes, 'f32'),
      };
    },
    forward: (k, outputs, inputs) =>
      k.lstm_cell_forward_f32({
        ...outputs,
        ...inputs,
        y: null,
        past: null,
        before: null,
        hidden: null,
        pastRow: inputs.cell.sizes[1] as number,
        ...sizesOf('lstmCell', inputs.cell),
      }),
    saves: ['gates', 'squashed', 'cell', 'a', 'b'],
    backward: (o, { h: dh, c: dc }, { a, b, gates, squashed, cell }, _, { noted }) => {
      if (noted) {
        const { a: g, states } = lstmStep(o, a, b, [cell, cell]).backward([dh, dc]);
        return { a: g, b: g, cell: states[1] };
      }
      const { dgates, dcell } = o.lstmCellBackward({ dh, dc, gates, squashed, cell });
      return { a: dgates, b: dgates, cell: dcell };
    },
  }),
  lstmCellBackward: row(s.lstmCellBackward, {
    outputs: (make, { dh, dc, gates, squashed, cell }, _, op) => {
      const { rows, width } = sizesOf(op, cell);
      if (dh) expectShape(op, 'the gradient of h', dh, cell.sizes);
      if (dc) expectShape(op, 'the gradient of c', dc, cell.sizes);
      expectShape(op, 'the gates', gates, [rows, 4 * width]);
      expectShape(op, 'what the cell state was squashed to', squashed, cell.sizes);
      return { dgates: make(gates.sizes, 'f32'), dcell: make(cell.sizes, 'f32') };
    },
    forward: (k, outputs, inputs) =>
      k.lstm_cell_backward_f32({ ...outputs, ...inputs, dy: null, ...sizesOf('lstmCellBackward', inputs.cell) }),
    backward: () => noSecondDerivative('lstmCell'),
  }),
}));
