// bindings/ as plain ES modules, with the loader of AssemblyScript in them and so without dependencies, which a page loads
// without an import map: an entry for the core and one for each namespace, all in one folder over chunks that they
// share, and an index that re-exports them. So a bundler meets
// real modules, and leaves out what a program does not use. Node's own modules stay dynamic imports that only Node
// reaches. And classic scripts: all of it as one global, for a plain script tag, and the program of the workers. The
// backend of TensorFlow.js is an entry like a namespace, which the index leaves out; and, since many programs of tfjs are
// older than modules, a script and a CommonJS module of its own.
import { readFileSync } from 'node:fs';
import { defineConfig, type RolldownOptions } from 'rolldown';
import { WORKER } from './bindings/engine/worker-text.ts';

/** The namespaces of the package, and what further entries add to them: each a folder of bindings/ and an entry. */
const KITS = 'autograd data distributed distributions doctor explain functional io nn onnx optim train'.split(' ');

/** Those of which the index has a part, core.ts, and the entry more: what parses files is not in the core. */
const LARGER = ['data', 'io'];

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly author: string;
  readonly peerDependencies: Readonly<Record<string, string>>;
}
const read = (file: string): Manifest => JSON.parse(readFileSync(file, 'utf8'));
const { version, license, peerDependencies } = read('package.json');

const loader = read('node_modules/@assemblyscript/loader/package.json');

const banner = `/*!
 * retrograd ${version}, ${license}.
 * Contains ${loader.name} ${loader.version}, Copyright ${loader.author.replace(/ <.*>/, '')} and the AssemblyScript authors, ${loader.license}.
 */`;

/** Minifiers keep what begins with `/*!`: once of files that come together. */
const bannerOf = ({ name }: { readonly name: string }): string =>
  name === 'base' ? banner : banner.replace('/*!', '/*');

/**
 * Hides what only Node reaches from bundlers: its own modules, for which bundlers for browsers would look, and some would
 * fail; and the chunk of revectorize.ts, which no page has a use for. Minifiers do not fold the call that the name goes
 * through. Lines stay where they are, so that the source map does without a map of this.
 */
const hideFromBundlers = (code: string) => {
  const hidden = code.replace(
    /(?<!typeof )\bimport\("(node:[\w/]+|\.\/revectorize\.js)"\)/g,
    'import(/* webpackIgnore: true */ /* @vite-ignore */ hidden("$1"))',
  );
  return hidden === code ? null : { code: `${hidden}\nfunction hidden(name) { return [name].join(); }\n`, map: null };
};

/**
 * What AssemblyScript's loader makes of a module's exports, strings and arrays among them, nobody reads: kernels are the
 * instance's own functions. What it gives a module to import stays.
 */
const leaveOutWrappers = (code: string, id: string) => {
  if (!/@assemblyscript[\\/]loader[\\/]index\.js$/.test(id)) return null;
  const result =
    /\n *const exports = postInstantiate\(extended, instance\);\n( *return \{ module, instance), exports \};/g;
  const without = code.replace(result, '\n\n$1 };');
  if (without === code) throw new Error(`expected ${id} to wrap the exports of an instance, got other text`);
  return { code: without, map: null };
};

const hiding = { name: 'hide-from-bundlers', renderChunk: hideFromBundlers };
const bareLoader = { name: 'bare-loader', transform: leaveOutWrappers };

/** The other entries, as the index names them: those of bindings/ become those of build/lib. */
const asEntry = (source: string, importer: string | undefined) =>
  importer
    ? { id: source.replace(/^\.\/(\w+)(\/index)?\.ts$/, './$1.js').replace('/core.ts', '-core.js'), external: true }
    : null;

/** What only Node can do has a file of its own beside a classic script too. */
const asFile = (source: string) => (source === './revectorize.ts' ? { id: './revectorize.js', external: true } : null);

const output = {
  dir: 'build/lib',
  format: 'esm',
  sourcemap: true,
  postBanner: bannerOf,
  comments: { annotation: true, jsdoc: false, legal: true },
} as const satisfies RolldownOptions['output'];

const common: RolldownOptions = {
  // Packages that a user may have are asked for when they are needed, and never a part of this one.
  external: [/^node:/, ...Object.keys(peerDependencies).map((name) => new RegExp(`^${name}(/|$)`))],
  platform: 'browser',
  tsconfig: false,
  transform: { target: 'es2022' },
  // A warning is a fault of the bundle, such as an import that is not found.
  onLog: (_level, log) => {
    throw new Error(`rolldown: ${log.message}`);
  },
};

/** The file for workers, beside the modules. */
const emitWorker = {
  name: 'worker',
  generateBundle(this: { emitFile(file: object): void }): void {
    this.emitFile({ type: 'asset', fileName: 'worker.js', source: `${banner}\n${WORKER}` });
  },
};

/** Where a classic script is: what import.meta.url is to a module. A worker that imports it knows only its own URL. */
const scriptUrl = 'const scriptUrl = globalThis.document?.currentScript?.src ?? globalThis.location?.href;';

/** The same to a CommonJS module, which only Node loads. */
const moduleUrl = "const scriptUrl = require('node:url').pathToFileURL(__filename).href;";

