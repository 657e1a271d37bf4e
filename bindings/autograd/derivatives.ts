// Derivatives of functions (PyTorch's torch.autograd.functional).
import { withTape } from '../autograd.ts';
import { grad } from '../backward.ts';
import { eye, full, zerosLike } from '../creation.ts';
import { stack } from '../functional/shape.ts';
import { ArgumentError, formatShape } from '../memory/errors.ts';
import { scope } from '../scope.ts';
import { type Callable, taking } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import {
  type Alike,
  alike,
  callOn,
  directions,
  type FunctionOf,
  gradientsOf,
  leavesOf,
  listOf,
  type Manner,
  type Tensors,
} from './lists.ts';

/** Options of {@link jacobian}, {@link hessian} and the products with them. */
export interface DerivativeOptions {
  /** Whether to note the derivatives themselves, for derivatives of them. @defaultValue false */
  createGraph?: boolean;
  /** Whether an input that takes no part throws, and does not give zeros. @defaultValue false */
  strict?: boolean;
}
/** Options of {@link vjp}, {@link jvp}, {@link vhp} and {@link hvp}. */
export interface ProductOptions extends DerivativeOptions {
  /** What it is multiplied by; null: 1, where that is a single number. @defaultValue null */
  v?: Tensors | null;
}

type Fn = (...xs: Tensor[]) => unknown;
const TAKES = 'func: function, inputs: Tensor|Tensor[]';
const OPTIONS = 'createGraph: bool = false, strict: bool = false';

/** Runs `fn`; without createGraph nothing stays but what it gives, which has no history. */
function apart<T>(createGraph: boolean, fn: () => T): T {
  return createGraph ? withTape(true, fn) : scope(fn);
}
const left = (xs: readonly Tensor[], createGraph: boolean): Tensor[] => xs.map((x) => (createGraph ? x : x.detach()));
const leftAlike = (ys: Tensors, createGraph: boolean): Tensors => alike(ys, left(listOf(ys), createGraph));

/** What func gives, of one number. @throws ArgumentError */
function numberOf(op: string, fn: Fn, xs: readonly Tensor[]): Tensor {
  const ys = listOf(callOn(op, fn, xs));
  const [y] = ys;
  if (ys.length !== 1 || y?.size !== 1)
    throw new ArgumentError(
      `${op}: expected func to give one number, got ${ys.map(({ sizes }) => formatShape(sizes)).join(', ')}; sum() it`,
    );
  return y.reshape([]);
}

type ProductArguments<I extends Tensors, Y extends Tensors> = Parameters<
  Callable<
    [func: FunctionOf<I, Y>, inputs: I],
    [v: Tensors | null, createGraph: boolean, strict: boolean],
    ProductOptions,
    void,
    ['func', 'inputs']
  >
>;

/**
 * What func gives, and v · its Jacobian: for each input the gradient (PyTorch's `vjp`).
 * @param v of the shape of what func gives; may be left out where that is one number
 * @example
 * ```ts
 * const [y, dx] = autograd.vjp((x: Tensor) => x.square(), tensor([1, 2, 3]), ones([3]));
 * console.log(y.toArray(), dx.toArray()); // [1, 4, 9] [2, 4, 6]
 * ```
 */
export const vjp: <I extends Tensors, Y extends Tensors>(
  ...args: ProductArguments<I, Y>
) => [output: Y, product: Alike<I, Tensor>] = taking(
  `vjp(${TAKES}, v: Tensor|Tensor[]|null = null, ${OPTIONS})`,
  (fn: Fn, inputs: Tensors, v: Tensors | null, createGraph: boolean, strict: boolean) =>
    apart(createGraph, () => {
      const xs = leavesOf(inputs, createGraph);
      const ys = callOn('vjp', fn, xs);
      const vs = directions('vjp', v, listOf(ys), 'what it gives');
      const found = gradientsOf(listOf(ys), vs, xs, { op: 'vjp', createGraph, strict });
      return [leftAlike(ys, createGraph), alike(inputs, left(found, createGraph))] as never;
    }),
);

/** The Jacobian · vs, for each output: derivatives of gradients, which depend on their weights in a straight line. */
function forward(ys: readonly Tensor[], xs: readonly Tensor[], vs: readonly Tensor[], manner: Manner): Tensor[] {
  const weights = ys.map((y) => zerosLike(y).requiresGrad_());
  const gradients = gradientsOf(ys, weights, xs, { ...manner, createGraph: true });
  return gradientsOf(gradients, vs, weights, manner);
}

/**
 * What func gives, and its Jacobian · v: how fast it changes as the inputs go towards v (PyTorch's `jvp`, by two
 * backward passes).
 * @param v of the shape of the inputs; may be left out where they are one number
 */
export const jvp: <I extends Tensors, Y extends Tensors>(
  ...args: ProductArguments<I, Y>
) => [output: Y, product: Alike<Y, Tensor>] = taking(
  `jvp(${TAKES}, v: Tensor|Tensor[]|null = null, ${OPTIONS})`,
  (fn: Fn, inputs: Tensors, v: Tensors | null, createGraph: boolean, strict: boolean) =>
    apart(createGraph, () => {
      const xs = leavesOf(inputs, createGraph);
      const vs = directions('jvp', v, listOf(inputs), 'the input');
      const ys = callOn('jvp', fn, xs);
      const found = forward(listOf(ys), xs, vs, { op: 'jvp', createGraph, strict });
      return [leftAlike(ys, createGraph), alike(ys, left(found, createGraph))] as never;
    }),
);

