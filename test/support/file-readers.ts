// The readers of other programs' files, and files that they read.
import * as io from '../../bindings/io/index.ts';
import type { Reader } from './file-fuzz.ts';

export const fileReaders: Readonly<Record<string, Reader>> = {
  decodePyTorch: {
    read: (bytes) => io.decodePyTorch(bytes, { wide: true }),
    files: ['everything.pt', 'protocol-5.pt', 'legacy.pt', 'state.pt', 'deflated.pt', 'zip64.pt'],
    most: 32,
  },
};
