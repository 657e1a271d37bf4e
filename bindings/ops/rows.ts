// The rows that a program has. Those of the core are always there: methods of tensors call them, and the rules of other
// rows are made of them. The other families are put in by the files that call their ops (familyOps() in autograd.ts),
// so that a bundle carries convolutions only where something convolves.
import { activationRows } from './activation.ts';
import { binaryRows } from './binary.ts';
import { hostRows } from './host.ts';
import { indexingRows } from './indexing.ts';
import { inplaceRows } from './inplace.ts';
import { matmulRows } from './matmul.ts';
import { randomRows } from './random.ts';
import { reduceRows } from './reduce.ts';
import { shapeRows } from './shape.ts';
import { softmaxRows } from './softmax.ts';
import { unaryRows } from './unary.ts';

export const coreRows = {
  ...unaryRows,
  ...activationRows,
  ...binaryRows,
  ...reduceRows,
  ...softmaxRows,
  ...matmulRows,
  ...shapeRows,
  ...indexingRows,
  ...randomRows,
  ...inplaceRows,
  ...hostRows,
};
