// An object of every public class, made from what its constructor declares: by the kinds of its arguments, and by the
// names of the few that a kind doesn't say enough of.
import * as pipelines from '../../bindings/data/index.ts';
import * as retrograd from '../../bindings/index.ts';
import { data, distributions, nn, optim, type Tensor, tensor } from '../../bindings/index.ts';
import type { Parameter } from '../../bindings/parameters.ts';
import { signatures } from '../../bindings/signature.ts';
import * as train from '../../bindings/train/index.ts';

/** A value, after those of the arguments before it. */
type Make = (before: readonly unknown[]) => unknown;
type Class = new (...args: readonly unknown[]) => object;

/** Combinations of arguments that are tried for a class. */
const MOST_TRIES = 200;
/** Sizes that are larger by default become this: a Transformer as it comes has forty million numbers. */
const SMALL = 2;

const pair = (): Tensor => tensor([0.5, 0.5]);
const rows = (): Tensor => tensor([[1], [2], [3]]);
const layer = (): nn.Module => new nn.Linear(2, 2);
const weights = (): unknown => [(layer() as nn.Linear).weight];
const sgd = () => new optim.SGD(layer().parameters());
const schedule = (): optim.lrScheduler.LRScheduler => new optim.lrScheduler.StepLR(sgd(), 2);

/** Values of arguments by their names. */
const NAMED: Readonly<Record<string, Make>> = {
  encoderLayer: () => new nn.TransformerEncoderLayer(2, 1, 2),
  decoderLayer: () => new nn.TransformerDecoderLayer(2, 1, 2),
  batchSizes: () => [2, 1],
  totalSteps: () => 3,
  dataset: () => new data.TensorDataset(rows()),
  probs: pair,
  outputSize: () => 1,
  reinterpretedBatchNdims: () => 1,
  schedulers: ([optimizer]) => [
    new optim.lrScheduler.StepLR((optimizer as ReturnType<typeof sgd> | undefined) ?? sgd(), 2),
  ],
  milestones: () => [],
  modelOrParams: () => layer().parameters(),
};

/** Values of a kind: those that suit most classes first. */
const KINDS: Readonly<Record<string, readonly Make[]>> = {
  int: [() => 2, () => 1, () => 4],
  number: [() => 0.5, () => 2],
  bool: [() => true],
  string: [() => 'x'],
  Tensor: [pair, rows],
  Module: [layer],
  Optimizer: [sgd],
  LRScheduler: [schedule],
  Distribution: [() => new distributions.Normal(pair(), 1)],
  function: [() => () => 1],
  sizes: [() => [2, 1], () => [2]],
  any: [() => layer().parameters(), weights, () => new data.TensorDataset(rows()), pair, () => [2], () => ({})],
};

function valuesOf({ name, kind }: Parameter): readonly Make[] {
  if (Object.hasOwn(NAMED, name)) return [NAMED[name] as Make];
  return kind.split('|').flatMap((word): readonly Make[] => {
    if (word.startsWith("'")) return [() => word.slice(1, -1)];
    if (word.endsWith('[]'))
      return valuesOf({ name: '', kind: word.slice(0, -2) } as Parameter).map((f) => () => [f([])]);
    return KINDS[word] ?? KINDS.any ?? [];
  });
}

const product = (lists: readonly (readonly Make[])[]): (readonly Make[])[] =>
  lists
    .reduce<(readonly Make[])[]>(
      (all, list) => all.flatMap((head) => list.map((f) => [...head, f])).slice(0, MOST_TRIES),
      [[]],
    )
    .slice(0, MOST_TRIES);

function madeBy(makers: readonly Make[]): unknown[] {
  const values: unknown[] = [];
  for (const make of makers) values.push(make(values));
  return values;
}

const byName = (options: readonly Parameter[]): object =>
  Object.fromEntries(options.map(({ name }) => [name, NAMED[name]?.([]) ?? SMALL]));

/** Arguments that may make an object, as functions since each object has its own. */
function* triesOf(name: string): Generator<() => unknown[]> {
  for (const { parameters } of signatures.filter(({ path }) => path === name)) {
    const options = parameters.filter(
      ({ name, required, variadic, value, absent }) =>
        !(required || variadic || absent) &&
        (Object.hasOwn(NAMED, name) || (Number.isInteger(value) && (value as number) > SMALL)),
    );
    const needed = parameters.filter(({ required, variadic }) => required || variadic);
    for (const makers of product(needed.map(valuesOf)))
      for (const given of options.length > 0 ? [options, []] : [[]])
        yield () => [...madeBy(makers), ...(given.length > 0 ? [byName(given)] : [])];
  }
  yield () => [];
}

const trainer = (): object => {
  const model = layer();
  const optimizer = new optim.SGD(model.parameters());
  return new train.Trainer(model, { optimizer, loss: retrograd.functional.mseLoss });
};

/** What extends the classes that only others extend. */
const EXTENDED: Readonly<Record<string, () => object>> = {
  Module: () => new nn.Sequential(new nn.Linear(3, 3), new nn.Tanh()),
  Layer: layer,
  Activation: () => new nn.ReLU(),
  Optimizer: sgd,
  LRScheduler: schedule,
  ...{
    Pipeline: () => pipelines.from([1, 2, 3]),
    TensorLoader: () => pipelines.from([1, 2, 3]).batch(2).tensors(),
    Tokenizer: () => new pipelines.Tokenizer({ model: { type: 'BPE', vocab: { a: 0, b: 1, ab: 2 }, merges: ['a b'] } }),
    Trainer: () => trainer(),
    Subset: () => new pipelines.Subset(new data.TensorDataset(rows()), [1]),
  },
  SparseTensor: () => {
    const { weight } = new nn.Embedding(3, 2, { sparse: true });
    retrograd.functional
      .embedding(retrograd.tensor([1, 2], { dtype: 'i32' }), weight, { sparse: true })
      .sum()
      .backward();
    return weight.grad as object;
  },
  GradFunction: () => Object.create(retrograd.autograd.Function.prototype) as object,
};

function* classesIn(names: object): Generator<Class> {
  for (const value of Object.values(names) as unknown[])
    if (typeof value === 'function' && /^class\b/.test(String(value))) yield value as Class;
    else if ((value as { [Symbol.toStringTag]?: string } | null)?.[Symbol.toStringTag] === 'Module')
      yield* classesIn(value as object);
}

/**
 * For each public class by its own name, but for errors and Tensor, what makes an object of it or of one that extends
 * it.
 * @throws Error where none can be made
 */
export function makers(): Record<string, () => object> {
  const made: Record<string, () => object> = {};
  for (const type of classesIn({ ...retrograd, data: pipelines, train })) {
    const { name } = type;
    if (name === 'Tensor' || type.prototype instanceof Error || Object.hasOwn(made, name)) continue;
    if (Object.hasOwn(EXTENDED, name)) {
      made[name] = EXTENDED[name] as () => object;
      continue;
    }
    for (const args of triesOf(name)) {
      try {
        new type(...args());
      } catch {
        continue;
      }
      made[name] = () => new type(...args());
      break;
    }
    if (!made[name]) throw new Error(`${name}: expected arguments that make one, got none; add them to makers.ts`);
  }
  return made;
}
