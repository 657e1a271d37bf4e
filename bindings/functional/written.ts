// Activations that write over their tensor, as PyTorch's functional has them; overwrite.ts says how.
import type { Callable } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import {
  type EluOptions,
  elu,
  type HardtanhOptions,
  hardtanh,
  type LeakyReluOptions,
  leakyRelu,
  relu,
  selu,
} from './activation.ts';
import { type RreluOptions, rrelu } from './noise.ts';
import { type InplaceOptions, inplace } from './overwrite.ts';
import { threshold } from './prelu.ts';
import { type CeluOptions, celu } from './shrink.ts';

/** Options without the one that the name of a function says. */
export type Asked<O extends InplaceOptions> = Omit<O, 'inplace'>;
/** A function that writes over x. */
export type Written<R extends readonly unknown[], P extends readonly unknown[], O> = Callable<
  [x: Tensor, ...rest: R],
  P,
  O,
  Tensor
>;

/** {@link relu}, written over x, which is returned. @throws GradError as {@link copy_} */
export const relu_: Written<[], [], object> = inplace(relu as never, 'relu(x: Tensor)');

/** {@link leakyRelu}, written over x, which is returned. @throws GradError as {@link copy_} */
export const leakyRelu_: Written<[], [negativeSlope: number], Asked<LeakyReluOptions>> = inplace(
  leakyRelu as never,
  'leakyRelu(x: Tensor, negativeSlope: number = 0.01)',
);

/** {@link elu}, written over x, which is returned. @throws GradError as {@link copy_} */
export const elu_: Written<[], [alpha: number], Asked<EluOptions>> = inplace(
  elu as never,
  'elu(x: Tensor, alpha: number = 1)',
);

/** {@link selu}, written over x, which is returned. @throws GradError as {@link copy_} */
export const selu_: Written<[], [], object> = inplace(selu as never, 'selu(x: Tensor)');

/** {@link celu}, written over x, which is returned. @throws GradError as {@link copy_} */
export const celu_: Written<[], [alpha: number], Asked<CeluOptions>> = inplace(
  celu as never,
  'celu(x: Tensor, alpha: number = 1)',
);

/** {@link hardtanh}, written over x, which is returned. @throws GradError as {@link copy_} */
export const hardtanh_: Written<[], [minVal: number, maxVal: number], Asked<HardtanhOptions>> = inplace(
  hardtanh as never,
  'hardtanh(x: Tensor, minVal: number = -1, maxVal: number = 1)',
);

/** {@link threshold}, written over x, which is returned. @throws GradError as {@link copy_} */
export const threshold_: Written<[threshold: number, value: number], [], object> = inplace(
  threshold as never,
  'threshold(x: Tensor, threshold: number, value: number)',
);

/** {@link rrelu}, written over x, which is returned. @throws GradError as {@link copy_} */
export const rrelu_: Written<[], [lower: number, upper: number, training: boolean], Asked<RreluOptions>> = inplace(
  ((x: Tensor, lower: number, upper: number, training: boolean) => rrelu(x, lower, upper, training)) as never,
  'rrelu(x: Tensor, lower: number = 0.125, upper: number = 0.3333333333333333, training: bool = false, -generator: any = null)',
);
