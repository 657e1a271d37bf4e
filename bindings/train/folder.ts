// Folders of files, for Node.
import { builtin, isNode } from '../engine/platform.ts';
import { writeFileAtomic } from '../io/files.ts';
import { BackendError } from '../memory/errors.ts';

/** Files by name. */
export interface Folder {
  write(name: string, bytes: Uint8Array): Promise<void>;
  remove(name: string): Promise<void>;
}

interface NodeModules {
  readonly fs: typeof import('node:fs');
}

/** Node's file system. @throws BackendError elsewhere */
export async function fileSystem(op: string): Promise<NodeModules['fs']> {
  if (isNode) return builtin('node:fs', () => import('node:fs'));
  throw new BackendError(`${op}: expected Node's file system, got an engine without it; give what writes instead`);
}

/** The files of a folder, which is made where there is none. @throws the system's error; BackendError outside Node */
export async function folderOf(path: string): Promise<Folder> {
  const { promises } = await fileSystem('ModelCheckpoint');
  await promises.mkdir(path, { recursive: true });
  return {
    write: (name, bytes) => writeFileAtomic(`${path}/${name}`, bytes),
    remove: (name) => promises.rm(`${path}/${name}`, { force: true }),
  };
}
