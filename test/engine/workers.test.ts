// The workers of a start: when they are made, and what happens where they do not come.
import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { missingForThreads } from '../../bindings/engine/thread-count.ts';

afterEach(() => vi.unstubAllGlobals());

/** Runs `program` against the built library; `workers` are those it has started, and `start` may be changed. */
function runAlone(program: string): { stdout: string; stderr: string } {
  const lib = new URL('../../build/lib/index.js', import.meta.url).href;
  const source = `
    import { createRequire, syncBuiltinESMExports } from 'node:module';
    const require = createRequire('file:///');
    const workerThreads = require('node:worker_threads');
    const os = require('node:os');
    const workers = [];
    let textOf = (text, number) => text;
    workerThreads.Worker = class extends workerThreads.Worker {
      constructor(text, options) { super(textOf(text, workers.length + 1), options); workers.push(this); }
    };
    const processors = (count) => { os.availableParallelism = () => count; syncBuiltinESMExports(); };
    syncBuiltinESMExports();
    const rg = await import(${JSON.stringify(lib)});
    const product = (n) => rg.scope(() => { const x = rg.ones([n, n]); return x.matmul(x).sum().item(); });
    ${program}`;
  return spawnSync(process.execPath, ['--input-type=module', '-e', source], { encoding: 'utf8', timeout: 60_000 });
}

describe('workers', () => {
  const HANG = 'setInterval(() => {}, 1000)';
  it.each([
    [
      'one of two',
      3,
      `number === 2 ? '${HANG}' : text`,
      2,
      '2 threads after all: only 1 of 2 workers started within 2 s',
    ],
    ['both', 3, `'${HANG}'`, 1, 'one thread after all: only 0 of 2 workers started within 2 s'],
    ['a broken one', 2, `'throw new Error("broken")'`, 1, 'one thread after all: no worker started (broken)'],
  ])('that do not start, %s, are done without', (_, count, text, threads, reason) => {
    const { stdout, stderr } = runAlone(`
      textOf = (text, number) => ${text};
      const started = performance.now();
      await rg.init({ threads: ${count} });
      const seconds = (performance.now() - started) / 1000;
      const { threads, reasons } = rg.backend();
      console.log(JSON.stringify({ seconds, threads, reason: reasons.at(-1), sum: product(512) }));
    `);
    expect(stderr).toBe('');
    const { seconds, ...rest } = JSON.parse(stdout);
    expect(rest).toEqual({ threads, reason, sum: 512 ** 3 });
    expect(seconds).toBeLessThan(20);
  });

  it('that nobody counted start with the first call that is worth it', () => {
    const { stdout, stderr } = runAlone(`
      processors(2);
      await rg.init();
      const counts = [workers.length];
      product(8);
      counts.push(workers.length);
      product(512);
      counts.push(workers.length);
      const until = Date.now() + 30_000;
      // All in one turn of the loop of events.
      const busy = () => process.cpuUsage().user + process.cpuUsage().system;
      while (!rg.backend().reasons.some((reason) => / after all/.test(reason)) && rg.backend().threads < 2 && Date.now() < until);
      console.log(JSON.stringify({ counts, sum: product(512), late: Date.now() >= until }));
    `);
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual({ counts: [0, 0, 1], sum: 512 ** 3, late: false });
  });

  it('are fewer than the processors that an engine makes up', () => {
    const claimed = 4 * availableParallelism();
    const { stdout, stderr } = runAlone(`
      processors(${claimed});
      await rg.init();
      const { threads, reasons } = rg.backend();
      console.log(JSON.stringify({ threads, reasons, sum: product(512) }));
    `);
    expect(stderr).toBe('');
    const { threads, reasons, sum } = JSON.parse(stdout);
    expect(threads).toBeLessThan(Math.min(16, claimed));
    expect(reasons.at(-1)).toMatch(
      /^(one thread|\d+ threads) after all: (\d+ were not faster than one in a short check|only \d+ of)/,
    );
    expect(sum).toBe(512 ** 3);
  });

  it('cannot be everywhere', () => {
    vi.stubGlobal('Worker', class {});
    vi.stubGlobal('crossOriginIsolated', false);
    expect(missingForThreads(false)).toBe('the page is not cross-origin isolated');
    vi.stubGlobal('crossOriginIsolated', true);
    expect(missingForThreads(false)).toBe(null);
    vi.stubGlobal('SharedArrayBuffer', undefined);
    expect(missingForThreads(false)).toBe('the engine has no SharedArrayBuffer');
    vi.unstubAllGlobals();
    vi.stubGlobal('Worker', undefined);
    expect(missingForThreads(false)).toBe('there are no workers');
    expect(missingForThreads(true)).toBe(null);
  });
});

describe('a start in Node', () => {
  it('loads no fetch and no workers', () => {
    const { stdout, stderr } = runAlone(`
      await rg.init();
      product(8);
      console.log(JSON.stringify({ modules: process.moduleLoadList.filter((name) => /undici/.test(name)), workers: workers.length }));
    `);
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual({ modules: [], workers: 0 });
  });
});
