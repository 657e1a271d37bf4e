// The kinds of what comes from TensorFlow.js, known by what it does: no class of it is imported.
import type { Kind } from '../kinds.ts';

const isObject = (x: unknown): x is object => typeof x === 'object' && x !== null && !Array.isArray(x);

interface TensorLike {
  readonly dataId: unknown;
  readonly shape: unknown;
  readonly dtype: unknown;
}

export const own: Readonly<Record<string, Kind>> = {
  TensorFlow: [
    (x) => typeof (x as { engine?: unknown } | null)?.engine === 'function',
    'TensorFlow.js (the module, as import * as tf has it)',
  ],
  TensorFlowTensor: [
    (x) => {
      const { dataId, shape, dtype } = (x ?? {}) as TensorLike;
      return isObject(dataId) && Array.isArray(shape) && typeof dtype === 'string';
    },
    'a tensor of TensorFlow.js (tf.tensor(…) makes one)',
  ],
};
