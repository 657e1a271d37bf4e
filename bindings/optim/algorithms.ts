// The optimizers. Formulas and defaults are PyTorch's; the numbers a kernel reads follow the layout in assembly/optim.ts.
import type { Kernels } from '../runtime/commands.ts';
import { ArgumentError } from '../runtime/errors.ts';
import type { Tensor } from '../tensor.ts';
import { expectRange, Optimizer, type Params, type State } from './optimizer.ts';

const flag = (on: boolean): number => (on ? 1 : 0);

/** Settings of SGD. */
export interface SGDOptions {
  lr: number;
  momentum: number;
  dampening: number;
  weightDecay: number;
  nesterov: boolean;
  maximize: boolean;
}

/** Stochastic gradient descent, with momentum (Polyak 1964) or Nesterov's (Sutskever et al. 2013). Default lr 1e-3. */
export class SGD extends Optimizer<SGDOptions> {
  constructor(params: Params<SGDOptions>, options: Partial<SGDOptions> = {}) {
    super(params, {
      lr: 1e-3,
      momentum: 0,
      dampening: 0,
      weightDecay: 0,
      nesterov: false,
      maximize: false,
      ...options,
    });
  }
  protected check({ lr, momentum, dampening, weightDecay, nesterov }: SGDOptions): void {
    expectRange('SGD', 'lr', lr);
    expectRange('SGD', 'momentum', momentum);
    expectRange('SGD', 'weightDecay', weightDecay);
    if (nesterov && !(momentum > 0 && dampening === 0))
      throw new ArgumentError(
        `SGD: expected momentum > 0 and dampening 0 with nesterov, got ${momentum} and ${dampening}`,
      );
  }
  protected hyper({ lr, momentum, dampening, weightDecay, nesterov, maximize }: SGDOptions): readonly number[] {
    return [lr, weightDecay, flag(maximize), momentum, 1 - dampening, flag(nesterov)];
  }
  protected stateOf({ momentum }: SGDOptions): Record<string, number> {
    return momentum !== 0 ? { momentum_buffer: 0 } : {};
  }
  protected update(k: Kernels, p: Tensor, g: Tensor, state: State, hyper: Tensor): void {
    const { step, momentum_buffer = null } = state as Record<string, Tensor> & State;
    k.sgd_step_f32(p, g, momentum_buffer, step, hyper, p.size);
  }
}

/** Settings of Adam and AdamW. */
export interface AdamOptions {
  lr: number;
  /** Decay of the averages of the gradient and of its square. */
  betas: readonly [number, number];
  eps: number;
  weightDecay: number;
  /** Uses the largest second moment so far (Reddi et al. 2018). */
  amsgrad: boolean;
  maximize: boolean;
}
const adamDefaults: AdamOptions = {
  lr: 1e-3,
  betas: [0.9, 0.999],
  eps: 1e-8,
  weightDecay: 0,
  amsgrad: false,
  maximize: false,
};

abstract class AdamFamily extends Optimizer<AdamOptions> {
  /** Whether weight decay shrinks the weights themselves, not through the gradient. */
  protected abstract readonly decoupled: boolean;

  protected check({ lr, betas, eps, weightDecay }: AdamOptions): void {
    const name = this.constructor.name;
    expectRange(name, 'lr', lr);
    betas.forEach((beta, i) => {
      expectRange(name, `betas[${i}]`, beta, 0, 1);
    });
    expectRange(name, 'eps', eps);
    expectRange(name, 'weightDecay', weightDecay);
  }
  protected hyper({ lr, betas, eps, weightDecay, maximize }: AdamOptions): readonly number[] {
    return [lr, weightDecay, flag(maximize), 1 - betas[0], 1 - betas[1], eps, flag(this.decoupled)];
  }
  protected stateOf({ amsgrad }: AdamOptions): Record<string, number> {
    return { exp_avg: 0, exp_avg_sq: 0, ...(amsgrad && { max_exp_avg_sq: 0 }) };
  }
  protected update(k: Kernels, p: Tensor, g: Tensor, state: State, hyper: Tensor): void {
    const { step, exp_avg, exp_avg_sq, max_exp_avg_sq = null } = state as Record<string, Tensor> & State;
    k.adam_step_f32(p, g, exp_avg as Tensor, exp_avg_sq as Tensor, max_exp_avg_sq, step, hyper, p.size);
  }
}

