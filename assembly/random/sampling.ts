// Numbers that take another count of words each, or none of their own. Element i of a draw has the blocks of the
// counter state + i, one for each try: their third word, 0 in the draws of philox.ts, is the number of the try, from 1
// on. So the numbers are the same however a draw is cut; random_advance moves the state by four elements for each.
import { expOne, log1p, logOne } from "../math";
import { twoWords } from "./philox";

/** ln(1 + x) of one number. */
function log1pOne(x: f32): f32 {
  return f32x4.extract_lane(log1p(f32x4.splat(x)), 0);
}

/** Below a rate of 10: how many terms of the distribution add up to a uniform number. */
function countTerms(rate: f64, u: f64): f64 {
  let k: f64 = 0,
    term: f64 = expOne(-(<f32>rate)),
    sum = term;
  while (u >= sum && k < 200) {
    k += 1;
    term *= rate / k;
    sum += term;
  }
  return k;
}

/**
 * From a rate of 10 on: transformed rejection (Hoermann 1993, PTRS). The logarithm of the distribution at k is
 * -rate ((1 + d) ln(1 + d) - d) - ln(2 pi k) / 2 - 1 / (12 k), d = k / rate - 1, by Stirling's formula.
 */
function rejectTransformed(rate: f64, state: usize, index: i64): f64 {
  const b = 0.931 + 2.53 * sqrt(rate),
    a = -0.059 + 0.02483 * b,
    inverse = 1.1239 + 1.1328 / (b - 3.4),
    quick = 0.9277 - 3.6224 / (b - 2);
  let k: f64 = 0;
  for (let attempt = 1; attempt < 1000; attempt++) {
    const pair = twoWords(state, index, attempt);
    const u = (<f64>(<u32>pair) + 0.5) / 4294967296 - 0.5,
      v = (<f64>(<u32>(pair >> 32)) + 0.5) / 4294967296,
      edge = 0.5 - abs(u);
    k = floor(((2 * a) / edge + b) * u + rate + 0.43);
    if (edge >= 0.07 && v <= quick) break;
    if (k < 0 || (edge < 0.013 && v > edge)) continue;
    const d = k / rate - 1,
      tail = k > 0 ? 1 / (12 * k) : 0,
      height = (v * inverse * sqrt(k > 0 ? 6.283185307179586 * k : 1)) / (a / (edge * edge) + b),
      curve = k > 0 ? (1 + d) * log1pOne(<f32>d) - d : 1;
    if (<f64>logOne(<f32>height) + tail <= -rate * curve) break;
  }
  return k;
}

/** y[n] = Poisson numbers of the rates[n], each at least 0. y may be rates. */
export function poisson_f32(y: usize, rates: usize, n: i32, first: i32, state: usize): void {
  for (let i = 0; i < n; i++, y += 4, rates += 4) {
    const rate = <f64>load<f32>(rates),
      index = <i64>first + i;
    if (rate >= 10) store<f32>(y, <f32>rejectTransformed(rate, state, index));
    else store<f32>(y, <f32>countTerms(rate, <f64>twoWords(state, index, 1) / 18446744073709551616.0));
  }
}

/**
 * y[rows, samples] = the first class whose sum cdf[rows, classes] is above a uniform share of the last one. The element
 * of the draw is that of y, whose first row is `first`.
 */
export function multinomial_i32(
  y: usize,
  cdf: usize,
  rows: i32,
  classes: i32,
  samples: i32,
  first: i32,
  state: usize,
): void {
  for (let row = 0; row < rows; row++, cdf += (<usize>classes) << 2) {
    const whole = <f64>load<f32>(cdf + ((<usize>(classes - 1)) << 2));
    for (let i = 0; i < samples; i++, y += 4) {
      const index = (<i64>first + row) * samples + i,
        u = (<f64>(twoWords(state, index, 1) >> 11) / 9007199254740992.0) * whole;
      let low = 0,
        high = classes - 1;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (<f64>load<f32>(cdf + ((<usize>middle) << 2)) > u) high = middle;
        else low = middle + 1;
      }
      store<i32>(y, low);
    }
  }
}

/** Lets the class at place i of a heap sink below those of larger scores. */
function sink(heap: usize, scores: usize, i: i32, n: i32): void {
  const own = load<i32>(heap + ((<usize>i) << 2)),
    score = load<f32>(scores + ((<usize>own) << 2));
  for (let child = 2 * i + 1; child < n; child = 2 * i + 1) {
    let at = load<i32>(heap + ((<usize>child) << 2));
    if (child + 1 < n) {
      const other = load<i32>(heap + ((<usize>child + 1) << 2));
      if (load<f32>(scores + ((<usize>other) << 2)) > load<f32>(scores + ((<usize>at) << 2))) {
        at = other;
        child++;
      }
    }
    if (!(load<f32>(scores + ((<usize>at) << 2)) > score)) break;
    store<i32>(heap + ((<usize>i) << 2), at);
    i = child;
  }
  store<i32>(heap + ((<usize>i) << 2), own);
}

/** y[rows, samples] = the places of the largest scores[rows, classes], in order. heap[rows, classes] is room. */
export function largest_i32(y: usize, heap: usize, scores: usize, rows: i32, classes: i32, samples: i32): void {
  const row = (<usize>classes) << 2;
  for (; rows > 0; rows--, scores += row, heap += row) {
    for (let i = 0; i < classes; i++) store<i32>(heap + ((<usize>i) << 2), i);
    for (let i = (classes >> 1) - 1; i >= 0; i--) sink(heap, scores, i, classes);
    for (let i = 0, left = classes; i < samples; i++, y += 4) {
      store<i32>(y, load<i32>(heap));
      left--;
      store<i32>(heap, load<i32>(heap + ((<usize>left) << 2)));
      sink(heap, scores, 0, left);
    }
  }
}

/**
 * The first of the rows of p[rows, classes] with a number below 0 or not finite, or fewer than `least` above 0; or -1.
 */
export function check_weights_f32(p: usize, rows: i32, classes: i32, least: i32): i32 {
  for (let row = 0; row < rows; row++) {
    let found = 0;
    for (let i = 0; i < classes; i++, p += 4) {
      const value = load<f32>(p);
      if (!(value >= 0 && value < Infinity)) return row;
      if (value > 0) found++;
    }
    if (found < least) return row;
  }
  return -1;
}
