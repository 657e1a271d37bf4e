// The package as plain ES modules in the pages of every browser, to the same bits as in Node.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { EngineId } from '../../tools/engines.ts';
import { type Browser, launch } from './browsers.ts';
import { sectionOf } from './bundle.ts';
import { commonFiles, pageOf, visit, workerOf } from './page.ts';
import { asModule, asScript, expectPlace, expectSame } from './program.ts';
import { needs, rowsOf } from './rows.ts';
import { type Running, serve } from './server.ts';

const ISOLATED = sectionOf('Threads need isolation').headers;
const POLICY = sectionOf('Content security policy').headers;
const WITHOUT_BLOBS = Object.fromEntries(
  Object.entries(POLICY).map(([name, value]) => [name, value.replace(/; worker-src .*/, '')]),
);
const WORKER_FILE = '/retrograd/build/lib/worker.js';
const strict = (threads: number | 'auto') => ({ simd: 'strict', threads });

interface Scenario {
  readonly title: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly options: object;
  /** How many there have to be; as many as the browser starts where it is left out. */
  readonly threads?: number;
  readonly violations?: readonly string[];
  /** Where it takes a minute. */
  readonly slow?: EngineId;
}
const SCENARIOS: readonly Scenario[] = [
  { title: 'a plain page', headers: {}, options: strict('auto'), threads: 1 },
  { title: 'an isolated page', headers: ISOLATED, options: strict(2), threads: 2 },
  // More than a browser may start: some never do in a worker of Firefox.
  { title: 'eight threads', headers: ISOLATED, options: strict(8), slow: 'webkit' },
  { title: 'a policy', headers: POLICY, options: strict('auto'), threads: 1 },
  { title: 'a policy, isolated', headers: { ...ISOLATED, ...POLICY }, options: strict(2), threads: 2 },
  {
    title: 'a policy without blob:, isolated',
    headers: { ...ISOLATED, ...WITHOUT_BLOBS },
    options: strict(2),
    threads: 1,
    violations: ['worker-src blob'],
  },
  {
    title: 'a policy without blob:, isolated, with the file',
    headers: { ...ISOLATED, ...WITHOUT_BLOBS },
    options: { ...strict(2), worker: WORKER_FILE },
    threads: 2,
  },
];

/** Trains by tfjs, whose scripts share the global `tf`, on our backend. */
const TENSORFLOW_PAGE = `(async () => {
  retrogradTfjs.configure({ threads: THREADS });
  await tf.setBackend('retrograd');
  const model = tf.sequential({ layers: [
    tf.layers.dense({ units: 8, inputShape: [2], activation: 'tanh', kernelInitializer: tf.initializers.glorotUniform({ seed: 1 }) }),
    tf.layers.dense({ units: 1, kernelInitializer: tf.initializers.glorotUniform({ seed: 2 }) }),
  ] });
  model.compile({ optimizer: tf.train.adam(0.05), loss: 'meanSquaredError' });
  const x = tf.tensor([[0, 0], [0, 1], [1, 0], [1, 1]]);
  const y = tf.tensor([[0], [1], [1], [0]]);
  // Frames do not come where nobody looks.
  const { history } = await model.fit(x, y, { epochs: 150, batchSize: 4, shuffle: false, yieldEvery: 'never' });
  const { loss } = history;
  const data = retrogradTfjs.toTensorFlow(retrogradTfjs.fromTensorFlow(x)).dataSync();
  const page = { backend: tf.getBackend(), first: loss[0], last: loss.at(-1), shared: crossOriginIsolated && data.length === 8 };
  await fetch('/result', { method: 'POST', body: JSON.stringify({ page }) });
})();
`;

