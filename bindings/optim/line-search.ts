// A line search that ends where the strong Wolfe conditions hold, as PyTorch's L-BFGS has it (after minFunc).

/** A place on the line: how far, the loss, the gradient, and its share along the line. */
export interface Place<G> {
  readonly t: number;
  readonly f: number;
  readonly g: G;
  readonly slope: number;
}

/** Where a cubic through two places with their slopes is least, within bounds. */
function cubic<G>(a: Place<G>, b: Place<G>, bounds?: readonly [number, number]): number {
  const [low, high] = bounds ?? (a.t <= b.t ? [a.t, b.t] : [b.t, a.t]);
  const d1 = a.slope + b.slope - (3 * (a.f - b.f)) / (a.t - b.t);
  const square = d1 ** 2 - a.slope * b.slope;
  if (!(square >= 0)) return (low + high) / 2;
  const d2 = Math.sqrt(square);
  const [from, to] = a.t <= b.t ? [a, b] : [b, a];
  const least = to.t - (to.t - from.t) * ((to.slope + d2 - d1) / (to.slope - from.slope + 2 * d2));
  return Math.min(Math.max(least, low), high);
}

/** How much the loss has to fall, and how much of the slope may be left. */
const [FALL, SLOPE] = [1e-4, 0.9] as const;

/** The first search: forwards, until two places have a good one between them, or the last is good. */
function bracketed<G>(
  at: (t: number) => Place<G>,
  start: Place<G>,
  t: number,
  most: number,
): [Place<G>[], number, boolean] {
  let before = start;
  let now = at(t);
  for (let i = 0; i < most; i++) {
    if (now.f > start.f + FALL * now.t * start.slope || (i > 1 && now.f >= before.f)) return [[before, now], i, false];
    if (Math.abs(now.slope) <= -SLOPE * start.slope) return [[now], i, true];
    if (now.slope >= 0) return [[before, now], i, false];
    const next = cubic(before, now, [now.t + 0.01 * (now.t - before.t), now.t * 10]);
    before = now;
    now = at(next);
  }
  return [[start, now], most, false];
}

/** A place between two that is not too near to either; what it gives second says whether the next one must not be. */
function between<G>([a, b]: readonly [Place<G>, Place<G>], stuck: boolean): [t: number, stuck: boolean] {
  const t = cubic(a, b);
  const [low, high] = [Math.min(a.t, b.t), Math.max(a.t, b.t)];
  const margin = 0.1 * (high - low);
  if (Math.min(high - t, t - low) >= margin) return [t, false];
  if (!stuck && t < high && t > low) return [t, true];
  return [Math.abs(t - high) < Math.abs(t - low) ? high - margin : low + margin, false];
}

/**
 * @param at evaluates a place
 * @param t the first place to try
 * @param size the largest step of an element for t = 1
 * @param tolerance brackets that are smaller end the search
 * @param most how many times `at` may be called after the first
 */
export function strongWolfe<G>(
  at: (t: number) => Place<G>,
  start: Place<G>,
  t: number,
  size: number,
  tolerance: number,
  most: number,
): Place<G> {
  const [bracket, tried, found] = bracketed(at, start, t, most);
  let [i, done, stuck] = [tried, found, false];
  if (bracket.length === 1) return bracket[0] as Place<G>;
  let [a, b] = bracket as [Place<G>, Place<G>];
  let low: 0 | 1 = a.f <= b.f ? 0 : 1;
  while (!done && i < most && Math.abs(b.t - a.t) * size >= tolerance) {
    let next: number;
    [next, stuck] = between([a, b], stuck);
    const now = at(next);
    i++;
    const [best, worst] = low === 0 ? [a, b] : [b, a];
    let kept: readonly [best: Place<G>, worst: Place<G>];
    if (now.f > start.f + FALL * now.t * start.slope || now.f >= best.f) {
      kept = [best, now];
      [a, b] = low === 0 ? kept : [now, best];
      low = a.f <= b.f ? 0 : 1;
      continue;
    }
    if (Math.abs(now.slope) <= -SLOPE * start.slope) done = true;
    kept = !done && now.slope * (worst.t - best.t) >= 0 ? [now, best] : [now, worst];
    [a, b] = low === 0 ? kept : [kept[1], kept[0]];
  }
  return low === 0 ? a : b;
}
