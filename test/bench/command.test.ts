// The benchmarks as a program: answers of all families and sides, versions beside one another, tables, the page.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attentionFamily } from '../../bench/families/attention.ts';
import { compileFamily } from '../../bench/families/compile.ts';
import { convFamily } from '../../bench/families/conv.ts';
import { eagerFamily } from '../../bench/families/eager.ts';
import { gemmFamily } from '../../bench/families/gemm.ts';
import { imagesFamily } from '../../bench/families/images.ts';
import { opsFamily } from '../../bench/families/ops.ts';
import { threadsFamily } from '../../bench/families/threads.ts';
import { trainFamily } from '../../bench/families/train.ts';
import type { Row } from '../../bench/harness/cases.ts';
import type { Report } from '../../bench/harness/report.ts';
import { comparisonsOf } from '../../bench/harness/versions.ts';
import { loadInstance } from '../../bench/sides/instance.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CHROMIUM = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

interface Ran {
  readonly status: number;
  readonly output: string;
  readonly errors: string;
}

/** Runs a program of the project. */
const node = (...args: string[]): Promise<Ran> =>
  new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: ROOT, timeout: 110_000 }, (error, output, errors) => {
      resolve({ status: error ? Number(error.code ?? 1) : 0, output, errors });
    });
  });
const bench = (...args: string[]): Promise<Ran> => node('build/bench/main.js', ...args);

