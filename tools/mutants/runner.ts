// A copy of the project in which mutants are tried, so that the project itself stays as it is; and vitest in it.
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

/** What builds and generators have written, without which no test runs. */
const BUILT = ['build/lib', 'build/wasm', 'assembly/generated', 'bindings/generated'];

/** `globalThis.mutant(i)` says whether mutant `i` is on, and notes that the file of tests came by. */
const SETUP = `import { appendFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';
import { afterAll, expect } from 'vitest';
const { MUTANT, HITS, PROCESSORS } = process.env;
if (PROCESSORS) {
  os.availableParallelism = () => Number(PROCESSORS);
  syncBuiltinESMExports();
}
const active = Number(MUTANT ?? -1);
const hits = new Set();
globalThis.mutant = (i) => {
  hits.add(i);
  return i === active;
};
if (HITS) afterAll(() => appendFileSync(HITS, JSON.stringify({ file: expect.getState().testPath, hits: [...hits] }) + '\\n'));
`;
const CONFIG = `import { fileURLToPath } from 'node:url';
export default {
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['./mutant-setup.js'],
    alias: [{ find: /^retrograd$/, replacement: fileURLToPath(new URL('./bindings/index.ts', import.meta.url)) }],
    pool: 'forks',
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
};
`;

const reportOf = (job: number): string => `report-${job}.json`;

interface Assertion {
  readonly status: string;
  readonly fullName: string;
}
export interface FileResult {
  readonly file: string;
  readonly seconds: number;
  readonly failed: boolean;
  /** The first test that failed, if one did. */
  readonly failure: string;
}

export type Outcome = 'passed' | 'failed' | 'timed out';

export class Copy {
  readonly folder = mkdtempSync(join(tmpdir(), 'retrograd-mutants-'));
  /** End what runs in the copy now. */
  readonly #ends = new Set<() => void>();

  constructor() {
    const files = execFileSync('git', ['ls-files', '-z'], { encoding: 'utf8', maxBuffer: 2 ** 26 }).split('\0');
    for (const file of files.filter((name) => name && existsSync(name))) this.write(file, readFileSync(file));
    for (const folder of BUILT) cpSync(folder, join(this.folder, folder), { recursive: true });
    symlinkSync(resolve('node_modules'), join(this.folder, 'node_modules'));
    this.write('mutant-setup.js', SETUP);
    this.write('mutants.config.ts', CONFIG);
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => {
        for (const end of this.#ends) end();
        this.remove();
        process.exit(1);
      });
  }

  write(file: string, text: string | Uint8Array): void {
    mkdirSync(dirname(join(this.folder, file)), { recursive: true });
    writeFileSync(join(this.folder, file), text);
  }

  read(file: string): Buffer {
    return readFileSync(join(this.folder, file));
  }

  /** The files of tests of two projects of vitest.config.ts that run sources, not what is built. */
  testFiles(): string[] {
    const vitest = resolve('node_modules/vitest/vitest.mjs');
    const args = [vitest, 'list', '--filesOnly', '--json', '--project', 'unit', '--project', 'kernels'];
    const listed: { file: string }[] = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }));
    // These hold the sources as texts, which mutants change on purpose.
    const texts = /test\/(layers|style|types\/\w+)\.test\.ts$/;
    return listed.map(({ file }) => file.slice(process.cwd().length + 1)).filter((file) => !texts.test(file));
  }

  /** Runs a command in the copy; after `limit` seconds it is ended, with all that it started. */
  run(command: readonly string[], env: Readonly<Record<string, string>>, limit: number): Promise<Outcome> {
    const [program, ...args] = command as [string, ...string[]];
    const options = { cwd: this.folder, env: { ...process.env, ...env }, detached: true } as const;
    const child = spawn(program, args, { ...options, stdio: 'ignore' });
    const end = () => {
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
    };
    this.#ends.add(end);
    return new Promise((done) => {
      const timer = setTimeout(() => {
        end();
        done('timed out');
      }, limit * 1000);
      child.once('exit', (code) => {
        clearTimeout(timer);
        this.#ends.delete(end);
        done(code === 0 ? 'passed' : 'failed');
      });
    });
  }

  /**
   * Runs files of tests: to the end of `all`, or up to the first that fails. results() tells then what each did.
   * @param job those with different ones may run at once
   */
  test(
    files: readonly string[],
    env: Readonly<Record<string, string>>,
    limit: number,
    { all = false, job = 0 } = {},
  ): Promise<Outcome> {
    const report = reportOf(job);
    rmSync(join(this.folder, report), { force: true });
    const vitest = resolve('node_modules/vitest/vitest.mjs');
    const options = ['--config', 'mutants.config.ts', '--reporter=json', `--outputFile=${report}`];
    return this.run([process.execPath, vitest, 'run', ...options, ...(all ? [] : ['--bail=1']), ...files], env, limit);
  }

  /** What the last tests of a job did, by file. */
  results(job = 0): FileResult[] {
    const { testResults } = JSON.parse(this.read(reportOf(job)).toString()) as {
      testResults: {
        name: string;
        startTime: number;
        endTime: number;
        status: string;
        assertionResults: Assertion[];
      }[];
    };
    return testResults.map(({ name, startTime, endTime, status, assertionResults }) => ({
      file: name.slice(this.folder.length + 1),
      seconds: (endTime - startTime) / 1000,
      failed: status === 'failed',
      failure: assertionResults.find((test) => test.status === 'failed')?.fullName ?? 'the file itself',
    }));
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
