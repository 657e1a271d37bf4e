// Activations.
import { familyOps } from '../autograd.ts';
import { ArgumentError } from '../memory/errors.ts';
import { layerActivationRows, softplusRows } from '../ops/activation.ts';
import type { Tensor } from '../tensor.ts';

const activationOps = familyOps(layerActivationRows);
const softplusOps = familyOps(softplusRows);

/** Options of {@link leakyRelu}. */
export interface LeakyReluOptions {
  /** The slope below 0. @defaultValue 0.01 */
  negativeSlope?: number;
}

/** Options of {@link elu}. */
export interface EluOptions {
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
export interface HardtanhOptions {
  /** The least value. @defaultValue -1 */
  minVal?: number;
  /** The greatest value. @defaultValue 1 */
  maxVal?: number;
}

/** x where x > 0, else negativeSlope · x (Maas et al. 2013). */
export const leakyRelu = (x: Tensor, options: LeakyReluOptions = {}): Tensor => {
  const { negativeSlope = 0.01 } = options;
  return activationOps.leakyRelu({ x }, { negativeSlope });
};

/** x where x > 0, else alpha (eˣ − 1) (Clevert et al. 2016). */
export const elu = (x: Tensor, options: EluOptions = {}): Tensor => {
  const { alpha = 1 } = options;
  return activationOps.elu({ x }, { alpha });
};

/** 1.0507 (x where x > 0, else 1.6733 (eˣ − 1)), which normalises itself (Klambauer et al. 2017). */
export const selu = (x: Tensor): Tensor => activationOps.selu({ x });

/** x Φ(x), Φ being the distribution function of the standard normal (Hendrycks and Gimpel 2016). */
export const gelu = (x: Tensor, options: GeluOptions = {}): Tensor => {
  const { approximate = 'none' } = options;
  if (approximate !== 'none' && approximate !== 'tanh')
    throw new ArgumentError(`gelu: expected approximate 'none' or 'tanh', got '${approximate}'`);
  return approximate === 'tanh' ? activationOps.geluTanh({ x }) : activationOps.gelu({ x });
};

/** x / (1 + e⁻ˣ), which is x · sigmoid(x); also called swish (Ramachandran et al. 2017). */
export const silu = (x: Tensor): Tensor => activationOps.silu({ x });

/** x tanh(log(1 + eˣ)) (Misra 2019). */
export const mish = (x: Tensor): Tensor => activationOps.mish({ x });

/** log(1 + exp(beta x)) / beta; x itself where beta x > threshold. */
export const softplus = (x: Tensor, options: SoftplusOptions = {}): Tensor => {
  const { beta = 1, threshold = 20 } = options;
  return softplusOps.softplus({ x }, { beta, threshold });
};

/** x / (1 + |x|). */
export const softsign = (x: Tensor): Tensor => activationOps.softsign({ x });

/** x limited to minVal … maxVal. */
export const hardtanh = (x: Tensor, options: HardtanhOptions = {}): Tensor => {
  const { minVal = -1, maxVal = 1 } = options;
  return activationOps.hardtanh({ x }, { min: minVal, max: maxVal });
};
