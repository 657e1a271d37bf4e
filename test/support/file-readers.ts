// The readers of other programs' files, and files that they read.
import * as io from '../../bindings/io/index.ts';
import type { Reader } from './file-fuzz.ts';

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
};
