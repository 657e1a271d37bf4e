// npm run bench -- start: from nothing to the loss of the first compiled training step, a process or a page each time;
// in Node also with its cache of compiled modules, in Chromium at the first visit and with what that left in its cache.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { formatSeconds } from '../harness/report.ts';

// This runs in build/bench/tables/.
const build = fileURLToPath(new URL('../../', import.meta.url));
const CHROMIUM = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** The program: it prints or posts the milliseconds of its parts. MNIST's shapes, and numbers that are made here. */
const program = (index: string, options: object, tell: string): string => `
const times = [performance.now()];
const { compile, functional: F, init, nn, optim, randint, randn } = await import(${JSON.stringify(index)});
times.push(performance.now());
await init(${JSON.stringify(options)});
times.push(performance.now());
const model = new nn.Sequential(new nn.Linear(784, 128), new nn.ReLU(), new nn.Linear(128, 10));
const optimizer = new optim.Adam(model.parameters(), { lr: 1e-3 });
const step = compile((x, y) => {
  optimizer.zeroGrad();
  const loss = F.crossEntropy(model.forward(x), y);
  loss.backward();
  optimizer.step();
  return loss;
});
const loss = step(randn([64, 784]), randint(0, 10, [64])).item();
times.push(performance.now());
if (!(loss > 1 && loss < 5)) throw new Error('expected a loss from 1 to 5, got ' + loss);
const parts = times.slice(1).map((time, i) => time - times[i]);
${tell}([...parts, times[3] - times[0]]);
`;

const PARTS = ['import', 'init', 'model, first step', 'all'];
type Times = readonly number[];

/** A line of the table: the best and the median of each part. */
function lineOf(name: string, samples: readonly Times[]): string {
  const cells = PARTS.map((_, i) => {
    const sorted = samples.map((times) => (times[i] as number) / 1000).sort((a, b) => a - b);
    return `${formatSeconds(sorted[0] as number)} (${formatSeconds(sorted[sorted.length >> 1] as number)})`;
  });
  return `| ${[name, ...cells].join(' | ')} |`;
}

/** The program in processes of their own, by turns in each of `environments`. */
function inNode(environments: readonly NodeJS.ProcessEnv[], options: object, count: number): Times[][] {
  const tell = 'const print = (parts) => console.log(JSON.stringify(parts)); print';
  const text = program(new URL('../../lib/index.js', import.meta.url).href, options, tell);
  const samples: Times[][] = environments.map(() => []);
  for (let i = 0; i < count; i++)
    for (const [j, env] of environments.entries()) {
      const args = ['--input-type=module', '--eval', text];
      const output = execFileSync(process.execPath, args, { encoding: 'utf8', env: { ...process.env, ...env } });
      samples[j]?.push(JSON.parse(output));
    }
  return samples;
}

async function nodeLines(options: object, count: number): Promise<string[]> {
  const name = `Node ${process.versions.node}, init(${JSON.stringify(options)})`;
  const cache = await mkdtemp(join(tmpdir(), 'retrograd-start-'));
  try {
    // Node 22 and later keep what they compiled where they are told to.
    const keeps = Number.parseInt(process.versions.node, 10) >= 22;
    const environments = [{}, ...(keeps ? [{ NODE_COMPILE_CACHE: cache }] : [])];
    if (keeps) inNode(environments.slice(1), options, 1);
    const samples = inNode(environments, options, count);
    return samples.map((own, i) => lineOf(i === 0 ? name : `${name}, NODE_COMPILE_CACHE`, own));
  } finally {
    await rm(cache, { recursive: true });
  }
}

const TYPES: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.wasm': 'application/wasm' };

/** Serves the package, all of which a browser may keep, and a page of the program, which posts its times. */
async function serve(answer: (times: Times) => void): Promise<Server> {
  const tell = "const post = (parts) => fetch('/times', { method: 'POST', body: JSON.stringify(parts) }); post";
  const text = program('/build/lib/index.js', { threads: 1 }, tell);
  const page = `<!doctype html><title>start</title><script type="module">${text}</script>`;
  const server = createServer(async (request, response) => {
    const path = request.url ?? '/';
    if (request.method === 'POST') {
      let body = '';
      for await (const chunk of request) body += chunk;
      response.writeHead(204).end();
      answer(JSON.parse(body));
      return;
    }
    const file = join(build, '..', normalize(path));
    const found = path === '/' ? page : await readFile(file).catch(() => null);
    const headers = {
      'Content-Type': TYPES[path === '/' ? '.html' : extname(path)] ?? 'text/plain',
      'Cache-Control': 'max-age=3600',
    };
    response.writeHead(found ? 200 : 404, headers).end(found);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return server;
}

/** Visits by turns: a browser that has never seen the page, and then visits in one that has. */
async function pageLines(count: number): Promise<string[]> {
  const executablePath = CHROMIUM.find((path) => path && existsSync(path));
  if (!executablePath) return ['No page: expected Chromium, got none; install it, or set CHROMIUM to its path'];
  const { default: puppeteer } = await import('puppeteer-core');
  const args = '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking'.split(' ');
  let answer: (times: Times) => void = () => {};
  const server = await serve((times) => answer(times));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const samples: Times[][] = [[], []];
  let version = '';
  try {
    for (let i = 0; i < count; i++) {
      const userDataDir = await mkdtemp(join(tmpdir(), 'retrograd-start-'));
      // The third visit is the first that finds code: a browser keeps that of a script that it sees again.
      for (let visit = 0; visit < 4; visit++) {
        const browser = await puppeteer.launch({ executablePath, userDataDir, args });
        version = await browser.version();
        const page = await browser.newPage();
        const times = await new Promise<Times>((resolve, reject) => {
          answer = resolve;
          page.on('pageerror', reject);
          page.goto(url).catch(reject);
        });
        if (visit === 0) samples[0]?.push(times);
        if (visit === 3) samples[1]?.push(times);
        await new Promise((done) => setTimeout(done, 300)); // until it has written what it keeps
        await browser.close();
      }
      await rm(userDataDir, { recursive: true, force: true, maxRetries: 5 });
    }
  } finally {
    server.close();
  }
  const [first = [], later = []] = samples;
  return [lineOf(`${version}, first visit`, first), lineOf(`${version}, later visit`, later)];
}

export async function table(simd: 'auto' | 'strict' | 'relaxed', quick: boolean): Promise<string> {
  const count = quick ? 1 : 25;
  const lines = [
    ...(await nodeLines({ simd, threads: 1 }, count)),
    ...(await nodeLines({ simd }, count)),
    ...(await pageLines(quick ? 1 : 7)),
  ];
  return [
    'From nothing to the loss of the first compiled step of MLP 784-128-10, batch 64, Adam: the best, and the median',
    '',
    `| | ${PARTS.join(' | ')} |`,
    `| --- |${' ---: |'.repeat(PARTS.length)}`,
    ...lines,
  ].join('\n');
}
