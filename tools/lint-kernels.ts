// Checks format and lint of assembly/ with Biome.
//   node build/tools/lint-kernels.js [OPTION OF BIOME …]
// Biome does not parse a decorator on a function or a variable, which AssemblyScript has (`@inline export function …`).
// So it sees a copy in build/lint/ where the parser of AssemblyScript has found those decorators, and each is a
// comment. (assemblyscript-prettier does the same for Prettier, but brings a compiler of its own and no lint.)
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { FunctionDeclaration, newOptions, newProgram, parse, type Statement, VariableStatement } from 'assemblyscript';

const COPY = 'build/lint';
const options = process.argv.slice(2);

/** The decorators that Biome does not parse. Those of classes and their members it does. */
function decoratorsOf(statements: readonly Statement[]): { start: number; end: number }[] {
  return statements
    .filter((node) => node instanceof FunctionDeclaration || node instanceof VariableStatement)
    .flatMap(({ decorators }) => (decorators ?? []).map(({ range }) => range));
}

/** The text with those decorators as comments. */
function hide(text: string, path: string): string {
  const program = newProgram(newOptions());
  parse(program, text, path, true);
  const source = program.sources.find(({ normalizedPath }) => normalizedPath === path);
  if (!source || program.diagnostics.length > 0)
    throw new Error(`lint: expected AssemblyScript in ${path}, got ${program.diagnostics.join('\n') || 'no source'}`);
  if (COMMENT.test(text))
    throw new Error(`lint: expected no comment /*@…*/ in ${path}; it is how decorators are hidden`);
  return decoratorsOf(source.statements).reduceRight(
    (hidden, { start, end }) => `${hidden.slice(0, start)}/*${hidden.slice(start, end)}*/${hidden.slice(end)}`,
    text,
  );
}
const COMMENT = /\/\*(@.*?)\*\//;
const show = (text: string): string => text.replaceAll(new RegExp(COMMENT, 'g'), '$1');

const names = readdirSync('assembly', { recursive: true, encoding: 'utf8' })
  .map((name) => join('assembly', name))
  .filter((name) => name.endsWith('.ts') && !name.startsWith(join('assembly', 'generated')));
rmSync(COPY, { recursive: true, force: true });
for (const name of names) {
  mkdirSync(dirname(join(COPY, name)), { recursive: true });
  writeFileSync(join(COPY, name), hide(readFileSync(name, 'utf8'), name));
}

const biome = createRequire(import.meta.url).resolve('@biomejs/biome/bin/biome');
const args = [biome, 'check', `--config-path=${resolve('tools/biome-assembly.jsonc')}`, ...options, 'assembly'];
const { status } = spawnSync(process.execPath, args, { cwd: COPY, stdio: 'inherit' });
for (const name of options.includes('--write') ? names : []) {
  const text = show(readFileSync(join(COPY, name), 'utf8'));
  if (text !== readFileSync(name, 'utf8')) writeFileSync(name, text);
}
process.exitCode = status ?? 1;
