import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import puppeteer from 'puppeteer-core';
import { afterAll, describe, expect, it } from 'vitest';
import type { MetricsRecord } from '../../examples/mnist/metrics.ts';
import { escapeHtml, type Mistake, type ReportData, renderReport, scriptJson } from '../../examples/mnist/report.ts';
import type { PageData } from '../../examples/mnist/report-page.ts';

const EVIL = `</script><script>throw 1</script><!--<img src=http://example.com onerror="alert('&')">`;
const STEPS = 3000;

function records(): MetricsRecord[] {
  return Array.from({ length: STEPS }, (_, i): MetricsRecord[] => {
    const step = i + 1;
    const [loss, accuracy] = [2 / step, 1 - 1 / step];
    const made: MetricsRecord[] = [
      { type: 'step', step, epoch: Math.ceil(step / 1000), loss, accuracy, gradNorm: { '0.weight': loss, [EVIL]: 0 } },
    ];
    if (step % 1000 === 0) {
      const epoch = step / 1000;
      made.push({
        type: 'epoch',
        step,
        epoch,
        trainLoss: loss,
        trainAccuracy: accuracy,
        testLoss: 0.25 / epoch,
        testAccuracy: 0.9 + epoch / 100,
        seconds: 3,
        imagesPerSecond: 1000,
      });
    }
    return made;
  }).flat();
}

function mistake(index: number, confidence: number): Mistake {
  return { pixels: Uint8Array.from({ length: 6 }, (_, p) => index * 6 + p), label: 0, predicted: 1, confidence, index };
}

function report(changes: Partial<ReportData> = {}): ReportData {
  return {
    title: `run ${EVIL}`,
    date: new Date('2026-01-02T03:04:05Z'),
    records: records(),
    classes: ['zero', EVIL],
    confusion: [
      [7, 2],
      [1, 10],
    ],
    mistakes: [mistake(0, 0.5), mistake(1, 0.9), mistake(2, 0.7)],
    rows: 2,
    cols: 3,
    seconds: 125,
    imagesPerSecond: 12345.6,
    parameters: 101770,
    settings: { optimizer: 'adam', [EVIL]: EVIL },
    machine: { engine: 'Node' },
    ...changes,
  };
}

const dataElement = (html: string): string =>
  /<script type="application\/json" id="report-data">(.*?)<\/script>/s.exec(html)?.[1] ?? '';
const pageData = (html: string): PageData => JSON.parse(dataElement(html));

