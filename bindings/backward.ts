// What users call to differentiate: backward() and grad(). walk.ts does the work.
import { ops, setGradEnabled } from './autograd.ts';
import { runtime } from './engine/engine.ts';
import { ArgumentError, formatShape, GradError, ShapeError } from './memory/errors.ts';
import { expectDtype, sameShape } from './ops/shapes.ts';
import { checkGradient, Tensor } from './tensor.ts';
import { walk } from './walk.ts';

/** Options of {@link backward}. */
export interface BackwardOptions {
  /** Whether to keep what the graph saved, for another walk through it. @defaultValue what createGraph is */
  retainGraph?: boolean;
  /** Whether to note the walk itself, for derivatives of derivatives. @defaultValue false */
  createGraph?: boolean;
  /** The tensors whose `.grad` is to change; null: all leaves that took part. @defaultValue null */
  inputs?: Tensor | readonly Tensor[] | null;
}

function checkRoot(op: string, root: unknown, gradient: unknown): asserts root is Tensor {
  if (!(root instanceof Tensor))
    throw new ArgumentError(`${op}: expected tensors to differentiate, got ${typeNameOf(root)}`);
  root.checkAlive();
  if (!root.requiresGrad)
    throw new GradError(
      `${op}: expected a result that depends on a tensor with requiresGrad, got one that does not (made in noGrad, or of plain tensors)`,
    );
  if (gradient === null || gradient === undefined) {
    if (root.size !== 1)
      throw new GradError(
        `${op}: expected a single number, got shape ${formatShape(root.sizes)}; reduce it with sum() or mean(), or pass its gradient`,
      );
    return;
  }
  // It is only read, so that its strides do not matter.
  if (!(gradient instanceof Tensor))
    throw new ArgumentError(`${op}: expected a tensor as the gradient, got ${typeNameOf(gradient)}`);
  gradient.checkAlive();
  expectDtype(op, gradient, 'f32');
  if (!sameShape(gradient.sizes, root.sizes))
    throw new ShapeError(
      `${op}: expected a gradient of shape ${formatShape(root.sizes)}, got ${formatShape(gradient.sizes)}`,
    );
}

const typeNameOf = (x: unknown): string => (x === null ? 'null' : Array.isArray(x) ? 'an array' : typeof x);

/** The tensors among which gradients are asked for. */
function expectInputs(op: string, inputs: unknown): readonly Tensor[] {
  const list = inputs instanceof Tensor ? [inputs] : inputs;
  if (!Array.isArray(list) || !list.every((x) => x instanceof Tensor))
    throw new ArgumentError(`${op}: expected a tensor or a list of tensors as inputs, got ${typeNameOf(inputs)}`);
  for (const x of list as Tensor[]) {
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
export function backward(root: Tensor, gradient: Tensor | null = null, options: BackwardOptions = {}): void {
  checkRoot('backward', root, gradient);
  const inputs = options.inputs ? new Set(expectInputs('backward', options.inputs)) : null;
  const wanted = (x: Tensor): boolean => (inputs ? inputs.has(x) : x.requiresGrad && (x.isLeaf || x.retainsGrad));
  const sums = new Map<Tensor, Tensor>();
  const results = walk([root], [gradient], wanted, options, (found) => {
    for (const x of found.keys()) if (x.grad) checkGradient('backward', x, x.grad);
    if (options.createGraph) for (const [x, g] of found) if (x.grad) sums.set(x, ops.add({ a: x.grad, b: g }));
  });
  const { arena } = runtime();
  for (const [x, g] of results) {
    const sum = sums.get(x);
    if (x.grad && !sum) {
      const before = x.grad;
      setGradEnabled(false, () => ops.addInto({ y: before, x: g }));
      g.dispose();
      continue;
    }
    x.takeGrad(sum ?? g);
    // A gradient lives as long as what it belongs to.
    arena.follow((sum ?? g).block, x.block);
  }
}

/** Options of {@link grad}. */
export interface GradOptions {
  /** Whether to keep what the graph saved, for another walk through it. @defaultValue what createGraph is */
  retainGraph?: boolean;
  /** Whether to note the walk itself, for derivatives of derivatives. @defaultValue false */
  createGraph?: boolean;
  /**
   * The gradient of some later value by each output, or null for 1.
   * @defaultValue 1, where the outputs are single numbers
   */
  gradOutputs?: readonly (Tensor | null)[] | null;
  /** Whether an input that takes no part gives null; otherwise it throws. @defaultValue what materializeGrads is */
  allowUnused?: boolean;
  /** Whether an input that takes no part gives zeros of its shape. @defaultValue false */
  materializeGrads?: boolean;
}

/**
 * The gradients of `outputs` (summed) by `inputs`, without touching `.grad` (PyTorch's `autograd.grad`).
 * @throws GradError where an input does not take part, unless `allowUnused`: then null
 */
export function grad(
  outputs: Tensor | readonly Tensor[],
  inputs: Tensor | readonly Tensor[],
  options: GradOptions = {},
): (Tensor | null)[] {
  const { gradOutputs, materializeGrads = false, allowUnused = materializeGrads } = options;
  const roots = outputs instanceof Tensor ? [outputs] : outputs;
  if (!Array.isArray(roots))
    throw new ArgumentError(`grad: expected a tensor or a list of tensors as outputs, got ${typeNameOf(outputs)}`);
  if (gradOutputs && (!Array.isArray(gradOutputs) || gradOutputs.length !== roots.length))
    throw new ArgumentError(
      `grad: expected a list of ${roots.length} gradients as gradOutputs, one for each output, got ${Array.isArray(gradOutputs) ? gradOutputs.length : typeNameOf(gradOutputs)}`,
    );
  const given = roots.map((root, i) => {
    const gradient = gradOutputs?.[i] ?? null;
    checkRoot('grad', root, gradient);
    return gradient;
  });
  const list = expectInputs('grad', inputs);
  const set = new Set(list);
  const results = walk(
    roots,
    given,
    (x) => set.has(x),
    options,
    (found) => {
      const unused = list.findIndex((x) => !found.has(x));
      if (unused >= 0 && !allowUnused)
        throw new GradError(
          `grad: expected input ${unused} of shape ${formatShape((list[unused] as Tensor).sizes)} to take part in the outputs, got one that does not; pass { allowUnused: true }`,
        );
    },
  );
  return list.map(
    (input) => results.get(input) ?? (materializeGrads ? ops.full({}, { shape: input.sizes, value: 0 }) : null),
  );
}
