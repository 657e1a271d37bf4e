// Cases of layer normalisation, and of what its backward pass is made of; those of batch normalisation are in
// batch-norm.ts.
import { numelOf } from '../../../bindings/tensor.ts';
import { type Nd, nd } from '../../../reference/nd.ts';
import { byRow, EPS, type Groups, normalized, statistics, toInput, toParameters } from '../../../reference/norm.ts';
import { backwardErrors, parameters, some, spread, TOLERANCE, v2, x23 } from './norm-inputs.ts';
import { type Cases, dtypeError, f32, from, i32, list, type Sample, type Spec, shapeError } from './types.ts';

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
  [[3, 6], [6]],
  [[2, 8], [8]],
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

/** 1 / √(mean x² + eps) of rows of `width`. */
const rmsStatistics = (x: Nd, lead: readonly number[], width: number, eps = EPS): Nd =>
  nd(
    lead,
    Array.from({ length: numelOf(lead) }, (_, i) => {
      const row = x.data.slice(i * width, (i + 1) * width);
      return 1 / Math.sqrt(row.reduce((sum, v) => sum + v * v, 0) / width + eps);
    }),
  );
/** weight · x / √(mean x² + eps). */
function rms(x: Nd, weight: Nd | null, width: number, eps: number): Nd {
  const { data: rstd } = rmsStatistics(x, [x.data.length / width], width, eps);
  const scaled = Array.from(
    x.data,
    (v, i) => v * (rstd[Math.floor(i / width)] as number) * (weight ? (weight.data[i % width] as number) : 1),
  );
  return nd(x.shape, scaled);
}
/** (h − x̂ mean (h x̂)) / σ with h = g · weight. */
function rmsToInput(g: Nd, x: Nd, rstd: Nd, weight: Nd | null): Nd {
  const width = x.data.length / Math.max(1, rstd.data.length);
  const h = Array.from(g.data, (v, i) => v * (weight ? (weight.data[i % width] as number) : 1));
  const normal = Array.from(x.data, (v, i) => v * (rstd.data[Math.floor(i / width)] as number));
  const means = Array.from(rstd.data, (_, r) => {
    let sum = 0;
    for (let i = r * width; i < (r + 1) * width; i++) sum += (h[i] as number) * (normal[i] as number);
    return sum / width;
  });
  return nd(
    x.shape,
    h.map((v, i) => {
      const r = Math.floor(i / width);
      return (v - (normal[i] as number) * (means[r] as number)) * (rstd.data[r] as number);
    }),
  );
}

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
  rmsNorm: {
    samples: layers.flatMap(([shape, normalizedShape]): Sample<'rmsNorm'>[] =>
      [f32(normalizedShape, some), null].map((weight) => ({
        inputs: { x: f32(shape, spread), weight },
        // Of one number the gradient is what eps leaves of 0.
        attrs: { normalizedShape, eps: numelOf(normalizedShape) === 1 ? 0.5 : EPS },
      })),
    ),
    reference: ({ x, weight }, { normalizedShape, eps }) => rms(x, weight, numelOf(normalizedShape), eps),
    tolerance: TOLERANCE,
    gradients: 'all',
    gradientTolerance: 5e-5,
    errors: [
      shapeError(
        { x: x23, weight: null },
        { normalizedShape: [2], eps: EPS },
        /^rmsNorm: expected the last dims to be \[2\], got \[2, 3\]/,
      ),
      shapeError(
        { x: x23, weight: v2 },
        { normalizedShape: [3], eps: EPS },
        /^rmsNorm: expected weight of shape \[3\], got \[2\]/,
      ),
      dtypeError(
        { x: i32([2, 3]), weight: null },
        { normalizedShape: [3], eps: EPS },
        /^rmsNorm: expected dtype f32, got i32/,
      ),
    ],
  },
  rmsNormBackward: {
    samples: layers.flatMap(([shape, n]): Sample<'rmsNormBackward'>[] =>
      [f32(n, some), null].map((weight) => {
        const lead = shape.slice(0, shape.length - n.length);
        const rstd = from(({ x }) => rmsStatistics(x as Nd, lead, numelOf(n)));
        return {
          inputs: { g: f32(shape), x: f32(shape, spread), mean: f32(lead, list(0)), rstd: f32(lead, rstd), weight },
        };
      }),
    ),
    reference: ({ g, x, rstd, weight }) => rmsToInput(g, x, rstd, weight),
    tolerance: { relative: 1e-5, absolute: 1e-5 },
    gradients: 'none',
    errors: [
      ...backwardErrors('rmsNormBackward', { mean: v2, rstd: v2, weight: null }, 2),
      shapeError(
        { g: x23, x: x23, mean: v2, rstd: v2, weight: v2 },
        undefined,
        /^rmsNormBackward: expected weight of shape \[3\], got \[2\]/,
      ),
    ],
  },
} satisfies Cases;
