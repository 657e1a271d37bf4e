// The package in the bundles of docs/browsers-and-bundlers.md, by its commands and files, to the same bits.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type EngineId, find } from '../../tools/engines.ts';
import { type Browser, launch } from './browsers.ts';
import { bundle, sectionOf } from './bundle.ts';
import { type Answer, commonFiles, pageOf, visit, workerOf } from './page.ts';
import { answerOf, asModule, expectPlace, expectSame } from './program.ts';
import { needs } from './rows.ts';
import { startWorkerd } from './workerd.ts';

const byUrl = sectionOf('Bundlers that find the wasm').worker;
const TOLD = sectionOf('Bundlers that have to be told').option;

interface Row {
  readonly title: string;
  readonly id: EngineId;
  /** The worker, as the page starts it. */
  readonly worker: string;
  /** The element that loads the bundle; by default the bundler writes the document. */
  readonly script?: string;
  /** init() is told where the wasm is. */
  readonly told?: boolean;
}
const MODULE = '<script type="module" src="main.js"></script>';
const CLASSIC = '<script defer src="main.js"></script>';
const ROWS: readonly Row[] = [
  { title: 'Vite', id: 'vite', worker: byUrl },
  { title: 'webpack', id: 'webpack', worker: byUrl, script: CLASSIC },
  { title: 'Parcel', id: 'parcel', worker: byUrl },
  { title: 'Rollup', id: 'rollup', worker: "new Worker('worker.js', { type: 'module' })", script: MODULE, told: true },
  {
    title: 'Rolldown',
    id: 'rolldown',
    worker: "new Worker('worker.js', { type: 'module' })",
    script: MODULE,
    told: true,
  },
  {
    title: 'esbuild, ESM',
    id: 'esbuild',
    worker: "new Worker('worker.js', { type: 'module' })",
    script: MODULE,
    told: true,
  },
  { title: 'esbuild, IIFE', id: 'esbuild', worker: "new Worker('worker.js')", script: CLASSIC, told: true },
];

const chromium = find('chromium');
let browser: Browser;
beforeAll(async () => {
  if ('command' in chromium) browser = await launch('chromium', chromium.command);
});
afterAll(() => browser?.close());

describe.each(ROWS.map((row) => [row.title, row] as const))('%s', (title, { id, worker, script, told }) => {
  let dist = '';
  let answer: Promise<Answer> | undefined;
  /** Bundled and visited once, by the first test that asks. */
  async function make(): Promise<Answer> {
    const options = told ? `{ ...options, ${TOLD} }` : 'options';
    const folder = await bundle(inject('project'), title, id, {
      'index.html': '<!doctype html>\n<title>retrograd</title>\n<script type="module" src="./main.js"></script>\n',
      'main.js': pageOf(worker, options),
      'worker.js': workerOf(options),
      'program.js': asModule(),
    });
    dist = join(folder, 'dist');
    const { '/index.html': document, ...rest } = commonFiles({ simd: 'strict', threads: 1 }, script);
    return visit(browser, { folders: { '/': dist }, files: script ? { ...rest, '/index.html': document } : rest });
  }
  const visited = (skip: (reason: string) => never): Promise<Answer> => {
    needs(find(id), skip);
    needs(chromium, skip);
    answer ??= make();
    return answer;
  };

  it('in a page', async ({ skip }) => {
    const { page, problems } = await visited(skip);
    expectSame(page, inject('expected'), 1);
    expect(problems).toEqual([]);
  });

  it('in a worker', async ({ skip }) => {
    expectSame((await visited(skip)).worker, inject('expected'), 1);
  });

  // In a file that has the library too, nothing tells one from the other: the place is further up, or there is none.
  it('names no place of the library for a mistake', async ({ skip }) => {
    const { mistake } = (await visited(skip)).page;
    const [, file] = /https?:\/\/[^/]+\/([^?]*?):\d+:\d+\)/.exec(mistake) ?? [];
    if (file) expectPlace(mistake, readFileSync(join(dist, file), 'utf8'), /12345\.5|train\(/);
    else expect(mistake).toMatch(/^RecordingError: item: [^(]* compile\(\) [^(]*;/);
  });
});

describe('esbuild, CJS', () => {
  it('in Node', async ({ skip }) => {
    needs(find('esbuild'), skip);
    const { option } = sectionOf('esbuild, CJS');
    const folder = await bundle(inject('project'), 'esbuild, CJS', 'esbuild', {
      'main.js': `import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { train } from './program.js';
train({ simd: 'strict', threads: 2, ${option} }).then((result) => console.log(JSON.stringify(result)));
`,
      'program.js': asModule(),
    });
    const answer = await answerOf([process.execPath, 'dist/main.cjs'], folder);
    expectSame(answer, inject('expected'), 2);
  });
});

describe('workerd', () => {
  const workerd = find('workerd');
  const ask = async (files: Readonly<Record<string, string>>, skip: (reason: string) => never): Promise<string> => {
    needs(find('esbuild'), skip);
    const [program] = needs(workerd, skip) as [string];
    const folder = await bundle(inject('project'), 'Cloudflare Workers', 'esbuild', files);
    const server = await startWorkerd(program, folder);
    try {
      return await (await fetch(server.url)).text();
    } finally {
      server.stop();
    }
  };

  it('one thread', async ({ skip }) => {
    const text = await ask(
      {
        'main.js': `import module from 'retrograd/wasm/strict.wasm';
import { train } from './program.js';
export default { fetch: async () => Response.json(await train({ module })) };
`,
        'program.js': asModule(),
      },
      skip,
    );
    expectSame(JSON.parse(text), inject('expected'), 1);
  });

  it('the program of the docs', async ({ skip }) => {
    expect(await ask({}, skip)).toMatch(/^3 on /);
  });
});
