// What describe() tells of a source.
import { expect, it } from 'vitest';
import { describe, from } from '../../bindings/data/index.ts';
import { ArgumentError } from '../../bindings/index.ts';
import { randomNumbers } from '../support/random.ts';

const random = randomNumbers(5);
const n = 4000;
const price = Float32Array.from({ length: n }, (_, i) => (i % 10 === 0 ? Number.NaN : random(1000) / 10));
const kind = Array.from({ length: n }, (_, i) => (i % 5 === 0 ? null : ['a', 'b<&"', 'a'][i % 3]));
const label = Int32Array.from({ length: n }, (_, i) => i % 3);
const image = { data: new Uint8Array(n * 4).map((_, i) => i % 251), shape: [n, 1, 2, 2] };
const source = from({ price, kind, label, image });

it('tells types, ranges, what is missing and how often values come', async () => {
  const { rows, whole, columns } = await describe(source);
  expect({ rows, whole }).toEqual({ rows: n, whole: true });
  const [first, second, third, fourth] = columns as never as Record<string, never>[] & [never, never, never, never];
  const known = price.filter((x) => !Number.isNaN(x));
  const mean = known.reduce((a, b) => a + b, 0) / known.length;
  expect(first).toMatchObject({ name: 'price', type: 'number', missing: n / 10 });
  const { numbers } = first as {
    numbers: { min: number; max: number; mean: number; std: number; quartiles: number[]; histogram: number[] };
  };
  expect(numbers.mean).toBeCloseTo(mean, 6);
  expect([numbers.min, numbers.max]).toEqual([Math.min(...known), Math.max(...known)]);
  expect(numbers.std).toBeCloseTo(Math.sqrt(known.reduce((sum, x) => sum + (x - mean) ** 2, 0) / known.length), 5);
  expect(numbers.quartiles[1]).toBeCloseTo([...known].sort((a, b) => a - b)[known.length / 2] as number, 0);
  expect(numbers.histogram.reduce((a, b) => a + b, 0)).toBe(known.length);
  expect(second).toMatchObject({ name: 'kind', type: 'string', missing: n / 5, distinct: 2, numbers: null });
  const count = (value: string): number => kind.filter((each) => each === value).length;
  expect((second as { frequent: unknown }).frequent).toEqual([
    ['a', count('a')],
    ['b<&"', count('b<&"')],
  ]);
  expect(third).toMatchObject({ distinct: 3, missing: 0 });
  expect(fourth).toMatchObject({ type: 'array [1, 2, 2]', distinct: null });
});

it('shows it as a table and as a page of its own', async () => {
  const found = await describe(source, { limit: 100 });
  expect(found).toMatchObject({ rows: 100, whole: false });
  const lines = String(found).split('\n');
  expect(lines[0]).toBe('100 records, and more');
  expect(lines[1]).toMatch(/^column +type +missing +distinct +values$/);
  expect(lines).toHaveLength(2 + 4);
  const html = found.toHtml();
  expect(html).toMatch(/^<!doctype html>/);
  expect(html.match(/<svg/g)).toHaveLength(4);
  expect(html).toContain('b&#60;&#38;&#34;');
  expect(html).not.toMatch(/https?:|<script|src=/);
});

it('takes records of any kind', async () => {
  const { columns } = await describe(
    from([
      [1, 'x'],
      [2, 'y'],
      [Number.NaN, 'y'],
    ]),
  );
  expect(columns.map(({ name, type, missing }) => [name, type, missing])).toEqual([
    ['0', 'number', 1],
    ['1', 'string', 0],
  ]);
  expect((await describe(from([3, 4, 4]))).columns[0]).toMatchObject({ name: '', type: 'number', distinct: 2 });
  await expect(describe([1] as never)).rejects.toThrow(ArgumentError);
  await expect(describe(source, { limit: 0 })).rejects.toThrow(ArgumentError);
});
