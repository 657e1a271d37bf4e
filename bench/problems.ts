// What is benchmarked: problems with their inputs, the sides that solve them, and the work a problem takes.
import { axis } from '../reference/conv.ts';
import type { Layer } from '../reference/network.ts';
import { random } from '../reference/random.ts';

export type { Layer };

/** One instance of the library. */
export type Library = typeof import('retrograd');

/** Which operand of C = A·B is stored transposed: NT is A·Bᵀ, TN is Aᵀ·B. */
export type Layout = 'NN' | 'NT' | 'TN';

/** C [m, n] = A·B. `a` is stored [m, k], or [k, m] for TN; `b` is stored [k, n], or [n, k] for NT. */
export interface GemmProblem {
  readonly kind: 'gemm';
  readonly layout: Layout;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly a: Float32Array;
  readonly b: Float32Array;
}

/** relu(x·weightᵀ + bias) with x [rows, inner], weight [out, inner]: the whole of a dense layer. */
export interface LinearProblem {
  readonly kind: 'linear';
  readonly rows: number;
  readonly inner: number;
  readonly out: number;
  readonly x: Float32Array;
  readonly weight: Float32Array;
  readonly bias: Float32Array;
}

/**
 * A convolution of x [n, channels, height, width] by weight [filters, channels / groups, kernel, kernel], or one of its
 * gradients for the upstream gradient g [n, filters, …outputsOf()]. `conv nhwc`: in TensorFlow's layout, x [n, height,
 * width, channels], weight [kernel, kernel, channels / groups, filters], g [n, …outputsOf(), filters].
 */
export interface ConvProblem {
  readonly kind: 'conv' | 'conv nhwc';
  readonly direction: 'forward' | 'dInput' | 'dWeight';
  readonly n: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly filters: number;
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
  readonly groups: number;
  readonly x: Float32Array;
  readonly weight: Float32Array;
  readonly g: Float32Array;
}

/** Height and width of a convolution's result. */
export function outputsOf({
  height,
  width,
  kernel,
  stride,
  padding,
}: Pick<ConvProblem, 'height' | 'width' | 'kernel' | 'stride' | 'padding'>): [rows: number, cols: number] {
  const size = (n: number): number => axis(n, kernel, stride, padding)[1];
  return [size(height), size(width)];
}

export type OpName =
  | 'add'
  | 'bias+relu'
  | 'sum'
  | 'exp'
  | 'tanh'
  | 'sigmoid'
  | 'gelu'
  | 'softmax'
  | 'layerNorm'
  | 'dropout'
  | 'crossEntropy'
  | 'crossEntropy gradient'
  | 'relu gradient'
  | 'sort'
  | 'topk'
  | 'cummax'
  | 'scatter amax'
  | 'embedding'
  | 'embedding gradient'
  | TableStep
  | 'Adam'
  | Stepped;

/** A step of a table: forward, backward with the gradient y of what is taken, and the optimizer's. */
export const TABLE_STEPS = ['embedding, Adam', 'embedding, SparseAdam'] as const;
export type TableStep = (typeof TABLE_STEPS)[number];
export const isTableStep = (op: OpName): op is TableStep => (TABLE_STEPS as readonly string[]).includes(op);

/** Optimizers that are measured as Adam is, by their usual settings. */
export const STEPPED = ['NAdam', 'RAdam', 'Adamax', 'Adadelta', 'ASGD', 'Rprop', 'Lion', 'LAMB'] as const;
export type Stepped = (typeof STEPPED)[number];
export const isStepped = (op: OpName): op is Stepped => (STEPPED as readonly string[]).includes(op);

/**
 * One op on x [rows, cols]. `y`: the second operand, the upstream gradient, or Adam's gradient, of the shape of x or of
 * the result. Of embeddings x is the table.
 */
export interface OpProblem {
  readonly kind: 'op';
  readonly op: OpName;
  readonly rows: number;
  readonly cols: number;
  readonly x: Float32Array;
  readonly y?: Float32Array;
  /** [cols] */
  readonly weight?: Float32Array;
  /** [cols] */
  readonly bias?: Float32Array;
  /** Classes [rows], or the rows of the table that are taken. */
  readonly target?: Int32Array;
}

/**
 * Causal attention of q, k and v [heads, length, width], forward and backward: the gradients of all three for the
 * upstream gradient g. The answer is their sum.
 */
export interface AttentionProblem {
  readonly kind: 'attention';
  readonly heads: number;
  readonly length: number;
  readonly width: number;
  readonly q: Float32Array;
  readonly k: Float32Array;
  readonly v: Float32Array;
  readonly g: Float32Array;
}

/** What is done with images: see ImageProblem. */
export const IMAGE_OPS = ['interpolate', 'gridSample', 'pad', 'unfold', 'maxPool3d', 'convTranspose3d'] as const;
export type ImageOp = (typeof IMAGE_OPS)[number];

/**
 * An op on images x [n, channels, ...size]: twice as large by lines between pixels; sampled at the places of the grid y
 * [n, ...size, 2]; padded by 2 mirrored pixels; 3×3 windows of it as columns; maxima of 2×2×2; or a transposed
 * convolution by y [channels, channels, 2, 2, 2] with stride 2.
 */
