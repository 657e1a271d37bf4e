// Special functions in f64: those that Math lacks, and those whose corner cases are C's and not JavaScript's.

/** √π. */
export const SQRT_PI = Math.sqrt(Math.PI);

/** erfc(x) for x >= 2: e^(-x^2) times a continued fraction, from the back. */
function erfcFraction(x: number): number {
  let tail = 0;
  for (let k = 100; k >= 1; k--) tail = k / 2 / (x + tail);
  return Math.exp(-x * x) / (SQRT_PI * (x + tail));
}

/** The error function. */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (a > 6) return Math.sign(x);
  if (a > 2.5) return Math.sign(x) * (1 - erfcFraction(a));
  // 2/sqrt(pi) e^(-x^2) (x + 2/3 x^3 + 4/15 x^5 + ...), no term of which is negative.
  let term = x;
  let sum = x;
  for (let k = 1; Math.abs(term) > 1e-18 * Math.abs(sum); k++) {
    term *= (2 * x * x) / (2 * k + 1);
    sum += term;
  }
  return (2 / SQRT_PI) * Math.exp(-x * x) * sum;
}

/** 1 - erf(x), accurate relative to itself. */
export function erfc(x: number): number {
  return x > 2.5 ? erfcFraction(x) : 1 - erf(x);
}

/** The normal distribution function. */
export function normalCdf(x: number): number {
  return erfc(-x / Math.SQRT2) / 2;
}

/** The normal density. */
export function normalPdf(x: number): number {
  return Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
}

/** 1 / (1 + e^-x). */
export function sigmoid(x: number): number {
  if (x > 0) return 1 / (1 + Math.exp(-x));
  return Math.exp(x) / (1 + Math.exp(x));
}

/** The nearest integer, halves to even; -0 stays -0. */
export function roundHalfEven(x: number): number {
  const down = Math.floor(x);
  const fraction = x - down;
  if (fraction < 0.5 || !Number.isFinite(x)) return x === 0 ? x : down;
  if (fraction > 0.5) return x < 0 && down === -1 ? -0 : down + 1;
  if (down % 2 === 0) return down;
  return x < 0 && down === -1 ? -0 : down + 1;
}

/** a^b by C's rules, where 1^b is 1 and (-1)^±Inf too. */
export function power(a: number, b: number): number {
  if (a === 1 || (a === -1 && Math.abs(b) === Number.POSITIVE_INFINITY)) return 1;
  return a ** b;
}

/** The inverse of erf, by Newton's method. */
export function erfinv(y: number): number {
  let x = y;
  for (let i = 0; i < 60; i++) x -= ((erf(x) - y) * SQRT_PI * Math.exp(x * x)) / 2;
  return x;
}
