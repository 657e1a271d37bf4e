// Compiles assembly/ for one target of asconfig.json. A warning is a fault of the kernels, and fails as an error does.
//   node build/tools/compile-kernels.js TARGET
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { main } from 'assemblyscript/asc';
import { packModule } from './pack-module.ts';

const [target] = process.argv.slice(2);
if (!target) throw new Error('compile-kernels: expected a target of asconfig.json, got none');

// What is published is written anew from its text; debug as it comes, with its source map.
const packed = target !== 'debug';
const TEXT = 'kernels.wat';
const files = new Map<string, string | Uint8Array>();
const { error, stderr } = await main(
  ['--config', 'asconfig.json', '--target', target, ...(packed ? ['--textFile', TEXT] : [])],
  { writeFile: (name, contents) => void files.set(name, contents) },
);
const messages = stderr.toString();
process.stderr.write(messages);
if (error || /\bWARNING\b/.test(messages)) process.exitCode = 1;
else
  for (const [name, contents] of files) {
    if (name === TEXT) continue;
    mkdirSync(dirname(name), { recursive: true });
    writeFileSync(name, packed ? packModule(String(files.get(TEXT))) : contents);
  }
