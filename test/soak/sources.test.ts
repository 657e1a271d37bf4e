// Broken files of rows, lines and arrays by the hundred thousand.
import { readFileSync } from 'node:fs';
import { it } from 'vitest';
import type { CsvOptions } from '../../bindings/data/index.ts';
import { fuzzedCsv, fuzzedSources, fuzzSource } from '../support/source-fuzz.ts';

const tables: { name: string; text: string; options: CsvOptions }[] = JSON.parse(
  readFileSync(new URL('../golden/tables.json', import.meta.url), 'utf8'),
);
const all = [
  ...Object.entries(fuzzedSources),
  ...tables.map(({ name, text, options }) => [`csv: ${name}`, fuzzedCsv(text, options)] as const),
];

it.each(all)('%s gives the same however it comes, or a FormatError', async (_, source) => {
  for (let seed = 2; seed < 12; seed++) await fuzzSource(source, 1000, seed);
});
