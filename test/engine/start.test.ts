// What init() does where something is missing, wrong or slow: it says so, and goes on with what there is.
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os, { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import v8 from 'node:v8';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type BuildName, loadBuild } from '../../bindings/engine/builds.ts';
import { teamPays } from '../../bindings/engine/contest.ts';
import { initSignature } from '../../bindings/engine/options.ts';
import { engineName, now } from '../../bindings/engine/platform.ts';
import { tryApart } from '../../bindings/engine/revectorize.ts';
import { timeTiles } from '../../bindings/engine/tile.ts';
import {
  ArgumentError,
  BackendError,
  backend,
  type InitOptions,
  init,
  type Located,
  OutOfMemoryError,
  shutdown,
  type Tensor,
  tensor,
} from '../../bindings/index.ts';
import { cpuSecondsOf } from '../support/seconds.ts';

const BUILDS: readonly BuildName[] = ['strict', 'relaxed', 'strict-threads', 'relaxed-threads'];
const fileOf = (build: BuildName): string =>
  fileURLToPath(new URL(`../../build/wasm/retrograd.${build}.wasm`, import.meta.url));
const bytesOf = (build: BuildName): Uint8Array<ArrayBuffer> => new Uint8Array(readFileSync(fileOf(build)));
const compile = (build: BuildName): WebAssembly.Module => {
  if (Number.parseInt(process.versions.node, 10) < 22) v8.setFlagsFromString('--experimental-wasm-relaxed-simd');
  return new WebAssembly.Module(bytesOf(build));
};
const works = (): void =>
  expect(
    tensor([[1, 2]])
      .matmul(tensor([[3], [4]]))
      .item(),
  ).toBe(11);

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  shutdown();
});

describe('options', () => {
  const wrong: readonly unknown[] = [null, Number.NaN, -1, 1.5, 'wrong', [], () => 0, true, Symbol.iterator, 1n];
  // What a kind takes of these, by its words.
  const takes: Readonly<Record<string, readonly unknown[]>> = {
    int: [-1],
    bool: [true],
    string: ['wrong'],
    function: [wrong[6]],
  };

  it.each(initSignature.parameters.map(({ name, kind }) => [name, kind]))('%s takes %s alone', async (name, kind) => {
    const fine = (kind as string).split('|').flatMap((word) => takes[word] ?? []);
    for (const value of wrong) {
      if (fine.includes(value)) continue;
      const started = init({ [name as string]: value } as InitOptions); // it does not throw
      await expect(started).rejects.toThrow(ArgumentError);
      await expect(started).rejects.toThrow(/^init: expected /);
    }
  });

  it.each([
    [{ numThreads: 1 }, /got 'numThreads'; did you mean threads\?/],
    [{ thread: 1 }, /got 'thread'; did you mean threads\?/],
    [{ SIMD: 'strict' }, /did you mean simd\?/],
    [{ wasm: 'x' }, /expected simd, threads, .* or worker, got 'wasm'/],
    [{ threads: 65 }, /a whole number from 1 to 64, got 65/],
    [{ maxBytes: 2 ** 33 }, /maxBytes from/],
    [{ threads: 8, maxBytes: 2 ** 23 }, /for 8 threads/],
  ])('%o is refused', async (options, message) => {
    const started = init(options as InitOptions);
    await expect(started).rejects.toThrow(ArgumentError);
    await expect(started).rejects.toThrow(message);
  });

  it('stand alone', async () => {
    await expect((init as (...args: unknown[]) => Promise<void>)({}, 1)).rejects.toThrow(ArgumentError);
    await expect((init as (...args: unknown[]) => Promise<void>)('strict')).rejects.toThrow(ArgumentError);
    expect(() => (shutdown as (x: number) => void)(1)).toThrow(ArgumentError);
    await init();
    expect(() => (backend as (x: number) => unknown)(1)).toThrow(ArgumentError);
  });
});

