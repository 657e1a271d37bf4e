// PyTorch's initialisers (torch.nn.init). Each overwrites its tensor, outside the tape, and returns it.
import { defaultGenerator } from '../creation.ts';
import { ArgumentError, formatShape, ShapeError } from '../runtime/errors.ts';
import { runtime } from '../runtime/wasm.ts';
import type { Tensor } from '../tensor.ts';
import { write } from './module.ts';

function ready(op: string, x: Tensor): Tensor {
  if (x.dtype !== 'f32' || !x.isContiguous())
    throw new ArgumentError(
      `${op}: expected a contiguous f32 tensor, got ${x.dtype} with strides ${formatShape(x.strides)}`,
    );
  return x;
}

/** Uniform numbers in [a, b). */
export function uniform_(x: Tensor, a = 0, b = 1): Tensor {
  const { kernels } = runtime();
  const state = defaultGenerator();
  kernels.uniform_f32(ready('uniform_', x), x.size, 0, a, b, state);
  kernels.random_advance(state, x.size);
  return x;
}

/** Normal numbers. */
export function normal_(x: Tensor, mean = 0, std = 1): Tensor {
  if (!(std >= 0)) throw new ArgumentError(`normal_: expected std >= 0, got ${std}`);
  const { kernels } = runtime();
  const state = defaultGenerator();
  kernels.normal_f32(ready('normal_', x), x.size, 0, mean, std, state);
  kernels.random_advance(state, x.size);
  return x;
}

/** Normal numbers, drawn again until they lie in [a, b]. */
export function truncNormal_(x: Tensor, { mean = 0, std = 1, a = -2, b = 2 } = {}): Tensor {
  // Rejection needs a fair share of the mass inside; otherwise it would draw for ever.
  if (!(std > 0 && a < b && a <= mean + 2 * std && b >= mean - 2 * std))
    throw new ArgumentError(
      `truncNormal_: expected std > 0 and bounds a < b within 2 std of the mean, got std ${std}, ${a} … ${b}, mean ${mean}`,
    );
  const values = new Float32Array(x.size);
  let filled = 0;
  while (filled < values.length) {
    const draw = normal_(x, mean, std).data;
    for (let i = 0; i < draw.length && filled < values.length; i++) {
      const value = draw[i] as number;
      if (value >= a && value <= b) values[filled++] = value;
    }
  }
  write(x, values);
  return x;
}

/** The same number everywhere. */
export function constant_(x: Tensor, value: number): Tensor {
  runtime().kernels.fill_f32(ready('constant_', x), x.size, value);
  return x;
}
/** 0 everywhere. */
export function zeros_(x: Tensor): Tensor {
  return constant_(x, 0);
}
/** 1 everywhere. */
export function ones_(x: Tensor): Tensor {
  return constant_(x, 1);
}

/** Inputs and outputs that one weight connects: [out, in, ...kernel]. @throws ShapeError below 2 dims */
export function calculateFanInAndFanOut(x: Tensor): { fanIn: number; fanOut: number } {
  if (x.ndim < 2) throw new ShapeError(`init: expected a weight of at least 2 dims, got ${formatShape(x.shape)}`);
  const field = x.shape.slice(2).reduce((a, b) => a * b, 1);
  return { fanIn: (x.shape[1] as number) * field, fanOut: (x.shape[0] as number) * field };
}

/** An activation, as calculateGain() knows them. */
export type Nonlinearity = 'linear' | 'sigmoid' | 'tanh' | 'relu' | 'leakyRelu' | 'selu';

/** What an activation does to the standard deviation (PyTorch's `calculate_gain`). */
export function calculateGain(nonlinearity: Nonlinearity, negativeSlope = 0.01): number {
  switch (nonlinearity) {
    case 'linear':
    case 'sigmoid':
      return 1;
    case 'tanh':
      return 5 / 3;
    case 'relu':
      return Math.SQRT2;
    case 'leakyRelu':
      return Math.sqrt(2 / (1 + negativeSlope ** 2));
    case 'selu':
      return 3 / 4;
    default:
      throw new ArgumentError(
        `calculateGain: expected linear, sigmoid, tanh, relu, leakyRelu or selu, got '${nonlinearity}'`,
      );
  }
}

