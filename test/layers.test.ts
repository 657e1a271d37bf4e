// Holds the import rules: a file imports only what stands above it, and the folders keep apart.
import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join, posix, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** The layers of bindings/, lowest first. A name that ends in / is a folder, whose files may import one another. */
const LAYERS = [
  'memory/',
  'lookup.ts',
  'crc.ts',
  'mix.ts',
  'kinds.ts',
  'parameters.ts',
  'signature.ts',
  'dtypes.ts',
  'sizes.ts',
  'text.ts',
  'takes.ts',
  'kernels/',
  'generated/kernel-calls.ts',
  'generated/lanes.ts',
  'engine/',
  'gradient-watch.ts',
  'tensor.ts',
  'ops/',
  'execute.ts',
  'node.ts',
  'histories.ts',
  'autograd.ts',
  'walk.ts',
  'backward.ts',
  'program/',
  'scope.ts',
  'creation.ts',
  'random.ts',
  'functional/',
  'distributions/',
  'nn/',
  'autograd/',
  'optim/',
  'page/',
  'data/',
  'io/',
  'onnx/',
  'train/',
  'doctor/',
  'explain/',
  'distributed/',
  'generated/tensor-methods.ts',
  'generated/method-list.ts',
  'methods.ts',
  'core.ts',
  'index.ts',
  'tfjs/',
];

/** Which folders and packages the files of a folder may import; '*' is any package. */
const FOLDERS: Record<string, { folders: readonly string[]; packages: readonly string[] }> = {
  assembly: { folders: ['assembly'], packages: [] },
  bindings: { folders: ['bindings'], packages: ['@assemblyscript/loader'] },
  examples: { folders: ['examples'], packages: ['*'] },
  reference: { folders: ['reference'], packages: [] },
  bench: { folders: ['bench', 'reference'], packages: ['*'] },
  test: { folders: ['bench', 'bindings', 'examples', 'reference', 'test', 'tools'], packages: ['*'] },
  tools: { folders: ['bindings', 'tools'], packages: ['*'] },
};

/** What is not reached from the index. */
const ENTRIES = ['data', 'distributed', 'doctor', 'explain', 'io', 'onnx', 'tfjs', 'train'];

/** Packages that users may have, for a part of what the package does. */
const PEERS = Object.keys(JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).peerDependencies);

interface Import {
  readonly from: string;
  readonly line: number;
  /** It adds to the types of another file, and takes nothing from it. */
  readonly augments: boolean;
  /** import(), and whether it stands inside braces. */
  readonly dynamic: boolean;
  readonly nested: boolean;
  /** Nothing but types, of which no trace is left. */
  readonly types: boolean;
}

/** The text with comments and strings blanked out, but for the names of what is imported. */
const bare = (text: string): string =>
  text.replace(
    /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|\/\/[^\n]*|\/\*[\s\S]*?\*\//g,
    (found, offset: number) =>
      /\b(from|import|module)\s*\(?\s*$/.test(text.slice(Math.max(0, offset - 40), offset))
        ? found
        : found.replace(/[^\n]/g, ' '),
  );

/** All import and export … from statements, augmentations and import() calls of a file. */
function importsOf(source: string): Import[] {
  const text = bare(source);
  const statement =
    /^(?:import|export)\b(?:\s+type\b(?!\s*,|\s+from\b))?(?:[\w$\s{},*]*\bfrom)?\s*['"](?<static>[^'"]+)|\bdeclare\s+module\s+['"](?<module>[^'"]+)|\bimport\s*\(\s*(?:['"](?<dynamic>[^'"]+))?/gm;
  return [...text.matchAll(statement)].map((match) => {
    const groups = match.groups as Record<string, string | undefined>;
    const before = text.slice(0, match.index);
    const depth = before.replace(/[^{]/g, '').length - before.replace(/[^}]/g, '').length;
    const name = groups.static ?? groups.module ?? groups.dynamic ?? '';
    return {
      from: name,
      line: before.split('\n').length,
      augments: groups.module !== undefined,
      dynamic: groups.static === undefined && groups.module === undefined,
      nested: depth > 0,
      types: /^import\s+type\b/.test(match[0]) || /\btypeof\s+$/.test(before),
    };
  });
}

const isWithin = (layer: string, file: string): boolean =>
  file === layer || (layer.endsWith('/') && file.startsWith(layer));
const layerOf = (file: string): number => LAYERS.findIndex((layer) => isWithin(layer, file));
const folderOf = (path: string): string => path.slice(0, path.indexOf('/'));
const isNodeModule = (name: string): boolean =>
  name.startsWith('node:') || builtinModules.includes(name.split('/')[0] as string);

