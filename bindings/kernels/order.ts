// Sorting rows, running extremes, and searches in sorted rows.
import { optional } from '../lookup.ts';
import { code, input, kernel, output, rowGrain, size, workspace } from './descriptor.ts';

/** What the elements are, and which of them come first. */
const order = () => code('i32', 'f32', 'i32, the greatest first', 'f32, the greatest first');
const rows = (width: number) => ({ along: 'outer' as const, grain: rowGrain(width) });

/** Pairs that the workspace of a thread has room for, twice, beside their counts; gemm_workspace_bytes() is more. */
const WORKSPACE_PAIRS = 4096;
/** Of so few, the first k are kept in order. */
const FEW = 32;
/** Candidates that are kept for the first k: so many, where they are not in order, that they are rarely thinned out. */
const roomFor = (n: number, k: number): number => (k <= FEW ? k : Math.min(n, Math.max(4 * k, 256)));

/** The room of sort_32 for the first k of n, and the width of its scratch. */
export function sortRoom(n: number, k: number): { room: number; width: number } {
  const room = roomFor(n, k);
  return { room, width: room > WORKSPACE_PAIRS ? 4 * room : 0 };
}

export const orderKernels = optional(() => ({
  sort_32: kernel(
    {
      index: output('i32', 'outer', 'k'),
      scratch: output('i32', 'outer', 'width'),
      x: input('b32', 'outer', 'n'),
      outer: size,
      n: size,
      k: size,
      room: size,
      width: size,
      order: order(),
      workspace,
    },
    {
      cut: ({ outer, n }) => (outer > 1 ? rows(n) : null),
      cost: ({ outer, n }) => outer * n * 15,
      trials: [
        { outer: 67, n: 37, k: 37, room: 37, width: 0, order: 1 },
        { outer: 35, n: 131, k: 131, room: 131, width: 0, order: 3 },
        { outer: 35, n: 131, k: 131, room: 131, width: 524, order: 0 },
        { outer: 35, n: 231, k: 5, room: 64, width: 0, order: 2 },
        { outer: 35, n: 231, k: 5, room: 64, width: 256, order: 3 },
        { outer: 35, n: 231, k: 5, room: 5, width: 0, order: 3 },
        { outer: 1, n: 231, k: 0, room: 64, width: 0, order: 3 },
      ],
    },
  ),
  cumulative_arg_32: kernel(
    {
      index: output('i32', 'outer', 'r', 'inner'),
      x: input('b32', 'outer', 'r', 'inner'),
      ...{ outer: size, r: size, inner: size, order: order() },
    },
    {
      cut: ({ outer, r, inner }) => (outer > 1 ? rows(r * inner) : null),
      cost: ({ outer, r, inner }) => outer * r * inner * 2,
    },
  ),
  search_sorted_32: kernel(
    {
      y: output('i32', 'outer', 'm'),
      x: input('b32', ['outer', 'xRow'], 'n'),
      v: input('b32', 'outer', 'm'),
      ...{ outer: size, n: size, m: size, xRow: size },
      right: code('left', 'right'),
      order: order(),
    },
    {
      cut: ({ outer, m }) => (outer > 1 ? rows(m) : { along: 'm' as const, grain: rowGrain(1) }),
      cost: ({ outer, n, m }) => outer * m * 4 * Math.log2(n + 2),
    },
  ),
}));
