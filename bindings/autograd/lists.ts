// What functions of users take and give: a tensor, or a list of them.
import { withTape } from '../autograd.ts';
import { grad } from '../backward.ts';
import { full } from '../creation.ts';
import { ArgumentError, describe, expectSynchronous, formatShape, GradError, ShapeError } from '../memory/errors.ts';
import { sameShape } from '../ops/shapes.ts';
import { Tensor } from '../tensor.ts';

/** A tensor, or several. */
export type Tensors = Tensor | readonly Tensor[];
/** What is made for a tensor, or for each of a list. */
export type Alike<I extends Tensors, Y> = I extends Tensor ? Y : Y[];
/** A function of one tensor, or of as many as a list has. */
export type FunctionOf<I extends Tensors, Y extends Tensors = Tensors> = (
  ...inputs: I extends Tensor ? [Tensor] : Tensor[]
) => Y;

export const listOf = (xs: Tensors): readonly Tensor[] => (xs instanceof Tensor ? [xs] : xs);
/** The results, one where there was one. */
export const alike = <I extends Tensors, Y>(like: I, ys: readonly Y[]): Alike<I, Y> =>
  (like instanceof Tensor ? ys[0] : [...ys]) as Alike<I, Y>;

/** Stands for the inputs: with a history where derivatives of what is made are wanted. */
export const leavesOf = (inputs: Tensors, createGraph: boolean): Tensor[] =>
  listOf(inputs).map((x) => {
    if (createGraph && x.requiresGrad) return withTape(true, () => x.view(x.shape));
    return x.detach().requiresGrad_();
  });

/** Calls `fn`, which is to give tensors. @throws ArgumentError */
export function callOn(op: string, fn: (...xs: Tensor[]) => unknown, xs: readonly Tensor[]): Tensors {
  const ys = withTape(true, () => fn(...xs));
  expectSynchronous(op, ys);
  const list = ys instanceof Tensor ? [ys] : ys;
  if (!Array.isArray(list) || !list.every((y) => y instanceof Tensor))
    throw new ArgumentError(`${op}: expected func to give a tensor or a list of them, got ${describe(ys)}`);
  return ys as Tensors;
}

/** `v`, one for each of `xs`; where it is left out 1, for a single number. @throws ArgumentError, ShapeError */
export function directions(op: string, v: Tensors | null, xs: readonly Tensor[], what: string): readonly Tensor[] {
  if (!v) {
    if (xs.length === 1 && xs[0]?.size === 1) return [full(xs[0].shape, 1)];
    throw new ArgumentError(`${op}: expected v, as func ${what} is more than a single number, got none`);
  }
  const list = listOf(v);
  if (list.length !== xs.length)
    throw new ArgumentError(`${op}: expected ${xs.length} tensors as v, got ${list.length}`);
  for (const [i, x] of xs.entries())
    if (!sameShape((list[i] as Tensor).sizes, x.sizes))
      throw new ShapeError(
        `${op}: expected v of the shape ${formatShape(x.sizes)} of ${what} ${i}, got ${formatShape((list[i] as Tensor).sizes)}`,
      );
  return list;
}

/** How derivatives are taken. */
export interface Manner {
  readonly op: string;
  readonly createGraph: boolean;
  readonly strict: boolean;
}

/**
 * The gradients of `ys`, weighed by `vs`, by each of `xs`: zeros where one takes no part.
 * @throws GradError in strict manner instead
 */
export function gradientsOf(
  ys: readonly Tensor[],
  vs: readonly Tensor[],
  xs: readonly Tensor[],
  { op, createGraph, strict }: Manner,
): Tensor[] {
  const at = ys.flatMap((y, i) => (y.requiresGrad ? [i] : []));
  const options = { createGraph, retainGraph: true, allowUnused: true };
  const gradOutputs = at.map((i) => vs[i] as Tensor);
  const outputs = at.map((i) => ys[i] as Tensor);
  const found = at.length > 0 ? grad(outputs, xs, { ...options, gradOutputs }) : [];
  return xs.map((x, i) => {
    const g = found[i] ?? null;
    if (!g && strict)
      throw new GradError(`${op}: expected every input to take part, got one (${i}) that does not; leave out strict`);
    return g ?? full(x.shape, 0);
  });
}
