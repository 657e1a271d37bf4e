// Searches: their draws, what is stopped, and that they go on where they ended, in this thread and in others.
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { ArgumentError, WorkerError } from '../../bindings/index.ts';
import { choice, int, logUniform, type Trial, type TrialRecord, tune, uniform } from '../../bindings/train/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'tune-'));
afterAll(() => rmSync(folder, { recursive: true }));

const space = {
  lr: logUniform(1e-5, 1),
  layers: int(1, 4),
  act: choice(['relu', 'tanh', 'gelu']),
  drop: uniform(0, 0.5),
};
/** Least at lr 0.01, 2 layers, tanh and 0.1. */
const bowl = ({ lr, layers, act, drop }: { lr: number; layers: number; act: string; drop: number }): number =>
  (Math.log10(lr) + 2) ** 2 + (layers - 2) ** 2 + (act === 'tanh' ? 0 : 1) + 10 * (drop - 0.1) ** 2;

describe('draws', () => {
  it('lie where they may, and are the same for the same seed', async () => {
    const first = await tune(space, bowl, { trials: 40, seed: 3 });
    for (const { config } of first.trials) {
      expect(config.lr).toBeGreaterThanOrEqual(1e-5);
      expect(config.lr).toBeLessThanOrEqual(1);
      expect([1, 2, 3, 4]).toContain(config.layers);
      expect(['relu', 'tanh', 'gelu']).toContain(config.act);
      expect(config.drop).toBeLessThanOrEqual(0.5);
    }
    const configs = (found: typeof first): unknown[] => found.trials.map(({ config }) => config);
    expect(configs(await tune(space, bowl, { trials: 40, seed: 3 }))).toEqual(configs(first));
    expect(configs(await tune(space, bowl, { trials: 40, seed: 4 }))).not.toEqual(configs(first));
    const values = first.trials.map(({ value }) => value as number);
    expect(first.best?.value).toBe(Math.min(...values));
  });

  it('are even over their ranges', async () => {
    const even = {
      u: uniform(-2, 6),
      l: logUniform(1, 1e4),
      i: int(0, 3),
      log: int(1, 8, { log: true }),
      c: choice(['a', 'b']),
    };
    const { trials } = await tune(even, () => 0, { trials: 2000, sampler: 'random' });
    const share = (test: (config: (typeof trials)[number]['config']) => boolean): number =>
      trials.filter(({ config }) => test(config)).length / trials.length;
    expect(share(({ u }) => u < 0)).toBeCloseTo(0.25, 1);
    expect(share(({ l }) => l < 10)).toBeCloseTo(0.25, 1);
    for (const i of [0, 1, 2, 3]) expect(share((config) => config.i === i)).toBeCloseTo(0.25, 1);
    expect(share(({ log }) => log <= 2)).toBeCloseTo(Math.log(2.5 / 0.5) / Math.log(8.5 / 0.5), 1);
    expect(share(({ c }) => c === 'a')).toBeCloseTo(0.5, 1);
  });

  it('depend on those before, as functions say', async () => {
    const conditional = {
      optimizer: choice(['sgd', 'adam']),
      momentum: ({ optimizer }: { optimizer: string }) => (optimizer === 'sgd' ? uniform(0, 1) : undefined),
      batch: 32,
    };
    const { trials } = await tune(conditional, ({ momentum }) => (momentum as number | undefined) ?? 0.5, {
      trials: 30,
    });
    for (const { config } of trials) {
      expect('momentum' in config).toBe(config.optimizer === 'sgd');
      expect(config.batch).toBe(32);
    }
    expect(new Set(trials.map(({ config }) => config.optimizer)).size).toBe(2);
  });

  it("by 'tpe' find better values than those at random", async () => {
    let better = 0;
    for (let seed = 0; seed < 8; seed++) {
      const [tpe, random] = await Promise.all(
        (['tpe', 'random'] as const).map((sampler) => tune(space, bowl, { trials: 60, seed, sampler })),
      );
      if ((tpe?.best?.value as number) < (random?.best?.value as number)) better++;
    }
    expect(better).toBeGreaterThanOrEqual(7);
  });

  it('may be sought the greatest of', async () => {
    const { best, trials } = await tune(space, (config) => -bowl(config), { trials: 30, direction: 'max' });
    expect(best?.value).toBe(Math.max(...trials.map(({ value }) => value as number)));
  });
});

