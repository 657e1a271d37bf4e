// Optimizers with Adam's averages of the gradient and of its square. Formulas and defaults are PyTorch's; the numbers a
// kernel reads follow the layout in assembly/optim/hyper.ts.
import { familyOps, ops } from '../autograd.ts';
import { adamaxRows, lambRows, nadamRows, radamRows } from '../ops/optimizers.ts';
import { type Arguments, signature } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { Optimizer, type Params, type State } from './optimizer.ts';
import { Planned } from './planned.ts';
import { expectRange, kinds } from './settings.ts';

const nadamOps = familyOps(nadamRows);
const radamOps = familyOps(radamRows);
const adamaxOps = familyOps(adamaxRows);
const lambOps = familyOps(lambRows);

/** Options that all optimizers of this file have. */
export interface MomentOptions {
  /** The learning rate, at least 0. @defaultValue 2e-3, of RAdam and LAMB 1e-3 */
  lr: number;
  /** The decay of the averages of the gradient and of its square, from 0 to below 1. @defaultValue [0.9, 0.999] */
  betas: readonly [number, number];
  /** Added to the root of the second average. @defaultValue 1e-8, of LAMB 1e-6 */
  eps: number;
  /** The share of the weights that is added to the gradient. @defaultValue 0, of LAMB 1e-2 */
  weightDecay: number;
  /** Whether to go up the gradient, not down. @defaultValue false */
  maximize: boolean;
}

/** Options of RAdam. */
export interface RAdamOptions extends MomentOptions {
  /** Whether weight decay shrinks the weights themselves, not through the gradient. @defaultValue false */
  decoupledWeightDecay: boolean;
}

/** Options of NAdam. */
export interface NAdamOptions extends RAdamOptions {
  /** How fast the momentum rises to the first of the betas, at least 0. @defaultValue 4e-3 */
  momentumDecay: number;
}

/** Options of LAMB. */
export interface LAMBOptions extends MomentOptions {
  /** Whether the averages are divided by 1 − betaᵗ. @defaultValue true */
  biasCorrection: boolean;
}

type Averages = State & Record<'exp_avg' | 'exp_avg_sq', Tensor>;

/** What every kernel of this file reads first. */
const numbersOf = ({ lr, weightDecay, maximize, betas, eps }: MomentOptions): number[] => [
  ...[lr, weightDecay, Number(maximize), 1 - betas[0], 1 - betas[1], eps],
];

function checkMoments(op: string, { lr, betas, eps, weightDecay }: MomentOptions): void {
  expectRange(op, 'lr', lr);
  betas.forEach((beta, i) => {
    expectRange(op, `betas[${i}]`, beta, 0, 1);
  });
  expectRange(op, 'eps', eps);
  expectRange(op, 'weightDecay', weightDecay);
}

const nadam = signature(
  'NAdam(params: any, lr: number = 2e-3, betas: betas = [0.9, 0.999], eps: number = 1e-8, weightDecay: number = 0, momentumDecay: number = 4e-3, decoupledWeightDecay: bool = false, *, -foreach: null = null, maximize: bool = false, -capturable: bool = false, -differentiable: bool = false)',
  kinds,
);

/** Adam with Nesterov's momentum, which rises with the steps (Dozat 2016). */
export class NAdam extends Optimizer<NAdamOptions> {
  /** @param params parameters, or groups of them with options of their own */
  constructor(
    ...args: Arguments<
      [params: Params<NAdamOptions>],
      [
        lr: number,
        betas: readonly [number, number],
        eps: number,
        weightDecay: number,
        momentumDecay: number,
        decoupledWeightDecay: boolean,
      ],
      Partial<NAdamOptions>
    >
  ) {
    super(nadam, args);
  }
  /** @internal */
  protected check(options: NAdamOptions): void {
    checkMoments('NAdam', options);
    expectRange('NAdam', 'momentumDecay', options.momentumDecay);
  }
  /** @internal */
  protected hyper(options: NAdamOptions): readonly number[] {
    return [...numbersOf(options), Number(options.decoupledWeightDecay), options.momentumDecay];
  }
  /** @internal */
  protected stateOf(): Record<string, number> {
    return { mu_product: 1, exp_avg: 0, exp_avg_sq: 0 };
  }
  /** @internal */
  protected override shapeOf(name: string, p: Tensor): readonly number[] | null {
    return name === 'mu_product' ? [] : super.shapeOf(name, p);
  }
  /** @internal */
  protected update(p: Tensor, g: Tensor, state: State, hyper: Tensor): void {
    const { step, exp_avg, exp_avg_sq, mu_product } = state as Averages & Record<'mu_product', Tensor>;
    nadamOps.nadamStep({ p, g, average: exp_avg, square: exp_avg_sq, product: mu_product, step, hyper });
  }
}

