// node csv-sides.js SIDE FILE check|time: reads a file of separated values by one side and prints what it was and took.
import { createReadStream } from 'node:fs';
import { parse } from 'csv-parse';
import papaparse from 'papaparse';
import { csv } from 'retrograd/data';
import { inferSchema, initParser } from 'udsv';

/**
 * What a side has read: how many rows, the sum of their prices where that is asked for, and at what cost: seconds of
 * processors, and the most memory.
 */
export interface Answer {
  readonly rows: number;
  readonly sum: number;
  readonly seconds: number;
  readonly peak: number;
}

type Side = (file: string, checks: boolean) => Promise<[rows: number, sum: number]>;

/** The place of the price in a row. */
const PRICE = 1;
const BYTES = { highWaterMark: 1 << 18 };

/** Rows that a parser gives, after the one of names. */
class Count {
  rows = -1;
  sum = 0;

  constructor(readonly checks: boolean) {}

  add(rows: readonly (readonly unknown[])[]): void {
    if (this.checks) for (const [i, row] of rows.entries()) if (this.rows + i >= 0) this.sum += Number(row[PRICE]);
    this.rows += rows.length;
  }
}

const byUdsv =
  (kind: 'stringArrs' | 'typedArrs'): Side =>
  async (file, checks) => {
    const count = new Count(checks);
    count.rows = 0; // its names are none of its rows
    let parser: ReturnType<typeof initParser> | undefined;
    for await (const chunk of createReadStream(file, { ...BYTES, encoding: 'utf8' })) {
      parser ??= initParser(inferSchema(chunk as string));
      parser.chunk<unknown[]>(chunk as string, parser[kind] as never, (row) => {
        count.rows++;
        if (checks) count.sum += Number(row[PRICE]);
      });
    }
    parser?.end();
    return [count.rows, count.sum];
  };

const sides = {
  batches: async (file: string, checks: boolean) => {
    let [rows, sum] = [0, 0];
    for await (const { price } of csv(file).batch<{ price: Float32Array }>(1024)) {
      rows += price.length;
      if (checks) sum += price.reduce((a, b) => a + b, 0);
    }
    return [rows, sum];
  },
  columns: async (file: string, checks: boolean) => {
    let [rows, sum] = [0, 0];
    // Leaves all rows out, once it has their columns.
    const none = csv(file).filterChunk((({ price }: { price: Float32Array }) => {
      rows += price.length;
      if (checks) sum += price.reduce((a, b) => a + b, 0);
      return new Uint8Array(price.length);
    }) as never);
    for await (const _ of none);
    return [rows, sum];
  },
  udsv: byUdsv('stringArrs'),
  'udsv-typed': byUdsv('typedArrs'),
  papaparse: (file: string, checks: boolean) =>
    new Promise<[number, number]>((resolve, reject) => {
      const count = new Count(checks);
      papaparse.parse<string[]>(createReadStream(file, { ...BYTES, encoding: 'utf8' }), {
        skipEmptyLines: true,
        chunk: ({ data }) => count.add(data),
        complete: () => resolve([count.rows, count.sum]),
        error: reject,
      });
    }),
  'csv-parse': async (file: string, checks: boolean) => {
    const count = new Count(checks);
    for await (const row of createReadStream(file, BYTES).pipe(parse())) count.add([row as string[]]);
    return [count.rows, count.sum];
  },
} satisfies Record<string, Side>;

export type SideName = keyof typeof sides;

const [, , name, file, how] = process.argv as [string, string, SideName, string, string];
const before = process.cpuUsage();
const [rows, sum] = await (sides[name] as Side)(file, how === 'check');
const { user, system } = process.cpuUsage(before);
const seconds = (user + system) / 1e6;
const answer: Answer = { rows, sum, seconds, peak: process.resourceUsage().maxRSS * 1024 };
console.log(JSON.stringify(answer));
