// The package as its users get it: packed, linted, installed in an empty project, and trained from every kind of
// program.
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeProject } from './support/project.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const exec = promisify(execFile);

/** What a tarball may hold, and nothing else. */
const ALLOWED =
  /^(package\.json|LICENSE|README\.md|CHANGELOG\.md|docs\/[\w-]+\.md|build\/lib\/[\w/-]+\.d\.ts|build\/lib\/[\w-]+(\.global)?\.js(\.map)?|build\/lib\/tfjs\.cjs|build\/wasm\/retrograd\.(strict|relaxed)(-threads)?\.wasm)$/;

/** The seed's network on four points, as a user's program in JavaScript. */
const program = (imports: string): string => `${imports}
await init();
manualSeed(4);
const model = new nn.Sequential(new nn.Linear(2, 4), new nn.Tanh(), new nn.Linear(4, 1));
const optimizer = new optim.SGD(model.parameters(), { lr: 0.2 });
const x = tensor([[0, 0], [0, 1], [1, 0], [1, 1]]);
const y = tensor([[0], [-1], [1], [0]]);
const losses = [];
for (let step = 0; step < 300; step++) {
  losses.push(scope(() => {
    optimizer.zeroGrad();
    const loss = functional.mseLoss(model.forward(x), y);
    loss.backward();
    optimizer.step();
    return loss.item();
  }));
}
console.log(JSON.stringify({ first: losses[0], last: losses[299] }));
`;
const NAMES = '{ functional, init, manualSeed, nn, optim, scope, tensor }';

/**
 * The same in TypeScript, with what its types must know: the methods, which an augmentation adds, and their mistakes.
 */
const TYPED = `${program(`import ${NAMES} from 'retrograd';`).replace('const losses = [];', 'const losses: number[] = [];')}
import { type Backend, backend, data, io, noGrad, ShapeError, Tensor } from 'retrograd';
import { DataLoader } from 'retrograd/data';
import { Linear } from 'retrograd/nn';

const sum: Tensor = x.add(1).mul(y).transpose(0, 1).matmul(y).sum([0], { keepdim: true });
const rows: readonly number[] = sum.shape;
const value: number = noGrad(() => sum.item());
const state: nn.StateDict = model.stateDict();
const found: Backend = backend();
const layer: nn.Linear = new Linear(2, 4);
const loader = new DataLoader(new data.TensorDataset(x, y), { batchSize: 2, shuffle: true });
for (const [images] of loader) images?.relu().dispose();
layer.dispose();
const bytes: Uint8Array = io.encodeSafetensors({ x: { dtype: 'f32', shape: [1], data: new Float32Array(1) } as never });
const isShape = (error: unknown): error is ShapeError => error instanceof ShapeError;
/** Compiled, and never called. */
export function mistakes(): void {
  // @ts-expect-error a string is no tensor
  x.add('1');
  // @ts-expect-error there is no such method
  x.addd(1);
  // @ts-expect-error there is no such option
  new optim.SGD(model.parameters(), { learningRate: 1 });
  // @ts-expect-error there is no such dtype
  tensor([1], { dtype: 'f64' });
}
if (rows.length !== 2 || !Number.isFinite(value) || !found || !state || !bytes || isShape(0)) throw new Error('wrong');
`;

let folder: string;
let project: string;
let files: readonly string[];
let tarball: Buffer;

/** Runs a program of the project, and returns the losses it printed. */
async function losses(file: string): Promise<{ first: number; last: number }> {
  const { stdout, stderr } = await exec(process.execPath, [file], { cwd: project });
  expect(stderr).toBe('');
  return JSON.parse(stdout);
}

function expectTrained({ first, last }: { first: number; last: number }): void {
  expect(first).toBeGreaterThan(0.2);
  expect(last).toBeLessThan(0.02);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'retrograd-package-'));
  const made = await makeProject(folder);
  files = made.files;
  project = made.folder;
  tarball = await readFile(made.tarball);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the tarball', () => {
  it('holds the modules, their types, the wasm builds and the papers, and nothing else', async () => {
    expect(files.filter((file) => !ALLOWED.test(file))).toEqual([]);
    const builds = ['strict', 'relaxed', 'strict-threads', 'relaxed-threads'];
    const needed = [
      'LICENSE',
      'README.md',
      'CHANGELOG.md',
      'package.json',
      'build/lib/index.js',
      'build/lib/index.d.ts',
      ...(await readdir(join(ROOT, 'docs'))).map((page) => `docs/${page}`), // README has links to them
    ];
    expect(files).toEqual(
      expect.arrayContaining([...needed, ...builds.map((name) => `build/wasm/retrograd.${name}.wasm`)]),
    );
    const gzipped = async (file: string) =>
      (gzipSync(await readFile(join(ROOT, file)), { level: 9 }).length / 1000).toFixed(1);
    const sizes = files
      .filter((file) => /\.(js|wasm)$/.test(file))
      .map(async (file) => `${file} ${await gzipped(file)} kB`);
    console.log(`gzipped: ${(await Promise.all(sizes)).join(', ')}; tarball ${(tarball.length / 1000).toFixed(1)} kB`);
  });

  it('has no dependencies and runs no script when it is installed', async () => {
    const manifest = JSON.parse(await readFile(join(project, 'node_modules/retrograd/package.json'), 'utf8'));
    for (const kind of ['dependencies', 'optionalDependencies', 'bundleDependencies'])
      expect(manifest[kind]).toBeUndefined();
    // What parses files of other programs, a user installs beside it who has such files.
    for (const name of Object.keys(manifest.peerDependencies))
      expect(manifest.peerDependenciesMeta[name]).toEqual({ optional: true });
    for (const script of ['preinstall', 'install', 'postinstall', 'prepare'])
      expect(manifest.scripts[script]).toBeUndefined();
    expect((await readdir(join(project, 'node_modules'))).filter((name) => !name.startsWith('.'))).toEqual([
      'retrograd',
    ]);
  });

  it('passes publint, strictly', async () => {
    const buffer = tarball.buffer.slice(tarball.byteOffset, tarball.byteOffset + tarball.length) as ArrayBuffer;
    const { messages, pkg } = await publint({ strict: true, pack: { tarball: buffer } });
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
  });

  it('says in every module what it is, and under which license', async () => {
    for (const file of files.filter((name) => name.endsWith('.js')))
      expect(await readFile(join(ROOT, file), 'utf8'), file).toMatch(
        /^\/\*!?\n ?\* retrograd [\w.-]+, Apache-2\.0\.\n ?\* Contains @assemblyscript\/loader/,
      );
  });

  it('names no path of the machine that made it', async () => {
    const installed = join(project, 'node_modules/retrograd');
    for (const file of files) {
      const text = await readFile(join(installed, file), 'latin1');
      expect(text.includes(ROOT), file).toBe(false);
    }
  });
});

