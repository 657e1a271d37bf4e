// What loops compute: op classes, used as `changetype<F>(0).method(...)`, which leaves no call.
//
// A map, or a term of a sum, has forward(x, streams …, parameters …); uses() names what comes behind x, and an op
// without it takes x alone. The streams y, w and b advance with the element, in this order; w and b may be absent, and
// then read as 1 and 0. The parameters p, q, s and t are the same for all elements. An op that is differentiated
// element by element has backward(g, saved, parameters …) beside its forward; Backward makes a map of it. A fold has
// identity() and combine(a, b): maximum, minimum, product.
//
// There are loops along a row (loops.ts: contiguous), down columns (columns.ts: `r` rows, `stride` bytes apart;
// neighbouring columns share a vector) and over broadcast operands (broadcast.ts).
import { loadLanes, storeLanes } from "./lanes";
import { expTail } from "./math";

// Streams.
/** The op reads y. */
@inline export const USES_Y: i32 = 1;
/** The op reads w, 1 where the pointer is 0. */
@inline export const USES_W: i32 = 2;
/** The op reads b, 0 where the pointer is 0. */
@inline export const USES_B: i32 = 4;

// What loops do.
/** A sum stores every term as well, unless out is 0. */
@inline export const KEEPS: i32 = 8;
/** Down columns, p and q differ from row to row (and not from column to column). */
@inline export const ROW_PARAMETERS: i32 = 16;
/** A map takes one vector at a time. Of a long op that is as fast, and shorter. */
@inline export const SHALLOW: i32 = 32;
/** A map stores each vector before it works out the next: of short ops of two streams that is faster. */
@inline export const PROMPT: i32 = 1024;

// The parameters that forward takes: up to this one.
@inline export const USES_P: i32 = 64;
@inline export const USES_Q: i32 = 128 | USES_P;
@inline export const USES_S: i32 = 256 | USES_Q;
@inline export const USES_T: i32 = 512 | USES_S;

/** The flags of an op, a constant. */
@inline
export function usesOf<F>(): i32 {
  if (isDefined(changetype<F>(0).uses)) return changetype<F>(0).uses();
  return 0;
}

// Conditions that pick the call have to be such expressions: asc compiles the other branch of one held in a variable.

@inline
function streamsOf<F>(): i32 {
  return usesOf<F>() & (USES_Y | USES_W | USES_B);
}

@inline
function parametersOf<F>(): i32 {
  return usesOf<F>() & USES_T;
}

/** F of x and of its parameters. */
@inline
function value1<F>(x: v128, p: v128, q: v128, s: v128, t: v128): v128 {
  const f = changetype<F>(0);
  if (parametersOf<F>() == 0) return f.forward(x);
  if (parametersOf<F>() == USES_P) return f.forward(x, p);
  if (parametersOf<F>() == USES_Q) return f.forward(x, p, q);
  if (parametersOf<F>() == USES_S) return f.forward(x, p, q, s);
  return f.forward(x, p, q, s, t);
}

/** F of two streams and of its parameters. */
@inline
function value2<F>(x: v128, y: v128, p: v128, q: v128, s: v128, t: v128): v128 {
  const f = changetype<F>(0);
  if (parametersOf<F>() == 0) return f.forward(x, y);
  if (parametersOf<F>() == USES_P) return f.forward(x, y, p);
  if (parametersOf<F>() == USES_Q) return f.forward(x, y, p, q);
  if (parametersOf<F>() == USES_S) return f.forward(x, y, p, q, s);
  return f.forward(x, y, p, q, s, t);
}

/** F of three streams and of its parameters. */
@inline
function value3<F>(x: v128, y: v128, w: v128, p: v128, q: v128, s: v128, t: v128): v128 {
  const f = changetype<F>(0);
  if (parametersOf<F>() == 0) return f.forward(x, y, w);
  if (parametersOf<F>() == USES_P) return f.forward(x, y, w, p);
  if (parametersOf<F>() == USES_Q) return f.forward(x, y, w, p, q);
  if (parametersOf<F>() == USES_S) return f.forward(x, y, w, p, q, s);
  return f.forward(x, y, w, p, q, s, t);
}

/** F of the streams that it uses and of its parameters. */
@inline
export function applied<F>(x: v128, y: v128, w: v128, b: v128, p: v128, q: v128, s: v128, t: v128): v128 {
  if (streamsOf<F>() == 0) return value1<F>(x, p, q, s, t);
  if (streamsOf<F>() == USES_Y) return value2<F>(x, y, p, q, s, t);
  if (streamsOf<F>() == USES_W) return value2<F>(x, w, p, q, s, t);
  if (streamsOf<F>() == (USES_Y | USES_W)) return value3<F>(x, y, w, p, q, s, t);
  if (streamsOf<F>() == (USES_Y | USES_B)) return value3<F>(x, y, b, p, q, s, t);
  if (streamsOf<F>() == (USES_W | USES_B)) return value3<F>(x, w, b, p, q, s, t);
  return changetype<F>(0).forward(x, y, w, b, p);
}

