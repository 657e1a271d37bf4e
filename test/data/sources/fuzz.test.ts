// Files of rows, lines and arrays with bytes that changed; `npm run test:soak` has more of them.
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { CsvOptions } from '../../../bindings/data/index.ts';
import { fuzzedCsv, fuzzedSources, fuzzSource } from '../../support/source-fuzz.ts';

const tables: { name: string; text: string; options: CsvOptions }[] = JSON.parse(
  readFileSync(new URL('../../golden/tables.json', import.meta.url), 'utf8'),
);
const all = [
  ...Object.entries(fuzzedSources),
  ...tables.map(({ name, text, options }) => [`csv: ${name}`, fuzzedCsv(text, options)] as const),
];

it.each(all)('%s gives the same however it comes, or a FormatError', async (_, source) => {
  const [read, refused] = await fuzzSource(source, 25, 1);
  expect(read + refused).toBe(25);
});
