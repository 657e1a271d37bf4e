// Builds everything into build/. A step runs only where its inputs or outputs differ from what its last run left.
//   node build.mjs [--force] [--debug] [--bench]
// --force runs every step; --debug adds the wasm build that keeps assertions and source maps, in build/debug; --bench
// adds the benchmarks.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';

const root = dirname(fileURLToPath(import.meta.url));
process.chdir(root);

const { values: options } = parseArgs({
  options: { force: { type: 'boolean' }, debug: { type: 'boolean' }, bench: { type: 'boolean' } },
});

/** Every file under `folder`, or `folder` itself where it is a file; sorted, with / between names. */
function filesOf(folder) {
  if (!existsSync(folder)) return [];
  if (!statSync(folder).isDirectory()) return [folder];
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).split(sep).join('/'))
    .filter((file) => !file.includes('/node_modules/'))
    .sort();
}

/** Runs a tool of node_modules in a process of its own, so that several run at once. */
function run(script, ...args) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--enable-source-maps', join('node_modules', script), ...args], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`${script} ${args.join(' ')}: ${signal ?? `exit status ${code}`}`));
    });
  });
}

/** One of the targets of asconfig.json. */
function wasm(target) {
  const { outFile } = JSON.parse(readFileSync('asconfig.json', 'utf8')).targets[target];
  return {
    name: `wasm ${target}`,
    inputs: ['assembly', 'asconfig.json', 'bindings/runtime/kernels.ts'],
    into: dirname(outFile),
    owns: (file) => file.startsWith(`retrograd.${target}.`),
    run: (out) => {
      // The map refers to itself by the name the file will have.
      const text = target === 'debug' ? ['--textFile', `${out}/retrograd.debug.wat`] : [];
      const to = ['--outFile', `${out}/retrograd.${target}.wasm`, ...text];
      return run('assemblyscript/bin/asc.js', '--config', 'asconfig.json', '--target', target, ...to);
    },
  };
}

/** The programs of `folder`, file by file; they import the package by its name. */
function programs(folder, config) {
  return {
    name: folder,
    inputs: [folder, 'tsconfig.json', config],
    into: `build/${folder}`,
    owns: () => true,
    run: (out) => run('typescript/bin/tsc', '-p', config, '--outDir', out),
  };
}

const steps = [
  {
    name: 'lib',
    inputs: ['bindings', 'package.json'],
    into: 'build/lib',
    owns: (file) => /\.js(\.map)?$/.test(file),
    run: bundle,
  },
  {
    name: 'types',
    inputs: ['bindings', 'tsconfig.json', 'tsconfig.declarations.json'],
    into: 'build/lib',
    owns: (file) => file.endsWith('.d.ts'),
    run: declare,
  },
  programs('examples', 'tsconfig.examples.json'),
  ...(options.bench ? [programs('bench', 'bench/tsconfig.build.json')] : []),
  ...['strict', 'relaxed', 'strict-threads', 'relaxed-threads'].map(wasm),
  ...(options.debug ? [wasm('debug')] : []),
];

/**
 * bindings/ as one plain ES module, with the loader in it: a page needs no import map, and the package no dependencies.
 * Node's own modules stay dynamic imports that only Node reaches.
 */