/** Adam (Kingma and Ba 2015); weightDecay is added to the gradient. Default lr 1e-3. */
export class Adam extends AdamFamily {
  protected readonly decoupled = false;
  constructor(params: Params<AdamOptions>, options: Partial<AdamOptions> = {}) {
    super(params, { ...adamDefaults, ...options });
  }
}

/** Adam with decoupled weight decay (Loshchilov and Hutter 2019), default 1e-2. Default lr 1e-3. */
export class AdamW extends AdamFamily {
  protected readonly decoupled = true;
  constructor(params: Params<AdamOptions>, options: Partial<AdamOptions> = {}) {
    super(params, { ...adamDefaults, weightDecay: 1e-2, ...options });
  }
}

/** Settings of RMSprop. */
export interface RMSpropOptions {
  lr: number;
  /** Decay of the average of the squared gradient. */
  alpha: number;
  eps: number;
  weightDecay: number;
  momentum: number;
  /** Subtracts the squared mean: normalises by the variance. */
  centered: boolean;
  maximize: boolean;
}

/** RMSprop (Tieleman and Hinton 2012). Default lr 1e-2. */
export class RMSprop extends Optimizer<RMSpropOptions> {
  constructor(params: Params<RMSpropOptions>, options: Partial<RMSpropOptions> = {}) {
    super(params, {
      lr: 1e-2,
      alpha: 0.99,
      eps: 1e-8,
      weightDecay: 0,
      momentum: 0,
      centered: false,
      maximize: false,
      ...options,
    });
  }
  protected check({ lr, alpha, eps, weightDecay, momentum }: RMSpropOptions): void {
    for (const [name, value] of Object.entries({ lr, alpha, eps, weightDecay, momentum }))
      expectRange('RMSprop', name, value);
  }
  protected hyper({ lr, alpha, eps, weightDecay, momentum, maximize }: RMSpropOptions): readonly number[] {
    return [lr, weightDecay, flag(maximize), 1 - alpha, eps, momentum];
  }
  protected stateOf({ momentum, centered }: RMSpropOptions): Record<string, number> {
    return { square_avg: 0, ...(centered && { grad_avg: 0 }), ...(momentum > 0 && { momentum_buffer: 0 }) };
  }
  protected update(k: Kernels, p: Tensor, g: Tensor, state: State, hyper: Tensor): void {
    const { step, square_avg, grad_avg = null, momentum_buffer = null } = state as Record<string, Tensor> & State;
    k.rmsprop_step_f32(p, g, square_avg as Tensor, grad_avg, momentum_buffer, step, hyper, p.size);
  }
}

/** Settings of Adagrad. */
export interface AdagradOptions {
  lr: number;
  lrDecay: number;
  weightDecay: number;
  /** First value of the sum of squared gradients. */
  initialAccumulatorValue: number;
  eps: number;
  maximize: boolean;
}

/** Adagrad (Duchi et al. 2011). Default lr 1e-2. */
export class Adagrad extends Optimizer<AdagradOptions> {
  constructor(params: Params<AdagradOptions>, options: Partial<AdagradOptions> = {}) {
    super(params, {
      lr: 1e-2,
      lrDecay: 0,
      weightDecay: 0,
      initialAccumulatorValue: 0,
      eps: 1e-10,
      maximize: false,
      ...options,
    });
  }
  protected check(options: AdagradOptions): void {
    for (const name of ['lr', 'lrDecay', 'weightDecay', 'initialAccumulatorValue', 'eps'] as const)
      expectRange('Adagrad', name, options[name]);
  }
  protected hyper({ lr, lrDecay, weightDecay, eps, maximize }: AdagradOptions): readonly number[] {
    return [lr, weightDecay, flag(maximize), lrDecay, eps];
  }
  protected stateOf({ initialAccumulatorValue }: AdagradOptions): Record<string, number> {
    return { sum: initialAccumulatorValue };
  }
  protected update(k: Kernels, p: Tensor, g: Tensor, state: State, hyper: Tensor): void {
    k.adagrad_step_f32(p, g, (state as Record<string, Tensor>).sum as Tensor, state.step, hyper, p.size);
  }
}
