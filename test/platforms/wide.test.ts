// Vectors of 256 bits: every build compiles so where Node has the experiment, and agrees with the plain one; elsewhere
// it is refused with a reason. In Chromium, which may do it unasked, the timing tells.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import puppeteer from 'puppeteer-core';
import { describe, expect, inject, it } from 'vitest';
import { needs, rowsOf } from './rows.ts';
import { serve } from './server.ts';

const PROGRAM = `
import { backend, init, shutdown } from 'retrograd';
const said = [];
for (const simd of ['strict', 'relaxed'])
  for (const threads of [1, 2]) {
    await init({ simd, threads, revectorize: true });
    const { revectorized, reasons } = backend();
    said.push({ simd, threads, revectorized, reasons: reasons.filter((reason) => /vectors/.test(reason)) });
    shutdown();
  }
console.log(JSON.stringify(said));
process.exit();`;

interface Said {
  readonly revectorized: boolean;
  readonly reasons: readonly string[];
}

describe.skipIf(process.arch !== 'x64').each(rowsOf(['node20', 'node22', 'node24', 'node26']))(
  '%s',
  (_title, id, found) => {
    const widens = id === 'node24' || id === 'node26';
    it(widens ? 'compiles all builds in 256 bits, to the same results' : 'says that it cannot', async ({ skip }) => {
      const [program, ...args] = needs(found, skip) as [string, ...string[]];
      const all = [...args, '--input-type=module', '--eval', PROGRAM];
      const { stdout } = await promisify(execFile)(program, all, { cwd: inject('project'), timeout: 100_000 });
      const said: Said[] = JSON.parse(stdout);
      const reason = widens
        ? expect.stringMatching(/^pairs of vectors joined .* agrees with the plain build$/)
        : expect.stringMatching(/^128-bit vectors: asked to revectorize, but V8 .* joins no vectors; use Node 24/);
      expect(said.map(({ revectorized, reasons }) => ({ revectorized, reasons }))).toEqual(
        said.map(() => ({ revectorized: widens, reasons: expect.arrayContaining([reason]) })),
      );
      expect(said).toHaveLength(4);
    });
  },
);

const PAGE = `<!doctype html><script type="module">
import { backend, init } from '/build/lib/index.js';
await init({ threads: 1 });
fetch('/result', { method: 'POST', body: JSON.stringify(backend()) });
</script>`;

const PAGES = [
  { title: 'that joins vectors', flag: '--js-flags=--experimental-wasm-revectorize --wasm-revectorize', joins: true },
  { title: 'as it comes', flag: '--mute-audio', joins: false },
];

describe.skipIf(process.arch !== 'x64').each(rowsOf(['chromium']))('%s', (_title, _id, found) => {
  for (const { title, flag, joins } of PAGES)
    it(`${title} is known by the timing of tiles`, async ({ skip }) => {
      const [executablePath] = needs(found, skip) as [string];
      const build = fileURLToPath(new URL('../../build/', import.meta.url));
      const site = await serve({ folders: { '/build/': build }, files: { '/page.html': PAGE } });
      const args = ['--no-sandbox', '--disable-gpu', '--no-first-run', flag];
      const browser = await puppeteer.launch({ executablePath, args });
      try {
        const page = await browser.newPage();
        await page.goto(`${site.origin}/page.html`);
        const { revectorized, reasons, tile } = (await site.result) as Said & { readonly tile: string };
        expect(revectorized, `${tile}; ${reasons.join('; ')}`).toBe(joins);
        if (joins) expect(reasons).toContain('256-bit vectors: the browser joins pairs');
      } finally {
        await browser.close();
        await site.close();
      }
    });
});
