// Writes what follows from the kernel descriptors in bindings/kernels/: the list of the kernels that WebAssembly
// exports, the dispatch inside of it, and the eager calls of each family. All lie in folders that git ignores. A file
// whose text is the same stays untouched, so that watchers sleep.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import type { Kernel, Spec } from '../bindings/kernels/descriptor.ts';
import { families, probeFamilies, probes, table } from '../bindings/kernels/table.ts';
import { exportOf } from './kernel-table.ts';

const kernels = Object.entries(table) as [name: string, kernel: Kernel][];
const all = [...kernels, ...(Object.entries(probes) as [name: string, kernel: Kernel][])];

/** What WebAssembly has of a type of AssemblyScript. */
const wasmOf = (type = ''): string => (['usize', 'i32', 'u32'].includes(type) ? 'i32' : type);

/** The types of a kernel by its descriptor. */
const signatureOf = ({ operands, probes: answers }: Kernel): string =>
  `(${Object.values(operands).map(({ kind }) => (kind === 'f32' ? 'f32' : 'i32'))}) => ${answers ? 'i32' : 'void'}`;

/**
 * The file of assembly/ with each kernel, found by its name.
 *
 * @throws Error for a kernel that is in none, in two, or of other types than its descriptor says: programs call it by
 *   these, which engines see when they do so
 */
function filesOfKernels(): Map<string, string[]> {
  const kernelOf = new Map(all);
  const names = [...kernelOf.keys()];
  const places = readdirSync('assembly', { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.startsWith('generated'))
    .flatMap((file) => {
      const text = readFileSync(join('assembly', file), 'utf8');
      return Array.from(
        text.matchAll(/^export function (\w+)\(([^)]*)\): (\w+)/gm),
        ([, name = '', parameters = '', result]) => {
          const types = Array.from(parameters.matchAll(/: (\w+)/g), ([, type]) => wasmOf(type));
          return { name, file, signature: `(${types}) => ${wasmOf(result)}` };
        },
      );
    })
    .filter(({ name }) => kernelOf.has(name));
  for (const { name, file, signature } of places) {
    const expected = signatureOf(kernelOf.get(name) as Kernel);
    if (signature !== expected)
      throw new Error(`expected ${name}${expected} in ${file}, as its descriptor says, got ${signature}`);
  }
  for (const name of names) {
    const found = places.filter((place) => place.name === name).map(({ file }) => file);
    if (found.length !== 1)
      throw new Error(`expected one file of assembly/ with the kernel ${name}, got ${found.join(' and ') || 'none'}`);
  }
  const files = new Map<string, string[]>();
  for (const { name, file } of places) files.set(file, [...(files.get(file) ?? []), name]);
  return files;
}

const named = (): string => `// Written by tools/generate-kernels.ts out of bindings/kernels/.
${[...filesOfKernels()]
  .map(([file, names]) => [`../${file.slice(0, -'.ts'.length).split(sep).join('/')}`, names.sort()] as const)
  .sort(([a], [b]) => (a < b ? -1 : 1))
  .map(([file, names]) => `export { ${names.join(', ')} } from "${file}";`)
  .join('\n')}
`;

/** What asc exports, and kernel-table.ts puts into a table. */
const exported = (): string => `// Written by tools/generate-kernels.ts out of bindings/kernels/.
export { ${all.map(([name], number) => `${name} as ${exportOf(number)}`).join(', ')} } from "./kernels";
`;

/** The arguments of a kernel, which lie at p: what is no float is a word of 32 bits. */
const argumentsOf = ({ operands }: Kernel): string => {
  let at = 0;
  return Object.values(operands)
    .map(({ kind }) => (kind === 'workspace' ? 'workspace' : `load<${kind === 'f32' ? 'f32' : 'i32'}>(p, ${4 * at++})`))
    .join(', ');
};

/**
 * What calls a kernel by its number, which a program needs: its place in the table, probes after all others. Kernels
 * with arguments alike share a case, so that another one costs a byte; all of it is 1 kB less so.
 */
