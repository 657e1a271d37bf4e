// Optimizer steps and clipping, in place. Settings lie in `hyper` as assembly/optim reads them; `step` counts.
import { adagradKernels, adamKernels, clipKernels, rmspropKernels, sgdKernels } from '../generated/kernel-calls.ts';
import { optional } from '../lookup.ts';
import type { Shape } from '../tensor.ts';
import type { Kernels, Tensor } from './core.ts';
import { attrs, calling, f32, family, inout, maybe, plain, row, signature } from './core.ts';
import { expectShape } from './shapes.ts';

const p = optional(() => inout(f32));
/** The step is counted before it is read: by advanceStep. */
const settings = { step: f32, hyper: f32 };

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
type S = typeof sgd & typeof adam & typeof rmsprop & typeof adagrad & typeof clip;
declare module './core.ts' {
  interface OpTypes extends S {}
}

type Shapes = Readonly<Record<string, Shape>>;
type State = { readonly p: Tensor } & Readonly<Record<string, Tensor | null>>;

/**
 * All have the shape of the parameter but the step, the settings, of which the kernel reads `count`, and those that are
 * told.
 */
export function expectStep(op: string, inputs: State, count: number, told?: Shapes): Record<never, never> {
  for (const name in inputs) {
    const x = inputs[name];
    const own = told?.[name] ?? (name === 'step' ? [] : name === 'hyper' ? [count] : inputs.p.sizes);
    if (x) expectShape(op, name, x, own);
  }
  return {};
}

export const sgdRows = family(calling(sgdKernels, sgd), () => ({
  sgdStep: row(sgd.sgdStep, {
    outputs: (_, inputs, __, op) => expectStep(op, inputs, 6),
    forward: (k, _, { p, g, momentum, step, hyper }) => k.sgd_step_f32({ p, g, momentum, step, hyper, n: p.size }),
  }),
}));

export const adamRows = family(calling(adamKernels, adam), () => ({
  adamStep: row(adam.adamStep, {
    outputs: (_, inputs, __, op) => expectStep(op, inputs, 7),
    forward: (k, _, { p, g, average, square, maximum, step, hyper }) =>
      k.adam_step_f32({ p, g, average, square, maximum, step, hyper, n: p.size }),
  }),
}));

export const rmspropRows = family(calling(rmspropKernels, rmsprop), () => ({
  rmspropStep: row(rmsprop.rmspropStep, {
    outputs: (_, inputs, __, op) => expectStep(op, inputs, 6),
    forward: (k, _, { p, g, square, average, momentum, step, hyper }) =>
      k.rmsprop_step_f32({ p, g, square, average, momentum, step, hyper, n: p.size }),
  }),
}));

export const adagradRows = family(calling(adagradKernels, adagrad), () => ({
  adagradStep: row(adagrad.adagradStep, {
    outputs: (_, inputs, __, op) => expectStep(op, inputs, 5),
    forward: (k, _, { p, g, sum, step, hyper }) => k.adagrad_step_f32({ p, g, sum, step, hyper, n: p.size }),
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
