// The entry `retrograd/explain`: what of its input a model decides by, as numbers and as pictures.

export type { Alike, Tensors } from '../autograd/lists.ts';
export { featureAblation, featurePermutation, type OcclusionOptions, occlusion } from './ablation.ts';
export { attribute, type Method, type NoiseTunnelOptions, noiseTunnel, type OptionsOf } from './attribute.ts';
export {
  type CamOptions,
  type GuidedGradCamOptions,
  gradCam,
  gradCamPlusPlus,
  guidedGradCam,
  layerCam,
} from './cam.ts';
export { type DeepLiftOptions, deepLift } from './deep-lift.ts';
export {
  type PartialDependence,
  type PartialDependenceOptions,
  type PermutationImportance,
  type PermutationImportanceOptions,
  partialDependence,
  permutationImportance,
} from './dependence.ts';
export type { FeatureOptions, PermutationOptions } from './features.ts';
export {
  type GradientShapOptions,
  gradientShap,
  type IntegratedGradientsOptions,
  inputXGradient,
  integratedGradients,
  type SaliencyOptions,
  saliency,
} from './gradients.ts';
export { type ExampleLoss, type Examples, type TracInOptions, tracIn } from './influence.ts';
export { type InfidelityOptions, infidelity, type SensitivityOptions, sensitivityMax } from './judge.ts';
export {
  internalInfluence,
  type LayerAttribution,
  type LayerIntegratedGradientsOptions,
  type LayerOptions,
  type LayerPathOptions,
  layerActivation,
  layerConductance,
  layerGradientXActivation,
  layerIntegratedGradients,
  layerOutput,
  type NeuronOptions,
  neuronConductance,
} from './layer.ts';
export { type LimeOptions, lime } from './lime.ts';
export {
  type AlphaBetaRule,
  type EpsilonRule,
  type GammaRule,
  type LrpOptions,
  type LrpRule,
  lrp,
  type ZPlusRule,
} from './lrp.ts';
export type {
  AtLayer,
  AttributeOptions,
  Attribution,
  AttributionWith,
  AttributionWithDelta,
  Baseline,
  BaselineOptions,
  DeltaOptions,
  Model,
  Neuron,
  Picture,
  PictureCard,
  PlaceOptions,
  Target,
} from './options.ts';
export { deconvolution, guidedBackprop } from './rectifiers.ts';
export { attentionRollout, type RolloutOptions } from './rollout.ts';
export type { Rule } from './rules.ts';
export {
  activationMaximization,
  type CounterfactualOptions,
  counterfactuals,
  type MaximizationOptions,
} from './search.ts';
export { gridFeatures, type SuperpixelOptions, superpixels } from './segments.ts';
export { kernelShap, type SamplingOptions, shapleyValueSampling, shapleyValues } from './shapley.ts';
export {
  type BarChartOptions,
  barChart,
  type ColouredTextOptions,
  colouredText,
  type DependenceChartOptions,
  dependenceChart,
  type HeatMapOptions,
  heatMap,
  type PicturePageOptions,
  picturePage,
} from './show.ts';
