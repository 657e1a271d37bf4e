// Writes what follows from the functions: bindings/generated/tensor-methods.ts, the methods of Tensor, declared with
// their docs and overloads, out of the functions at the top of the package whose first parameter is a tensor;
// method-list.ts beside it, those functions; and bindings/nn/generated/activations.ts, the layers that apply an
// activation.
//   node tools/generate-methods.mjs [--check]
// --check writes nothing, and fails where the file is not what the functions say.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseSync } from 'rolldown/utils';
import { formsOf } from './forms.mjs';

process.chdir(dirname(dirname(fileURLToPath(import.meta.url))));

const TOP = 'bindings/functional/functions.ts';
const TARGET = 'bindings/generated/tensor-methods.ts';
const LIST = 'bindings/generated/method-list.ts';
const LAYERS = 'bindings/nn/generated/activations.ts';
const ACTIVATIONS = ['bindings/functional/activation.ts', 'bindings/functional/shrink.ts'];
/** Activations that are methods, and stand with them. */
const FIRST = { file: 'bindings/functional/elementwise.ts', names: ['sigmoid', 'tanh'] };
/** Names of layers that are not those of their functions with a capital. */
const CLASSES = {
  relu: 'ReLU',
  leakyRelu: 'LeakyReLU',
  elu: 'ELU',
  selu: 'SELU',
  gelu: 'GELU',
  silu: 'SiLU',
  relu6: 'ReLU6',
  celu: 'CELU',
  glu: 'GLU',
  logsigmoid: 'LogSigmoid',
};
/** The names of functions that have a method which writes in place; an array stands there. */
const OVERWRITING = 'bindings/functional/overwrite.ts';
/** Functions that are methods as well, though they stand elsewhere. */
const BESIDES = [{ file: 'bindings/backward.ts', names: ['backward'] }];

const parse = (file) => {
  const text = readFileSync(file, 'utf8');
  const { program, comments, errors } = parseSync(file, text);
  if (errors.length > 0) throw new Error(`${file}: ${errors[0].message}`);
  return { file, text, body: program.body, comments };
};

const resolve = (from, name) => posix.join(posix.dirname(from), name);

/** The files that TOP exports everything of. */
const files = parse(TOP).body.flatMap((node) =>
  node.type === 'ExportAllDeclaration' ? [resolve(TOP, node.source.value)] : [],
);

/** The name under which a declaration of a file is exported. */
function exported(name, statement, body) {
  if (statement.type === 'ExportNamedDeclaration') return name;
  for (const { specifiers = [] } of body)
    for (const { local, exported: out, type } of specifiers)
      if (type === 'ExportSpecifier' && local.name === name) return out.name;
  return undefined;
}

/** The exported functions of a file, one entry for each form: name, parameters, result, and doc. */
function* functionsOf(source) {
  const { text, body, comments } = source;
  const docBefore = (node) =>
    comments.find(
      ({ value, end }) => value.startsWith('*') && end <= node.start && /^\s*$/.test(text.slice(end, node.start)),
    );
  for (const statement of body) {
    const { declaration = statement } = statement;
    if (declaration?.type === 'FunctionDeclaration' && declaration !== statement)
      yield {
        name: declaration.id.name,
        params: declaration.params.map((node) => parameter(node, source)),
        result: text.slice(declaration.returnType.start, declaration.returnType.end),
        types: [declaration.params.slice(1), declaration.returnType],
        doc: docBefore(statement),
      };
    if (declaration?.type !== 'VariableDeclaration') continue;
    const [{ id, init }] = declaration.declarations;
    if (init?.type !== 'CallExpression') continue;
    const name = exported(id.name, statement, body);
    if (!name) continue;
    const fn = init.arguments.find(({ type }) => type === 'ArrowFunctionExpression');
    const type = id.typeAnnotation?.typeAnnotation ?? init.typeArguments?.params[0];
    const forms = type
      ? formsOf(type, source)
      : [
          {
            params: fn.params,
            result: text.slice(fn.returnType.start, fn.returnType.end),
            types: [fn.params.slice(1), fn.returnType],
          },
        ];
    for (const { params, result, types, member } of forms)
      yield {
        name,
        params: params.map((node) => (typeof node === 'string' ? node : parameter(node, source))),
        result,
        types,
        type,
        source,
        doc: (member && docBefore(member)) ?? docBefore(statement),
        signature: init.arguments.find(({ type: kind }) => kind === 'Literal')?.value,
      };
  }
}