const radam = signature(
  'RAdam(params: any, lr: number = 1e-3, betas: betas = [0.9, 0.999], eps: number = 1e-8, weightDecay: number = 0, decoupledWeightDecay: bool = false, *, -foreach: null = null, maximize: bool = false, -capturable: bool = false, -differentiable: bool = false)',
  kinds,
);

/** Adam that begins as momentum does, until the variance of its second average is known (Liu et al. 2020). */
export class RAdam extends Optimizer<RAdamOptions> {
  /** @param params parameters, or groups of them with options of their own */
  constructor(
    ...args: Arguments<
      [params: Params<RAdamOptions>],
      [lr: number, betas: readonly [number, number], eps: number, weightDecay: number, decoupledWeightDecay: boolean],
      Partial<RAdamOptions>
    >
  ) {
    super(radam, args);
  }
  /** @internal */
  protected check(options: RAdamOptions): void {
    checkMoments('RAdam', options);
  }
  /** @internal */
  protected hyper(options: RAdamOptions): readonly number[] {
    return [...numbersOf(options), Number(options.decoupledWeightDecay)];
  }
  /** @internal */
  protected stateOf(): Record<string, number> {
    return { exp_avg: 0, exp_avg_sq: 0 };
  }
  /** @internal */
  protected update(p: Tensor, g: Tensor, state: State, hyper: Tensor): void {
    const { step, exp_avg, exp_avg_sq } = state as Averages;
    radamOps.radamStep({ p, g, average: exp_avg, square: exp_avg_sq, step, hyper });
  }
}

const adamax = signature(
  'Adamax(params: any, lr: number = 2e-3, betas: betas = [0.9, 0.999], eps: number = 1e-8, weightDecay: number = 0, -foreach: null = null, *, maximize: bool = false, -differentiable: bool = false, -capturable: bool = false)',
  kinds,
);

/** Adam with the largest gradient, which fades, in place of the second average (Kingma and Ba 2015). */
export class Adamax extends Optimizer<MomentOptions> {
  /** @param params parameters, or groups of them with options of their own */
  constructor(
    ...args: Arguments<
      [params: Params<MomentOptions>],
      [lr: number, betas: readonly [number, number], eps: number, weightDecay: number],
      Partial<MomentOptions>
    >
  ) {
    super(adamax, args);
  }
  /** @internal */
  protected check(options: MomentOptions): void {
    checkMoments('Adamax', options);
  }
  /** @internal */
  protected hyper(options: MomentOptions): readonly number[] {
    return numbersOf(options);
  }
  /** @internal */
  protected stateOf(): Record<string, number> {
    return { exp_avg: 0, exp_inf: 0 };
  }
  /** @internal */
  protected update(p: Tensor, g: Tensor, state: State, hyper: Tensor): void {
    const { step, exp_avg, exp_inf } = state as State & Record<'exp_avg' | 'exp_inf', Tensor>;
    adamaxOps.adamaxStep({ p, g, average: exp_avg, norm: exp_inf, step, hyper });
  }
}

const lamb = signature(
  'LAMB(params: any, lr: number = 1e-3, betas: betas = [0.9, 0.999], eps: number = 1e-6, weightDecay: number = 1e-2, *, biasCorrection: bool = true, maximize: bool = false)',
  kinds,
);

/**
 * LAMB for large batches, p += lr · |p| / |u| · u with Adam's step u = −(m / (√v + eps) + weightDecay · p): each
 * parameter moves by the same share of its norm (You et al. 2020, algorithm 2). Where |p| or |u| is 0 the factor is lr.
 * A step needs room for as many numbers again as there are parameters.
 */
export class LAMB extends Planned<LAMBOptions> {
  /** @param params parameters, or groups of them with options of their own */
  constructor(
    ...args: Arguments<
      [params: Params<LAMBOptions>],
      [lr: number, betas: readonly [number, number], eps: number, weightDecay: number],
      Partial<LAMBOptions>
    >
  ) {
    super(lamb, args);
  }
  /** @internal */
  protected check(options: LAMBOptions): void {
    checkMoments('LAMB', options);
  }
  /** @internal */
  protected hyper(options: LAMBOptions): readonly number[] {
    return [...numbersOf(options), Number(options.biasCorrection)];
  }
  /** @internal */
  protected stateOf(): Record<string, number> {
    return { exp_avg: 0, exp_avg_sq: 0 };
  }
  /** @internal */
  protected plan(p: Tensor, g: Tensor, state: State, hyper: Tensor): () => void {
    const { step, exp_avg: average, exp_avg_sq: square } = state as Averages;
    const u = ops.full({}, { shape: p.sizes, value: 0 });
    const squares = ops.full({}, { shape: [2], value: 0 });
    return () => {
      lambOps.lambStep({ p, g, average, square, u, squares, step, hyper });
    };
  }
}
