// A sum over all that a file says, so that a bit that was lost on the way is found.
import { byName, type FileTensor } from './safetensors-dtypes.ts';

/** MurmurHash3 (Austin Appleby, public domain) over whole words: any one that differs gives another sum. */
function mix(sum: number, words: ArrayLike<number>): number {
  let h = sum;
  for (let i = 0; i < words.length; i++) {
    let k = Math.imul(words[i] as number, 0xcc9e2d51);
    k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
    h ^= k;
    h = Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64;
  }
  return mixed(h ^ words.length);
}

function mixed(word: number): number {
  let h = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

const text = (sum: number, value: string): number =>
  mix(
    sum,
    Array.from(value, (letter) => letter.codePointAt(0) as number),
  );

/** The sum over names, dtypes, shapes, numbers and metadata, but for the entry 'checksum', as 8 hex digits. */
export function checksum(
  tensors: Readonly<Record<string, FileTensor>>,
  metadata: Readonly<Record<string, string>>,
): string {
  let sum = 0;
  for (const key of Object.keys(metadata).sort(byName))
    if (key !== 'checksum') sum = text(text(sum, key), metadata[key] as string);
  for (const name of Object.keys(tensors).sort(byName)) {
    const { dtype, shape, data } = tensors[name] as FileTensor;
    sum = mix(text(text(sum, name), dtype), shape);
    sum = mix(sum, dtype === 'u8' ? data : new Int32Array(data.buffer, data.byteOffset, data.length));
  }
  return (sum >>> 0).toString(16).padStart(8, '0');
}
