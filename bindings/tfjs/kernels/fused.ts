// What a product or a convolution does with its sums: adds a bias, and applies an activation, in place.
import type { Kernels } from '../../kernels/table.ts';
import { ShapeError } from '../../memory/errors.ts';
import { sameShape } from '../../sizes.ts';
import type { Backend } from '../backend.ts';
import type { Data } from '../data.ts';
import type { Info } from '../engine.ts';
import { prelu } from './binary.ts';
import { stretch, stretchedDims } from './layout.ts';

/** The attributes of fused kernels. */
export interface Fused {
  readonly activation?: string;
  readonly leakyreluAlpha?: number;
}

type InPlace = (k: Kernels, y: Data, alpha: number) => void;

/** Activations by the names that tfjs gives them; prelu has weights, and linear does nothing. */
const activations: Readonly<Record<string, InPlace>> = {
  relu: (k, y) => k.relu_forward_f32({ y, x: y, n: y.size }),
  relu6: (k, y) => k.hardtanh_forward_f32({ y, x: y, n: y.size, alpha: 0, beta: 6 }),
  elu: (k, y) => k.elu_forward_f32({ y, x: y, n: y.size, alpha: 1 }),
  leakyrelu: (k, y, alpha) => k.leaky_relu_forward_f32({ y, x: y, n: y.size, alpha }),
  sigmoid: (k, y) => k.sigmoid_forward_f32({ y, x: y, n: y.size }),
};

/** Whether there is an activation of that name. */
export const isFusable = ({ activation = 'linear' }: Fused): boolean =>
  activation === 'linear' || activation === 'prelu' || Object.hasOwn(activations, activation);

/** Adds `bias`, which stretches to the shape of y, and applies the activation. @throws ShapeError */
export function applyActivation(
  backend: Backend,
  y: Info & { readonly dataId: Data },
  bias: Info | undefined,
  { activation = 'linear', leakyreluAlpha = 0.2 }: Fused,
  weights: Info | undefined,
): void {
  const { kernels } = backend;
  const { dataId, shape } = y;
  if (bias) {
    if (!sameShape(stretch('bias', shape, bias.shape), shape))
      throw new ShapeError(`bias: expected a shape that stretches to ${shape}, got ${bias.shape}; reshape() it`);
    const dims = stretchedDims(shape, shape, bias.shape);
    kernels.add_forward_f32({ y: dataId, a: dataId, b: backend.at(bias), dims });
  }
  if (activation === 'prelu' && weights) prelu(backend, dataId, y, weights);
  else activations[activation]?.(kernels, dataId, leakyreluAlpha);
}
