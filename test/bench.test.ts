// The benchmarks: that they see a wrong answer, time sides in turn, and run from the command line and in a page.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
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

/** A module of the benchmarks as it was built. */
// biome-ignore lint/suspicious/noExplicitAny: nothing imports bench/, not even its types
const load = (name: string): Promise<any> => import(pathToFileURL(join(ROOT, 'build/bench', `${name}.js`)).href);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'retrograd-bench-'));
  expect(await node('build.mjs', '--bench')).toMatchObject({ status: 0 });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('npm run bench', () => {
  /** A quick run that must find every answer right; gives its rows. */
  async function rowsOf(...args: string[]): Promise<Row[]> {
    const file = join(folder, 'report.json');
    const { status, output, errors } = await bench('--quick', '--json', file, ...args);
    expect(errors).toBe('');
    expect(output).toMatch(/right answers to \d+ problems$/m);
    expect(status).toBe(0);
    const report = JSON.parse(await readFile(file, 'utf8'));
    expect(report.wrong).toEqual([]);
    expect(report.missing).toEqual([]);
    expect(report.limits.map(({ kind }: { kind: string }) => kind)).toEqual([
      'flops',
      ...Array(5).fill('bytes'),
      'exps',
    ]);
    return report.rows;
  }

  it('checks the answers of all families in a quick run', async () => {
    const rows = await rowsOf();
    for (const family of ['gemm', 'conv', 'ops', 'train'])
      expect(rows.filter((row) => row.family === family && row.side === 'retrograd').length).toBeGreaterThan(2);
    expect(rows.some(({ side }) => side === 'kernel')).toBe(true);
    for (const { seconds, rate, ratio } of rows) {
      expect(seconds.best).toBeGreaterThan(0);
      expect(rate).toBeGreaterThan(0);
      expect(ratio).toBeGreaterThan(0);
    }
  }, 120_000);

  it('checks the answers of the peers', async () => {
    const peers = ['plain', 'tfjs-cpu', 'tfjs-wasm', 'onnx', 'jax-js'];
    const rows = await rowsOf('--filter', '16', ...peers.flatMap((name) => ['--peer', name]), 'ops', 'gemm');
    for (const name of peers) expect(rows.filter(({ side }) => side === name).length).toBeGreaterThan(10);
    const trained = await rowsOf('--filter', 'MLP', '--peer', 'tfjs-wasm', '--peer', 'jax-js', 'train');
    expect(trained.map(({ side }) => side)).toEqual(
      Array(2).fill(['retrograd', 'retrograd, eager', 'tfjs-wasm', 'jax-js']).flat(),
    );
  }, 120_000);

  it.each(['compile', 'threads'])('prints the table of %s', async (name) => {
    const { status, output, errors } = await bench(name, '--quick');
    expect(errors).toBe('');
    expect(output).toMatch(/^\| CNN 16-32 .* × /m);
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
      expect(output).toMatch(/^train: 6 right answers to 3 problems$/m);
      expect(output).toContain('Chrome');
      expect(status).toBe(0);
    },
    120_000,
  );
});

interface Row {
  readonly family: string;
  readonly case: string;
  readonly side: string;
  readonly seconds: { readonly best: number; readonly median: number };
  readonly samples: number;
  readonly rate: number;
  readonly ratio: number | null;
}

const TIMING = { rounds: 3, minTime: 1e-5, patience: 1, budget: 1 };
const CASE = {
  name: 'one plus one',
  work: { flops: 1, unit: 'GFLOP/s' },
  make: () => ({
    problem: {},
    check: (answer: Float32Array) => (answer[0] === 2 ? null : `got ${answer[0]}, expected 2`),
  }),
};

/** A side that answers `value` and notes in `log` when it runs. */
function side(name: string, value: number, log: string[] = []) {
  const run = (): void => {
    if (log.at(-1) !== name) log.push(name);
  };
  return { name, version: '', prepare: () => ({ answer: () => Float32Array.of(value), run }) };
}