async function bundle(out) {
  const { rolldown } = await import('rolldown');
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
  const loader = JSON.parse(readFileSync('node_modules/@assemblyscript/loader/package.json', 'utf8'));
  const banner = `/*!
 * retrograd ${version}, Apache-2.0.
 * Contains ${loader.name} ${loader.version}, Copyright ${loader.author.replace(/ <.*>/, '')} and the AssemblyScript authors, ${loader.license}.
 */`;
  const made = await rolldown({
    input: { index: 'bindings/index.ts' },
    external: /^node:/,
    platform: 'browser',
    tsconfig: false,
    // `sideEffects` of package.json speaks of the bundle; in its sources, `import './methods.ts'` has one.
    treeshake: { moduleSideEffects: true },
    transform: { target: 'es2022' },
    plugins: [
      { name: 'hide-node-modules', transform: { filter: { code: /\bimport\(['"]node:/ }, handler: hideNodeModules } },
    ],
    // A warning is a fault of the bundle, such as an import that is not found.
    onLog: (_level, log) => {
      throw new Error(`rolldown: ${log.message}`);
    },
  });
  await made.write({
    dir: out,
    format: 'esm',
    sourcemap: true,
    banner,
    comments: { annotation: true, jsdoc: false, legal: true },
  });
  await made.close();
}

/**
 * Node's modules by names that no bundler sees: those for browsers would look for the modules, and some would fail. Lines
 * stay where they are, so that the source map does without a map of this.
 */
const hideNodeModules = (code) => ({
  code: `${code.replace(/(?<!typeof )\bimport\((['"])node:([\w/]+)\1\)/g, 'import(/* webpackIgnore: true */ /* @vite-ignore */ nodeModule("$2"))')}
function nodeModule(name) { return "node:" + name; }`,
  map: null,
});

/** The .d.ts of every file of bindings/. */
async function declare(out) {
  await run('typescript/bin/tsc', '-p', 'tsconfig.declarations.json', '--outDir', out);
  for (const file of filesOf(out)) {
    const text = readFileSync(file, 'utf8')
      // Names of files that exist in the package.
      .replace(/(\bfrom |\bimport\(|\bmodule |\bimport )(['"])(\.\.?\/[^'"]+)\.ts\2/g, '$1$2$3.js$2');
    // Consumers whose `lib` is older find Symbol.dispose through this line.
    const needsDispose = /\bSymbol\.(asyncD|d)ispose\b|\b(Async)?Disposable\b/.test(text);
    writeFileSync(file, needsDispose ? `/// <reference lib="esnext.disposable" />\n${text}` : text);
  }
}

/**
 * The switch from the number of a kernel to the kernel, which a program needs: a kernel's number is its place in the table
 * of signatures, probes after all others.
 */
async function writeDispatch() {
  const { rolldown } = await import('rolldown');
  const bundle = await rolldown({ input: 'bindings/runtime/kernels.ts', tsconfig: false });
  const { output } = await bundle.generate({ format: 'esm' });
  await bundle.close();
  const source = Buffer.from(output[0].code).toString('base64');
  const { signatures, probeSignatures } = await import(`data:text/javascript;base64,${source}`);
  let number = 0;
  const cases = (table, answers) =>
    Object.entries(table).map(([name, kinds]) => {
      let at = 0;
      const args = kinds.map((kind) => {
        if (kind === 'workspace') return 'workspace';
        const type = kind === 'f32' || kind === 'i32' ? kind : 'usize';
        return `load<${type}>(p, ${4 * at++})`;
      });
      const call = `k.${name}(${args.join(', ')})`;
      return `    case ${number++}:\n      ${answers ? `return ${call};` : `${call};\n      return -1;`}\n`;
    });
  const text = `// Written by build.mjs out of bindings/runtime/kernels.ts.
import * as k from "../kernels";
import { workspace } from "./team";

/** Calls a kernel with the arguments at p. A probe gives its answer, a kernel -1. */
export function dispatch(kernel: i32, p: usize): i32 {
  switch (kernel) {
${[...cases(signatures, false), ...cases(probeSignatures, true)].join('')}    default:
      return -1;
  }
}

/** The number of a loop, which is no kernel. */
export const LOOP: i32 = ${number};
`;
  const file = 'assembly/program/dispatch.ts';
  if (!existsSync(file) || readFileSync(file, 'utf8') !== text) writeFileSync(file, text);
}

/** What a step's result depends on: its inputs, this file and the versions of the tools. */
function hashInputs(step) {
  const hash = createHash('sha256');
  for (const file of [...step.inputs.flatMap(filesOf), 'build.mjs', 'package-lock.json'])
    hash.update(`${file}\0${statSync(file).size}\0`).update(readFileSync(file));
  return hash.digest('hex');
}

const owned = (step) => filesOf(step.into).filter((file) => step.owns(relative(step.into, file).split(sep).join('/')));

/** Names, sizes and times of a step's outputs, so that a file changed by other hands is made again. */
const describe = (step) =>
  owned(step).map((file) => {
    const { size, mtimeMs } = statSync(file);
    return `${file} ${size} ${mtimeMs}`;
  });

const stampOf = (step) => join('build', '.stamps', `${step.name.replace(' ', '-')}.json`);

function isCurrent(step, inputs) {
  try {
    const stamp = JSON.parse(readFileSync(stampOf(step), 'utf8'));
    return stamp.inputs === inputs && stamp.outputs.length > 0 && stamp.outputs.join() === describe(step).join();
  } catch {
    return false;
  }
}

/** Runs a step into a folder of its own and moves the files into place, so that a failed or second build leaves no half files. */
async function perform(step, inputs) {
  const started = performance.now();
  mkdirSync(join('build', '.stamps'), { recursive: true });
  const out = mkdtempSync(join('build', '.step-'));
  try {
    await step.run(out.split(sep).join('/'));
    const made = filesOf(out).map((file) => relative(out, file));
    if (made.length === 0) throw new Error(`${step.name}: expected files, got none`);
    const old = new Set(owned(step));
    for (const file of made) {
      const target = join(step.into, file);
      mkdirSync(dirname(target), { recursive: true });
      renameSync(join(out, file), target);
      old.delete(target.split(sep).join('/'));
    }
    for (const file of old) rmSync(file, { force: true });
    writeFileSync(stampOf(step), JSON.stringify({ inputs, outputs: describe(step) }));
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
  console.log(`build: ${step.name} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
}

/** Sizes of what is published. */
function report() {
  const kilobytes = (n) => `${(n / 1000).toFixed(1)} kB`.padStart(10);
  console.log(`${''.padEnd(44)}${'size'.padStart(10)}${'gzipped'.padStart(12)}`);
  for (const file of [...filesOf('build/lib'), ...filesOf('build/wasm')].filter((file) => /\.(js|wasm)$/.test(file))) {
    const bytes = readFileSync(file);
    console.log(`${file.padEnd(44)}${kilobytes(bytes.length)}  ${kilobytes(gzipSync(bytes, { level: 9 }).length)}`);
  }
}

await writeDispatch();
const waiting = steps
  .map((step) => ({ step, inputs: hashInputs(step) }))
  .filter(({ step, inputs }) => options.force || !isCurrent(step, inputs));
const todo = waiting.length;
const failures = [];
// The long steps, those of asc, come last in the list and start first.
await Promise.all(
  Array.from({ length: Math.min(todo, availableParallelism()) }, async () => {
    for (let next = waiting.pop(); next; next = waiting.pop())
      await perform(next.step, next.inputs).catch((error) => failures.push(error));
  }),
);
if (failures.length > 0) {
  for (const error of failures) console.error(`build: ${error.message}`);
  process.exitCode = 1;
} else if (todo > 0) report();
