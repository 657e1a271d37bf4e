// Reports: what stands on the page, of trainings of each kind, and that it needs nothing else.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import puppeteer from 'puppeteer-core';
import { afterAll, describe, expect, it } from 'vitest';
import {
  data,
  functional as F,
  init,
  manualSeed,
  nn,
  optim,
  randint,
  randn,
  shutdown,
  type Tensor,
} from '../../bindings/index.ts';
import {
  Accuracy,
  MeanAbsoluteError,
  Report,
  type ReportOptions,
  reportPage,
  Trainer,
} from '../../bindings/train/index.ts';

await init({ simd: 'strict', threads: 1 });
afterAll(() => shutdown());

const EVIL = `</script><img src=x onerror="alert('&')">`;
const titles = (html: string): string[] => [...html.matchAll(/<h2>(.*?)<\/h2>/g)].map(([, text]) => text as string);

interface Kind {
  readonly model: () => nn.Module;
  readonly loss: unknown;
  readonly x: () => Tensor;
  readonly y: () => Tensor;
  readonly options?: Partial<ReportOptions>;
  readonly cards: readonly string[];
}
const CURVES = ['Loss', 'Learning rate', 'Gradients'];
const KINDS: Readonly<Record<string, Kind>> = {
  images: {
    model: () => new nn.Sequential(new nn.Conv2d(3, 2, 3), new nn.Flatten(), new nn.Linear(32, 3)),
    loss: F.crossEntropy,
    x: () => randn([40, 3, 6, 6]),
    y: () => randint(0, 3, [40]),
    options: { classes: ['a', EVIL, 'c'] },
    cards: [...CURVES, 'Confusion', 'ROC', 'Calibration', 'Worst examples'],
  },
  'one class or not': {
    model: () => new nn.Linear(5, 1),
    loss: F.binaryCrossEntropyWithLogits,
    x: () => randn([40, 5]),
    y: () => randint(0, 2, [40, 1]).to('f32'),
    options: { task: 'classification' },
    cards: [...CURVES, 'Confusion', 'ROC', 'Calibration', 'Worst examples'],
  },
  numbers: {
    model: () => new nn.Linear(5, 2),
    loss: F.mseLoss,
    x: () => randn([40, 5]),
    y: () => randn([40, 2]),
    options: { show: (x) => ({ row: { first: x.data[0] as number, [EVIL]: EVIL } }) },
    cards: [...CURVES, 'Predicted by true', 'Residuals', 'Residual by predicted', 'Worst examples'],
  },
  sequences: {
    model: () => new nn.Sequential(new nn.Embedding(30, 4), new nn.Linear(4, 30)),
    loss: (output: Tensor, target: Tensor) => F.crossEntropy(output.transpose(1, 2), target),
    x: () => randint(0, 30, [40, 7]),
    y: () => randint(0, 30, [40, 7]),
    options: { show: (x) => ({ text: Array.from(x.data, (id) => String.fromCharCode(97 + id)).join('') }) },
    cards: [...CURVES, 'Confusion', 'Calibration', 'Worst examples'],
  },
};

async function train({ model: make, loss, x, y, options }: Kind, more: Partial<ReportOptions> = {}): Promise<string> {
  manualSeed(4);
  const model = make();
  const loader = new data.DataLoader(new data.TensorDataset(x(), y()), { batchSize: 16 });
  let page = '';
  const write = (html: string): void => {
    page = html;
  };
  const report = new Report(write, {
    title: `Run ${EVIL}`,
    examples: loader,
    gradientsEvery: 1,
    worst: 5,
    ...options,
    ...more,
  });
  const optimizer = new optim.SGD(model.parameters(), { lr: 0.1 });
  const trainer = new Trainer(model, {
    loss: loss as never,
    optimizer,
    callbacks: [report],
    hyperparameters: { lr: 0.1 },
  });
  await trainer.fit(loader, { epochs: 2, validation: loader });
  expect(model.training).toBe(true);
  return page;
}