export interface ImageProblem {
  readonly kind: 'image';
  readonly op: ImageOp;
  readonly shape: readonly number[];
  readonly x: Float32Array;
  readonly y?: Float32Array;
}

export type RareOp =
  | 'sin'
  | 'atan'
  | 'erf'
  | 'erfinv'
  | 'einsum'
  | 'cdist'
  | 'indexPut'
  | 'multinomial'
  | 'ctc'
  | 'Muon'
  | 'LBFGS';

/**
 * Batches of `einsum`, draws of each row by `multinomial`, texts of `ctc`, each of a quarter of the time in letters.
 */
export const RARE = { batch: 8, draws: 16, texts: 8 } as const;

/**
 * An op on x [rows, cols] and y alike: a function; `bij,bkj->bik` of batches; distances of all rows; half as many rows
 * y added to the rows `target` of x; draws from weights; the loss of the texts `target` by x [rows, texts, cols]; a
 * step of the parameter x with gradient y; or steps from x to the least of a sum of squares, which is at y.
 */
export interface RareProblem {
  readonly kind: 'rare';
  readonly op: RareOp;
  readonly rows: number;
  readonly cols: number;
  readonly x: Float32Array;
  readonly y?: Float32Array;
  readonly target?: Int32Array;
}

/** Step size of the `Adam` op and steps that its answer has taken. */
export const ADAM = { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, steps: 2 } as const;
export const DROPOUT = 0.5;
/** Elements of each row that `topk` takes. */
export const TOP = 10;
export const LAYER_NORM_EPS = 1e-5;

/** A network and one batch; a repetition is one optimizer step. The answer is the losses of the first steps. */
export interface TrainProblem {
  readonly kind: 'train';
  readonly layers: readonly Layer[];
  /** Numbers that come out for each input. */
  readonly outputs: number;
  readonly loss: 'mse' | 'crossEntropy';
  readonly optimizer: { readonly name: 'SGD' | 'Adam'; readonly lr: number };
  readonly batch: number;
  /** Shape of one input: [features], or [channels, height, width]. */
  readonly input: readonly number[];
  /** [batch, ...input] */
  readonly x: Float32Array;
  /** [batch, outputs] for mse, classes [batch] for crossEntropy. */
  readonly y: Float32Array | Int32Array;
  /** Losses in the answer. */
  readonly checked: number;
}

/** What only the library has: a call of its own, whichever instance it is given. */
export interface LibraryProblem {
  readonly kind: 'library';
  prepare(library: Library): Run;
}

export type Problem =
  | GemmProblem
  | LinearProblem
  | ConvProblem
  | OpProblem
  | ImageProblem
  | RareProblem
  | AttentionProblem
  | TrainProblem;

/** A problem loaded into one side, ready to be repeated. Exactly one of run, runAsync and time is there. */
export interface Run {
  /** Solves the problem once and gives the numbers to be checked; called once, before anything is timed. */
  answer(): Float32Array | Promise<Float32Array>;
  /** Once more, done when it returns. */
  run?(): void;
  /** Once more, done when the promise is. */
  runAsync?(): Promise<void>;
  /** Seconds of `count` repetitions, for sides in another process. */
  time?(count: number): Promise<number>;
  /** Called before each sample: what is global and another side may have changed. */
  enter?(): void;
  dispose?(): void | Promise<void>;
}

/** One library or way to solve problems. */
export interface Side {
  readonly name: string;
  /** Version and settings, as the report prints them. */
  readonly version: string;
  /** null: this side has no such thing. */
  prepare(problem: Problem): Run | null | Promise<Run | null>;
  /** Sides that are the library solve library problems with this instance. */
  readonly library?: Library;
  /** The side that this is another version of: it is compared to that one, and not to the first. */
  readonly versionOf?: string;
  close?(): void | Promise<void>;
}

/** The least that a problem must do, for the shares of the limits. */
export interface Work {
  /** Floating-point operations. */
  readonly flops?: number;
  /** Bytes read and written once each. */
  readonly bytes?: number;
  /** Exponentials. */
  readonly exps?: number;
  /** Calls, or whatever else is counted; no limit bounds them. */
  readonly items?: number;
  /** What the rate is given in: of floating-point operations, bytes or items. */
  readonly unit: 'GFLOP/s' | 'GB/s' | 'M/s';
}

/** Tells what is wrong with an answer, or null. */
export type Check = (answer: Float32Array) => string | null;

export interface Case {
  readonly name: string;
  readonly work: Work;
  /** Builds inputs and reference, so that only the case at hand takes memory. */
  make(): { readonly problem: Problem | LibraryProblem; readonly check: Check };
  /** Sides of this case alone, besides those of the run. */
  readonly sides?: readonly Side[];
}

export interface Family {
  readonly name: string;
  readonly cases: readonly Case[];
  /** Cases that cannot run yet, and why. */
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
}

/** `n` numbers in [low, high). */
export function uniform(n: number, seed: number, low = -1, high = 1): Float32Array {
  const next = random(seed);
  const values = new Float32Array(n);
  for (let i = 0; i < n; i++) values[i] = low + (high - low) * next();
  return values;
}

/** `n` whole numbers from 0 to below `classes`. */
export function classes(n: number, count: number, seed: number): Int32Array {
  const next = random(seed);
  return Int32Array.from({ length: n }, () => Math.floor(next() * count));
}
