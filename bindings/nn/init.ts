// PyTorch's initialisers (torch.nn.init). Each overwrites its tensor, outside the tape, and returns it.
import { ops, withoutTape } from '../autograd.ts';
import { upload } from '../execute.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { expectDtype } from '../ops/shapes.ts';
import { defaultGenerator, randomWords, randperm } from '../random.ts';
import { type Callable, callable } from '../signature.ts';
import type { Tensor } from '../tensor.ts';

/** Writes x in place, outside the tape. @param write writes a tensor that lies row-major */
function written(x: Tensor, write: (y: Tensor) => void): Tensor {
  withoutTape(() => {
    if (x.isContiguous()) return write(x);
    const y = ops.contiguous({ x });
    write(y);
    ops.copy({ y: x, x: y });
    y.dispose();
  });
  return x;
}

/** Options of {@link uniform_}. */
export interface UniformOptions {
  /** The least number. @defaultValue 0 */
  a?: number;
  /** The bound that numbers stay below. @defaultValue 1 */
  b?: number;
}

/** Uniform numbers from `a` up to, without, `b`. @throws ArgumentError unless a <= b, a finite range apart */
export const uniform_ = callable<Callable<[tensor: Tensor], [a: number, b: number], UniformOptions, Tensor>>(
  'uniform_(tensor: Tensor, a: number = 0, b: number = 1, -generator: any = null)',
  (x: Tensor, a: number, b: number) => {
    if (!(a <= b && Number.isFinite(b - a)))
      throw new ArgumentError(`uniform_: expected finite numbers a <= b, got ${a} and ${b}`);
    return written(x, (y) => ops.uniformInto({ y, state: defaultGenerator() }, { low: a, high: b }));
  },
);

/** Options of {@link normal_}. */
export interface NormalOptions {
  /** The mean. @defaultValue 0 */
  mean?: number;
  /** The standard deviation, at least 0. @defaultValue 1 */
  std?: number;
}

/** Normal numbers of the given mean and standard deviation. @throws ArgumentError for std < 0 */
export const normal_ = callable<Callable<[tensor: Tensor], [mean: number, std: number], NormalOptions, Tensor>>(
  'normal_(tensor: Tensor, mean: number = 0, std: number = 1, -generator: any = null)',
  (x: Tensor, mean: number, std: number) => {
    if (!(std >= 0)) throw new ArgumentError(`normal_: expected std >= 0, got ${std}`);
    return written(x, (y) => ops.normalInto({ y, state: defaultGenerator() }, { mean, std }));
  },
);

/** Options of {@link truncNormal_}. */
export interface TruncNormalOptions {
  /** The mean before numbers are refused. @defaultValue 0 */
  mean?: number;
  /** The standard deviation before numbers are refused. @defaultValue 1 */
  std?: number;
  /** The least number. @defaultValue -2 */
  a?: number;
  /** The greatest number. @defaultValue 2 */
  b?: number;
}

/**
 * Draws of a standard normal number that lies between `low` and `high`, from pairs of random words. Uniform places are
 * taken with the probability of the density there, over its highest value: with tails cut where no f32 sees them, at
 * least one of fifty, wherever the bounds are.
 */
function truncatedNormals(count: number, low: number, high: number, give: (value: number) => void): void {
  const mode = Math.min(Math.max(0, low), high); // where the density is highest
  const reach = 40 / Math.max(4.5, Math.abs(mode));
  const from = Math.max(low, mode - reach);
  const width = Math.min(high, mode + reach) - from;
  const fixed = !(width > 0 && Number.isFinite(mode)); // bounds that lie together, or where numbers have no room
  for (let i = 0; fixed && i < count; i++) give(0);
  for (let left = fixed ? 0 : count; left > 0; ) {
    const words = randomWords('truncNormal_', 2 * Math.min(2 * left, 1 << 15));
    for (let i = 0; i < words.length && left > 0; i += 2) {
      const x = from + (width * ((words[i] as number) + 0.5)) / 2 ** 32;
      const likely = Math.exp(((mode - x) * (mode + x)) / 2);
      if ((words[i + 1] as number) / 2 ** 32 >= likely) continue;
      give(x);
      left--;
    }
  }
}

