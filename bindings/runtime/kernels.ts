// The signature of every kernel: what each operand is. This is the contract between the op rows and assembly/: the
// eager maker reads it to turn operands into addresses, a recorder reads it to know what a command reads and writes.
//
//   out    written, not read          inout  read and written          in   read
//   a trailing `?` also takes null (address 0: absent)
//   i32, f32   a number               dims   a list of i32s, passed by address
//   workspace  the packing buffer, supplied by the maker and not by the row

export type OperandKind = 'out' | 'out?' | 'inout' | 'inout?' | 'in' | 'in?' | 'i32' | 'f32' | 'dims' | 'workspace';

const unary = ['out', 'in', 'i32'] as const;
const unary1 = ['out', 'in', 'i32', 'f32'] as const;
const unary2 = ['out', 'in', 'i32', 'f32', 'f32'] as const;
const grad = ['out', 'in', 'in', 'i32'] as const;
const grad1 = ['out', 'in', 'in', 'i32', 'f32'] as const;
const grad2 = ['out', 'in', 'in', 'i32', 'f32', 'f32'] as const;
const broadcast = ['out', 'in', 'in', 'dims'] as const;
const reduce = ['out', 'in', 'i32', 'i32', 'i32', 'i32'] as const;
const reduceGrad = ['out', 'in', 'in', 'i32', 'i32', 'i32', 'i32'] as const;
const fill = ['out', 'i32', 'i32', 'f32', 'f32', 'in'] as const;

