// Holds what Biome has no rule for: comments end within 120 columns, and no file is empty.
import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const FOLDERS = ['assembly', 'bench', 'bindings', 'examples', 'test', 'tools'];
const WIDTH = 120;

/**
 * Lines of a text with a comment beyond the width. What Biome breaks is no concern here; a long word can't be broken.
 */
function wideComments(text: string): number[] {
  const found: number[] = [];
  let block = false;
  text.split('\n').forEach((line, i) => {
    const opens = /^\s*\/\*/.test(line);
    const comment = block || opens || /^\s*(\/\/|#)/.test(line) || /[;{},)] \/\/ [^'"`]*$/.test(line);
    if (block || opens) block = !line.includes('*/');
    if (comment && [...line].length > WIDTH && !/\S{100}/.test(line)) found.push(i + 1);
  });
  return found;
}

const filesOf = (folder: string): string[] =>
  readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(ts|js|mjs|py)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length).split(sep).join('/'))
    .filter((file) => !/(^|\/)(generated|node_modules)\//.test(file));

it('files have something in them', () => {
  const root = readdirSync(ROOT, { withFileTypes: true }).filter((entry) => entry.isFile());
  const files = [...root.map(({ name }) => name).filter((name) => name !== '.git'), ...FOLDERS.flatMap(filesOf)];
  expect(files.filter((file) => readFileSync(join(ROOT, file), 'utf8').trim() === '')).toEqual([]);
});

describe('comments', () => {
  it('end within 120 columns', () => {
    const wide = FOLDERS.flatMap(filesOf).flatMap((file) =>
      wideComments(readFileSync(join(ROOT, file), 'utf8')).map((line) => `${file}:${line}`),
    );
    expect(wide).toEqual([]);
  });

  const long = 'word '.repeat(30);
  it.each([
    ['a line', `// ${long}`, [1]],
    ['behind code', `const a = 1; // ${long}`, [1]],
    ['a block', `/**\n * ${long}\n */\nconst a = 1;`, [2]],
    ['a block in one line', `/** ${long} */\nconst a = '${long}';`, [1]],
    ['an address', `// https://example.org/${'a'.repeat(120)}`, []],
    ['code', `const a = '${long}';\nconst b = '; // ${long}';`, []],
  ])('are seen in %s', (_, text, lines) => {
    expect(wideComments(text)).toEqual(lines);
  });
});