describe('renderReport', () => {
  const html = renderReport(report());

  it('loads nothing: no element, style or script refers to anything outside', () => {
    const own = html.replace(/<script>[\s\S]*?<\/script>|<style>[\s\S]*?<\/style>/g, '').replace(dataElement(html), '');
    expect(own).not.toMatch(/<(link|iframe|object|embed|base|form|img|video|audio|source)\b/i);
    expect(own.replace(/="[^"]*"/g, '=""')).not.toMatch(/<[^>]*\s(src|href|srcset|action|data|poster)\s*=/i);
    expect(own).toMatch(/http-equiv="Content-Security-Policy" content="default-src 'none';/);
    for (const [style] of html.matchAll(/<style>[\s\S]*?<\/style>/g)) expect(style).not.toMatch(/url\(|@import/i);
    for (const [script] of html.matchAll(/<script>[\s\S]*?<\/script>/g)) {
      expect(script).not.toMatch(/\bfetch\(|XMLHttpRequest|\bimport\(|\bimport\s|WebSocket|sendBeacon/);
    }
  });

  it('holds three scripts and ends each of them where it should', () => {
    expect(html.match(/<script\b/g)).toHaveLength(3);
    expect(html.match(/<\/script/g)).toHaveLength(3);
    expect(html).toMatch(/^<!doctype html>/);
    expect(html.trimEnd()).toMatch(/<\/html>$/);
  });

  it('escapes every text', () => {
    expect(html).not.toContain('<img');
    expect(html).not.toContain('<!--');
    expect(html).not.toContain(EVIL);
    // The title twice, the setting twice, the class in both heads.
    expect(html.split(escapeHtml(EVIL)).length - 1).toBeGreaterThanOrEqual(6);
    expect(escapeHtml(`<a b="c" d='e'>&`)).toBe('&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;');
    expect(scriptJson({ x: '</script><!--' })).toBe('{"x":"\\u003c/script>\\u003c!--"}');
  });

  it('carries the metrics: thinned to the last step, epochs whole, numbers without a logarithm as gaps', () => {
    const { steps, loss, accuracy, epochs, gradNorm } = pageData(html);
    expect(steps.length).toBeGreaterThan(500);
    expect(steps.length).toBeLessThanOrEqual(1200);
    expect(steps.at(-1)).toBe(STEPS);
    expect(loss.raw).toEqual(steps.map((step) => Number((2 / step).toPrecision(5))));
    expect(accuracy.raw).toEqual(steps.map((step) => Number((1 - 1 / step).toPrecision(5))));
    for (const values of [loss.smooth, accuracy.smooth]) expect(values).toHaveLength(steps.length);
    expect(epochs).toEqual({
      steps: [1000, 2000, 3000],
      testLoss: [0.25, 0.125, 0.083333],
      testAccuracy: [0.91, 0.92, 0.93],
    });
    expect(gradNorm.map(({ name }) => name)).toEqual(['0.weight', EVIL]);
    expect(gradNorm[1]?.values.every((value) => value === null)).toBe(true);
  });

  it('smooths without a bias at the start, and across gaps', () => {
    const constant = records().map((record, i) =>
      record.type === 'step' ? { ...record, loss: i % 7 === 3 ? Number.NaN : 0.5, gradNorm: { a: 3 } } : record,
    );
    const { loss, gradNorm } = pageData(renderReport(report({ records: constant })));
    expect(new Set(loss.smooth)).toEqual(new Set([0.5, null]));
    expect(loss.raw).toContain(null);
    expect(new Set(gradNorm[0]?.values)).toEqual(new Set([3]));
  });

  it('holds a gradient norm until the next one that was measured', () => {
    const sparse = records().map(
      (record): MetricsRecord =>
        record.type === 'step'
          ? ({ ...record, gradNorm: record.step % 10 === 1 ? { a: 3 } : undefined } as MetricsRecord)
          : record,
    );
    const { gradNorm } = pageData(renderReport(report({ records: sparse })));
    expect(gradNorm.map(({ name }) => name)).toEqual(['a']);
    expect(new Set(gradNorm[0]?.values)).toEqual(new Set([3]));
  });

  it('carries the digits, the most confident mistakes first', () => {
    const { digits } = pageData(html);
    expect(digits.items).toEqual([
      { label: 'zero', predicted: EVIL, confidence: 0.9, index: 1 },
      { label: 'zero', predicted: EVIL, confidence: 0.7, index: 2 },
      { label: 'zero', predicted: EVIL, confidence: 0.5, index: 0 },
    ]);
    expect([...Buffer.from(digits.pixels, 'base64')]).toEqual([
      6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 0, 1, 2, 3, 4, 5,
    ]);
    const many = pageData(renderReport(report({ mistakes: Array.from({ length: 200 }, (_, i) => mistake(i, 0.5)) })));
    expect(many.digits.items).toHaveLength(60);
    expect(Buffer.from(many.digits.pixels, 'base64')).toHaveLength(60 * 6);
  });

  it('shows the summary and the confusion matrix without a script', () => {
    const plain = renderReport(report({ classes: ['zero', 'one'], title: 'run' }));
    for (const text of ['85.00 %', '17 of 20', '2:05 min', '12,346', '101,770', '3 epochs'])
      expect(plain).toContain(text);
    const row = /<tr><th scope="row">zero<\/th>(.*?)<\/tr>/.exec(plain)?.[1] ?? '';
    expect([...row.matchAll(/<td[^>]*>([^<]*)<\/td>/g)].map((cell) => cell[1])).toEqual(['7', '2', '77.8']);
    expect(row).toContain('2 × zero taken for one');
    expect(plain).toContain('<td class="share">87.5</td><td class="share">83.3</td>');
  });

  it('has a color of its own for each thing, in light and in dark', () => {
    for (const [scheme] of html.matchAll(/:root \{[^}]*\}/g)) {
      const names = '(train|test|layer-\\d)';
      const colors = [...scheme.matchAll(new RegExp(`--${names}:\\s*(#\\w+)`, 'g'))].map(([, , color]) => color);
      expect(colors).toHaveLength(10);
      expect(new Set(colors)).toHaveLength(10);
    }
  });

  it('copes with a run that has nothing', () => {
    const none = renderReport(
      report({
        records: [],
        mistakes: [],
        confusion: [
          [5, 0],
          [0, 5],
        ],
      }),
    );
    expect(none).toContain('100.00 %');
    expect(none).toContain('None.');
    expect(pageData(none).steps).toEqual([]);
    const bare = renderReport(report({ records: [], mistakes: [], confusion: [], classes: [] }));
    expect(bare.replace(/<script>[\s\S]*?<\/script>/g, '')).not.toMatch(/NaN|Infinity|undefined/);
  });
});

const browserPath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) =>
  existsSync(path),
);

// Without a Chromium on the machine there is nothing to open the file with.
describe.skipIf(browserPath === undefined)('the report in a browser', () => {
  const folder = mkdtemp(join(tmpdir(), 'retrograd-report-'));
  afterAll(async () => rm(await folder, { recursive: true, force: true }));

  it('opens from a file, draws everything, asks the network for nothing and fits every width', async () => {
    const args = ['--no-sandbox', '--disable-gpu', '--disable-background-networking'];
    const browser = await puppeteer.launch({ executablePath: browserPath as string, args });
    try {
      const page = await browser.newPage();
      await page.setViewport({ width: 1200, height: 900 });
      const count = async (selector: string): Promise<number> => (await page.$$(selector)).length;
      const texts = (selector: string) => page.$$eval(selector, (all) => all.map((element) => element.textContent));
      const problems: string[] = [];
      const requests: string[] = [];
      page.on('pageerror', (error) => problems.push((error as Error).message));
      page.on('console', (message) => problems.push(message.text()));
      page.on('request', (request) => requests.push(request.url()));
      const open = async (name: string, data: ReportData): Promise<void> => {
        const path = join(await folder, name);
        await writeFile(path, renderReport(data));
        await page.goto(pathToFileURL(path).href);
      };

      await open('full.html', report());
      expect(await count('.uplot canvas')).toBe(3);
      const ink = await page.$$eval('figure canvas', (all) =>
        (all as HTMLCanvasElement[]).map((canvas) => {
          const [width, height] = [canvas.width, canvas.height];
          const { data } = (canvas.getContext('2d') as CanvasRenderingContext2D).getImageData(0, 0, width, height);
          return [width, height, ...data.filter((_, i) => i % 4 === 3)];
        }),
      );
      expect(ink[0]).toEqual([3, 2, 6, 7, 8, 9, 10, 11]);
      expect((await texts('figcaption'))[1]).toBe(`zero → ${EVIL}70%`);
      expect((await texts('#loss .u-legend'))[0]).toContain('3,000');
      await page.click('#loss-scale');
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'dark' }]);
      expect(await count('.uplot')).toBe(3);

      for (const width of [1600, 900, 700, 490, 320]) {
        await page.setViewport({ width, height: 800 });
        // The page hears of its size some time later, and draws the charts anew then.
        const seen = () =>
          page.evaluate(() => ({
            width: innerWidth,
            fits: [...document.querySelectorAll('html, .card')].every((box) => box.scrollWidth <= box.clientWidth),
            beside: [...document.querySelectorAll('.chart')].map(
              (chart) => chart.clientWidth - (chart.querySelector('.uplot')?.clientWidth ?? 0),
            ),
          }));
        await expect.poll(seen, { timeout: 20_000 }).toEqual({ width, fits: true, beside: [0, 0, 0] });
      }
      await open('empty.html', report({ records: [], mistakes: [] }));
      expect(await texts('.chart')).toEqual(new Array(3).fill('Nothing was recorded.'));
      const [first] = records();
      await open('one.html', report({ records: first === undefined ? [] : [first] }));
      expect(await count('.uplot canvas')).toBe(3);
      expect(problems).toEqual([]);
      expect(requests.filter((url) => !url.startsWith('file:'))).toEqual([]);
    } finally {
      await browser.close();
    }
  });
});