/**
 * Normal numbers that lie between `a` and `b`.
 * @throws ArgumentError unless mean and std > 0 are finite and a <= b
 */
export const truncNormal_ = callable<
  Callable<[tensor: Tensor], [mean: number, std: number, a: number, b: number], TruncNormalOptions, Tensor>
>(
  'truncNormal_(tensor: Tensor, mean: number = 0, std: number = 1, a: number = -2, b: number = 2, -generator: any = null)',
  truncNormal,
);

function truncNormal(x: Tensor, mean: number, std: number, a: number, b: number): Tensor {
  if (!(std > 0 && Number.isFinite(std) && Number.isFinite(mean)))
    throw new ArgumentError(`truncNormal_: expected std > 0 and mean to be finite, got ${std} and ${mean}`);
  if (!(a <= b)) throw new ArgumentError(`truncNormal_: expected bounds a <= b, got ${a} and ${b}`);
  x.checkAlive();
  expectDtype('truncNormal_', x, 'f32');
  const values = new Float32Array(x.size);
  let at = 0;
  truncatedNormals(x.size, (a - mean) / std, (b - mean) / std, (value) => {
    values[at++] = Math.min(Math.max(mean + std * value, a), b);
  });
  upload(x, values);
  return x;
}

/** The number `val` everywhere. @throws ArgumentError where the dtype cannot hold it */
export const constant_ = callable(
  'constant_(tensor: Tensor, val: number)',
  (tensor: Tensor, val: number): Tensor => written(tensor, (y) => ops.fillInto({ y }, { value: val })),
);
/** 0 everywhere. */
export const zeros_ = callable('zeros_(tensor: Tensor)', (tensor: Tensor): Tensor => constant_(tensor, 0));
/** 1 everywhere. */
export const ones_ = callable('ones_(tensor: Tensor)', (tensor: Tensor): Tensor => constant_(tensor, 1));

/** How many inputs and outputs the units of a layer have. */
export interface Fans {
  /** Inputs of one output: in · taps of the kernel. */
  fanIn: number;
  /** Outputs of one input: out · taps of the kernel. */
  fanOut: number;
}

/** The fans of a weight [out, in, ...kernel]. @throws ShapeError below 2 dims */
export const calculateFanInAndFanOut = callable<(tensor: Tensor) => Fans>(
  'calculateFanInAndFanOut(tensor: Tensor)',
  fansOf,
);

function fansOf(tensor: Tensor): Fans {
  const { shape, ndim } = tensor;
  if (ndim < 2) throw new ShapeError(`init: expected a weight of at least 2 dims, got ${formatShape(shape)}`);
  const field = shape.slice(2).reduce((a, b) => a * b, 1);
  return { fanIn: (shape[1] as number) * field, fanOut: (shape[0] as number) * field };
}

/** The activations that {@link calculateGain} knows. */
export type Nonlinearity = 'linear' | 'sigmoid' | 'tanh' | 'relu' | 'leakyRelu' | 'selu';

const NONLINEARITIES = "'linear'|'sigmoid'|'tanh'|'relu'|'leakyRelu'|'selu'";

/** Options of {@link calculateGain}. */
export interface GainOptions {
  /** The slope below 0 of `'leakyRelu'`; null: 0.01. @defaultValue null */
  param?: number | null;
}

/**
 * The factor by which weights in front of an activation are larger, to make up for what it does to the standard
 * deviation (PyTorch's `calculate_gain`).
 */
export const calculateGain = callable<
  Callable<[nonlinearity: Nonlinearity], [param: number | null], GainOptions, number>
>(`calculateGain(nonlinearity: ${NONLINEARITIES}, param: number|null = null)`, gainOf);

function gainOf(nonlinearity: Nonlinearity, param: number | null): number {
  switch (nonlinearity) {
    case 'linear':
    case 'sigmoid':
      return 1;
    case 'tanh':
      return 5 / 3;
    case 'relu':
      return Math.SQRT2;
    case 'leakyRelu':
      return Math.sqrt(2 / (1 + (param ?? 0.01) ** 2));
    case 'selu':
      return 3 / 4;
  }
}