/** Falls towards its asymptote, which the hyperparameter is. */
async function curve({ x }: { x: number }, trial: Trial): Promise<number> {
  let value = 0;
  for (let step = 1; step <= 27; step++) {
    value = x + 1 / step;
    if (!(await trial.report(step, value))) return value;
  }
  return value;
}

describe('schedulers', () => {
  it.each(['asha', 'hyperband'] as const)('%s stops most, and finds the best', async (scheduler) => {
    const all = await tune({ x: uniform(0, 1) }, curve, { trials: 40, sampler: 'random' });
    const some = await tune({ x: uniform(0, 1) }, curve, { trials: 40, sampler: 'random', scheduler });
    const steps = (found: typeof all): number => found.trials.reduce((sum, { reports }) => sum + reports.length, 0);
    expect(steps(all)).toBe(40 * 27);
    expect(steps(some)).toBeLessThan(0.5 * steps(all));
    expect(some.best?.state).toBe('finished');
    // Among the best of all, though most were stopped early.
    const sorted = all.trials.map(({ value }) => value as number).sort((a, b) => a - b);
    expect(some.best?.value as number).toBeLessThanOrEqual(sorted[3] as number);
    // Stopped at rungs, none of them later than the last.
    const ends = some.trials.filter(({ state }) => state === 'stopped').map(({ reports }) => reports.length);
    expect(ends.filter((step) => ![1, 3, 9].includes(step))).toEqual([]);
  });
});

describe('a file', () => {
  it('has numbers that are not finite too', async () => {
    const file = join(folder, 'wrong.jsonl');
    const options = { trials: 16, scheduler: 'asha', maxResource: 9 } as const;
    const wrong = async (_: unknown, trial: Trial): Promise<number> => {
      const value = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 16 - trial.id][
        trial.id % 4
      ] as number;
      for (const step of [1, 3, 9]) if (!(await trial.report(step, value))) break;
      return value;
    };
    const told = ({ trials }: { readonly trials: readonly TrialRecord[] }): unknown =>
      trials.map(({ seconds: _, ...trial }) => trial);
    const whole = await tune(space, wrong, options);
    await tune(space, wrong, { ...options, trials: 9, file });
    expect(told(await tune(space, wrong, { ...options, file }))).toEqual(told(whole));
  });

  it('has each trial, and the search goes on with the others', async () => {
    const file = join(folder, 'deep', 'trials.jsonl');
    const options = { trials: 30, seed: 5, scheduler: 'asha' } as const;
    const whole = await tune(space, bowl, options);
    let ran = 0;
    const counted = (config: Parameters<typeof bowl>[0]): number => {
      ran++;
      return bowl(config);
    };
    await tune(space, counted, { ...options, trials: 12, file });
    expect(readFileSync(file, 'utf8').trimEnd().split('\n')).toHaveLength(13);
    appendFileSync(file, '{"trial":12,"config":{"lr"'); // a process that was killed
    const resumed = await tune(space, counted, { ...options, file });
    expect(ran).toBe(30);
    expect(resumed.trials.map(({ config, value }) => ({ config, value }))).toEqual(
      whole.trials.map(({ config, value }) => ({ config, value })),
    );
    await expect(tune(space, bowl, { ...options, seed: 6, file })).rejects.toThrow(/of this search.*take another file/);
    writeFileSync(file, readFileSync(file, 'utf8').replace('{"trial":3', '"trial":3'));
    await expect(tune(space, bowl, { ...options, file })).rejects.toThrow(/a trial in line \d+/);
  });
});