/** What a quick run has. */
const FAMILIES = [
  gemmFamily(true, []),
  convFamily(true),
  opsFamily(true, null),
  imagesFamily(true),
  attentionFamily(true),
  trainFamily(true, []),
  eagerFamily(true, [], []),
  compileFamily(true, []),
  threadsFamily(true, []),
];
const casesOf = (family: string): string[] =>
  FAMILIES.find(({ name }) => name === family)?.cases.map(({ name }) => name) ?? [];

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'retrograd-bench-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('npm run bench', () => {
  /** A quick run that must find every answer right. */
  async function reportOf(...args: string[]): Promise<Report> {
    const file = join(folder, 'report.json');
    const { status, output, errors } = await bench('--quick', '--json', file, ...args);
    expect(errors).toBe('');
    expect(output).toMatch(/right answers /);
    expect(status).toBe(0);
    const report: Report = JSON.parse(await readFile(file, 'utf8'));
    expect(report.wrong).toEqual([]);
    expect(report.missing).toEqual([]);
    return report;
  }

  it('checks the answers of all families in a quick run, and compares each side to ours', async () => {
    const { limits, rows, skipped } = await reportOf();
    expect(limits.map(({ kind }) => kind)).toEqual(['flops', ...Array(5).fill('bytes'), 'exps']);
    expect(skipped.filter(({ side }) => side !== '')).toEqual([]);
    const ours = rows.filter(({ side }) => side === 'retrograd');
    for (const family of ['gemm', 'conv', 'ops', 'images', 'attention', 'train', 'eager'])
      expect(ours.filter((row) => row.family === family).map((row) => row.case)).toEqual(casesOf(family));
    const sidesOf = (name: string): string[] => rows.filter((row) => row.case === name).map(({ side }) => side);
    expect(sidesOf('NN 64')).toEqual(['retrograd', 'kernel']);
    expect(sidesOf('100 × relu 16×16')).toEqual(['retrograd', 'retrograd, 2 threads']);
    expect(sidesOf('relu gradient 16×250')).toEqual(['retrograd', 'overwrite', 'zero, then add']);
    expect(rows.filter((row) => row.family === 'train' && row.side === 'retrograd, eager')).toHaveLength(5);
    for (const row of rows) {
      const own = ours.find((other) => other.family === row.family && other.case === row.case) as Row;
      expect(row.ratio).toBeCloseTo(row.seconds.best / own.seconds.best, 9);
    }
  }, 120_000);

  it('runs beside another build of the library, by the public names of both', async () => {
    const families = ['gemm', 'conv', 'ops', 'images', 'attention', 'train', 'eager', 'compile', 'threads'];
    const report = await reportOf('--against', 'build', ...families);
    const { limits, rows, sides } = report;
    expect(limits).toEqual([]);
    expect(sides.map(({ name }) => name).filter((name) => !/^(retrograd|before)/.test(name))).toEqual([]);
    for (const family of families) {
      const compared = comparisonsOf({ rows: rows.filter((row) => row.family === family) });
      const ofOurs = compared.filter(({ side }) => side === 'retrograd');
      expect(ofOurs.map((item) => item.case)).toEqual(casesOf(family));
    }
    expect(
      comparisonsOf(report)
        .filter((item) => item.case === '100 × relu 16×16')
        .map(({ side }) => side),
    ).toEqual(['retrograd', 'retrograd, 2 threads']);
  }, 120_000);

  it('keeps instances of the library apart', async () => {
    const settings = { simd: 'strict', threads: 1 } as const;
    const [one, other] = [
      await loadInstance(join(ROOT, 'build'), settings),
      await loadInstance(join(ROOT, 'build'), settings),
    ];
    try {
      for (const library of [one, other]) library.manualSeed(5);
      const start = other.getRngState();
      one.rand([8]);
      one.noGrad(() => expect([one.isGradEnabled(), other.isGradEnabled()]).toEqual([false, true]));
      expect(other.getRngState()).toEqual(start);
      expect(one.getRngState()).not.toEqual(start);
      one.shutdown();
      expect(other.ones([2]).toArray()).toEqual([1, 1]);
    } finally {
      for (const library of [one, other]) library.shutdown();
    }
  });

  it('checks the answers of the peers', async () => {
    const peers = ['plain', 'tfjs-cpu', 'tfjs-wasm', 'onnx', 'jax-js'];
    const { rows } = await reportOf('--filter', '16', ...peers.flatMap((name) => ['--peer', name]), 'ops', 'gemm');
    const solvedBy = (name: string): string[] => rows.filter(({ side }) => side === name).map((row) => row.case);
    for (const name of peers)
      expect(solvedBy(name)).toEqual(expect.arrayContaining(['NN 16', 'NT 16', 'TN 16', 'softmax 16×250']));
    const trained = await reportOf('--filter', 'MLP', '--peer', 'tfjs-wasm', '--peer', 'jax-js', 'train');
    // What a peer cannot do is skipped, with its reason.
    expect(trained.skipped.filter(({ side }) => side !== '')).toEqual([]);
    expect(trained.rows.map(({ side }) => side)).toEqual(
      Array(2).fill(['retrograd', 'retrograd, eager', 'tfjs-wasm', 'jax-js']).flat(),
    );
  }, 120_000);

  it.each([
    ['compile', /^\| CNN 16-32 .* × /m],
    ['threads', /^\| CNN 16-32 .* × /m],
    ['shares', /^\| CNN 16-32 .* × .* % /m],
    ['onnx', /^\| direction, 48×192 .* × /m],
  ])('prints the table of %s', async (name, row) => {
    const { status, output, errors } = await bench(name, '--quick');
    expect(errors).toBe('');
    expect(output).toMatch(row);
    expect(status).toBe(0);
  });

  it('says what it expected', async () => {
    expect(await bench('sorting')).toMatchObject({
      status: 1,
      errors: expect.stringMatching(/expected FAMILY .*gemm.*got sorting/),
    });
    expect(await bench('--peer', 'numpy')).toMatchObject({
      status: 1,
      errors: expect.stringMatching(/expected --peer .*got numpy/),
    });
    expect(await bench('sorting', '--against', 'build')).toMatchObject({
      status: 1,
      errors: expect.stringMatching(/expected FAMILY with --against .*eager, compile, threads, got sorting/),
    });
    expect(await bench('gemm', '--against', 'bindings')).toMatchObject({
      status: 1,
      errors: expect.stringMatching(/expected a folder with lib\/index\.js and wasm\/, got bindings; pass /),
    });
    expect(await bench('--peers', '--against', 'build')).toMatchObject({
      status: 1,
      errors: expect.stringContaining('both'),
    });
    expect(await bench('--rounds', '0')).toMatchObject({ status: 1, errors: expect.stringContaining('--rounds') });
  });

  it.skipIf(!CHROMIUM.some((path) => path && existsSync(path)))(
    'runs in a page',
    async () => {
      const { status, output, errors } = await node(
        'build/bench/web/serve.js',
        'gemm',
        'train',
        '--headless',
        '--quick',
      );
      expect(errors).toBe('');
      expect(output).toMatch(/^train: 10 right answers to 5 problems$/m);
      expect(output).toContain('Chrome');
      expect(status).toBe(0);
    },
    120_000,
  );
});
