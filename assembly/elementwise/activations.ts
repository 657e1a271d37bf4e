// Activations of n contiguous elements: out = f(x), and dx = g f'(x) from what forward saved, its input x or its output
// y. out may be x, and dx may be g or what was saved. Every kernel overwrites out, or dx.
import { clamp, madd, magnitude, negative, relu, select } from "../lanes";
import { grad, gradLong, map } from "../loops";
import { expNegative, expTail, log1pUnit, oneMinusExp, sigmoid, TAIL_SCALE, tanh } from "../math";
import { USES_P, USES_Q } from "../ops";

@inline
function positive(x: v128): v128 {
  return f32x4.gt(x, f32x4.splat(0));
}

@final
@unmanaged
class Tanh {
  @inline forward(x: v128): v128 {
    return tanh(x);
  }
  // (1 - y)(1 + y) keeps what 1 - y^2 would round away near ±1.
  @inline backward(g: v128, y: v128): v128 {
    const one = f32x4.splat(1);
    return f32x4.mul(g, f32x4.mul(f32x4.sub(one, y), f32x4.add(one, y)));
  }
}

@final
@unmanaged
class Sigmoid {
  @inline forward(x: v128): v128 {
    return sigmoid(x);
  }
  @inline backward(g: v128, y: v128): v128 {
    return f32x4.mul(f32x4.mul(g, f32x4.sub(f32x4.splat(1), y)), y);
  }
}

@final
@unmanaged
class Relu {
  @inline forward(x: v128): v128 {
    return relu(x);
  }
  @inline backward(g: v128, y: v128): v128 {
    return v128.andnot(g, f32x4.le(y, f32x4.splat(0)));
  }
}

@final
@unmanaged
class LeakyRelu {
  @inline uses(): i32 {
    return USES_P;
  }
  @inline forward(x: v128, slope: v128): v128 {
    return select(positive(x), x, f32x4.mul(x, slope));
  }
  @inline backward(g: v128, x: v128, slope: v128): v128 {
    return select(positive(x), g, f32x4.mul(g, slope));
  }
}

@final
@unmanaged
class Elu {
  @inline uses(): i32 {
    return USES_P;
  }
  // What is not below 0 passes, so that -0 and NaN do.
  @inline forward(x: v128, alpha: v128): v128 {
    const below = f32x4.mul(f32x4.neg(alpha), oneMinusExp(x));
    return select(f32x4.lt(x, f32x4.splat(0)), below, x);
  }
  @inline backward(g: v128, x: v128, alpha: v128): v128 {
    return select(positive(x), g, f32x4.mul(f32x4.mul(g, alpha), expNegative(x)));
  }
}

const SELU_SCALE: f32 = 1.0507009873554805;
const SELU_SCALE_ALPHA: f32 = 1.7580993408473766; // scale times alpha = 1.6732632423543772

@final
@unmanaged
class Selu {
  @inline forward(x: v128): v128 {
    const below = f32x4.mul(f32x4.splat(-SELU_SCALE_ALPHA), oneMinusExp(x));
    return select(f32x4.lt(x, f32x4.splat(0)), below, f32x4.mul(x, f32x4.splat(SELU_SCALE)));
  }
  @inline backward(g: v128, x: v128): v128 {
    const below = f32x4.mul(f32x4.splat(SELU_SCALE_ALPHA), expNegative(x));
    return f32x4.mul(g, select(positive(x), f32x4.splat(SELU_SCALE), below));
  }
}

@final
@unmanaged
class Softplus {
  @inline uses(): i32 {
    return USES_Q;
  }
  // ln(1 + e^z) = max(z, 0) + ln(1 + e^-|z|), which does not overflow.
  @inline forward(x: v128, beta: v128, threshold: v128): v128 {
    const z = f32x4.mul(x, beta);
    const tail = log1pUnit(expNegative(negative(z)));
    return select(f32x4.gt(z, threshold), x, f32x4.div(f32x4.add(relu(z), tail), beta));
  }
  @inline backward(g: v128, x: v128, beta: v128, threshold: v128): v128 {
    const z = f32x4.mul(x, beta);
    return select(f32x4.gt(z, threshold), g, f32x4.mul(g, sigmoid(z)));
  }
}

// x t(x) with the gate t = tanh(ln(1 + e^x)). With z = e^-|x| the gate is (1 + 2z) / (1 + 2z + 2z^2) from 0 on, and
// z (z + 2) / (z (z + 2) + 2) below: neither overflows, and neither cancels. Below, its numerator is held times 2^64
// (see expTail), and scaled back last, so that results are accurate down to denormals.

