// Rows by index: embeddings, and bags of them.
import { optional } from '../lookup.ts';
import { i32, indices, inout, input, kernel, maybe, output, size } from './descriptor.ts';

export const embeddingKernels = optional(() => ({
  /** Entries go by their order, so that slices are of columns. */
  sum_rows_f32: kernel(
    {
      y: output('f32', ['n', 'step'], 'inner'),
      x: input('f32', ['rows', 'step'], 'inner'),
      from: maybe(indices('rows', 'm')),
      to: maybe(indices('n', 'm')),
      factor: maybe(input('f32', 'm')),
      n: size,
      rows: size,
      m: size,
      inner: size,
      step: size,
      skipFrom: i32,
      skipTo: i32,
    },
    {
      cut: ({ inner }) => (inner > 16 ? { along: 'inner', grain: 16 } : null),
      cost: ({ n, m, inner }) => (0.05 * n + 0.3 * m) * inner,
    },
  ),
  put_rows_f32: kernel({
    y: inout('f32', 'n', 'inner'),
    x: input('f32', 'm', 'inner'),
    index: indices('n', 'm'),
    n: size,
    m: size,
    inner: size,
  }),
  index_shares_f32: kernel({
    share: output('f32', 'm'),
    counts: output('i32', 'n'),
    index: indices('n', 'm'),
    n: size,
    m: size,
  }),
}));
