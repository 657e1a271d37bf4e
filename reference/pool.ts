// Pooling by its definition, window by window.

/** One axis, as kernels take it. `kernel` 0: cut into as many windows. */
export interface Axis {
  readonly size: number;
  readonly windows: number;
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
  readonly dilation: number;
}

/** PyTorch's number of windows; with `ceil`, one that starts on the axis or the padding before it may hang over. */
export function axis(size: number, kernel: number, stride = kernel, padding = 0, dilation = 1, ceil = false): Axis {
  const room = size + 2 * padding - dilation * (kernel - 1) - 1;
  let windows = (ceil ? Math.ceil(room / stride) : Math.floor(room / stride)) + 1;
  if (ceil && (windows - 1) * stride >= size + padding) windows--;
  return { size, windows, kernel, stride, padding, dilation };
}

export const adaptive = (size: number, windows: number): Axis => ({
  ...{ size, windows, kernel: 0 },
  ...{ stride: 1, padding: 0, dilation: 1 },
});

/** A window of one axis: the positions it has, and how many there are with the padding. */
interface Window {
  readonly positions: readonly number[];
  readonly counted: number;
}

export function windowsOf({ size, windows, kernel, stride, padding, dilation }: Axis): Window[] {
  return Array.from({ length: windows }, (_, o) => {
    if (kernel === 0) {
      const start = Math.floor((o * size) / windows);
      const positions = Array.from({ length: Math.ceil(((o + 1) * size) / windows) - start }, (__, j) => start + j);
      return { positions, counted: positions.length };
    }
    const all = Array.from({ length: kernel }, (__, j) => o * stride - padding + j * dilation);
    const positions = all.filter((at) => at >= 0 && at < size);
    return { positions, counted: all.filter((at) => at < size + padding).length };
  });
}

/** The axes of a plane, and how means divide. */
export interface Pooling {
  readonly rows: Axis;
  readonly cols: Axis;
  /** Default true. */
  readonly countPadding?: boolean;
  readonly divisor?: number;
}

/** Calls `visit` for every window of one plane with the positions of its elements and what a mean divides by. */
export function eachWindow(
  { rows, cols, countPadding = true, divisor = 0 }: Pooling,
  visit: (positions: readonly number[], divisor: number) => void,
): void {
  for (const r of windowsOf(rows))
    for (const c of windowsOf(cols)) {
      const positions = r.positions.flatMap((y) => c.positions.map((x) => y * cols.size + x));
      visit(positions, divisor || (countPadding ? r.counted * c.counted : positions.length));
    }
}

/** PyTorch's scan: what is greater, or NaN, takes the place of what was before. */
export function largest(x: ArrayLike<number>, positions: readonly number[]): [value: number, place: number] {
  let [value, place] = [Number.NEGATIVE_INFINITY, positions[0] as number];
  for (const at of positions) {
    const v = x[at] as number;
    if (v > value || Number.isNaN(v)) [value, place] = [v, at];
  }
  return [value, place];
}