/** What is wrong with an import of a package by a file of `folder`, or undefined. */
function packageFault(folder: string, { from, dynamic, nested, types }: Import): string | undefined {
  if (from === 'retrograd') {
    if (folder === 'reference') return 'references know nothing of the package';
    return folder === 'assembly' || folder === 'bindings' ? 'the package does not import itself' : undefined;
  }
  if (folder === 'bindings' && isNodeModule(from))
    return dynamic && nested ? undefined : 'Node modules are imported inside functions, by await import()';
  if (folder === 'bindings' && PEERS.some((name) => from === name || from.startsWith(`${name}/`)))
    return types || (dynamic && nested)
      ? undefined
      : 'optional packages are imported inside functions, by await import()';
  // A module of the user's, whose address is a value.
  if (from === '' && dynamic && nested) return undefined;
  const { packages } = FOLDERS[folder] as { packages: readonly string[] };
  if (packages.includes('*') || packages.includes(from)) return;
  return `${folder}/ imports ${packages.length > 0 ? `no package but ${packages.join(', ')}` : 'no packages'}`;
}

/** What is wrong with an import of the file `target` by the file `path`, in words. */
function fileFaults(path: string, target: string, augments: boolean, files: ReadonlyMap<string, string>): string[] {
  const folder = folderOf(path);
  const { folders } = FOLDERS[folder] as { folders: readonly string[] };
  if (!folders.includes(folderOf(target)))
    return [`${folder}/ imports only ${folders.map((name) => `${name}/`).join(', ')}`];
  const file = folder === 'assembly' && !target.endsWith('.ts') ? `${target}.ts` : target;
  const missing = files.has(file) ? [] : ['there is no such file'];
  if (folder !== 'bindings' || augments) return missing;
  // Within a folder files may import one another; a file of its own has a layer to itself.
  const [here, there] = [path, target].map((name) => layerOf(name.slice('bindings/'.length))) as [number, number];
  return there > here ? [...missing, `${LAYERS[there]} stands above ${LAYERS[here]}`] : missing;
}

/** What breaks the rules in `files`, a map from path to text. */
function violations(files: ReadonlyMap<string, string>): string[] {
  const found: string[] = [];
  /** Imports between files of bindings, those of types as well. */
  const edges = new Map<string, string[]>();
  for (const [path, text] of files) {
    const folder = folderOf(path);
    if (!FOLDERS[folder]) continue;
    if (folder === 'bindings' && layerOf(path.slice('bindings/'.length)) < 0)
      found.push(`${path}: has no layer; give it one in LAYERS of test/layers.test.ts`);
    for (const statement of importsOf(text)) {
      const { from, line, augments } = statement;
      const isFile = from.startsWith('.');
      const target = posix.join(posix.dirname(path), from);
      const faults = isFile
        ? fileFaults(path, target, augments, files)
        : [packageFault(folder, statement) ?? []].flat();
      found.push(...faults.map((why) => `${path}:${line}: imports '${from}': ${why}`));
      if (isFile && !augments && path.startsWith('bindings/') && target.startsWith('bindings/'))
        edges.set(path, [...(edges.get(path) ?? []), target]);
    }
  }
  return [...found, ...cycles(edges)];
}

/** Each cycle of imports once. */
function cycles(edges: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path);
    if (at >= 0) found.push(`${[...trail.slice(at), path].join(' → ')}: imports in a circle`);
    if (at >= 0 || done.has(path)) return;
    for (const next of edges.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of edges.keys()) visit(path, []);
  return found;
}

function project(): Map<string, string> {
  const files = new Map<string, string>();
  for (const folder of Object.keys(FOLDERS))
    for (const entry of readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (!entry.isFile() || !/\.(ts|js|mjs)$/.test(entry.name) || path.includes('node_modules')) continue;
      files.set(path.slice(ROOT.length).split(sep).join('/'), readFileSync(path, 'utf8'));
    }
  return files;
}

