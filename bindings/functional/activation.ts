// Activations.
import { familyOps, ops } from '../autograd.ts';
import { layerActivationRows, softplusRows } from '../ops/activation.ts';
import { type Callable, callable } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { relu as ofAny } from './elementwise.ts';
import { type InplaceOptions, writing } from './overwrite.ts';

const activationOps = familyOps(layerActivationRows);
const softplusOps = familyOps(softplusRows);

/** Options of {@link leakyRelu}. */
export interface LeakyReluOptions extends InplaceOptions {
  /** The slope below 0. @defaultValue 0.01 */
  negativeSlope?: number;
}

/** Options of {@link elu}. */
export interface EluOptions extends InplaceOptions {
  /** The value that −∞ comes to, less its sign. @defaultValue 1 */
  alpha?: number;
}

/** Options of {@link gelu}. */
export interface GeluOptions {
  /** `'none'`: exact; `'tanh'`: x / 2 (1 + tanh(√(2/π) (x + 0.044715 x³))). @defaultValue 'none' */
  approximate?: 'none' | 'tanh';
}

/** Options of {@link softplus}. */
export interface SoftplusOptions {
  /** How sharp the bend at 0 is. @defaultValue 1 */
  beta?: number;
  /** Where beta x is above it, the result is x itself. @defaultValue 20 */
  threshold?: number;
}

/** Options of {@link hardtanh}. */
export interface HardtanhOptions extends InplaceOptions {
  /** The least value. @defaultValue -1 */
  minVal?: number;
  /** The greatest value. @defaultValue 1 */
  maxVal?: number;
}

/** The rectifier max(x, 0). */
export const relu = writing<Callable<[x: Tensor], [inplace: boolean], InplaceOptions, Tensor>>(
  'relu(x: Tensor, inplace: bool = false)',
  (x: Tensor) => (x.dtype === 'f32' ? ops.relu({ x }) : ofAny(x)),
);

/** x where x > 0, else negativeSlope · x (Maas et al. 2013). */
export const leakyRelu = writing<
  Callable<[x: Tensor], [negativeSlope: number, inplace: boolean], LeakyReluOptions, Tensor>
>('leakyRelu(x: Tensor, negativeSlope: number = 0.01, inplace: bool = false)', (x: Tensor, negativeSlope: number) =>
  activationOps.leakyRelu({ x }, { negativeSlope }),
);

/** x where x > 0, else alpha (eˣ − 1) (Clevert et al. 2016). */
export const elu = writing<Callable<[x: Tensor], [alpha: number, inplace: boolean], EluOptions, Tensor>>(
  'elu(x: Tensor, alpha: number = 1, inplace: bool = false)',
  (x: Tensor, alpha: number) => activationOps.elu({ x }, { alpha }),
);

/** 1.0507 (x where x > 0, else 1.6733 (eˣ − 1)), which normalises itself (Klambauer et al. 2017). */
export const selu = writing<Callable<[x: Tensor], [inplace: boolean], InplaceOptions, Tensor>>(
  'selu(x: Tensor, inplace: bool = false)',
  (x: Tensor): Tensor => activationOps.selu({ x }),
);

/** x Φ(x), Φ being the distribution function of the standard normal (Hendrycks and Gimpel 2016). */
export const gelu = callable<Callable<[x: Tensor], [approximate: 'none' | 'tanh'], GeluOptions, Tensor>>(
  "gelu(x: Tensor, approximate: 'none'|'tanh' = 'none')",
  (x: Tensor, approximate: 'none' | 'tanh') =>
    approximate === 'tanh' ? activationOps.geluTanh({ x }) : activationOps.gelu({ x }),
);

/** x / (1 + e⁻ˣ), which is x · sigmoid(x); also called swish (Ramachandran et al. 2017). */
export const silu = writing<Callable<[x: Tensor], [inplace: boolean], InplaceOptions, Tensor>>(
  'silu(x: Tensor, inplace: bool = false)',
  (x: Tensor): Tensor => activationOps.silu({ x }),
);

/** x tanh(log(1 + eˣ)) (Misra 2019). */
export const mish = writing<Callable<[x: Tensor], [inplace: boolean], InplaceOptions, Tensor>>(
  'mish(x: Tensor, inplace: bool = false)',
  (x: Tensor): Tensor => activationOps.mish({ x }),
);

/** log(1 + exp(beta x)) / beta; x itself where beta x > threshold. */
export const softplus = callable<Callable<[x: Tensor], [beta: number, threshold: number], SoftplusOptions, Tensor>>(
  'softplus(x: Tensor, beta: number = 1, threshold: number = 20)',
  (x: Tensor, beta: number, threshold: number) => softplusOps.softplus({ x }, { beta, threshold }),
);

/** x / (1 + |x|). */
export const softsign = callable('softsign(x: Tensor)', (x: Tensor): Tensor => activationOps.softsign({ x }));

/** x limited to minVal … maxVal. */
export const hardtanh = writing<
  Callable<[x: Tensor], [minVal: number, maxVal: number, inplace: boolean], HardtanhOptions, Tensor>
>(
  'hardtanh(x: Tensor, minVal: number = -1, maxVal: number = 1, inplace: bool = false)',
  (x: Tensor, min: number, max: number) => activationOps.hardtanh({ x }, { min, max }),
);
