// Any pipeline that is left anywhere goes on, from its state as JSON and in another object, with the very next record.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import * as data from '../../bindings/data/index.ts';

type Any = data.Pipeline<unknown>;
const count = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** Something that a number is made of, whatever a record is. */
const sum = (x: unknown): number => {
  if (typeof x === 'number') return x;
  if (typeof x === 'string') return x.length;
  return typeof x === 'object' && x !== null ? Object.values(x).reduce((a: number, b) => a + sum(b), 0) : 0;
};

/** How many records columns have. */
const lengthOf = (columns: unknown): number => {
  const [first] = Array.isArray(columns) || ArrayBuffer.isView(columns) ? [columns] : Object.values(columns as object);
  return first.length ?? first.shape[0];
};

/** Where pipelines begin. */
const SOURCES: readonly (() => Any)[] = [
  () => data.from(count(23)),
  () => data.from(Int32Array.from(count(1500))),
  () => data.from({ x: Float32Array.from(count(40)), s: count(40).map((i) => 's'.repeat(i % 5)) }),
  () => data.from({ x: { data: Uint8Array.from(count(60)), shape: [20, 3] } }),
  () => data.from(() => new Set(count(31))),
  () =>
    data.from(async function* (epoch) {
      for (const i of count(29)) {
        if (i % 4 === 0) await null;
        yield { i, epoch };
      }
    }),
];

/** Stages, with a number that makes each one differ. */
const STAGES: readonly ((input: Any, n: number) => Any)[] = [
  (input, n) => input.map((x, i, epoch) => ({ x, n, i, epoch })),
  (input) => input.map(async (x, i) => [x, i]),
  (input, n) => input.filter((_, i) => i % 3 !== n % 3),
  (input, n) => input.filter(async (x) => Math.floor(sum(x)) % 4 !== n % 4),
  (input) => input.mapChunk((columns) => columns),
  (input, n) => input.filterChunk((columns, index) => count(lengthOf(columns)).map((i) => (index + i) % 3 !== n % 3)),
  (input, n) => input.take(3 * n),
  (input, n) => input.skip(n),
  (input, n) => input.shuffle({ seed: n }),
  (input, n) => input.shuffle(1 + 2 * n, { seed: n }),
  (input, n) => input.batch(n + 1, { collate: (records) => [...records] }),
  (input, n) => input.batch(n + 1, { dropLast: true, collate: (records) => [...records] }).unbatch(),
];

const build = ([source, stages]: readonly [number, readonly (readonly [number, number])[]]): Any =>
  stages.reduce(
    (input, [stage, n]) => (STAGES[stage] as (typeof STAGES)[number])(input, n),
    SOURCES[source]?.() as Any,
  );

const shape = fc.tuple(
  fc.nat(SOURCES.length - 1),
  fc.array(fc.tuple(fc.nat(STAGES.length - 1), fc.integer({ min: 1, max: 7 })), { maxLength: 6 }),
);

it('holds for random stages over random sources', async () => {
  await fc.assert(
    fc.asyncProperty(shape, fc.nat(80), async (plan, stop) => {
      const whole = build(plan);
      const expected = [...(await whole.toArray()), ...(await whole.toArray())];
      const first = build(plan);
      const seen: unknown[] = [];
      for (let pass = 0; pass < 2 && seen.length < stop; pass++)
        for await (const record of first) if (seen.push(record) >= stop) break;
      const second = build(plan);
      const state = JSON.stringify(first.state());
      expect(state.length).toBeLessThan(2000);
      second.loadState(JSON.parse(state));
      while (seen.length < expected.length) {
        const rest = await second.toArray();
        if (rest.length === 0 && second.state().epoch > 2) break;
        seen.push(...rest);
      }
      expect(seen).toEqual(expected);
    }),
    { numRuns: 300 },
  );
});