describe.each(Object.entries(KINDS))('of %s', (_, kind) => {
  it('has a card for each of its parts, and needs nothing else', async () => {
    const html = await train(kind);
    const [last = '', ...others] = [...kind.cards].reverse();
    expect(titles(html)).toEqual([...others.reverse(), 'Run', 'Settings', last]);
    expect(html).not.toMatch(/https?:|<link|onerror="|import/);
    expect(html.match(/<\/?script/g)).toEqual(['<script', '</script']);
    expect(html.match(/<figure title="example \d+, cost [\d.]+">/g)).toHaveLength(5);
    expect(html.match(/NaN|undefined|Infinity/)).toBeNull();
  });
});

describe('what it shows', () => {
  it('is right', async () => {
    const html = await train(KINDS.images as Kind);
    const counts = [...html.matchAll(/<td class="(?:right|false|none)"[^>]*>(\d+)</g)].map(([, n]) => Number(n));
    expect(counts).toHaveLength(9);
    expect(counts.reduce((a, b) => a + b)).toBe(40);
    expect(html.match(/data:image\/png/g)).toHaveLength(5);
    const scores = [...html.matchAll(/cost ([\d.]+)/g)].map(([, n]) => Number(n));
    expect(scores).toEqual([...scores].sort((a, b) => b - a));
    expect(html.match(/<small>\d+%<\/small>/g)).toHaveLength(5);
    expect(html).toMatch(/<dd>\d+\.\d\d %<small>\d+ of 40<\/small><\/dd>/);
    expect(html).toContain('<th scope="row">epochs</th><td>2</td>');
    expect(html).toContain('0.weight');
  });

  it('takes facts and tables of its own, batches as the trainer takes them apart, and ink', async () => {
    const [x, y] = [randn([6, 4]), randint(0, 2, [6])];
    const model = new nn.Linear(4, 2);
    let page = '';
    const write = (html: string): void => {
      page = html;
    };
    const report = new Report(write, {
      title: 'Own',
      examples: [{ points: x, kind: y }],
      show: () => ({ image: { pixels: new Uint8Array(8), width: 2, height: 2, channels: 2 } }),
      more: (run) => ({
        facts: { speed: [run.epoch, `epochs ${EVIL}`], size: 7 },
        tables: { Settings: { only: 'this' }, Machine: { cores: 2 } },
      }),
    });
    const trainer = new Trainer<nn.Linear, { points: Tensor; kind: Tensor }>(model, {
      loss: F.crossEntropy,
      optimizer: new optim.SGD(model.parameters()),
      unpack: ({ points, kind }) => [points, kind],
      hyperparameters: { lost: true },
      callbacks: [report],
    });
    await trainer.fit([{ points: x, kind: y }], { epochs: 3 });
    expect(page).toContain('<dt>Speed</dt><dd>3<small>epochs &#60;');
    expect(page).toContain('<dt>Size</dt><dd>7</dd>');
    expect(page).not.toContain('<dt>Loss</dt>');
    expect(titles(page).slice(-4)).toEqual(['Run', 'Settings', 'Machine', 'Worst examples']);
    expect(page).not.toContain('lost');
    expect(page.match(/<div class="ink">/g)).toHaveLength(6);
  });

  it('leaves out first steps that would press all others against an edge, and says so', async () => {
    const rows = Array.from({ length: 400 }, (_, i) => ({
      step: i + 1,
      figures: { share: i < 9 ? i / 10 : 0.95 + (i % 5) / 100 },
    }));
    const html = await reportPage({ title: 'Climb', steps: rows });
    expect(html).toContain('Some of the first steps lie outside.');
    expect(html).toContain('>0.96<');
    expect(html).not.toContain('>0.2<');
    const level = await reportPage({ title: 'Level', steps: rows.slice(50) });
    expect(level).not.toContain('lie outside');
  });

  it('keeps no more rows than it can draw', async () => {
    const run = {
      epoch: 0,
      epochs: 1,
      step: 0,
      batch: 0,
      batches: 1,
      samples: 0,
      learningRates: [0.1],
      figures: {},
      stopped: 'by hand',
      stop: () => {},
    };
    let page = '';
    const write = (html: string): void => {
      page = html;
    };
    const report = new Report(write);
    await report.onFitStart();
    for (let step = 1; step <= 20_000; step++) report.onStepEnd({ ...run, step }, { loss: 1 / step });
    const { rows } = report.state() as { rows: unknown[][] };
    expect((rows[0] as unknown[]).length).toBeLessThanOrEqual(4000);
    const other = new Report(write);
    other.loadState(structuredClone(report.state()) as never);
    await other.onFitStart();
    await other.onFitEnd({ ...run, step: 20_000 });
    expect(titles(page)).toEqual(['Loss', 'Learning rate', 'Run']);
    expect(page).toContain('by hand');
    expect(page.length).toBeLessThan(80_000);
  });

  it('goes into a file, in folders that are made', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'report-'));
    try {
      const path = join(folder, 'a', 'report.html');
      const loader = new data.DataLoader(new data.TensorDataset(randn([8, 2]), randn([8, 1])), { batchSize: 4 });
      const model = new nn.Linear(2, 1);
      const optimizer = new optim.SGD(model.parameters());
      const metrics = { mae: new MeanAbsoluteError() };
      await new Trainer(model, { loss: F.mseLoss, optimizer, metrics, callbacks: [new Report(path)] }).fit(loader, {
        epochs: 1,
      });
      expect(existsSync(path)).toBe(true);
      expect(titles(readFileSync(path, 'utf8'))).toContain('Mae');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('lists pairs where there are many classes', async () => {
    const n = 40;
    const confusion = Array.from({ length: n }, (_, i) =>
      Array.from({ length: n }, (_, j) => (i === j ? 9 : j === 3 ? i : 0)),
    );
    const html = await reportPage({
      title: 'Many',
      classification: { classes: confusion.map((_, i) => `class ${i}`), confusion },
    });
    expect(titles(html)).toEqual(['Confusion']);
    expect(html).toContain('<th scope="row">class 39</th><td>class 3</td><td>39</td><td>81.3</td>');
  });

  it('says what it cannot show', async () => {
    await expect(reportPage({} as never)).rejects.toThrow('expected a string as title');
    const images = KINDS.images as Kind;
    await expect(train({ ...images, options: { examples: [randn([2, 3, 6, 6])] as never } })).rejects.toThrow(
      'expected tensors as inputs, outputs and targets',
    );
    expect(new Accuracy().compute()).toBeNaN();
  });
});

const browserPath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) =>
  existsSync(path),
);

