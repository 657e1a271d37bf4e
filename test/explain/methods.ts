// Each way to explain a model, called on images [n, 1, 5, 5] and a Sequential whose first layer is a convolution.
import * as explain from '../../bindings/explain/index.ts';
import { type nn, randn, type Tensor } from '../../bindings/index.ts';

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
};
