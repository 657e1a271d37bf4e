// Models of ONNX by their URLs, in the pages of every browser: the fine-tuning of examples/fine-tune, with Node's
// numbers.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type Browser, launch } from './browsers.ts';
import { commonFiles, visit } from './page.ts';
import { needs, rowsOf } from './rows.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TASK = { strings: 8, test: 4, epochs: 6 };

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
});