describe('init and shutdown', () => {
  it.each([
    ['an error', new Error('no memory today')],
    ['what is no error', 'no memory today'],
  ])('says what the engine says: %s', async (_, cause) => {
    vi.spyOn(WebAssembly, 'Instance').mockImplementation(function fail() {
      throw cause;
    } as never);
    const started = init({ threads: 1 });
    await expect(started).rejects.toThrow(BackendError);
    await expect(started).rejects.toThrow(/^init: expected an engine that starts, got no memory today; try simd/);
  });

  it('in any order', async () => {
    shutdown();
    const first = init({ threads: 1 });
    const same = init({ threads: 1 });
    await expect(init({ threads: 2 })).rejects.toThrow(BackendError);
    await Promise.all([first, same]);
    const overtaken = expect(
      Promise.resolve().then(() => {
        shutdown();
        const started = init({ threads: 1 });
        shutdown();
        return started;
      }),
    ).rejects.toThrow(/got a shutdown\(\) before it had/);
    await overtaken;
    expect(() => backend()).toThrow(BackendError);
    const late = init({ threads: 2 });
    shutdown();
    const next = init({ threads: 1 });
    await expect(late).rejects.toThrow(BackendError);
    await next;
    expect(backend().threads).toBe(1);
    works();
  });
});

