// Class targets: i32, each within [0, classes) or equal to ignoreIndex, checked before a loss runs (check_targets_i32).

/** weight[target], 1 where weight is 0. */
@inline
export function classWeight(weight: usize, target: i32): f32 {
  return weight ? load<f32>(weight + ((<usize>target) << 2)) : 1;
}

/**
 * out[rows] = weight[target[row]], 0 where ignored; weight[classes] = 0 means ones. Their sum is the denominator of
 * PyTorch's weighted mean.
 */
export function class_weights_f32(
  out: usize,
  target: usize,
  weight: usize,
  rows: i32,
  classes: i32,
  ignoreIndex: i32,
): void {
  for (let i = 0; i < rows; i++, out += 4, target += 4) {
    const t = load<i32>(target);
    store<f32>(out, t == ignoreIndex ? 0 : classWeight(weight, t));
  }
}

/** The index of the first of n targets that is neither ignoreIndex nor within [0, classes), or -1. */
export function check_targets_i32(target: usize, n: i32, classes: i32, ignoreIndex: i32): i32 {
  for (let i = 0; i < n; i++, target += 4) {
    const t = load<i32>(target);
    if (t != ignoreIndex && <u32>t >= <u32>classes) return i;
  }
  return -1;
}
