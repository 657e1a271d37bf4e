// Functions with a gradient of the user's own.
import { notes, ops, withoutTape } from '../autograd.ts';
import { standIn } from '../histories.ts';
import { ArgumentError, describe, expectSynchronous, formatShape, GradError, ShapeError } from '../memory/errors.ts';
import { Node } from '../node.ts';
import { any, type Bag, many, type OpName, type Row } from '../ops/core.ts';
import { sameShape } from '../sizes.ts';
import { Tensor } from '../tensor.ts';

/** What forward leaves for backward; fields of your own may be set on it. */
export interface FunctionContext {
  /** Which arguments of apply() require a gradient; backward may give null for the others. */
  readonly needsInputGrad: readonly boolean[];
  /** What {@link FunctionContext.saveForBackward} was given. */
  readonly savedTensors: readonly (Tensor | null)[];
  /**
   * Keeps arguments and results for backward, which is refused where one was written since. Derivatives of derivatives
   * flow through what is saved here, and not through tensors in fields.
   */
  saveForBackward(...tensors: (Tensor | null)[]): void;
  /** Results that have no gradient. */
  markNonDifferentiable(...results: Tensor[]): void;
  /** Arguments that forward writes in place, and gives as results. */
  markDirty(...args: Tensor[]): void;
  /** Whether backward gets zeros for results that nobody used, which is the default, or null. */
  setMaterializeGrads(value: boolean): void;
  [field: string]: unknown;
}

/** What forward gives: a tensor, or a list with tensors in it. */
export type FunctionResult = Tensor | readonly unknown[];
/** A gradient or null for each argument of forward; one alone for the only one. */
export type FunctionGradients = Tensor | null | readonly (Tensor | null | undefined)[];

/** A class that extends {@link GradFunction}. */
export interface FunctionDefinition {
  /** Its name, by which errors call it. */
  readonly name: string;
  /** What is computed. */
  forward(ctx: FunctionContext, ...args: never[]): FunctionResult;
  /** Where there is one, forward takes no context: this leaves in it what backward needs. */
  setupContext?(ctx: FunctionContext, inputs: readonly unknown[], output: FunctionResult): void;
  /** The gradients of the arguments of forward by those of its results. */
  // biome-ignore lint/suspicious/noExplicitAny: gradients are tensors, or null after setMaterializeGrads(false)
  backward(ctx: FunctionContext, ...gradients: any[]): FunctionGradients;
}

/** A class that extends {@link GradFunction}, whose forward takes no context. */
export interface FunctionWithSetup<A extends unknown[], Y extends FunctionResult> {
  /** Its name, by which errors call it. */
  readonly name: string;
  /** What is computed. */
  forward(...args: A): Y;
  /** Leaves in ctx what backward needs of the arguments and of what forward gave. */
  setupContext(ctx: FunctionContext, inputs: A, output: Y): void;
  /** The gradients of the arguments of forward by those of its results. */
  // biome-ignore lint/suspicious/noExplicitAny: gradients are tensors, or null after setMaterializeGrads(false)
  backward(ctx: FunctionContext, ...gradients: any[]): FunctionGradients;
}

class Context {
  readonly needsInputGrad: readonly boolean[];
  savedTensors: readonly (Tensor | null)[] = [];
  [field: string]: unknown;
  readonly #plain = new Set<Tensor>();
  readonly #dirty = new Set<Tensor>();
  #materializes = true;

  constructor(needs: readonly boolean[]) {
    this.needsInputGrad = needs;
  }

  saveForBackward(...tensors: (Tensor | null)[]): void {
    for (const x of tensors)
      if (x !== null && !(x instanceof Tensor))
        throw new ArgumentError(`saveForBackward: expected tensors or null, got ${describe(x)}; set a field of ctx`);
    this.savedTensors = tensors;
  }

  markNonDifferentiable(...results: Tensor[]): void {
    for (const y of results) this.#plain.add(y);
  }

  markDirty(...args: Tensor[]): void {
    for (const x of args) this.#dirty.add(x);
  }

