// Derivatives against finite differences.
import { withoutTape } from '../autograd.ts';
import { grad } from '../backward.ts';
import { zeros } from '../creation.ts';
import { upload } from '../execute.ts';
import { ArgumentError, GradError } from '../memory/errors.ts';
import { getRngState, randn, setRngState } from '../random.ts';
import { scope } from '../scope.ts';
import { taking } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { callOn, gradientsOf, leavesOf, listOf, type Tensors } from './lists.ts';

/** Options of {@link gradcheck} and {@link gradgradcheck}. */
export interface GradcheckOptions {
  /** How far inputs are moved, times 1 or as many as they are. @defaultValue 0.02 */
  eps?: number;
  /** By how much derivatives may differ, beside rtol of them. @defaultValue 1e-3 */
  atol?: number;
  /** By which part of themselves they may differ. @defaultValue 5e-3 */
  rtol?: number;
  /** Whether a difference throws, and does not give false. @defaultValue true */
  raiseException?: boolean;
  /** By how much two calls may differ. @defaultValue 0 */
  nondetTol?: number;
}

type Fn = (...xs: Tensor[]) => unknown;
interface Tolerances {
  readonly op: string;
  readonly eps: number;
  readonly atol: number;
  readonly rtol: number;
  readonly nondetTol: number;
}

/** What `fn` gives at `xs`, one list of numbers for each output. */
const valuesAt = (op: string, fn: Fn, xs: readonly Tensor[]): Float64Array[] =>
  scope(() => withoutTape(() => listOf(callOn(op, fn, xs)).map((y) => Float64Array.from(y.data))));

/**
 * The derivatives of each output by one number of an input, by values at four places around it: what is left of the
 * error is of the fourth order in the step.
 */
function differences(op: string, fn: Fn, xs: readonly Tensor[], of: Tensor, at: number, eps: number): number[][] {
  const values = Array.from(of.data);
  const middle = values[at] as number;
  const step = eps * Math.max(1, Math.abs(middle));
  const shifted = [-2, -1, 1, 2].map((k) => {
    const moved = [...values];
    moved[at] = Math.fround(middle + k * step);
    withoutTape(() => upload(of, moved));
    return { by: (moved[at] as number) - middle, ys: valuesAt(op, fn, xs) };
  });
  withoutTape(() => upload(of, values));
  const [a, b, c, d] = shifted as [(typeof shifted)[0], (typeof shifted)[0], (typeof shifted)[0], (typeof shifted)[0]];
  return b.ys.map((ys, o) =>
    Array.from(ys, (_, i) => {
      const near = ((c.ys[o]?.[i] as number) - (ys[i] as number)) / (c.by - b.by);
      const far = ((d.ys[o]?.[i] as number) - (a.ys[o]?.[i] as number)) / (d.by - a.by);
      return (4 * near - far) / 3;
    }),
  );
}

/** What is wrong with the derivatives of `fn`; '' if nothing. */
function wrongOf(fn: Fn, inputs: readonly Tensor[], { op, eps, atol, rtol, nondetTol }: Tolerances): string {
  // In memory of their own, so that one may be moved.
  const wanted = inputs.map((x) => x.requiresGrad);
  const xs = inputs.map((x, i) =>
    x
      .detach()
      .clone()
      .requiresGrad_(wanted[i] as boolean),
  );
  const ys = listOf(callOn(op, fn, xs)).filter((y) => y.dtype === 'f32');
  const again = valuesAt(op, fn, xs);
  for (const [o, y] of ys.entries())
    if (Array.from(y.data).some((v, i) => !(Math.abs(v - (again[o]?.[i] as number)) <= nondetTol)))
      return 'expected the same from each call, got something else the second time; seed it, or raise nondetTol';
  const moving = xs.filter((x) => x.requiresGrad);
  const gradients = gradientsAt(op, ys, moving);
  for (const [j, x] of moving.entries())
    for (let at = 0; at < x.size; at++) {
      const expected = differences(op, fn, xs, x, at, eps);
      for (const [o, column] of expected.entries())
        for (const [i, value] of column.entries()) {
          const found = gradients[o]?.[i]?.[j]?.[at] as number;
          if (Math.abs(found - value) <= atol + rtol * Math.abs(value)) continue;
          return `expected ${value} as the derivative of number ${i} of output ${o} by number ${at} of input ${j}, got ${found}`;
        }
    }
  return '';
}

