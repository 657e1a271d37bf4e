// What the loss modules are made of: a function of functional, and its options as fields.
import { named } from '../memory/errors.ts';
import { type Signature, signature } from '../signature.ts';
import { Tensor } from '../tensor.ts';
import { Module } from './module.ts';
import { describeOptions } from './parameter.ts';

/** A function of functional: tensors, then options. */
export type LossOf = (...args: never[]) => Tensor;

/** The modules of losses. Their settings are fields; tensors among them are buffers, which states have. */
export abstract class Criterion extends Module {
  readonly #f: (...args: unknown[]) => Tensor;
  readonly #declared: Signature;

  /** @internal */
  constructor(f: LossOf, declared: Signature, args: readonly unknown[]) {
    super();
    this.#f = f as (...args: unknown[]) => Tensor;
    this.#declared = declared;
    const values = declared.parse(args);
    declared.parameters.forEach(({ name, absent, kind }, i) => {
      if (absent) return;
      if (kind.includes('Tensor')) this.registerBuffer(name, values[i] as Tensor | null);
      else Reflect.set(this, name, values[i]);
    });
  }

  /** The loss of `inputs`, which `declared` says what they are. @internal */
  protected compute(declared: Signature, inputs: readonly unknown[]): Tensor {
    try {
      const given = declared.parse(inputs);
      return this.#f(...given.slice(0, declared.parameters.length), this.#settings());
    } catch (error) {
      throw named(error, this.constructor.name);
    }
  }

  /** The settings that are not as usual. */
  #settings(): Record<string, unknown> {
    const settings: Record<string, unknown> = {};
    for (const { name, absent, value } of this.#declared.parameters) {
      const now: unknown = absent ? value : Reflect.get(this, name);
      if (now !== value) settings[name] = now;
    }
    return settings;
  }

  override extraRepr(): string {
    const shown = Object.entries(this.#settings()).map(([name, value]) => [
      name,
      value instanceof Tensor ? [...value.shape] : value,
    ]);
    return describeOptions(Object.fromEntries(shown));
  }
}

const ofLoss = signature('Loss.forward(x: Tensor, target: Tensor)');

/** Base class of the losses of an input and a target. */
export abstract class Loss extends Criterion {
  /** The loss of x for a target. */
  forward(...args: [x: Tensor, target: Tensor]): Tensor {
    return this.compute(ofLoss, args);
  }
}

/** The class of losses by `f`; their constructor takes A, as `text` declares. @internal */
/* @__NO_SIDE_EFFECTS__ */
export function lossBy<A extends readonly unknown[]>(f: LossOf, text: string): new (...args: A) => Loss {
  const declared = signature(text);
  // With a name, so that who walks up the classes finds those above.
  return class Made extends Loss {
    constructor(...args: A) {
      super(f, declared, args);
    }
  };
}
