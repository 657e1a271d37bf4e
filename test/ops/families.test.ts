// A bundle has the rows of the core and of the families that the program calls. So the rules of a family may call
// nothing but the core and what comes with the family itself, and the whole package has every family.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseSync } from 'rolldown/utils';
import { describe, expect, it } from 'vitest';
import { allOps } from '../../bindings/autograd.ts';
import '../../bindings/index.ts';
import type { Row } from '../../bindings/ops/core.ts';
import { coreRows } from '../../bindings/ops/rows.ts';
import { table } from '../../bindings/ops/table.ts';

const FOLDER = fileURLToPath(new URL('../../bindings/ops/', import.meta.url));

/** Top-level names of a file with the text that declares them. */
function declarationsOf(file: string): Map<string, string> {
  const text = readFileSync(FOLDER + file, 'utf8');
  const found = new Map<string, string>();
  for (const statement of parseSync(file, text).program.body) {
    const node = statement.type === 'ExportNamedDeclaration' ? statement.declaration : statement;
    const own = text.slice(statement.start, statement.end);
    if (node?.type === 'VariableDeclaration')
      for (const { id } of node.declarations) if (id.type === 'Identifier') found.set(id.name, own);
    if (node?.type === 'FunctionDeclaration' && node.id) found.set(node.id.name, own);
  }
  return found;
}

/** What the declaration `name` calls of `o`, itself and through other declarations of the file. */
function callsOf(name: string, declarations: ReadonlyMap<string, string>): Set<string> {
  const seen = new Set<string>([name]);
  const calls = new Set<string>();
  for (const next of seen) {
    const text = declarations.get(next) as string;
    for (const [, op] of text.matchAll(/\bo\.(\w+)\(/g)) calls.add(op as string);
    for (const other of declarations.keys()) if (new RegExp(`(?<![.\\w])${other}\\b(?!:)`).test(text)) seen.add(other);
  }
  return calls;
}

const families: { family: string; rows: Readonly<Record<string, Row>>; calls: Set<string> }[] = [];
for (const file of readdirSync(FOLDER)) {
  if (['core.ts', 'rows.ts', 'table.ts'].includes(file)) continue;
  const module: Record<string, unknown> = await import(FOLDER + file);
  const declarations = declarationsOf(file);
  for (const [family, rows] of Object.entries(module))
    if (family.endsWith('Rows'))
      families.push({ family, rows: rows as Record<string, Row>, calls: callsOf(family, declarations) });
}

describe('a family', () => {
  it.each(families)('$family calls the core and itself alone', ({ rows, calls }) => {
    expect([...calls].filter((op) => !(op in coreRows) && !(op in rows))).toEqual([]);
  });
});

describe('the package', () => {
  it('has every family', () => {
    expect(families.length).toBeGreaterThan(20);
    const missing = Object.keys(table).filter((op) => typeof (allOps as never)[op] !== 'function');
    expect(missing).toEqual([]);
    expect(new Set(families.flatMap(({ rows }) => Object.keys(rows)))).toEqual(new Set(Object.keys(table)));
  });
});