/** Options of {@link xavierUniform_}, {@link xavierNormal_} and {@link orthogonal_}. */
export interface XavierOptions {
  /** What the numbers are multiplied by; see {@link calculateGain}. @defaultValue 1 */
  gain?: number;
}

/** Uniform in ±bound. */
const uniformIn = (x: Tensor, bound: number): Tensor => uniform_(x, -Math.abs(bound), Math.abs(bound));

/**
 * Uniform in ±gain √(6 / (fanIn + fanOut)), which keeps the variance of signals level forward and backward (Glorot and
 * Bengio 2010).
 */
export const xavierUniform_ = callable<Callable<[tensor: Tensor], [gain: number], XavierOptions, Tensor>>(
  'xavierUniform_(tensor: Tensor, gain: number = 1, -generator: any = null)',
  (x: Tensor, gain: number) => {
    const { fanIn, fanOut } = fansOf(x);
    return uniformIn(x, gain * Math.sqrt(6 / (fanIn + fanOut)));
  },
);
/** Normal with standard deviation gain √(2 / (fanIn + fanOut)), the one of {@link xavierUniform_}. */
export const xavierNormal_ = callable<Callable<[tensor: Tensor], [gain: number], XavierOptions, Tensor>>(
  'xavierNormal_(tensor: Tensor, gain: number = 1, -generator: any = null)',
  (x: Tensor, gain: number) => {
    const { fanIn, fanOut } = fansOf(x);
    return normal_(x, 0, gain * Math.sqrt(2 / (fanIn + fanOut)));
  },
);

/** Options of {@link kaimingUniform_} and {@link kaimingNormal_}. */
export interface KaimingOptions {
  /** The slope below 0 of the activation behind the layer, for `'leakyRelu'`. @defaultValue 0 */
  a?: number;
  /** Whether signals stay level forward (`'fanIn'`) or gradients backward (`'fanOut'`). @defaultValue 'fanIn' */
  mode?: 'fanIn' | 'fanOut';
  /** The activation behind the layer. @defaultValue 'leakyRelu' */
  nonlinearity?: Nonlinearity;
}
/** What {@link kaimingUniform_} and {@link kaimingNormal_} are called with. */
export type Kaiming = Callable<
  [tensor: Tensor],
  [a: number, mode: 'fanIn' | 'fanOut', nonlinearity: Nonlinearity],
  KaimingOptions,
  Tensor
>;

/* @__NO_SIDE_EFFECTS__ */
function kaiming(name: string, fill: (x: Tensor, std: number) => Tensor): Kaiming {
  return callable<Kaiming>(
    `${name}(tensor: Tensor, a: number = 0, mode: 'fanIn'|'fanOut' = 'fanIn', nonlinearity: ${NONLINEARITIES} = 'leakyRelu', -generator: any = null)`,
    (x: Tensor, a: number, mode: 'fanIn' | 'fanOut', nonlinearity: Nonlinearity) =>
      fill(x, gainOf(nonlinearity, a) / Math.sqrt(fansOf(x)[mode])),
  );
}
/** Uniform in ±gain √(3 / fan), which keeps the variance of signals level through rectifiers (He et al. 2015). */
export const kaimingUniform_ = kaiming('kaimingUniform_', (x, std) => uniformIn(x, Math.sqrt(3) * std));
/** Normal with standard deviation gain / √fan, the one of {@link kaimingUniform_}. */
export const kaimingNormal_ = kaiming('kaimingNormal_', (x, std) => normal_(x, 0, std));

/**
 * A (semi-)orthogonal matrix times `gain` (Saxe et al. 2014), by Gram–Schmidt in f64 on normal numbers; dims after the
 * first count as one.
 * @throws ShapeError below 2 dims
 */
export const orthogonal_ = callable<Callable<[tensor: Tensor], [gain: number], XavierOptions, Tensor>>(
  'orthogonal_(tensor: Tensor, gain: number = 1, -generator: any = null)',
  orthogonal,
);

