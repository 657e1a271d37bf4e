// Muon: steps of matrices whose singular values are near 1.
import { ops } from '../autograd.ts';
import { tracing } from '../execute.ts';
import { add, div, matmul, maximum, mul, norm, select, sub, transpose } from '../functional/functions.ts';
import { ArgumentError, formatShape } from '../memory/errors.ts';
import { scope } from '../scope.ts';
import { type Arguments, signature } from '../signature.ts';
import { Tensor } from '../tensor.ts';
import type { Params, State } from './optimizer.ts';
import { Planned } from './planned.ts';
import { expectRange } from './settings.ts';

/** Options of Muon. */
export interface MuonOptions {
  /** The learning rate, at least 0. @defaultValue 1e-3 */
  lr: number;
  /** The share that is taken off the weights. @defaultValue 0.1 */
  weightDecay: number;
  /** The decay of the average of the gradient, at least 0. @defaultValue 0.95 */
  momentum: number;
  /** Whether the step looks ahead by the momentum. @defaultValue true */
  nesterov: boolean;
  /** The coefficients of the polynomial. @defaultValue [3.4445, -4.775, 2.0315] */
  nsCoefficients: readonly number[];
  /** The least norm that a direction is divided by. @defaultValue 1e-7 */
  eps: number;
  /** How often the polynomial is applied, below 100. @defaultValue 5 */
  nsSteps: number;
  /**
   * What lr is multiplied by for a matrix [a, b]: √max(1, a / b), or 0.2 √max(a, b), with which learning rates of AdamW
   * fit. null: 'original'.
   * @defaultValue null
   */
  adjustLrFn: 'original' | 'matchRmsAdamw' | null;
}

const muon = signature(
  "Muon(params: any, lr: number = 1e-3, weightDecay: number = 0.1, momentum: number = 0.95, nesterov: bool = true, nsCoefficients: number[] = [3.4445, -4.775, 2.0315], eps: number = 1e-7, nsSteps: int = 5, adjustLrFn: 'original'|'matchRmsAdamw'|null = null)",
);

/**
 * Muon for the matrices of hidden layers: the average of the gradient is brought near the nearest orthogonal matrix by
 * a polynomial of products (Newton–Schulz), and that is the step (Jordan et al. 2024). Other parameters, and the first
 * and last layers, go to another optimizer. Products are in f32, PyTorch's in bf16. A step needs room for its matrices
 * once more.
 * @example
 * ```ts
 * const model = new nn.Sequential(new nn.Linear(8, 16), new nn.ReLU(), new nn.Linear(16, 16), new nn.Linear(16, 2));
 * const hidden = model.parameters().filter((p) => p.ndim === 2);
 * const others = model.parameters().filter((p) => p.ndim !== 2);
 * const optimizers = [new optim.Muon(hidden, { lr: 0.02 }), new optim.AdamW(others)];
 * functional.mseLoss(model.forward(randn([4, 8])), randn([4, 2])).backward();
 * for (const optimizer of optimizers) optimizer.step();
 * ```
 */
export class Muon extends Planned<MuonOptions> {
  /** @param params matrices, or groups of them with options of their own */
  constructor(
    ...args: Arguments<
      [params: Params<MuonOptions>],
      [
        lr: number,
        weightDecay: number,
        momentum: number,
        nesterov: boolean,
        nsCoefficients: readonly number[],
        eps: number,
        nsSteps: number,
        adjustLrFn: 'original' | 'matchRmsAdamw' | null,
      ],
      Partial<MuonOptions>
    >
  ) {
    super(muon, args);
  }
  /** @internal */
  protected check({ lr, weightDecay, momentum, nsCoefficients, eps, nsSteps, ...group }: MuonOptions): void {
    for (const [name, value] of Object.entries({ lr, weightDecay, momentum, eps })) expectRange('Muon', name, value);
    expectRange('Muon', 'nsSteps', nsSteps, 0, 100);
    if (nsCoefficients.length !== 3 || !nsCoefficients.every(Number.isFinite))
      throw new ArgumentError(`Muon: expected three numbers as nsCoefficients, got ${String(nsCoefficients)}`);
    const { params = [] } = group as { params?: readonly unknown[] };
    for (const p of params)
      if (p instanceof Tensor && p.ndim !== 2)
        throw new ArgumentError(
          `Muon: expected matrices, got a parameter of shape ${formatShape(p.shape)}; give it to another optimizer`,
        );
  }
  /** @internal */
  protected hyper(options: MuonOptions): readonly number[] {
    const { lr, weightDecay, momentum, nesterov, nsCoefficients, eps } = options;
    return [1 - lr * weightDecay, 1 - momentum, nesterov ? momentum : 1, eps, ...nsCoefficients, lr];
  }
  /** @internal */
  protected stateOf(): Record<string, number> {
    return { momentum_buffer: 0 };
  }
  /** @internal */
  protected plan(p: Tensor, g: Tensor, state: State, hyper: Tensor, group: MuonOptions): () => void {
    const { nsSteps, adjustLrFn } = group;
    // Programs hold for as many products, and one factor of lr.
    tracing()?.guard(() => group.nsSteps === nsSteps && group.adjustLrFn === adjustLrFn);
    const buffer = state.momentum_buffer as Tensor;
    const at = (i: number): Tensor => select(hyper, 0, i);
    const [shrink, take, look, eps, a, b, c, lr] = Array.from({ length: 8 }, (_, i) => at(i)) as Eight;
    const { next, moved } = scope(() => {
      const next = add(buffer, mul(sub(g, buffer), take));
      const direction = add(g, mul(sub(next, g), look));
      const u = orthogonal(direction, eps, [a, b, c], nsSteps);
      return { next, moved: sub(mul(p, shrink), mul(u, mul(lr, ratioOf(p, adjustLrFn)))) };
    });
    return () => {
      ops.copy({ y: p, x: moved });
      ops.copy({ y: buffer, x: next });
    };
  }
}

type Eight = [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];

/** What the learning rate of a matrix is multiplied by. */
function ratioOf({ sizes: [rows = 1, columns = 1] }: Tensor, adjustLrFn: MuonOptions['adjustLrFn']): number {
  if (adjustLrFn === 'matchRmsAdamw') return 0.2 * Math.sqrt(Math.max(rows, columns));
  return Math.sqrt(Math.max(1, rows / columns));
}

/** x with its singular values near 1: `steps` times x = (a + b (x xᵀ) + c (x xᵀ)²) x, on its shorter side. */
function orthogonal(x: Tensor, eps: Tensor, [a, b, c]: readonly [Tensor, Tensor, Tensor], steps: number): Tensor {
  const tall = (x.sizes[0] as number) > (x.sizes[1] as number);
  const turned = (y: Tensor): Tensor => (tall ? transpose(y, 0, 1) : y);
  let y = turned(div(x, maximum(norm(x), eps)));
  for (let i = 0; i < steps; i++) {
    const gram = matmul(y, transpose(y, 0, 1));
    const polynomial = add(mul(gram, b), mul(matmul(gram, gram), c));
    y = add(mul(y, a), matmul(polynomial, y));
  }
  return turned(y);
}
