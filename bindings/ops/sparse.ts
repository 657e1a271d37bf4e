// Rows that alone are not zeros, packed into one block: their numbers, and behind them which rows they are, ascending.
// There is room for as many as there may be; the rest is zeros of row -1, and at least one is. So shapes do not depend
// on values.
import { STEP_RULES, type StepRule } from '../kernels/embedding.ts';
import { optional } from '../lookup.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { attrs, aux, f32, i32, inout, type Kernels, maybe, plain, row, signature, type Tensor } from './core.ts';
import { expectStep } from './optim.ts';
import { expectShape } from './shapes.ts';

export const sparseSignatures = optional(() => ({
  /**
   * As sumRows, y[to[j]] += factor[j] x[from[j]] of n rows, packed; `skip` is a row that is left out, or -1. A list
   * that is not there is 0, 1, 2 ….
   */
  packRows: signature(
    { x: f32, from: maybe(i32), to: i32, factor: maybe(f32) },
    { packed: plain, order: aux, slot: aux, scratch: aux },
    attrs<{ readonly n: number; readonly skip: number }>(),
  ),
  /** A step of the rows of p that are packed in g, with the state that the rule has. */
  stepRows: signature(
    { p: inout(f32), g: i32, a: maybe(inout(f32)), b: maybe(inout(f32)), step: f32, hyper: f32 },
    {},
    attrs<{ readonly rule: StepRule }>(),
  ),
}));

/** The room, in rows, of what is packed. */
const roomOf = ({ size }: Tensor, width: number): number => size / (width + 1);

/** What kernels take as the numbers and the rows of what is packed. */
function partsOf(packed: Tensor, width: number): { rows: number; values: Tensor; index: Tensor } {
  const rows = roomOf(packed, width);
  return { rows, values: packed, index: packed.alias([rows], [1], packed.offset + rows * width) };
}

/** Pairs of the sort that the workspace of a thread has room for; see order.ts. */
const WORKSPACE_PAIRS = 4096;

const SETTINGS: Readonly<Record<StepRule, number>> = { sgd: 6, adagrad: 5, sparseAdam: 6 };

export const packRows = () =>
  row(sparseSignatures.packRows, {
    outputs: (make, { x, from, to, factor }, { n }, op) => {
      if (x.ndim !== 2) throw new ShapeError(`${op}: expected rows [rows, width], got ${formatShape(x.sizes)}`);
      const m = to.size;
      if ((from ?? to).size !== m || (!from && x.sizes[0] !== m))
        throw new ShapeError(
          `${op}: expected as many places as rows to take, got ${m} and ${from?.size ?? x.sizes[0]}`,
        );
      if (factor) expectShape(op, 'the factors', factor, [m]);
      return {
        packed: make([(Math.min(m, n) + 1) * ((x.sizes[1] as number) + 1)], 'i32'),
        order: make([m], 'i32'),
        slot: make([m], 'i32'),
        scratch: make([m > WORKSPACE_PAIRS ? 4 * m : 0], 'i32'),
      };
    },
    forward: (k: Kernels, { packed, order, slot, scratch }, { x, from, to, factor }, { n, skip }) => {
      const [taken, width] = x.sizes as [number, number];
      const m = to.size;
      const { rows, values, index } = partsOf(packed, width);
      k.sort_32({ index: order, scratch, x: to, outer: 1, n: m, k: m, room: m, width: scratch.size, order: 0 });
      k.row_slots_i32({ row: index, slot, index: to, order, m, n, k: rows, skip });
      const sizes = { n: rows, rows: taken, m, inner: width, step: width, skipFrom: -1, skipTo: -1 };
      k.sum_rows_f32({ y: values, x, from, to: slot, factor, ...sizes });
    },
  });

export const stepRows = () =>
  row(sparseSignatures.stepRows, {
    outputs: (_, { p, g, a, b, step, hyper }, { rule }, op) => {
      if (p.ndim !== 2) throw new ShapeError(`${op}: expected a parameter [rows, width], got ${formatShape(p.sizes)}`);
      const rows = roomOf(g, p.sizes[1] as number);
      if (!(Number.isInteger(rows) && rows > 0))
        throw new ShapeError(`${op}: expected packed rows like those of the parameter, got ${formatShape(g.sizes)}`);
      if (rule === 'sgd' ? b : !a || !b === (rule === 'sparseAdam'))
        throw new ArgumentError(`${op}: expected the state of ${rule}, got ${a ? '' : 'no '}a, ${b ? '' : 'no '}b`);
      return expectStep(op, { p, a, b, step, hyper }, SETTINGS[rule]);
    },
    forward: (k: Kernels, _, { p, g, a, b, step, hyper }, { rule }) => {
      const [n, width] = p.sizes as [number, number];
      const { rows, values, index } = partsOf(g, width);
      const sizes = { n, m: rows, inner: width, width, rule: STEP_RULES.indexOf(rule) };
      k.step_rows_f32({ p, g: values, a, b, index, step, hyper, ...sizes });
    },
  });
