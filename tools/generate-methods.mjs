// Writes what follows from the functions: bindings/generated/tensor-methods.ts, the methods of Tensor, declared with
// their docs and overloads, out of the functions at the top of the package whose first parameter is a tensor;
// method-list.ts beside it, those functions by name; and bindings/nn/generated/activations.ts, the layers that apply an
// activation.
//   node tools/generate-methods.mjs [--check]
// --check writes nothing, and fails where the file is not what the functions say.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseSync } from 'rolldown/utils';

process.chdir(dirname(dirname(fileURLToPath(import.meta.url))));

const TOP = 'bindings/functional/functions.ts';
const TARGET = 'bindings/generated/tensor-methods.ts';
const LIST = 'bindings/generated/method-list.ts';
const LAYERS = 'bindings/nn/generated/activations.ts';
const ACTIVATIONS = 'bindings/functional/activation.ts';
/** Activations that are methods, and stand with them. */
const FIRST = { file: 'bindings/functional/elementwise.ts', names: ['relu', 'sigmoid', 'tanh'] };
/** Names of layers that are not those of their functions with a capital. */
const CLASSES = { relu: 'ReLU', leakyRelu: 'LeakyReLU', elu: 'ELU', selu: 'SELU', gelu: 'GELU', silu: 'SiLU' };
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

/** The exported functions of a file, overloads before what implements them: name, parameters, result, and doc. */
function* functionsOf({ text, body, comments }) {
  const docBefore = (node) =>
    comments.find((comment) => comment.value.startsWith('*') && /^\s*$/.test(text.slice(comment.end, node.start)));
  for (const statement of body) {
    if (statement.type !== 'ExportNamedDeclaration' || !statement.declaration) continue;
    const { declaration } = statement;
    const [name, fn] =
      declaration.type === 'VariableDeclaration'
        ? [declaration.declarations[0].id.name, declaration.declarations[0].init]
        : [declaration.id?.name, declaration];
    if (!['ArrowFunctionExpression', 'FunctionDeclaration', 'TSDeclareFunction'].includes(fn?.type)) continue;
    yield { name, fn, isOverload: fn.type === 'TSDeclareFunction', doc: docBefore(statement) };
  }
}

/** A parameter as a signature has it: a default only makes it optional. */
function parameter(node, { file, text }) {
  const { left: bare, right: value } = node.type === 'AssignmentPattern' ? node : { left: node, right: null };
  const rest = bare.type === 'RestElement';
  const { typeAnnotation } = bare;
  const type = typeAnnotation
    ? text.slice(typeAnnotation.start, typeAnnotation.end)
    : `: ${typeof (value?.argument ?? value)?.value}`; // of -1 or 0
  if ((bare.type !== 'Identifier' && !rest) || type === ': undefined')
    throw new Error(`${file}: expected a parameter with a name and a type, got ${text.slice(node.start, node.end)}`);
  return `${rest ? `...${bare.argument.name}` : bare.name}${value || bare.optional ? '?' : ''}${type}`;
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

const methods = [];
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
  const found = [...functionsOf(source)].filter(({ name }) => wanted(name));
  const overloaded = new Set(found.filter(({ isOverload }) => isOverload).map(({ name }) => name));
  for (const { name, fn, isOverload, doc } of found) {
    const [first, ...rest] = fn.params;
    if (first?.name !== 'x' && first?.name !== 'root') continue; // concat and the like
    if (!isOverload && overloaded.has(name)) continue;
    const returned = source.text.slice(fn.returnType.start, fn.returnType.end);
    const parameters = rest.map((node) => parameter(node, source)).join(', ');
    need(source, [rest, fn.returnType]);
    methods.push({
      name,
      file: source.file,
      text: `${doc ? `${methodDoc(doc, first.name)}\n  ` : ''}${name}(${parameters})${returned};`,
    });
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
const list = (names) => (names.length > 1 ? `{\n  ${names.join(',\n  ')},\n}` : `{ ${names} }`);
const valueLines = functions.map(
  ([file, names]) => `import ${list(names)} from '${posix.relative(dirname(TARGET), file)}';`,
);
const result = `// Written by tools/generate-methods.mjs out of bindings/functional/. Do not edit.
${lines.join('\n')}

/** The functions on tensors as methods: \`x.add(y)\` is \`add(x, y)\`. */
export interface TensorMethods {
  ${methods.map(({ text }) => text).join('\n\n  ')}
}
`;

const listed = `// Written by tools/generate-methods.mjs out of bindings/functional/. Do not edit.

${valueLines.join('\n')}

/** By name, what a method calls with its tensor in front. */
export const methods = ${list(functions.flatMap(([, names]) => names))};
`;

/** A layer that applies an activation, and says what the function says. */
function layer({ name, doc }) {
  const text = doc.value.slice(1).trim();
  if (text.includes('\n')) throw new Error(`${name}: expected a doc of one line, got ${text}`);
  const className = CLASSES[name] ?? name[0].toUpperCase() + name.slice(1);
  return `/** ${text.replace(/\.$/, '')}: {@link functional.${name}}. */
export class ${className} extends activation(F.${name}) {}
`;
}
const activations = [
  ...FIRST.names.map((name) => [...functionsOf(parse(FIRST.file))].find((found) => found.name === name)),
  ...functionsOf(parse(ACTIVATIONS)),
];
const layers = `// Written by tools/generate-methods.mjs out of bindings/functional/. Do not edit.
import * as F from '../../functional/index.ts';
import { activation } from '../activation.ts';

${activations.map(layer).join('\n')}`;

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
