// Rows a second from a Parquet file to batches, beside the package that decodes it alone.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { asyncBufferFromFile, parquetMetadataAsync, parquetScan } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import * as data from 'retrograd/data';

/** 3,000,000 rows of five columns, packed by Zstandard. */
const FILE = join(dirname(createRequire(import.meta.url).resolve('vega-datasets')), '../data/flights-3m.parquet');

/** All columns of each row group, as the decoder gives them. @returns the sum of the delays */
async function alone(groups: number): Promise<number> {
  const file = await asyncBufferFromFile(FILE);
  const metadata = await parquetMetadataAsync(file);
  const { ranges, readColumn } = await parquetScan({ file, metadata, compressors });
  const names = metadata.schema.slice(1).map(({ name }) => name);
  let sum = 0;
  for (const range of ranges.slice(0, groups)) {
    const columns = await Promise.all(names.map((column) => readColumn({ ...range, column })));
    for (const delay of columns[names.indexOf('delay')] as bigint[]) sum += Number(delay);
  }
  return sum;
}

/** The same in batches of typed arrays. */
async function batches(rows: number): Promise<number> {
  let sum = 0;
  for await (const { delay } of data.parquet(FILE).take(rows).batch<{ delay: Float64Array }>(4096))
    for (const minutes of delay) sum += minutes;
  return sum;
}

export async function parquetTable(quick: boolean): Promise<string[]> {
  const metadata = await parquetMetadataAsync(await asyncBufferFromFile(FILE));
  const groups = quick ? 1 : metadata.row_groups.length;
  const rows = metadata.row_groups.slice(0, groups).reduce((sum, group) => sum + Number(group.num_rows), 0);
  const sides = { 'hyparquet alone': () => alone(groups), 'parquet().batch(4096)': () => batches(rows) };
  const best: Record<string, number> = {};
  const sums = new Set<number>();
  for (let round = 0; round < (quick ? 1 : 7); round++)
    for (const [name, side] of Object.entries(sides)) {
      const start = performance.now();
      sums.add(await side());
      best[name] = Math.min(best[name] ?? Number.POSITIVE_INFINITY, performance.now() - start);
    }
  if (sums.size > 1) throw new Error(`parquet: expected one sum of delays, got ${[...sums].join(', ')}`);
  const fastest = best['hyparquet alone'] as number;
  return [
    'Parquet, 5 columns, to             million rows/s    of alone',
    ...Object.entries(best).map(([name, ms]) => {
      const share = `${((100 * fastest) / ms).toFixed(0)} %`;
      return `${name.padEnd(36)}${(rows / ms / 1000).toFixed(2).padStart(13)}${share.padStart(12)}`;
    }),
  ];
}
