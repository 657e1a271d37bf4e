// Broadcasting binary ops of f32: out[i] = a[i] op b[i] over dims = [rank, n_0 .., the strides of a, the strides of b],
// the strides in elements, non-negative, 0 where an operand is repeated; out is contiguous. out may be an operand that
// is contiguous too. Every kernel overwrites out. Backward needs no kernel of its own: gradients are products of these.
import { broadcast2, Values } from "../broadcast";
import { Add, Mul, SHALLOW } from "../ops";
import { pow } from "./pow";

@final
@unmanaged
class Sub {
  @inline forward(a: v128, b: v128): v128 {
    return f32x4.sub(a, b);
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
  @inline uses(): i32 {
    return SHALLOW;
  }
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

/** out = a + b (torch.add). */
export function add_forward_f32(out: usize, a: usize, b: usize, dims: usize): void {
  broadcast2<Values<Add>, f32>(out, a, b, dims);
}

/** out = a - b (torch.sub). */
export function sub_forward_f32(out: usize, a: usize, b: usize, dims: usize): void {
  broadcast2<Values<Sub>, f32>(out, a, b, dims);
}

/** out = a * b (torch.mul). */
export function mul_forward_f32(out: usize, a: usize, b: usize, dims: usize): void {
  broadcast2<Values<Mul>, f32>(out, a, b, dims);
}

/** out = a / b (torch.div). */
export function div_forward_f32(out: usize, a: usize, b: usize, dims: usize): void {
  broadcast2<Values<Div>, f32>(out, a, b, dims);
}

/** out = a^b (torch.pow), special cases as in C. Within 0.6 ulp. */
export function pow_forward_f32(out: usize, a: usize, b: usize, dims: usize): void {
  broadcast2<Values<Pow>, f32>(out, a, b, dims);
}

/** out = the greater of a and b, NaN where either is (torch.maximum). */
export function maximum_forward_f32(out: usize, a: usize, b: usize, dims: usize): void {
  broadcast2<Values<Maximum>, f32>(out, a, b, dims);
}

/** out = the lesser of a and b, NaN where either is (torch.minimum). */
export function minimum_forward_f32(out: usize, a: usize, b: usize, dims: usize): void {
  broadcast2<Values<Minimum>, f32>(out, a, b, dims);
}
