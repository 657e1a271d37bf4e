// What users call to differentiate: backward() and grad(). walk.ts does the work.
import { ops, withTape } from './autograd.ts';
import { runtime } from './engine/engine.ts';
import { ArgumentError, formatShape, GradError, ShapeError } from './memory/errors.ts';
import { listeners } from './node.ts';
import { expectDtype, sameShape } from './ops/shapes.ts';
import { type Callable, callable, taking } from './signature.ts';
import { checkGradient, Tensor } from './tensor.ts';
import { denseOf, sumOf, walk } from './walk.ts';

/** Options of {@link backward}. */
export interface BackwardOptions {
  /** Of some later value by the root; null: 1, where that is a single number. @defaultValue null */
  gradient?: Tensor | null;
  /** Whether to keep what the graph saved for another walk; null: what createGraph is. @defaultValue null */
  retainGraph?: boolean | null;
  /** Whether to note the walk itself, for derivatives of derivatives. @defaultValue false */
  createGraph?: boolean;
  /** The tensors whose `.grad` is to change; null: all leaves that took part. @defaultValue null */
  inputs?: Tensor | readonly Tensor[] | null;
}

/** @param gradient only read, so that its strides do not matter */
function checkRoot(op: string, root: Tensor, gradient: Tensor | null): void {
  root.checkAlive();
  if (!root.requiresGrad)
    throw new GradError(
      `${op}: expected a result that depends on a tensor with requiresGrad, got one that does not (made in noGrad, or of plain tensors)`,
    );
  if (!gradient) {
    if (root.size === 1) return;
    throw new GradError(
      `${op}: expected a single number, got shape ${formatShape(root.sizes)}; reduce it with sum() or mean(), or pass its gradient`,
    );
  }
  gradient.checkAlive();
  expectDtype(op, gradient, 'f32');
  if (!sameShape(gradient.sizes, root.sizes))
    throw new ShapeError(
      `${op}: expected a gradient of shape ${formatShape(root.sizes)}, got ${formatShape(gradient.sizes)}`,
    );
}

/** The tensors by which gradients are asked for. */
function inputsOf(op: string, inputs: Tensor | readonly Tensor[]): readonly Tensor[] {
  const list = inputs instanceof Tensor ? [inputs] : inputs;
  for (const x of list) {
    x.checkAlive();
    if (!x.requiresGrad)
      throw new GradError(
        `${op}: expected inputs that require a gradient, got one of shape ${formatShape(x.sizes)} that does not; call requiresGrad_() before it is used`,
      );
  }
  return list;
}

/**
 * Adds d root / d x to `x.grad` of every leaf x with requiresGrad (and of tensors with retainGrad()). Either all of
 * them change or, after an error, none.
 * @param gradient of some later value by `root`; may be left out when `root` is a single number
 * @throws GradError where there is nothing to differentiate, or the graph was walked already
 * @example
 * ```ts
 * const w = tensor([1, 2, 3], { requiresGrad: true });
 * w.square().sum().backward();
 * console.log(w.grad?.toArray()); // [2, 4, 6]
 * ```
 */
export const backward = taking<
  Callable<
    [root: Tensor],
    [
      gradient: Tensor | null,
      retainGraph: boolean | null,
      createGraph: boolean,
      inputs: Tensor | readonly Tensor[] | null,
    ],
    BackwardOptions,
    void
  >
>(
  // Hooks of modules run inside: their errors have names of their own.
  'backward(root: Tensor, gradient: Tensor|null = null, retainGraph: bool|null = null, createGraph: bool = false, inputs: Tensor|Tensor[]|null = null)',
  accumulate,
);

function accumulate(
  root: Tensor,
  gradient: Tensor | null,
  retainGraph: boolean | null,
  createGraph: boolean,
  given: Tensor | readonly Tensor[] | null,
): void {
  checkRoot('backward', root, gradient);
  const inputs = given && new Set(inputsOf('backward', given));
  const wanted = (x: Tensor): boolean => (inputs ? inputs.has(x) : x.requiresGrad && (x.isLeaf || x.retainsGrad));
  /** Those with a `.grad` that another one replaces. */
  const replaced = new Set<Tensor>();
  listeners.began?.(root, inputs);
  const results = walk([root], [gradient], wanted, { retainGraph, createGraph }, (found) => {
    for (const [x, g] of found) {
      if (!x.grad) continue;
      checkGradient('backward', x, x.grad);
      if (createGraph || x.grad.isSparse) replaced.add(x);
      found.set(x, replaced.has(x) ? sumOf(x.grad, g) : denseOf(g));
    }
  });
  const { arena } = runtime();
  for (const [x, g] of results) {
    const before = x.grad;
    if (before && !replaced.has(x)) {
      withTape(false, () => ops.addInto({ y: before, x: g }));
      g.dispose();
      continue;
    }
    if (before?.isSparse) x.clearGrad();
    x.takeGrad(g);
    // A gradient lives as long as what it belongs to.
    arena.follow(g.block, x.block);
  }
  if (listeners.accumulated) for (const x of results.keys()) listeners.accumulated(x);
}

