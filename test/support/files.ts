// Files that other programs wrote, for test/io.
import { readFileSync, writeFileSync } from 'node:fs';

const at = (name: string): URL => new URL(`../io/files/${name}`, import.meta.url);

/** The bytes of a file of test/io/files, in memory of their own. */
export const file = (name: string): Uint8Array<ArrayBuffer> => Uint8Array.from(readFileSync(at(name)));

/** Writes one of ours where the environment says WRITE, for test/golden/files.py to have it read by others. */
export function written(name: string, bytes: Uint8Array): void {
  if (process.env.WRITE) writeFileSync(at(name), bytes);
}
