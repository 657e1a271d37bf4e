// Broken files of other programs by the hundred thousand.
import { afterAll, beforeAll, it } from 'vitest';
import { init, shutdown } from '../../bindings/index.ts';
import { fuzzFiles } from '../support/file-fuzz.ts';
import { fileReaders } from '../support/file-readers.ts';

// Models have a memory: one that is small, which no broken config may fill.
beforeAll(() => init({ simd: 'strict', threads: 1, maxBytes: 2 ** 24 }));
afterAll(() => shutdown());

it.each(Object.entries(fileReaders))('%s refuses broken files by a FormatError', async (_, reader) => {
  for (let seed = 2; seed < 22; seed++) await fuzzFiles(reader, 5000, seed);
});