describe('a module that is given', () => {
  it.each(BUILDS)('%s runs as what it is', async (build) => {
    await init({ module: compile(build), threads: build.endsWith('threads') ? 2 : 'auto' });
    expect(backend().build).toBe(build.replace('-threads', ''));
    expect(backend().threads).toBe(build.endsWith('threads') ? 2 : 1);
    expect(backend().reasons).toContain(`${build} build: the module that was given`);
    works();
  });

  it('with threads may run on one', async () => {
    await init({ module: compile('strict-threads'), threads: 1 });
    expect(backend().threads).toBe(1);
    works();
  });

  const other = (): WebAssembly.Module => new WebAssembly.Module(Uint8Array.from([0, 97, 115, 109, 1, 0, 0, 0]));
  const aged = (): WebAssembly.Module => {
    const bytes = bytesOf('strict');
    const at = Buffer.from(bytes).lastIndexOf('strict ');
    bytes[at + 7] = '9'.charCodeAt(0);
    return new WebAssembly.Module(bytes);
  };
  it.each<[string, () => InitOptions, RegExp]>([
    ['of something else', () => ({ module: other() }), /a module of something else/],
    ['of another version', () => ({ module: aged() }), /wasm files of the package's own version/],
    ['that is bytes', () => ({ module: bytesOf('strict') }), /got object; .*init\(\{ locate \}\)/],
    ['without threads, for two', () => ({ module: compile('strict'), threads: 2 }), /a module with threads/],
    ['of the other build', () => ({ module: compile('strict'), simd: 'relaxed' }), /of the relaxed build, got strict/],
  ])('%s is refused', async (_, options, message) => {
    const started = init(options());
    await expect(started).rejects.toThrow(BackendError);
    await expect(started).rejects.toThrow(message);
    await init({ threads: 1 }); // and it may be tried again
  });
});

describe('locate', () => {
  const from = (build: BuildName): Readonly<Record<string, () => Located | Promise<Located>>> => ({
    'a URL': () => pathToFileURL(fileOf(build)),
    'the text of a URL': () => pathToFileURL(fileOf(build)).href,
    bytes: () => bytesOf(build),
    'a part of a buffer': () => new Uint8Array([0, ...bytesOf(build)]).subarray(1),
    'a Buffer': () => readFileSync(fileOf(build)),
    'an ArrayBuffer': () => bytesOf(build).buffer,
    'a view of another kind': () => new DataView(bytesOf(build).buffer),
    'a Response': () => new Response(bytesOf(build)),
    'a module': () => compile(build),
    'a promise of a Response': async () => new Response(bytesOf(build)),
    'a promise of a module': () => WebAssembly.compile(bytesOf(build)),
  });
  it.each(Object.keys(from('strict')))('gives %s', async (what) => {
    const asked: string[] = [];
    const locate = (file: string): Located | Promise<Located> => {
      asked.push(file);
      return (from('strict')[what] as () => Located)();
    };
    await init({ locate, threads: 1, simd: 'strict' });
    expect(asked).toEqual(['retrograd.strict.wasm']);
    works();
  });

  it.each<[string, () => unknown, RegExp]>([
    [
      'nothing there',
      () => 'file:///nowhere/x.wasm',
      /at file:\/\/\/nowhere\/x\.wasm, got .*ENOENT.* init\(\{ locate \}\)/,
    ],
    ['no URL', () => 'http://[', /got Invalid URL/],
    ['null', () => null, /got null, which is no URL/],
    ['a number', () => 5, /got 5, which is no URL/],
    ['another object', () => ({ wasm: 1 }), /got an object, which is no URL, Response, bytes or module/],
    ['a page that says 404', () => new Response('', { status: 404 }), /HTTP status 404/],
    ['a page of text', () => new Response('<!doctype html>'), /got .*magic/],
    ['a promise that fails', () => Promise.reject(new Error('offline')), /got offline/],
    ['another build', () => compile('relaxed'), /to give that file, got retrograd\.relaxed\.wasm/],
  ])('that gives %s is refused', async (_, locate, message) => {
    const started = init({ locate: locate as never, threads: 1, simd: 'strict' });
    await expect(started).rejects.toThrow(BackendError);
    await expect(started).rejects.toThrow(message);
  });

  it.each([
    [
      "WebAssembly.compile(): Refused to compile or instantiate WebAssembly module because neither 'wasm-eval' nor 'unsafe-eval' is an allowed source of script in the following Content Security Policy directive: \"default-src 'self'\"",
      /allow 'wasm-unsafe-eval'/,
    ],
    ['call to WebAssembly.compile() blocked by CSP', /allow 'wasm-unsafe-eval'/],
    [
      "Refused to create a WebAssembly object because 'unsafe-eval' or 'wasm-unsafe-eval' is not an allowed source of script",
      /allow 'wasm-unsafe-eval'/,
    ],
    ['WebAssembly.compile(): Wasm code generation disallowed by embedder', /pass init\(\{ module \}\)/],
    ['expected magic word 00 61 73 6d', /serve build\/wasm beside build\/lib/],
  ])('and the engine says %s', async (said, cure) => {
    vi.spyOn(WebAssembly, 'compile').mockRejectedValue(new WebAssembly.CompileError(said));
    await expect(loadBuild('strict')).rejects.toThrow(cure);
  });
});

describe('memory', () => {
  const { Memory } = WebAssembly;
  /** An engine that grants so many bytes, shared and not. */
  function grant(shared: number, own: number): void {
    vi.stubGlobal('WebAssembly', {
      ...Object.fromEntries(Object.getOwnPropertyNames(WebAssembly).map((key) => [key, Reflect.get(WebAssembly, key)])),
      Memory: class {
        constructor(descriptor: WebAssembly.MemoryDescriptor) {
          const most = descriptor.shared ? shared : own;
          if ((descriptor.maximum as number) * 65536 > most)
            throw new RangeError('WebAssembly.Memory(): could not allocate memory');
          // biome-ignore lint/correctness/noConstructorReturn: it stands in for the engine's own
          return new Memory(descriptor);
        }
      },
    });
  }

  it('that is refused is asked for in halves', async () => {
    grant(2 ** 29, 2 ** 32);
    await init({ threads: 2 });
    expect(backend().threads).toBe(2);
    expect(backend().memory.limit).toBe(2 ** 29);
    expect(backend().reasons).toContain('512 MiB of memory: the engine refuses 4 GiB');
    works();
  });

  it('that cannot be shared is for one thread', async () => {
    grant(0, 2 ** 31);
    await init({ threads: 2, maxBytes: 3 * 2 ** 30 });
    expect(backend().threads).toBe(1);
    expect(backend().memory.limit).toBe(1.5 * 2 ** 30);
    expect(backend().reasons).toContain('one thread: the engine has no shared memory to give');
    works();
  });

  it('is little for a trial of tiles', async () => {
    grant(2 ** 26, 2 ** 23);
    for (const build of ['strict', 'strict-threads'] as const)
      expect((await timeTiles(compile(build), build)).reason).toBe('the fastest in a short timing');
    grant(0, 0);
    expect((await timeTiles(compile('strict'), 'strict')).reason).toMatch(/^the usual one: no trial \(/);
  });

  it('that has no room for more threads is for one', async () => {
    await init({ threads: 'auto', maxBytes: 2 ** 21 });
    expect(backend().threads).toBe(1);
    shutdown();
    // Filled before the first call that is worth threads.
    vi.spyOn(os, 'availableParallelism').mockReturnValue(4);
    await init({ maxBytes: 2 ** 26 });
    const all: Tensor[] = [];
    expect(() => {
      for (;;) all.push(tensor(new Float32Array(2 ** 17)));
    }).toThrow(OutOfMemoryError);
    expect(backend().threads).toBe(1);
    expect(backend().reasons.at(-1)).toMatch(/^one thread after all: no worker started \(out of memory/);
    for (const x of all) x.dispose();
    works();
  });

  it('that there is none of is a BackendError', async () => {
    grant(0, 0);
    await expect(init()).rejects.toThrow(BackendError);
    await expect(init()).rejects.toThrow(/room for a WebAssembly memory, got .*could not allocate/);
    await expect(init({ module: compile('strict-threads') })).rejects.toThrow(/shared memory for the module/);
    vi.unstubAllGlobals();
    await init();
    works();
  });
});

describe('a clock', () => {
  const { performance } = globalThis;
  const real = (): number => performance.now();
  const stub = (now: () => number): void => void vi.stubGlobal('performance', { now });
  it.each([
    ['that stands still', () => 5],
    ['that ticks ten times a second', () => Math.floor(real() / 100) * 100],
    ['that ticks sixty times a second', () => Math.floor(real() / 16.7) * 16.7],
  ])('%s neither hangs nor slows the timings', async (_, clock) => {
    stub(clock);
    const seconds = await cpuSecondsOf(async () => {
      const { reason } = await timeTiles(compile('strict'), 'strict');
      expect(reason).toMatch(/a coarse clock|in a short timing/);
      const nothing = (): void => {};
      expect(teamPays(nothing, nothing, now)).toBe(true);
    });
    expect(seconds).toBeLessThan(0.6); // the timing alone took 1.5 s once
    await init();
    works();
  });

  it('of a millisecond is enough', async () => {
    stub(() => Math.floor(real()));
    expect((await timeTiles(compile('strict'), 'strict')).reason).toBe('the fastest in a short timing');
    // Of a time of its own, which no other process takes part of; a look at the clock takes some as well.
    let time = 0;
    stub(() => {
      time += 1e-3;
      return Math.floor(time);
    });
    const spin = (milliseconds: number) => (): void => {
      time += milliseconds;
    };
    expect(teamPays(spin(0.05), spin(0.2), now)).toBe(true);
    expect(teamPays(spin(0.2), spin(0.05), now)).toBe(false);
    // Of code that gets faster once it has been found hot, whichever of the two that hits first.
    for (let compiled = 0.5; compiled < 60; compiled += 0.5) {
      const started = time;
      const hot = (milliseconds: number) => (): void => {
        time += time - started < compiled ? 10 * milliseconds : milliseconds;
      };
      expect(teamPays(hot(0.15), hot(0.1), now), `compiled after ${compiled} ms`).toBe(false);
    }
  });
});

describe('a process that tries 256-bit vectors', () => {
  const { execPath } = process;
  const script = join(tmpdir(), `retrograd-dies-${process.pid}.sh`);
  afterEach(() => {
    process.execPath = execPath;
    rmSync(script, { force: true });
  });

  it.skipIf(process.platform === 'win32').each([
    ['kill -ABRT $$', /ended with SIGABRT/],
    ['kill -TRAP $$', /ended with SIGTRAP/],
    ['exit 7', /ended with status 7/],
    ['cat > /dev/null; echo "Error: unrecognized flag --x" >&2', /lacks the switch/],
  ])('and does %s ends alone', async (line, message) => {
    writeFileSync(script, `#!/bin/sh\n${line}\n`);
    chmodSync(script, 0o755);
    process.execPath = script;
    expect(await tryApart(bytesOf('relaxed'))).toMatch(message);
  });

  it('and cannot be started is done without', async () => {
    process.execPath = '/nowhere/node';
    expect(await tryApart(bytesOf('relaxed'))).toMatch(/no process could be started to try it \(.*ENOENT/);
  });
});

describe('an engine', () => {
  it.each([
    [
      'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/60.5 Safari/605.1.15',
      'JavaScriptCore (WebKit 605.1)',
    ],
    [
      'Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Mobile/15E148 Safari/604.1',
      'JavaScriptCore (Safari 17.6)',
    ],
    [
      'Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/131.0.6778.73 Mobile/15E148 Safari/604.1',
      'JavaScriptCore (Chrome on iOS 131)',
    ],
  ])('is named for %s', (userAgent, name) => {
    vi.stubGlobal('navigator', { userAgent });
    expect(engineName({})).toBe(name);
  });
});
