// Class activation maps: where in an image a layer of convolutions finds what the output comes from.
import type { Alike, Tensors } from '../autograd/lists.ts';
import { interpolate } from '../functional/interpolate.ts';
import { formatShape, ShapeError } from '../memory/errors.ts';
import type { Module } from '../nn/module.ts';
import type { Tensor } from '../tensor.ts';
import { atLayer, expectLayer, LAYER, type LayerAttribution, type LayerOptions, layered } from './layer.ts';
import { alikeInputs } from './method.ts';
import type { Model } from './options.ts';
import { guided } from './rectifiers.ts';
import type { Subject } from './subject.ts';

/** Options of {@link gradCam} and its like. */
export interface CamOptions extends LayerOptions {
  /** Whether to leave out what speaks against the output. @defaultValue true */
  readonly relu?: boolean;
  /** Whether to give it in the size of the first input, and not of the layer's output. @defaultValue true */
  readonly upsample?: boolean;
}

const spatial = (x: Tensor): number[] => x.sizes.slice(2).map((_, i) => i + 2);

/** A map [n, 1, …] in other sizes. */
function sized(map: Tensor, sizes: readonly number[], mode: 'nearest' | 'linear'): Tensor {
  const modes = { 1: 'linear', 2: 'bilinear', 3: 'trilinear' } as const;
  return interpolate(map, { size: [...sizes], mode: mode === 'nearest' ? mode : modes[sizes.length as 1] });
}

/** @throws ShapeError */
function expectMaps(op: string, y: Tensor): void {
  if (y.ndim < 3 || y.ndim > 5)
    throw new ShapeError(
      `${op}: expected a layer that gives [n, channels, …] with 1 to 3 dims of space, got ${formatShape(y.sizes)}; pass the last convolution`,
    );
}

/** A map by `weigh`, which says of what a layer gives, and the gradients by it, what they are worth. */
/* @__NO_SIDE_EFFECTS__ */
function cam(name: string, weigh: (y: Tensor, g: Tensor) => Tensor): LayerAttribution<CamOptions> {
  return layered(
    name,
    ', relu: bool = true, upsample: bool = true',
    (subject: Subject, layer: Module, relu: boolean, upsample: boolean) => {
      const { inputs, op } = subject;
      const [y, g] = atLayer(subject, layer, inputs);
      expectMaps(op, y);
      const map = weigh(y, g).mul(y).sum(1, true);
      const shown = relu ? map.relu() : map;
      const sizes = inputs[0]?.sizes.slice(2) ?? [];
      if (!upsample) return shown;
      if (sizes.length !== y.ndim - 2)
        throw new ShapeError(
          `${op}: expected an input [n, channels, …] with as many dims as the layer's output, got ${formatShape(inputs[0]?.sizes ?? [])} and ${formatShape(y.sizes)}; pass { upsample: false }`,
        );
      return sized(shown, sizes, 'linear');
    },
  );
}

/**
 * Grad-CAM (Selvaraju et al. 2017; Captum's `LayerGradCam`): the channels of a layer, each weighed by the mean
 * gradient of the output by it.
 * @returns [n, 1, height, width]
 * @throws ArgumentError, ShapeError unless the layer runs once and gives [n, channels, …]
 * @example
 * ```ts
 * const model = new nn.Sequential(
 *   ...[new nn.Conv2d(1, 8, 3, { padding: 1 }), new nn.ReLU(), new nn.MaxPool2d(2), new nn.Flatten()],
 *   new nn.Linear(8 * 49, 10),
 * );
 * const layer = model.getSubmodule('1');
 * console.log(explain.gradCam(model, randn([2, 1, 14, 14]), { layer, target: 3 }).shape); // [2, 1, 14, 14]
 * ```
 */
export const gradCam: LayerAttribution<CamOptions> = cam('gradCam', (y, g) => g.mean(spatial(y), true));

/**
 * Grad-CAM++ (Chattopadhay et al. 2018): where several places speak for the output, each counts.
 * @returns [n, 1, height, width]
 */
export const gradCamPlusPlus: LayerAttribution<CamOptions> = cam('gradCamPlusPlus', (y, g) => {
  const squares = g.square();
  const sums = y.sum(spatial(y), true);
  const below = squares.mul(2).add(sums.mul(squares.mul(g)));
  // Places without a gradient have nothing to share, whatever stands below.
  const share = squares.div(below.add(below.eq(0).to('f32')));
  return share.mul(g.relu()).sum(spatial(y), true);
});

/**
 * LayerCAM (Jiang et al. 2021): each place of each channel is weighed by its own gradient, so that early layers give
 * fine maps.
 * @returns [n, 1, height, width]
 */
export const layerCam: LayerAttribution<CamOptions> = cam('layerCam', (_, g) => g.relu());

/** Options of {@link guidedGradCam}. */
export interface GuidedGradCamOptions extends LayerOptions {
  /** How the map comes to the size of the inputs. @defaultValue 'nearest' */
  readonly interpolateMode?: 'nearest' | 'linear';
}

/**
 * Guided backpropagation times Grad-CAM (Selvaraju et al. 2017; Captum's `GuidedGradCam`).
 * @returns of the shape of each input
 */
export const guidedGradCam: <I extends Tensors>(
  model: Model,
  inputs: I,
  options: GuidedGradCamOptions,
) => Alike<I, Tensor> = alikeInputs(
  'guidedGradCam',
  `${LAYER}, interpolateMode: 'nearest'|'linear' = 'nearest'`,
  (subject: Subject, given: Module | null, mode: 'nearest' | 'linear') => {
    const layer = expectLayer(subject.op, given);
    const [y, g] = atLayer(subject, layer, subject.inputs);
    expectMaps(subject.op, y);
    const map = g.mean(spatial(y), true).mul(y).sum(1, true).relu();
    return guided(subject, subject.inputs).map((each, i) =>
      each.mul(sized(map, (subject.inputs[i] as Tensor).sizes.slice(2), mode)),
    );
  },
);
