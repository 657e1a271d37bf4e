// Adafactor: a second average in as much memory as rows and columns take.
import { ops } from '../autograd.ts';
import {
  add,
  div,
  maximum,
  mean,
  minimum,
  mul,
  norm,
  pow,
  rsqrt,
  select,
  square,
  sub,
} from '../functional/functions.ts';
import { ArgumentError } from '../memory/errors.ts';
import { scope } from '../scope.ts';
import { type Arguments, signature } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import type { Params, State } from './optimizer.ts';
import { Planned } from './planned.ts';
import { expectRange, kinds } from './settings.ts';

/** Options of Adafactor. */
export interface AdafactorOptions {
  /** The largest learning rate: it is 1 / √step where that is less. At least 0. @defaultValue 1e-2 */
  lr: number;
  /** The power of the step by which the averages decay: 1 − step^beta2Decay; at most 0. @defaultValue -0.8 */
  beta2Decay: number;
  /**
   * The least root of the second average, null for the precision of f32, 1.2e-7, and the least size of a parameter that
   * steps are in proportion to.
   * @defaultValue [null, 1e-3]
   */
  eps: readonly [number | null, number];
  /** How large the step may be before it is clipped, at least 1. @defaultValue 1 */
  d: number;
  /** The share that is taken off the weights. @defaultValue 0 */
  weightDecay: number;
  /** Whether to go up the gradient, not down. @defaultValue false */
  maximize: boolean;
}

const adafactor = signature(
  'Adafactor(params: any, lr: number = 1e-2, beta2Decay: number = -0.8, eps: epsilons = [null, 1e-3], d: number = 1, weightDecay: number = 0, *, -foreach: null = null, maximize: bool = false)',
  kinds,
);

/** 2^-23. */
const PRECISION = 1.1920928955078125e-7;

/**
 * Adafactor: of a matrix only the averages of the rows and of the columns of the squared gradient are kept, steps are
 * in proportion to the size of a parameter, and there is no momentum (Shazeer and Stern 2018, as PyTorch has it). A
 * step needs room for the parameters once more.
 */
export class Adafactor extends Planned<AdafactorOptions> {
  /** @param params parameters, or groups of them with options of their own */
  constructor(
    ...args: Arguments<
      [params: Params<AdafactorOptions>],
      [lr: number, beta2Decay: number, eps: readonly [number | null, number], d: number, weightDecay: number],
      Partial<AdafactorOptions>
    >
  ) {
    super(adafactor, args);
  }
  /** @internal */
  protected check({ lr, beta2Decay, eps, d, weightDecay }: AdafactorOptions): void {
    const op = 'Adafactor';
    for (const [name, value] of Object.entries({ lr, weightDecay })) expectRange(op, name, value);
    expectRange(op, 'eps[0]', eps[0] ?? 0);
    expectRange(op, 'eps[1]', eps[1]);
    expectRange(op, 'd', d, 1);
    if (!(beta2Decay <= 0)) throw new ArgumentError(`${op}: expected beta2Decay <= 0, got ${beta2Decay}`);
  }
  /** @internal */
  protected hyper({ lr, beta2Decay, eps, d, weightDecay, maximize }: AdafactorOptions): readonly number[] {
    const least = eps[0] ?? PRECISION;
    return [lr, 1 - lr * weightDecay, maximize ? -1 : 1, beta2Decay, least, least * least, eps[1], 1 / d];
  }
  /** @internal */
  protected stateOf(): Record<string, number> {
    return { row_var: 0, col_var: 0, variance: 0 };
  }
  /** @internal */
  protected override shapeOf(name: string, p: Tensor): readonly number[] | null {
    if (name === 'step') return super.shapeOf(name, p);
    if (p.ndim < 2 || name === 'variance') return p.ndim < 2 && name === 'variance' ? p.shape : null;
    return p.shape.with(name === 'row_var' ? -1 : -2, 1);
  }
  /** @internal */
  protected plan(p: Tensor, g: Tensor, state: State, hyper: Tensor): () => void {
    const { step, ...averages } = state;
    const [lr, shrink, sign, decay, least, least2, eps2, scale] = Array.from({ length: 8 }, (_, i) =>
      select(hyper, 0, i),
    ) as Eight;
    const { moved, next } = scope(() => {
      const t = add(step, 1);
      const share = pow(t, decay);
      const root = Math.sqrt(p.size);
      const rate = mul(maximum(div(norm(p), root), eps2), minimum(rsqrt(t), lr));
      const towards = (x: Tensor, y: Tensor): Tensor => add(x, mul(sub(y, x), share));
      const squared = square(g);
      const next: Record<string, Tensor> = {};
      let variance: Tensor;
      if (p.ndim < 2) variance = next.variance = towards(averages.variance as Tensor, squared);
      else {
        const row = towards(averages.row_var as Tensor, mean(squared, -1, true));
        const column = towards(averages.col_var as Tensor, mean(squared, -2, true));
        Object.assign(next, { row_var: row, col_var: column });
        variance = mul(div(row, maximum(mean(row, -2, true), least)), column);
      }
      const u = mul(rsqrt(maximum(variance, least2)), g);
      const clip = maximum(mul(div(norm(u), root), scale), 1);
      return { moved: sub(mul(p, shrink), mul(u, mul(div(rate, clip), sign))), next };
    });
    return () => {
      ops.copy({ y: p, x: moved });
      for (const name in next) ops.copy({ y: averages[name] as Tensor, x: next[name] as Tensor });
    };
  }
}

type Eight = [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
