// The declarations of the package: they compile with every TypeScript that users may have, whatever their `lib`, they
// show editors the docs of chained methods, and nothing internal is in them.
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const exec = promisify(execFile);

let folder: string;
let files: Map<string, string>;

beforeAll(async () => {
  folder = await mkdtemp(join(ROOT, 'build', '.declarations-test-'));
  await exec(process.execPath, [join(ROOT, 'tools/declarations.mjs'), join(folder, 'lib')]);
  const names = (await readdir(join(folder, 'lib'), { recursive: true })).filter((name) => name.endsWith('.d.ts'));
  files = new Map(
    await Promise.all(
      names.map(async (name) => [name, await readFile(join(folder, 'lib', name), 'utf8')] as [string, string]),
    ),
  );
  const program = await readFile(join(ROOT, 'test/types/modules.ts'), 'utf8');
  await writeFile(join(folder, 'program.ts'), program.replace("from 'retrograd'", "from './lib/index.js'"));
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What the compiler of a package says of `files`; '' if nothing. */
async function compile(owner: string, name: string, files: readonly string[], lib: readonly string[]): Promise<string> {
  const compilerOptions = {
    ...{ target: 'ES2022', module: 'NodeNext', moduleResolution: 'NodeNext', lib, types: [], noEmit: true },
    ...{ strict: true, exactOptionalPropertyTypes: true, noImplicitOverride: false, skipLibCheck: false },
  };
  const config = join(folder, `tsconfig.${name}.json`);
  await writeFile(config, JSON.stringify({ compilerOptions, files }));
  const require = createRequire(join(ROOT, owner, 'package.json'));
  const tsc = join(require.resolve('typescript/package.json'), '../bin/tsc');
  const { stdout } = await exec(process.execPath, [tsc, '-p', config]).catch((error) => error);
  return stdout;
}

/** Folders whose TypeScript is the one of that version. */
const compilers: [version: string, owner: string][] = [
  ['5.0', 'tools/oldest'],
  ['5.4', 'tools/older'],
  ['5.9', 'tools/docs'],
  ['7.', '.'],
];
const libraries = [['ES2022'], ['ES2022', 'DOM'], ['ESNext', 'DOM'], ['ES2022', 'WebWorker']];

/** What init() takes, in words of the language alone and then in those of a page or a worker. */
const START = `import { type Backend, backend, init, type InitOptions, type Located, shutdown } from './lib/index.js';
import wasm from './lib/wasm.js';
const options: InitOptions = { module: wasm, threads: 'auto', simd: 'strict', tile: '6x8', revectorize: false, maxBytes: 2 ** 28 };
const located: Located[] = ['a.wasm', { href: 'file:///a.wasm' }, new Uint8Array(8), new ArrayBuffer(8), wasm];
await init(options);
await init({ locate: (file) => located.find((x) => x === file) ?? file });
await init({ locate: async () => new Uint8Array(8), worker: '/worker.js' });
const { engine, build, threads, reasons, memory }: Backend = backend();
const all: readonly (string | number)[] = [engine, build, threads, ...reasons, memory.limit];
shutdown();
// @ts-expect-error there is no such option
await init({ numThreads: 1 });
// @ts-expect-error nor such a tile
await init({ tile: '8x8' });
// @ts-expect-error a module is no text
await init({ module: 'strict.wasm' });
export { all };
// with a page
await init({ locate: (file) => fetch(new URL(file, 'https://example.org/')) });
await init({ module: await WebAssembly.compile(new Uint8Array(8)), worker: new URL('https://example.org/worker.js') });
`;

describe.each(compilers)('TypeScript %s', (version, owner) => {
  it('is that version', async () => {
    const require = createRequire(join(ROOT, owner, 'package.json'));
    expect(require('typescript/package.json').version.startsWith(version)).toBe(true);
  });

  // What differs by the library of types differs in all versions alike.
  it.each((version === '7.' ? libraries : libraries.slice(1, 2)).map((lib) => ({ lib })))(
    'compiles a program with lib $lib',
    async ({ lib }) => {
      const name = `${version}-${lib.join('-')}`;
      const start = lib.length > 1 ? START : START.slice(0, START.indexOf('// with a page'));
      await writeFile(join(folder, `start.${name}.ts`), start);
      expect(await compile(owner, name, ['program.ts', `start.${name}.ts`], lib)).toBe('');
    },
  );
});

describe('what is internal', () => {
  it('is in no declaration', () => {
    const internal =
      /@internal|\b(Operand|Block|GradNode|GradientWatch|Kernels|Probes|Recorder|Arena|Runtime|OpName|prepareStateDict|toFileTensor|defaultGenerator|allocate|eachDim)\b/;
    const found = [...files].flatMap(([name, text]) =>
      text.split('\n').flatMap((line, i) => (internal.test(line) ? [`${name}:${i + 1}: ${line.trim()}`] : [])),
    );
    expect(found).toEqual([]);
  });

  it('cannot be made or reached through a tensor', async () => {
    await writeFile(
      join(folder, 'inside.ts'),
      `import { nn, SparseTensor, Tensor, tensor } from './lib/index.js';
// @ts-expect-error tensors are made by functions
new Tensor();
// @ts-expect-error and sparse ones by backward()
new SparseTensor();
// @ts-expect-error neither are activations
new nn.Activation();
// @ts-expect-error
tensor(1).block;
// @ts-expect-error
tensor(1).address;
// @ts-expect-error
tensor(1).alias([1], [1], 0);
// @ts-expect-error
tensor(1).sizes;
// @ts-expect-error
tensor([1]).shape[0] = 2;
// @ts-expect-error
Tensor.allocate([1], 'f32', '');
`,
    );
    expect(await compile('.', 'inside', ['inside.ts'], ['ES2022'])).toBe('');
  });
});

describe('options', () => {
  it('have a doc and a default for each field', () => {
    const bare: string[] = [];
    let fields = 0;
    for (const text of files.values())
      for (const [, name, body = ''] of text.matchAll(/export interface (\w+Options)\b[^{]*\{\n([\s\S]*?)^\}/gm))
        for (const [, doc = '', field] of body.matchAll(/(?:\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*)?^ {4}(\w+)\??: /gm)) {
          fields++;
          if (!doc.includes('@defaultValue')) bare.push(`${name}.${field}`);
        }
    expect(fields).toBeGreaterThan(80);
    expect(bare).toEqual([]);
  });
});

describe('the methods of Tensor', () => {
  it('are declared as the functions are: npm run methods', async () => {
    const { stderr } = await exec(process.execPath, [join(ROOT, 'tools/generate-methods.mjs'), '--check']).catch(
      (error) => error,
    );
    expect(stderr).toBe('');
  });

  it('all have a doc', () => {
    const text = files.get(join('generated', 'tensor-methods.d.ts')) as string;
    const lines = text.slice(text.indexOf('interface TensorMethods')).split('\n');
    const bare = lines.filter((line, i) => /^ {4}\w+\(/.test(line) && !/\*\/$/.test(lines[i - 1] ?? ''));
    expect(lines.length).toBeGreaterThan(200);
    expect(bare).toEqual([]);
  });

  it('are those that the prototype has', async () => {
    const text = files.get(join('generated', 'tensor-methods.d.ts')) as string;
    const declared = new Set([...text.matchAll(/^ {4}(\w+)\(/gm)].map(([, name]) => name));
    const { Tensor } = await import('../bindings/index.ts');
    const classMembers = new Set(
      [...(await readFile(join(ROOT, 'bindings/tensor.ts'), 'utf8')).matchAll(/^ {2}(?:get |set |#)?(\w+)\(/gm)].map(
        ([, name]) => name,
      ),
    );
    const added = Object.getOwnPropertyNames(Tensor.prototype).filter((name) => !classMembers.has(name));
    expect(new Set(added)).toEqual(declared);
  });
});

describe('an editor', () => {
  /** What TypeScript's language service shows inside the brackets of the last call of a program: signature and doc. */
  async function help(line: string): Promise<{ signature: string; doc: string }> {
    const ts = createRequire(join(ROOT, 'tools/docs/package.json'))('typescript');
    const path = join(folder, 'editor.ts');
    const text = `import { functional as F, nn, optim, type Tensor } from './lib/index.js';\ndeclare const x: Tensor;\n${line}`;
    const host = {
      getCompilationSettings: () => ({ target: 9, module: 199, moduleResolution: 99, strict: true, types: [] }),
      getScriptFileNames: () => [path],
      getScriptVersion: () => '1',
      getScriptSnapshot: (name: string) => {
        const content = name === path ? text : ts.sys.readFile(name);
        return content === undefined ? undefined : ts.ScriptSnapshot.fromString(content);
      },
      getCurrentDirectory: () => folder,
      getDefaultLibFileName: (options: object) => ts.getDefaultLibFilePath(options),
      fileExists: (name: string) => name === path || ts.sys.fileExists(name),
      readFile: (name: string) => (name === path ? text : ts.sys.readFile(name)),
    };
    const service = ts.createLanguageService(host);
    const { items, selectedItemIndex } = service.getSignatureHelpItems(path, text.length - 1, undefined);
    const item = items[selectedItemIndex];
    const show = (parts: { text: string }[]): string => parts.map((part) => part.text).join('');
    const separator = show(item.separatorDisplayParts);
    const parameters = item.parameters.map((parameter: { displayParts: { text: string }[] }) =>
      show(parameter.displayParts),
    );
    return {
      signature: `${show(item.prefixDisplayParts)}${parameters.join(separator)}${show(item.suffixDisplayParts)}`,
      doc: show(item.documentation),
    };
  }

  const shown: [line: string, signature: string, doc: RegExp][] = [
    ['x.sum()', 'sum(options?: ReduceOptions): Tensor', /^The sum of the elements over `dim`/],
    ['x.neg().matmul()', 'matmul(other: Tensor): Tensor', /^The matrix product over the last two dims/],
    ['x.backward()', 'backward(options?: BackwardOptions): void', /every leaf/],
    ['F.elu(x, )', 'elu(x: Tensor, options?: F.EluOptions): Tensor', /alpha \(eˣ − 1\)/],
    ['new nn.ELU()', 'ELU(options?: F.EluOptions | undefined): nn.ELU', /^/],
  ];
  it.each(shown)('shows for %s what it takes and does', async (line, signature, doc) => {
    const found = await help(line);
    expect(found.signature).toBe(signature);
    expect(found.doc).toMatch(doc);
  });
});