/** What stands below tensors: memory, kernels, the engine, signatures. */
const belowTensors =
  /bindings\/(memory|kernels|engine|generated\/kernel-calls|kinds|parameters|signature|sizes|dtypes|lookup|ops\/shapes)\b|@assemblyscript/;

/** What the namespace `io` of the core has. */
const CORE_FILES =
  /bindings\/io\/(core|checkpoint|checksum|declare|files|json|plain|safetensors|safetensors-dtypes|storage)\.ts/;

/** Bundles of one file each. */
const SCRIPTS = {
  'retrograd.global': { input: 'bindings/index.ts', format: 'iife', name: 'retrograd', intro: scriptUrl },
  'retrograd-tfjs.global': { input: 'bindings/tfjs/index.ts', format: 'iife', name: 'retrogradTfjs', intro: scriptUrl },
  tfjs: { input: 'bindings/tfjs/index.ts', format: 'cjs', entryFileNames: '[name].cjs', intro: moduleUrl },
} as const;

export default defineConfig([
  {
    ...common,
    input: {
      core: 'bindings/core.ts',
      ...Object.fromEntries([...KITS, 'tfjs'].map((kit) => [kit, `bindings/${kit}/index.ts`])),
      ...Object.fromEntries(LARGER.map((kit) => [`${kit}-core`, `bindings/${kit}/core.ts`])),
    },
    // `sideEffects` of package.json speaks of the bundle; in its sources, `import './methods.ts'` has one.
    treeshake: { moduleSideEffects: () => true },
    plugins: [hiding, bareLoader, emitWorker],
    output: {
      ...output,
      chunkFileNames: '[name].js',
      // Modules of tensors and of layers add kinds of arguments as they load, and so stay in a bundle that has anything
      // of their chunk. The backend of TensorFlow.js has tensors of its own, and wants only what stands below ours.
      codeSplitting: {
        groups: [
          { name: 'base', test: belowTensors, minShareCount: 2, priority: 4 },
          {
            name: 'shared',
            test: /bindings\/(?!nn\/|optim\/|autograd\/|data\/|io\/|onnx\/|program\/|page\/|train\/|doctor\/|explain\/|distributed\/)/,
            minShareCount: 2,
            priority: 3,
          },
          // With what works on modules: in the chunk of tensors it would draw layers into each program.
          { name: 'modules', test: /bindings\/(nn|optim|autograd)\//, minShareCount: 2 },
          {
            name: 'loaders',
            test: /bindings\/data\/(bytes|core|half|idx|loader|shuffle|sources\/byte-source)\.ts/,
            minShareCount: 2,
            priority: 2,
          },
          // What passes over pipelines are made of, and what reads files, comes with the first that is read, apart from
          // what says what is to be read, and from where.
          {
            name: 'pipelines',
            test: /bindings\/data\/(pipeline|sources|prepare\/(?!statistics))/,
            minShareCount: 2,
            priority: 1,
          },
          { name: 'passes', test: /bindings\/data\/(passes|prepare\/statistics)/, minShareCount: 2 },
          { name: 'bytes', test: /bindings\/data\/readers\/(bytes|unpack|npy-header)\.ts/, minShareCount: 2 },
          // What the core has of files, apart from all that reads the formats of others: it names packages that a user may
          // lack, at which Parcel ends.
          { name: 'files', test: CORE_FILES, minShareCount: 2 },
          { name: 'formats', test: /bindings\/io\/(?!pytorch|pickle)/, minShareCount: 2 },
          // What traces is of compile(), which knows nothing of ONNX; and who draws a graph for TensorBoard writes no file.
          { name: 'tracing', test: /bindings\/program\/(trace|graph|key)/, minShareCount: 2 },
          { name: 'onnx-trace', test: /bindings\/onnx\/export\/trace/, minShareCount: 2 },
          { name: 'onnx-messages', test: /bindings\/onnx\//, minShareCount: 2 },
          // A group takes along what it imports, so these come in order: who writes a picture into an event file draws
          // no chart, and who writes a table neither.
          { name: 'png', test: /bindings\/page\/png/, minShareCount: 2, priority: 2 },
          { name: 'html', test: /bindings\/page\/html/, minShareCount: 2, priority: 1 },
          { name: 'charts', test: /bindings\/page\/charts/, minShareCount: 2 },
          // Each apart: who trains has no use for the doctor.
          { name: 'training', test: /bindings\/train\//, minShareCount: 2 },
          { name: 'doctoring', test: /bindings\/doctor\//, minShareCount: 2 },
          { name: 'explaining', test: /bindings\/explain\//, minShareCount: 2 },
        ],
      },
    },
  },
  {
    ...common,
    input: { index: 'bindings/index.ts' },
    plugins: [{ name: 'entries', resolveId: asEntry }],
    output,
  },
  ...Object.entries(SCRIPTS).map(([file, { input, ...own }]) => ({
    ...common,
    input: { [file]: input },
    treeshake: { moduleSideEffects: () => true },
    plugins: [{ name: 'only-node', resolveId: asFile }, bareLoader, ...(own.format === 'cjs' ? [hiding] : [])],
    transform: { ...common.transform, define: { 'import.meta.url': 'scriptUrl' } },
    output: { ...output, ...own, codeSplitting: false, minify: true, sourcemap: false, banner },
  })),
]);