  setMaterializeGrads(value: boolean): void {
    this.#materializes = value;
  }

  /** Whether a result has a gradient. */
  differentiates(y: unknown): y is Tensor {
    return y instanceof Tensor && y.dtype === 'f32' && !this.#plain.has(y);
  }

  get dirty(): ReadonlySet<Tensor> {
    return this.#dirty;
  }

  get materializes(): boolean {
    return this.#materializes;
  }
}

/** Whether a gradient of shape `from` may be summed to `to`, as after a broadcast. */
const sumsTo = (from: readonly number[], to: readonly number[]): boolean =>
  from.length >= to.length &&
  to.every((size, d) => size === 1 || size === (from[from.length - to.length + d] as number));

/** The gradients of the tensors among `args`. @throws ArgumentError, ShapeError where they do not fit */
function fitting(name: string, given: FunctionGradients, args: readonly unknown[]): (Tensor | null)[] {
  const list = Array.isArray(given) ? given : [given];
  const rest = list.slice(args.length);
  if (list.length < args.length || rest.some((g) => g !== null && g !== undefined))
    throw new ArgumentError(
      `${name}.backward: expected ${args.length} gradients, one for each argument of forward or null, got ${list.length}`,
    );
  return args.flatMap((x, i) => {
    const g: unknown = list[i] ?? null;
    if (g !== null && !(x instanceof Tensor && g instanceof Tensor && g.dtype === 'f32'))
      throw new ArgumentError(
        `${name}.backward: expected ${x instanceof Tensor ? 'an f32 tensor or null' : 'null, as it is no tensor'}, as the gradient of argument ${i}, got ${describe(g)}`,
      );
    if (!(x instanceof Tensor)) return [];
    if (g && !sameShape(g.sizes, x.sizes) && !sumsTo(g.sizes, x.sizes))
      throw new ShapeError(
        `${name}.backward: expected a gradient of shape ${formatShape(x.sizes)} for argument ${i}, got ${formatShape(g.sizes)}`,
      );
    return [g];
  });
}

/** Notes the call: the results that have gradients, as they go to the caller. */
function note(
  definition: FunctionDefinition,
  ctx: Context,
  args: readonly unknown[],
  results: readonly unknown[],
): unknown[] {
  const dirty = new Map<Tensor, Tensor>();
  for (const x of ctx.dirty) {
    if (!results.includes(x) || !args.includes(x))
      throw new ArgumentError(`markDirty: expected arguments that are results, got one that is not; return it`);
    if (x.source || (x.requiresGrad && x.isLeaf))
      throw new GradError(
        `markDirty: expected no ${x.source ? 'view' : 'leaf that requires a gradient'}, got one; write inside noGrad(() => …)`,
      );
  }
  const needs = args.flatMap((x) => (x instanceof Tensor ? [x.requiresGrad] : []));
  for (const x of ctx.dirty) dirty.set(x, standIn(x, true));
  const inputs = args.flatMap((x) => (x instanceof Tensor ? [dirty.get(x) ?? x] : []));
  // What forward gave may be anybody's: the caller gets another tensor over the same memory.
  const given = results.map((y) => (!(y instanceof Tensor) || dirty.has(y) ? y : y.detach()));
  const slots = results.flatMap((y, i) => (ctx.differentiates(y) ? [i] : []));
  const names = slots.map((i) => `y${i}`);
  const made = Object.fromEntries(slots.map((i) => [`y${i}`, given[i] as Tensor]));
  const zeros = (y: unknown): Tensor | null =>
    ctx.materializes && y instanceof Tensor ? ops.full({}, { shape: y.sizes, value: 0 }) : null;
  const row: Row = {
    inputs: [{ ...many(any), name: 'x' }],
    outputs: names.map((name) => ({ name, role: 'grad' })),
    sole: null,
    differentiable: names,
    auxiliary: [],
    writes: false,
    looks: false,
    rules: {
      saves: ['saved'],
      backward: (_, g) => {
        const gradients = results.map((y, i) => g[`y${i}`] ?? zeros(y));
        return { x: fitting(definition.name, definition.backward(ctx as FunctionContext, ...gradients), args) };
      },
    },
  };
  // Derivatives of derivatives flow through saved results as through any.
  ctx.savedTensors = ctx.savedTensors.map((x) => {
    const at = x ? results.indexOf(x) : -1;
    return at < 0 ? x : (given[at] as Tensor);
  });
  const ready = { x: inputs, saved: ctx.savedTensors.filter((x) => x !== null) } as Bag;
  const node = new Node(definition.name as OpName, row, { x: inputs }, ready, made, undefined, { x: needs });
  for (const [slot, y] of node.outputs.entries()) {
    y.madeBy(node, slot);
    if (dirty.has(y)) y.edition++;
  }
  return given;
}

