// Steps of the optimizers that fewer programs use, in place. `hyper` holds the settings, `step` counts: see
// assembly/optim.
import { optional } from '../lookup.ts';
import { elements, i32, inout, input, kernel, maybe, output, size } from './descriptor.ts';

const p = () => inout('f32', 'n');
const g = () => input('f32', 'n');
/** Settings of the optimizer that has the most of them. */
const settings = (count = 8) => ({ step: input('f32'), hyper: input('f32', count), n: size });

export const optimizerKernels = optional(() => ({
  nadam_momentum_f32: kernel({ product: inout('f32'), step: input('f32'), hyper: input('f32', 8) }),
  nadam_step_f32: kernel(
    { p: p(), g: g(), average: p(), square: p(), product: input('f32'), ...settings() },
    elements('n', 1.5),
  ),
  radam_step_f32: kernel({ p: p(), g: g(), average: p(), square: p(), ...settings(7) }, elements('n', 1.5)),
  lamb_direction_f32: kernel(
    { u: output('f32', 'n'), p: g(), g: g(), average: p(), square: p(), ...settings(7) },
    elements('n', 1.5),
  ),
  lamb_step_f32: kernel(
    { p: p(), u: g(), squares: input('f32', 2), hyper: input('f32', 7), n: size },
    elements('n', 0.5),
  ),
  adadelta_step_f32: kernel({ p: p(), g: g(), square: p(), delta: p(), ...settings(5) }, elements('n', 2)),
  adamax_step_f32: kernel({ p: p(), g: g(), average: p(), norm: p(), ...settings(6) }, elements('n', 1)),
  lion_step_f32: kernel({ p: p(), g: g(), average: p(), ...settings(5) }, elements('n', 0.7)),
  asgd_step_f32: kernel(
    { p: p(), g: g(), average: p(), eta: input('f32'), mu: input('f32'), ...settings(6) },
    elements('n', 0.7),
  ),
  asgd_rates_f32: kernel({ eta: inout('f32'), mu: inout('f32'), step: input('f32'), hyper: input('f32', 6) }),
  rprop_step_f32: kernel({ p: p(), g: g(), previous: p(), size: p(), ...settings(7) }, elements('n', 1)),
}));

/** By the formulas of TensorFlow.js: `rule` says which, see assembly/optim/tensorflow.ts. */
export const tensorflowKernels = optional(() => ({
  tensorflow_step_f32: kernel(
    { p: p(), g: g(), a: p(), b: maybe(p()), c: maybe(p()), hyper: input('f32', 5), n: size, rule: i32 },
    elements('n', 1.5),
  ),
}));
