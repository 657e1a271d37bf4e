// A build of the library in an instance of its own, beside any other in the process: modules that are loaded from
// another place are other modules, so its files are copied to a folder where nobody has loaded them.
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Library } from '../problems.ts';

/** What an instance is started with. */
export interface InstanceSettings {
  readonly simd: 'auto' | 'strict' | 'relaxed';
  readonly threads: number | 'auto';
  readonly revectorize?: boolean;
}

/** @param folder has lib/ and wasm/, as build/ does @throws Error where it does not */
export async function loadInstance(folder: string, settings: InstanceSettings): Promise<Library> {
  const [lib, wasm] = [resolve(folder, 'lib'), resolve(folder, 'wasm')];
  if (!existsSync(join(lib, 'index.js')) || !existsSync(wasm))
    throw new Error(
      `bench: expected a folder with lib/index.js and wasm/, got ${folder}; pass the build folder of a version`,
    );
  const copy = mkdtempSync(join(tmpdir(), 'retrograd-instance-'));
  // Not before the end: a build may load parts of itself when they are called for.
  process.once('exit', () => rmSync(copy, { recursive: true, force: true }));
  cpSync(lib, copy, { recursive: true, filter: (name) => !name.endsWith('.d.ts') });
  writeFileSync(join(copy, 'package.json'), '{ "type": "module" }');
  const library: Library = await import(pathToFileURL(join(copy, 'index.js')).href);
  await library.init({ ...settings, locate: (file: string) => pathToFileURL(join(wasm, file)) });
  return library;
}
