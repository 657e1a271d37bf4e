// What users have called before and after forward, and on the way back.
import { notes } from '../autograd.ts';
import { ArgumentError, formatShape } from '../memory/errors.ts';
import { Node } from '../node.ts';
import { f32, grad, many, type OpName, type Row, row, signature, strided } from '../ops/core.ts';
import { sameShape } from '../ops/shapes.ts';
import { Tensor } from '../tensor.ts';

/** Gradients by position; null where there is none. */
export type Gradients = readonly (Tensor | null)[];

/** The forward that the author of a module gave it, or any one where it is not known which. */
export type Forward<M> = M extends {
  /** What it computes. */
  forward: infer F extends (...args: never[]) => unknown;
}
  ? F
  : (...args: never[]) => unknown;
/** The arguments of forward; those of any module where it is not known of which. */
export type Given<M> = Parameters<Forward<M>> extends never[] ? unknown[] : Parameters<Forward<M>>;
/**
 * Called before forward with its arguments. What it returns, if anything, takes their place: a list of all of them, or
 * one value for the only one.
 */
export type ForwardPreHook<M = object> = (module: M, args: Given<M>) => unknown;
/** Called after forward with its arguments and its result. What it returns, if anything, takes the result's place. */
export type ForwardHook<M = object> = (module: M, args: Given<M>, output: ReturnType<Forward<M>>) => unknown;
/**
 * Called by backward with the gradients of the arguments and of the results: those of a list or an object one by one.
 * What it returns, if anything, takes the place of the gradients of the arguments. They go when backward ends: keep()
 * what has to last.
 */
export type BackwardHook<M = object> = (module: M, gradInput: Gradients, gradOutput: Gradients) => unknown;

/** The hooks of a module. */
export interface Hooks {
  readonly before: readonly ForwardPreHook[];
  readonly after: readonly ForwardHook[];
  readonly backward: readonly BackwardHook[];
}

const s = signature({ x: many(strided(f32)) }, {});

/**
 * The same tensors with a station on the way back: `visit` gets their gradients when all that will come has come, and
 * says what goes on.
 */
function tapped(xs: readonly Tensor[], visit: (gradients: Gradients) => Gradients): Tensor[] {
  const names = xs.map((_, i) => `y${i}`);
  const outputs = Object.fromEntries(names.map((name) => [name, grad]));
  const tap: Row = row({ ...s, outputs }, {
    view: ({ x }: { x: readonly Tensor[] }) => x[0],
    backward: (_: unknown, g: Tensor | Record<string, Tensor | null>) => ({
      x: visit(names.map((name) => (g as Record<string, Tensor | null>)[name] ?? null)),
    }),
  } as never);
  const ys = xs.map((x) => x.detach());
  const results = Object.fromEntries(ys.map((y, i) => [names[i], y]));
  const node = new Node('hook' as OpName, tap, { x: xs }, { x: xs }, results, undefined, { x: xs.map(() => true) });
  for (const [slot, y] of ys.entries()) y.madeBy(node, slot);
  return ys;
}

const isWanted = (x: unknown): x is Tensor => x instanceof Tensor && x.requiresGrad;

/** `values` with a station for those that want gradients, whose visitor sees null for the others. */
function tap(values: readonly unknown[], visit: (gradients: Gradients) => Gradients): unknown[] {
  const at = values.flatMap((value, i) => (isWanted(value) ? [i] : []));
  const ys = tapped(
    at.map((i) => values[i] as Tensor),
    (gradients) => {
      const all = visit(values.map((_, i) => gradients[at.indexOf(i)] ?? null));
      return at.map((i) => all[i] ?? null);
    },
  );
  return values.map((value, i) => (isWanted(value) ? ys[at.indexOf(i)] : value));
}

/** The values of a result: itself, or those of a list or an object; and a result with others in their place. */
function parts(result: unknown): { values: unknown[]; join: (values: readonly unknown[]) => unknown } {
  if (Array.isArray(result)) return { values: result, join: (values) => [...values] };
  if (typeof result === 'object' && result !== null && Object.getPrototypeOf(result) === Object.prototype) {
    const keys = Object.keys(result);
    return {
      values: Object.values(result),
      join: (values) => Object.fromEntries(keys.map((key, i) => [key, values[i]])),
    };
  }
  return { values: [result], join: ([value]) => value };
}

/** What the hooks make of `gradInput`. @throws ArgumentError, ShapeError where one returns what does not fit */
function askBackward(module: object, hooks: Hooks, gradInput: Gradients, gradOutput: Gradients): Gradients {
  let gradients = gradInput;
  for (const hook of hooks.backward) {
    const given: unknown = hook(module, gradients, gradOutput) ?? gradients;
    const next: unknown = given instanceof Tensor ? [given] : given;
    const op = `${module.constructor.name}: a backward hook`;
    if (!Array.isArray(next) || next.length !== gradients.length)
      throw new ArgumentError(`${op}: expected ${gradients.length} gradients or none, got ${String(given)}`);
    next.forEach((g: unknown, i) => {
      const was = gradients[i];
      if (!g && !was) return;
      if (!(was && g instanceof Tensor && g.dtype === 'f32' && sameShape(g.shape, was.shape)))
        throw new ArgumentError(
          `${op}: expected ${was ? `an f32 tensor of shape ${formatShape(was.shape)}` : 'null'} as gradient ${i}, got ${String(g)}`,
        );
      g.checkAlive();
    });
    gradients = next as Gradients;
  }
  return gradients;
}

/** Calls forward between its hooks. */
export function callHooked(
  module: object,
  hooks: Hooks,
  given: readonly unknown[],
  forward: (args: readonly unknown[]) => unknown,
): unknown {
  let args = [...given];
  for (const hook of hooks.before) {
    const next = hook(module, args as never[]) ?? args;
    args = Array.isArray(next) ? [...next] : [next];
  }
  const watched = hooks.backward.length > 0 && notes();
  let gradOutput: Gradients | null = null;
  const wanting = watched && args.some(isWanted);
  if (wanting)
    args = tap(args, (gradInput) => {
      // Without those of the results the way back has not come through the module, such as for a second derivative.
      if (!gradOutput) return gradInput;
      const given = gradOutput;
      gradOutput = null;
      const gradients = askBackward(module, hooks, gradInput, given);
      for (const g of given) if (g) g.block.gradients--;
      return gradients;
    });
  let result = forward(args);
  for (const hook of hooks.after) result = hook(module, args as never[], result) ?? result;
  const { values, join } = parts(result);
  if (!watched || !values.some(isWanted)) return result;
  return join(
    tap(values, (gradients) => {
      if (!wanting)
        askBackward(
          module,
          hooks,
          args.map(() => null),
          gradients,
        );
      else {
        gradOutput = gradients;
        // They have to last until the gradients of the arguments are there.
        for (const g of gradients) if (g) g.block.gradients++;
      }
      return gradients;
    }),
  );
}
