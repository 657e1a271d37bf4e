// Activations that are made of other functions.
import { familyOps, ops } from '../autograd.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { layerActivationRows, softplusRows } from '../ops/activation.ts';
import { normalizeDim } from '../ops/shapes.ts';
import { type Callable, callable } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { asTensor } from './arguments.ts';
import { type InplaceOptions, writing } from './overwrite.ts';

const activationOps = familyOps(layerActivationRows);
const softplusOps = familyOps(softplusRows);
const scale = (x: Tensor, alpha: number, beta = 0): Tensor => ops.scale({ x }, { alpha, beta });

/** Options of {@link celu}. */
export interface CeluOptions extends InplaceOptions {
  /** The value that −∞ comes to, less its sign, above 0. @defaultValue 1 */
  alpha?: number;
}

/** Options of {@link hardshrink} and {@link softshrink}. */
export interface ShrinkOptions {
  /** How far from 0 the result is 0. @defaultValue 0.5 */
  lambd?: number;
}

/** Options of {@link glu}. */
export interface GluOptions {
  /** The dim that is halved; negative ones count from the end. @defaultValue -1 */
  dim?: number;
}

/** x limited to 0 … 6 (Howard et al. 2017). */
export const relu6 = writing<Callable<[x: Tensor], [inplace: boolean], InplaceOptions, Tensor>>(
  'relu6(x: Tensor, inplace: bool = false)',
  (x: Tensor): Tensor => activationOps.hardtanh({ x }, { min: 0, max: 6 }),
);

/** x where x > 0, else alpha (exp(x / alpha) − 1) (Barron 2017). */
export const celu = writing<Callable<[x: Tensor], [alpha: number, inplace: boolean], CeluOptions, Tensor>>(
  'celu(x: Tensor, alpha: number = 1, inplace: bool = false)',
  (x: Tensor, alpha: number) => {
    if (!(alpha > 0)) throw new ArgumentError(`celu: expected alpha > 0, got ${alpha}`);
    return alpha === 1
      ? activationOps.elu({ x }, { alpha })
      : scale(activationOps.elu({ x: scale(x, 1 / alpha) }, { alpha: 1 }), alpha);
  },
);

/** x / 6 + 1 / 2, limited to 0 … 1 (Courbariaux et al. 2015). */
export const hardsigmoid = writing<Callable<[x: Tensor], [inplace: boolean], InplaceOptions, Tensor>>(
  'hardsigmoid(x: Tensor, inplace: bool = false)',
  (x: Tensor): Tensor => activationOps.hardtanh({ x: scale(x, 1 / 6, 0.5) }, { min: 0, max: 1 }),
);

/** x times hardsigmoid of x (Howard et al. 2019). */
export const hardswish = writing<Callable<[x: Tensor], [inplace: boolean], InplaceOptions, Tensor>>(
  'hardswish(x: Tensor, inplace: bool = false)',
  (x: Tensor): Tensor => ops.mul({ a: x, b: activationOps.hardtanh({ x: scale(x, 1 / 6, 0.5) }, { min: 0, max: 1 }) }),
);

/** x where |x| > lambd, else 0. */
export const hardshrink = callable<Callable<[x: Tensor], [lambd: number], ShrinkOptions, Tensor>>(
  'hardshrink(x: Tensor, lambd: number = 0.5)',
  (x: Tensor, lambd: number) => {
    const near = ops.le({ a: ops.abs({ x: x.detach() }), b: asTensor('hardshrink', lambd, x) });
    return ops.where({ condition: near, a: asTensor('hardshrink', 0, x), b: x });
  },
);

/** x drawn to 0 by lambd, 0 where |x| <= lambd. */
export const softshrink = callable<Callable<[x: Tensor], [lambd: number], ShrinkOptions, Tensor>>(
  'softshrink(x: Tensor, lambd: number = 0.5)',
  (x: Tensor, lambd: number) => {
    if (!(lambd >= 0)) throw new ArgumentError(`softshrink: expected lambd >= 0, got ${lambd}`);
    return ops.sub({ a: x, b: ops.clamp({ x }, { min: -lambd, max: lambd }) });
  },
);

/** x − tanh(x). */
export const tanhshrink = callable(
  'tanhshrink(x: Tensor)',
  (x: Tensor): Tensor => ops.sub({ a: x, b: ops.tanh({ x }) }),
);

/** log(1 / (1 + e⁻ˣ)). */
export const logsigmoid = callable(
  'logsigmoid(x: Tensor)',
  (x: Tensor): Tensor => ops.neg({ x: softplusOps.softplus({ x: ops.neg({ x }) }, { beta: 1, threshold: 20 }) }),
);

/** The first half of x along `dim` times the sigmoid of the second one (Dauphin et al. 2017). */
export const glu = callable<Callable<[x: Tensor], [dim: number], GluOptions, Tensor>>(
  'glu(x: Tensor, dim: int = -1)',
  (x: Tensor, dim: number) => {
    const d = normalizeDim('glu', dim, x.ndim);
    const size = x.sizes[d] ?? 1;
    if (size % 2 !== 0)
      throw new ShapeError(`glu: expected an even size of dim ${dim}, got ${size} of ${formatShape(x.sizes)}`);
    const half = (start: number): Tensor => ops.slice({ x }, { dim: d, start, length: size / 2, step: 1 });
    return ops.mul({ a: half(0), b: ops.sigmoid({ x: half(size / 2) }) });
  },
);
