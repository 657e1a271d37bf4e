// Files of PyTorch's torch.save. What reads them comes with the first.
import type { Bytes } from '../data/bytes.ts';
import type { WideOptions } from './arrays.ts';
import { promised } from './declare.ts';
import { readFileBytes } from './files.ts';
import type { FileTensor } from './safetensors-dtypes.ts';

const reader = () => import('./pytorch.ts');

/**
 * Reads a file of PyTorch's `torch.save`: state dicts, and tensors, numbers, strings, lists, tuples, dicts and sets,
 * however nested. Nothing in it is run: a file that names anything else is refused by that name, as
 * `torch.load(weights_only=True)` does.
 *
 * Dicts become objects without a prototype, lists, tuples and `torch.Size` arrays, None null, devices and dtypes text;
 * tensors have dtype, shape and data, of the dtypes that {@link decodeSafetensors} makes of theirs, and show the bytes
 * of `source` where they can: keep it unchanged, or copy. Quantised ones become f32. So `loadStateDict` takes what a
 * `state_dict()` was, of a module as of an optimizer.
 *
 * @typeParam T what the caller knows to be in it
 * @param source the whole file
 * @throws FormatError saying what is wrong, for every file that is none, is damaged, or holds what is refused;
 * BackendError for one that somebody deflated, in an engine without streams for it
 */
export const decodePyTorch: <T = Record<string, FileTensor>>(source: Bytes, options?: WideOptions) => Promise<T> =
  promised(['decodePyTorch(source: bytes, *, wide: bool = false)'], (async (source: Bytes, wide: boolean) =>
    (await reader()).decode(source, wide)) as never);

/** A file, or the index of several. */
async function load(path: string, wide: boolean): Promise<unknown> {
  const bytes = await readFileBytes(path);
  const { decode } = await reader();
  if (!/^\s*\{/.test(String.fromCharCode(...bytes.subarray(0, 8)))) return decode(bytes, wide);
  const { joinPyTorch } = await import('./pytorch-shards.ts');
  return joinPyTorch('loadPyTorch', { name: path, bytes }, readFileBytes, wide);
}

/**
 * Reads a file of PyTorch's `torch.save`, or several by their index (`pytorch_model.bin.index.json`); see
 * {@link decodePyTorch}. Node only.
 * @typeParam T what the caller knows to be in it
 * @throws what decodePyTorch does; the system's error; BackendError outside Node
 */
export const loadPyTorch: <T = Record<string, FileTensor>>(path: string, options?: WideOptions) => Promise<T> =
  promised(['loadPyTorch(path: path, *, wide: bool = false)'], load as never);