/** A parameter as a signature has it. */
function parameter(node, { file, text }) {
  const bare = node.argument ?? node.left ?? node;
  const type = node.typeAnnotation ?? bare.typeAnnotation;
  if (bare.type !== 'Identifier' || !type)
    throw new Error(`${file}: expected a parameter with a name and a type, got ${text.slice(node.start, node.end)}`);
  const [dots, open] = [node.type === 'RestElement' ? '...' : '', bare.optional || node.left ? '?' : ''];
  return `${dots}${bare.name}${open}${text.slice(type.start, type.end)}`;
}

/** The names of types in a piece of the tree. */
function* typeNames(node) {
  if (Array.isArray(node)) for (const item of node) yield* typeNames(item);
  else if (node && typeof node === 'object') {
    if (node.type === 'TSTypeReference') yield node.typeName.name;
    for (const value of Object.values(node)) if (value && typeof value === 'object') yield* typeNames(value);
  }
}

/** The doc of a function as that of a method: without the first parameter, and indented. */
const methodDoc = ({ value }, first) =>
  `/*${value}*/`
    .replace(new RegExp(`^\\s*\\* @param ${first}\\b.*\\n(\\s*\\* (?!@).*\\n)*`, 'm'), '')
    .split('\n')
    .map((line, i) => (i === 0 ? line : ` ${line.trim()}`))
    .join('\n  ');

const overwriting = parse(OVERWRITING)
  .body.flatMap(({ declaration }) => declaration?.declarations ?? [])
  .find(({ id }) => id.name === 'overwriting')
  .init.expression.elements.map(({ value }) => value);

const methods = [];
/** The declarations of methods that follow from others. */
const derived = [];
/** File → the types that the signatures take from it. */
const imports = new Map();

/** Notes where the types of a signature come from. */
function need(source, nodes) {
  for (const name of typeNames(nodes)) {
    const home = source.body.find(
      (node) => node.type === 'ImportDeclaration' && node.specifiers.some((specifier) => specifier.local.name === name),
    );
    const declared = source.body.some((node) => node.declaration?.id?.name === name);
    if (!home && !declared) continue; // one of the language
    const file = home ? resolve(source.file, home.source.value) : source.file;
    imports.set(file, (imports.get(file) ?? new Set()).add(name));
  }
}

for (const { source, wanted } of [
  ...files.map((file) => ({ source: parse(file), wanted: () => true })),
  ...BESIDES.map(({ file, names }) => ({ source: parse(file), wanted: (name) => names.includes(name) })),
]) {
  for (const { name, params, result, types, doc } of functionsOf(source)) {
    const [first, ...rest] = params;
    if (!wanted(name) || !/^(x|root)\b/.test(first ?? '')) continue; // cat and the like
    need(source, types);
    methods.push({
      name,
      file: source.file,
      text: `${doc ? `${methodDoc(doc, /^\w+/.exec(first)[0])}\n  ` : ''}${name}(${rest.join(', ')})${result};`,
    });
    if (overwriting.includes(name))
      derived.push(
        `/** {@link ${name}}, written over this tensor, which it returns. */\n  ${name}_(${rest.join(', ')})${result};`,
      );
  }
}

const lines = [...imports]
  .map(([file, names]) => ({ path: posix.relative(dirname(TARGET), file), names: [...names].sort() }))
  .sort((a, b) => (a.path < b.path ? -1 : 1))
  .map(({ path, names }) => `import type { ${names.join(', ')} } from '${path}';`);
