// Files that are whole or absent, for Node. Nothing here is imported by the core at the top level.
import { type Bytes, bytesOf } from '../data/bytes.ts';
import { BackendError } from '../memory/errors.ts';
import { promised } from './declare.ts';

/**
 * The most that one read asks for. The system touches the memory of a call before it fills it: of 100 MB, calls of 4 MB
 * take a third of the time that one takes.
 */
const READ_BYTES = 1 << 22;

interface NodeModules {
  readonly fs: typeof import('node:fs/promises');
  readonly paths: typeof import('node:path');
}

async function node(op: string): Promise<NodeModules> {
  try {
    const [fs, paths] = await Promise.all([import('node:fs/promises'), import('node:path')]);
    return { fs, paths };
  } catch {
    throw new BackendError(
      `${op}: expected Node's file system, got an engine without it; use encodeSafetensors and decodeSafetensors on bytes`,
    );
  }
}

/**
 * Writes a file so that whoever opens `path`, at any moment and after any crash, finds the old bytes or all the new
 * ones.
 *
 * The bytes go to `<path>.<process id>-<random number>.tmp` in the same folder, then fsync, rename, fsync of the
 * folder. The temporary is removed where a step fails. A killed process leaves its temporary; the next write of the
 * same path removes those whose process has ended. `path` gets default permissions; a symbolic link there is replaced
 * by the file.
 * `bytes` must not change before the promise settles.
 *
 * @throws ArgumentError for what is no path or no buffer; the system's error, `path` unchanged, where the folder is
 * missing, full or not writable; BackendError outside Node
 */
export const writeFileAtomic: (path: string, bytes: Bytes) => Promise<void> = promised(
  ['writeFileAtomic(path: path, bytes: bytes)'],
  write,
);

async function write(path: string, bytes: Bytes): Promise<void> {
  const content = bytesOf('writeFileAtomic', bytes);
  const modules = await node('writeFileAtomic');
  const { fs, paths } = modules;
  const target = paths.resolve(path);
  // Random, not counted: threads of one process share its number and not this module.
  const token = crypto.getRandomValues(new Uint32Array(1))[0] as number;
  const temporary = `${target}.${globalThis.process.pid}-${token}.tmp`;
  try {
    await removeLeftovers(modules, target);
    const file = await fs.open(temporary, 'wx');
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await fs.rename(temporary, target);
  } catch (error) {
    await fs.rm(temporary, { force: true });
    throw error;
  }
  // The rename is lasting only once the folder is. Windows cannot open folders and has no need to.
  if (globalThis.process.platform !== 'win32') {
    const handle = await fs.open(paths.dirname(target), 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }
}

/** Removes the temporaries of `target` that no living process writes. */
async function removeLeftovers({ fs, paths }: NodeModules, target: string): Promise<void> {
  const folder = paths.dirname(target);
  const base = paths.basename(target);
  for (const name of await fs.readdir(folder)) {
    if (!name.startsWith(`${base}.`)) continue;
    const owner = /^(\d+)-\d+\.tmp$/.exec(name.slice(base.length + 1));
    if (owner === null) continue;
    const leftover = paths.join(folder, name);
    const stat = await fs.stat(leftover).catch(() => undefined); // another writer may have removed it already
    if (stat !== undefined && isAbandoned(Number(owner[1]), stat.mtimeMs)) await fs.rm(leftover, { force: true });
  }
}

function isAbandoned(owner: number, writtenMs: number): boolean {
  if (owner !== globalThis.process.pid) return !isAlive(owner);
  // Either a write of ours is under way, or an earlier process had our number, as is usual in containers.
  return writtenMs < Date.now() - globalThis.process.uptime() * 1000;
}

function isAlive(pid: number): boolean {
  try {
    globalThis.process.kill(pid, 0); // signal 0 asks only
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * Reads a whole file, also one beyond 2 GiB.
 *
 * @throws ArgumentError for what is no path; the system's error where it cannot be read (`code: 'ENOENT'` where it is
 * missing); BackendError outside Node.
 */
export const readFileBytes: (path: string) => Promise<Uint8Array> = promised(['readFileBytes(path: path)'], read);

async function read(path: string): Promise<Uint8Array> {
  const { fs } = await node('readFileBytes');
  const file = await fs.open(path, 'r');
  try {
    const { size } = await file.stat();
    const bytes = new Uint8Array(size);
    let at = 0;
    while (at < size) {
      const { bytesRead } = await file.read(bytes, at, Math.min(READ_BYTES, size - at), at);
      if (bytesRead === 0) break; // the file was cut short since stat
      at += bytesRead;
    }
    return at === size ? bytes : bytes.slice(0, at);
  } finally {
    await file.close();
  }
}
