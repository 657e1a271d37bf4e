// Pooling windows: the axes, which give the position of a window, and the readers of vectors of elements.

/** Bytes of one axis in `dims`. */
@inline export const AXIS: usize = 24;

/** An axis of windows that slide: window o covers o * stride - padding + j * dilation, j < kernel. */
@final
@unmanaged
export class Sliding {
  size: i32;
  windows: i32;
  kernel: i32;
  stride: i32;
  padding: i32;
  dilation: i32;

  /** Where window o starts, which may be in the padding. */
  @inline start(o: i32): i32 {
    return o * this.stride - this.padding;
  }

  /** How many positions of window o lie before the axis. */
  @inline before(o: i32): i32 {
    const start = this.start(o);
    if (start >= 0) return 0;
    return this.dilation == 1 ? -start : (this.dilation - 1 - start) / this.dilation;
  }

  /** The first position of window o that lies on the axis. */
  @inline first(o: i32): i32 {
    return this.start(o) + this.before(o) * this.dilation;
  }

  /** How many positions of window o lie on the axis: at least one (the bindings see to it). */
  @inline count(o: i32): i32 {
    const before = this.before(o);
    let room = this.size - this.start(o) - before * this.dilation;
    if (this.dilation != 1) room = (room - 1) / this.dilation + 1;
    return min(this.kernel - before, room);
  }

  /** How many positions of window o an average divides by: with the padding, though never past it, or without. */
  @inline divisor(o: i32, pads: bool): i32 {
    if (!pads) return this.count(o);
    const start = this.start(o);
    return min(start + this.kernel, this.size + this.padding) - start;
  }

  /** The windows from wholeFrom() to before wholeTo() lie on the axis with all their positions. */
  @inline wholeFrom(): i32 {
    return min((this.padding + this.stride - 1) / this.stride, this.windows);
  }
  @inline wholeTo(): i32 {
    const room = this.size - 1 - (this.kernel - 1) * this.dilation + this.padding;
    return room < 0 ? this.wholeFrom() : max(min(room / this.stride + 1, this.windows), this.wholeFrom());
  }

  /**
   * Whether an average divides by `kernel` positions of every window: those in the padding count, and none hangs over.
   */
  @inline alike(pads: bool): bool {
    return pads && this.start(this.windows - 1) + this.kernel <= this.size + this.padding;
  }
}

/**
 * An axis cut into a given number of windows of uneven length: window o covers o n / windows up to (o + 1) n / windows.
 */
@final
@unmanaged
export class Adaptive {
  size: i32;
  windows: i32;

  @inline first(o: i32): i32 {
    return <i32>((<u64>o * this.size) / this.windows);
  }
  /** The end is rounded up, so that neighbours may share a position. */
  @inline count(o: i32): i32 {
    return <i32>((<u64>(o + 1) * this.size + this.windows - 1) / this.windows) - this.first(o);
  }
  @inline divisor(o: i32, pads: bool): i32 {
    return this.count(o);
  }
  // Windows differ in length, so that none shares a vector with its neighbours.
  @inline wholeFrom(): i32 {
    return 0;
  }
  @inline wholeTo(): i32 {
    return 0;
  }
}

// Behind the axes `dims` says what an average divides by.

/** Whether positions in the padding count. */
@inline
export function countsPadding(dims: usize): bool {
  return load<i32>(dims, 2 * AXIS) != 0;
}

/** The divisor of all windows, or 0. */
@inline
export function fixedDivisor(dims: usize): i32 {
  return load<i32>(dims, 2 * AXIS + 4);
}

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

// Readers of a vector whose lanes are `lane` bytes apart, at p, and of the one `next` bytes behind it. Where part()
// there may be fewer than four lanes; the others then hold `fill`. None reads past the last element. stride() is in
// elements, 0 for any.

/** Neighbours. */
@final
@unmanaged
export class Together {
  @inline part(): bool {
    return false;
  }
  @inline stride(): i32 {
    return 1;
  }
  @inline one(p: usize, lane: usize, lanes: i32, fill: v128): v128 {
    return v128.load(p);
  }
  @inline first(p: usize, lane: usize, lanes: i32, fill: v128): v128 {
    return v128.load(p);
  }
  @inline second(p: usize, next: usize, lane: usize, lanes: i32, fill: v128): v128 {
    return v128.load(p + next);
  }
}

/** Every second element; `next` is one element. */
@final
@unmanaged
export class Alternate {
  @inline part(): bool {
    return false;
  }
  @inline stride(): i32 {
    return 2;
  }
  @inline one(p: usize, lane: usize, lanes: i32, fill: v128): v128 {
    return v128.shuffle<i32>(v128.load(p), v128.load(p, 12), 0, 2, 5, 7);
  }
  @inline first(p: usize, lane: usize, lanes: i32, fill: v128): v128 {
    return v128.shuffle<i32>(v128.load(p), v128.load(p, 16), 0, 2, 4, 6);
  }
  @inline second(p: usize, next: usize, lane: usize, lanes: i32, fill: v128): v128 {
    return v128.shuffle<i32>(v128.load(p), v128.load(p, 16), 1, 3, 5, 7);
  }
}

/** Elements anywhere, one by one. */
@final
@unmanaged
export class Apart {
  @inline part(): bool {
    return true;
  }
  @inline stride(): i32 {
    return 0;
  }
  @inline one(p: usize, lane: usize, lanes: i32, fill: v128): v128 {
    let v = v128.load32_lane(p, fill, 0);
    if (lanes > 1) v = v128.load32_lane(p + lane, v, 1);
    if (lanes > 2) v = v128.load32_lane(p + 2 * lane, v, 2);
    return lanes > 3 ? v128.load32_lane(p + 3 * lane, v, 3) : v;
  }
  @inline first(p: usize, lane: usize, lanes: i32, fill: v128): v128 {
    return this.one(p, lane, lanes, fill);
  }
  @inline second(p: usize, next: usize, lane: usize, lanes: i32, fill: v128): v128 {
    return this.one(p + next, lane, lanes, fill);
  }
}
