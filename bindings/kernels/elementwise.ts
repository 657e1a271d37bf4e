// Kernels of one element at a time, over contiguous operands.
import type { ElementType } from './descriptor.ts';
import { elements, f32, i32, input, kernel, output, size } from './descriptor.ts';

/** y[n] = f(x[n]). */
const unary = (from: ElementType = 'f32', to: ElementType = from) =>
  kernel({ y: output(to, 'n'), x: input(from, 'n'), n: size }, elements('n', 1));
const alpha = () => kernel({ y: output('f32', 'n'), x: input('f32', 'n'), n: size, alpha: f32 }, elements('n', 1));
const beta = () =>
  kernel({ y: output('f32', 'n'), x: input('f32', 'n'), n: size, alpha: f32, beta: f32 }, elements('n', 1));
/** dx[n] = g[n] f'(saved[n]); saved is x or y. */
const slope = () =>
  kernel({ dx: output('f32', 'n'), g: input('f32', 'n'), saved: input('f32', 'n'), n: size }, elements('n', 1));
const slopeAlpha = () =>
  kernel(
    { dx: output('f32', 'n'), g: input('f32', 'n'), saved: input('f32', 'n'), n: size, alpha: f32 },
    elements('n', 1),
  );
const slopeBeta = () =>
  kernel(
    { dx: output('f32', 'n'), g: input('f32', 'n'), saved: input('f32', 'n'), n: size, alpha: f32, beta: f32 },
    elements('n', 1),
  );
const cast = (from: ElementType, to: ElementType) =>
  kernel({ y: output(to, 'n'), x: input(from, 'n'), n: size }, elements('n'));

export const elementwiseKernels = {
  neg_forward_f32: unary(),
  abs_forward_f32: unary(),
  abs_backward_f32: slope(),
  exp_forward_f32: unary(),
  log_forward_f32: unary(),
  log1p_forward_f32: unary(),
  expm1_forward_f32: unary(),
  sqrt_forward_f32: unary(),
  rsqrt_forward_f32: unary(),
  reciprocal_forward_f32: unary(),
  square_forward_f32: unary(),
  sign_forward_f32: unary(),
  floor_forward_f32: unary(),
  ceil_forward_f32: unary(),
  round_forward_f32: unary(),
  trunc_forward_f32: unary(),
  sin_forward_f32: unary(),
  cos_forward_f32: unary(),
  erf_forward_f32: unary(),
  tanh_forward_f32: unary(),
  tanh_backward_f32: slope(),
  sigmoid_forward_f32: unary(),
  sigmoid_backward_f32: slope(),
  relu_forward_f32: { ...unary(), epilogue: 'relu' },
  relu_backward_f32: slope(),
  leaky_relu_forward_f32: alpha(),
  leaky_relu_backward_f32: slopeAlpha(),
  elu_forward_f32: alpha(),
  elu_backward_f32: slopeAlpha(),
  selu_forward_f32: unary(),
  selu_backward_f32: slope(),
  gelu_forward_f32: unary(),
  gelu_backward_f32: slope(),
  gelu_tanh_forward_f32: unary(),
  gelu_tanh_backward_f32: slope(),
  silu_forward_f32: unary(),
  silu_backward_f32: slope(),
  mish_forward_f32: unary(),
  mish_backward_f32: slope(),
  softplus_forward_f32: beta(),
  softplus_backward_f32: slopeBeta(),
  softsign_forward_f32: unary(),
  softsign_backward_f32: slope(),
  hardtanh_forward_f32: beta(),
  hardtanh_backward_f32: slopeBeta(),
  clamp_forward_f32: beta(),
  clamp_backward_f32: slopeBeta(),
  scale_f32: beta(),
  neg_forward_i32: unary('i32'),
  abs_forward_i32: unary('i32'),
  sign_forward_i32: unary('i32'),
  not_forward_i32: unary('i32'),
  not_forward_u8: unary('u8'),
  logical_not_u8: unary('u8'),
  fill_f32: kernel({ y: output('f32', 'n'), n: size, value: f32 }, elements('n')),
  /** Of 32 bits whatever they mean. */
  fill_32: kernel({ y: output('b32', 'n'), n: size, value: i32 }, elements('n')),
  fill_u8: kernel({ y: output('u8', 'n'), n: size, value: i32 }, elements('n')),
  cast_f32_i32: cast('f32', 'i32'),
  cast_f32_u8: cast('f32', 'u8'),
  cast_i32_f32: cast('i32', 'f32'),
  cast_i32_u8: cast('i32', 'u8'),
  cast_u8_f32: cast('u8', 'f32'),
  cast_u8_i32: cast('u8', 'i32'),
};
