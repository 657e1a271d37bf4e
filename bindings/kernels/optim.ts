// Optimizer steps and gradient clipping, in place. `hyper` holds the settings, `step` counts: see assembly/optim.

import { optional } from '../lookup.ts';
import { elements, f32, inout, input, kernel, maybe, output, size } from './descriptor.ts';

const p = () => inout('f32', 'n');
/** Settings of the optimizer that has the most of them. */
const HYPER = 7;
const settings = () => ({ step: input('f32'), hyper: input('f32', HYPER), n: size });

export const sgdKernels = optional(() => ({
  sgd_step_f32: kernel({ p: p(), g: input('f32', 'n'), momentum: maybe(p()), ...settings() }, elements('n')),
}));

export const adamKernels = optional(() => ({
  adam_step_f32: kernel(
    { p: p(), g: input('f32', 'n'), average: p(), square: p(), maximum: maybe(p()), ...settings() },
    elements('n', 1.5),
  ),
}));

export const rmspropKernels = optional(() => ({
  rmsprop_step_f32: kernel(
    { p: p(), g: input('f32', 'n'), square: p(), average: maybe(p()), momentum: maybe(p()), ...settings() },
    elements('n', 1.5),
  ),
}));

export const adagradKernels = optional(() => ({
  adagrad_step_f32: kernel({ p: p(), g: input('f32', 'n'), sum: p(), ...settings() }, elements('n', 1)),
}));

export const clipKernels = optional(() => ({
  clip_coefficient_f32: kernel({ y: output('f32'), square: input('f32'), maxNorm: f32 }),
}));

/** What an in-place row of the core calls. */
export const scaleKernels = {
  scale_by_f32: kernel({ x: p(), n: size, factor: input('f32') }, elements('n')),
};
