// Every kernel of TensorFlow.js that is ours, by families. What is in none of them the cpu backend computes.
import type { Family } from '../row.ts';
import { binaryFamily } from './binary.ts';
import { blocks } from './blocks.ts';
import { conv } from './conv.ts';
import { create } from './create.ts';
import { einsum } from './einsum.ts';
import { image } from './image.ts';
import { indexing } from './indexing.ts';
import { matmul } from './matmul.ts';
import { norm } from './norm.ts';
import { order } from './order.ts';
import { others, parts } from './parts.ts';
import { pool } from './pool.ts';
import { reduce } from './reduce.ts';
import { scatter } from './scatter.ts';
import { shape } from './shape.ts';
import { unaryFamily } from './unary.ts';

export const families: readonly Family[] = [
  unaryFamily,
  binaryFamily,
  create,
  matmul,
  einsum,
  reduce,
  shape,
  blocks,
  indexing,
  scatter,
  conv,
  pool,
  norm,
  image,
  order,
  parts,
];

/** By the kernel's name, rows for calls that its own does not fit. */
export const otherRows = others(Object.assign({}, ...families.map(({ rows }) => rows)));
