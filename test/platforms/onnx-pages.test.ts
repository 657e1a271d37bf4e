// Models of ONNX by their URLs, in the pages of every browser: the fine-tuning of examples/fine-tune, with Node's
// numbers.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { DATA, type Draft } from '../../bindings/onnx/messages.ts';
import { model, node, value } from '../onnx/build.ts';
import { type Browser, launch } from './browsers.ts';
import { commonFiles, visit } from './page.ts';
import { needs, rowsOf } from './rows.ts';
import { serve } from './server.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TASK = { strings: 8, test: 4, epochs: 6 };

/** Reads a model with its weights beside it, by its URL and as Blobs, and one that is not there. */
const BESIDE_PAGE = `import { init, tensor } from '/retrograd/build/lib/index.js';
import { loadOnnx } from '/retrograd/build/lib/onnx.js';
(async () => {
  await init();
  const run = async (...args) => (await loadOnnx(...args)).forward(tensor([[1, 2]])).toArray();
  const blobOf = async (name) => (await fetch('ORIGIN/m/' + name)).blob();
  const page = {
    given: await run('ORIGIN/m/model.onnx'),
    blob: await run(await blobOf('model.onnx'), { externalData: { 'some weights.bin': await blobOf('some%20weights.bin') } }),
    missing: await run('ORIGIN/m/none.onnx').catch(({ name, message }) => name + ': ' + message),
  };
  await fetch('/result', { method: 'POST', body: JSON.stringify({ page, violations: [] }) });
})();
`;

interface Figures {
  readonly type: string;
  readonly body: string;
  readonly loss?: number;
}

/** What metrics.jsonl has after the example ran in Node. */
async function inNode(): Promise<Figures[]> {
  const folder = await mkdtemp(join(tmpdir(), 'retrograd-fine-tune-'));
  try {
    const args = Object.entries({ ...TASK, out: folder }).flatMap(([name, value]) => [`--${name}`, String(value)]);
    await promisify(execFile)(process.execPath, [join(ROOT, 'build/examples/fine-tune.js'), ...args]);
    const lines = (await readFile(join(folder, 'metrics.jsonl'), 'utf8')).trimEnd().split('\n');
    return lines.map((line) => JSON.parse(line) as Figures);
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe.each(rowsOf(inject('browsers')))('%s', (_title, id, found) => {
  let browser: Browser;
  beforeAll(async () => {
    if ('command' in found) browser = await launch(id, found.command);
  });
  afterAll(() => browser?.close());

  it('fine-tunes to the numbers of Node', async ({ skip }) => {
    needs(found, skip);
    const html = await readFile(join(ROOT, 'examples/fine-tune/page.html'), 'utf8');
    // The page as it is, with a small task, and what it ends with posted.
    const post =
      "await fetch('/result', { method: 'POST', body: JSON.stringify({ page: { figures, text: out.textContent } }) });";
    const page = html
      .replace('<pre>', '<script src="/watch.js"></script>\n<pre>')
      .replace('\\n`));', `\\n\`), ${JSON.stringify(TASK)});`)
      .replace(/out\.append\(JSON.*/, (line) => `${line}\n${post}`);
    const site = { folders: { '/': ROOT }, files: { ...commonFiles({}), '/index.html': page } };
    const [answer, expected] = await Promise.all([visit(browser, site), inNode()]);
    const { figures, text } = answer.page as unknown as { figures: Figures[]; text: string };
    expect(answer.problems).toEqual([]);
    expect(text).toMatch(/^pretrained {6}24 places a string.*random.*% of unseen digits wrong/s);
    expect(figures.map(({ type, body }) => `${type} ${body}`)).toEqual(
      expected.map(({ type, body }) => `${type} ${body}`),
    );
    const losses = (all: Figures[]): number[] => all.flatMap(({ loss }) => (loss === undefined ? [] : [loss]));
    // WebKit has no multiplication and addition in one step, which Node and Chromium have.
    if (id === 'chromium') expect(losses(figures)).toEqual(losses(expected));
    else
      losses(figures).forEach((loss, i) => {
        expect(Math.abs(loss / (losses(expected)[i] as number) - 1)).toBeLessThan(1e-4);
      });
  });

  it('reads weights beside a model by their ranges', async ({ skip }) => {
    needs(found, skip);
    const numbers = new Float32Array(1000);
    numbers.set([2, -3], 10);
    const weights: Draft<'TensorProto'> = {
      name: 'w',
      dims: [2],
      dataType: DATA.FLOAT,
      dataLocation: 1,
      externalData: [
        { key: 'location', value: 'some weights.bin' },
        { key: 'offset', value: '40' },
        { key: 'length', value: '8' },
      ],
    };
    const bytes = model({
      node: [node('Mul', ['x', 'w'], ['y'])],
      input: [value('x', ['n', 2])],
      output: [value('y', ['n', 2])],
      initializer: [weights],
    });
    const cors = { 'Access-Control-Allow-Origin': '*' };
    const files = { '/m/model.onnx': bytes, '/m/some%20weights.bin': new Uint8Array(numbers.buffer) };
    const other = await serve({ files, headers: cors });
    try {
      const answer = await visit(
        browser,
        {
          folders: { '/retrograd/': join(inject('project'), 'node_modules/retrograd') },
          files: { ...commonFiles({}), '/page.js': BESIDE_PAGE.replaceAll('ORIGIN', other.origin) },
        },
        [other],
      );
      expect(answer.page).toEqual({
        given: [[2, -6]],
        blob: [[2, -6]],
        missing: expect.stringMatching(/^BackendError: loadOnnx: expected '.*none.onnx' to be there, got .* 404$/),
      });
      expect(other.ranges).toEqual(['/m/some%20weights.bin 40-47']);
    } finally {
      await other.close();
    }
  });
});
