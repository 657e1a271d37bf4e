// The readers of other programs' files, and files that they read.
import * as io from '../../bindings/io/index.ts';
import type { Reader } from './file-fuzz.ts';
import { file } from './files.ts';

export const fileReaders: Readonly<Record<string, Reader>> = {
  decodePyTorch: {
    read: (bytes) => io.decodePyTorch(bytes, { wide: true }),
    files: ['everything.pt', 'protocol-5.pt', 'legacy.pt', 'state.pt', 'deflated.pt', 'zip64.pt'],
    most: 32,
  },
  decodeNpz: {
    read: (bytes) => io.decodeNpz(bytes, { wide: true }),
    files: ['arrays.npz', 'stored.npz', 'ours-compressed.npz'],
    most: 64,
  },
  decodeNpy: {
    read: (bytes) => io.decodeNpy(bytes, { wide: true }),
    files: ['version-1.npy', 'version-2.npy', 'version-3.npy'],
    most: 4,
  },
  openSafetensors: {
    read: async (bytes) =>
      (
        await io.openSafetensors(bytes, {
          shards: (name) => file(`sharded/model-0000${name.includes('1-of') ? 1 : 2}-of-00002.safetensors`),
        })
      ).tensors(),
    files: ['dtypes.safetensors', 'sharded/model.safetensors.index.json'],
    most: 8,
  },
};
