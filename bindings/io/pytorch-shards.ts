// Several files of torch.save by an index, as Hugging Face's library wrote those that are large. It comes with the
// first.
import { record } from '../lookup.ts';
import { FormatError } from '../memory/errors.ts';
import { besideOf, shardsOf } from './open.ts';
import { isDict } from './pickle.ts';
import { decode } from './pytorch.ts';
import type { FileTensor } from './safetensors-dtypes.ts';

/**
 * Puts the tensors of several files together as their index says.
 * @param read the bytes of a file, by its name there or, where the index has a path, beside it
 * @internal
 */
export async function joinPyTorch(
  op: string,
  index: { readonly name: string; readonly bytes: Uint8Array },
  read: (name: string) => Promise<Uint8Array>,
  wide = false,
): Promise<Record<string, FileTensor>> {
  const places = shardsOf(op, index.name, index.bytes);
  const joined = record<FileTensor>();
  for (const file of new Set(places.values())) {
    const state = (await decode(await read(besideOf(index.name, file)), wide)) as Record<string, FileTensor>;
    for (const [name, place] of places)
      if (place === file) {
        if (!isDict(state) || !(name in state))
          throw new FormatError(`${op}: expected ${JSON.stringify(name)} in ${file}, as the index says, got none`);
        joined[name] = state[name] as FileTensor;
      }
  }
  return joined;
}