function orthogonal(x: Tensor, gain: number): Tensor {
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
        let dot = 0;
        for (let j = 0; j < length; j++) dot += (v[j] as number) * (u[j] as number);
        for (let j = 0; j < length; j++) v[j] = (v[j] as number) - dot * (u[j] as number);
      }
    let squares = 0;
    for (let j = 0; j < length; j++) squares += (v[j] as number) ** 2;
    const norm = Math.sqrt(squares);
    for (let j = 0; j < length; j++) v[j] = (v[j] as number) / norm;
  });
  const result = new Float32Array(x.size);
  vectors.forEach((v, i) => {
    v.forEach((value, j) => {
      result[at(i, j)] = gain * value;
    });
  });
  upload(x, result);
  return x;
}

/** The identity matrix: 1 on the diagonal, else 0. @throws ShapeError for other than 2 dims */
export const eye_ = callable<(tensor: Tensor) => Tensor>('eye_(tensor: Tensor)', eye);

function eye(x: Tensor): Tensor {
  if (x.ndim !== 2) throw new ShapeError(`eye_: expected a matrix, got ${formatShape(x.shape)}`);
  const columns = x.shape[1] as number;
  const values = new Float32Array(x.size);
  for (let i = 0; i < Math.min(x.shape[0] as number, columns); i++) values[i * columns + i] = 1;
  upload(x, values);
  return x;
}

/** Options of {@link dirac_}. */
export interface DiracOptions {
  /** How many groups of channels there are. @defaultValue 1 */
  groups?: number;
}

/**
 * A convolution's weight [out, in, ...kernel] that leaves as many channels as it can as they are.
 * @throws ShapeError for other than 3 to 5 dims; ArgumentError for groups that do not divide the channels
 */
export const dirac_ = callable<Callable<[tensor: Tensor], [groups: number], DiracOptions, Tensor>>(
  'dirac_(tensor: Tensor, groups: int = 1)',
  (x: Tensor, groups: number) => {
    if (x.ndim < 3 || x.ndim > 5)
      throw new ShapeError(`dirac_: expected a tensor of 3 to 5 dims, got ${formatShape(x.shape)}`);
    const [out, channels, ...kernel] = x.shape as [number, number, ...number[]];
    if (groups < 1 || out % groups !== 0)
      throw new ArgumentError(`dirac_: expected groups that divide ${out} channels, got ${groups}`);
    const values = new Float32Array(x.size);
    const taps = kernel.reduce((a, b) => a * b, 1);
    const centre = kernel.reduce((at, size) => at * size + Math.floor(size / 2), 0);
    const each = out / groups;
    for (let g = 0; g < groups; g++)
      for (let c = 0; c < Math.min(each, channels); c++) values[((g * each + c) * channels + c) * taps + centre] = 1;
    upload(x, values);
    return x;
  },
);

/** Options of {@link sparse_}. */
export interface SparseOptions {
  /** The standard deviation of the numbers that are not 0. @defaultValue 0.01 */
  std?: number;
}

/**
 * Normal numbers of mean 0 of which the share `sparsity` in each column is 0 (Martens 2010).
 * @throws ShapeError for other than 2 dims; ArgumentError for a share outside of 0 … 1
 */
export const sparse_ = callable<
  Callable<[tensor: Tensor, sparsity: number], [std: number], SparseOptions, Tensor, ['tensor', 'sparsity']>
>(
  'sparse_(tensor: Tensor, sparsity: number, std: number = 0.01, -generator: any = null)',
  (x: Tensor, sparsity: number, std: number) => {
    if (x.ndim !== 2) throw new ShapeError(`sparse_: expected a matrix, got ${formatShape(x.shape)}`);
    if (!(sparsity >= 0 && sparsity <= 1))
      throw new ArgumentError(`sparse_: expected sparsity from 0 to 1, got ${sparsity}`);
    const [rows, columns] = x.shape as [number, number];
    const values = normal_(x, 0, std).data;
    const zeros = Math.ceil(sparsity * rows);
    for (let c = 0; c < columns; c++) {
      const order = randperm(rows);
      for (const r of order.data.subarray(0, zeros)) values[r * columns + c] = 0;
      order.dispose();
    }
    upload(x, values);
    return x;
  },
);