/** Reads batches that workers make, and says what became of those that fail. */
const DATA_PAGE = `import { fromWorkers } from '/retrograd/build/lib/data.js';
(async () => {
  const told = [];
  console.warn = (text) => told.push(text);
  const read = async (workers, seed) => {
    const batches = await fromWorkers('/worker.js', { workers, data: seed }).toArray();
    return batches.map((batch) => [...batch]);
  };
  const [alone, shared] = [await read(0, 3), await read(2, 3)];
  const broken = await read(1, -3).catch(({ name, message }) => name + ': ' + message);
  const page = { alone, shared, broken, told };
  await fetch('/result', { method: 'POST', body: JSON.stringify({ page, violations: [] }) });
})();
`;
const DATA_WORKER = `import { from } from '/retrograd/build/lib/data.js';
const fails = () => { throw new RangeError('mine'); };
export const setup = (seed, { index, count }) =>
  from(Int32Array.from({ length: 20 }, (_, i) => i)).shuffle({ seed: Math.abs(seed) })
    .map((x) => (seed < 0 && x === 7 ? fails() : x)).batch(4).shard(count, index);
`;

describe.each(rowsOf(inject('browsers')))('%s', (_title, id, found) => {
  const library = join(inject('project'), 'node_modules/retrograd');
  let browser: Browser;
  beforeAll(async () => {
    if ('command' in found) browser = await launch(id, found.command);
  });
  afterAll(() => browser?.close());

  const siteOf = (options: object, headers: Readonly<Record<string, string>>, origin = '') => ({
    folders: { '/retrograd/': library },
    files: {
      ...commonFiles(options),
      '/page.js': pageOf(sectionOf('Workers').worker),
      '/worker.js': workerOf(),
      '/program.js': asModule(`${origin}/retrograd/build/lib/index.js`),
    },
    headers,
  });

  for (const { title, headers, options, threads, violations = [], slow } of SCENARIOS)
    it(title, async ({ skip }) => {
      needs(found, skip);
      if (id === slow) skip('more threads than processors take it a minute');
      const answer = await visit(browser, siteOf(options, headers));
      expectSame(answer.page, inject('expected'), threads);
      expectSame(answer.worker, inject('expected'), threads);
      expect(answer.violations).toEqual(violations);
      if (violations.length === 0) expect(answer.problems).toEqual([]);
    });

  it.for([
    ['another origin', {}, 1],
    ['another origin, isolated', ISOLATED, 2],
  ] as const)('%s', async ([, headers, threads], { skip }) => {
    needs(found, skip);
    const cors = { 'Access-Control-Allow-Origin': '*', 'Cross-Origin-Resource-Policy': 'cross-origin' };
    const other: Running = await serve({ folders: { '/retrograd/': library }, headers: cors });
    try {
      const answer = await visit(browser, siteOf(strict(threads), headers, other.origin), [other]);
      expectSame(answer.page, inject('expected'), threads);
      // WebKit loads no module of another origin in a worker of an isolated page.
      if (id !== 'webkit' || headers !== ISOLATED) expectSame(answer.worker, inject('expected'), threads);
      expect(answer.problems).toEqual([]);
    } finally {
      await other.close();
    }
  });

  it.for([
    ['workers of data', {}, 0],
    ['workers of data under a policy', POLICY, 0],
    ['workers of data where a policy forbids them', WITHOUT_BLOBS, 2],
  ] as const)('%s', async ([, headers, reasons], { skip }) => {
    needs(found, skip);
    const files = { ...commonFiles({}), '/page.js': DATA_PAGE, '/worker.js': DATA_WORKER };
    const answer = await visit(browser, { folders: { '/retrograd/': library }, files, headers });
    const page = answer.page as unknown as Record<'alone' | 'shared', number[][]> & { broken: string; told: string[] };
    expect(page.shared).toEqual(page.alone);
    expect(page.alone.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i));
    // Without workers it is the user's own error.
    expect(page.broken).toMatch(
      reasons > 0 ? /^RangeError: mine$/ : /^WorkerError: .*got RangeError at record \d+: mine$/,
    );
    expect(page.told).toHaveLength(reasons);
    for (const reason of page.told) expect(reason).toMatch(/worker-src blob:/);
  });

  it('as it comes', async ({ skip }) => {
    needs(found, skip);
    const site = siteOf({}, ISOLATED);
    const answer = await visit(browser, site);
    expect(answer.page.error).toBeUndefined();
    expect(['strict', 'relaxed']).toContain(answer.page.build);
    expectPlace(answer.page.mistake, site.files['/program.js']);
  });

  it('a script tag', async ({ skip }) => {
    needs(found, skip);
    const script = '/retrograd/build/lib/retrograd.global.js';
    const program = asScript('retrograd');
    // A worker knows only its own URL.
    const options = "{ ...options, locate: (file) => '/retrograd/build/wasm/' + file }";
    const classic = (module: string): string => module.replace(/^import .*$/m, program);
    const answer = await visit(browser, {
      folders: { '/retrograd/': library },
      files: {
        ...commonFiles(strict(2), `<script src="${script}"></script>\n<script src="/page.js"></script>`),
        '/page.js': classic(pageOf("new Worker('/worker.js')")),
        '/worker.js': `importScripts('${script}');\n${classic(workerOf(options))}`,
      },
      headers: ISOLATED,
    });
    expectSame(answer.page, inject('expected'), 2);
    expectSame(answer.worker, inject('expected'), 2);
    expect(answer.problems).toEqual([]);
  });

  it.for([
    ['TensorFlow.js by script tags', {}, 1],
    ['TensorFlow.js by script tags, isolated', ISOLATED, 2],
  ] as const)('%s', async ([, headers, threads], { skip }) => {
    needs(found, skip);
    const scripts = ['core/dist/tf-core', 'backend-cpu/dist/tf-backend-cpu', 'layers/dist/tf-layers'];
    const tags = [
      ...scripts.map((file) => `/tensorflow/tfjs-${file}.min.js`),
      '/retrograd/build/lib/retrograd-tfjs.global.js',
      '/page.js',
    ].map((src) => `<script src="${src}"></script>`);
    const answer = await visit(browser, {
      folders: {
        '/retrograd/': library,
        '/tensorflow/': join(import.meta.dirname, '../../node_modules/@tensorflow'),
      },
      files: { ...commonFiles({}, tags.join('\n')), '/page.js': TENSORFLOW_PAGE.replace('THREADS', String(threads)) },
      headers,
    });
    expect(answer.problems).toEqual([]);
    const { backend, first, last, shared } = answer.page as unknown as Record<string, unknown>;
    expect([backend, shared]).toEqual(['retrograd', threads > 1]);
    expect(last).toBeLessThan((first as number) / 4);
  });

  it.for(['A page without a bundler', 'A script tag'])('the docs: %s', async (title, { skip }) => {
    needs(found, skip);
    const tell = "(text) => fetch('/result', { method: 'POST', body: JSON.stringify({ page: text }) })";
    const document = sectionOf(title).html.replace('\n', `\n<script>console.log = ${tell};</script>\n`);
    const answer = await visit(browser, { folders: { '/retrograd/': library }, files: { '/index.html': document } });
    expect(answer.page).toBe(3);
  });

  it('loops that await', async ({ skip }) => {
    needs(found, skip);
    const source = (name: string): string => readFileSync(join(import.meta.dirname, name), 'utf8');
    const answer = await visit(browser, {
      folders: { '/retrograd/': library },
      files: {
        ...commonFiles({}),
        '/page.js': source('scopes-page.js'),
        '/scopes.js': source('scopes.js'),
        '/scope-tools.js': source('scope-tools.js'),
      },
    });
    const problems = Object.entries(answer.page).filter(([, problem]) => problem);
    expect(problems).toEqual([]);
    expect(Object.keys(answer.page).length).toBeGreaterThan(25);
    // What is refused as asynchronous tells what it throws.
    expect(answer.problems.filter((problem) => !/the async function that was refused/.test(problem))).toEqual([]);
  });

  it('a policy without WebAssembly', async ({ skip }) => {
    needs(found, skip);
    const answer = await visit(browser, siteOf({}, { 'Content-Security-Policy': "default-src 'self'" }));
    expect(answer.page.error).toMatch(/^BackendError: init: .*'wasm-unsafe-eval'/);
  });
});
