// The optimizers. Formulas and defaults are PyTorch's; the numbers a kernel reads follow the layout in
// assembly/optim/hyper.ts.
import { familyOps } from '../autograd.ts';
import { ArgumentError } from '../memory/errors.ts';
import { adagradRows, adamRows, rmspropRows, sgdRows } from '../ops/optim.ts';
import type { SparseTensor } from '../ops/sparse-tensor.ts';
import { type Arguments, type Signature, signature } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { Optimizer, type Params, type State } from './optimizer.ts';
import { expectRange, kinds } from './settings.ts';

const sgdOps = familyOps(sgdRows);
const adamOps = familyOps(adamRows);
const rmspropOps = familyOps(rmspropRows);
const adagradOps = familyOps(adagradRows);

const params = 'params: any';
const sgd = signature(
  `SGD(${params}, lr: number = 1e-3, momentum: number = 0, dampening: number = 0, weightDecay: number = 0, nesterov: bool = false, *, maximize: bool = false)`,
);
/* @__NO_SIDE_EFFECTS__ */
const adamTakes = (name: string, weightDecay: string, more = ''): Signature =>
  signature(
    `${name}(${params}, lr: number = 1e-3, betas: betas = [0.9, 0.999], eps: number = 1e-8, weightDecay: number = ${weightDecay}, amsgrad: bool = false, *, maximize: bool = false${more})`,
    kinds,
  );
const adam = adamTakes('Adam', '0', ', decoupledWeightDecay: bool = false');
const adamW = adamTakes('AdamW', '1e-2');
const rmsprop = signature(
  `RMSprop(${params}, lr: number = 1e-2, alpha: number = 0.99, eps: number = 1e-8, weightDecay: number = 0, momentum: number = 0, centered: bool = false, -capturable: bool = false, -foreach: null = null, maximize: bool = false, -differentiable: bool = false)`,
);
const adagrad = signature(
  `Adagrad(${params}, lr: number = 1e-2, lrDecay: number = 0, weightDecay: number = 0, initialAccumulatorValue: number = 0, eps: number = 1e-10, -foreach: null = null, *, maximize: bool = false)`,
);

// The tensors that the optimizers keep for a parameter, under PyTorch's names.
type SGDState = State & { momentum_buffer?: Tensor };
type AdamState = State & { exp_avg: Tensor; exp_avg_sq: Tensor; max_exp_avg_sq?: Tensor };
type RMSpropState = State & { square_avg: Tensor; grad_avg?: Tensor; momentum_buffer?: Tensor };
type AdagradState = State & { sum: Tensor };

/** @throws ArgumentError where weights decay, which sparse gradients cannot have them do */
function expectNoDecay(op: string, weightDecay: number): void {
  if (weightDecay !== 0)
    throw new ArgumentError(
      `step: expected weightDecay 0 of ${op} with a sparse gradient, got ${weightDecay}; embed without sparse`,
    );
}

const flag = (on: boolean): number => (on ? 1 : 0);

/** Options of SGD. */
export interface SGDOptions {
  /** The learning rate, at least 0. @defaultValue 1e-3 */
  lr: number;
  /** The share of the last step in the next one. @defaultValue 0 */
  momentum: number;
  /** The share that the gradient loses on its way into the momentum. @defaultValue 0 */
  dampening: number;
  /** The share of the weights that is added to the gradient. @defaultValue 0 */
  weightDecay: number;
  /** Whether momentum is Nesterov's, which needs momentum and no dampening. @defaultValue false */
  nesterov: boolean;
  /** Whether to go up the gradient, not down. @defaultValue false */
  maximize: boolean;
}

/**
 * Stochastic gradient descent, p −= lr · g, with momentum (Polyak 1964) or Nesterov's (Sutskever et al. 2013), as
 * PyTorch's
 * `optim.SGD`.
 */
export class SGD extends Optimizer<SGDOptions> {
  /** @param params parameters, or groups of them with options of their own */
  constructor(
    ...args: Arguments<
      [params: Params<SGDOptions>],
      [lr: number, momentum: number, dampening: number, weightDecay: number, nesterov: boolean],
      Partial<SGDOptions>
    >
  ) {
    super(sgd, args);
  }
  /** @internal */
  protected check({ lr, momentum, dampening, weightDecay, nesterov }: SGDOptions): void {
    expectRange('SGD', 'lr', lr);
    expectRange('SGD', 'momentum', momentum);
    expectRange('SGD', 'dampening', dampening, Number.NEGATIVE_INFINITY);
    expectRange('SGD', 'weightDecay', weightDecay);
    if (nesterov && !(momentum > 0 && dampening === 0))
      throw new ArgumentError(
        `SGD: expected momentum > 0 and dampening 0 with nesterov, got ${momentum} and ${dampening}`,
      );
  }
  /** @internal */
  protected hyper({ lr, momentum, dampening, weightDecay, nesterov, maximize }: SGDOptions): readonly number[] {
    return [lr, weightDecay, flag(maximize), momentum, 1 - dampening, flag(nesterov)];
  }
  /** @internal */
  protected override expectGradient(g: Tensor, { weightDecay }: SGDOptions): void {
    if (g.isSparse) expectNoDecay('SGD', weightDecay);
  }
  /** @internal */
  protected stateOf({ momentum }: SGDOptions): Record<string, number | null> {
    return { momentum_buffer: momentum !== 0 ? 0 : null };
  }
  /** @internal */
  protected update(p: Tensor, g: Tensor, state: State, hyper: Tensor): void {
    const { step, momentum_buffer = null } = state as SGDState;
    if (g.isSparse) (g as SparseTensor).step(p, 'sgd', { a: momentum_buffer, b: null, step, hyper });
    else sgdOps.sgdStep({ p, g, momentum: momentum_buffer, step, hyper });
  }
}

