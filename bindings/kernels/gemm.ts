// Matrix products.
import { algorithm, code, input, kernel, list, maybe, output, size, workspace } from './descriptor.ts';

/** What the epilogue of a product or a convolution does with each sum. */
export const activations = code('none', 'relu');

/** Most rows with neighbouring steps that a product does not pack: MC of assembly/gemm/blocked.ts. */
const UNPACKED = 144;
/** Nanoseconds of one multiply-add in a matrix product. */
export const MULTIPLY_ADD = 0.04;

/** [rank, sizes, strides of a, b and c]: batches of products, the outermost first; rank 0 is one product. */
const batch = list(
  ['rank', 'batch'],
  (dims) => {
    const rank = dims[0] as number;
    return {
      batch: rank === 0 ? 1 : (dims[1] as number),
      aBatch: dims[1 + rank] ?? 0,
      bBatch: dims[1 + 2 * rank] ?? 0,
      cBatch: dims[1 + 3 * rank] ?? 0,
    };
  },
  // trials.ts has trials.
  [],
);

export const gemmKernels = {
  gemm_f32: kernel(
    {
      c: output('f32', ['batch', 'cBatch'], ['m', 'cRow'], 'n'),
      a: input('f32', ['batch', 'aBatch'], ['m', 'aRow'], ['k', 'aCol']),
      b: input('f32', ['batch', 'bBatch'], ['k', 'bRow'], ['n', 'bCol']),
      bias: maybe(input('f32', 'n')),
      m: size,
      n: size,
      k: size,
      aRow: size,
      aCol: size,
      bRow: size,
      bCol: size,
      cRow: size,
      act: activations,
      algorithm: algorithm(
        'gemm_select_f32',
        ['m', 'n', 'k', 'aRow', 'aCol', 'bRow', 'bCol'],
        ['blocked', 'small', 'gemv rows', 'gemv columns'],
      ),
      workspace,
      dims: batch,
    },
    {
      cut: ({ rank, m, n, aCol }) => {
        if (rank > 0) return { along: 'batch', grain: 1 };
        // So few rows are read as they lie, and each slice packs its own columns alone.
        if (m <= UNPACKED && aCol === 1 && n >= 64) return { along: 'n', grain: n < 512 ? 16 : 32 };
        // Whole tiles are the fastest.
        if (m >= 16 && (m >= n / 4 || n < 64)) return { along: 'm', grain: m < 192 ? 8 : 24, repeats: true };
        return n >= 64 ? { along: 'n', grain: 32 } : null;
      },
      cost: ({ m, n, k, dims }) => {
        let batches = 1;
        for (let d = 1; d <= (dims[0] as number); d++) batches *= dims[d] as number;
        return m * n * k * batches * MULTIPLY_ADD;
      },
    },
  ),
};
