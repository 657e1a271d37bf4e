// Required arguments go by name as well, and their types say so: a type of arguments that lists required ones by their
// labels lists their names too, and these are the names that a signature of the same file declares.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseSync } from 'rolldown/utils';
import { expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../../bindings/', import.meta.url));

/** Where the list of names stands among the arguments of a type, and how many required ones make it necessary. */
const TYPES: Readonly<Record<string, { at: number; from: number }>> = {
  Arguments: { at: 3, from: 2 },
  MaxPoolFunction: { at: 3, from: 2 },
  StackArguments: { at: 2, from: 2 },
  Callable: { at: 4, from: 2 },
};

interface Node {
  readonly type: string;
  readonly start: number;
  readonly typeName?: { readonly name?: string };
  readonly typeArguments?: { readonly params: readonly Node[] };
  readonly elementTypes?: readonly Node[];
  readonly label?: { readonly name: string };
  readonly literal?: { readonly value: unknown };
}

function* typesIn(node: unknown): Generator<Node> {
  if (typeof node !== 'object' || node === null || (node as Node).type === 'BlockStatement') return;
  if ((node as Node).type === 'TSTypeReference') yield node as Node;
  for (const child of Array.isArray(node) ? node : Object.values(node)) yield* typesIn(child);
}

/** Whether the text of a file has a signature whose required arguments have these names. */
function declares(text: string, names: readonly string[]): boolean {
  const whole = text.replace(
    /\$\{([A-Z]+)\}/g,
    (_, name) => new RegExp(`const ${name} = '(.*)';`).exec(text)?.[1] ?? '',
  );
  const list = names.map((name) => `(?:\\.\\.\\.)?\\b${name}: [^=,]+`).join(', ');
  return new RegExp(`\\((?:\\$\\{\\w+\\}, )?${list}[,)]`).test(whole);
}

interface Found {
  readonly at: string;
  readonly labels: readonly (string | undefined)[];
  readonly names: readonly unknown[];
  readonly declared: boolean;
  readonly needed: boolean;
}

function* lists(): Generator<Found> {
  for (const file of readdirSync(ROOT, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts') || file === 'parameters.ts') continue;
    const text = readFileSync(ROOT + file, 'utf8');
    if (!/(?:Arguments|Callable)</.test(text)) continue;
    for (const { typeName, typeArguments, start } of typesIn(parseSync(file, text).program)) {
      const { at, from } = TYPES[typeName?.name ?? ''] ?? { at: 0, from: 0 };
      const given = typeArguments?.params ?? [];
      const required = given[0]?.elementTypes;
      if (at === 0 || !required || required.some(({ type }) => type !== 'TSNamedTupleMember')) continue;
      const names = (given[at]?.elementTypes ?? []).map(({ literal }) => literal?.value);
      const labels = required.map(({ label }) => label?.name);
      const declared = declares(text, labels as string[]);
      yield {
        at: `${file}:${text.slice(0, start).split('\n').length}`,
        labels,
        names,
        declared,
        needed: labels.length >= from,
      };
    }
  }
}

it('types let required arguments go by name', () => {
  const all = [...lists()].filter(({ names, needed }) => needed || names.length > 0);
  expect(all.length).toBeGreaterThan(100);
  expect(all.filter(({ labels, names }) => String(labels) !== String(names))).toEqual([]);
  expect(all.filter(({ declared }) => !declared).map(({ at, names }) => `${at} ${names}`)).toEqual([]);
});
