// The readers of other programs' files, and files that they read.
import * as io from '../../bindings/io/index.ts';
import type { Reader } from './file-fuzz.ts';
import { file } from './files.ts';

/** A file of the folder of a model, where there is one. */
const whole = (name: string): Uint8Array | null => {
  try {
    return file(`gpt2/${name}`);
  } catch {
    return null;
  }
};

export const fileReaders: Readonly<Record<string, Reader>> = {
  decodePyTorch: {
    read: (bytes) => io.decodePyTorch(bytes, { wide: true }),
    files: ['everything.pt', 'protocol-5.pt', 'legacy.pt', 'state.pt', 'deflated.pt', 'zip64.pt', 'quantized.pt'],
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
  loadPretrained: {
    read: async (bytes) => {
      const isConfig = /^\s*\{/.test(String.fromCharCode(...bytes.subarray(0, 8)));
      const at = isConfig ? 'config.json' : 'model-00001-of-00002.safetensors';
      const model = await io.loadPretrained((name) => (name === at ? bytes : whole(name)));
      model.dispose();
    },
    files: ['gpt2/config.json', 'gpt2/model-00001-of-00002.safetensors'],
    most: 8,
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
