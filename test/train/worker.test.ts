// Trainings in worker threads: the same bits as here, callbacks here, stops and errors that cross over.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Heard } from '../../bindings/engine/hire.ts';
import { ArgumentError, init, manualSeed, WorkerError } from '../../bindings/index.ts';
import { type Figures, type Run, trainInWorker } from '../../bindings/train/index.ts';
import { loaderOf, points, seeded, trainerOf, weightsOf } from './make.ts';

/** Whether, and how, no worker can be started. */
const refusing = vi.hoisted(() => ({ how: '' }));
vi.mock('../../bindings/engine/hire.ts', async (original) => {
  const real = await original<typeof import('../../bindings/engine/hire.ts')>();
  const hire: typeof real.hire = async (texts, job, heard: Heard) => {
    if (refusing.how === '') return real.hire(texts, job, heard);
    if (refusing.how === 'throws') throw new Error('the page forbids them');
    setTimeout(() => heard.refused?.('the page forbids them'));
    return { postMessage() {}, end() {} };
  };
  return { ...real, hire };
});

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
let folder: string;
let module: string;

beforeAll(async () => {
  await init();
  folder = mkdtempSync(join(ROOT, 'build', '.training-'));
  module = join(folder, 'worker.js');
  const bundle = await rolldown({
    input: join(ROOT, 'test/train/worker-module.ts'),
    platform: 'node',
    tsconfig: false,
  });
  await bundle.write({ dir: folder, format: 'esm', entryFileNames: 'worker.js' });
  await bundle.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('trainInWorker', () => {
  it('gives the weights and figures that a training here has, and calls callbacks here', async () => {
    const here = trainerOf();
    const loader = loaderOf(points());
    manualSeed(1);
    const wanted = await here.fit(loader, { epochs: 2, validation: loader });
    const heard: [string, number, number, Figures][] = [];
    const hear = (event: string) => (run: Run, figures: Figures) =>
      void heard.push([event, run.epoch, run.step, figures]);
    const callbacks = [
      {
        onStepEnd: hear('step'),
        onEpochEnd: (run: Run, f: Figures) => Promise.resolve().then(() => hear('epoch')(run, f)),
      },
    ];
    const { model, ...result } = await trainInWorker(module, { data: { epochs: 2 }, callbacks });
    expect(result).toEqual(wanted);
    const mine = seeded();
    mine.loadStateDict(model);
    expect(weightsOf(mine)).toEqual(weightsOf(here.model));
    expect(heard.filter(([event]) => event === 'epoch')).toEqual([
      ['epoch', 0, 7, wanted.history[0]],
      ['epoch', 1, 14, wanted.history[1]],
    ]);
    expect(heard.filter(([event]) => event === 'step').map(([, , step]) => step)).toEqual(
      [...Array(14).keys()].map((i) => i + 1),
    );
  });

  it('stops when a callback or a signal says so', async () => {
    const stop = { onStepEnd: (run: Run) => run.stop('enough') };
    const stopped = await trainInWorker(module, { data: { epochs: 1e6 }, callbacks: [stop] });
    expect(stopped.stopped).toBe('enough');
    const controller = new AbortController();
    const abort = { onEpochEnd: () => controller.abort() };
    const aborted = await trainInWorker(module, {
      data: { epochs: 1e6 },
      callbacks: [abort],
      signal: controller.signal,
    });
    expect(aborted.stopped).toBe('aborted');
  });

  it('waits for callbacks that take longer than the worker lasts', async () => {
    let ended = false;
    const slow = {
      async onFitEnd() {
        await new Promise((resolve) => setTimeout(resolve, 400));
        ended = true;
      },
    };
    await trainInWorker(module, { data: { epochs: 1 }, callbacks: [slow] });
    expect(ended).toBe(true);
  });

  it('stops before the first step where a signal has gone off already', async () => {
    const { stopped, steps } = await trainInWorker(module, { data: { epochs: 9 }, signal: AbortSignal.abort() });
    expect([stopped, steps]).toEqual(['aborted', 0]);
  });

  it('throws what the training throws, which callbacks know', async () => {
    const errors: unknown[] = [];
    const callbacks = [{ onError: (_: Run, error: unknown) => void errors.push(error) }];
    const failing = (what: string): Promise<unknown> => trainInWorker(module, { data: { epochs: 1, what }, callbacks });
    await expect(failing('throws')).rejects.toMatchObject({ name: 'TypeError', message: 'mine' });
    await expect(failing('refuses')).rejects.toThrow(ArgumentError);
    await expect(failing('refuses')).rejects.toThrow('Trainer: expected a loss, got none');
    await expect(failing('exits')).rejects.toThrow(WorkerError);
    await expect(failing('exits')).rejects.toThrow('got its end: it ended with exit code 3');
    expect(errors).toHaveLength(5);
    const mine = { onStepEnd: () => Promise.reject(new RangeError('here')) };
    await expect(trainInWorker(module, { data: { epochs: 1e6 }, callbacks: [mine] })).rejects.toThrow('here');
  });

  it('says what a module lacks', async () => {
    const path = join(folder, 'none.js');
    writeFileSync(path, 'export const setup = () => ({});');
    await expect(trainInWorker(path)).rejects.toThrow('expected { trainer, loader, fit } from setup(), got no trainer');
    writeFileSync(join(folder, 'empty.js'), '');
    await expect(trainInWorker(join(folder, 'empty.js'))).rejects.toThrow(
      'expected a module that exports setup(data), got none',
    );
    await expect(trainInWorker(3 as never)).rejects.toThrow('trainInWorker: expected the URL of a module');
  });
});

/** As in pages whose policy forbids workers: some engines throw as one is made, others tell its onerror. */
describe.each(['throws', 'tells'])('trainInWorker where none can be started, of which an engine %s', (how) => {
  beforeAll(() => {
    vi.spyOn(console, 'warn').mockImplementation(() => {});
    refusing.how = how;
  });
  beforeEach(() => vi.mocked(console.warn).mockClear());
  afterAll(() => {
    refusing.how = '';
    vi.restoreAllMocks();
  });

  it('trains here to the same bits, tells callbacks, and says so once', async () => {
    const steps: number[] = [];
    const callbacks = [{ onStepEnd: ({ step }: Run) => void steps.push(step) }];
    const here = await trainInWorker(module, { data: { epochs: 2 }, callbacks });
    expect(vi.mocked(console.warn).mock.calls).toEqual([
      ['trainInWorker: this thread trains, with a turn for the page after each step, for the page forbids them'],
    ]);
    refusing.how = '';
    expect(here).toEqual(await trainInWorker(module, { data: { epochs: 2 } }));
    refusing.how = how;
    expect(steps).toEqual([...Array(14).keys()].map((i) => i + 1));
  });

  it('stops, and throws the user’s own errors', async () => {
    const stop = { onStepEnd: (run: Run) => run.stop('enough') };
    expect(await trainInWorker(module, { data: { epochs: 1e6 }, callbacks: [stop] })).toMatchObject({
      stopped: 'enough',
    });
    const early = await trainInWorker(module, { data: { epochs: 9 }, signal: AbortSignal.abort() });
    expect([early.stopped, early.steps]).toEqual(['aborted', 0]);
    await expect(trainInWorker(module, { data: { epochs: 1, what: 'throws' } })).rejects.toThrow(new TypeError('mine'));
    const mine = { onStepEnd: () => Promise.reject(new RangeError('here')) };
    await expect(trainInWorker(module, { data: { epochs: 1e6 }, callbacks: [mine] })).rejects.toThrow('here');
    const newest = (): unknown => (globalThis as { newest?: number }).newest;
    await vi.waitFor(async () => {
      const before = newest();
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(newest(), 'the training goes on').toBe(before);
    });
    const path = join(folder, 'none-here.js');
    writeFileSync(path, 'export const setup = () => ({});');
    await expect(trainInWorker(path)).rejects.toThrow('expected { trainer, loader, fit } from setup(), got no trainer');
    writeFileSync(join(folder, 'empty-here.js'), '');
    await expect(trainInWorker(join(folder, 'empty-here.js'))).rejects.toThrow(
      'a module that exports setup(data), got none',
    );
  });
});
