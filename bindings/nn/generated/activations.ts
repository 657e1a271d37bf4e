// Written by tools/generate-methods.mjs out of bindings/functional/. Do not edit.
import type { CeluOptions, EluOptions, GeluOptions, GluOptions, HardtanhOptions, InplaceOptions, LeakyReluOptions, ShrinkOptions, SoftplusOptions } from '../../functional/index.ts';
import * as F from '../../functional/index.ts';
import type { Arguments } from '../../signature.ts';
import { activation } from '../activation.ts';

/** The logistic function 1 / (1 + e⁻ˣ): {@link functional.sigmoid}. */
export class Sigmoid extends activation<[]>(F.sigmoid, 'Sigmoid()') {}

/** The hyperbolic tangent (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ): {@link functional.tanh}. */
export class Tanh extends activation<[]>(F.tanh, 'Tanh()') {}

/** The rectifier max(x, 0): {@link functional.relu}. */
export class ReLU extends activation<Arguments<[], [inplace: boolean], InplaceOptions>>(F.relu, 'ReLU(inplace: bool = false)') {}

/** x where x > 0, else negativeSlope · x (Maas et al. 2013): {@link functional.leakyRelu}. */
export class LeakyReLU extends activation<Arguments<[], [negativeSlope: number, inplace: boolean], LeakyReluOptions>>(F.leakyRelu, 'LeakyReLU(negativeSlope: number = 0.01, inplace: bool = false)') {}

/** x where x > 0, else alpha (eˣ − 1) (Clevert et al. 2016): {@link functional.elu}. */
export class ELU extends activation<Arguments<[], [alpha: number, inplace: boolean], EluOptions>>(F.elu, 'ELU(alpha: number = 1, inplace: bool = false)') {}

/** 1.0507 (x where x > 0, else 1.6733 (eˣ − 1)), which normalises itself (Klambauer et al. 2017): {@link functional.selu}. */
export class SELU extends activation<Arguments<[], [inplace: boolean], InplaceOptions>>(F.selu, 'SELU(inplace: bool = false)') {}

/** x Φ(x), Φ being the distribution function of the standard normal (Hendrycks and Gimpel 2016): {@link functional.gelu}. */
export class GELU extends activation<Arguments<[], [approximate: 'none' | 'tanh'], GeluOptions>>(F.gelu, "GELU(approximate: 'none'|'tanh' = 'none')") {}

/** x / (1 + e⁻ˣ), which is x · sigmoid(x); also called swish (Ramachandran et al. 2017): {@link functional.silu}. */
export class SiLU extends activation<Arguments<[], [inplace: boolean], InplaceOptions>>(F.silu, 'SiLU(inplace: bool = false)') {}

/** x tanh(log(1 + eˣ)) (Misra 2019): {@link functional.mish}. */
export class Mish extends activation<Arguments<[], [inplace: boolean], InplaceOptions>>(F.mish, 'Mish(inplace: bool = false)') {}

/** log(1 + exp(beta x)) / beta; x itself where beta x > threshold: {@link functional.softplus}. */
export class Softplus extends activation<Arguments<[], [beta: number, threshold: number], SoftplusOptions>>(F.softplus, 'Softplus(beta: number = 1, threshold: number = 20)') {}

/** x / (1 + |x|): {@link functional.softsign}. */
export class Softsign extends activation<[]>(F.softsign, 'Softsign()') {}

/** x limited to minVal … maxVal: {@link functional.hardtanh}. */
export class Hardtanh extends activation<Arguments<[], [minVal: number, maxVal: number, inplace: boolean], HardtanhOptions>>(F.hardtanh, 'Hardtanh(minVal: number = -1, maxVal: number = 1, inplace: bool = false)') {}

/** x limited to 0 … 6 (Howard et al. 2017): {@link functional.relu6}. */
export class ReLU6 extends activation<Arguments<[], [inplace: boolean], InplaceOptions>>(F.relu6, 'ReLU6(inplace: bool = false)') {}

/** x where x > 0, else alpha (exp(x / alpha) − 1) (Barron 2017): {@link functional.celu}. */
export class CELU extends activation<Arguments<[], [alpha: number, inplace: boolean], CeluOptions>>(F.celu, 'CELU(alpha: number = 1, inplace: bool = false)') {}

/** x / 6 + 1 / 2, limited to 0 … 1 (Courbariaux et al. 2015): {@link functional.hardsigmoid}. */
export class Hardsigmoid extends activation<Arguments<[], [inplace: boolean], InplaceOptions>>(F.hardsigmoid, 'Hardsigmoid(inplace: bool = false)') {}

/** x times hardsigmoid of x (Howard et al. 2019): {@link functional.hardswish}. */
export class Hardswish extends activation<Arguments<[], [inplace: boolean], InplaceOptions>>(F.hardswish, 'Hardswish(inplace: bool = false)') {}

/** x where |x| > lambd, else 0: {@link functional.hardshrink}. */
export class Hardshrink extends activation<Arguments<[], [lambd: number], ShrinkOptions>>(F.hardshrink, 'Hardshrink(lambd: number = 0.5)') {}

/** x drawn to 0 by lambd, 0 where |x| <= lambd: {@link functional.softshrink}. */
export class Softshrink extends activation<Arguments<[], [lambd: number], ShrinkOptions>>(F.softshrink, 'Softshrink(lambd: number = 0.5)') {}

/** x − tanh(x): {@link functional.tanhshrink}. */
export class Tanhshrink extends activation<[]>(F.tanhshrink, 'Tanhshrink()') {}

/** log(1 / (1 + e⁻ˣ)): {@link functional.logsigmoid}. */
export class LogSigmoid extends activation<[]>(F.logsigmoid, 'LogSigmoid()') {}

/** The first half of x along `dim` times the sigmoid of the second one (Dauphin et al. 2017): {@link functional.glu}. */
export class GLU extends activation<Arguments<[], [dim: number], GluOptions>>(F.glu, 'GLU(dim: int = -1)') {}