describe('failures', () => {
  it('are noted, and end a search of which nothing else comes', async () => {
    const seen: string[] = [];
    const run = ({ x }: { x: number }): number => {
      if (x > 0.5) throw new RangeError('too large');
      return x;
    };
    const { trials, best } = await tune({ x: uniform(0, 1) }, run, {
      trials: 20,
      onTrial: ({ state }) => void seen.push(state),
    });
    const failed = trials.filter(({ state }) => state === 'failed');
    expect(failed.length).toBeGreaterThan(0);
    expect(failed[0]).toMatchObject({ value: null, error: 'RangeError: too large' });
    expect(best?.value as number).toBeLessThan(0.5);
    expect(seen).toEqual(trials.map(({ state }) => state));
    await expect(
      tune({ x: uniform(0, 1) }, () => {
        throw new RangeError('always');
      }),
    ).rejects.toThrow('always');
    await expect(tune({ x: uniform(0, 1) }, (() => 'one') as never)).rejects.toThrow('expected a number from run');
    await expect(tune({ x: 1 }, async (_, trial) => Number(await trial.report(0, 1)))).rejects.toThrow(
      'steps that grow',
    );
  });

  it('are told of spaces and options', async () => {
    expect(() => uniform(1, 1)).toThrow(ArgumentError);
    expect(() => logUniform(0, 1)).toThrow('both above 0');
    expect(() => int(0, 4, { log: true })).toThrow('from 1');
    expect(() => choice([])).toThrow('at least one option');
    await expect(tune(space, bowl, { trials: 0 })).rejects.toThrow('trials >= 1');
    await expect(tune(space, bowl, { reductionFactor: 1 })).rejects.toThrow('reductionFactor >= 2');
  });
});

describe('worker threads', () => {
  const module = join(folder, 'trial.mjs');
  writeFileSync(
    module,
    `import { threadId } from 'node:worker_threads';
export async function run({ x, how }, trial) {
  if (how === 'throws' && trial.id === 1) throw new TypeError('mine');
  if (how === 'exits') process.exit(3);
  let value = 0;
  for (let step = 1; step <= 27; step++) if (!(await trial.report(step, value = x + 1 / step))) break;
  await new Promise((resolve) => setTimeout(resolve, 5));
  return how === 'thread' ? threadId : value;
}`,
  );

  it('run the same trials, several at once', async () => {
    const options = { trials: 12, sampler: 'random' } as const;
    const here = await tune({ x: uniform(0, 1) }, curve, options);
    const there = await tune({ x: uniform(0, 1) }, pathToFileURL(module), { ...options, workers: 2 });
    expect(there.trials.map(({ config, value, reports }) => ({ config, value, reports }))).toEqual(
      here.trials.map(({ config, value, reports }) => ({ config, value, reports })),
    );
    const threads = await tune({ x: 0, how: 'thread' }, module, { ...options, workers: 2 });
    expect(new Set(threads.trials.map(({ value }) => value)).size).toBe(2);
    const stopped = await tune({ x: uniform(0, 1) }, module, { ...options, scheduler: 'asha' });
    expect(stopped.trials.some(({ state }) => state === 'stopped')).toBe(true);
  });

  it('tell what went wrong', async () => {
    const { trials } = await tune({ x: uniform(0, 1), how: 'throws' }, module, { trials: 3 });
    expect(trials[1]).toMatchObject({ state: 'failed', error: 'TypeError: mine' });
    await expect(tune({ x: 1, how: 'exits' }, module, { trials: 2 })).rejects.toThrow(WorkerError);
    await expect(tune({ x: 1 }, join(folder, 'none.mjs'), { trials: 2 })).rejects.toThrow(/none\.mjs/);
  });
});

it('is shown as a table, a picture and a page', async () => {
  const found = await tune(space, bowl, { trials: 25 });
  const lines = String(found).split('\n');
  expect(lines[0]).toMatch(/^trial +value +state +lr +layers +act +drop +time$/);
  expect(lines).toHaveLength(11);
  const svg = found.toSvg();
  expect(svg.match(/fill="none" stroke="var/g)).toHaveLength(25);
  for (const name of ['lr', 'layers', 'act', 'drop', 'value', 'relu']) expect(svg).toContain(`>${name}<`);
  expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  const html = found.toHtml();
  expect(html).toContain(svg);
  expect(html).not.toMatch(/<script|https?:/);
  const odd = await tune({ same: 1, evil: '<b>' }, () => 1, { trials: 2 });
  expect(odd.toSvg()).not.toMatch(/NaN|<b>/);
});
