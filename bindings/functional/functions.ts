// The functions that stand at the top of the package; methods.ts makes those whose first argument is a tensor methods
// of it.
export type { Dims, TensorLike } from './arguments.ts';
export * from './elementwise.ts';
export * from './hooks.ts';
export * from './indexing.ts';
export * from './inplace.ts';
export * from './matmul.ts';
export * from './reduction.ts';
export * from './shape.ts';
