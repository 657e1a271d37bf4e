// Cases of the checks of values.
import { argumentError, type Cases, dtypeError, f32, freedError, i32, list } from './types.ts';

const attrs = { low: 0, high: 1, what: 'probabilities' };

export const withinCases = {
  within: {
    samples: [
      { inputs: { x: f32([2, 3], list(0, 1, 0.5)) }, attrs },
      { inputs: { x: f32([0]) }, attrs },
      { inputs: { x: f32([], list(1e30)) }, attrs: { low: 0, high: Number.POSITIVE_INFINITY, what: 'variances' } },
    ],
    reference: () => ({}),
    tolerance: { relative: 0 },
    gradients: 'none',
    errors: [
      argumentError(
        { x: f32([3], list(0, 1, 1.5)) },
        attrs,
        /^within: expected probabilities from 0 to 1, got 1.5 at position 2/,
      ),
      argumentError(
        { x: f32([2], list(Number.NaN)) },
        { ...attrs, high: Number.POSITIVE_INFINITY },
        /^within: expected probabilities of at least 0, got NaN at position 0/,
      ),
      dtypeError({ x: i32([2]) }, attrs, /^within: expected dtype f32, got i32/),
      freedError({ x: f32([2]) }, attrs),
    ],
  },
} satisfies Cases;
