// The op table: every op of the library, one row each. To find an op, find its family here.
import { type BinaryOps, binaryRows } from './binary.ts';
import { type ConvOps, convRows } from './conv.ts';
import { type GroupNormOps, groupNormRows } from './groupnorm.ts';
import { type IndexingOps, indexingRows } from './indexing.ts';
import { type LossOps, lossRows } from './loss.ts';
import { type MatmulOps, matmulRows } from './matmul.ts';
import { type NormOps, normRows } from './norm.ts';
import { type PoolOps, poolRows } from './pool.ts';
import { type RandomOps, randomRows } from './random.ts';
import { type ReduceOps, reduceRows } from './reduce.ts';
import { type ShapeOps, shapeRows } from './shape.ts';
import { type SoftmaxOps, softmaxRows } from './softmax.ts';
import type { Row } from './types.ts';
import { type UnaryOps, unaryRows } from './unary.ts';

/** The signature of every op: tensors first (null where optional), then one object of attributes. */
export interface Ops
  extends UnaryOps,
    BinaryOps,
    ReduceOps,
    SoftmaxOps,
    MatmulOps,
    ConvOps,
    ShapeOps,
    IndexingOps,
    RandomOps,
    LossOps,
    NormOps,
    GroupNormOps,
    PoolOps {}

export type OpName = keyof Ops;

export const table: { readonly [K in OpName]: Row<K> } = {
  ...unaryRows,
  ...binaryRows,
  ...reduceRows,
  ...softmaxRows,
  ...matmulRows,
  ...convRows,
  ...shapeRows,
  ...indexingRows,
  ...randomRows,
  ...lossRows,
  ...normRows,
  ...groupNormRows,
  ...poolRows,
};
