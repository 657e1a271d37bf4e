// Random numbers of distributions that tensors hold. As in random.ts, the generator's state is an input that is
// written.
import { samplingKernels, samplingProbes } from '../generated/kernel-calls.ts';
import { optional } from '../lookup.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { attrs, aux, calling, f32, family, i32, inout, plain, row, signature, type Tensor } from './core.ts';
import { checkState } from './random.ts';

type Samples = { readonly samples: number };

const s = optional(() => ({
  /** Nothing, where all rows of p [rows, classes] are weights of which `least` are above 0. */
  weights: signature({ p: f32 }, {}, attrs<{ readonly least: number }>()),
  /** Counts of the rates. */
  poisson: signature({ rates: f32, state: inout(i32) }, { y: plain }),
  /** Classes [rows, samples] by the sums cdf [rows, classes] of their weights. */
  multinomial: signature({ cdf: f32, state: inout(i32) }, { index: plain }, attrs<Samples>()),
  /** The places [rows, samples] of the largest scores [rows, classes], in order. */
  largest: signature({ scores: f32 }, { index: plain, heap: aux }, attrs<Samples>()),
}));
type S = typeof s;
declare module './core.ts' {
  interface OpTypes extends S {}
}

/** @throws ShapeError unless there are rows with a class */
function rowsOf(op: string, x: Tensor): { rows: number; classes: number } {
  if (x.ndim !== 2 || x.sizes[1] === 0)
    throw new ShapeError(`${op}: expected [rows, classes] with a class, got ${formatShape(x.sizes)}`);
  const [rows, classes] = x.sizes as readonly number[] as readonly [number, number];
  return { rows, classes };
}

export const samplingRows = family(calling(samplingKernels, calling(samplingProbes, s)), () => ({
  weights: row(s.weights, {
    outputs: () => ({}),
    check: (probes, { p }, { least }, op) => {
      const bad = probes.check_weights_f32({ p, ...rowsOf(op, p), least });
      if (bad >= 0)
        throw new ArgumentError(
          `${op}: expected finite weights of at least 0, ${least} of them above 0, in each row, got others in row ${bad}`,
        );
    },
    forward: () => {},
  }),
  poisson: row(s.poisson, {
    outputs: (make, { rates, state }, _, op) => {
      checkState(op, state);
      return { y: make(rates.sizes, 'f32') };
    },
    check: (probes, { rates }, _, op) => {
      const bad = probes.check_range_f32({ x: rates, n: rates.size, low: 0, high: 3e38 });
      if (bad >= 0)
        throw new ArgumentError(`${op}: expected rates of at least 0, got ${rates.data[bad]} at position ${bad}`);
    },
    forward: (k, { y }, { rates, state }) => {
      k.poisson_f32({ y, rates, n: rates.size, first: 0, state });
      k.random_advance({ state, n: 4 * rates.size });
    },
  }),
  multinomial: row(s.multinomial, {
    outputs: (make, { cdf, state }, { samples }, op) => {
      checkState(op, state);
      const { rows } = rowsOf(op, cdf);
      return { index: make([rows, samples], 'i32') };
    },
    forward: (k, { index }, { cdf, state }, { samples }) => {
      k.multinomial_i32({ y: index, cdf, ...rowsOf('multinomial', cdf), samples, first: 0, state });
      k.random_advance({ state, n: 4 * index.size });
    },
  }),
  largest: row(s.largest, {
    outputs: (make, { scores }, { samples }, op) => {
      const { rows, classes } = rowsOf(op, scores);
      if (samples > classes)
        throw new ArgumentError(`${op}: expected at most ${classes} samples of ${classes} classes, got ${samples}`);
      return { index: make([rows, samples], 'i32'), heap: make(scores.sizes, 'i32') };
    },
    forward: (k, { index, heap }, { scores }, { samples }) =>
      k.largest_i32({ y: index, heap, scores, ...rowsOf('largest', scores), samples }),
  }),
}));
