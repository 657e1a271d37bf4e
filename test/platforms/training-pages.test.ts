// Trainings in the pages of every browser: in the page, with a progress bar there, and in a worker, to the same bits.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type Browser, launch } from './browsers.ts';
import { commonFiles, visit } from './page.ts';
import { needs, rowsOf } from './rows.ts';

const SETUP = `import { data, functional, init, manualSeed, nn, optim, randint, randn } from '/retrograd/build/lib/index.js';
import { Trainer } from '/retrograd/build/lib/train.js';
export async function setup({ epochs }) {
  await init({ simd: 'strict' });
  manualSeed(1);
  const model = new nn.Sequential(new nn.Linear(8, 16), new nn.ReLU(), new nn.Linear(16, 3));
  const dataset = new data.TensorDataset(randn([120, 8]).keep(), randint(0, 3, [120]).keep());
  const loader = new data.DataLoader(dataset, { batchSize: 16, shuffle: true });
  const optimizer = new optim.Adam(model.parameters(), { lr: 1e-2 });
  return { trainer: new Trainer(model, { loss: functional.crossEntropy, optimizer }), loader, fit: { epochs } };
}
`;

const PAGE = `import { ProgressBar, Trainer, trainInWorker } from '/retrograd/build/lib/train.js';
import { setup } from './setup.js';
(async () => {
  document.body.innerHTML = '<div id="bar"></div>';
  const element = document.getElementById('bar');
  const { trainer, loader } = await setup({ epochs: 3 });
  let turns = 0;
  const others = new MessageChannel();
  others.port1.onmessage = () => {
    turns++;
    others.port2.postMessage(null);
  };
  others.port2.postMessage(null);
  const shown = [];
  const watch = { onStepEnd: () => void shown.push(element.querySelector('progress').value) };
  const bar = new ProgressBar({ element });
  trainer.listeners.add(bar);
  trainer.listeners.add(watch);
  const { history } = await trainer.fit(loader, { epochs: 3 });
  others.port1.close();
  const text = element.textContent;
  const weights = Object.values(trainer.model.stateDict()).map((x) => [...x.data]);
  const steps = [];
  const there = await trainInWorker(new URL('./setup.js', location.href), {
    data: { epochs: 3 },
    callbacks: [{ onStepEnd: ({ step }) => void steps.push(step) }],
  });
  const refused = await trainInWorker('./none.js').catch(({ name }) => name);
  const page = {
    same: JSON.stringify(weights) === JSON.stringify(Object.values(there.model).map(({ data }) => [...data])),
    history: JSON.stringify(history) === JSON.stringify(there.history),
    ...{ turns, steps: steps.length, text, bar: element.querySelector('progress').value, refused, shown: Math.max(...shown) },
  };
  await fetch('/result', { method: 'POST', body: JSON.stringify({ page, violations: [] }) });
})();
`;

/** Where workers of text are forbidden: the page trains itself, which is said once. */
const FORBIDDEN = `import { trainInWorker } from '/retrograd/build/lib/train.js';
(async () => {
  const told = [];
  console.warn = (line) => void told.push(line);
  const steps = [];
  const callbacks = [{ onStepEnd: ({ step }) => void steps.push(step) }];
  const { epochs, stopped } = await trainInWorker('/setup.js', { data: { epochs: 3 }, callbacks });
  const page = { told, epochs, stopped, steps: steps.length };
  await fetch('/result', { method: 'POST', body: JSON.stringify({ page, violations: [] }) });
})();
`;
const WITHOUT_WORKERS = {
  'Content-Security-Policy': "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'",
};

describe.each(rowsOf(inject('browsers')))('%s', (_title, id, found) => {
  let browser: Browser;
  beforeAll(async () => {
    if ('command' in found) browser = await launch(id, found.command);
  });
  afterAll(() => browser?.close());

  it('trains in the page and in a worker to the same bits', async ({ skip }) => {
    needs(found, skip);
    const { page, problems } = await visit(browser, {
      folders: { '/retrograd/': join(inject('project'), 'node_modules/retrograd') },
      files: { ...commonFiles({}), '/page.js': PAGE, '/setup.js': SETUP },
    });
    expect(problems.filter((problem) => !problem.includes('none.js'))).toEqual([]);
    const { turns, text, shown, ...rest } = page as unknown as Record<string, unknown>;
    expect(rest).toEqual({ same: true, history: true, steps: 24, bar: 1, refused: expect.stringMatching(/Error$/) });
    expect(text).toMatch(/^epoch 3\/3 {2}loss \d\.\d{4} {2}[\d,]+ examples\/s$/);
    // Others had their turns while it trained.
    expect(turns).toBeGreaterThan(10);
    expect(shown).toBeGreaterThan(0);
  });

  it('trains in the page where a policy forbids workers', async ({ skip }) => {
    needs(found, skip);
    const { page } = await visit(browser, {
      folders: { '/retrograd/': join(inject('project'), 'node_modules/retrograd') },
      files: { ...commonFiles({}), '/page.js': FORBIDDEN, '/setup.js': SETUP },
      headers: WITHOUT_WORKERS,
    });
    expect(page).toEqual({
      told: [expect.stringMatching(/^trainInWorker: this thread trains, .*allow worker-src blob:$/)],
      ...{ epochs: 3, stopped: null, steps: 24 },
    });
  });
});
