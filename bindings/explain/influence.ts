// Which examples of the training taught a model what it does.
import { functionalCall } from '../autograd/functional-call.ts';
import { withTape } from '../autograd.ts';
import { grad } from '../backward.ts';
import { ones } from '../creation.ts';
import { cat, stack } from '../functional/shape.ts';
import { ArgumentError, describe, ShapeError } from '../memory/errors.ts';
import type { Module } from '../nn/module.ts';
import { scope } from '../scope.ts';
import { taking } from '../signature.ts';
import { Tensor } from '../tensor.ts';
import { preserving } from './subject.ts';

/** Examples: the inputs of the model, and what the loss compares its output to behind them. */
export type Examples = readonly Tensor[];

/** Options of {@link tracIn}. */
export interface TracInOptions {
  /**
   * States of the model in the course of its training, as `stateDict()` has them; null: what it is.
   * @defaultValue null
   */
  readonly checkpoints?: readonly Readonly<Record<string, Tensor>>[] | null;
  /** The learning rate at each checkpoint; null: 1. @defaultValue null */
  readonly learningRates?: readonly number[] | null;
  /** How many examples of the training are looked at at once. @defaultValue 256 */
  readonly batchSize?: number;
}

/** A loss for each example. */
export type ExampleLoss = (output: Tensor, targets: Tensor) => Tensor;
type State = Readonly<Record<string, Tensor>>;

/** The losses of examples with other weights. @throws ArgumentError */
function lossesOf(model: Module, state: State, loss: ExampleLoss, examples: Examples): Tensor {
  const output = functionalCall(model, state, examples.slice(0, -1)) as unknown as Tensor;
  const losses: unknown = loss(output, examples.at(-1) as Tensor);
  const n = examples[0]?.sizes[0];
  if (losses instanceof Tensor && losses.size === n) return losses.reshape([n]);
  throw new ArgumentError(
    `tracIn: expected a loss for each of ${n} examples, got ${losses instanceof Tensor ? `shape [${losses.sizes.join(', ')}]` : describe(losses)}; pass { reduction: 'none' } to it`,
  );
}

/** The weights of a state by which gradients are asked for, and all of the state with them. */
function leavesOf(model: Module, given: State | null): { state: Record<string, Tensor>; leaves: Tensor[] } {
  const state: Record<string, Tensor> = {};
  const leaves: Tensor[] = [];
  const trained = new Map(model.namedParameters());
  for (const [name, x] of Object.entries(given ?? model.stateDict())) {
    const own = trained.get(name as never);
    state[name] = own?.requiresGrad ? x.detach().requiresGrad_() : x.detach();
    if (own?.requiresGrad) leaves.push(state[name] as Tensor);
  }
  if (leaves.length === 0)
    throw new ArgumentError('tracIn: expected a model with parameters that require gradients, got none of them');
  return { state, leaves };
}

/**
 * For each test example, the gradients of its loss times those of each training example: a row of the matrix. The
 * latter are never there one by one: weighed by u they are one gradient, in a straight line of u.
 */
function products(
  model: Module,
  given: State | null,
  loss: ExampleLoss,
  { train, test }: { readonly train: readonly Examples[]; readonly test: Examples },
): Tensor {
  const { state, leaves } = leavesOf(model, given);
  const m = test[0]?.sizes[0] as number;
  const losses = lossesOf(model, state, loss, test);
  const tests = Array.from({ length: m }, (_, i) =>
    grad(losses.select(0, i), leaves, { retainGraph: true, materializeGrads: true }),
  );
  const parts = train.map((batch) =>
    scope(() => {
      const own = lossesOf(model, state, loss, batch);
      const u = ones(own.sizes).requiresGrad_();
      const weighed = grad(own, leaves, { gradOutputs: u, createGraph: true, allowUnused: true });
      const at = weighed.flatMap((g, i) => (g?.requiresGrad ? [i] : []));
      const rows = tests.map((each) => {
        const along = { retainGraph: true, gradOutputs: at.map((i) => each[i] as Tensor) };
        const [row] = grad(
          at.map((i) => weighed[i] as Tensor),
          [u],
          along,
        );
        return row as Tensor;
      });
      return stack(rows);
    }),
  );
  return cat(parts, 1);
}

/** @throws ArgumentError, ShapeError */
function expectExamples(what: string, examples: Examples): number {
  const n = examples[0]?.ndim ? (examples[0].sizes[0] as number) : 0;
  if (examples.length < 2)
    throw new ArgumentError(
      `tracIn: expected ${what}, the inputs and targets in a list, got ${examples.length} tensors`,
    );
  if (n < 1 || examples.some((x) => x.ndim === 0 || x.sizes[0] !== n))
    throw new ShapeError(`tracIn: expected ${what} of as many targets as inputs, and at least one, got others`);
  return n;
}

/**
 * How much each example of the training lowered the loss of each test example, as far as steps of gradient descent at
 * the checkpoints tell (TracInCP, Pruthi et al. 2020; Captum's `TracInCP`): Σ learning rate · gradient · gradient.
 * Positive ones helped, negative ones harmed.
 * @param loss takes the output and the targets, and gives a loss for each example
 * @param train the inputs of the model and the targets: `[images, labels]`
 * @param test likewise
 * @returns [test examples, train examples]
 * @throws ArgumentError, ShapeError
 * @example
 * ```ts
 * const model = new nn.Linear(4, 3);
 * const loss = (y: Tensor, labels: Tensor) => functional.crossEntropy(y, labels, { reduction: 'none' });
 * const train = [randn([20, 4]), randint(0, 3, [20])];
 * console.log(explain.tracIn(model, loss, train, [randn([2, 4]), randint(0, 3, [2])]).shape); // [2, 20]
 * ```
 */
export const tracIn: (
  model: Module,
  loss: ExampleLoss,
  train: Examples,
  test: Examples,
  options?: TracInOptions,
) => Tensor = taking(
  'tracIn(model: Module, loss: function, train: Tensor[], test: Tensor[], *, checkpoints: object[]|null = null, learningRates: number[]|null = null, batchSize: int = 256)',
  (
    model: Module,
    loss: ExampleLoss,
    train: Examples,
    test: Examples,
    checkpoints: readonly State[] | null,
    ...[rates, size]: [readonly number[] | null, number]
  ) => {
    const n = expectExamples('train', train);
    expectExamples('test', test);
    const states: readonly (State | null)[] = checkpoints ?? [null];
    if (states.length === 0 || (rates && rates.length !== states.length))
      throw new ArgumentError(
        `tracIn: expected a learning rate for each of ${states.length} checkpoints, got ${rates?.length ?? 'none'}`,
      );
    if (size < 1) throw new ArgumentError(`tracIn: expected batchSize >= 1, got ${size}`);
    const batches: Examples[] = [];
    return preserving(model, () =>
      scope(() => {
        for (let from = 0; from < n; from += size)
          batches.push(train.map((x) => x.detach().narrow(0, from, Math.min(size, n - from))));
        return states
          .map((state, i) =>
            scope(() =>
              withTape(true, () =>
                products(model, state, loss, { train: batches, test: test.map((x) => x.detach()) }).mul(
                  rates?.[i] ?? 1,
                ),
              ),
            ),
          )
          .reduce((a, b) => a.add(b));
      }),
    );
  },
);
