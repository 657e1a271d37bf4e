// Pipelines of data: what their stages give, and that a pass that was left goes on with the very next record.
import { describe, expect, it } from 'vitest';
import * as data from '../../bindings/data/index.ts';
import { ArgumentError } from '../../bindings/index.ts';

const count = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const table = (n: number): data.Pipeline<{ x: number; s: string }> =>
  data.from({ x: Float32Array.from(count(n)), s: count(n).map(String) });

describe('stages', () => {
  it('map, filter, take and skip records in order', async () => {
    const pipeline = data
      .from(count(10))
      .map((x, i) => x * 10 + i)
      .filter(async (x) => x % 2 === 1);
    expect(await pipeline.toArray()).toEqual([11, 33, 55, 77, 99]);
    expect(await pipeline.skip(1).take(2).toArray()).toEqual([33, 55]);
  });
  it('batch', async () => {
    const [a, b] = await table(3).batch(2).toArray();
    expect(a).toEqual({ x: Float32Array.of(0, 1), s: ['0', '1'] });
    expect(b).toEqual({ x: Float32Array.of(2), s: ['2'] });
    const shuffled = await table(100).shuffle({ seed: 1 }).batch(100).unbatch<{ x: number; s: string }>().toArray();
    expect(shuffled.map(({ x }) => x).sort((a, b) => a - b)).toEqual(count(100));
    expect(shuffled.every(({ x, s }) => String(x) === s)).toBe(true);
  });
  it('refuse', () => {
    expect(() => table(3).batch(0)).toThrow(ArgumentError);
  });
});
