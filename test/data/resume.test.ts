// Any pipeline that is left anywhere goes on, from its state as JSON and in another object, with the very next record.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import * as data from '../../bindings/data/index.ts';

type Any = data.Pipeline<unknown>;
const RUNS = Number(process.env.RUNS ?? 120);
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
  (input, n) => input.repeat(n % 3),
  (input, n) => input.repeat().take(10 * n),
  (input, n) => input.concat(data.from(count(n)), input),
  (input, n) => input.zip(data.from(count(5 * n)).shuffle({ seed: n })),
  (input, n) => input.enumerate(n),
  (input, n) => input.shard(n, n - 1),
  (input) => input.cache(),
  (input, n) => input.shuffle(8, { seed: n }).cache().enumerate(n),
  (input, n) => input.interleave(data.from(count(3 * n)), input.take(4)),
  (input, n) =>
    input.interleave(data.from(count(9 * n)), { weights: [n, 3], seed: n, until: n % 2 === 0 ? 'first' : 'all' }),
  (input, n) => input.window(n, 1 + (n % 4), { dropLast: n % 2 === 0, collate: (records) => [...records] }),
  (input, n) => input.bucketByLength(sum, n, { windowSize: 3 * n, seed: n, collate: (records) => [...records] }),
  (input, n) => input.prefetch(n),
  (input, n) => data.randomSplit(input, [0.5, 0.25, 0.25], { seed: n })[n % 3] as Any,
  (input, n) =>
    (data.kFold(input.concat(data.from([1, 2])), 2, { shuffle: n % 2 === 0, seed: n })[n % 2] as [Any, Any])[0],
  (input, n) => input.shuffle(1 + 2 * n, { seed: n }),
  (input, n) => input.batch(n + 1, { collate: (records) => [...records] }),
  (input, n) => input.batch(n + 1, { dropLast: true, collate: (records) => [...records] }).unbatch(),
];

/** Stages that draw a seed of their own for each pass. */
const UNSEEDED: typeof STAGES = [
  (input, n) => input.shuffle(8).cache().enumerate(n),
  (input) => input.shuffle(),
  (input, n) => input.shuffle(2 * n),
  (input, n) => input.interleave(data.from(count(9)), data.from(count(n)), { weights: [2, 1, n % 2] }),
  (input, n) => input.bucketByLength(sum, n, { collate: (records) => [...records] }),
  (input) => input.sample(new data.RandomSampler(data.from(count(5)), { replacement: true })),
];
const ALL = [...STAGES, ...UNSEEDED];

const build = ([source, stages]: readonly [number, readonly (readonly [number, number])[]]): Any =>
  stages.reduce((input, [stage, n]) => (ALL[stage] as (typeof STAGES)[number])(input, n), SOURCES[source]?.() as Any);

const plans = (stages: number) =>
  fc.tuple(
    fc.nat(SOURCES.length - 1),
    fc.array(fc.tuple(fc.nat(stages - 1), fc.integer({ min: 1, max: 7 })), { maxLength: 5 }),
  );

it.each(STAGES.map((_, i) => [String(STAGES[i]).replace(/\s+/g, ' '), i] as const))(
  'holds at each record of two passes for %s',
  async (_, stage) => {
    for (const source of [0, 4]) {
      const plan = [source, [[stage, 3]]] as const;
      const whole = build(plan);
      const expected: unknown[] = [];
      const states: string[] = [];
      for (let pass = 0; pass < 2; pass++)
        for await (const record of whole) {
          expected.push(record);
          states.push(JSON.stringify(whole.state()));
        }
      for (const [i, state] of states.entries()) {
        const second = build(plan);
        second.loadState(JSON.parse(state));
        const rest = await second.toArray();
        if (second.state().epoch === 1) rest.push(...(await second.toArray()));
        expect(rest).toEqual(expected.slice(i + 1));
      }
    }
  },
);

it('holds for random stages over random sources, over passes', async () => {
  await fc.assert(
    fc.asyncProperty(plans(STAGES.length), fc.nat(80), async (plan, stop) => {
      const whole = build(plan);
      const expected = [...(await whole.toArray()), ...(await whole.toArray())];
      const first = build(plan);
      const seen: unknown[] = [];
      for (let pass = 0; pass < 2 && seen.length < stop; pass++)
        for await (const record of first) if (seen.push(record) >= stop) break;
      const second = build(plan);
      const state = JSON.stringify(first.state());
      expect(state.length).toBeLessThan(4000);
      second.loadState(JSON.parse(state));
      for (let pass = 0; pass < 3 && seen.length < expected.length; pass++) seen.push(...(await second.toArray()));
      expect(seen).toEqual(expected);
    }),
    { numRuns: RUNS },
  );
});

it('holds for the rest of a pass whose stages drew their seeds', async () => {
  await fc.assert(
    fc.asyncProperty(plans(ALL.length), fc.nat(40), async (plan, stop) => {
      let first: Any;
      try {
        first = build(plan);
      } catch {
        return; // a sampler of a stream
      }
      const before: unknown[] = [];
      const rest: unknown[] = [];
      let state = JSON.stringify(first.state());
      for await (const record of first) {
        (before.length < stop ? before : rest).push(record);
        if (before.length === stop && rest.length === 0) state = JSON.stringify(first.state());
      }
      if (before.length < stop || stop === 0) return;
      const second = build(plan);
      second.loadState(JSON.parse(state));
      expect(await second.toArray()).toEqual(rest);
    }),
    { numRuns: RUNS },
  );
});