describe('the harness', () => {
  const settings = (...sides: unknown[]) => ({ sides, limits: [], timing: TIMING });

  it('leaves out of the timing what is wrong, and says so', async () => {
    const { runCase } = await load('harness');
    const { rows, wrong, skipped } = await runCase('family', CASE, settings(side('ours', 2), side('peer', 3)));
    expect(rows.map((row: Row) => row.side)).toEqual(['ours']);
    expect(wrong).toEqual([{ family: 'family', case: 'one plus one', side: 'peer', reason: 'got 3, expected 2' }]);
    expect(skipped).toEqual([]);
  });

  it('skips a peer that cannot, and fails where we cannot', async () => {
    const { runCase } = await load('harness');
    const broken = (name: string) => ({
      name,
      version: '',
      prepare: () => {
        throw new Error('no such kernel');
      },
    });
    const without = { name: 'without', version: '', prepare: () => null };
    const peers = await runCase('family', CASE, settings(side('ours', 2), broken('peer'), without));
    expect(peers.rows).toHaveLength(1);
    expect(peers.wrong).toEqual([]);
    expect(
      peers.skipped.map(({ side: name, reason }: { side: string; reason: string }) => `${name}: ${reason}`),
    ).toEqual(['peer: no such kernel', 'without: has no such operation']);
    const own = await runCase('family', CASE, settings(broken('ours'), side('peer', 2)));
    expect(own.wrong).toMatchObject([{ side: 'ours', reason: 'no such kernel' }]);
    expect(own.rows).toMatchObject([{ side: 'peer', ratio: null }]);
  });

  it('times the sides in turn, whatever kind they are', async () => {
    const { runCase } = await load('harness');
    const log: string[] = [];
    const later = {
      name: 'later',
      version: '',
      prepare: () => ({
        answer: async () => Float32Array.of(2),
        runAsync: async () => {
          if (log.at(-1) !== 'later') log.push('later');
        },
      }),
    };
    const elsewhere = {
      name: 'elsewhere',
      version: '',
      prepare: () => ({
        answer: () => Float32Array.of(2),
        time: async (count: number) => {
          if (log.at(-1) !== 'elsewhere') log.push('elsewhere');
          return count * 1e-6;
        },
      }),
    };
    const { rows } = await runCase('family', CASE, settings(side('ours', 2, log), later, elsewhere));
    expect(log).toEqual(Array(4).fill(['ours', 'later', 'elsewhere']).flat());
    expect(rows.map((row: Row) => row.samples)).toEqual([3, 3, 3]);
    expect(rows[2].seconds.median).toBeCloseTo(1e-6, 12);
    expect(rows[2].rate).toBeCloseTo(1e-3, 9);
    expect(rows[2].ratio).toBeCloseTo(1e-6 / rows[0].seconds.best, 6);
  });

  it('takes a slow side once', async () => {
    const { measure } = await load('measure');
    const timed: string[] = [];
    const run = (name: string) => ({
      answer: () => new Float32Array(),
      time: async (count: number) => timed.push(name) && count,
    });
    const samples = await measure([run('fast'), run('slow')], [0.3, 60], { ...TIMING, rounds: 10 });
    expect(timed).toEqual(['fast', 'fast', 'fast']);
    expect(samples).toEqual([[1, 1, 1], [60]]);
  });

  it('holds a row against the limit that binds it', async () => {
    const { binding, leastSeconds } = await load('limits');
    const limit = (kind: string, rate: number, footprint?: number) => ({
      kind,
      rate,
      name: `${kind} ${footprint ?? ''}`,
      footprint,
    });
    const limits = [limit('flops', 1e9), limit('bytes', 1e8, 1000), limit('bytes', 1e7, 9000), limit('exps', 1e6)];
    expect(binding({ flops: 1000, bytes: 99 }, limits).kind).toBe('flops');
    expect(binding({ flops: 1000, bytes: 500 }, limits).footprint).toBe(1000);
    expect(binding({ bytes: 1001 }, limits).footprint).toBe(9000);
    expect(binding({ bytes: 1e6 }, limits).footprint).toBe(9000);
    expect(binding({ bytes: 8, exps: 100 }, limits).kind).toBe('exps');
    expect(binding({}, limits)).toBeNull();
    expect(leastSeconds({ bytes: 500 }, limits[1])).toBe(5e-6);
  });
});

