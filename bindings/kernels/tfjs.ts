// Kernels that only TensorFlow.js asks for: what it means otherwise than PyTorch.
import { optional } from '../lookup.ts';
import { elements, f32, input, kernel, output, size } from './descriptor.ts';

export const tfjsKernels = optional(() => ({
  /** 1 above 0, else alpha; NaN stays. */
  step_forward_f32: kernel({ y: output('f32', 'n'), x: input('f32', 'n'), n: size, alpha: f32 }, elements('n', 1)),
  /** g times that, of what was saved. */
  step_backward_f32: kernel(
    { dx: output('f32', 'n'), g: input('f32', 'n'), saved: input('f32', 'n'), n: size, alpha: f32 },
    elements('n', 1),
  ),
}));
