// Layers one after the other.
import { isPlain } from '../kinds.ts';
import { named } from '../memory/errors.ts';
import { signature } from '../signature.ts';
import { Tensor } from '../tensor.ts';
import { expectModule, Indexed, replaceItems } from './indexed.ts';
import type { Layer } from './layer.ts';
import { checkName, ITEM_OF, NAME_OF } from './names.ts';

const declared = signature('Sequential(...layers?: Module)');
const ofForward = signature('Sequential.forward(x: Tensor)');
/** The arguments of forward. @throws ArgumentError, in the name of the class: what its layers throw is theirs */
const parsed = (args: readonly unknown[]): [Tensor] => {
  try {
    return ofForward.parse(args) as [Tensor];
  } catch (error) {
    throw named(error, 'Sequential');
  }
};

/** Layers by name, in order. */
export type NamedLayers = Readonly<Record<string, Layer>> | ReadonlyMap<string, Layer>;

/**
 * Layers one after the other; children are named `0`, `1`, …, or as the keys of an object or a Map say (PyTorch's
 * `nn.Sequential`).
 * @example
 * ```ts
 * const model = new nn.Sequential(new nn.Linear(784, 128), new nn.ReLU(), new nn.Linear(128, 10));
 * const logits = model.forward(randn([64, 784])); // [64, 10]
 * const hidden = model[0]; // the first layer
 * ```
 */
export class Sequential extends Indexed<Layer> {
  /** The names of the layers, where they are not their numbers. */
  #names: readonly string[] = [];

  /**
   * Layers of which each takes the result of the one before it: as arguments, a list, or an object or Map by name.
   * @throws ArgumentError
   */
  constructor(...layers: Layer[] | [readonly Layer[]] | [NamedLayers]) {
    super();
    const [first] = layers;
    if (layers.length === 1 && (first instanceof Map || isPlain(first))) {
      const entries: [string, Layer][] = first instanceof Map ? [...first] : Object.entries(first as object);
      for (const [name] of entries) checkName('Sequential', name);
      this.#names = entries.map(([name]) => name);
      replaceItems(
        this,
        entries.map(([, layer]) => this[ITEM_OF]('', layer)),
      );
    } else if (layers.length > 0) replaceItems(this, (declared.parse(layers) as [Layer[]])[0]);
  }

  /** @internal */
  [ITEM_OF](op: string, value: unknown): Layer {
    return expectModule(op ? `Sequential.${op}` : 'Sequential', value) as unknown as Layer;
  }

  /** @internal */
  override [NAME_OF](field: string): string {
    const name = super[NAME_OF](field);
    return this.#names[Number(field)] ?? name;
  }

  /** The result of all layers, one after the other. */
  forward(...args: [x: Tensor]): Tensor {
    let y = (args.length === 1 && args[0] instanceof Tensor ? args : parsed(args))[0];
    for (let i = 0; ; i++) {
      const layer = this[i];
      if (layer === undefined) return y;
      if (typeof layer.forward !== 'function') expectModule(`Sequential: layer ${i}`, layer);
      y = layer.forward(y);
    }
  }
}
