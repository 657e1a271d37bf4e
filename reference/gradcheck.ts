// Derivatives by central differences, in f64, of references in plain JS.
import { type Nd, nd } from './nd.ts';

/** A reference: arrays in, one array out; null where an optional input is absent. */
export type Reference = (inputs: readonly (Nd | null)[]) => Nd;

/** Σ g · y. */
export function dot(g: Nd, y: Nd): number {
  let sum = 0;
  for (let i = 0; i < y.data.length; i++) sum += (g.data[i] as number) * (y.data[i] as number);
  return sum;
}

function replaced(inputs: readonly (Nd | null)[], at: number, position: number, value: number): (Nd | null)[] {
  return inputs.map((x, i) => {
    if (i !== at || !x) return x;
    const data = x.data.slice();
    data[position] = value;
    return { shape: x.shape, data };
  });
}

/** (f(x + h) − f(x − h)) / 2h for element `position` of input `at`. */
export function partial(
  f: (inputs: readonly (Nd | null)[]) => number,
  inputs: readonly (Nd | null)[],
  at: number,
  position: number,
  step: number,
): number {
  const x = (inputs[at] as Nd).data[position] as number;
  const h = step * Math.max(1, Math.abs(x));
  return (f(replaced(inputs, at, position, x + h)) - f(replaced(inputs, at, position, x - h))) / (2 * h);
}

/** Σ over the inputs of directions[i] · d reference / d inputs[i], an array of the result's shape. */
export function alongDirection(
  reference: Reference,
  inputs: readonly (Nd | null)[],
  directions: readonly (Nd | null)[],
  h: number,
): Nd {
  const moved = (sign: number): Nd =>
    reference(
      inputs.map((x, i) => {
        const u = directions[i];
        return x && u
          ? nd(
              x.shape,
              x.data.map((v, j) => v + sign * h * (u.data[j] as number)),
            )
          : x;
      }),
    );
  const [after, before] = [moved(1), moved(-1)];
  return nd(
    after.shape,
    after.data.map((v, j) => (v - (before.data[j] as number)) / (2 * h)),
  );
}

const known = new Map<string, ArrayLike<number>>();

/** What `compute` gives, computed once for each key: differences of a reference are the same for every build. */
export function once<T extends ArrayLike<number>>(key: string, compute: () => T): T {
  const found = known.get(key) as T | undefined;
  if (found) return found;
  const result = compute();
  known.set(key, result);
  return result;
}

/** Positions to try in an array of n elements: all of them, or `most` spread evenly with both ends. */
export function positions(n: number, most: number): number[] {
  if (n <= most) return Array.from({ length: n }, (_, i) => i);
  return Array.from({ length: most }, (_, i) => Math.round((i * (n - 1)) / (most - 1)));
}
