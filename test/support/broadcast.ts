// Broadcasts that kernels are tried with, and what they mean.
import { sizes } from './kernels.ts';

/** A broadcast: sizes, and the strides of each operand. */
export interface Pattern {
  n: number[];
  strides: number[][];
}

export const pair = (n: number[], a: number[], b: number[]): Pattern => ({ n, strides: [a, b] });
export const patterns: Pattern[] = [
  ...[...sizes, 63, 64, 65].map((n) => pair([n], [1], [1])),
  ...[1, 3, 4, 17, 33].flatMap((n) => [
    pair([n], [1], [0]),
    pair([n], [0], [1]),
    pair([n], [0], [0]),
    pair([n], [2], [3]),
    pair([n], [1], [5]),
    pair([3, n], [n, 1], [0, 1]),
    pair([3, n], [n, 1], [1, 0]),
    pair([3, n], [0, 1], [n, 1]),
    pair([3, n], [1, 0], [n, 1]),
    pair([n, 6], [1, n], [6, 1]),
    pair([n, 6], [6, 1], [1, n]),
  ]),
  pair([], [], []),
  pair([0, 5], [5, 1], [5, 1]),
  pair([5, 0], [0, 1], [0, 1]),
  pair([2, 0, 3], [0, 3, 1], [0, 0, 1]),
  pair([2, 3, 20], [60, 20, 1], [0, 1, 0]),
  pair([2, 3, 20], [1, 2, 6], [20, 0, 1]),
  pair([4, 3, 2, 5], [0, 10, 5, 1], [30, 0, 15, 3]),
  pair([2, 1, 2, 1, 2, 2, 1, 3], [12, 12, 6, 6, 3, 0, 3, 1], [0, 0, 1, 1, 2, 4, 0, 8]),
];

/** Every index of the pattern in row-major order, as one offset an operand. */
export function offsets({ n, strides }: Pattern): number[][] {
  let all: number[][] = [strides.map(() => 0)];
  n.forEach((count, axis) => {
    all = all.flatMap((base) =>
      Array.from({ length: count }, (_, i) => base.map((at, operand) => at + i * (strides[operand]?.[axis] ?? 0))),
    );
  });
  return all;
}

/** How many elements an operand must have. */
export function extent({ n, strides }: Pattern, operand: number): number {
  if (n.includes(0)) return 0;
  return n.reduce((sum, count, axis) => sum + (count - 1) * (strides[operand]?.[axis] ?? 0), 1);
}

export function dimsOf({ n, strides }: Pattern): number[] {
  return [n.length, ...n, ...strides.flat()];
}