/** Options of {@link grad}. */
export interface GradOptions {
  /** Whether to keep what the graph saved for another walk; null: what createGraph is. @defaultValue null */
  retainGraph?: boolean | null;
  /** Whether to note the walk itself, for derivatives of derivatives. @defaultValue false */
  createGraph?: boolean;
  /**
   * The gradient of some later value by each output; null: 1, where that is a single number.
   * @defaultValue null
   */
  gradOutputs?: Tensor | readonly (Tensor | null)[] | null;
  /**
   * Whether an input that takes no part gives null, and does not throw; null: what materializeGrads is.
   * @defaultValue null
   */
  allowUnused?: boolean | null;
  /** Whether an input that takes no part gives zeros of its shape. @defaultValue false */
  materializeGrads?: boolean;
}

/**
 * The gradients of `outputs` (summed) by `inputs`, without touching `.grad` (PyTorch's `autograd.grad`).
 * @throws GradError where an input does not take part, unless `allowUnused`: then null
 */
export const grad = callable<
  Callable<
    [outputs: Tensor | readonly Tensor[], inputs: Tensor | readonly Tensor[]],
    [
      gradOutputs: Tensor | readonly (Tensor | null)[] | null,
      retainGraph: boolean | null,
      createGraph: boolean,
      onlyInputs: true,
      allowUnused: boolean | null,
      isGradsBatched: false,
      materializeGrads: boolean,
    ],
    GradOptions,
    (Tensor | null)[],
    ['outputs', 'inputs']
  >
>(
  'grad(outputs: Tensor|Tensor[], inputs: Tensor|Tensor[], gradOutputs: Tensor|gradients|null = null, retainGraph: bool|null = null, createGraph: bool = false, -onlyInputs: bool = true, allowUnused: bool|null = null, -isGradsBatched: bool = false, materializeGrads: bool = false)',
  gradients,
  {
    gradients: [
      (x) => Array.isArray(x) && x.every((g) => g === null || g === undefined || g instanceof Tensor),
      'a list of tensors or null',
    ],
  },
);

function gradients(
  outputs: Tensor | readonly Tensor[],
  inputs: Tensor | readonly Tensor[],
  ...[gradOutputs, retainGraph, createGraph, , allowUnused, , materializeGrads]: [
    Tensor | readonly (Tensor | null)[] | null,
    boolean | null,
    boolean,
    true,
    boolean | null,
    false,
    boolean,
  ]
): (Tensor | null)[] {
  const roots = outputs instanceof Tensor ? [outputs] : outputs;
  const given = gradOutputs instanceof Tensor ? [gradOutputs] : (gradOutputs ?? roots.map(() => null));
  if (given.length !== roots.length)
    throw new ArgumentError(`grad: expected ${roots.length} gradOutputs, one for each output, got ${given.length}`);
  roots.forEach((root, i) => {
    checkRoot('grad', root, given[i] ?? null);
  });
  const list = inputsOf('grad', inputs);
  const set = new Set(list);
  const wanted = (x: Tensor): boolean => set.has(x);
  const results = walk(roots, given, wanted, { retainGraph, createGraph }, (found) => {
    const unused = list.findIndex((x) => !found.has(x));
    if (unused >= 0 && !(allowUnused ?? materializeGrads))
      throw new GradError(
        `grad: expected input ${unused} of shape ${formatShape((list[unused] as Tensor).sizes)} to take part in the outputs, got one that does not; pass { allowUnused: true }`,
      );
  });
  return list.map(
    (input) => results.get(input) ?? (materializeGrads ? ops.full({}, { shape: input.sizes, value: 0 }) : null),
  );
}
