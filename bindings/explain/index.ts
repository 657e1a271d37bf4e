// The entry `retrograd/explain`: what of its input a model decides by, as numbers and as pictures.

export type { Alike, Tensors } from '../autograd/lists.ts';
export { attribute, type Method, type NoiseTunnelOptions, noiseTunnel, type OptionsOf } from './attribute.ts';
export {
  type GradientShapOptions,
  gradientShap,
  type IntegratedGradientsOptions,
  inputXGradient,
  integratedGradients,
  type SaliencyOptions,
  saliency,
} from './gradients.ts';
export type {
  AttributeOptions,
  Attribution,
  AttributionWithDelta,
  Baseline,
  BaselineOptions,
  DeltaOptions,
  Model,
  Target,
} from './options.ts';
export type { Rule } from './rules.ts';
