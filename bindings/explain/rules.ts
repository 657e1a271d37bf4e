// How an integral from 0 to 1 becomes a sum.
import { ArgumentError } from '../memory/errors.ts';

/** Which points of the way are taken, and how they are weighed. */
export type Rule = 'gausslegendre' | 'riemannLeft' | 'riemannRight' | 'riemannMiddle' | 'riemannTrapezoid';

export interface Points {
  readonly points: readonly number[];
  readonly weights: readonly number[];
}

/** The Legendre polynomial of degree n at x, and its derivative. */
function legendre(n: number, x: number): [value: number, slope: number] {
  let [before, now] = [1, x];
  for (let k = 2; k <= n; k++) [before, now] = [now, ((2 * k - 1) * x * now - (k - 1) * before) / k];
  return [now, (n * (x * now - before)) / (x * x - 1)];
}

/** Gauss's points, the zeros of Legendre's polynomial, by Newton's method: exact for polynomials of degree 2 n − 1. */
function gauss(n: number): Points {
  const [points, weights]: [number[], number[]] = [[], []];
  for (let i = 0; i < n; i++) {
    let x = -Math.cos((Math.PI * (i + 0.75)) / (n + 0.5));
    for (let turn = 0; turn < 8; turn++) {
      const [value, slope] = legendre(n, x);
      x -= value / slope;
    }
    const slope = legendre(n, x)[1];
    points.push((1 + x) / 2);
    weights.push(1 / ((1 - x * x) * slope * slope));
  }
  return { points, weights };
}

/** Where the points of `rule` lie, in parts of a step. */
const SHIFTS: Readonly<Record<string, number>> = { riemannLeft: 0, riemannRight: 1, riemannMiddle: 0.5 };

/** @throws ArgumentError */
export function ruleOf(op: string, rule: Rule, n: number): Points {
  if (!(n >= 1 && n <= 1e6)) throw new ArgumentError(`${op}: expected nSteps >= 1, and at most 1e6, got ${n}`);
  if (rule === 'gausslegendre') return gauss(n);
  const shift = SHIFTS[rule];
  const steps = Array.from({ length: n }, (_, i) => i);
  if (shift !== undefined) return { points: steps.map((i) => (i + shift) / n), weights: steps.map(() => 1 / n) };
  if (n < 2) throw new ArgumentError(`${op}: expected nSteps >= 2 for riemannTrapezoid, got ${n}`);
  const ends = (i: number): number => (i === 0 || i === n - 1 ? 0.5 : 1);
  return { points: steps.map((i) => i / (n - 1)), weights: steps.map((i) => ends(i) / (n - 1)) };
}
