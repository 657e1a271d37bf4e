// Preparation against scikit-learn, in passes over pipelines, and as it is saved.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as data from '../../bindings/data/index.ts';
import { ArgumentError } from '../../bindings/index.ts';

const golden: Record<'x' | 'oneHot' | 'median', number[]> & Record<string, (number | null)[]> & { names: string[] } =
  JSON.parse(readFileSync(new URL('prepare.json', import.meta.url), 'utf8'));

const { missing = [], names } = golden;
const rows = data.from({
  x: golden.x,
  missing,
  names,
  date: golden.x.map((_, i) => Date.UTC(2020, i % 12, 1 + i, i % 24)),
});

/** All values that `steps` make of a column, prepared in chunks of other sizes than the rows were read in. */
async function make(column: string, steps: data.Step | data.Step[]): Promise<(number | null)[]> {
  const prepare = new data.Preparation({ out: { [column]: steps } });
  await prepare.fit(rows);
  const saved = data.Preparation.from(JSON.parse(JSON.stringify(prepare.state())));
  const values: (number | null)[] = [];
  for await (const { out } of saved.apply(rows).batch<{ out: data.NdArray }>(7))
    values.push(...Array.from(out.data as Float32Array, (x) => (Number.isNaN(x) ? null : x)));
  return values;
}

function expectClose(got: readonly (number | null)[], wanted: readonly (number | null)[], tolerance = 1e-6): void {
  expect(got).toHaveLength(wanted.length);
  for (const [i, value] of wanted.entries())
    if (value === null) expect(got[i]).toBeNull();
    else expect(Math.abs((got[i] as number) - value)).toBeLessThan(tolerance * Math.max(1, Math.abs(value)));
}

describe('steps', () => {
  it.each<[kind: string, column: string, steps: () => data.Step]>([
    ['standardize', 'missing', () => data.standardize()],
    ['minMax', 'x', () => data.minMax(-1, 3)],
    ['quantile', 'x', () => data.quantile({ points: 20 })],
    ['normal', 'x', () => data.quantile({ points: 20, normal: true })],
    ['median', 'missing', () => data.fill('median', { flag: true })],
    ['mean', 'missing', () => data.fill('mean')],
    ['oneHot', 'names', () => data.oneHot()],
  ])('make what scikit-learn does: %s', async (kind, column, steps) => {
    expectClose(await make(column, steps()), golden[kind] as (number | null)[], 2e-6);
  });

  it('come one after the other, each fitted on what those before it make', async () => {
    const filled = golden.median.filter((_, i) => i % 2 === 0).map((x) => Math.log(x as number));
    const mean = filled.reduce((a, b) => a + b, 0) / filled.length;
    const std = Math.sqrt(filled.reduce((sum, x) => sum + (x - mean) ** 2, 0) / filled.length);
    const steps = [data.fill('median'), data.log(), data.standardize()];
    expectClose(
      await make('missing', steps),
      filled.map((x) => (x - mean) / std),
    );
  });

  it('give codes by how often values come, and 0 to what is unknown', async () => {
    const prepare = new data.Preparation({
      code: { names: data.codes({ max: 2 }) },
      hash: { names: data.hashed(1000) },
    });
    await prepare.fit(rows);
    const { code, hash } = prepare.transform({ names: [...names, 'purple', null] });
    const often = [...new Set(names)].sort(
      (a, b) => names.filter((n) => n === b).length - names.filter((n) => n === a).length || (a < b ? -1 : 1),
    );
    expect(code.data).toBeInstanceOf(Int32Array);
    expect([...(code.data as Int32Array)]).toEqual([
      ...names.map((n) => (often.indexOf(n) < 2 ? often.indexOf(n) + 1 : 0)),
      0,
      0,
    ]);
    const hashes = [...(hash.data as Int32Array)];
    expect(hashes.at(-1)).toBe(0);
    expect(hashes.slice(0, -1).every((h) => h >= 1 && h < 1000)).toBe(true);
    expect(new Set(hashes).size).toBe(new Set(names).size + 2);
  });

  it('take dates apart, where the end of a period is beside its beginning', async () => {
    const prepare = new data.Preparation({ out: { date: data.dateParts('year', 'month', 'hour') } });
    const { out } = prepare.transform({
      date: [Date.UTC(2021, 3, 5, 18), '2021-04-05T18:00:00Z', null],
    });
    expect(prepare.widths).toEqual({ out: 5 });
    const values = [
      2021,
      Math.sin(Math.PI / 2),
      Math.cos(Math.PI / 2),
      Math.sin(1.5 * Math.PI),
      Math.cos(1.5 * Math.PI),
    ];
    expectClose(
      [...(out.data as Float32Array)].map((x) => (Number.isNaN(x) ? null : x)),
      [...values, ...values, ...values.map(() => null)],
    );
  });
});

describe('a preparation', () => {
  it('puts columns side by side, of numbers and of codes', async () => {
    const prepare = new data.Preparation({
      x: { x: data.standardize(), names: data.oneHot() },
      code: { names: data.codes() },
      y: { x: [data.log(1), data.standardize()] },
    });
    await prepare.fit(rows);
    expect(prepare.widths).toEqual({ x: 1 + new Set(names).size, code: 1, y: 1 });
    for await (const batch of prepare.apply(rows).batch(8).take(1)) {
      const { x, code, y } = batch;
      expect([x.shape, code.shape, y.shape]).toEqual([
        [8, 1 + new Set(names).size],
        [8, 1],
        [8, 1],
      ]);
      expectClose([...prepare.inverse('y', y.data as Float32Array)], golden.x.slice(0, 8));
    }
  });

  it('goes back by every step that has a way', async () => {
    for (const step of [
      data.standardize(),
      data.minMax(),
      data.quantile(),
      data.quantile({ normal: true }),
      data.log(),
    ]) {
      const prepare = new data.Preparation({ y: { x: step } });
      await prepare.fit(rows);
      const { y } = prepare.transform({ x: golden.x });
      expectClose([...prepare.inverse('y', y.data as Float32Array)], golden.x, 1e-4);
    }
  });

  it('says what is wrong', async () => {
    const prepare = new data.Preparation({ x: { x: data.standardize() } });
    expect(() => prepare.state()).toThrow(/before fit\(\)/);
    expect(() => prepare.transform({ x: [1] })).toThrow(ArgumentError);
    await expect(prepare.fit({} as never)).rejects.toThrow(/expected a pipeline of rows/);
    await expect(new data.Preparation({ x: { z: data.standardize() } }).fit(rows)).rejects.toThrow(
      /expected a column 'z', got x, missing, names, date/,
    );
    await expect(new data.Preparation({ x: { names: data.standardize() } }).fit(rows)).rejects.toThrow(
      /x\.names: expected numbers for standardize, got none/,
    );
    expect(() => new data.Preparation({ x: { x: data.standardize(), names: data.codes() } })).toThrow(
      /numbers or of codes/,
    );
    expect(() => new data.Preparation({ x: { x: [data.oneHot(), data.log()] } })).toThrow(/to come last/);
    expect(() => new data.Preparation({ x: { x: [] } })).toThrow(/expected steps/);
    for (const state of [{ x: { x: [{ step: 'nothing' }] } }, { x: 3 }, { x: { x: 3 } }])
      expect(() => data.Preparation.from(state as never)).toThrow(ArgumentError);
    expect(() => data.fill('most' as never)).toThrow(ArgumentError);
    expect(() => data.dateParts('century' as never)).toThrow(ArgumentError);
  });
});