describe('an empty project trains', () => {
  it('from an ES module', async () => {
    await writeFile(join(project, 'train.mjs'), program(`import ${NAMES} from 'retrograd';`));
    expectTrained(await losses('train.mjs'));
  });

  it('from the entries of the namespaces, which are those of the whole', async () => {
    const entries = ['functional', 'nn', 'optim']
      .map((kit) => `import * as ${kit} from 'retrograd/${kit}';\n`)
      .join('');
    const whole = `import * as retrograd from 'retrograd';\n${entries}const { init, manualSeed, scope, tensor } = retrograd;\n`;
    const same = 'if (retrograd.nn !== nn || retrograd.functional !== functional) throw new Error("two of them");\n';
    await writeFile(join(project, 'entries.mjs'), program(whole) + same);
    expectTrained(await losses('entries.mjs'));
  });

  it('from CommonJS, by import()', async () => {
    const body = program(`const ${NAMES} = await import('retrograd');`);
    await writeFile(join(project, 'train.cjs'), `(async () => {\n${body}})();\n`);
    expectTrained(await losses('train.cjs'));
  });

  it('and hears where in its own program it made a mistake', async () => {
    const body = 'await init();\ncompile((x) => x.sum().item())(tensor([1]));\n';
    await writeFile(join(project, 'mistake.mjs'), `import { compile, init, tensor } from 'retrograd';\n${body}`);
    const { stderr } = await exec(process.execPath, ['mistake.mjs'], { cwd: project }).catch((error) => error);
    expect(stderr).toMatch(/RecordingError: item: expected no read .* got one \(at .*mistake\.mjs:3:\d+\)/);
  });

  it('from a module that it hands in, found by the package', async () => {
    const files = ['strict', 'relaxed', 'strict-threads', 'relaxed-threads'];
    const found = `import { readFileSync } from 'node:fs';
const module = new WebAssembly.Module(readFileSync(new URL(import.meta.resolve('retrograd/wasm/strict.wasm'))));
for (const name of ${JSON.stringify(files)}) readFileSync(new URL(import.meta.resolve(\`retrograd/wasm/\${name}.wasm\`)));
readFileSync(new URL(import.meta.resolve('retrograd/worker.js')));
`;
    const body = program(`import ${NAMES} from 'retrograd';\n${found}`).replace('init()', 'init({ module })');
    await writeFile(join(project, 'module.mjs'), body);
    expectTrained(await losses('module.mjs'));
  });

  it('as one file without modules, where nothing says where it is', async () => {
    const script = join(project, 'node_modules/retrograd/build/lib/retrograd.global.js');
    await writeFile(
      join(project, 'script.cjs'),
      `const { readFileSync } = require('node:fs');
const retrograd = new Function(readFileSync(${JSON.stringify(script)}, 'utf8') + '\\nreturn retrograd;')();
const ${NAMES} = retrograd;
(async () => {
  await init().then(() => { throw new Error('it found something'); }, (error) => {
    if (!/^init: .*pass init\\(\\{ locate \\}\\)/.test(error.message)) throw error;
  });
${program('').replace('init()', "init({ locate: (file) => readFileSync(require.resolve('retrograd/wasm/' + file.replace('retrograd.', ''))) })")}})();
`,
    );
    expectTrained(await losses('script.cjs'));
  });

  const resolutions = [
    { module: 'nodenext', moduleResolution: 'nodenext' },
    { module: 'node20', moduleResolution: 'node16' },
    { module: 'esnext', moduleResolution: 'bundler' },
  ];
  it.each(resolutions)('from TypeScript, module resolution $moduleResolution', async ({ module, moduleResolution }) => {
    const source = join(project, moduleResolution);
    await mkdir(source);
    await writeFile(join(source, 'train.ts'), TYPED);
    const compilerOptions = {
      ...{ module, moduleResolution, target: 'es2022', outDir: 'out', rootDir: '.' },
      // As strict as a project can be, in a browser's world: no types of Node, no newer library than the target's.
      ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, skipLibCheck: false },
      ...{ lib: ['ES2022', 'DOM'], types: [] },
    };
    await writeFile(join(source, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['train.ts'] }));
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    const { stdout } = await exec(process.execPath, [tsc, '-p', source]).catch((error) => error);
    expect(stdout).toBe('');
    expectTrained(await losses(join(moduleResolution, 'out/train.js')));
  });
});
