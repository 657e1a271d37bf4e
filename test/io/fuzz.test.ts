// Broken files, a short run; test/soak/files.test.ts has the long one.
import { expect, it } from 'vitest';
import { fuzzFiles } from '../support/file-fuzz.ts';
import { fileReaders } from '../support/file-readers.ts';

it.each(Object.entries(fileReaders))('%s refuses broken files by a FormatError', async (_, reader) => {
  const [read, refused] = await fuzzFiles(reader, 600, 1);
  expect(Math.min(read, refused)).toBeGreaterThan(20);
});