describe('layers', () => {
  it('are kept', () => {
    const files = project();
    expect(violations(files)).toEqual([]);
  });

  it('are looked at whole: every folder, and every file of bindings/ by the imports that lead to it', () => {
    const files = project();
    expect(new Set([...files.keys()].map(folderOf))).toEqual(new Set(Object.keys(FOLDERS)));
    // The op table is whole for tests and readers; programs carry the families that they call.
    const reached = new Set(
      ['index', ...ENTRIES.map((name) => `${name}/index`), 'ops/table'].map((name) => `bindings/${name}.ts`),
    );
    for (const path of reached)
      for (const { from } of importsOf(files.get(path) as string))
        if (from.startsWith('.')) reached.add(posix.join(posix.dirname(path), from));
    expect([...files.keys()].filter((path) => folderOf(path) === 'bindings' && !reached.has(path))).toEqual([]);
  });

  it('are in use: each names a file', () => {
    const paths = [...project().keys()].map((path) => path.replace(/^bindings\//, ''));
    const unused = LAYERS.filter((layer) => !paths.some((path) => isWithin(layer, path)));
    expect(unused).toEqual([]);
  });

  const breaks: [name: string, files: Record<string, string>, message: RegExp][] = [
    [
      'a higher layer',
      { 'bindings/tensor.ts': "import { x } from './autograd.ts';", 'bindings/autograd.ts': '' },
      /tensor\.ts:1: .*stands above/,
    ],
    [
      'a higher layer, over lines',
      { 'bindings/tensor.ts': "\nimport {\n  a,\n  type B,\n} from './scope.ts';", 'bindings/scope.ts': '' },
      /tensor\.ts:2/,
    ],
    [
      'a higher layer by export',
      { 'bindings/tensor.ts': "export * from './scope.ts';", 'bindings/scope.ts': '' },
      /stands above/,
    ],
    [
      'a higher layer by type',
      { 'bindings/tensor.ts': "import type { A } from './scope.ts';", 'bindings/scope.ts': '' },
      /stands above/,
    ],
    [
      'a higher layer by import()',
      { 'bindings/tensor.ts': "f(() => import('./scope.ts'));", 'bindings/scope.ts': '' },
      /stands above/,
    ],
    ['a file without a layer', { 'bindings/misc.ts': '' }, /no layer/],
    ['a file that is not there', { 'bindings/scope.ts': "import './tensor.ts';" }, /no such file/],
    [
      'a circle of values in a folder',
      { 'bindings/ops/a.ts': "import { b } from './b.ts';", 'bindings/ops/b.ts': "import { a } from './a.ts';" },
      /a\.ts → bindings\/ops\/b\.ts → bindings\/ops\/a\.ts: imports in a circle/,
    ],
    [
      'a circle of types in a folder',
      {
        'bindings/ops/a.ts': "import type { B } from './b.ts';",
        'bindings/ops/b.ts': "export type { C } from './c.ts';",
        'bindings/ops/c.ts': "import { type A } from './a.ts';",
      },
      /a\.ts → bindings\/ops\/b\.ts → bindings\/ops\/c\.ts → bindings\/ops\/a\.ts: imports in a circle/,
    ],
    [
      'AssemblyScript from bindings',
      { 'bindings/tensor.ts': "import { madd } from '../assembly/lanes.ts';", 'assembly/lanes.ts': '' },
      /only bindings/,
    ],
    [
      'bindings from assembly',
      { 'assembly/lanes.ts': 'import { a } from "../bindings/tensor";', 'bindings/tensor.ts': '' },
      /only assembly/,
    ],
    ['a package from assembly', { 'assembly/lanes.ts': 'import { a } from "as-fft";' }, /no packages/],
    ['a package from bindings', { 'bindings/tensor.ts': "import lodash from 'lodash';" }, /imports no package but/],
    ['a Node module', { 'bindings/io/a.ts': "import { readFile } from 'node:fs/promises';" }, /inside functions/],
    ["a Node module's types", { 'bindings/io/a.ts': "import type { Stats } from 'fs';" }, /inside functions/],
    ['a Node module at the top', { 'bindings/io/a.ts': "const fs = await import('node:fs');" }, /inside functions/],
    ['tests from an example', { 'examples/a.ts': "import '../test/a.ts';", 'test/a.ts': '' }, /only examples/],
    [
      'bindings from an example',
      { 'examples/a.ts': "import '../bindings/index.ts';", 'bindings/index.ts': '' },
      /only examples/,
    ],
    [
      'bindings from the bench',
      { 'bench/a.ts': "import '../bindings/index.ts';", 'bindings/index.ts': '' },
      /only bench\/, reference/,
    ],
    [
      'bindings from a reference',
      { 'reference/a.ts': "import '../bindings/index.ts';", 'bindings/index.ts': '' },
      /only reference/,
    ],
    ['the package from a reference', { 'reference/a.ts': "import { tensor } from 'retrograd';" }, /know nothing/],
  ];
  it.each(breaks)('see %s', (_, files, message) => {
    expect(violations(new Map(Object.entries(files)))).toEqual([expect.stringMatching(message)]);
  });

  it('allow what the rules allow', () => {
    const files = {
      'bindings/ops/a.ts':
        "import type { B } from './b.ts';\n// import './nowhere.ts'\nconst text = \"import './nowhere.ts'\";",
      'bindings/ops/b.ts': "declare module './a.ts' {}",
      'bindings/io/a.ts': "import { a } from '../ops/a.ts';\nasync function f() {\n  await import('node:fs');\n}",
      'examples/a.ts': "import { x } from 'retrograd';\nimport bar from 'cli-progress';\nimport { b } from './b.ts';",
      'examples/b.ts': "import { join } from 'node:path';",
      'assembly/a.ts': 'export * from "./b/c";',
      'assembly/b/c.ts': 'import { a } from "../a";',
    };
    expect(violations(new Map(Object.entries(files)))).toEqual([]);
  });
});

it('CONTRIBUTING maps them in their order', () => {
  const map = [
    ...readFileSync(join(ROOT, 'CONTRIBUTING.md'), 'utf8').matchAll(/^bindings\/((?:\S+?(?:, |(?=\s|$)))+)/gm),
  ];
  const mapped = map.flatMap(([, names = '']) => names.split(', ')).filter((name) => name !== 'generated/');
  expect(mapped).toEqual(LAYERS.filter((layer) => !layer.startsWith('generated/')));
});
