// Optimizer steps and clipping, in place. Settings lie in `hyper` as assembly/optim reads them; `step` counts.
import {
  adagradKernels,
  adamKernels,
  clipKernels,
  rmspropKernels,
  sgdKernels,
  stepKernels,
} from '../generated/kernel-calls.ts';
import { optional } from '../lookup.ts';
import type { Kernels, Tensor } from './core.ts';
import { attrs, calling, f32, family, inout, maybe, plain, row, signature } from './core.ts';
import { expectShape } from './shapes.ts';

const p = optional(() => inout(f32));
/** The step is counted before it is read. */
const settings = optional(() => ({ step: inout(f32), hyper: f32 }));

/** step += 1. */
const step = optional(() => ({ advanceStep: signature({ step: inout(f32) }, {}) }));
const sgd = optional(() => ({ sgdStep: signature({ p, g: f32, momentum: maybe(p), ...settings }, {}) }));
const adam = optional(() => ({
  adamStep: signature({ p, g: f32, average: p, square: p, maximum: maybe(p), ...settings }, {}),
}));
const rmsprop = optional(() => ({
  rmspropStep: signature({ p, g: f32, square: p, average: maybe(p), momentum: maybe(p), ...settings }, {}),
}));
const adagrad = optional(() => ({ adagradStep: signature({ p, g: f32, sum: p, ...settings }, {}) }));
/** What gradients of the squared norm `square` are multiplied by, so that their norm is at most maxNorm. */
const clip = optional(() => ({
  clipCoefficient: signature({ square: f32 }, { y: plain }, attrs<{ readonly maxNorm: number }>()),
}));
type S = typeof step & typeof sgd & typeof adam & typeof rmsprop & typeof adagrad & typeof clip;
declare module './core.ts' {
  interface OpTypes extends S {}
}

type Settings = { readonly p: Tensor; readonly step: Tensor; readonly hyper: Tensor };

/** All state and the gradient have the shape of the parameter, and the kernel reads `count` settings. */
export function expectStep(
  op: string,
  { p, step, hyper }: Settings,
  others: Readonly<Record<string, Tensor | null>>,
  count: number,
): void {
  for (const name in others) {
    const x = others[name];
    if (x) expectShape(op, name, x, p.sizes);
  }
  expectShape(op, 'step', step, []);
  expectShape(op, 'hyper', hyper, [count]);
}

export const stepRows = family(calling(stepKernels, step), () => ({
  advanceStep: row(step.advanceStep, {
    outputs: (_, { step }, __, op) => {
      expectShape(op, 'step', step, []);
      return {};
    },
    forward: (k, _, { step }) => k.advance_step({ step }),
  }),
}));

export const sgdRows = family(calling(stepKernels, calling(sgdKernels, sgd)), () => ({
  sgdStep: row(sgd.sgdStep, {
    outputs: (_, inputs, __, op) => {
      const { g, momentum } = inputs;
      expectStep(op, inputs, { g, momentum }, 6);
      return {};
    },
    forward: (k, _, { p, g, momentum, step, hyper }) => {
      k.advance_step({ step });
      k.sgd_step_f32({ p, g, momentum, step, hyper, n: p.size });
    },
  }),
}));

export const adamRows = family(calling(stepKernels, calling(adamKernels, adam)), () => ({
  adamStep: row(adam.adamStep, {
    outputs: (_, inputs, __, op) => {
      const { g, average, square, maximum } = inputs;
      expectStep(op, inputs, { g, average, square, maximum }, 7);
      return {};
    },
    forward: (k, _, { p, g, average, square, maximum, step, hyper }) => {
      k.advance_step({ step });
      k.adam_step_f32({ p, g, average, square, maximum, step, hyper, n: p.size });
    },
  }),
}));

export const rmspropRows = family(calling(stepKernels, calling(rmspropKernels, rmsprop)), () => ({
  rmspropStep: row(rmsprop.rmspropStep, {
    outputs: (_, inputs, __, op) => {
      const { g, square, average, momentum } = inputs;
      expectStep(op, inputs, { g, square, average, momentum }, 6);
      return {};
    },
    forward: (k, _, { p, g, square, average, momentum, step, hyper }) => {
      k.advance_step({ step });
      k.rmsprop_step_f32({ p, g, square, average, momentum, step, hyper, n: p.size });
    },
  }),
}));

export const adagradRows = family(calling(stepKernels, calling(adagradKernels, adagrad)), () => ({
  adagradStep: row(adagrad.adagradStep, {
    outputs: (_, inputs, __, op) => {
      const { g, sum } = inputs;
      expectStep(op, inputs, { g, sum }, 5);
      return {};
    },
    forward: (k, _, { p, g, sum, step, hyper }) => {
      k.advance_step({ step });
      k.adagrad_step_f32({ p, g, sum, step, hyper, n: p.size });
    },
  }),
}));

export const clipRows = family(calling(clipKernels, clip), () => ({
  clipCoefficient: row(clip.clipCoefficient, {
    outputs: (make, { square }, _, op) => {
      expectShape(op, 'the squared norm', square, []);
      return { y: make([], 'f32') };
    },
    forward: (k: Kernels, { y }, { square }, { maxNorm }) => k.clip_coefficient_f32({ y, square, maxNorm }),
  }),
}));
