// Steps of the optimizers that fewer programs use, in place. Settings lie in `hyper` as assembly/optim reads them;
// `step` counts.
import { optimizerKernels } from '../generated/kernel-calls.ts';
import { optional } from '../lookup.ts';
import { calling, f32, family, inout, row, signature } from './core.ts';
import { expectStep } from './optim.ts';

const p = optional(() => inout(f32));
/** The step is counted before it is read: by advanceStep. */
const settings = { step: f32, hyper: f32 };

const s = optional(() => ({
  nadamStep: signature({ p, g: f32, average: p, square: p, product: p, ...settings }, {}),
  radamStep: signature({ p, g: f32, average: p, square: p, ...settings }, {}),
  /** `u` gets the direction, `squares` the squared norms of p and of u. */
  lambStep: signature({ p, g: f32, average: p, square: p, u: p, squares: p, ...settings }, {}),
  adadeltaStep: signature({ p, g: f32, square: p, delta: p, ...settings }, {}),
  adamaxStep: signature({ p, g: f32, average: p, norm: p, ...settings }, {}),
  lionStep: signature({ p, g: f32, average: p, ...settings }, {}),
  asgdStep: signature({ p, g: f32, average: p, eta: p, mu: p, ...settings }, {}),
  rpropStep: signature({ p, g: f32, previous: p, size: p, ...settings }, {}),
}));
type S = typeof s;
declare module './core.ts' {
  interface OpTypes extends S {}
}

export const nadamRows = family(calling(optimizerKernels, s), () => ({
  nadamStep: row(s.nadamStep, {
    outputs: (_, inputs, __, op) => expectStep(op, inputs, 8, { product: [] }),
    forward: (k, _, { p, g, average, square, product, step, hyper }) => {
      k.nadam_momentum_f32({ product, step, hyper });
      k.nadam_step_f32({ p, g, average, square, product, step, hyper, n: p.size });
    },
  }),
}));

export const radamRows = family(calling(optimizerKernels, s), () => ({
  radamStep: row(s.radamStep, {
    outputs: (_, inputs, __, op) => expectStep(op, inputs, 7),
    forward: (k, _, { p, g, average, square, step, hyper }) =>
      k.radam_step_f32({ p, g, average, square, step, hyper, n: p.size }),
  }),
}));

export const lambRows = family(calling(optimizerKernels, s), () => ({
  lambStep: row(s.lambStep, {
    outputs: (_, inputs, __, op) => expectStep(op, inputs, 7, { squares: [2] }),
    forward: (k, _, { p, g, average, square, u, squares, step, hyper }) => {
      const sizes = { outer: 1, r: p.size, inner: 1, stride: 1 };
      k.lamb_direction_f32({ u, p, g, average, square, step, hyper, n: p.size });
      k.sum_squares_f32({ y: squares.alias([], [], squares.offset), x: p, ...sizes });
      k.sum_squares_f32({ y: squares.alias([], [], squares.offset + 1), x: u, ...sizes });
      k.lamb_step_f32({ p, u, squares, hyper, n: p.size });
    },
  }),
}));

export const adadeltaRows = family(calling(optimizerKernels, s), () => ({
  adadeltaStep: row(s.adadeltaStep, {
    outputs: (_, inputs, __, op) => expectStep(op, inputs, 5),
    forward: (k, _, { p, g, square, delta, step, hyper }) =>
      k.adadelta_step_f32({ p, g, square, delta, step, hyper, n: p.size }),
  }),
}));

export const adamaxRows = family(calling(optimizerKernels, s), () => ({
  adamaxStep: row(s.adamaxStep, {
    outputs: (_, inputs, __, op) => expectStep(op, inputs, 6),
    forward: (k, _, { p, g, average, norm, step, hyper }) =>
      k.adamax_step_f32({ p, g, average, norm, step, hyper, n: p.size }),
  }),
}));

export const lionRows = family(calling(optimizerKernels, s), () => ({
  lionStep: row(s.lionStep, {
    outputs: (_, inputs, __, op) => expectStep(op, inputs, 5),
    forward: (k, _, { p, g, average, step, hyper }) => k.lion_step_f32({ p, g, average, step, hyper, n: p.size }),
  }),
}));

export const asgdRows = family(calling(optimizerKernels, s), () => ({
  asgdStep: row(s.asgdStep, {
    outputs: (_, inputs, __, op) => expectStep(op, inputs, 6, { eta: [], mu: [] }),
    forward: (k, _, { p, g, average, eta, mu, step, hyper }) => {
      k.asgd_step_f32({ p, g, average, eta, mu, step, hyper, n: p.size });
      k.asgd_rates_f32({ eta, mu, step, hyper });
    },
  }),
}));

export const rpropRows = family(calling(optimizerKernels, s), () => ({
  rpropStep: row(s.rpropStep, {
    outputs: (_, inputs, __, op) => expectStep(op, inputs, 7),
    forward: (k, _, { p, g, previous, size, step, hyper }) =>
      k.rprop_step_f32({ p, g, previous, size, step, hyper, n: p.size }),
  }),
}));
