// Inputs and errors that the cases of layer and batch normalisation share.
import { type Nd, nd } from '../../../reference/nd.ts';
import { argumentError, type Bad, type BadInputs, dtypeError, f32, i32, shapeError, uniform } from './types.ts';

/** Values of an input, and of weights and 1/σ, which are positive. */
export const spread = uniform(-3, 5);
export const some = uniform(0.3, 2);
export const TOLERANCE = { relative: 5e-6, absolute: 5e-6 };

export const x23 = f32([2, 3]);
export const v2 = f32([2]);
export const v3 = f32([3]);

/** The checks that all backward ops share: a gradient of another shape, a dtype, statistics of another shape. */
export const backwardErrors = (op: string, rest: BadInputs, statistic: number): [Bad, Bad, Bad, Bad] => [
  shapeError(
    { g: f32([3, 2]), x: x23, ...rest },
    undefined,
    new RegExp(`^${op}: expected the gradient of shape \\[2, 3\\], got \\[3, 2\\]`),
  ),
  dtypeError({ g: i32([2, 3]), x: x23, ...rest }, undefined, new RegExp(`^${op}: expected dtype f32, got i32`)),
  shapeError(
    { g: x23, x: x23, ...rest, rstd: f32([7]) },
    undefined,
    new RegExp(`^${op}: expected 1/σ of shape \\[${statistic}\\], got \\[7\\]`),
  ),
  argumentError(
    { g: x23, x: { raw: true }, ...rest },
    undefined,
    new RegExp(`^${op}: expected a tensor as x, got boolean`),
  ),
];
/** Gradients of the parameters, which the references give as the rows of [2, n]. */
export const parameters = ({ shape, data }: Nd): { dweight: Nd; dbias: Nd } => {
  const n = shape[1] as number;
  return { dweight: nd([n], data.slice(0, n)), dbias: nd([n], data.slice(n)) };
};
