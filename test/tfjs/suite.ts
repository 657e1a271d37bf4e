// Runs tfjs-core's own suite, the 265 files of specs in its npm package, on a backend of this process.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CORE = '@tensorflow/tfjs-core';

/** One copy of tfjs-core with its specs, and what makes a backend: the cpu's kernels where `fallback` is set. */
const program = (backend: string, fallback: boolean): string => `
import { registerBackend, removeBackend, setBackend } from '${CORE}';
import '${CORE}/dist/public/chained_ops/register_all_chained_ops';
import '${CORE}/dist/register_all_gradients';
import { setTestEnvs } from '${CORE}/dist/jasmine_util';
${fallback ? `import '@tensorflow/tfjs-backend-cpu';` : ''}
// Before the specs load.
setTestEnvs([{ name: 'test-${backend}', backendName: '${backend}', isDataSync: true }]);
// Some make tensors where they describe.
export const load = () => setBackend('${backend}').then((ok) => {
  if (!ok) throw new Error('the backend ${backend} did not start');
  require('${CORE}/dist/tests');
});
`;

/** A file that anybody who runs it may have made, of this text and these packages. */
function fileOf(text: string): string {
  const hash = createHash('sha256').update(text).update(String(bundle));
  for (const name of [CORE, '@tensorflow/tfjs-backend-cpu', 'rolldown'])
    hash.update(readFileSync(join(ROOT, 'node_modules', name, 'package.json')));
  return join(ROOT, 'build/tfjs-suite', `${hash.digest('hex').slice(0, 16)}.cjs`);
}

/** Bundles the suite, unless that has been done. @returns the file */
async function bundle(backend: string, fallback: boolean): Promise<string> {
  const text = program(backend, fallback);
  const done = fileOf(text);
  if (existsSync(done)) return done;
  const entry = join(ROOT, 'test/tfjs/suite-entry.js');
  const made = await rolldown({
    input: entry,
    external: [/^node:/, /^jasmine-core/, 'worker_threads', 'fs', 'path', 'util', 'crypto', 'node-fetch'],
    platform: 'node',
    tsconfig: false,
    // "main" of tfjs-core is a bundle of its own.
    resolve: { mainFields: ['module', 'main'] },
    // Its "sideEffects" do not list the specs.
    treeshake: { moduleSideEffects: () => true },
    plugins: [
      {
        name: 'entry',
        resolveId: (id) => (id === entry ? id : null),
        load: (id) => (id === entry ? text : null),
      },
    ],
    onLog: () => {},
  });
  mkdirSync(dirname(done), { recursive: true });
  const file = `${done}.${process.pid}`;
  await made.write({ file, format: 'cjs', keepNames: true, codeSplitting: false });
  await made.close();
  renameSync(file, done);
  return done;
}

/** A spec that failed, and why. */
export interface Failure {
  readonly name: string;
  readonly message: string;
}
export interface Outcome {
  /** Specs that ran on the backend, and that passed. */
  readonly ran: number;
  readonly passed: number;
  readonly failures: readonly Failure[];
  /** What failed outside of specs. */
  readonly suites: readonly string[];
  readonly seconds: number;
}

interface Result {
  readonly fullName: string;
  readonly status: string;
  readonly failedExpectations: readonly { readonly message: string }[];
}
/** The part of jasmine that is used here. */
interface Jasmine {
  DEFAULT_TIMEOUT_INTERVAL: number;
  getEnv(): {
    configure(options: object): void;
    addReporter(reporter: object): void;
    execute(): Promise<unknown>;
  };
}

export interface SuiteOptions {
  readonly backend: string;
  readonly fallback?: boolean;
  /** Runs only specs of such a name. */
  readonly only?: RegExp;
  /** Is told of each spec before it runs and after it. */
  readonly watch?: { begin(name: string): void; end(name: string, passed: boolean): void };
}

/** Runs the suite once in this process; jasmine's describe, it and expect become global. */
export async function runSuite({ backend, fallback = true, only, watch }: SuiteOptions): Promise<Outcome> {
  const require = createRequire(import.meta.url);
  const core = require('jasmine-core') as { boot(): Jasmine };
  const jasmine = core.boot();
  Object.assign(globalThis, { jasmine });
  const env = jasmine.getEnv();
  jasmine.DEFAULT_TIMEOUT_INTERVAL = 60_000;
  const suites: string[] = [];
  const failures: Failure[] = [];
  let [ran, passed] = [0, 0];
  env.configure({
    random: false,
    specFilter: (spec: { getFullName(): string }) => only?.test(spec.getFullName()) ?? true,
  });
  env.addReporter({
    specStarted: ({ fullName }: Result) => watch?.begin(fullName),
    specDone({ fullName, status, failedExpectations }: Result) {
      watch?.end(fullName, status === 'passed');
      if (status === 'failed')
        failures.push({
          name: fullName,
          message: failedExpectations.map(({ message }) => message.slice(0, 200)).join('; '),
        });
      if (!fullName.includes(`test-${backend} `) || !/passed|failed/.test(status)) return;
      ran++;
      if (status === 'passed') passed++;
    },
    suiteDone: ({ failedExpectations = [] }: Result) =>
      suites.push(...failedExpectations.map(({ message }) => message.slice(0, 200))),
  });
  const start = performance.now();
  const { warn } = console;
  console.warn = () => {};
  try {
    const { load } = require(await bundle(backend, fallback)) as { load(): Promise<void> };
    await load();
    await env.execute();
  } finally {
    console.warn = warn;
  }
  return { ran, passed, failures, suites, seconds: (performance.now() - start) / 1000 };
}