/**
 * F at the pointers: it reads w where hasW and b where hasB. Lanes that are not there hold nothing of meaning.
 */
@inline
export function vectorOf<F>(
  x: usize,
  y: usize,
  w: usize,
  b: usize,
  hasW: bool,
  hasB: bool,
  lanes: i32,
  p: v128,
  q: v128,
  s: v128,
  t: v128,
): v128 {
  const uses = usesOf<F>();
  let yv = f32x4.splat(0),
    wv = f32x4.splat(1),
    bv = f32x4.splat(0);
  if (uses & USES_Y) yv = loadLanes(y, lanes);
  if (uses & USES_W) if (hasW) wv = loadLanes(w, lanes);
  if (uses & USES_B) if (hasB) bv = loadLanes(b, lanes);
  return applied<F>(loadLanes(x, lanes), yv, wv, bv, p, q, s, t);
}

/** The term at the pointers; where `keeps`, one that KEEPS is stored in out. */
@inline
export function termOf<F>(
  out: usize,
  x: usize,
  y: usize,
  w: usize,
  keeps: bool,
  hasW: bool,
  lanes: i32,
  p: v128,
  q: v128,
): v128 {
  const v = vectorOf<F>(x, y, w, 0, hasW, false, lanes, p, q, p, q);
  if (usesOf<F>() & KEEPS) if (keeps) storeLanes(out, v, lanes);
  return v;
}

/** F.backward as a map of g and of what forward saved, with the parameters of forward. */
@final
@unmanaged
export class Backward<F> {
  @inline uses(): i32 {
    return USES_Y | USES_Q | PROMPT;
  }
  @inline forward(g: v128, saved: v128, p: v128, q: v128): v128 {
    const f = changetype<F>(0);
    if (parametersOf<F>() == 0) return f.backward(g, saved);
    if (parametersOf<F>() == USES_P) return f.backward(g, saved, p);
    return f.backward(g, saved, p, q);
  }
}

/** As Backward, for long ops. */
@final
@unmanaged
export class LongBackward<F> {
  @inline uses(): i32 {
    return USES_Y | USES_Q | SHALLOW;
  }
  @inline forward(g: v128, saved: v128, p: v128, q: v128): v128 {
    return changetype<Backward<F>>(0).forward(g, saved, p, q);
  }
}

// --- ops that several kernels share

/** x. */
@final
@unmanaged
export class Identity {
  @inline forward(x: v128): v128 {
    return x;
  }
}

/** x + y. */
@final
@unmanaged
export class Add {
  @inline uses(): i32 {
    return USES_Y;
  }
  @inline forward(x: v128, y: v128): v128 {
    return f32x4.add(x, y);
  }
}

/** x * y. */
@final
@unmanaged
export class Mul {
  @inline uses(): i32 {
    return USES_Y;
  }
  @inline forward(x: v128, y: v128): v128 {
    return f32x4.mul(x, y);
  }
}

/** x * factor. */
@final
@unmanaged
export class Scale {
  @inline uses(): i32 {
    return USES_P;
  }
  @inline forward(x: v128, factor: v128): v128 {
    return f32x4.mul(x, factor);
  }
}

/** x^2. */
@final
@unmanaged
export class Square {
  @inline forward(x: v128): v128 {
    return f32x4.mul(x, x);
  }
}

/** (x - mean)^2. */
@final
@unmanaged
export class SquaredDeviation {
  @inline uses(): i32 {
    return USES_P;
  }
  @inline forward(x: v128, mean: v128): v128 {
    const d = f32x4.sub(x, mean);
    return f32x4.mul(d, d);
  }
}

/** exp(x - max) 2^64, for max >= x; a sum of them is multiplied by TAIL_SCALE once. */
@final
@unmanaged
export class ExpBelow {
  @inline uses(): i32 {
    return KEEPS | USES_P;
  }
  @inline forward(x: v128, max: v128): v128 {
    return expTail(f32x4.sub(x, max));
  }
}

/** The fold that gives a stable exponential its base. It passes over NaN, which shows in the sum that follows. */
@final
@unmanaged
export class MaximumNumber {
  @inline identity(): v128 {
    return f32x4.splat(-Infinity);
  }
  @inline combine(a: v128, b: v128): v128 {
    return f32x4.pmax(a, b);
  }
}
