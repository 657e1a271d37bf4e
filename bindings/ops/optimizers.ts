// Steps of the optimizers that fewer programs use, in place. Settings lie in `hyper` as assembly/optim reads them;
// `step` counts.
import { optimizerKernels, stepKernels } from '../generated/kernel-calls.ts';
import { optional } from '../lookup.ts';
import { calling, f32, family, inout, row, signature } from './core.ts';
import { expectStep } from './optim.ts';
import { expectShape } from './shapes.ts';

const p = optional(() => inout(f32));
/** The step is counted before it is read. */
const settings = optional(() => ({ step: inout(f32), hyper: f32 }));

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

export const nadamRows = family(calling(stepKernels, calling(optimizerKernels, s)), () => ({
  nadamStep: row(s.nadamStep, {
    outputs: (_, inputs, __, op) => {
      const { g, average, square, product } = inputs;
      expectStep(op, inputs, { g, average, square }, 8);
      expectShape(op, 'product', product, []);
      return {};
    },
    forward: (k, _, { p, g, average, square, product, step, hyper }) => {
      k.advance_step({ step });
      k.nadam_momentum_f32({ product, step, hyper });
      k.nadam_step_f32({ p, g, average, square, product, step, hyper, n: p.size });
    },
  }),
}));

export const radamRows = family(calling(stepKernels, calling(optimizerKernels, s)), () => ({
  radamStep: row(s.radamStep, {
    outputs: (_, inputs, __, op) => {
      const { g, average, square } = inputs;
      expectStep(op, inputs, { g, average, square }, 7);
      return {};
    },
    forward: (k, _, { p, g, average, square, step, hyper }) => {
      k.advance_step({ step });
      k.radam_step_f32({ p, g, average, square, step, hyper, n: p.size });
    },
  }),
}));

export const lambRows = family(calling(stepKernels, calling(optimizerKernels, s)), () => ({
  lambStep: row(s.lambStep, {
    outputs: (_, inputs, __, op) => {
      const { g, average, square, u, squares } = inputs;
      expectStep(op, inputs, { g, average, square, u }, 7);
      expectShape(op, 'squares', squares, [2]);
      return {};
    },
    forward: (k, _, { p, g, average, square, u, squares, step, hyper }) => {
      const sizes = { outer: 1, r: p.size, inner: 1, stride: 1 };
      k.advance_step({ step });
      k.lamb_direction_f32({ u, p, g, average, square, step, hyper, n: p.size });
      k.sum_squares_f32({ y: squares.alias([], [], squares.offset), x: p, ...sizes });
      k.sum_squares_f32({ y: squares.alias([], [], squares.offset + 1), x: u, ...sizes });
      k.lamb_step_f32({ p, u, squares, hyper, n: p.size });
    },
  }),
}));

export const adadeltaRows = family(calling(stepKernels, calling(optimizerKernels, s)), () => ({
  adadeltaStep: row(s.adadeltaStep, {
    outputs: (_, inputs, __, op) => {
      const { g, square, delta } = inputs;
      expectStep(op, inputs, { g, square, delta }, 5);
      return {};
    },
    forward: (k, _, { p, g, square, delta, step, hyper }) => {
      k.advance_step({ step });
      k.adadelta_step_f32({ p, g, square, delta, step, hyper, n: p.size });
    },
  }),
}));

export const adamaxRows = family(calling(stepKernels, calling(optimizerKernels, s)), () => ({
  adamaxStep: row(s.adamaxStep, {
    outputs: (_, inputs, __, op) => {
      const { g, average, norm } = inputs;
      expectStep(op, inputs, { g, average, norm }, 6);
      return {};
    },
    forward: (k, _, { p, g, average, norm, step, hyper }) => {
      k.advance_step({ step });
      k.adamax_step_f32({ p, g, average, norm, step, hyper, n: p.size });
    },
  }),
}));

export const lionRows = family(calling(stepKernels, calling(optimizerKernels, s)), () => ({
  lionStep: row(s.lionStep, {
    outputs: (_, inputs, __, op) => {
      const { g, average } = inputs;
      expectStep(op, inputs, { g, average }, 5);
      return {};
    },
    forward: (k, _, { p, g, average, step, hyper }) => {
      k.advance_step({ step });
      k.lion_step_f32({ p, g, average, step, hyper, n: p.size });
    },
  }),
}));

export const asgdRows = family(calling(stepKernels, calling(optimizerKernels, s)), () => ({
  asgdStep: row(s.asgdStep, {
    outputs: (_, inputs, __, op) => {
      const { g, average, eta, mu } = inputs;
      expectStep(op, inputs, { g, average }, 6);
      expectShape(op, 'eta', eta, []);
      expectShape(op, 'mu', mu, []);
      return {};
    },
    forward: (k, _, { p, g, average, eta, mu, step, hyper }) => {
      k.advance_step({ step });
      k.asgd_step_f32({ p, g, average, eta, mu, step, hyper, n: p.size });
      k.asgd_rates_f32({ eta, mu, step, hyper });
    },
  }),
}));

export const rpropRows = family(calling(stepKernels, calling(optimizerKernels, s)), () => ({
  rpropStep: row(s.rpropStep, {
    outputs: (_, inputs, __, op) => {
      const { g, previous, size } = inputs;
      expectStep(op, inputs, { g, previous, size }, 7);
      return {};
    },
    forward: (k, _, { p, g, previous, size, step, hyper }) => {
      k.advance_step({ step });
      k.rprop_step_f32({ p, g, previous, size, step, hyper, n: p.size });
    },
  }),
}));
