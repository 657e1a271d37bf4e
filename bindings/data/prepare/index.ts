// Columns of files into what networks take.
export { type CategoryOptions, codes, type DatePart, dateParts, hashed, oneHot } from './categorical.ts';
export {
  clip,
  type Fill,
  type FillOptions,
  fill,
  log,
  minMax,
  type QuantileOptions,
  quantile,
  standardize,
} from './numeric.ts';
export { Preparation, type PreparationSpec, type PreparationState } from './preparation.ts';
export type { Step, StepState } from './step.ts';