// Without a Chromium on the machine there is nothing to open the page with.
describe.skipIf(browserPath === undefined)('the page in a browser', () => {
  it('asks the network for nothing, fits every width, and reads its charts out', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'report-'));
    const args = ['--no-sandbox', '--disable-gpu', '--disable-background-networking'];
    const browser = await puppeteer.launch({ executablePath: browserPath as string, args });
    try {
      const page = await browser.newPage();
      const problems: string[] = [];
      const requests: string[] = [];
      page.on('pageerror', (error) => problems.push((error as Error).message));
      page.on('console', (message) => problems.push(message.text()));
      page.on('request', (request) => requests.push(request.url()));
      const path = join(folder, 'report.html');
      writeFileSync(path, await train(KINDS.images as Kind));
      await page.goto(pathToFileURL(path).href);
      for (const width of [1280, 900, 490, 390, 320]) {
        await page.setViewport({ width, height: 800 });
        const fits = await page.$$eval('html, .card', (all) => all.every((box) => box.scrollWidth <= box.clientWidth));
        expect([width, fits]).toEqual([width, true]);
      }
      await page.setViewport({ width: 1280, height: 900 });
      const told = () => page.$eval('.chart + .legend b', (cell) => cell.textContent);
      const last = await told();
      const chart = await (await page.$('svg.chart'))?.boundingBox();
      const { x = 0, y = 0, width = 0 } = chart ?? {};
      await page.mouse.move(x + width * 0.3, y + 40);
      expect(await told()).not.toBe(last);
      expect(await page.$eval('svg.chart > text:last-child', (text) => Number(text.textContent))).toBeGreaterThan(1);
      await page.mouse.move(2, 2);
      expect(await told()).toBe(last);
      await page.click('.chart + .legend li');
      expect(await page.$eval('svg.chart path.line', (line) => (line as SVGElement).style.display)).toBe('none');
      expect(problems).toEqual([]);
      expect(requests.filter((url) => !/^(file|data):/.test(url))).toEqual([]);
    } finally {
      await browser.close();
      rmSync(folder, { recursive: true });
    }
  });
});