function dispatch(): string {
  const shapes = new Map<string, number>();
  const shapeOf = kernels.map(([, kernel]) => {
    const shape = argumentsOf(kernel);
    if (!shapes.has(shape)) shapes.set(shape, shapes.size);
    return shapes.get(shape) as number;
  });
  return `// Written by tools/generate-kernels.ts out of bindings/kernels/.
import * as k from "./kernels";
import { workspace } from "../program/threads";

/** How the arguments of each kernel lie: the case below. */
const SHAPES = memory.data<u8>([${shapeOf.join(', ')}]);

/** Calls a kernel with the arguments at p. */
export function dispatch(kernel: i32, p: usize): void {
  switch (load<u8>(SHAPES + kernel)) {
${[...shapes].map(([shape, number]) => `    case ${number}:\n      call_indirect<void>(kernel, ${shape});\n      return;\n`).join('')}  }
}

/** Calls a kernel or a probe with the arguments at p. A probe gives its answer, a kernel -1. */
export function dispatchAny(kernel: i32, p: usize): i32 {
  switch (kernel) {
${all
  .map(([name, probe], number) => `    case ${number}:\n      return k.${name}(${argumentsOf(probe)});\n`)
  .slice(kernels.length)
  .join('')}    default:
      dispatch(kernel, p);
      return -1;
  }
}

/** What stands for a kernel's number where a loop begins. */
export const LOOP: i32 = -1;
`;
}

/** What an operand is in the call of an export. */
function argument([name, spec]: [string, Spec]): string {
  if (spec.kind === 'workspace') return 'm.workspace';
  if (spec.kind === 'algorithm') return '0';
  if (spec.kind === 'list') return `m.list(c.${name})`;
  if (spec.kind !== 'buffer') return `c.${name}`;
  const address = `${spec.writes ? 'write' : 'at'}(c.${name})`;
  return spec.optional ? `c.${name} ? ${address} : 0` : address;
}

/** The file of bindings/kernels/ with each family, found by its name. */
function filesOfFamilies(): Map<string, string> {
  const files = readdirSync('bindings/kernels').map((file) => [file, readFileSync(`bindings/kernels/${file}`, 'utf8')]);
  return new Map(
    files.flatMap(([file = '', text = '']) =>
      [...text.matchAll(/^export const (\w+(?:Kernels|Probes)) =/gm)].map(([, name = '']) => [name, file] as const),
    ),
  );
}

/**
 * The eager calls of each family. Kernels with the same operands share the text of theirs, so that another costs a
 * bundle next to nothing; engines call them as fast as calls of their own (5 ns either way).
 */
function calls(): string {
  const makes = new Map<string, string>();
  const makeOf = ({ operands }: Kernel): string => {
    const args = Object.entries(operands).map(argument).join(', ');
    const text = `(f${args.includes('m.') ? ', m' : ''}) => (c) => f(${args})`;
    if (!makes.has(text)) makes.set(text, `call${makes.size}`);
    return makes.get(text) as string;
  };
  const files = filesOfFamilies();
  const members = Object.entries({ ...families, ...probeFamilies }) as [string, Readonly<Record<string, Kernel>>][];
  const moduleOf = (family: string): string => (files.get(family) as string).slice(0, -'.ts'.length);
  let first = 0;
  const made = members.map(([family, kernels]) => {
    const list = Object.values(kernels).map(makeOf).join(', ');
    const text = `export const ${family} = optional(() => eager(${moduleOf(family)}.${family}, ${first}, [${list}]));`;
    first += Object.keys(kernels).length;
    return text;
  });
  if (first !== all.length)
    throw new Error(`expected each kernel in one family, got ${all.length} kernels in ${first}`);
  return `// Written by tools/generate-kernels.ts out of bindings/kernels/.
import { at, eager, type MakeCall, write } from '../kernels/eager.ts';
${[...new Set(members.map(([family]) => moduleOf(family)))]
  .sort()
  .map((name) => `import * as ${name} from '../kernels/${name}.ts';`)
  .join('\n')}
import { optional } from '../lookup.ts';

/** What the wasm files of this package say that they are of. */
export const STAMP = '${stamp()}';

${[...makes].map(([text, name]) => `const ${name}: MakeCall = ${text};`).join('\n')}

${made.join('\n')}

/** All of them, for tools and tests. */
export const everyKernel = optional(() => [${members.map(([family]) => family).join(', ')}].flat());
`;
}

/**
 * Tells bindings and wasm files of other versions of the package, or of other descriptors, apart: a file that was
 * copied once and forgotten would compute something else.
 */
function stamp(): string {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  const hash = createHash('sha256').update(named()).update(exported()).update(dispatch()).digest('hex').slice(0, 8);
  return `${version}-${hash}`;
}

const FILES = {
  'assembly/generated/kernels.ts': named,
  'assembly/generated/exports.ts': exported,
  'assembly/generated/dispatch.ts': dispatch,
  'assembly/generated/stamp.ts': () => `// tools/compile-kernels.ts puts this into each wasm file: ${stamp()}\n`,
  'bindings/generated/kernel-calls.ts': calls,
};

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

for (const [file, generate] of Object.entries(FILES)) {
  const text = generate();
  if (read(file) === text) continue;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