export const signatures = {
  // Elementwise, contiguous.
  neg_forward_f32: unary,
  abs_forward_f32: unary,
  abs_backward_f32: grad,
  exp_forward_f32: unary,
  log_forward_f32: unary,
  log1p_forward_f32: unary,
  expm1_forward_f32: unary,
  sqrt_forward_f32: unary,
  rsqrt_forward_f32: unary,
  reciprocal_forward_f32: unary,
  square_forward_f32: unary,
  sign_forward_f32: unary,
  floor_forward_f32: unary,
  ceil_forward_f32: unary,
  round_forward_f32: unary,
  trunc_forward_f32: unary,
  sin_forward_f32: unary,
  cos_forward_f32: unary,
  erf_forward_f32: unary,
  tanh_forward_f32: unary,
  tanh_backward_f32: grad,
  sigmoid_forward_f32: unary,
  sigmoid_backward_f32: grad,
  relu_forward_f32: unary,
  relu_backward_f32: grad,
  leaky_relu_forward_f32: unary1,
  leaky_relu_backward_f32: grad1,
  elu_forward_f32: unary1,
  elu_backward_f32: grad1,
  selu_forward_f32: unary,
  selu_backward_f32: grad,
  gelu_forward_f32: unary,
  gelu_backward_f32: grad,
  gelu_tanh_forward_f32: unary,
  gelu_tanh_backward_f32: grad,
  silu_forward_f32: unary,
  silu_backward_f32: grad,
  softplus_forward_f32: unary2,
  softplus_backward_f32: grad2,
  softsign_forward_f32: unary,
  softsign_backward_f32: grad,
  hardtanh_forward_f32: unary2,
  hardtanh_backward_f32: grad2,
  clamp_forward_f32: unary2,
  clamp_backward_f32: grad2,
  scale_f32: unary2,
  axpy_f32: ['inout', 'in', 'i32', 'f32'],
  fill_f32: ['out', 'i32', 'f32'],
  cast_f32_i32: unary,
  cast_f32_u8: unary,
  cast_i32_f32: unary,
  cast_i32_u8: unary,
  cast_u8_f32: unary,
  cast_u8_i32: unary,

  // Elementwise, broadcast by strides.
  add_forward_f32: broadcast,
  sub_forward_f32: broadcast,
  mul_forward_f32: broadcast,
  div_forward_f32: broadcast,
  pow_forward_f32: broadcast,
  maximum_forward_f32: broadcast,
  minimum_forward_f32: broadcast,
  add_forward_i32: broadcast,
  sub_forward_i32: broadcast,
  mul_forward_i32: broadcast,
  eq_f32: broadcast,
  ne_f32: broadcast,
  lt_f32: broadcast,
  le_f32: broadcast,
  gt_f32: broadcast,
  ge_f32: broadcast,
  eq_i32: broadcast,
  ne_i32: broadcast,
  lt_i32: broadcast,
  le_i32: broadcast,
  gt_i32: broadcast,
  ge_i32: broadcast,
  where_f32: ['out', 'in', 'in', 'in', 'dims'],

  // Moves between strided layouts.
  copy_32: ['inout', 'in', 'dims'],
  copy_8: ['inout', 'in', 'dims'],
  add_strided_f32: ['inout', 'in', 'dims'],

  // C = act(beta C + A B + bias).
  gemm_f32: [
    'inout',
    'in',
    'in',
    'in?',
    'i32',
    'i32',
    'i32',
    'i32',
    'i32',
    'i32',
    'i32',
    'i32',
    'f32',
    'i32',
    'workspace',
    'dims',
  ],

  // Convolutions.
  conv_forward_f32: ['out', 'in', 'in', 'in?', 'i32', 'workspace', 'dims'],
  conv_backward_input_f32: ['out', 'in', 'in', 'in?', 'i32', 'workspace', 'dims'],
  conv_backward_weight_f32: ['out', 'in', 'in', 'workspace', 'dims'],
  conv_nhwc_forward_f32: ['out', 'in', 'in', 'in?', 'i32', 'workspace', 'dims'],
  conv_nhwc_backward_input_f32: ['out', 'in', 'in', 'in?', 'i32', 'workspace', 'dims'],
  conv_nhwc_backward_weight_f32: ['out', 'in', 'in', 'workspace', 'dims'],

  // Reductions of the middle axis of [outer, r, inner], and the row stride.
  sum_f32: ['out', 'in', 'i32', 'i32', 'i32', 'i32', 'f32', 'workspace'],
  sum_squares_f32: [...reduce, 'workspace'],
  prod_f32: reduce,
  prod_backward_f32: reduceGrad,
  max_f32: reduce,
  min_f32: reduce,
  argmax_f32: reduce,
  argmin_f32: reduce,
  logsumexp_f32: reduce,
  variance_f32: ['out', 'out', 'in', 'i32', 'i32', 'i32', 'i32', 'f32', 'workspace'],
  cumsum_forward_f32: reduce,
  cumsum_backward_f32: reduce,
  softmax_forward_f32: reduce,
  softmax_backward_f32: reduceGrad,
  log_softmax_forward_f32: reduce,
  log_softmax_backward_f32: reduceGrad,

  // Normalisation.
  layer_norm_forward_f32: ['out', 'out', 'out', 'in', 'in?', 'in?', 'i32', 'i32', 'f32'],
  layer_norm_backward_f32: ['out', 'in', 'in', 'in', 'in', 'in?', 'i32', 'i32'],
  layer_norm_backward_params_f32: ['out?', 'out?', 'in', 'in', 'in', 'in', 'i32', 'i32', 'i32', 'workspace'],
  batch_norm_stats_f32: ['out', 'out', 'in', 'i32', 'i32', 'i32', 'i32', 'workspace'],
  batch_norm_update_f32: ['inout', 'inout', 'in', 'in', 'i32', 'f32', 'f32'],
  batch_norm_forward_f32: ['out', 'in', 'in', 'in', 'in?', 'in?', 'i32', 'i32', 'i32', 'i32'],
  rstd_f32: ['out', 'in', 'i32', 'f32'],
  batch_norm_backward_params_f32: ['out', 'out', 'in', 'in', 'in', 'in', 'i32', 'i32', 'i32', 'i32', 'workspace'],
  batch_norm_backward_f32: ['out', 'in', 'in', 'in', 'in', 'in?', 'in', 'in', 'i32', 'i32', 'i32', 'i32'],
  batch_norm_backward_eval_f32: ['out', 'in', 'in', 'in?', 'i32', 'i32', 'i32', 'i32'],

  // Normalisation of groups of channels.
  group_norm_forward_f32: ['out', 'out', 'out', 'in', 'in?', 'in?', 'i32', 'i32', 'i32', 'i32', 'f32'],
  group_norm_backward_f32: ['out', 'in', 'in', 'in', 'in', 'in?', 'i32', 'i32', 'i32', 'i32'],
  group_norm_backward_params_f32: [
    'out?',
    'out?',
    'in',
    'in',
    'in',
    'in',
    'i32',
    'i32',
    'i32',
    'i32',
    'i32',
    'i32',
    'workspace',
  ],

  // Pooling of planes.
  max_pool_forward_f32: ['out', 'out', 'in', 'i32', 'dims'],
  adaptive_max_pool_forward_f32: ['out', 'out', 'in', 'i32', 'dims'],
  max_pool_backward_f32: ['out', 'in', 'in', 'i32', 'i32', 'i32'],
  avg_pool_forward_f32: ['out', 'in', 'i32', 'dims'],
  avg_pool_backward_f32: ['out', 'in', 'i32', 'dims'],
  adaptive_avg_pool_forward_f32: ['out', 'in', 'i32', 'dims'],
  adaptive_avg_pool_backward_f32: ['out', 'in', 'i32', 'dims'],

  // Losses.
  cross_entropy_forward_f32: ['out', 'out', 'in', 'in', 'in?', 'i32', 'i32', 'i32', 'f32'],
  cross_entropy_backward_f32: ['out', 'in', 'in', 'in', 'in', 'in?', 'i32', 'i32', 'i32', 'f32'],
  nll_forward_f32: ['out', 'in', 'in', 'in?', 'i32', 'i32', 'i32', 'i32'],
  nll_backward_f32: ['out', 'in', 'in', 'in?', 'i32', 'i32', 'i32', 'i32'],
  class_weights_f32: ['out', 'in', 'in?', 'i32', 'i32', 'i32'],
  bce_with_logits_forward_f32: ['out', 'in', 'in', 'in?', 'i32', 'i32'],
  bce_with_logits_backward_f32: ['out', 'in', 'in', 'in', 'in?', 'i32', 'i32'],
  bce_forward_f32: ['out', 'in', 'in', 'i32'],
  bce_backward_f32: ['out', 'in', 'in', 'in', 'i32'],
  smooth_l1_forward_f32: ['out', 'in', 'in', 'i32', 'f32'],
  smooth_l1_backward_f32: ['out', 'in', 'in', 'in', 'i32', 'f32'],
  huber_forward_f32: ['out', 'in', 'in', 'i32', 'f32'],
  huber_backward_f32: ['out', 'in', 'in', 'in', 'i32', 'f32'],

  // Random numbers: n of them, and which of the draw is the first.
  random_u32: ['out', 'i32', 'i32', 'in'],
  uniform_f32: fill,
  normal_f32: fill,
  bernoulli_f32: ['out', 'i32', 'i32', 'f32', 'in'],
  dropout_forward_f32: ['out', 'out', 'in', 'i32', 'i32', 'f32', 'in'],
  dropout_backward_f32: ['out', 'in', 'in', 'i32', 'f32'],
  random_advance: ['inout', 'i32'],

  // Optimizers.
  advance_step: ['inout'],
  sgd_step_f32: ['inout', 'in', 'inout?', 'in', 'in', 'i32'],
  adam_step_f32: ['inout', 'in', 'inout', 'inout', 'inout?', 'in', 'in', 'i32'],
  rmsprop_step_f32: ['inout', 'in', 'inout', 'inout?', 'inout?', 'in', 'in', 'i32'],
  adagrad_step_f32: ['inout', 'in', 'inout', 'in', 'in', 'i32'],
  clip_coefficient_f32: ['out', 'in', 'f32'],
  scale_by_f32: ['inout', 'i32', 'in'],

  // Indexing.
  index_select_32: ['out', 'in', 'in', 'i32', 'i32', 'i32', 'i32'],
  index_add_f32: ['inout', 'in', 'in', 'i32', 'i32', 'i32', 'i32'],
  gather_32: ['out', 'in', 'in', 'i32', 'i32', 'i32', 'i32'],
  scatter_add_f32: ['inout', 'in', 'in', 'i32', 'i32', 'i32', 'i32'],
} as const satisfies Record<string, readonly OperandKind[]>;

/** Exports that look at values and answer at once; they are never part of a recorded program. */
export const probeSignatures = {
  check_targets_i32: ['in', 'i32', 'i32', 'i32'],
  check_index_i32: ['in', 'i32', 'i32'],
} as const satisfies Record<string, readonly OperandKind[]>;

export type KernelName = keyof typeof signatures;
export type ProbeName = keyof typeof probeSignatures;
