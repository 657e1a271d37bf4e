// init()'s choices, and what backend() says of them.
import { readFileSync } from 'node:fs';
import v8 from 'node:v8';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { engineName } from '../../bindings/engine/platform.ts';
import { digestKernels, findDifference } from '../../bindings/engine/revectorize.ts';
import { pickTile, TILES, timeTiles } from '../../bindings/engine/tile.ts';
import { ArgumentError, BackendError, backend, init, rand, shutdown, tensor } from '../../bindings/index.ts';
import { table } from '../../bindings/kernels/table.ts';
import { cpuSecondsOf } from '../support/seconds.ts';

const [nodeMajor, nodeMinor] = process.versions.node.split('.');
const [v8Major, v8Minor] = process.versions.v8.split('.');
const widens = Number(v8Major) >= 13 && process.arch === 'x64';

const compile = (build: 'strict' | 'relaxed'): WebAssembly.Module => {
  if (Number(nodeMajor) < 22) v8.setFlagsFromString('--experimental-wasm-relaxed-simd');
  return new WebAssembly.Module(readFileSync(new URL(`../../build/wasm/retrograd.${build}.wasm`, import.meta.url)));
};

afterEach(() => {
  shutdown();
  vi.unstubAllGlobals();
});

describe('backend', () => {
  it('says what runs, with a reason for each choice', async () => {
    await init();
    const { engine, threads, tile, revectorized, reasons } = backend();
    expect(engine).toBe(`V8 ${v8Major}.${v8Minor} (Node ${nodeMajor}.${nodeMinor})`);
    expect(threads).toBeGreaterThanOrEqual(1);
    expect(TILES).toContain(tile);
    expect(revectorized).toBe(false);
    // Where the processors have much to do, a team may not be worth it.
    const choices = reasons.filter((reason) => !/ after all: /.test(reason));
    for (const about of [/SIMD/, /thread/, /128-bit/, /^tile \d+x\d+: /])
      expect(choices.filter((reason) => about.test(reason))).toHaveLength(1);
    expect(choices).toHaveLength(4);
  });

  it.each([
    [
      'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36',
      'V8 (Chrome 131)',
    ],
    [
      'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0',
      'V8 (Edge 131)',
    ],
    [
      'Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:133.0) Gecko/20100101 Firefox/133.0',
      'SpiderMonkey (Firefox 133)',
    ],
    [
      'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Safari/605.1.15',
      'JavaScriptCore (Safari 17.6)',
    ],
    ['Servo', 'Servo'],
  ])('names the engine of %s', (userAgent, name) => {
    vi.stubGlobal('navigator', { userAgent });
    expect(engineName({})).toBe(name);
  });

  it('names Bun and Deno', () => {
    expect(engineName({ node: '22.6.0', bun: '1.1.38', v8: '12.4' })).toBe('JavaScriptCore (Bun 1.1)');
    expect(engineName({ node: '20.11.1', deno: '2.1.2', v8: '13.0.245.12' })).toBe('V8 13.0 (Deno 2.1)');
  });
});

describe('tile', () => {
  it.each(TILES)('%s is taken when asked for, and gives the bits of the others', async (tile) => {
    await init({ simd: 'strict', tile });
    expect(backend().tile).toBe(tile);
    expect(backend().reasons).toContain(`tile ${tile}: asked for`);
    const a = tensor(Array.from({ length: 37 * 29 }, (_, i) => Math.sin(i))).reshape([37, 29]);
    const product = a.matmul(a.t()).data;
    shutdown();
    await init({ simd: 'strict', tile: '4x8' });
    const b = tensor(Array.from({ length: 37 * 29 }, (_, i) => Math.sin(i))).reshape([37, 29]);
    expect(product).toEqual(b.matmul(b.t()).data);
  });

  it('is known for V8 on x64, and is what a timing finds', async () => {
    for (const build of ['strict', 'relaxed'] as const) {
      const { tile, reason } = await pickTile(compile(build), build, 'plain');
      expect(reason).toBe(process.arch === 'x64' ? 'what 16 vector registers hold' : 'the fastest in a short timing');
      // A busy machine may mislead one timing.
      const timed: string[] = [];
      for (let i = 0; i < 5; i++) timed.push((await timeTiles(compile(build), build)).tile);
      expect(timed).toContain(tile);
    }
  });

  it('is timed once for a build in a mode, in some milliseconds', async () => {
    const module = compile('strict');
    let first: ReturnType<typeof pickTile> | undefined;
    const seconds = await cpuSecondsOf(() => (first = pickTile(module, 'strict', 'wide')));
    expect(await first).toEqual({ tile: expect.stringMatching(/^\d+x\d+$/), reason: 'the fastest in a short timing' });
    expect(seconds).toBeLessThan(1); // far more than it takes
    expect(pickTile(module, 'strict', 'wide')).toBe(first);
  });

  it('and revectorize are checked, and part of what is running', async () => {
    await expect(init({ tile: '8x8' as never })).rejects.toThrow(ArgumentError);
    await expect(init({ revectorize: 1 as never })).rejects.toThrow(ArgumentError);
    await init({ tile: '4x8' });
    await init({ tile: '4x8' });
    await expect(init({ tile: '6x8' })).rejects.toThrow(BackendError);
    await expect(init({ tile: '4x8', revectorize: true })).rejects.toThrow(BackendError);
  });
});

describe('revectorize', () => {
  it('runs where the engine has it and every kernel agrees, and else says why not', async () => {
    await init({ revectorize: true });
    expect(backend().revectorized).toBe(widens);
    expect(backend().reasons.filter((reason) => /^pairs of vectors|revectorize/.test(reason))).toEqual([
      widens ? expect.stringMatching(/^pairs of vectors joined/) : expect.stringMatching(/asked to revectorize, but /),
    ]);
    expect(rand([4]).data).toHaveLength(4);
  });

  it('finds a kernel that differs: the relaxed build rounds other than the strict one', async () => {
    const [strict, relaxed] = [compile('strict'), compile('relaxed')];
    expect(await findDifference(strict, strict, 'strict')).toBe('');
    expect(Object.keys(table)).toContain(await findDifference(strict, relaxed, 'strict'));
  });

  it('tries every kernel: none traps, and each leaves a result', async () => {
    const digests = await digestKernels(compile('strict'), 'strict');
    expect([...digests.keys()]).toEqual(Object.keys(table));
    expect([...digests].filter(([, hash]) => hash === null)).toEqual([]);
    // Kernels that write nothing, or the same whatever they read, are alike.
    const byHash = new Map<number | null, string[]>();
    for (const [name, hash] of digests) byHash.set(hash, [...(byHash.get(hash) ?? []), name]);
    const alike = [...byHash.values()].filter((names) => names.length > 1);
    expect(alike).toEqual([
      ['leaky_relu_backward_f32', 'step_backward_f32'], // they part where x is NaN
      ['hardtanh_forward_f32', 'clamp_forward_f32'],
      ['hardtanh_backward_f32', 'clamp_backward_f32'], // they part where x is at a bound
      ['eq_f32', 'eq_i32'],
      ['ne_f32', 'ne_i32'],
      // Bits of floats above 0 are in the order of the floats.
      ['max_f32', 'max_i32'],
      ['argmax_f32', 'argmax_i32'],
      ['max_pool_backward_f32', 'max_unpool_f32'], // both put numbers where indices say
    ]);
  });
});
