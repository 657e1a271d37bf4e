// Each way to explain a model, called on images [n, 1, 5, 5] and a Sequential whose first layer is a convolution.
import * as explain from '../../bindings/explain/index.ts';
import { functional as F, type nn, randn, type Tensor, tensor } from '../../bindings/index.ts';

/** Four parts of an image. */
const quarters = (): Tensor =>
  tensor(
    Array.from({ length: 5 }, (_, i) => Array.from({ length: 5 }, (_, j) => (i < 3 ? 0 : 1) + (j < 2 ? 0 : 2))),
    { dtype: 'i32' },
  );

const layerOf = (model: nn.Sequential): nn.Module => model.getSubmodule('2');

export const methods: Readonly<Record<string, (model: nn.Sequential, x: Tensor) => unknown>> = {
  saliency: explain.saliency,
  inputXGradient: explain.inputXGradient,
  integratedGradients: (model, x) =>
    explain.integratedGradients(model, x, { target: 1, nSteps: 5, returnConvergenceDelta: true }),
  gradientShap: (model, x) =>
    explain.gradientShap(model, x, {
      ...{ target: 1, nSamples: 4, stdevs: 0.1, internalBatchSize: 2 },
      ...{ baseline: randn([2, 1, 5, 5]), returnConvergenceDelta: true },
    }),
  noiseTunnel: (model, x) =>
    explain.noiseTunnel(model, x, { method: explain.saliency, nSamples: 3, ntType: 'vargrad' }),
  attribute: explain.attribute,
  featureAblation: (model, x) => explain.featureAblation(model, x, { featureMask: quarters(), internalBatchSize: 2 }),
  featurePermutation: (model, x) => explain.featurePermutation(model, x, { featureMask: quarters() }),
  occlusion: (model, x) => explain.occlusion(model, x, { slidingWindowShapes: [1, 2, 2], strides: 2, target: 0 }),
  shapleyValues: (model, x) => explain.shapleyValues(model, x, { featureMask: quarters(), baseline: 0.5 }),
  shapleyValueSampling: (model, x) => explain.shapleyValueSampling(model, x, { featureMask: quarters(), nSamples: 3 }),
  guidedBackprop: explain.guidedBackprop,
  deconvolution: explain.deconvolution,
  deepLift: (model, x) => explain.deepLift(model, x, { returnConvergenceDelta: true, internalBatchSize: 2 }),
  lrp: (model, x) => explain.lrp(model, x, { rule: { rule: 'alphaBeta' }, returnConvergenceDelta: true }),
  layerActivation: (model, x) => explain.layerActivation(model, x, { layer: layerOf(model) }),
  layerGradientXActivation: (model, x) => explain.layerGradientXActivation(model, x, { layer: layerOf(model) }),
  internalInfluence: (model, x) => explain.internalInfluence(model, x, { layer: layerOf(model), nSteps: 3 }),
  layerConductance: (model, x) =>
    explain.layerConductance(model, x, { layer: layerOf(model), nSteps: 5, internalBatchSize: 6 }),
  layerIntegratedGradients: (model, x) =>
    explain.layerIntegratedGradients(model, x, { layer: layerOf(model), nSteps: 4, returnConvergenceDelta: true }),
  neuronConductance: (model, x) =>
    explain.neuronConductance(model, x, { layer: layerOf(model), nSteps: 4, neuron: [1, 2, 2] }),
  layerOutput: (model, x) =>
    explain.saliency(explain.layerOutput(model, layerOf(model)), x, { target: (y) => y.select(1, 0).sum(2).sum(1) }),
  gradCam: (model, x) => explain.gradCam(model, x, { layer: layerOf(model), internalBatchSize: 1 }),
  gradCamPlusPlus: (model, x) => explain.gradCamPlusPlus(model, x, { layer: layerOf(model) }),
  layerCam: (model, x) => explain.layerCam(model, x, { layer: layerOf(model) }),
  guidedGradCam: (model, x) => explain.guidedGradCam(model, x, { layer: layerOf(model) }),
  infidelity: (model, x) =>
    explain.infidelity(model, x, randn(x.shape), { nPerturbSamples: 3, internalBatchSize: 4, target: 1 }),
  sensitivityMax: (model, x) => explain.sensitivityMax(model, x, { method: explain.saliency, nPerturbSamples: 3 }),
  permutationImportance: (model, x) =>
    Object.values(
      explain.permutationImportance(model, x, x, {
        ...{ featureMask: quarters(), nRepeats: 2, score: (y: Tensor) => y.mean() },
      }),
    ),
  tracIn: (model, x) => {
    const loss = (y: Tensor, labels: Tensor) => F.crossEntropy(y, labels, { reduction: 'none' });
    const labels = tensor(
      Array.from({ length: x.shape[0] as number }, (_, i) => i),
      { dtype: 'i32' },
    );
    return explain.tracIn(model, loss, [x.detach(), labels], [x.detach(), labels], { batchSize: 2 });
  },
  activationMaximization: (model, x) =>
    explain.activationMaximization(model, x, {
      target: 1,
      nSteps: 3,
      jitter: 1,
      totalVariation: 0.1,
      low: -3,
      high: 3,
    }),
  counterfactuals: (model, x) => explain.counterfactuals(model, x, { target: 2, nSteps: 5 }),
  lime: (model, x) => explain.lime(model, x, { featureMask: explain.gridFeatures(x, 2), nSamples: 30 }),
  deepLiftOfLayer: (model, x) => explain.deepLift(model, x, { layer: layerOf(model), returnConvergenceDelta: true }),
  lrpOfLayer: (model, x) => explain.lrp(model, x, { layer: layerOf(model), internalBatchSize: 1 }),
  shapOfNeuron: (model, x) =>
    explain.gradientShap(model, x, { layer: layerOf(model), neuron: [0, 1, 1], nSamples: 3, internalBatchSize: 2 }),
  kernelShap: (model, x) => explain.kernelShap(model, x, { nSamples: 20 }),
};

/** Those that take models in evaluation mode only. */
export const evaluated = new Set(['deepLift', 'lrp', 'deepLiftOfLayer', 'lrpOfLayer']);
