// Browsers under test: each opens pages and says what goes wrong in them, as far as its driver tells.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import puppeteer from 'puppeteer-core';

export interface Tab {
  /** Errors of scripts, requests and the console. */
  readonly problems: readonly string[];
  close(): Promise<void>;
}
export interface Browser {
  /** How often a page is opened that says nothing. */
  readonly tries: number;
  /** Opens a page. `origins` are those that it may ask anything of. */
  open(url: string, origins: readonly string[]): Promise<Tab>;
  close(): Promise<void>;
}

const CHROMIUM =
  '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync';

/** Chromium, or Firefox by WebDriver BiDi. */
async function puppet(browser: 'chrome' | 'firefox', executablePath: string): Promise<Browser> {
  const profile = await mkdtemp(join(tmpdir(), 'retrograd-browser-'));
  const running = await puppeteer.launch({
    browser,
    executablePath,
    userDataDir: profile,
    args: browser === 'chrome' ? CHROMIUM.split(' ') : [],
  });
  return {
    // Driven by WebDriver, Firefox may wait for ever in a worker's own `new Worker`: one in thirty did, where the
    // program has nothing of this library either; without the driver none did.
    tries: browser === 'firefox' ? 5 : 1,
    async open(url, origins) {
      const page = await running.newPage();
      const problems: string[] = [];
      page.on('pageerror', (error) => problems.push(`page error: ${(error as Error).message}`));
      page.on('console', (message) => {
        if (['error', 'warn'].includes(message.type())) problems.push(`console: ${message.text()}`);
      });
      // Chromium may say so of the answer's own, which is a POST that the page leaves behind.
      page.on('requestfailed', (request) => {
        if (request.method() !== 'POST') problems.push(`request: ${request.url()}`);
      });
      page.on('request', (request) => {
        const target = request.url().replace(/^blob:/, '');
        if (!origins.some((origin) => target.startsWith(origin))) problems.push(`foreign request: ${target}`);
      });
      await page.goto(url);
      return { problems, close: () => page.close() };
    },
    async close() {
      await running.close();
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}

/** WebKitGTK's own small browser by W3C WebDriver, on a screen in memory. It says nothing of problems. */
async function webkit(driver: string, screen: string): Promise<Browser> {
  const started: ChildProcess[] = [];
  const start = (command: string, args: string[], env: NodeJS.ProcessEnv = process.env): ChildProcess => {
    const child = spawn(command, args, { env, stdio: ['ignore', 'ignore', 'ignore', 'pipe'], detached: true });
    started.push(child);
    return child;
  };
  const stop = (): void => {
    // With the browser, which the driver has started.
    for (const { pid } of started.reverse()) if (pid !== undefined) process.kill(-pid);
  };
  const display = start(screen, ['-displayfd', '3', '-screen', '0', '1024x768x24', '-nolisten', 'tcp']);
  const [number] = await once(createInterface(display.stdio[3] as Readable), 'line');
  const port = await freePort();
  // Safari shares memory with isolated pages; WebKitGTK does where it is told to.
  const env = { ...process.env, DISPLAY: `:${number}`, JSC_useSharedArrayBuffer: '1', NO_AT_BRIDGE: '1' };
  start(driver, [`--port=${port}`], env);

  async function ask<T>(method: string, path: string, body?: object): Promise<T> {
    const init = body ? { method, body: JSON.stringify(body) } : { method };
    const response = await fetch(`http://127.0.0.1:${port}${path}`, init);
    const { value } = (await response.json()) as { value: T & { message?: string } };
    if (!response.ok) throw new Error(`WebKitWebDriver: ${value.message}`);
    return value;
  }
  /** The driver listens a moment after its start. */
  async function session(tries: number): Promise<string> {
    try {
      return (await ask<{ sessionId: string }>('POST', '/session', { capabilities: {} })).sessionId;
    } catch (error) {
      if (tries === 0 || !(error instanceof TypeError)) throw error;
      await sleep(100);
      return session(tries - 1);
    }
  }
  const id = await session(100).catch((error) => {
    stop();
    throw error;
  });
  return {
    tries: 1,
    async open(url) {
      const { handle } = await ask<{ handle: string }>('POST', `/session/${id}/window/new`, { type: 'tab' });
      await ask('POST', `/session/${id}/window`, { handle });
      await ask('POST', `/session/${id}/url`, { url });
      return {
        problems: [],
        close: async () => {
          await ask('DELETE', `/session/${id}/window`);
          const [first] = await ask<string[]>('GET', `/session/${id}/window/handles`);
          await ask('POST', `/session/${id}/window`, { handle: first });
        },
      };
    },
    async close() {
      await ask('DELETE', `/session/${id}`).catch(() => {});
      stop();
    },
  };
}

export type BrowserId = 'chromium' | 'firefox' | 'webkit';

/** Starts a browser by the command of tools/engines.ts. */
export function launch(id: BrowserId, command: readonly string[]): Promise<Browser> {
  const [program, screen] = command as [string, string];
  return id === 'webkit' ? webkit(program, screen) : puppet(id === 'chromium' ? 'chrome' : 'firefox', program);
}