/**
 * A function with a gradient of its own (PyTorch's `autograd.Function`): a class with `static forward(ctx, …args)`,
 * whose ops are not noted, and `static backward(ctx, …gradients)`, which gives a gradient or null for each argument of
 * forward. It is called by `apply`. With a `static setupContext(ctx, inputs, output)` beside, forward takes no ctx.
 * Where backward is made of ops, there are derivatives of derivatives; in compiled functions it is a part of the
 * program.
 * @example
 * ```ts
 * class Cube extends autograd.Function {
 *   static forward(ctx: autograd.FunctionContext, x: Tensor): Tensor {
 *     ctx.saveForBackward(x);
 *     return x.mul(x).mul(x);
 *   }
 *   static backward(ctx: autograd.FunctionContext, grad: Tensor): Tensor {
 *     const [x] = ctx.savedTensors as [Tensor];
 *     return grad.mul(x.square().mul(3));
 *   }
 * }
 * const x = tensor([1, 2], { requiresGrad: true });
 * Cube.apply(x).sum().backward();
 * console.log(x.grad?.toArray()); // [3, 12]
 * ```
 */
// biome-ignore lint/complexity/noStaticOnlyClass: users extend it, as in PyTorch
export class GradFunction {
  /**
   * Calls forward, and notes backward where an argument requires a gradient.
   * @returns what forward gives: a tensor, or a list with tensors in it
   * @throws ArgumentError for anything else; what forward throws
   */
  static apply<A extends unknown[], Y extends FunctionResult>(this: FunctionWithSetup<A, Y>, ...args: A): Y;
  static apply<A extends unknown[], Y extends FunctionResult>(
    this: FunctionDefinition & { forward(ctx: FunctionContext, ...args: A): Y },
    ...args: A
  ): Y;
  static apply(this: FunctionDefinition, ...args: unknown[]): FunctionResult {
    // biome-ignore lint/complexity/noThisInStatic: the class that extends this one
    return call(this, args);
  }
}

function call(definition: FunctionDefinition, args: readonly unknown[]): FunctionResult {
  if (typeof definition.forward !== 'function' || typeof definition.backward !== 'function')
    throw new ArgumentError(
      `${definition.name}.apply: expected a class with static forward and backward, got one without; extend autograd.Function`,
    );
  const ctx = new Context(args.map((x) => x instanceof Tensor && x.requiresGrad));
  const { setupContext } = definition;
  const result = withoutTape((): FunctionResult => {
    if (!setupContext) return definition.forward(ctx as FunctionContext, ...(args as never[]));
    const output = (definition.forward as (...args: never[]) => FunctionResult)(...(args as never[]));
    setupContext.call(definition, ctx as FunctionContext, args, output);
    return output;
  });
  expectSynchronous('apply', result);
  const list: readonly unknown[] = result instanceof Tensor ? [result] : result;
  if (!Array.isArray(list))
    throw new ArgumentError(`${definition.name}.forward: expected a tensor or a list, got ${describe(result)}`);
  if (!notes() || !ctx.needsInputGrad.includes(true)) return result;
  const given = note(definition, ctx, args, list);
  return result instanceof Tensor ? (given[0] as Tensor) : given;
}
