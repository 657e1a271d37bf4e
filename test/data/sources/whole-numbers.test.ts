// Columns of whole numbers of 64 bits, in files of separated values and in JSON lines.
import { describe, expect, it } from 'vitest';
import * as data from '../../../bindings/data/index.ts';

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

async function columnsOf(rows: data.CsvPipeline): Promise<Record<string, unknown[]>> {
  const columns: Record<string, unknown[]> = {};
  for (const { name } of await rows.schema()) columns[name] = [];
  for await (const row of rows) for (const [name, value] of Object.entries(row)) columns[name]?.push(value);
  return columns;
}

describe('columns of i64', () => {
  const text =
    'id,x\n9007199254740993,1\n-9223372036854775808,2\n" +42 ",3\n1e3,4\n,5\nNA,6\n9223372036854775808,7\n1.5,8\nfive,9\n';

  it('are exact, and wrong where there is none', async () => {
    const rows = data.csv(encode(text), { types: { id: 'i64' } });
    expect(await columnsOf(rows)).toEqual({
      id: [9007199254740993n, -9223372036854775808n, 42n, 1000n],
      x: [1, 2, 3, 4],
    });
    expect(rows.report().lines.map(({ line, reason }) => `${line}: ${reason}`)).toEqual([
      '6: expected i64, got a missing value (f64 has NaN for those)',
      '7: expected i64, got a missing value (f64 has NaN for those)',
      "8: expected i64, got '9223372036854775808'",
      "9: expected i64, got '1.5'",
      "10: expected i64, got 'five'",
    ]);
  });

  it('are arrays of 64 bits in batches, of JSON lines too', async () => {
    const [batch] = await data
      .csv(encode('id\n1\n2\n'), { types: { id: 'i64' } })
      .batch(2)
      .toArray();
    expect(batch).toEqual({ id: BigInt64Array.of(1n, 2n) });
    const lines = data.jsonLines(encode('{"id": 1}\n{"id": 1e300}\n{"id": 3}\n'), { types: { id: 'i64' } });
    expect(await lines.batch(3).toArray()).toEqual([{ id: BigInt64Array.of(1n, 3n) }]);
    expect(lines.report().lines).toEqual([{ line: 2, column: 'id', reason: 'expected i64, got 1e+300' }]);
  });
});
