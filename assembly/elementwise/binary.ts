// Broadcasting binary ops: out[i] = a[i] op b[i] over dims = [rank, n_0 .., the strides of a, the strides of b], the
// strides in elements, non-negative, 0 where an operand is repeated; out is contiguous. out may be an operand that is
// contiguous too. Every kernel overwrites out. Backward needs no kernel of its own: gradients are products of these.
import { LongValues, strided2, Values } from "../loops";
import { pow } from "./pow";

@final
@unmanaged
class Add {
  @inline forward(a: v128, b: v128): v128 {
    return f32x4.add(a, b);
  }
}

@final
@unmanaged
class Sub {
  @inline forward(a: v128, b: v128): v128 {
    return f32x4.sub(a, b);
  }
}

@final
@unmanaged
class Mul {
  @inline forward(a: v128, b: v128): v128 {
    return f32x4.mul(a, b);
  }
}

@final
@unmanaged
class Div {
  @inline forward(a: v128, b: v128): v128 {
    return f32x4.div(a, b);
  }
}

@final
@unmanaged
class Pow {
  @inline forward(a: v128, b: v128): v128 {
    return pow(a, b);
  }
}

@final
@unmanaged
class Maximum {
  @inline forward(a: v128, b: v128): v128 {
    return f32x4.max(a, b);
  }
}

@final
@unmanaged
class Minimum {
  @inline forward(a: v128, b: v128): v128 {
    return f32x4.min(a, b);
  }
}

@final
@unmanaged
class AddInt {
  @inline forward(a: v128, b: v128): v128 {
    return i32x4.add(a, b);
  }
}

@final
@unmanaged
class SubInt {
  @inline forward(a: v128, b: v128): v128 {
    return i32x4.sub(a, b);
  }
}

@final
@unmanaged
class MulInt {
  @inline forward(a: v128, b: v128): v128 {
    return i32x4.mul(a, b);
  }
}

/** out = a + b (torch.add). */
export function add_forward_f32(out: usize, a: usize, b: usize, dims: usize): void {
  strided2<Values<Add>>(out, a, b, dims, 0);
}

/** out = a - b (torch.sub). */
export function sub_forward_f32(out: usize, a: usize, b: usize, dims: usize): void {
  strided2<Values<Sub>>(out, a, b, dims, 0);
}

/** out = a * b (torch.mul). */
export function mul_forward_f32(out: usize, a: usize, b: usize, dims: usize): void {
  strided2<Values<Mul>>(out, a, b, dims, 0);
}

/** out = a / b (torch.div). */
export function div_forward_f32(out: usize, a: usize, b: usize, dims: usize): void {
  strided2<Values<Div>>(out, a, b, dims, 0);
}

/** out = a^b (torch.pow), special cases as in C. Within 0.6 ulp. */
export function pow_forward_f32(out: usize, a: usize, b: usize, dims: usize): void {
  strided2<LongValues<Pow>>(out, a, b, dims, 0);
}

/** out = the greater of a and b, NaN where either is (torch.maximum). */
export function maximum_forward_f32(out: usize, a: usize, b: usize, dims: usize): void {
  strided2<Values<Maximum>>(out, a, b, dims, 0);
}

/** out = the lesser of a and b, NaN where either is (torch.minimum). */
export function minimum_forward_f32(out: usize, a: usize, b: usize, dims: usize): void {
  strided2<Values<Minimum>>(out, a, b, dims, 0);
}

/** out = a + b in i32, wrapping. */
export function add_forward_i32(out: usize, a: usize, b: usize, dims: usize): void {
  strided2<Values<AddInt>>(out, a, b, dims, 0);
}

/** out = a - b in i32, wrapping. */
export function sub_forward_i32(out: usize, a: usize, b: usize, dims: usize): void {
  strided2<Values<SubInt>>(out, a, b, dims, 0);
}

/** out = a * b in i32, wrapping. */
export function mul_forward_i32(out: usize, a: usize, b: usize, dims: usize): void {
  strided2<Values<MulInt>>(out, a, b, dims, 0);
}
