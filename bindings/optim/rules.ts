// Optimizers with formulas of their own. Formulas and defaults are PyTorch's; the numbers a kernel reads follow the
// layout in assembly/optim/hyper.ts.
import { familyOps } from '../autograd.ts';
import { ArgumentError } from '../memory/errors.ts';
import { adadeltaRows, asgdRows, lionRows, rpropRows } from '../ops/optimizers.ts';
import { type Arguments, signature } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { Optimizer, type Params, type State } from './optimizer.ts';
import { expectRange, kinds } from './settings.ts';

const adadeltaOps = familyOps(adadeltaRows);
const asgdOps = familyOps(asgdRows);
const lionOps = familyOps(lionRows);
const rpropOps = familyOps(rpropRows);

/** Options of Adadelta. */
export interface AdadeltaOptions {
  /** What steps are multiplied by, at least 0. @defaultValue 1 */
  lr: number;
  /** The decay of the averages of squared gradients and squared steps, from 0 to 1. @defaultValue 0.9 */
  rho: number;
  /** Added to those averages before the root. @defaultValue 1e-6 */
  eps: number;
  /** The share of the weights that is added to the gradient. @defaultValue 0 */
  weightDecay: number;
  /** Whether to go up the gradient, not down. @defaultValue false */
  maximize: boolean;
}

const adadelta = signature(
  'Adadelta(params: any, lr: number = 1, rho: number = 0.9, eps: number = 1e-6, weightDecay: number = 0, -foreach: null = null, *, -capturable: bool = false, maximize: bool = false, -differentiable: bool = false)',
);

/** Adadelta: steps as long as earlier ones, and no learning rate to choose (Zeiler 2012). */
export class Adadelta extends Optimizer<AdadeltaOptions> {
  /** @param params parameters, or groups of them with options of their own */
  constructor(
    ...args: Arguments<
      [params: Params<AdadeltaOptions>],
      [lr: number, rho: number, eps: number, weightDecay: number],
      Partial<AdadeltaOptions>
    >
  ) {
    super(adadelta, args);
  }
  /** @internal */
  protected check({ lr, rho, eps, weightDecay }: AdadeltaOptions): void {
    for (const [name, value] of Object.entries({ lr, eps, weightDecay })) expectRange('Adadelta', name, value);
    if (!(rho >= 0 && rho <= 1)) throw new ArgumentError(`Adadelta: expected rho from 0 to 1, got ${rho}`);
  }
  /** @internal */
  protected hyper({ lr, rho, eps, weightDecay, maximize }: AdadeltaOptions): readonly number[] {
    return [lr, weightDecay, Number(maximize), 1 - rho, eps];
  }
  /** @internal */
  protected stateOf(): Record<string, number> {
    return { square_avg: 0, acc_delta: 0 };
  }
  /** @internal */
  protected update(p: Tensor, g: Tensor, state: State, hyper: Tensor): void {
    const { step, square_avg, acc_delta } = state as State & Record<'square_avg' | 'acc_delta', Tensor>;
    adadeltaOps.adadeltaStep({ p, g, square: square_avg, delta: acc_delta, step, hyper });
  }
}

/** Options of ASGD. */
export interface ASGDOptions {
  /** The learning rate, at least 0. @defaultValue 1e-2 */
  lr: number;
  /** How fast the weights and the learning rate fall. @defaultValue 1e-4 */
  lambd: number;
  /** The power of the fall of the learning rate. @defaultValue 0.75 */
  alpha: number;
  /** The step at which averaging starts. @defaultValue 1e6 */
  t0: number;
  /** The share of the weights that is added to the gradient. @defaultValue 0 */
  weightDecay: number;
  /** Whether to go up the gradient, not down. @defaultValue false */
  maximize: boolean;
}

const asgd = signature(
  'ASGD(params: any, lr: number = 1e-2, lambd: number = 1e-4, alpha: number = 0.75, t0: number = 1e6, weightDecay: number = 0, -foreach: null = null, maximize: bool = false, -differentiable: bool = false, -capturable: bool = false)',
);

/**
 * Averaged stochastic gradient descent (Polyak and Juditsky 1992): the averages of the weights are in the state, as
 * `ax`.
 */
export class ASGD extends Optimizer<ASGDOptions> {
  /** @param params parameters, or groups of them with options of their own */
  constructor(
    ...args: Arguments<
      [params: Params<ASGDOptions>],
      [lr: number, lambd: number, alpha: number, t0: number, weightDecay: number, foreach: null, maximize: boolean],
      Partial<ASGDOptions>
    >
  ) {
    super(asgd, args);
  }
  /** @internal */
  protected check({ lr, lambd, alpha, t0, weightDecay }: ASGDOptions): void {
    for (const [name, value] of Object.entries({ lr, weightDecay })) expectRange('ASGD', name, value);
    for (const [name, value] of Object.entries({ lambd, alpha, t0 }))
      if (!Number.isFinite(value)) throw new ArgumentError(`ASGD: expected a finite ${name}, got ${value}`);
  }
  /** @internal */
  protected hyper({ lr, lambd, alpha, t0, weightDecay, maximize }: ASGDOptions): readonly number[] {
    return [lr, weightDecay, Number(maximize), lambd, alpha, t0];
  }
  /** @internal */
  protected stateOf({ lr }: ASGDOptions): Record<string, number> {
    return { eta: lr, mu: 1, ax: 0 };
  }
  /** @internal */
  protected override shapeOf(name: string, p: Tensor): readonly number[] | null {
    return name === 'ax' ? super.shapeOf(name, p) : [];
  }
  /** @internal */
  protected update(p: Tensor, g: Tensor, state: State, hyper: Tensor): void {
    const { step, eta, mu, ax } = state as State & Record<'eta' | 'mu' | 'ax', Tensor>;
    asgdOps.asgdStep({ p, g, average: ax, eta, mu, step, hyper });
  }
}

