// Checks format and lint of the whole tree with Biome.
//   node lint.mjs [--write]
// Biome does not parse a decorator on a function, which AssemblyScript has (`@inline export function …`). So assembly/ is
// checked in a copy where such a decorator is a comment, and with --write what changed is brought back.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(fileURLToPath(import.meta.url));
const biome = createRequire(import.meta.url).resolve('@biomejs/biome/bin/biome');
const write = process.argv.includes('--write');

function check(folder) {
  const args = [biome, 'check', '--error-on-warnings', '--max-diagnostics=100', ...(write ? ['--write'] : [])];
  return spawnSync(process.execPath, args, { cwd: folder, stdio: 'inherit' }).status === 0;
}

// A line that holds decorators alone, at the margin: those of functions (Biome parses the ones of classes and methods).
const hide = (text) => text.replace(/^(@(?:inline|lazy|global|external|unsafe|builtin)\b.*)$/gm, '//$1');
const show = (text) => text.replace(/^\/\/(@(?:inline|lazy|global|external|unsafe|builtin)\b.*)$/gm, '$1');

function checkAssembly() {
  const copy = mkdtempSync(join(tmpdir(), 'retrograd-lint-'));
  try {
    const config = readFileSync(join(root, 'biome.jsonc'), 'utf8')
      .replace('./node_modules/', `${root}/node_modules/`)
      .replace(/^ {2}"vcs": .*$/m, '  "vcs": { "enabled": false },')
      .replace('"!assembly", ', '');
    writeFileSync(join(copy, 'biome.jsonc'), config);
    mkdirSync(join(copy, 'assembly'));
    const names = readdirSync(join(root, 'assembly'), { recursive: true }).filter(
      (name) => name.endsWith('.ts') && !name.endsWith('dispatch.ts'), // that is written by the build
    );
    for (const name of names) {
      mkdirSync(dirname(join(copy, 'assembly', name)), { recursive: true });
      writeFileSync(join(copy, 'assembly', name), hide(readFileSync(join(root, 'assembly', name), 'utf8')));
    }
    const clean = check(copy);
    for (const name of write ? names : []) {
      const before = readFileSync(join(root, 'assembly', name), 'utf8');
      const after = show(readFileSync(join(copy, 'assembly', name), 'utf8'));
      if (after !== before) writeFileSync(join(root, 'assembly', name), after);
    }
    return clean;
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

const results = [check(root), checkAssembly()];
if (!results.every(Boolean)) process.exitCode = 1;
