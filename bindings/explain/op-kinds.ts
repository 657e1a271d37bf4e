// What kind of function each op is, for the rules of DeepLIFT and layer-wise relevance propagation.
import type { Node } from '../node.ts';

const set = (names: string): ReadonlySet<string> => new Set(names.split(' '));

/** They move numbers, and change none. */
export const MOVES = set(
  'reshape view permute expand unsqueeze squeeze slice contiguous concat indexSelect gather diagonal windows flip pad padEdge copy',
);

/** Sums of their inputs with constant weights, which are linear in each input. */
export const SUMS = set(
  'add sub neg scale linear conv sum mean avgPool adaptiveAvgPool batchNorm resample cumsum im2col col2im sumRows indexAdd scatterAdd dropout where',
);

/** Linear in each of two inputs. */
export const PRODUCTS = set('mul matmul');

/** A function of each number alone. */
export const ELEMENTWISE = set(
  'relu leakyRelu elu selu gelu geluTanh silu mish softplus softsign hardtanh clamp tanh sigmoid exp expm1 log log1p sqrt rsqrt reciprocal square sin cos erf abs special pow maximum minimum',
);

export const MAX_POOLS = set('maxPool maxPoolWithIndices adaptiveMaxPool adaptiveMaxPoolWithIndices');

/** Whether it depends on chance, or on the other samples. */
export const isTraining = ({ name, attrs, inputs }: Node): boolean =>
  name === 'dropout' ||
  (name === 'batchNorm' && (!inputs.runningMean || (attrs as { training?: boolean }).training === true));
