// The elementwise part of a step of a recurrent cell. Gates lie beside each other: [rows, gates, width].

import { optional } from '../lookup.ts';
import { input, kernel, maybe, output, rowGrain, size } from './descriptor.ts';

const sizes = { rows: size, width: size };
type Numbers = { readonly rows: number; readonly width: number };
const byRow = (cost: number) => ({
  cut: ({ width }: Numbers) => ({ along: 'rows' as const, grain: rowGrain(4 * width) }),
  cost: ({ rows, width }: Numbers): number => rows * width * cost,
});
const gates = (count: number) => input('f32', 'rows', count, 'width');
const gatesOut = (count: number) => output('f32', 'rows', count, 'width');
const state = () => input('f32', 'rows', 'width');
const stateOut = () => output('f32', 'rows', 'width');

export const rnnKernels = optional(() => ({
  lstm_cell_forward_f32: kernel(
    {
      h: stateOut(),
      c: stateOut(),
      gates: gatesOut(4),
      squashed: stateOut(),
      y: maybe(stateOut()),
      past: maybe(output('f32', ['rows', 'pastRow'], 'width')),
      before: maybe(stateOut()),
      a: gates(4),
      b: gates(4),
      hidden: maybe(state()),
      cell: state(),
      ...sizes,
      pastRow: size,
    },
    { ...byRow(8), trials: [1, 3, 4, 31, 32].map((width) => ({ rows: 37, width, pastRow: width + 2 })) },
  ),
  lstm_cell_backward_f32: kernel(
    {
      dgates: gatesOut(4),
      dcell: stateOut(),
      dh: maybe(state()),
      dy: maybe(state()),
      dc: maybe(state()),
      gates: gates(4),
      squashed: state(),
      cell: state(),
      ...sizes,
    },
    byRow(4),
  ),
  gru_cell_forward_f32: kernel(
    {
      h: stateOut(),
      y: stateOut(),
      gates: gatesOut(3),
      inner: stateOut(),
      past: stateOut(),
      a: gates(3),
      b: gates(3),
      bias: maybe(input('f32', 'width')),
      hidden: state(),
      ...sizes,
    },
    byRow(6),
  ),
  gru_cell_backward_f32: kernel(
    {
      da: gatesOut(3),
      db: gatesOut(3),
      dhidden: stateOut(),
      dh: state(),
      dy: maybe(state()),
      through: state(),
      gates: gates(3),
      inner: state(),
      past: state(),
      ...sizes,
    },
    byRow(3),
  ),
}));
