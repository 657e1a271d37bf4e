// How the ways to explain a model are declared: all take a model and inputs, and what they have in common by name.
import { alike, type Tensors } from '../autograd/lists.ts';
import { taking } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import type { Model, Target } from './options.ts';
import { type Asked, explained, type Subject } from './subject.ts';

/** What all take by name. */
export const COMMON =
  'target: int|int[]|Tensor|function|null = null, additionalForwardArgs: any[]|null = null, internalBatchSize: int|null = null';
/** What those take that explain layers and neurons as well. */
const PLACE = ', layer: Module|null = null, neuron: int|int[]|function|null = null';
/** What those take that compare the inputs to others. */
export const BASELINE = ', baseline: number|Tensor|number[]|Tensor[] = 0';

type Values = readonly never[];

/**
 * A function `name(model, inputs, { … })`.
 * @param own what else it takes by name, each with a comma in front
 * @param fn gets what was asked for, and the values of its own
 */
/* @__NO_SIDE_EFFECTS__ */
export function declared<F extends (...args: never[]) => unknown, V extends Values>(
  name: string,
  own: string,
  fn: (asked: Asked, ...values: V) => unknown,
): F {
  return taking(`${name}(model: Module|function, inputs: Tensor|Tensor[], *, ${COMMON}${own})`, ((
    model: Model,
    inputs: Tensors,
    target: Target | null,
    extra: readonly unknown[] | null,
    limit: number | null,
    ...values: V
  ) => fn({ op: name, model, inputs, target, extra, limit }, ...values)) as never);
}

/** One that gives a tensor for each input, and takes a layer in a sense of its own. */
/* @__NO_SIDE_EFFECTS__ */
export function alikeInputs<F extends (...args: never[]) => unknown, V extends Values>(
  name: string,
  own: string,
  fn: (subject: Subject, ...values: V) => readonly Tensor[],
): F {
  return declared<F, V>(name, own, (asked, ...values) =>
    alike(
      asked.inputs,
      explained(asked, (subject) => fn(subject, ...values)),
    ),
  );
}

/** One that gives a tensor for each input, or for a layer. */
/* @__NO_SIDE_EFFECTS__ */
export function attributing<F extends (...args: never[]) => unknown, V extends Values>(
  name: string,
  own: string,
  fn: (subject: Subject, ...values: V) => readonly Tensor[],
): F {
  return placed<F, V>(name, own, (asked, ...values) =>
    shaped(
      asked,
      explained(asked, (subject) => fn(subject, ...values)),
    ),
  );
}

/** One tensor for a layer, one for each input otherwise. */
const shaped = ({ inputs, layer, neuron }: Asked, found: readonly Tensor[]): unknown =>
  layer && (neuron ?? null) === null ? found[0] : alike(inputs, found);

/** As {@link declared}, for the inputs, a layer or a neuron. */
/* @__NO_SIDE_EFFECTS__ */
function placed<F extends (...args: never[]) => unknown, V extends Values>(
  name: string,
  own: string,
  fn: (asked: Asked, ...values: V) => unknown,
): F {
  return declared<F, readonly [never, never, ...V]>(name, `${PLACE}${own}`, (asked, layer, neuron, ...values) =>
    fn({ ...asked, layer, neuron }, ...values),
  );
}

/** One that may give how far it is from adding up, too: `fn` gives that behind the tensors for the inputs. */
/* @__NO_SIDE_EFFECTS__ */
export function adding<F extends (...args: never[]) => unknown, V extends Values>(
  name: string,
  own: string,
  fn: (subject: Subject, wantsDelta: boolean, ...values: V) => readonly Tensor[],
): F {
  return placed<F, readonly [never, ...V]>(
    name,
    `, returnConvergenceDelta: bool = false${own}`,
    (asked, wantsDelta, ...values) => {
      const found = explained(asked, (subject) => fn(subject, wantsDelta, ...values));
      if (!wantsDelta) return shaped(asked, found);
      return [shaped(asked, found.slice(0, -1)), found.at(-1)];
    },
  );
}

/** What `attributions` add up to for each sample, less what they should. */
export const deltaOf = (attributions: readonly Tensor[], should: Tensor, perSample: (x: Tensor) => Tensor): Tensor =>
  attributions
    .map(perSample)
    .reduce((sum, each) => sum.add(each))
    .sub(should);
