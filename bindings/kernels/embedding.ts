// Rows by index: embeddings, and bags of them.
import { optional } from '../lookup.ts';
import { code, i32, indices, inout, input, kernel, maybe, output, probe, size } from './descriptor.ts';

/** Optimizers that step a few rows alone. */
export const STEP_RULES = ['sgd', 'adagrad', 'sparseAdam'] as const;

export type StepRule = (typeof STEP_RULES)[number];

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
  row_slots_i32: kernel({
    row: output('i32', 'k'),
    slot: output('i32', 'm'),
    index: input('i32', 'm'),
    order: indices('m', 'm'),
    m: size,
    n: size,
    k: size,
    skip: i32,
  }),
  step_rows_f32: kernel(
    {
      p: inout('f32', ['n', 'width'], 'inner'),
      g: input('f32', ['m', 'width'], 'inner'),
      a: maybe(inout('f32', ['n', 'width'], 'inner')),
      b: maybe(inout('f32', ['n', 'width'], 'inner')),
      index: indices('n', 'm'),
      step: input('f32'),
      hyper: input('f32', 7),
      n: size,
      m: size,
      inner: size,
      width: size,
      rule: code(...STEP_RULES),
    },
    {
      cut: ({ inner }) => (inner > 16 ? { along: 'inner', grain: 16 } : null),
      cost: ({ a, n, m, inner, rule }) => (a && rule === 0 ? 0.5 * n : m) * inner,
      trials: [
        { n: 9, m: 4, inner: 67, width: 67, rule: 0 },
        { n: 9, m: 4, inner: 67, width: 67, rule: 1 },
        { n: 9, m: 4, inner: 67, width: 67, rule: 2 },
      ],
    },
  ),
  bag_places_f32: kernel({
    place: output('i32', 'm'),
    share: output('f32', 'm'),
    index: input('i32', 'm'),
    offsets: maybe(input('i32', 'bags')),
    bags: size,
    m: size,
    padding: i32,
  }),
  bag_argmax_f32: kernel({
    row: output('i32', 'bags', 'inner'),
    filled: output('f32', 'bags'),
    x: input('f32', 'rows', 'inner'),
    index: indices('rows', 'm'),
    place: indices('bags', 'm'),
    rows: size,
    bags: size,
    m: size,
    inner: size,
  }),
}));

export const offsetProbes = {
  /** −1 where the offsets of bags begin with 0, never fall, and end at m at the latest; else where they do not. */
  check_offsets_i32: probe({ offsets: input('i32', 'bags'), bags: size, m: size }),
};
