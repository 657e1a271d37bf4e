// Rare functions of elements, and first-order recurrences.
import { optional } from '../lookup.ts';
import { code, elements, f32, input, kernel, maybe, output, rowGrain, size } from './descriptor.ts';

/** The functions by their codes; the last three have two operands. */
export const specialNames = [
  'atan',
  'asin',
  'acos',
  'sinh',
  'cosh',
  'asinh',
  'acosh',
  'atanh',
  'erfc',
  'erfinv',
  'atan2',
  'remainder',
  'floorDivide',
] as const;

export const specialKernels = optional(() => ({
  /** Of f32, but i32 to be divided. */
  special_forward_32: kernel(
    {
      ...{ y: output('b32', 'n'), a: input('b32', 'n'), b: maybe(input('b32', 'n')), n: size },
      fn: code(...specialNames),
    },
    elements('n', 8),
  ),
}));

export const recurrenceKernels = optional(() => ({
  recurrence_f32: kernel(
    {
      y: output('f32', 'outer', 'r', 'inner'),
      a: input('f32', 'outer', 'r', 'inner'),
      b: maybe(input('f32', 'outer', 'r', 'inner')),
      ...{ outer: size, r: size, inner: size, start: f32 },
      backward: code('forward', 'backward'),
    },
    {
      cut: ({ outer, r, inner }) => (outer > 1 ? { along: 'outer' as const, grain: rowGrain(r * inner) } : null),
      cost: ({ outer, r, inner }) => outer * r * inner,
    },
  ),
}));
