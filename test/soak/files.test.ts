// Broken files of other programs by the hundred thousand.
import { it } from 'vitest';
import { fuzzFiles } from '../support/file-fuzz.ts';
import { fileReaders } from '../support/file-readers.ts';

it.each(Object.entries(fileReaders))('%s refuses broken files by a FormatError', async (_, reader) => {
  for (let seed = 2; seed < 42; seed++) await fuzzFiles(reader, 5000, seed);
});
