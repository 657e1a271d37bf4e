// Weights in several safetensors files with an index, as Hugging Face's libraries write those that are large.
import { ArgumentError, BackendError } from '../memory/errors.ts';
import { checkedTensor, type Savable } from './arrays.ts';
import { promised } from './declare.ts';
import { writeFileAtomic } from './files.ts';
import { encodeSafetensors } from './safetensors.ts';

/** Options of {@link saveShardedSafetensors}. */
export interface ShardOptions {
  /** The most bytes of numbers in a file; a tensor that is larger has one of its own. @defaultValue 5e9 */
  maxShardBytes?: number;
}

const OP = 'saveShardedSafetensors';

async function joinPath(folder: string, name: string): Promise<string> {
  try {
    const { join } = await import('node:path');
    return join(folder, name);
  } catch {
    throw new BackendError(`${OP}: expected Node's file system, got an engine without it; use encodeSafetensors`);
  }
}

/** The names of tensors, in order, file by file. */
function split(tensors: Readonly<Record<string, Savable>>, most: number): { names: string[][]; total: number } {
  const names: string[][] = [[]];
  let total = 0;
  let here = 0;
  for (const [name, tensor] of Object.entries(tensors)) {
    const { byteLength } = checkedTensor(OP, ` in ${JSON.stringify(name)}`, tensor).data;
    if (here > 0 && here + byteLength > most) {
      names.push([]);
      here = 0;
    }
    names.at(-1)?.push(name);
    here += byteLength;
    total += byteLength;
  }
  return { names, total };
}

async function save(folder: string, tensors: Readonly<Record<string, Savable>>, most: number): Promise<void> {
  if (!(most > 0)) throw new ArgumentError(`${OP}: expected maxShardBytes above 0, got ${most}`);
  const { names, total } = split(tensors, most);
  const number = (i: number): string => String(i).padStart(5, '0');
  const map: [string, string][] = [];
  for (const [i, own] of names.entries()) {
    const name =
      names.length === 1 ? 'model.safetensors' : `model-${number(i + 1)}-of-${number(names.length)}.safetensors`;
    const part = Object.fromEntries(own.map((key) => [key, tensors[key] as Savable]));
    await writeFileAtomic(await joinPath(folder, name), encodeSafetensors(part, { format: 'pt' }));
    for (const key of own) map.push([key, name]);
  }
  if (names.length === 1) return;
  // The index comes last: it names only files that are there.
  const index = {
    metadata: { total_size: total },
    weight_map: Object.fromEntries(map.sort(([a], [b]) => (a < b ? -1 : 1))),
  };
  const text = new TextEncoder().encode(`${JSON.stringify(index, null, 2)}\n`);
  await writeFileAtomic(await joinPath(folder, 'model.safetensors.index.json'), text);
}

/**
 * Writes tensors to safetensors files in `folder`, as Hugging Face's `save_pretrained` does: `model.safetensors`, or
 * where that would be too large, `model-00001-of-00003.safetensors` and so on, and `model.safetensors.index.json`. Node
 * only.
 * @throws what encodeSafetensors does; the system's error; BackendError outside Node
 */
export const saveShardedSafetensors: (
  folder: string,
  tensors: Record<string, Savable>,
  options?: ShardOptions,
) => Promise<void> = promised(
  ['saveShardedSafetensors(folder: path, tensors: tensors, *, maxShardBytes: number = 5e9)'],
  save as never,
);