/** Where mish is long 0; below it nothing changes any more. */
const MISH_END: f32 = -110;

@final
@unmanaged
class Mish {
  @inline forward(input: v128): v128 {
    const x = f32x4.pmax(input, f32x4.splat(MISH_END)),
      one = f32x4.splat(1),
      two = f32x4.splat(2),
      below = f32x4.lt(x, f32x4.splat(0)),
      tail = expTail(negative(x)),
      z = f32x4.mul(tail, f32x4.splat(TAIL_SCALE)),
      far = f32x4.add(z, two),
      near = madd(two, z, one);
    const gate = f32x4.div(
      select(below, f32x4.mul(tail, far), near),
      select(below, madd(z, far, two), madd(f32x4.mul(two, z), z, near)),
    );
    return f32x4.mul(f32x4.mul(x, gate), select(below, f32x4.splat(TAIL_SCALE), one));
  }
  // g (t + x t'): t' is 4 z (1 + z) / denominator^2 below 0, and z times that from 0 on.
  @inline backward(g: v128, input: v128): v128 {
    const x = clamp(input, f32x4.splat(MISH_END), f32x4.splat(f32.MAX_VALUE)),
      one = f32x4.splat(1),
      two = f32x4.splat(2),
      below = f32x4.lt(x, f32x4.splat(0)),
      tail = expTail(negative(x)),
      z = f32x4.mul(tail, f32x4.splat(TAIL_SCALE)),
      far = f32x4.add(z, two),
      near = madd(two, z, one);
    const part = f32x4.div(one, select(below, madd(z, far, two), madd(f32x4.mul(two, z), z, near))),
      gate = f32x4.mul(select(below, f32x4.mul(tail, far), near), part),
      rise = f32x4.mul(select(below, tail, f32x4.mul(z, z)), f32x4.add(z, one)),
      slope = f32x4.mul(f32x4.mul(f32x4.mul(f32x4.splat(4), rise), part), part);
    return f32x4.mul(g, f32x4.mul(madd(x, slope, gate), select(below, f32x4.splat(TAIL_SCALE), one)));
  }
}

@final
@unmanaged
class Softsign {
  // Inf / Inf is kept away: the greatest f32 gives the limit.
  @inline forward(x: v128): v128 {
    const bounded = clamp(x, f32x4.splat(-f32.MAX_VALUE), f32x4.splat(f32.MAX_VALUE));
    return f32x4.div(bounded, f32x4.add(f32x4.splat(1), magnitude(bounded)));
  }
  @inline backward(g: v128, x: v128): v128 {
    const r = f32x4.div(f32x4.splat(1), f32x4.add(f32x4.splat(1), magnitude(x)));
    return f32x4.mul(f32x4.mul(g, r), r);
  }
}

@final
@unmanaged
class Hardtanh {
  @inline uses(): i32 {
    return USES_Q;
  }
  @inline forward(x: v128, low: v128, high: v128): v128 {
    return clamp(x, low, high);
  }
  @inline backward(g: v128, x: v128, low: v128, high: v128): v128 {
    return v128.andnot(g, v128.or(f32x4.le(x, low), f32x4.ge(x, high)));
  }
}

@final
@unmanaged
class Clamp {
  @inline uses(): i32 {
    return USES_Q;
  }
  @inline forward(x: v128, low: v128, high: v128): v128 {
    return clamp(x, low, high);
  }
  @inline backward(g: v128, x: v128, low: v128, high: v128): v128 {
    return v128.and(g, v128.and(f32x4.ge(x, low), f32x4.le(x, high)));
  }
}

/** out = tanh x (torch.tanh). Within 3 ulp. */
export function tanh_forward_f32(out: usize, x: usize, n: i32): void {
  map<Tanh>(out, x, n);
}

/** dx = g (1 - y^2); reverses tanh_forward_f32 from its output. */
export function tanh_backward_f32(dx: usize, g: usize, y: usize, n: i32): void {
  grad<Tanh>(dx, g, y, n);
}

/** out = 1 / (1 + e^-x) (torch.sigmoid). Within 3 ulp. */
export function sigmoid_forward_f32(out: usize, x: usize, n: i32): void {
  map<Sigmoid>(out, x, n);
}

/** dx = g y (1 - y); reverses sigmoid_forward_f32 from its output. */
export function sigmoid_backward_f32(dx: usize, g: usize, y: usize, n: i32): void {
  grad<Sigmoid>(dx, g, y, n);
}

