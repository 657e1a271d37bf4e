// The default generator, and what draws from it.
import { familyOps, ops, withoutTape } from './autograd.ts';
import { ALSO_MADE, MADE, type ShapeFunction, type TensorOptions, withGrad } from './creation.ts';
import { checkValues } from './dtypes.ts';
import { onStart, runtime } from './engine/engine.ts';
import { tracing, upload } from './execute.ts';
import { ArgumentError, describe } from './memory/errors.ts';
import { withinRows } from './ops/within.ts';
import { alternatives, callable } from './signature.ts';
import { checkShape, type Dtype, host, type Shape, Tensor } from './tensor.ts';

const checkOps = familyOps(withinRows);

// The default generator: Philox key and counter, four u32 in the arena, read and moved on by kernels. The key is the
// seed.
let generator: Tensor | null = null;
onStart(() => {
  // What init() waits for: not by tensor(), whose first call takes half a millisecond.
  generator = Tensor.allocate([4], 'i32', 'generator').keep();
  upload(generator, seeded(Math.floor(Math.random() * 2 ** 53)));
});

/** The state of a generator that begins with `seed`. */
const seeded = (seed: number): Int32Array => Int32Array.of(seed | 0, (seed / 2 ** 32) | 0, 0, 0);

/** The state that random ops read. @throws BackendError before init() @internal */
export function defaultGenerator(): Tensor {
  runtime();
  return generator as Tensor;
}

/**
 * Makes everything random from here on repeat to the bit (PyTorch's `manual_seed`): initial weights, dropout, `randn`
 * and its like, and the order of loaders without a seed of their own. Without it each run is another;
 * {@link initialSeed} tells its seed. A worker has a runtime of its own, and so a generator: seed it there.
 * @param seed a whole number from 0 to 2⁵³ − 1
 * @throws ArgumentError
 */
export const manualSeed = callable('manualSeed(seed: int)', (seed: number): void => {
  if (seed < 0) throw new ArgumentError(`manualSeed: expected a whole number from 0, got ${seed}`);
  setRngState(seeded(seed));
});

/**
 * The seed that the generator began with: the one of {@link manualSeed}, or else the one that {@link init} drew
 * (PyTorch's `initial_seed`). `manualSeed(initialSeed())` at the start of another run repeats this one.
 */
export const initialSeed = callable('initialSeed()', (): number => {
  const [low = 0, high = 0] = getRngState();
  return (high >>> 0) * 2 ** 32 + (low >>> 0);
});

/** The state of the generator: four words, to be given to {@link setRngState} (PyTorch's `get_rng_state`). */
export const getRngState = callable(
  'getRngState()',
  (): Int32Array => host.download(defaultGenerator(), 'getRngState') as Int32Array,
);

/**
 * Goes on where {@link getRngState} was called.
 * @param state its four words
 * @throws ArgumentError for another number of words, or numbers that are no words of 32 bits
 */
export const setRngState = callable('setRngState(state: any)', (state: ArrayLike<number>): void => {
  if (state?.length !== 4)
    throw new ArgumentError(
      `setRngState: expected the 4 words of getRngState(), got ${state?.length === undefined ? describe(state) : `${state.length} of them`}`,
    );
  for (let i = 0; i < 4; i++) {
    const word = state[i] as number;
    if (!(Number.isInteger(word) && word >= -(2 ** 31) && word < 2 ** 32))
      throw new ArgumentError(`setRngState: expected words of 32 bits, got ${word}`);
  }
  tracing()?.refuse('setRngState', 'seed outside of the compiled function');
  upload(defaultGenerator(), state);
});

/** Makes a tensor by `make`, and applies dtype and requiresGrad. */
function drawn(make: () => Tensor, dtype: Dtype, requiresGrad: boolean): Tensor {
  const x = make();
  if (dtype === x.dtype) return requiresGrad ? withGrad(x) : x;
  try {
    const result = ops.cast({ x }, { dtype });
    return requiresGrad ? withGrad(result) : result;
  } finally {
    x.dispose();
  }
}

/** Options of {@link rand}. */
export interface RandOptions extends TensorOptions {
  /** The least number. @defaultValue 0 */
  low?: number;
  /** The bound that numbers stay below. @defaultValue 1 */
  high?: number;
}

/** Options of {@link randn}. */
export interface RandnOptions extends TensorOptions {
  /** The mean. @defaultValue 0 */
  mean?: number;
  /** The standard deviation. @defaultValue 1 */
  std?: number;
}

