// What pooling windows are made of: the axes, which say where a window lies, and the readers of vectors of elements.
import { Part } from "./reduceloops";

/** Bytes of one axis in `dims`. */
export const AXIS: usize = 24;

/** An axis of windows that slide: window o covers o * stride - padding + j * dilation, j < kernel. */
@final @unmanaged
export class Sliding {
  size: i32;
  windows: i32;
  kernel: i32;
  stride: i32;
  padding: i32;
  dilation: i32;

  /** How many positions of window o lie before the axis. */
  @inline before(o: i32): i32 {
    const start = o * this.stride - this.padding;
    return start < 0 ? (this.dilation - 1 - start) / this.dilation : 0;
  }

  /** The first position of window o that lies on the axis. */
  @inline first(o: i32): i32 { return o * this.stride - this.padding + this.before(o) * this.dilation; }

  /** How many positions of window o lie on the axis: at least one (the bindings see to it). */
  @inline count(o: i32): i32 {
    const room = (this.size - 1 - this.first(o)) / this.dilation + 1;
    return min(this.kernel - this.before(o), room);
  }

  /** How many positions of window o an average divides by: with the padding, though never past it, or without. */
  @inline divisor(o: i32, countPadding: i32): i32 {
    if (!countPadding) return this.count(o);
    const start = o * this.stride - this.padding;
    return min(start + this.kernel, this.size + this.padding) - start;
  }

  /** The windows from wholeFrom() to before wholeTo() lie on the axis with all their positions. */
  @inline wholeFrom(): i32 { return min((this.padding + this.stride - 1) / this.stride, this.windows); }
  @inline wholeTo(): i32 {
    const room = this.size - 1 - (this.kernel - 1) * this.dilation + this.padding;
    return room < 0 ? this.wholeFrom() : max(min(room / this.stride + 1, this.windows), this.wholeFrom());
  }
}

/** An axis cut into a given number of windows of uneven length: window o covers o n / windows up to (o + 1) n / windows. */
@final @unmanaged
export class Adaptive {
  size: i32;
  windows: i32;

  @inline first(o: i32): i32 { return <i32>(<u64>o * this.size / this.windows); }
  /** The end is rounded up, so that neighbours may share a position. */
  @inline count(o: i32): i32 {
    return <i32>((<u64>(o + 1) * this.size + this.windows - 1) / this.windows) - this.first(o);
  }
  @inline divisor(o: i32, countPadding: i32): i32 { return this.count(o); }
  // Windows differ in length, so that none shares a vector with its neighbours.
  @inline wholeFrom(): i32 { return 0; }
  @inline wholeTo(): i32 { return 0; }
}

/** What an average divides by where it is not the number of positions: the last two of `dims`. */
@inline
export function countPadding(dims: usize): i32 { return load<i32>(dims, 2 * AXIS); }
@inline
export function fixedDivisor(dims: usize): i32 { return load<i32>(dims, 2 * AXIS + 4); }

/** The divisor of a window of r by c counted positions. */
@inline
export function divisorOf(fixed: i32, r: i32, c: i32): f32 {
  return fixed ? <f32>fixed : <f32>(<f64>r * c);
}

/** 1 / divisorOf. */
@inline
export function shareOf(fixed: i32, r: i32, c: i32): f32 {
  return 1 / divisorOf(fixed, r, c);
}

// Readers of a vector of elements `step` bytes apart. Only where ANY is set may there be fewer than four of them; the
// other lanes then hold `fill`. None reads past the last element.

@final @unmanaged
export class Neighbours {
  @inline any(): bool { return true; }
  @inline load(p: usize, step: usize, lanes: i32, fill: v128): v128 {
    return lanes == 4 ? v128.load(p) : Part.load(p, lanes, fill);
  }
}

@final @unmanaged
export class FourNeighbours {
  @inline any(): bool { return false; }
  @inline load(p: usize, step: usize, lanes: i32, fill: v128): v128 { return v128.load(p); }
}

@final @unmanaged
export class FourOfSeven {
  @inline any(): bool { return false; }
  @inline load(p: usize, step: usize, lanes: i32, fill: v128): v128 {
    return v128.shuffle<i32>(v128.load(p), v128.load(p, 12), 0, 2, 5, 7);
  }
}

@final @unmanaged
export class Apart {
  @inline any(): bool { return true; }
  @inline load(p: usize, step: usize, lanes: i32, fill: v128): v128 {
    let v = v128.load32_lane(p, fill, 0);
    if (lanes > 1) v = v128.load32_lane(p + step, v, 1);
    if (lanes > 2) v = v128.load32_lane(p + 2 * step, v, 2);
    return lanes > 3 ? v128.load32_lane(p + 3 * step, v, 3) : v;
  }
}
