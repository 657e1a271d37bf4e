// Floats of 16 bits, rounded to nearest, ties to even, as PyTorch does: half the bytes of a file of weights.
import { record } from '../lookup.ts';
import { checkedTensor, type Savable } from './arrays.ts';
import { ofForms } from './declare.ts';
import type { StoredTensor } from './safetensors-dtypes.ts';

/** The upper half of f32. NaNs stay so: one whose payload is in the lower half alone would become infinite. */
function toBfloat16(data: Float32Array): Uint16Array {
  const bits = new Uint32Array(data.buffer, data.byteOffset, data.length);
  const out = new Uint16Array(data.length);
  for (let i = 0; i < out.length; i++) {
    const x = bits[i] as number;
    out[i] = (x & 0x7fffffff) > 0x7f800000 ? (x >>> 16) | 0x40 : (x + 0x7fff + ((x >>> 16) & 1)) >>> 16;
  }
  return out;
}

/** IEEE 754 binary16: what is beyond 65519 becomes infinite, what is below 2⁻²⁴ / 2 zero. */
function toFloat16(data: Float32Array): Uint16Array {
  const bits = new Uint32Array(data.buffer, data.byteOffset, data.length);
  const out = new Uint16Array(data.length);
  for (let i = 0; i < out.length; i++) {
    const x = bits[i] as number;
    const sign = (x >>> 16) & 0x8000;
    const size = x & 0x7fffffff;
    if (size > 0x7f800000) out[i] = sign | 0x7e00;
    else if (size >= 0x477ff000) out[i] = sign | 0x7c00;
    else if (size >= 0x38800000) out[i] = sign | ((size - 0x38000000 + 0xfff + ((size >>> 13) & 1)) >>> 13);
    else out[i] = sign | roundEven(Math.abs(data[i] as number) * 2 ** 24);
  }
  return out;
}

/** Denormals are whole multiples of 2⁻²⁴. */
function roundEven(x: number): number {
  const low = Math.floor(x);
  const rest = x - low;
  return rest > 0.5 || (rest === 0.5 && low % 2 === 1) ? low + 1 : low;
}

const CASTS = { f16: toFloat16, bf16: toBfloat16 } as const;

/**
 * Rounds the floats of a state to 16 bits, for writing them by {@link saveSafetensors}, {@link savePyTorch} or, f16,
 * {@link saveNpz}; other tensors stay as they are.
 * @param tensors by name, such as a `stateDict()`
 * @throws ArgumentError for another dtype, and for what is no tensor
 */
export const castTensors: (tensors: Record<string, Savable>, dtype: 'f16' | 'bf16') => Record<string, StoredTensor> =
  ofForms(
    ["castTensors(tensors: tensors, dtype: 'f16'|'bf16')"],
    (tensors: Record<string, Savable>, dtype: 'f16' | 'bf16') =>
      record(
        Object.entries(tensors).map(([name, tensor]) => {
          const checked = checkedTensor('castTensors', ` in ${JSON.stringify(name)}`, tensor);
          const cast: StoredTensor =
            checked.dtype === 'f32' ? { dtype, shape: checked.shape, data: CASTS[dtype](checked.data) } : checked;
          return [name, cast] as const;
        }),
      ),
  );