/** File → its functions that are methods, both in the order of the linter. */
const byName = (a, b) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1);
const fileOf = ({ file }) => (BESIDES.some((beside) => beside.file === file) ? file : TOP);
const functions = [...new Set(methods.map(fileOf))]
  .sort(byName)
  .map((file) => [file, [...new Set(methods.filter((m) => fileOf(m) === file).map(({ name }) => name))].sort(byName)]);
/** Names that are words of the language, which only a method may have, and what stands for them. */
const RESERVED = new Map([['var', 'variance']]);
const imported = (name) => (RESERVED.has(name) ? `${name} as ${RESERVED.get(name)}` : name);
const local = (name) => RESERVED.get(name) ?? name;
const list = (names) => (names.length > 1 ? `{\n  ${names.join(',\n  ')},\n}` : `{ ${names} }`);
const array = (wanted) => {
  const names = functions.flatMap(([, all]) => all.filter(wanted).map(local));
  return `[\n  ${names.join(',\n  ')},\n]`;
};
const valueLines = functions.map(
  ([file, names]) => `import ${list(names.map(imported))} from '${posix.relative(dirname(TARGET), file)}';`,
);
const result = `// Written by tools/generate-methods.mjs out of bindings/functional/. Do not edit.
${lines.join('\n')}

/** The functions on tensors as methods: \`x.add(y)\` is \`add(x, y)\`. */
export interface TensorMethods {
  ${[...methods.map(({ text }) => text), ...derived].join('\n\n  ')}
}
`;

const listed = `// Written by tools/generate-methods.mjs out of bindings/functional/. Do not edit.

${valueLines.join('\n')}

/** What methods of the same name call with their tensor in front, where another one writes over it, and elsewhere. */
export const overwritten = ${array((name) => overwriting.includes(name))};
export const others = ${array((name) => !overwriting.includes(name))};
`;

/** A layer that applies an activation, and says what the function says. */
function layer({ name, doc, signature, source, type }) {
  const text = doc.value.slice(1).trim();
  if (text.includes('\n')) throw new Error(`${name}: expected a doc of one line, got ${text}`);
  const className = CLASSES[name] ?? name[0].toUpperCase() + name.slice(1);
  const taken = signature.includes('(') ? signature.replace(/^\w+\(x: Tensor(, )?/, `${className}(`) : `${className}()`;
  const quoted = taken.includes("'") ? `"${taken}"` : `'${taken}'`;
  const [, positions, options] = type?.typeArguments?.params ?? [];
  if (options) layerTypes.add(source.text.slice(options.start, options.end));
  const given = options
    ? `<Arguments<[], ${[positions, options].map((node) => source.text.slice(node.start, node.end)).join(', ')}>>`
    : '<[]>';
  return `/** ${text.replace(/\.$/, '')}: {@link functional.${name}}. */
export class ${className} extends activation${given}(F.${name}, ${quoted}) {}
`;
}
/** The options that the layers take. */
const layerTypes = new Set();
const activations = [
  ...FIRST.names.map((name) => [...functionsOf(parse(FIRST.file))].find((found) => found.name === name)),
  ...ACTIVATIONS.flatMap((file) => [...functionsOf(parse(file))]),
].filter(({ name }, i, all) => all.findIndex((other) => other.name === name) === i);
const layerText = activations.map(layer).join('\n');
const layers = `// Written by tools/generate-methods.mjs out of bindings/functional/. Do not edit.
${layerTypes.size > 0 ? `import type { ${[...layerTypes].sort().join(', ')} } from '../../functional/index.ts';\n` : ''}import * as F from '../../functional/index.ts';
import type { Arguments } from '../../signature.ts';
import { activation } from '../activation.ts';

${layerText}`;

for (const [target, text] of [
  [TARGET, result],
  [LIST, listed],
  [LAYERS, layers],
]) {
  if (!process.argv.includes('--check')) {
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, text);
  } else if (readFileSync(target, 'utf8') !== text) {
    console.error(`${target}: expected what the functions say, got another; run npm run methods`);
    process.exitCode = 1;
  }
}
