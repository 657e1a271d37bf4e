// What law numbers were drawn by. tfjs makes random tensors in JavaScript, each by a stream of its own that begins with
// one Math.random(): from that seed the same stream is drawn again, as standard numbers, which shows by what they were
// scaled and moved.
import type { TfModule, TfTensor } from './tensorflow.ts';

/** Uniform in [low, high), or normal. */
export type Law =
  | { readonly kind: 'uniform'; readonly low: number; readonly high: number }
  | { readonly kind: 'normal'; readonly mean: number; readonly std: number };

/** Numbers that are looked at. */
const MOST = 64;
/** Roundings of f32, relative to the largest number. */
const TOLERANCE = 1e-5;

/** The scale and the shift with which `standard` becomes `numbers`; null where there are none. */
function affine(standard: ArrayLike<number>, numbers: readonly number[]): readonly [number, number] | null {
  const n = Math.min(standard.length, numbers.length);
  const at = (i: number): readonly [number, number] => [standard[i] as number, numbers[i] as number];
  const fits = (scale: number, shift: number): boolean => {
    const size = Math.abs(scale) + Math.abs(shift);
    for (let i = 0; i < n; i++) {
      const [s, x] = at(i);
      if (!(Math.abs(s * scale + shift - x) <= TOLERANCE * size * (1 + Math.abs(s)))) return false;
    }
    return true;
  };
  if (fits(1, 0)) return [1, 0];
  // Two numbers are of any law.
  if (n < 3) return null;
  let [low, high] = [0, 0];
  for (let i = 1; i < n; i++) {
    if (at(i)[0] < at(low)[0]) low = i;
    if (at(i)[0] > at(high)[0]) high = i;
  }
  const [s0, x0] = at(low);
  const [s1, x1] = at(high);
  const scale = Number(((x1 - x0) / (s1 - s0)).toPrecision(6));
  const shift = Number((x0 - scale * s0).toPrecision(6));
  const near = Math.abs(shift) < 1e-6 * Math.abs(scale) ? 0 : shift;
  return fits(scale, near) ? [scale, near] : null;
}

/** By what law tfjs has drawn `numbers` from `seed`; null where it is none of those that kernels draw by. */
export function lawOf(tf: TfModule, seed: number, numbers: readonly number[]): Law | null {
  const n = Math.min(numbers.length, MOST);
  const valuesOf = (draw: () => TfTensor): ArrayLike<number> => {
    const x = draw();
    const values = x.dataSync();
    x.dispose();
    return values;
  };
  const uniform = affine(
    valuesOf(() => tf.randomUniform([n], 0, 1, 'float32', seed)),
    numbers,
  );
  if (uniform) return { kind: 'uniform', low: uniform[1], high: uniform[1] + uniform[0] };
  const normal = affine(
    valuesOf(() => tf.randomNormal([n], 0, 1, 'float32', seed)),
    numbers,
  );
  return normal && { kind: 'normal', mean: normal[1], std: normal[0] };
}