/** Options of AdamW. */
export interface AdamWOptions {
  /** The learning rate, at least 0. @defaultValue 1e-3 */
  lr: number;
  /** The decay of the averages of the gradient and of its square, from 0 to below 1. @defaultValue [0.9, 0.999] */
  betas: readonly [number, number];
  /** Added to the root of the second average. @defaultValue 1e-8 */
  eps: number;
  /** The share of the weights that Adam adds to the gradient, and AdamW takes off them. @defaultValue 0, AdamW 1e-2 */
  weightDecay: number;
  /** Whether to use the largest second average so far (Reddi et al. 2018). @defaultValue false */
  amsgrad: boolean;
  /** Whether to go up the gradient, not down. @defaultValue false */
  maximize: boolean;
}

/** Options of Adam. */
export interface AdamOptions extends AdamWOptions {
  /** Whether weight decay shrinks the weights themselves, as AdamW's. @defaultValue false */
  decoupledWeightDecay: boolean;
}

abstract class AdamFamily<O extends AdamWOptions> extends Optimizer<O> {
  /** @internal */
  protected check({ lr, betas, eps, weightDecay }: O): void {
    const name = this.constructor.name;
    expectRange(name, 'lr', lr);
    betas.forEach((beta, i) => {
      expectRange(name, `betas[${i}]`, beta, 0, 1);
    });
    expectRange(name, 'eps', eps);
    expectRange(name, 'weightDecay', weightDecay);
  }
  /** @internal */
  protected hyper(group: O): readonly number[] {
    const { lr, betas, eps, weightDecay, maximize, decoupledWeightDecay = true } = group as O & Partial<AdamOptions>;
    return [lr, weightDecay, flag(maximize), 1 - betas[0], 1 - betas[1], eps, flag(decoupledWeightDecay)];
  }
  /** @internal */
  protected stateOf({ amsgrad }: O): Record<string, number | null> {
    return { exp_avg: 0, exp_avg_sq: 0, max_exp_avg_sq: amsgrad ? 0 : null };
  }
  /** @internal */
  protected update(p: Tensor, g: Tensor, state: State, hyper: Tensor): void {
    const { step, exp_avg, exp_avg_sq, max_exp_avg_sq = null } = state as AdamState;
    adamOps.adamStep({ p, g, average: exp_avg, square: exp_avg_sq, maximum: max_exp_avg_sq, step, hyper });
  }
}

/**
 * Adam, p −= lr · m / (√v + eps) with the averages m of the gradient and v of its square, each divided by 1 − betaᵗ
 * (Kingma and Ba 2015). `weightDecay` is added to the gradient.
 * @example
 * ```ts
 * const model = new nn.Linear(4, 1);
 * const optimizer = new optim.Adam(model.parameters(), { lr: 1e-3 });
 * optimizer.zeroGrad();
 * functional.mseLoss(model.forward(randn([8, 4])), randn([8, 1])).backward();
 * optimizer.step();
 * ```
 */
export class Adam extends AdamFamily<AdamOptions> {
  /** @param params parameters, or groups of them with options of their own */
  constructor(
    ...args: Arguments<
      [params: Params<AdamOptions>],
      [lr: number, betas: readonly [number, number], eps: number, weightDecay: number, amsgrad: boolean],
      Partial<AdamOptions>
    >
  ) {
    super(adam, args);
  }
}

/**
 * {@link Adam} with decoupled weight decay, p −= lr · weightDecay · p (Loshchilov and Hutter 2019), 1e-2 by default.
 */
export class AdamW extends AdamFamily<AdamWOptions> {
  /** @param params parameters, or groups of them with options of their own */
  constructor(
    ...args: Arguments<
      [params: Params<AdamWOptions>],
      [lr: number, betas: readonly [number, number], eps: number, weightDecay: number, amsgrad: boolean],
      Partial<AdamWOptions>
    >
  ) {
    super(adamW, args);
  }
}

