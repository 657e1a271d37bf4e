// npm run bench:web [-- gemm|conv|ops|train …] [--headless] [--peers] [--peer NAME] [--quick] [--rounds N] [--port N]
// [--json FILE]
// Serves the benchmarks as a page on 127.0.0.1; with --headless it opens the page in Chromium itself, prints the table
// and ends.
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { formatReport, type Report } from '../harness/report.ts';
import { FAMILIES } from '../harness/run.ts';

// This runs in build/bench/web/.
const root = fileURLToPath(new URL('../../../', import.meta.url));
const require = createRequire(import.meta.url);
const CHROMIUM = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    headless: { type: 'boolean', default: false },
    peers: { type: 'boolean', default: false },
    peer: { type: 'string', multiple: true, default: [] },
    quick: { type: 'boolean', default: false },
    filter: { type: 'string' },
    rounds: { type: 'string' },
    port: { type: 'string', default: '0' },
    json: { type: 'string' },
  },
});
for (const name of positionals)
  if (!(FAMILIES as readonly string[]).includes(name))
    throw new Error(`bench: expected a family to be one of ${FAMILIES.join(', ')}, got ${name}`);

if (options.rounds !== undefined && !/^[1-9]\d*$/.test(options.rounds))
  throw new Error(`bench: expected --rounds to be a whole number from 1, got ${options.rounds}`);

/** Benchmark.js hides its require() from bundlers; in a page it gets what it asks for by name. */
const benchmarkImports = {
  name: 'benchmark-imports',
  transform: {
    filter: { id: /\/benchmark\/benchmark\.js$/ },
    handler: (code: string) =>
      code.replace(
        "typeof require == 'function' && require",
        "function (id) { return id == 'lodash' ? require('lodash') : id == 'platform' ? require('platform') : null; }",
      ),
  },
};

/**
 * The page and all it imports, but for the library, which is the published file. The package's own wasm stays where it
 * is: page.ts looks for ../wasm/ beside its folder.
 */
async function bundle(to: string): Promise<void> {
  const { build } = await import('rolldown');
  await build({
    input: join(root, 'bench/web/page.ts'),
    platform: 'browser',
    tsconfig: false,
    external: ['retrograd', /^node:/],
    resolve: { mainFields: ['browser', 'module', 'main'] },
    plugins: [benchmarkImports],
    logLevel: 'silent',
    output: { dir: to, format: 'esm', paths: { retrograd: '/build/lib/index.js' } },
  });
}

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.wasm': 'application/wasm',
};
/** Isolated, for the finest clock that a browser gives to pages. */
const HEADERS = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cache-Control': 'no-store',
};

const folderOf = (name: string): string => dirname(require.resolve(name));

async function serve(page: string, finished: (result: unknown) => void): Promise<Server> {
  const folders: Record<string, string> = {
    '/build/page/': page,
    '/build/lib/': join(root, 'build/lib'),
    '/build/wasm/': join(root, 'build/wasm'),
    '/peers/tfjs-wasm/': join(folderOf('@tensorflow/tfjs-backend-wasm/package.json'), 'wasm-out'),
    '/peers/onnx/': folderOf('onnxruntime-web'),
  };
  const find = async (path: string): Promise<Uint8Array | undefined> => {
    if (path === '/') return readFile(join(root, 'bench/web/index.html'));
    const base = Object.keys(folders).find((prefix) => path.startsWith(prefix));
    if (base === undefined || normalize(path) !== path) return undefined;
    return readFile(join(folders[base] as string, path.slice(base.length))).catch(() => undefined);
  };
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    if (request.method === 'POST' && pathname === '/result') {
      let body = '';
      for await (const chunk of request) body += chunk;
      response.writeHead(204, HEADERS).end();
      finished(JSON.parse(body));
      return;
    }
    const found = await find(pathname);
    const type = TYPES[pathname === '/' ? '.html' : extname(pathname)] ?? 'application/octet-stream';
    response.writeHead(found ? 200 : 404, { ...HEADERS, 'Content-Type': type }).end(found);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(Number(options.port), '127.0.0.1', resolve);
  });
  return server;
}

/** Opens `url` in Chromium and gives what its page posts. */
async function visit(url: string, result: Promise<unknown>): Promise<unknown> {
  const executablePath = CHROMIUM.find((path) => path && existsSync(path));
  if (!executablePath) throw new Error('bench: expected Chromium, got none; install it, or set CHROMIUM to its path');
  const { default: puppeteer } = await import('puppeteer-core');
  const args = '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking';
  const browser = await puppeteer.launch({ executablePath, args: args.split(' ') });
  try {
    const page = await browser.newPage();
    const broken = new Promise<never>((_, reject) => {
      page.on('pageerror', reject);
      page.on('error', () => reject(new Error('bench: the page crashed')));
    });
    broken.catch(() => {});
    await page.goto(url);
    return await Promise.race([result, broken]);
  } finally {
    await browser.close();
  }
}

async function main(): Promise<void> {
  const page = await mkdtemp(join(tmpdir(), 'retrograd-bench-'));
  let finished: (result: unknown) => void = () => {};
  const result = new Promise<unknown>((resolve) => {
    finished = resolve;
  });
  const show = async (posted: unknown): Promise<void> => {
    const { error } = posted as { error?: string };
    if (error) throw new Error(error);
    console.log(formatReport(posted as Report));
    if (options.json) await writeFile(options.json, `${JSON.stringify(posted, null, 2)}\n`);
    if ((posted as Report).wrong.length > 0) process.exitCode = 1;
  };
  const end = (): Promise<void> => rm(page, { recursive: true, force: true });
  try {
    await bundle(page);
    const server = await serve(page, options.headless ? finished : (posted) => void show(posted).catch(console.error));
    const { port } = server.address() as AddressInfo;
    const asked = new URLSearchParams(positionals.map((name) => ['family', name]));
    for (const name of ['peers', 'quick'] as const) if (options[name]) asked.set(name, '');
    for (const name of options.peer) asked.append('peer', name);
    for (const name of ['filter', 'rounds'] as const) if (options[name]) asked.set(name, options[name]);
    const url = `http://127.0.0.1:${port}/`;
    if (!options.headless) {
      console.log(`${url}  (Ctrl-C ends it)`);
      process.once('SIGINT', () => void end().then(() => process.exit(0)));
      return;
    }
    await show(await visit(`${url}?run&${asked}`, result));
    server.close();
    server.closeAllConnections();
  } finally {
    if (options.headless) await end();
  }
}

await main().catch((error) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
