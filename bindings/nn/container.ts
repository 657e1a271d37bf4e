// Modules of modules.
import { ArgumentError } from '../memory/errors.ts';
import type { Tensor } from '../tensor.ts';
import { Layer } from './layer.ts';
import { Module } from './module.ts';

/**
 * Layers one after the other; children are named `0`, `1`, … (PyTorch's `nn.Sequential`).
 * @example
 * ```ts
 * const model = new nn.Sequential(new nn.Linear(784, 128), new nn.ReLU(), new nn.Linear(128, 10));
 * const logits = model.forward(randn([64, 784])); // [64, 10]
 * ```
 */
export class Sequential extends Layer {
  readonly #layers: readonly Layer[];

  /** @param layers each takes the result of the one before it */
  constructor(...layers: Layer[]) {
    super();
    layers.forEach((layer, i) => {
      if (!(layer instanceof Module))
        throw new ArgumentError(`Sequential: expected modules, got ${typeof layer} as argument ${i + 1}`);
    });
    this.#layers = layers;
  }

  override namedChildren(): [string, Module][] {
    return this.#layers.map((layer, i) => [String(i), layer]);
  }

  forward(x: Tensor): Tensor {
    return this.#layers.reduce<Tensor>((y, layer) => layer.forward(y), x);
  }
}
