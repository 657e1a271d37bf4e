// Cases of layer normalisation, and of what its backward pass is made of; those of batch normalisation are in
// batch-norm.ts.
import { numelOf } from '../../../bindings/tensor.ts';
import { type Nd, nd } from '../../../reference/nd.ts';
import { byRow, EPS, type Groups, normalized, statistics, toInput, toParameters } from '../../../reference/norm.ts';
import { backwardErrors, parameters, some, spread, TOLERANCE, v2, x23 } from './norm-inputs.ts';
import { type Cases, dtypeError, f32, from, i32, type Sample, type Spec, shapeError } from './types.ts';

/** x and the dims that are normalised. */
const layers: readonly (readonly [shape: readonly number[], normalizedShape: readonly number[]])[] = [
  [[4, 5], [5]],
  [[2, 3, 4], [4]],
  [
    [2, 3, 4],
    [3, 4],
  ],
  [[3], [3]],
  [[2, 1], [1]],
  [[0, 4], [4]],
  [[3, 37], [37]],
  [[37, 7], [7]],
];
const rowsOf = (shape: readonly number[], normalizedShape: readonly number[]): Groups =>
  byRow(shape, numelOf(normalizedShape));

const layerStatistics = (shape: readonly number[], normalizedShape: readonly number[], what: 'mean' | 'rstd'): Spec => {
  const lead = shape.slice(0, shape.length - normalizedShape.length);
  return f32(
    lead,
    from(({ x }) => nd(lead, statistics(x as Nd, rowsOf(shape, normalizedShape))[what])),
  );
};
/** The dims behind those of mean. */
const behind = (x: Nd, mean: Nd): number[] => x.shape.slice(mean.shape.length);

export const normCases = {
  layerNorm: {
    samples: layers.flatMap(([shape, normalizedShape]): Sample<'layerNorm'>[] => [
      {
        inputs: { x: f32(shape, spread), weight: f32(normalizedShape, some), bias: f32(normalizedShape) },
        attrs: { normalizedShape, eps: EPS },
      },
      { inputs: { x: f32(shape, spread), weight: null, bias: null }, attrs: { normalizedShape, eps: EPS } },
      {
        inputs: { x: f32(shape, spread), weight: f32(normalizedShape, some), bias: null },
        attrs: { normalizedShape, eps: EPS },
      },
      {
        inputs: { x: f32(shape, spread), weight: null, bias: f32(normalizedShape) },
        attrs: { normalizedShape, eps: EPS },
      },
    ]),
    reference: ({ x, weight, bias }, { normalizedShape }) => {
      const groups = rowsOf(x.shape, normalizedShape);
      return normalized(x, groups, statistics(x, groups), weight, bias);
    },
    tolerance: TOLERANCE,
    gradients: 'all',
    gradientTolerance: 5e-5,
    errors: [
      shapeError(
        { x: x23, weight: null, bias: null },
        { normalizedShape: [2], eps: EPS },
        /^layerNorm: expected the last dims to be \[2\], got \[2, 3\]/,
      ),
      shapeError(
        { x: x23, weight: null, bias: null },
        { normalizedShape: [], eps: EPS },
        /^layerNorm: expected the last dims to be \[\]/,
      ),
      shapeError(
        { x: x23, weight: v2, bias: null },
        { normalizedShape: [3], eps: EPS },
        /^layerNorm: expected weight of shape \[3\], got \[2\]/,
      ),
      shapeError(
        { x: x23, weight: null, bias: v2 },
        { normalizedShape: [3], eps: EPS },
        /^layerNorm: expected bias of shape \[3\], got \[2\]/,
      ),
      dtypeError(
        { x: x23, weight: i32([3]), bias: null },
        { normalizedShape: [3], eps: EPS },
        /^layerNorm: expected dtype f32, got i32/,
      ),
      dtypeError(
        { x: i32([2, 3]), weight: null, bias: null },
        { normalizedShape: [3], eps: EPS },
        /^layerNorm: expected dtype f32, got i32/,
      ),
    ],
  },
  layerNormBackward: {
    samples: layers.flatMap(([shape, n]): Sample<'layerNormBackward'>[] =>
      [f32(n, some), null].map((weight) => ({
        inputs: {
          g: f32(shape),
          x: f32(shape, spread),
          mean: layerStatistics(shape, n, 'mean'),
          rstd: layerStatistics(shape, n, 'rstd'),
          weight,
        },
      })),
    ),
    reference: ({ g, x, mean: m, weight }) => toInput(g, x, rowsOf(x.shape, behind(x, m)), weight),
    tolerance: { relative: 1e-5, absolute: 1e-5 },
    gradients: 'none',
    errors: [
      ...backwardErrors('layerNormBackward', { mean: v2, rstd: v2, weight: null }, 2),
      shapeError(
        { g: x23, x: x23, mean: v2, rstd: v2, weight: v2 },
        undefined,
        /^layerNormBackward: expected weight of shape \[3\], got \[2\]/,
      ),
    ],
  },
  layerNormBackwardParams: {
    samples: layers.map(([shape, n]) => ({
      inputs: {
        g: f32(shape),
        x: f32(shape, spread),
        mean: layerStatistics(shape, n, 'mean'),
        rstd: layerStatistics(shape, n, 'rstd'),
      },
    })),
    reference: ({ g, x, mean: m }) => {
      const n = behind(x, m);
      return parameters(toParameters(g, x, rowsOf(x.shape, n), numelOf(n)));
    },
    tolerance: { relative: 1e-5, absolute: 2e-5 },
    gradients: 'none',
    errors: backwardErrors('layerNormBackwardParams', { mean: v2, rstd: v2 }, 2),
  },
} satisfies Cases;