/** out = max(x, 0) (torch.relu); NaN stays NaN, and -0 stays -0. */
export function relu_forward_f32(out: usize, x: usize, n: i32): void {
  map<Relu>(out, x, n);
}

/** dx = y <= 0 ? 0 : g; reverses relu_forward_f32 from its output. */
export function relu_backward_f32(dx: usize, g: usize, y: usize, n: i32): void {
  grad<Relu>(dx, g, y, n);
}

/** out = x > 0 ? x : slope x (torch.nn.functional.leaky_relu). */
export function leaky_relu_forward_f32(out: usize, x: usize, n: i32, slope: f32): void {
  map<LeakyRelu>(out, x, n, slope);
}

/** dx = x > 0 ? g : slope g; reverses leaky_relu_forward_f32. */
export function leaky_relu_backward_f32(dx: usize, g: usize, x: usize, n: i32, slope: f32): void {
  grad<LeakyRelu>(dx, g, x, n, slope);
}

/** out = x >= 0 ? x : alpha (e^x - 1), accurate near 0 too (torch.nn.functional.elu). Within 2 ulp. */
export function elu_forward_f32(out: usize, x: usize, n: i32, alpha: f32): void {
  map<Elu>(out, x, n, alpha);
}

/** dx = x > 0 ? g : g alpha e^x; reverses elu_forward_f32. */
export function elu_backward_f32(dx: usize, g: usize, x: usize, n: i32, alpha: f32): void {
  gradLong<Elu>(dx, g, x, n, alpha);
}

/** out = scale (x >= 0 ? x : alpha (e^x - 1)), scale = 1.0507..., alpha = 1.6732... (torch.nn.functional.selu). */
export function selu_forward_f32(out: usize, x: usize, n: i32): void {
  map<Selu>(out, x, n);
}

/** dx = g scale (x > 0 ? 1 : alpha e^x); reverses selu_forward_f32. */
export function selu_backward_f32(dx: usize, g: usize, x: usize, n: i32): void {
  gradLong<Selu>(dx, g, x, n);
}

/** out = beta x > threshold ? x : ln(1 + e^(beta x)) / beta (torch.nn.functional.softplus). */
export function softplus_forward_f32(out: usize, x: usize, n: i32, beta: f32, threshold: f32): void {
  map<Softplus>(out, x, n, beta, threshold);
}

/** dx = beta x > threshold ? g : g / (1 + e^(-beta x)); reverses softplus_forward_f32. */
export function softplus_backward_f32(dx: usize, g: usize, x: usize, n: i32, beta: f32, threshold: f32): void {
  gradLong<Softplus>(dx, g, x, n, beta, threshold);
}

/** out = x tanh(ln(1 + e^x)) (torch.nn.functional.mish). */
export function mish_forward_f32(out: usize, x: usize, n: i32): void {
  map<Mish>(out, x, n);
}

/** Reverses mish_forward_f32. */
export function mish_backward_f32(dx: usize, g: usize, x: usize, n: i32): void {
  gradLong<Mish>(dx, g, x, n);
}

/** out = x / (1 + |x|) (torch.nn.functional.softsign); ±1 at ±Inf. */
export function softsign_forward_f32(out: usize, x: usize, n: i32): void {
  map<Softsign>(out, x, n);
}

/** dx = g / (1 + |x|)^2; reverses softsign_forward_f32. */
export function softsign_backward_f32(dx: usize, g: usize, x: usize, n: i32): void {
  grad<Softsign>(dx, g, x, n);
}

/** out = x within [low, high] (torch.nn.functional.hardtanh); NaN stays NaN. */
export function hardtanh_forward_f32(out: usize, x: usize, n: i32, low: f32, high: f32): void {
  map<Hardtanh>(out, x, n, low, high);
}

/** dx = x <= low or x >= high ? 0 : g, so 0 at the bounds; reverses hardtanh_forward_f32. */
export function hardtanh_backward_f32(dx: usize, g: usize, x: usize, n: i32, low: f32, high: f32): void {
  grad<Hardtanh>(dx, g, x, n, low, high);
}

/** out = x within [low, high], high where low > high (torch.clamp); NaN stays NaN. */
export function clamp_forward_f32(out: usize, x: usize, n: i32, low: f32, high: f32): void {
  map<Clamp>(out, x, n, low, high);
}

/** dx = low <= x <= high ? g : 0, so g at the bounds; reverses clamp_forward_f32. */
export function clamp_backward_f32(dx: usize, g: usize, x: usize, n: i32, low: f32, high: f32): void {
  grad<Clamp>(dx, g, x, n, low, high);
}
