// Written by tools/generate-methods.mjs out of bindings/functional/. Do not edit.
import * as F from '../../functional/index.ts';
import { activation } from '../activation.ts';

/** The rectifier max(x, 0): {@link functional.relu}. */
export class ReLU extends activation(F.relu) {}

/** The logistic function 1 / (1 + e⁻ˣ): {@link functional.sigmoid}. */
export class Sigmoid extends activation(F.sigmoid) {}

/** The hyperbolic tangent (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ): {@link functional.tanh}. */
export class Tanh extends activation(F.tanh) {}

/** x where x > 0, else negativeSlope · x (Maas et al. 2013): {@link functional.leakyRelu}. */
export class LeakyReLU extends activation(F.leakyRelu) {}

/** x where x > 0, else alpha (eˣ − 1) (Clevert et al. 2016): {@link functional.elu}. */
export class ELU extends activation(F.elu) {}

/** 1.0507 (x where x > 0, else 1.6733 (eˣ − 1)), which normalises itself (Klambauer et al. 2017): {@link functional.selu}. */
export class SELU extends activation(F.selu) {}

/** x Φ(x), Φ being the distribution function of the standard normal (Hendrycks and Gimpel 2016): {@link functional.gelu}. */
export class GELU extends activation(F.gelu) {}

/** x / (1 + e⁻ˣ), which is x · sigmoid(x); also called swish (Ramachandran et al. 2017): {@link functional.silu}. */
export class SiLU extends activation(F.silu) {}

/** x tanh(log(1 + eˣ)) (Misra 2019): {@link functional.mish}. */
export class Mish extends activation(F.mish) {}

/** log(1 + exp(beta x)) / beta; x itself where beta x > threshold: {@link functional.softplus}. */
export class Softplus extends activation(F.softplus) {}

/** x / (1 + |x|): {@link functional.softsign}. */
export class Softsign extends activation(F.softsign) {}

/** x limited to minVal … maxVal: {@link functional.hardtanh}. */
export class Hardtanh extends activation(F.hardtanh) {}
