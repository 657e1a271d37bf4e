// Writes the declarations of the package: what tsc makes of bindings/, less all that its public names do not need.
//   node tools/declarations.mjs FOLDER
// They have to compile with every TypeScript from 5.0 on, with and without lib dom; test/declarations.test.ts holds
// that.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, posix, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseSync } from 'rolldown/utils';
import { formsOf } from './forms.mjs';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const ENTRIES = [
  'index.d.ts',
  ...['data', 'distributed', 'doctor', 'explain', 'io', 'onnx', 'tfjs', 'train'].map((entry) => `${entry}/index.d.ts`),
];

/** Where bindings/tsconfig.json puts the declarations of all files. */
const ALL = join(ROOT, 'build/.tsc/declarations');

/** The declarations as tsc writes them: path → text. Their imports name .ts files. */
function emit() {
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  execFileSync(process.execPath, [tsc, '-b', 'bindings'], { cwd: ROOT, stdio: 'inherit' });
  return new Map(
    readdirSync(ALL, { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => [posix.join(...path.slice(ALL.length + 1).split(/[\\/]/)), readFileSync(path, 'utf8')]),
  );
}

/** The file that an import of `from` names. */
const target = (from, source) => posix.join(posix.dirname(from), source.value.replace(/\.ts$/, '.d.ts'));

const declarationOf = (statement) => statement.declaration ?? statement;
/** The names that a statement declares. */
function declared(statement) {
  const node = declarationOf(statement);
  if (node.type === 'VariableDeclaration') return node.declarations.map(({ id }) => id.name);
  return node.id?.type === 'Identifier' ? [node.id.name] : [];
}

/** Every node below `node`, with its parent. */
function* nodes(node, parent) {
  if (Array.isArray(node)) for (const item of node) yield* nodes(item, parent);
  else if (node && typeof node === 'object') {
    if (node.type) yield [node, parent];
    for (const value of Object.values(node))
      if (value && typeof value === 'object') yield* nodes(value, node.type ? node : parent);
  }
}

/** What the exports of the entries need: statements, and specifiers of imports and exports. */
function reach(files) {
  const kept = new Set();
  const seen = new Set();

  /** What `name` means inside `file`. */
  function refer(file, name, member) {
    const { body } = files.get(file);
    if (body.some((statement) => declared(statement).includes(name))) return visit(file, name);
    for (const statement of body) {
      if (statement.type !== 'ImportDeclaration') continue;
      const specifier = statement.specifiers.find(({ local }) => local.name === name);
      if (!specifier) continue;
      keep(statement, specifier);
      const from = target(file, statement.source);
      if (specifier.type === 'ImportSpecifier') visit(from, specifier.imported.name);
      else if (member) visit(from, member);
    }
  }

  function keep(...parts) {
    for (const part of parts) kept.add(part);
  }

  function read(file, statement) {
    if (kept.has(statement)) return;
    keep(statement);
    for (const [node, parent] of nodes(statement, null)) {
      if (node.type === 'Identifier')
        refer(file, node.name, parent?.type === 'TSQualifiedName' ? parent.right.name : undefined);
      if (node.type === 'TSImportType') visit(target(file, node.source ?? node.argument), node.qualifier?.name);
    }
  }

  /** What `file` exports as `name`, or declares by it. @returns whether there is such a thing */
  function visit(file, name) {
    const key = `${file} ${name}`;
    if (seen.has(key)) return true;
    const { body } = files.get(file);
    const own = body.filter((statement) => declared(statement).includes(name));
    if (own.length > 0) {
      seen.add(key);
      for (const statement of own) read(file, statement);
      return true;
    }
    const passing = body.find((statement) => passesOn(file, statement, name));
    if (!passing) return false;
    seen.add(key);
    keep(passing);
    return true;
  }

  /** Whether `statement` exports `name` from elsewhere, or under another name; what it stands for is then visited. */
  function passesOn(file, statement, name) {
    const specifier = statement.specifiers?.find(({ exported }) => exported?.name === name);
    if (specifier) {
      keep(specifier);
      if (statement.source) visit(target(file, statement.source), specifier.local.name);
      else refer(file, specifier.local.name);
      return true;
    }
    if (statement.type !== 'ExportAllDeclaration') return false;
    const from = target(file, statement.source);
    if (!statement.exported) return visit(from, name);
    if (statement.exported.name === name) visitAll(from);
    return statement.exported.name === name;
  }

  /** What `file` adds to the types of other modules. */
  function visitAugmentations(file) {
    for (const statement of files.get(file).body) if (statement.type === 'TSModuleDeclaration') read(file, statement);
  }

  function visitAll(file) {
    for (const statement of files.get(file).body) {
      if (statement.type === 'ExportNamedDeclaration') {
        for (const name of declared(statement)) visit(file, name);
        for (const { exported } of statement.specifiers) visit(file, exported.name);
      } else if (statement.type === 'ExportAllDeclaration' && statement.exported) {
        visit(file, statement.exported.name);
      } else if (statement.type === 'ExportAllDeclaration') {
        keep(statement);
        visitAll(target(file, statement.source));
      } else if (statement.type === 'ImportDeclaration' && statement.specifiers.length === 0) {
        keep(statement);
        visitAugmentations(target(file, statement.source));
      }
    }
  }

  for (const entry of ENTRIES) visitAll(entry);
  return kept;
}

/** A constant that is a function, declared as a function of as many forms: editors and the reference show it as one. */
function asFunction(file, { declaration }, whole) {
  const [variable] = declaration?.type === 'VariableDeclaration' ? declaration.declarations : [];
  const type = variable?.id.typeAnnotation?.typeAnnotation;
  const forms = type && formsIn(type, file);
  if (!forms) return whole;
  const doc = whole.slice(0, whole.lastIndexOf('export declare const'));
  const textOf = (node) => (typeof node === 'string' ? node : file.text.slice(node.start, node.end));
  const generic = type.typeParameters ? textOf(type.typeParameters) : '';
  return forms
    .map(
      ({ params, result }) =>
        `${doc}export declare function ${variable.id.name}${generic}(${params.map(textOf).join(', ')})${result};`,
    )
    .join('\n');
}

/** The forms of a type, if it is that of functions, and told in this file. */
function formsIn(type, file) {
  if (type.type === 'TSFunctionType') return formsOf(type, file);
  if (type.type === 'TSTypeLiteral') {
    const calls = type.members.every(
      (member) => member.type === 'TSCallSignatureDeclaration' && !member.typeParameters,
    );
    return calls ? formsOf(type, file) : undefined;
  }
  if (type.type !== 'TSTypeReference' || type.typeName.type !== 'Identifier') return undefined;
  if (type.typeName.name === 'Callable') return formsOf(type, file);
  const alias = file.body.map(declarationOf).find(({ id }) => id?.name === type.typeName.name);
  if (alias?.type !== 'TSTypeAliasDeclaration' || alias.typeParameters) return undefined;
  // What it takes types by is the type's own, and stays there.
  if (alias.typeAnnotation.typeParameters) return undefined;
  return formsIn(alias.typeAnnotation, file);
}

/** The text of a statement with only those of its specifiers that are kept; with the comment above it. */
function print(file, statement, before, kept) {
  const { text } = file;
  const { specifiers = [] } = statement;
  let whole = text.slice(before, statement.end).trim();
  const left = specifiers.filter((specifier) => kept.has(specifier));
  if (left.length < specifiers.length) {
    const names = left.map(({ start, end }) => text.slice(start, end)).join(', ');
    whole = whole.replace(/\{[^}]*\}/, `{ ${names} }`);
  }
  whole = asFunction(file, statement, whole);
  return whole.replace(/(['"])(\.\.?\/[^'"]+)\.ts\1/g, '$1$2.js$1');
}

/** TypeScript before 5.2, and libraries before ESNext, lack the symbol; declared twice it is the same. */
const DISPOSE = `declare global {
    interface SymbolConstructor {
        readonly dispose: unique symbol;
    }
}`;

/** Classes whose constructors are not for users: stripped alone, `new Tensor()` would compile. */
const UNMADE = {
  'tensor.d.ts': ['Tensor', 'protected'],
  'ops/sparse-tensor.d.ts': ['SparseTensor', 'private'],
  'nn/activation.d.ts': ['Activation', 'private'],
};

/** Hides the constructor of such a class, and that a tensor is what kernels take. */
function hideConstructor(path, text) {
  if (!(path in UNMADE)) return text;
  const [name, access] = UNMADE[path];
  const head = new RegExp(`(export declare (?:abstract )?class ${name}(?: extends \\w+)?) (?:implements \\w+ )?\\{`);
  if (!head.test(text)) throw new Error(`${path}: expected a class ${name}, got none`);
  return text.replace(head, `$1 {\n    ${access} constructor();`);
}

/** What `import wasm from 'retrograd/wasm/strict.wasm'` gives, where a bundler or an engine compiles it. */
const WASM = `/** A compiled WebAssembly.Module of the package, for init({ module }). */
declare const module: object;
export default module;
`;

/** Writes the declarations into `folder`. */
export async function declare(folder) {
  const files = new Map([...(await emit())].map(([path, text]) => [path, { text: hideConstructor(path, text) }]));
  for (const [path, file] of files) {
    const { program, errors } = parseSync(path, file.text, { lang: 'dts' });
    if (errors.length > 0) throw new Error(`${path}: ${errors[0].message}`);
    file.body = program.body;
  }
  const kept = reach(files);
  for (const [path, file] of files) {
    if (!file.body.some((statement) => kept.has(statement))) continue;
    // Without it all that a file declares is exported.
    for (const statement of file.body)
      if (statement.type === 'ExportNamedDeclaration' && !statement.declaration && statement.specifiers.length === 0)
        kept.add(statement);
    const parts = file.body.flatMap((statement, i) =>
      kept.has(statement) ? [print(file, statement, file.body[i - 1]?.end ?? 0, kept)] : [],
    );
    if (parts.some((part) => part.includes('Symbol.dispose'))) parts.unshift(DISPOSE);
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), `${parts.join('\n')}\n`);
  }
  writeFileSync(join(folder, 'wasm.d.ts'), WASM);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await declare(resolve(process.argv[2]));
