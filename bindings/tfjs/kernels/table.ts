// Every kernel of TensorFlow.js that is ours, by families. What is in none of them the cpu backend computes.
import type { Family } from '../row.ts';
import { elementwise } from './elementwise.ts';
import { indexing } from './indexing.ts';
import { matmul } from './matmul.ts';
import { reduce } from './reduce.ts';
import { shape } from './shape.ts';

export const families: readonly Family[] = [elementwise, matmul, reduce, shape, indexing];