/** Uniform numbers from `low` up to, without, `high`: `rand(2, 3)` or `rand([2, 3])`. */
export const rand = callable<ShapeFunction<RandOptions>>(
  `rand(...shape: int, *, low: number = 0, high: number = 1, ${ALSO_MADE}`,
  (shape: Shape, low: number, high: number, dtype: Dtype, requiresGrad: boolean) => {
    checkShape('rand', shape);
    const draw = (): Tensor => ops.uniform({ state: defaultGenerator() }, { shape: [...shape], low, high });
    return drawn(draw, dtype, requiresGrad);
  },
);

/** Normal numbers, by default of mean 0 and standard deviation 1: `randn(2, 3)` or `randn([2, 3])`. */
export const randn = callable<ShapeFunction<RandnOptions>>(
  `randn(...shape: int, *, mean: number = 0, std: number = 1, ${ALSO_MADE}`,
  (shape: Shape, mean: number, std: number, dtype: Dtype, requiresGrad: boolean) => {
    checkShape('randn', shape);
    const draw = (): Tensor => ops.normal({ state: defaultGenerator() }, { shape: [...shape], mean, std });
    return drawn(draw, dtype, requiresGrad);
  },
);

/**
 * 1 with probability p, else 0.
 * `bernoulli(x)`: each with the probability that stands in x, of x's shape. `bernoulli(shape, p)`: all with one.
 */
export const bernoulli = alternatives<{
  (x: Tensor): Tensor;
  (shape: Shape, p: number, options?: TensorOptions): Tensor;
}>(
  [
    'bernoulli(x: Tensor)',
    (x: Tensor) =>
      withoutTape(() => {
        checkOps.within({ x }, { low: 0, high: 1, what: 'probabilities' });
        const uniform = ops.uniform({ state: defaultGenerator() }, { shape: [...x.sizes], low: 0, high: 1 });
        const mask = ops.lt({ a: uniform, b: x });
        uniform.dispose();
        const y = ops.cast({ x: mask }, { dtype: 'f32' });
        mask.dispose();
        return y;
      }),
  ],
  [
    `bernoulli(shape: int[], p: number, ${MADE}`,
    (shape: Shape, p: number, dtype: Dtype, requiresGrad: boolean) => {
      checkShape('bernoulli', shape);
      const draw = (): Tensor => ops.bernoulli({ state: defaultGenerator() }, { shape: [...shape], p });
      return drawn(draw, dtype, requiresGrad);
    },
  ],
);

/** n random words of 32 bits, which `op` reads. @internal */
export function randomWords(op: string, n: number): Uint32Array {
  const [low, high] = [-(2 ** 31), 2 ** 31];
  const x = ops.randint({ state: defaultGenerator() }, { shape: [n], low, high });
  try {
    return Uint32Array.from(host.download(x, op), (value) => value - low);
  } finally {
    x.dispose();
  }
}

const integers = (low: number, high: number, shape: Shape, dtype: Dtype, requiresGrad: boolean): Tensor => {
  checkShape('randint', shape);
  if (dtype === 'u8') checkValues('randint', [low, high - 1], dtype); // whatever is drawn
  const draw = (): Tensor => ops.randint({ state: defaultGenerator() }, { shape: [...shape], low, high });
  return drawn(draw, dtype, requiresGrad);
};
const INTEGERS = MADE.replace('f32', 'i32');

/**
 * Whole numbers from `low` up to, not including, `high`, each as likely; i32 unless `dtype` says otherwise.
 * `randint(high, shape)` starts at 0.
 * @throws ArgumentError unless low < high are whole numbers of 32 bits that the dtype holds
 */
export const randint = alternatives<{
  (high: number, shape: Shape, options?: TensorOptions): Tensor;
  (low: number, high: number, shape: Shape, options?: TensorOptions): Tensor;
}>(
  [
    `randint(high: int, shape: int[], ${INTEGERS}`,
    (high: number, shape: Shape, dtype: Dtype, requiresGrad: boolean) => integers(0, high, shape, dtype, requiresGrad),
  ],
  [`randint(low: int, high: int, shape: int[], ${INTEGERS}`, integers],
);

/** The numbers 0 … n − 1 in random order, i32. */
export const randperm = callable(
  'randperm(n: int)',
  (n: number): Tensor => ops.randperm({ state: defaultGenerator() }, { n }),
);
