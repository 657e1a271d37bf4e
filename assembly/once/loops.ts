// The loops of ../loops.ts for one vector. tools/generate-lanes.ts compiles elementwise kernels with these in place of
// those, and so has of each kernel what it does to a vector. Operands are loaded from where they say, f32s as vectors
// too: what is computed of them stays apart from how they come.
import { narrowed, widened } from "../lanes";
import { applied, Backward, USES_P, USES_Q, usesOf } from "../ops";

/** The vector that stands for a parameter. */
@inline
function parameter(p: f32, used: i32): v128 {
  return used ? v128.load(<usize>reinterpret<i32>(p)) : f32x4.splat(0);
}

@inline
export function map<F>(out: usize, x: usize, n: i32, p: f32 = 0, q: f32 = 0): void {
  const none = f32x4.splat(0),
    uses = usesOf<F>();
  const pv = parameter(p, (uses & USES_P) == USES_P),
    qv = parameter(q, (uses & USES_Q) == USES_Q);
  v128.store(out, applied<F>(v128.load(x), none, none, none, pv, qv, none, none));
}

@inline
export function grad<F>(dx: usize, g: usize, saved: usize, n: i32, p: f32 = 0, q: f32 = 0): void {
  const none = f32x4.splat(0),
    uses = usesOf<F>();
  const pv = parameter(p, (uses & USES_P) == USES_P),
    qv = parameter(q, (uses & USES_Q) == USES_Q);
  v128.store(dx, applied<Backward<F>>(v128.load(g), v128.load(saved), none, none, pv, qv, none, none));
}

@inline
export function gradLong<F>(dx: usize, g: usize, saved: usize, n: i32, p: f32 = 0, q: f32 = 0): void {
  grad<F>(dx, g, saved, n, p, q);
}

/** Of bytes, the low four count. */
@inline
export function mapBytes<F>(out: usize, x: usize, n: i32): void {
  v128.store(out, changetype<F>(0).forward(v128.load(x)));
}

@inline
export function mapToBytes<F>(out: usize, x: usize, n: i32): void {
  const v: v128 = changetype<F>(0).forward(v128.load(x));
  v128.store(out, narrowed(v, v, v, v));
}

@inline
export function mapFromBytes<F>(out: usize, x: usize, n: i32): void {
  v128.store(out, changetype<F>(0).forward(widened(v128.load(x))));
}
