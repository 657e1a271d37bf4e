// The kinds of what comes from TensorFlow.js, known by what it does: no class of it is imported.
import type { Kind } from '../kinds.ts';

interface TensorLike {
  readonly dataId: unknown;
  readonly shape: unknown;
  readonly dtype: unknown;
}

/** The kind `TensorFlow`. */
export const isTensorFlow = (x: unknown): boolean => typeof (x as { engine?: unknown } | null)?.engine === 'function';
export const moduleKind: Readonly<Record<string, Kind>> = {
  TensorFlow: [isTensorFlow, 'TensorFlow.js (the module, as import * as tf has it)'],
};

/** The kind `TensorFlowTensor`. */
export const tensorKind: Readonly<Record<string, Kind>> = {
  TensorFlowTensor: [
    (x) => {
      const { dataId, shape, dtype } = (x ?? {}) as TensorLike;
      return typeof dataId === 'object' && dataId !== null && Array.isArray(shape) && typeof dtype === 'string';
    },
    'a tensor of TensorFlow.js (tf.tensor(…) makes one)',
  ],
};