/** Options of RMSprop. */
export interface RMSpropOptions {
  /** The learning rate, at least 0. @defaultValue 1e-2 */
  lr: number;
  /** The decay of the average of the squared gradient. @defaultValue 0.99 */
  alpha: number;
  /** Added to the root of that average. @defaultValue 1e-8 */
  eps: number;
  /** The share of the weights that is added to the gradient. @defaultValue 0 */
  weightDecay: number;
  /** The share of the last step in the next one. @defaultValue 0 */
  momentum: number;
  /** Whether to normalise by the variance: the squared mean is subtracted. @defaultValue false */
  centered: boolean;
  /** Whether to go up the gradient, not down. @defaultValue false */
  maximize: boolean;
}

/** RMSprop, p −= lr · g / (√v + eps) with the average v of the squared gradient (Tieleman and Hinton 2012). */
export class RMSprop extends Optimizer<RMSpropOptions> {
  /** @param params parameters, or groups of them with options of their own */
  constructor(
    ...args: Arguments<
      [params: Params<RMSpropOptions>],
      [lr: number, alpha: number, eps: number, weightDecay: number, momentum: number, centered: boolean],
      Partial<RMSpropOptions>
    >
  ) {
    super(rmsprop, args);
  }
  /** @internal */
  protected check({ lr, alpha, eps, weightDecay, momentum }: RMSpropOptions): void {
    for (const [name, value] of Object.entries({ lr, alpha, eps, weightDecay, momentum }))
      expectRange('RMSprop', name, value);
  }
  /** @internal */
  protected hyper({ lr, alpha, eps, weightDecay, momentum, maximize }: RMSpropOptions): readonly number[] {
    return [lr, weightDecay, flag(maximize), 1 - alpha, eps, momentum];
  }
  /** @internal */
  protected stateOf({ momentum, centered }: RMSpropOptions): Record<string, number | null> {
    return { square_avg: 0, grad_avg: centered ? 0 : null, momentum_buffer: momentum > 0 ? 0 : null };
  }
  /** @internal */
  protected update(p: Tensor, g: Tensor, state: State, hyper: Tensor): void {
    const { step, square_avg, grad_avg = null, momentum_buffer = null } = state as RMSpropState;
    rmspropOps.rmspropStep({ p, g, square: square_avg, average: grad_avg, momentum: momentum_buffer, step, hyper });
  }
}

/** Options of Adagrad. */
export interface AdagradOptions {
  /** The learning rate, at least 0. @defaultValue 1e-2 */
  lr: number;
  /** How much the learning rate falls: lr / (1 + steps · lrDecay). @defaultValue 0 */
  lrDecay: number;
  /** The share of the weights that is added to the gradient. @defaultValue 0 */
  weightDecay: number;
  /** The first value of the sum of squared gradients. @defaultValue 0 */
  initialAccumulatorValue: number;
  /** Added to the root of that sum. @defaultValue 1e-10 */
  eps: number;
  /** Whether to go up the gradient, not down. @defaultValue false */
  maximize: boolean;
}

/** Adagrad, p −= lr · g / (√s + eps) with the sum s of the squared gradients (Duchi et al. 2011). */
export class Adagrad extends Optimizer<AdagradOptions> {
  /** @param params parameters, or groups of them with options of their own */
  constructor(
    ...args: Arguments<
      [params: Params<AdagradOptions>],
      [lr: number, lrDecay: number, weightDecay: number, initialAccumulatorValue: number, eps: number],
      Partial<AdagradOptions>
    >
  ) {
    super(adagrad, args);
  }
  /** @internal */
  protected check(options: AdagradOptions): void {
    for (const name of ['lr', 'lrDecay', 'weightDecay', 'initialAccumulatorValue', 'eps'] as const)
      expectRange('Adagrad', name, options[name]);
  }
  /** @internal */
  protected hyper({ lr, lrDecay, weightDecay, eps, maximize }: AdagradOptions): readonly number[] {
    return [lr, weightDecay, flag(maximize), lrDecay, eps];
  }
  /** @internal */
  protected override expectGradient(g: Tensor, { weightDecay }: AdagradOptions): void {
    if (g.isSparse) expectNoDecay('Adagrad', weightDecay);
  }
  /** @internal */
  protected stateOf({ initialAccumulatorValue }: AdagradOptions): Record<string, number> {
    return { sum: initialAccumulatorValue };
  }
  /** @internal */
  protected update(p: Tensor, g: Tensor, state: State, hyper: Tensor): void {
    const { sum, step } = state as AdagradState;
    if (g.isSparse) (g as SparseTensor).step(p, 'adagrad', { a: sum, b: null, step, hyper });
    else adagradOps.adagradStep({ p, g, sum, step, hyper });
  }
}