const hessianProduct =
  (op: string) =>
  (fn: Fn, inputs: Tensors, v: Tensors | null, createGraph: boolean, strict: boolean): never =>
    apart(createGraph, () => {
      const xs = leavesOf(inputs, createGraph);
      const vs = directions(op, v, listOf(inputs), 'the input');
      const y = numberOf(op, fn, xs);
      const first = gradientsOf([y], [full([], 1)], xs, { op, createGraph: true, strict });
      const found = gradientsOf(first, vs, xs, { op, createGraph, strict });
      return [left([y], createGraph)[0], alike(inputs, left(found, createGraph))] as never;
    });

/**
 * What func gives, which is one number, and its Hessian · v, without the Hessian (PyTorch's `hvp`).
 * @param v of the shape of the inputs; may be left out where they are one number
 */
export const hvp: <I extends Tensors, Y extends Tensors>(
  ...args: ProductArguments<I, Y>
) => [output: Y, product: Alike<I, Tensor>] = taking(
  `hvp(${TAKES}, v: Tensor|Tensor[]|null = null, ${OPTIONS})`,
  hessianProduct('hvp'),
);

/** What func gives, which is one number, and v · its Hessian (PyTorch's `vhp`): the same as {@link hvp}. */
export const vhp: <I extends Tensors, Y extends Tensors>(
  ...args: ProductArguments<I, Y>
) => [output: Y, product: Alike<I, Tensor>] = taking(
  `vhp(${TAKES}, v: Tensor|Tensor[]|null = null, ${OPTIONS})`,
  hessianProduct('vhp'),
);

/** The Jacobian of `ys` by `xs`: for each output, for each input. */
function rowsOf(ys: readonly Tensor[], xs: readonly Tensor[], manner: Manner): Tensor[][] {
  return ys.map((y) => {
    if (y.size === 0) return xs.map((x) => full([...y.shape, ...x.shape], 0));
    const units = eye(y.size);
    const rows = Array.from({ length: y.size }, (_, i) =>
      gradientsOf([y], [units.select(0, i).reshape(y.shape)], xs, manner),
    );
    return xs.map((x, j) => stack(rows.map((row) => row[j] as Tensor)).reshape([...y.shape, ...x.shape]));
  });
}

type JacobianArguments<I extends Tensors, Y extends Tensors> = Parameters<
  Callable<
    [func: FunctionOf<I, Y>, inputs: I],
    [createGraph: boolean, strict: boolean, vectorize: false, strategy: 'reverse-mode'],
    DerivativeOptions,
    void,
    ['func', 'inputs']
  >
>;

/**
 * The derivatives of each number that func gives by each of the inputs: of shape [...output, ...input], for each output
 * and each input where there are lists (PyTorch's `jacobian`). One backward pass for each number that func gives.
 * @example
 * ```ts
 * const j = autograd.jacobian((x: Tensor) => x.square(), tensor([1, 2]));
 * console.log(j.toArray()); // [[2, 0], [0, 4]]
 * ```
 */
export const jacobian: <I extends Tensors, Y extends Tensors>(
  ...args: JacobianArguments<I, Y>
) => Alike<Y, Alike<I, Tensor>> = taking(
  `jacobian(${TAKES}, ${OPTIONS}, -vectorize: bool = false, -strategy: string = 'reverse-mode')`,
  (fn: Fn, inputs: Tensors, createGraph: boolean, strict: boolean) =>
    apart(createGraph, () => {
      const xs = leavesOf(inputs, createGraph);
      const ys = callOn('jacobian', fn, xs);
      const rows = rowsOf(listOf(ys), xs, { op: 'jacobian', createGraph, strict });
      return alike(
        ys,
        rows.map((row) => alike(inputs, left(row, createGraph))),
      ) as never;
    }),
);

/**
 * The second derivatives of func, which gives one number, by each two of the inputs: of shape [...input, ...input], for
 * each input and each input where there is a list (PyTorch's `hessian`).
 * @example
 * ```ts
 * const h = autograd.hessian((x: Tensor) => x.pow(3).sum(), tensor([1, 2]));
 * console.log(h.toArray()); // [[6, 0], [0, 12]]
 * ```
 */
export const hessian: <I extends Tensors>(
  ...args: Parameters<
    Callable<
      [func: FunctionOf<I, Tensor>, inputs: I],
      [createGraph: boolean, strict: boolean, vectorize: false, outerJacobianStrategy: 'reverse-mode'],
      DerivativeOptions,
      void,
      ['func', 'inputs']
    >
  >
) => Alike<I, Alike<I, Tensor>> = taking(
  `hessian(${TAKES}, ${OPTIONS}, -vectorize: bool = false, -outerJacobianStrategy: string = 'reverse-mode')`,
  (fn: Fn, inputs: Tensors, createGraph: boolean, strict: boolean) =>
    apart(createGraph, () => {
      const op = 'hessian';
      const xs = leavesOf(inputs, createGraph);
      const y = numberOf(op, fn, xs);
      const first = y.requiresGrad
        ? grad(y, xs, { createGraph: true, allowUnused: true, materializeGrads: true })
        : xs.map((x) => zerosLike(x));
      const rows = rowsOf(first as Tensor[], xs, { op, createGraph, strict });
      return alike(
        inputs,
        rows.map((row) => alike(inputs, left(row, createGraph))),
      ) as never;
    }),
);
