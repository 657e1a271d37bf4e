// Pipelines in worker threads: the same records as without them, resumed to the bit, and errors that name the record.
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import * as data from '../../bindings/data/index.ts';
import { WorkerError } from '../../bindings/index.ts';
import type { Wish } from './worker-module.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
let folder: string;
let module: string;

beforeAll(async () => {
  folder = mkdtempSync(join(ROOT, 'build', '.workers-'));
  module = join(folder, 'worker.js');
  const bundle = await rolldown({ input: join(ROOT, 'test/data/worker-module.ts'), platform: 'node', tsconfig: false });
  await bundle.write({ dir: folder, format: 'esm', entryFileNames: 'worker.js' });
  await bundle.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Batch {
  readonly x: Float32Array;
  readonly epoch: Float32Array;
  readonly image: data.NdArray<Float32Array>;
}
const make = (workers: number, wish: Partial<Wish> = {}, depth = 2): data.Pipeline<Batch> =>
  data.fromWorkers<Batch>(module, { workers, depth, data: { rows: 50, batch: 4, ...wish } });
const numbers = (batches: readonly Batch[]): number[][] => batches.map(({ x }) => [...x]);

/** A pipeline that draws what another one draws. */
const like = (pipeline: data.Pipeline<Batch>, other: data.Pipeline<Batch>): data.Pipeline<Batch> => {
  const { seeds } = other.state();
  pipeline.loadState({ ...pipeline.state(), seeds });
  return pipeline;
};

describe('workers', () => {
  it('give what this thread gives, in one order, all memory their own', async () => {
    const alone = make(0);
    const expected = [await alone.toArray(), await alone.toArray()];
    expect(
      numbers(expected[0] as Batch[])
        .flat()
        .sort((a, b) => a - b),
    ).toEqual(Array.from({ length: 50 }, (_, i) => i));
    expect(expected[0]).not.toEqual(expected[1]);
    for (const workers of [1, 3]) {
      const pipeline = make(workers);
      pipeline.loadState({ ...pipeline.state(), seeds: alone.state().seeds });
      expect([await pipeline.toArray(), await pipeline.toArray()]).toEqual(expected);
    }
    expect((expected[1] as Batch[])[0]?.image).toMatchObject({ shape: [4, 8, 8] });
    expect((expected[1] as Batch[])[0]?.epoch[0]).toBe(1);
  });

  it('go on from a state with the very next batch', async () => {
    const whole = make(2);
    const expected = numbers([...(await whole.toArray()), ...(await whole.toArray())]);
    for (const stop of [1, 15]) {
      const first = like(make(2), whole);
      const seen: number[][] = [];
      for (let pass = 0; pass < 2 && seen.length < stop; pass++)
        for await (const { x } of first) if (seen.push([...x]) >= stop) break;
      const second = make(2);
      second.loadState(JSON.parse(JSON.stringify(first.state())));
      for (let pass = 0; pass < 3 && seen.length < expected.length; pass++)
        seen.push(...numbers(await second.toArray()));
      expect(seen).toEqual(expected);
    }
    expect(() => make(3).loadState(whole.state())).toThrow(
      /expected a state of fromWorkers\[3\], got one of 'fromWorkers\[2\]'/,
    );
  });

  it('wait where nobody takes', async () => {
    const made = new Int32Array(new SharedArrayBuffer(4));
    let taken = 0;
    for await (const _ of make(1, { rows: 4000, made }, 3)) {
      if (++taken < 5) continue;
      await new Promise((resolve) => setTimeout(resolve, 200));
      break;
    }
    expect(made[0]).toBe(4 * (5 + 3));
  });

  it.each<[NonNullable<Wish['what']>, RegExp]>([
    ['throws', /^fromWorkers: expected worker [12] of 2 to go on, got TypeError at record \d+: mine$/],
    ['rejects', /^fromWorkers: expected worker [12] of 2 to go on, got RangeError at record \d+: late$/],
    [
      'exits',
      /^fromWorkers: expected worker [12] of 2 to go on, got its end at record \d+ of a map\(\), behind \d+ of its share: it ended with exit code 3$/,
    ],
    [
      'breaks',
      /^fromWorkers: expected worker [12] of 2 to go on, got its end at record \d+ of a map\(\), behind \d+ of its share: loose$/,
    ],
  ])('that %s are told of, with the record', async (what, message) => {
    const pipeline = make(2, { rows: 4000, at: 40, what });
    const error: Error = await pipeline.toArray().then(
      () => new Error('none'),
      (caught: Error) => caught,
    );
    expect(error).toBeInstanceOf(WorkerError);
    expect(error.message).toMatch(message);
    if (what === 'throws') expect((error.cause as Error).stack).toMatch(/worker\.js/);
  });

  it('that are not as they should be are told of', async () => {
    for (const workers of [0, 1])
      await expect(data.fromWorkers(join(folder, 'none.js'), { workers }).toArray()).rejects.toThrow(/none\.js/);
    await expect(data.fromWorkers('data:text/javascript,0', { workers: 0 }).toArray()).rejects.toThrow(/exports setup/);
    await expect(data.fromWorkers('data:text/javascript,0').toArray()).rejects.toThrow(/exports setup/);
    expect(() => data.fromWorkers('x', { workers: -1 })).toThrow(/^fromWorkers: expected workers >= 0/);
  });

  it('that cannot start leave their work to this thread, which says so', async () => {
    const told = vi.spyOn(console, 'warn').mockImplementation(() => {});
    const pipeline = data.fromWorkers<Batch>(module, { data: { rows: 8, batch: 4, cannot: () => 'be cloned' } });
    expect(await pipeline.toArray()).toHaveLength(2);
    expect(String(told.mock.calls[0])).toMatch(
      /^fromWorkers: this thread does the work of 1 workers, for they can't start/,
    );
    told.mockRestore();
  });
});
