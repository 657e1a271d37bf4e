// Broken files, a short run; test/soak/files.test.ts has the long one.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { init, shutdown } from '../../bindings/index.ts';
import { fuzzFiles } from '../support/file-fuzz.ts';
import { fileReaders } from '../support/file-readers.ts';

// Models have a memory: one that is small, which no broken config may fill.
beforeAll(() => init({ simd: 'strict', threads: 1, maxBytes: 2 ** 24 }));
afterAll(() => shutdown());

it.each(Object.entries(fileReaders))('%s refuses broken files by a FormatError', async (_, reader) => {
  const [read, refused] = await fuzzFiles(reader, 600, 1);
  expect(Math.min(read, refused)).toBeGreaterThan(20);
});
