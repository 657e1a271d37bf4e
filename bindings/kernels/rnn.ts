// The elementwise part of a step of a recurrent cell. Gates lie beside each other: [rows, 4, width].

import { optional } from '../lookup.ts';
import { input, kernel, maybe, output, rowGrain, size } from './descriptor.ts';

const sizes = { rows: size, width: size };
type Numbers = { readonly rows: number; readonly width: number };
const byRow = (cost: number) => ({
  cut: ({ width }: Numbers) => ({ along: 'rows' as const, grain: rowGrain(4 * width) }),
  cost: ({ rows, width }: Numbers): number => rows * width * cost,
});
const gates = () => input('f32', 'rows', 4, 'width');
const state = () => input('f32', 'rows', 'width');

export const rnnKernels = optional(() => ({
  lstm_cell_forward_f32: kernel(
    {
      h: output('f32', 'rows', 'width'),
      c: output('f32', 'rows', 'width'),
      gates: output('f32', 'rows', 4, 'width'),
      a: gates(),
      b: gates(),
      cell: state(),
      ...sizes,
    },
    byRow(8),
  ),
  lstm_cell_backward_f32: kernel(
    {
      dgates: output('f32', 'rows', 4, 'width'),
      dcell: output('f32', 'rows', 'width'),
      dh: maybe(state()),
      dc: maybe(state()),
      gates: gates(),
      cell: state(),
      c: state(),
      ...sizes,
    },
    byRow(4),
  ),
}));