/** The derivatives that backward gives of each number of each output: of each output, of each number, by each input. */
const gradientsAt = (op: string, ys: readonly Tensor[], xs: readonly Tensor[]): ArrayLike<number>[][][] =>
  ys.map((y) =>
    Array.from({ length: y.size }, (_, i) =>
      scope(() => {
        const unit = new Float32Array(y.size);
        unit[i] = 1;
        const v = zeros(y.shape);
        upload(v, unit);
        return gradientsOf([y], [v], xs, { op, createGraph: false, strict: false }).map((g) => g.data);
      }),
    ),
  );

function check(fn: Fn, inputs: Tensors, raises: boolean, tolerances: Tolerances): boolean {
  const { op } = tolerances;
  const xs = listOf(inputs);
  if (!xs.some((x) => x.requiresGrad))
    throw new ArgumentError(`${op}: expected inputs that require a gradient, got none; call requiresGrad_()`);
  const state = getRngState();
  const wrong = scope(() =>
    wrongOf(
      (...args) => {
        // Random numbers are the same in each call.
        setRngState(state);
        return fn(...args);
      },
      xs,
      tolerances,
    ),
  );
  if (wrong && raises) throw new GradError(`${op}: ${wrong}`);
  return !wrong;
}

const OPTIONS =
  'eps: number = 0.02, atol: number = 0.001, rtol: number = 0.005, raiseException: bool = true, nondetTol: number = 0';

/**
 * Whether the gradients of func are what small steps of the inputs say (PyTorch's `gradcheck`). All is f32: steps are
 * larger than PyTorch's, by a formula of the fourth order, and tolerances are those of f32. It fails at kinks, such as
 * relu has at 0. Inputs that require no gradient stay where they are.
 * @throws GradError where one differs, unless raiseException is false
 * @example
 * ```ts
 * const x = randn([3], { requiresGrad: true });
 * console.log(autograd.gradcheck((x: Tensor) => x.sin().mul(x), x)); // true
 * ```
 */
export const gradcheck: (
  func: (...inputs: Tensor[]) => Tensors,
  inputs: Tensors,
  options?: GradcheckOptions,
) => boolean = taking(
  `gradcheck(func: function, inputs: Tensor|Tensor[], *, ${OPTIONS})`,
  (fn: Fn, inputs: Tensors, eps: number, atol: number, rtol: number, raises: boolean, nondetTol: number) =>
    check(fn, inputs, raises, { op: 'gradcheck', eps, atol, rtol, nondetTol }),
);

/** Options of {@link gradgradcheck}. */
export interface GradgradcheckOptions extends GradcheckOptions {
  /** The gradients of a later value by what func gives; null: random ones. @defaultValue null */
  gradOutputs?: Tensors | null;
}

/**
 * Whether the derivatives of the gradients of func are what small steps say, of the inputs and of the gradients of what
 * func gives (PyTorch's `gradgradcheck`); see {@link gradcheck}.
 * @throws GradError where one differs, unless raiseException is false
 */
export const gradgradcheck: {
  (func: (...inputs: Tensor[]) => Tensors, inputs: Tensors, options?: GradgradcheckOptions): boolean;
  (
    func: (...inputs: Tensor[]) => Tensors,
    inputs: Tensors,
    gradOutputs: Tensors | null,
    options?: GradcheckOptions,
  ): boolean;
} = taking(
  `gradgradcheck(func: function, inputs: Tensor|Tensor[], gradOutputs: Tensor|Tensor[]|null = null, *, ${OPTIONS})`,
  (
    ...[fn, inputs, given, eps, atol, rtol, raises, nondetTol]: [
      Fn,
      Tensors,
      Tensors | null,
      number,
      number,
      number,
      boolean,
      number,
    ]
  ) => {
    const op = 'gradgradcheck';
    const xs = listOf(inputs);
    return scope(() => {
      const shapes = scope(() => listOf(callOn(op, fn, leavesOf(xs, false))).map(({ shape }) => shape));
      const weights = given
        ? listOf(given).map((g) => g.detach().requiresGrad_())
        : shapes.map((shape) => randn(shape).requiresGrad_());
      const gradients = (...all: Tensor[]): Tensor[] => {
        const own = all.slice(0, xs.length);
        const ys = listOf(callOn(op, fn, own));
        const at = ys.flatMap((y, i) => (y.requiresGrad ? [i] : []));
        const leaves = own.filter((x) => x.requiresGrad);
        return grad(
          at.map((i) => ys[i] as Tensor),
          leaves,
          {
            gradOutputs: at.map((i) => all[xs.length + i] as Tensor),
            createGraph: true,
            allowUnused: true,
            materializeGrads: true,
          },
        ) as Tensor[];
      };
      return check(gradients, [...xs, ...weights], raises, { op, eps, atol, rtol, nondetTol });
    });
  },
);