/** Options of Rprop. */
export interface RpropOptions {
  /** The first length of steps, at least 0. @defaultValue 1e-2 */
  lr: number;
  /** What lengths are multiplied by where the sign changed, below 1, and where it did not. @defaultValue [0.5, 1.2] */
  etas: readonly [number, number];
  /** The least and the largest length. @defaultValue [1e-6, 50] */
  stepSizes: readonly [number, number];
  /** Whether to go up the gradient, not down. @defaultValue false */
  maximize: boolean;
}

const rprop = signature(
  'Rprop(params: any, lr: number = 1e-2, etas: betas = [0.5, 1.2], stepSizes: betas = [1e-6, 50], *, -capturable: bool = false, -foreach: null = null, maximize: bool = false, -differentiable: bool = false)',
  kinds,
);

/** Resilient backpropagation: steps by the signs of the gradient, for whole data sets (Riedmiller and Braun 1993). */
export class Rprop extends Optimizer<RpropOptions> {
  /** @param params parameters, or groups of them with options of their own */
  constructor(
    ...args: Arguments<
      [params: Params<RpropOptions>],
      [lr: number, etas: readonly [number, number], stepSizes: readonly [number, number]],
      Partial<RpropOptions>
    >
  ) {
    super(rprop, args);
  }
  /** @internal */
  protected check({ lr, etas: [minus, plus], stepSizes: [least, largest] }: RpropOptions): void {
    expectRange('Rprop', 'lr', lr);
    if (!(minus > 0 && minus < 1 && plus > 1 && plus < Number.POSITIVE_INFINITY))
      throw new ArgumentError(`Rprop: expected etas with 0 < etas[0] < 1 < etas[1], got ${minus} and ${plus}`);
    if (!(least >= 0 && largest >= least))
      throw new ArgumentError(
        `Rprop: expected stepSizes with 0 <= stepSizes[0] <= stepSizes[1], got ${least} and ${largest}`,
      );
  }
  /** @internal */
  protected hyper({ lr, etas, stepSizes, maximize }: RpropOptions): readonly number[] {
    return [lr, 0, Number(maximize), ...etas, ...stepSizes];
  }
  /** @internal */
  protected stateOf({ lr }: RpropOptions): Record<string, number> {
    return { prev: 0, step_size: lr };
  }
  /** @internal */
  protected update(p: Tensor, g: Tensor, state: State, hyper: Tensor): void {
    const { step, prev, step_size } = state as State & Record<'prev' | 'step_size', Tensor>;
    rpropOps.rpropStep({ p, g, previous: prev, size: step_size, step, hyper });
  }
}

/** Options of Lion. */
export interface LionOptions {
  /** The learning rate, at least 0: a third to a tenth of AdamW's. @defaultValue 1e-4 */
  lr: number;
  /** The share of the average in the step, and its decay, from 0 to below 1. @defaultValue [0.9, 0.99] */
  betas: readonly [number, number];
  /** The share that is taken off the weights. @defaultValue 0 */
  weightDecay: number;
  /** Whether to go up the gradient, not down. @defaultValue false */
  maximize: boolean;
}

const lion = signature(
  'Lion(params: any, lr: number = 1e-4, betas: betas = [0.9, 0.99], weightDecay: number = 0, *, maximize: bool = false)',
  kinds,
);

/**
 * Lion, p −= lr · (sign(beta1 · m + (1 − beta1) · g) + weightDecay · p) with the average m of the gradient, which
 * decays by beta2 (Chen et al. 2023; the defaults are those of its authors' code).
 */
export class Lion extends Optimizer<LionOptions> {
  /** @param params parameters, or groups of them with options of their own */
  constructor(
    ...args: Arguments<
      [params: Params<LionOptions>],
      [lr: number, betas: readonly [number, number], weightDecay: number],
      Partial<LionOptions>
    >
  ) {
    super(lion, args);
  }
  /** @internal */
  protected check({ lr, betas, weightDecay }: LionOptions): void {
    expectRange('Lion', 'lr', lr);
    betas.forEach((beta, i) => {
      expectRange('Lion', `betas[${i}]`, beta, 0, 1);
    });
    expectRange('Lion', 'weightDecay', weightDecay);
  }
  /** @internal */
  protected hyper({ lr, betas, weightDecay, maximize }: LionOptions): readonly number[] {
    return [lr, weightDecay, Number(maximize), 1 - betas[0], 1 - betas[1]];
  }
  /** @internal */
  protected stateOf(): Record<string, number> {
    return { exp_avg: 0 };
  }
  /** @internal */
  protected update(p: Tensor, g: Tensor, state: State, hyper: Tensor): void {
    lionOps.lionStep({ p, g, average: state.exp_avg as Tensor, step: state.step, hyper });
  }
}