/** Uniform with the variance that keeps signals level forward and backward (Glorot and Bengio 2010). */
export function xavierUniform_(x: Tensor, gain = 1): Tensor {
  const { fanIn, fanOut } = calculateFanInAndFanOut(x);
  const bound = gain * Math.sqrt(6 / (fanIn + fanOut));
  return uniform_(x, -bound, bound);
}
/** Normal with the variance of xavierUniform_. */
export function xavierNormal_(x: Tensor, gain = 1): Tensor {
  const { fanIn, fanOut } = calculateFanInAndFanOut(x);
  return normal_(x, 0, gain * Math.sqrt(2 / (fanIn + fanOut)));
}

interface Kaiming {
  /** Slope behind the layer, for leakyRelu. */
  a?: number;
  /** Keep signals level forward (fanIn) or gradients backward (fanOut). */
  mode?: 'fanIn' | 'fanOut';
  nonlinearity?: Nonlinearity;
}
function kaimingStd(x: Tensor, { a = 0, mode = 'fanIn', nonlinearity = 'leakyRelu' }: Kaiming): number {
  if (mode !== 'fanIn' && mode !== 'fanOut')
    throw new ArgumentError(`kaiming: expected mode 'fanIn' or 'fanOut', got '${mode}'`);
  return calculateGain(nonlinearity, a) / Math.sqrt(calculateFanInAndFanOut(x)[mode]);
}
/** Uniform with the variance that keeps signals level through rectifiers (He et al. 2015). */
export function kaimingUniform_(x: Tensor, options: Kaiming = {}): Tensor {
  const bound = Math.sqrt(3) * kaimingStd(x, options);
  return uniform_(x, -bound, bound);
}
/** Normal with the variance of kaimingUniform_. */
export function kaimingNormal_(x: Tensor, options: Kaiming = {}): Tensor {
  return normal_(x, 0, kaimingStd(x, options));
}

/** A (semi-)orthogonal matrix times gain (Saxe et al. 2014): Gram–Schmidt in f64 on normal numbers. */
export function orthogonal_(x: Tensor, gain = 1): Tensor {
  if (x.ndim < 2)
    throw new ShapeError(`orthogonal_: expected a tensor of at least 2 dims, got ${formatShape(x.shape)}`);
  const rows = x.shape[0] as number;
  const columns = x.size / Math.max(1, rows);
  const draw = normal_(x).data;
  // Orthonormalises the shorter side: vector i is row i, or column i of a tall matrix.
  const [count, length] = rows <= columns ? [rows, columns] : [columns, rows];
  const at = (i: number, j: number): number => (rows <= columns ? i * columns + j : j * columns + i);
  const vectors = Array.from({ length: count }, (_, i) =>
    Float64Array.from({ length }, (_, j) => draw[at(i, j)] as number),
  );
  vectors.forEach((v, i) => {
    // Twice, because one pass leaves rounding errors in nearly parallel vectors.
    for (let pass = 0; pass < 2; pass++)
      for (const u of vectors.slice(0, i)) {
        const dot = v.reduce((sum, value, j) => sum + value * (u[j] as number), 0);
        for (let j = 0; j < length; j++) v[j] = (v[j] as number) - dot * (u[j] as number);
      }
    const norm = Math.hypot(...v);
    for (let j = 0; j < length; j++) v[j] = (v[j] as number) / norm;
  });
  const result = new Float32Array(x.size);
  vectors.forEach((v, i) => {
    v.forEach((value, j) => {
      result[at(i, j)] = gain * value;
    });
  });
  write(x, result);
  return x;
}

/** The identity in a matrix, for layers that shall start as such. */
export function eye_(x: Tensor): Tensor {
  if (x.ndim !== 2) throw new ShapeError(`eye_: expected a matrix, got ${formatShape(x.shape)}`);
  const columns = x.shape[1] as number;
  const values = new Float32Array(x.size);
  for (let i = 0; i < Math.min(x.shape[0] as number, columns); i++) values[i * columns + i] = 1;
  write(x, values);
  return x;
}
