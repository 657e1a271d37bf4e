// The numbers that optimizer steps read. All state is contiguous f32 beside p[n] and is updated in place; a buffer
// whose pointer is 0 is not used. `step` points to one f32, the steps begun so far: it is counted before the step,
// so a kernel sees 1 at first. `hyper` points to f32s, read at every call:
//
//            0    1             2          3             4                   5           6
//   SGD      lr   weightDecay   maximize   momentum      1 - dampening       nesterov
//   Adam(W)  lr   weightDecay   maximize   1 - beta1     1 - beta2           eps         decoupled
//   RMSprop  lr   weightDecay   maximize   1 - alpha     eps                 momentum
//   Adagrad  lr   weightDecay   maximize   lrDecay       eps
//   SparseAdam  as Adam(W), without weightDecay
//   NAdam    as Adam(W), and as 7 the momentumDecay
//   RAdam    as Adam(W)
//   LAMB     lr   weightDecay   maximize   1 - beta1     1 - beta2           eps         biasCorrection
//   Adamax   lr   weightDecay   maximize   1 - beta1     1 - beta2           eps
//   Adadelta lr   weightDecay   maximize   1 - rho       eps
//   Lion     lr   weightDecay   maximize   1 - beta1     1 - beta2
//   ASGD     lr   weightDecay   maximize   lambd         alpha               t0
//   Rprop                       maximize   eta minus     eta plus            least step  largest step
//
// Flags are 0 or 1. Of a decay b close to 1, 1 - b is kept: as f32 it has all its digits, and b follows from it in f64.
// `decoupled` is AdamW: the weights decay by themselves and not through the gradient. Steps are elementwise, so that
// any range of elements may be done alone, with all pointers but step and hyper moved on.
import { madd } from "../lanes";

@inline export const LR: i32 = 0;
@inline export const WEIGHT_DECAY: i32 = 1;
@inline export const MAXIMIZE: i32 = 2;

@inline
export function hyperAt(hyper: usize, index: i32): f32 {
  return load<f32>(hyper + ((<usize>index) << 2));
}

/** One in all lanes. */
@inline
export function hyperLanes(hyper: usize, index: i32): v128 {
  return v128.load32_splat(hyper + ((<usize>index) << 2));
}

/** 1, or -1 to maximize, in all lanes. */
@inline
export function signOf(hyper: usize): v128 {
  return f32x4.splat(1 - 2 * hyperAt(hyper, MAXIMIZE));
}

/** The gradient as the formulas want it: its sign turned to maximize, weight decay (L2) added. */
@inline
export function decayed(g: v128, p: v128, sign: v128, decay: v128): v128 {
  return madd(p, decay, f32x4.mul(g, sign));
}

/** base^n for n >= 0. */
function power(base: f64, n: i32): f64 {
  let result: f64 = 1;
  for (; n > 0; n >>= 1, base *= base) if (n & 1) result *= base;
  return result;
}

/** beta^t of the beta whose 1 - beta is setting `index`. */
export function fading(hyper: usize, index: i32, step: usize): f64 {
  return power(1 - <f64>hyperAt(hyper, index), <i32>load<f32>(step));
}