describe('the checks', () => {
  it('see one wrong element of a large product, wherever it is', async () => {
    const { checkProduct } = await load('check');
    const n = 160;
    const at = (i: number, j: number): number => Math.sin(i * n + j);
    const check = checkProduct({ rows: n, cols: n, at }, { rows: n, cols: n, at });
    const c = new Float32Array(n * n);
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++) for (let p = 0, sum = 0; p < n; p++) c[i * n + j] = sum += at(i, p) * at(p, j);
    expect(check(c)).toBeNull();
    for (const place of [0, 7777, n * n - 1])
      for (const value of [(c[place] as number) + 0.01, Number.NaN]) {
        const wrong = c.slice();
        wrong[place] = value;
        expect(check(wrong)).toMatch(/expected/);
      }
    expect(check(c.subarray(1))).toMatch(/numbers where 25600 were expected/);
  });

  it('compute the error function', async () => {
    const { erf } = await load('reference');
    const known = {
      0: 0,
      0.5: 0.5204998778130465,
      1: 0.8427007929497149,
      2.9: 0.9999589021219005,
      3.5: 0.999999256901628,
    };
    for (const [x, y] of Object.entries(known)) {
      expect(erf(Number(x))).toBeCloseTo(y, 12);
      expect(erf(-Number(x))).toBeCloseTo(-y, 12);
    }
  });

  it('make loops that compute what they say', async () => {
    const { copyInstruction, maddLoop, ops, streamLoop } = await load('wasm');
    const memory = new WebAssembly.Memory({ initial: 1 });
    const view = new Float32Array(memory.buffer);
    const values = Float32Array.from({ length: 32 }, (_, i) => i - 7);
    view.set(values, 0);
    streamLoop(memory, 1, ([x]: number[][]) => x)(1024, 0, 128);
    expect(view.slice(256, 256 + 33)).toEqual(Float32Array.from([...values, 0]));
    copyInstruction(memory)(2048, 0, 128);
    expect(view.slice(512, 512 + 32)).toEqual(values);
    streamLoop(memory, 1, ([x]: number[][], old: number[]) => [...(x as number[]), ...old, ...ops.add])(2048, 0, 128);
    expect(view.slice(512, 512 + 32)).toEqual(values.map((x) => 2 * x));
    // Two chains of c = c/2 + 1/2 from 3 and 5, three times: 1 + 2/8 and 1 + 4/8, added up.
    view.set([...Array(4).fill(0.5), ...Array(4).fill(3), ...Array(4).fill(5)], 1024);
    maddLoop(memory, 2, false)(3, 4096);
    expect(view.slice(1024, 1028)).toEqual(new Float32Array(4).fill(2.75));
  });
});

describe('the report', () => {
  const row = (name: string, best: number) => ({
    family: 'gemm',
    case: 'A <b>',
    side: name,
    seconds: { best, median: best * 1.1, low: best, high: best * 1.2 },
    samples: 9,
    rate: 1e-3 / best,
    unit: 'GFLOP/s',
    ratio: best / 1e-4,
    apart: best > 1e-4 ? -1 : 0,
    share: 1e-4 / 2 / best,
    limit: 'multiply-add ×12',
  });
  const report = {
    date: '2026-01-02',
    machine: 'a machine',
    engine: 'an engine',
    build: 'strict',
    quick: false,
    rounds: 9,
    sides: [
      { name: 'retrograd', version: '1' },
      { name: 'peer', version: '2' },
    ],
    missing: [{ name: 'gone', reason: 'is not here' }],
    limits: [{ name: 'multiply-add ×12', kind: 'flops', rate: 2e10 }],
    rows: [row('retrograd', 1e-4), row('peer', 3e-4)],
    wrong: [],
    skipped: [{ family: 'gemm', case: 'B', side: 'peer', reason: 'cannot' }],
  };

  it('is a table', async () => {
    const { formatReport, formatMarkdown } = await load('report');
    const text = formatReport(report);
    expect(text).toMatch(/A <b> +retrograd +100 µs +110 µs +±9.1 % +10.0 GFLOP\/s +50 % +×1.00/);
    expect(text).toMatch(/peer +300 µs +330 µs +±9.1 % +3.3 GFLOP\/s +17 % +×3.00/);
    expect(text).toContain('gone: is not here');
    expect(text).toContain('peer: cannot (B)');
    expect(text).not.toContain('WRONG');
    expect(formatReport({ ...report, wrong: report.skipped })).toContain('WRONG\n  gemm B, peer: cannot');
    expect(formatMarkdown(report)).toContain('| A <b> | 100 µs | 110 µs | ±9.1 % | 10.0 GFLOP/s | 50 % | ×3.00 |');
  });

  it('is a page that loads nothing', async () => {
    const { formatHtml } = await load('html');
    const html: string = formatHtml(report);
    expect(html).toContain('A &#60;b&#62;');
    expect(html.match(/<rect /g)).toHaveLength(2);
    expect(html).not.toMatch(/<script|<link|<img|https?:|url\(|@import/);
  });
});
