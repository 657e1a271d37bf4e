// What the kernels of the core may be tried with, which bundles do without: revectorize.ts tries them, and tests.
import { broadcastKernels } from './broadcast.ts';
import type { ListSpec, Specs } from './descriptor.ts';
import { gemmKernels } from './gemm.ts';

/** Lists that a kernel with one may be tried with. */
function giveLists({ operands }: { readonly operands: Specs }, trials: ListSpec['trials']): void {
  for (const spec of Object.values(operands)) if (spec.kind === 'list') Object.assign(spec, { trials });
}

/** The numbers of trials: NN, NT, TN, a row and a column, over two K blocks; and a few rows of many columns. */
const products = (
  [
    [53, 71, 300, 300, 1, 71, 1, 71, 1],
    [53, 71, 300, 300, 1, 1, 300, 71, 0],
    [53, 71, 300, 1, 53, 71, 1, 71, 0],
    [1, 71, 300, 300, 1, 71, 1, 71, 0],
    [53, 1, 300, 300, 1, 1, 1, 1, 0],
    [33, 200, 33, 33, 1, 200, 1, 200, 1],
  ] as const
).map(([m, n, k, aRow, aCol, bRow, bCol, cRow, act]) => ({ m, n, k, aRow, aCol, bRow, bCol, cRow, act }));

// One product, three of operands of their own, and three with one b; strides leave room for the largest trial.
giveLists(gemmKernels.gemm_f32, [[0], [1, 3, 21_300, 21_300, 6600], [1, 3, 21_300, 0, 6600]]);
Object.assign(gemmKernels.gemm_f32, { trials: products });

// Rows that lie together, one row or column repeated, the first operand transposed, steps, and one of three dims.
const rows = [
  [2, 20, 40, 40, 1, 40, 1, 40, 1],
  [2, 20, 40, 40, 1, 0, 1, 1, 0],
  [2, 20, 40, 1, 20, 40, 1, 0, 1],
  [1, 800, 2, 1, 0],
  [3, 4, 5, 40, 200, 40, 1, 0, 40, 1, 1, 4, 20],
];
for (const kernel of Object.values(broadcastKernels)) giveLists(kernel, rows);
