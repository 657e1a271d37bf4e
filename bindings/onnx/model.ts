// A model of ONNX as a module: its initialisers are parameters under their own names.
import { ArgumentError, DtypeError, formatShape, named, ShapeError } from '../memory/errors.ts';
import { Module } from '../nn/module.ts';
import { PLACES, type Place } from '../nn/names.ts';
import { Tensor } from '../tensor.ts';
import { constantOf, heldOf, type Use } from './constants.ts';
import { takesOf } from './operator.ts';
import type { Plan } from './plan.ts';
import { type Constants, runPlan } from './run.ts';
import { type ElementType, isFloat, tensorOf, type Value } from './values.ts';

/** An input or a result of a model. */
export interface OnnxValue {
  /** Its name in the file. */
  readonly name: string;
  /** The dtype that tensors have for it. */
  readonly dtype: 'f32' | 'i32' | 'u8';
  /** Its sizes: numbers, or names of those that may differ, such as 'batch'; null where nothing is said. */
  readonly shape: readonly (number | string)[] | null;
}

/** What a module is made of. @internal */
export interface Loaded {
  readonly plan: Plan;
  /** Whether constants that are nodes are known to be no weights. */
  readonly nodesAreFixed: boolean;
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
}

/** All plans, those within nodes too. */
function* plansIn(plan: Plan): Generator<Plan> {
  yield plan;
  for (const { graphs } of plan.steps) for (const inner of Object.values(graphs)) yield* plansIn(inner);
}

/** How each constant is used, by plan and slot: those within nodes count for those around. */
function usesOf(plan: Plan): Map<Plan, Map<number, Use>> {
  const all = new Map<Plan, Map<number, Use>>();
  const join = (a: Use | undefined, b: Use): Use =>
    a ? { host: a.host && b.host, constant: a.constant || b.constant } : b;
  const look = (own: Plan): Map<number, Use> => {
    const uses = new Map<number, Use>();
    const note = (slot: number, use: Use): void => void uses.set(slot, join(uses.get(slot), use));
    for (const { node, inputs, graphs } of own.steps) {
      const words = takesOf(node.operator).inputs;
      inputs.forEach((slot, i) => {
        const word = words[Math.min(i, words.length - 1)];
        if (slot >= 0 && word) note(slot, word);
      });
      for (const inner of Object.values(graphs)) {
        const within = look(inner);
        for (const [outer, slot] of inner.captured) note(outer, within.get(slot) ?? { host: false, constant: false });
      }
    }
    for (const slot of own.outputs) note(slot, { host: false, constant: false });
    all.set(own, uses);
    return uses;
  };
  look(plan);
  return all;
}

/** Whether a node says that it trains: then the model was exported in training mode. */
const startsInTraining = (plan: Plan): boolean =>
  plan.steps.some(({ node, inputs }) => {
    if (node.op === 'BatchNormalization') return node.attributes.training_mode === 1;
    const told = plan.constants.find(({ slot }) => slot === inputs[2]);
    return node.op === 'Dropout' && told !== undefined && told.constant.data[0] !== 0;
  });

/**
 * A model that {@link loadOnnx} has read. It is an `nn.Module`: its parameters have the names of the file, such as
 * `features.0.weight`. It starts in evaluation mode unless it was exported in training mode; `train()` has it train:
 * dropout drops, and batch norm uses the batch and moves its statistics, as PyTorch's.
 */
export class OnnxModule<
  R extends Tensor | Tensor[] = Tensor,
  I extends readonly Tensor[] = [x: Tensor],
> extends Module {
  readonly #loaded: Loaded;
  readonly #constants: Constants;
  readonly #places: readonly Place[];
  readonly #blocks: ReadonlySet<object>;
  /** What the model takes, in order. */
  readonly inputs: readonly OnnxValue[];
  /** What it gives, in order. */
  readonly outputs: readonly OnnxValue[];

  /** Users call {@link loadOnnx}. @internal */
  constructor(loaded: Loaded) {
    super();
    this.#loaded = loaded;
    this.inputs = loaded.inputs;
    this.outputs = loaded.outputs;
    const constants = new Map<Plan, readonly Value[]>();
    const places: Place[] = [];
    const names = new Set<string>();
    const uses = usesOf(loaded.plan);
    // PaddlePaddle writes its weights as nodes, and has no initialisers; others write weights as these.
    const hasWeights =
      loaded.nodesAreFixed ||
      [...plansIn(loaded.plan)].some(({ constants: all }) =>
        all.some(({ initial, constant: { type, sizes } }) => initial && isFloat(type) && sizes.length > 0),
      );
    const trains = startsInTraining(loaded.plan);
    for (const plan of plansIn(loaded.plan))
      constants.set(
        plan,
        plan.constants.map((each) => {
          const { slot, name, constant, initial } = each;
          const use = uses.get(plan)?.get(slot) ?? { host: false, constant: false };
          const value = constantOf(constant, { ...use, fixed: !initial && hasWeights });
          const held = heldOf(value);
          each.constant = { ...constant, data: [] };
          // Two bodies of a model may have one name for what each has of its own.
          let own = name;
          for (let i = 1; held && names.has(own); i++) own = `${name}_${i}`;
          names.add(own);
          if (held) places.push({ name: own, field: own, value: held, unfit: own === '__proto__' || own === '' });
          return value;
        }),
      );
    this.#constants = constants;
    this.#places = places;
    this.#blocks = new Set(places.map(({ value }) => (value as Tensor).block));
    this.train(trains);
  }

  /** @internal */
  override [PLACES](): Place[] {
    return [...super[PLACES](), ...this.#places];
  }

  /**
   * What the model gives for its inputs, in the order of `inputs`: a tensor, or where it has several results an
   * array of them. Whole numbers of 64 bits go in and come out as i32, truths as u8.
   * @throws ArgumentError, DtypeError, ShapeError for inputs that do not fit
   */
  forward(...inputs: I): R {
    this.#check(inputs);
    try {
      const results = runPlan(
        this.#loaded.plan,
        { constants: this.#constants, blocks: this.#blocks, training: this.training },
        inputs,
      );
      const tensors = results.map((value, i) => tensorOf(value, this.#loaded.plan.types[i] as ElementType));
      return (tensors.length === 1 ? tensors[0] : tensors) as R;
    } catch (error) {
      throw named(error, 'forward');
    }
  }

  #check(given: readonly unknown[]): void {
    const wanted = this.inputs;
    const names = wanted.map(({ name }) => `'${name}'`).join(', ');
    if (given.length !== wanted.length || !given.every((x) => x instanceof Tensor))
      throw new ArgumentError(`forward: expected a tensor for each of ${names || 'no inputs'}, got ${given.length}`);
    (given as readonly Tensor[]).forEach((x, i) => {
      const { name, dtype, shape } = wanted[i] as OnnxValue;
      x.checkAlive();
      if (x.dtype !== dtype)
        throw new DtypeError(
          `forward: expected '${name}' in ${dtype}, got ${x.dtype}; convert it with .to('${dtype}')`,
        );
      if (
        shape &&
        (shape.length !== x.ndim || shape.some((size, d) => typeof size === 'number' && size !== x.sizes[d]))
      )
        throw new ShapeError(`forward: expected '${name}' of shape [${shape.join(', ')}], got ${formatShape(x.sizes)}`);
    });
  }

  override dispose(): void {
    super.dispose();
    for (const values of this.#constants.values()) for (const value of values) value.dispose();
  }
}
