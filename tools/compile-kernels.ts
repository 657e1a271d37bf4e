// Compiles assembly/ for one target of asconfig.json. A warning is a fault of the kernels, and fails as an error does.
//   node build/tools/compile-kernels.js TARGET [--unpacked]
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { main } from 'assemblyscript/asc';
import { kernelTable, withoutExports } from './kernel-table.ts';
import { packModule } from './pack-module.ts';

const [target, unpacked] = process.argv.slice(2);
if (!target) throw new Error('compile-kernels: expected a target of asconfig.json, got none');

// What is published is written anew from its text, but not where a test waits for it; debug comes with its source map.
const packed = target !== 'debug' && unpacked !== '--unpacked';
const TEXT = 'kernels.wat';
const files = new Map<string, string | Uint8Array>();
const { error, stderr } = await main(
  ['--config', 'asconfig.json', '--target', target, ...(packed ? ['--textFile', TEXT] : [])],
  { transforms: [kernelTable], writeFile: (name, contents) => void files.set(name, contents) },
);

/** The file with a section that says which build it is, and of which package: what bindings/engine/builds.ts reads. */
function named(binary: Uint8Array): Uint8Array {
  const stamp = readFileSync('assembly/generated/stamp.ts', 'utf8').trim().split(' ').at(-1);
  const [name, content] = ['retrograd', `${target} ${stamp}`].map((text) => Buffer.from(text)) as [Buffer, Buffer];
  // Lengths below 128 take one byte.
  return Buffer.concat([binary, Buffer.from([0, 1 + name.length + content.length, name.length]), name, content]);
}

const messages = stderr.toString();
process.stderr.write(messages);
if (error || /\bWARNING\b/.test(messages)) process.exitCode = 1;
else
  for (const [name, contents] of files) {
    if (name === TEXT) continue;
    mkdirSync(dirname(name), { recursive: true });
    const binary = packed ? packModule(withoutExports(String(files.get(TEXT)))) : contents;
    writeFileSync(name, typeof binary === 'string' || target === 'debug' ? binary : named(binary));
  }
