// Files of sources with bytes that changed: however they come, whole or in small pieces, packed or not, they give the
// same records and the same wrong lines, or the same FormatError; soon.
import { gzipSync } from 'node:zlib';
import { expect } from 'vitest';
import * as data from '../../bindings/data/index.ts';
import { FormatError } from '../../bindings/index.ts';
import { randomNumbers } from './random.ts';

/** A source, and a file of it. */
export interface FuzzedSource {
  readonly bytes: Uint8Array;
  readonly read: (source: data.ByteSource) => Promise<unknown>;
}

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The most bytes of a record: less than the files have, so that it counts. */
const MOST = 300;

const lines = 'one\ntwo\r\n\n{"x": 1, "s": "a", "d": "2020-01-01"}\n{"x": null}\n{"x": 2.5, "s": "grün"}\n';
const idx = Uint8Array.of(0, 0, 11, 2, 0, 0, 0, 3, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
const npyOf = (descr: string, fortran: string, shape: string, numbers: string): Uint8Array =>
  Uint8Array.from(
    `\x93NUMPY\x01\x00v\0${`{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': ${shape}, }`.padEnd(117)}\n${numbers}`,
    (c) => c.charCodeAt(0),
  );
const npy = npyOf('<f4', 'False', '(2, 1)', '\0\0\x80?\0\0\0@');
const halves = npyOf('>f2', 'True', '(2, 3)', '0\0<\0@\0B\0D\0E\0');
const wide = Uint8Array.from([...`\ufeff${lines}`].flatMap((c) => [c.charCodeAt(0) & 255, c.charCodeAt(0) >> 8]));

const recordsAndReport = async (pipeline: data.LinesPipeline<unknown>): Promise<unknown> => [
  await pipeline.toArray(),
  pipeline.report(),
];

export const fuzzedSources: Readonly<Record<string, FuzzedSource>> = {
  lines: { bytes: encode(lines), read: (source) => recordsAndReport(data.lines(source, { maxRecord: 20 })) },
  jsonLines: { bytes: encode(lines), read: (source) => recordsAndReport(data.jsonLines(source)) },
  'jsonLines with types': {
    bytes: encode(lines),
    read: (source) =>
      recordsAndReport(
        data.jsonLines(source, { types: { x: 'f32', s: 'string', d: 'date' } }) as data.LinesPipeline<unknown>,
      ),
  },
  characters: { bytes: encode('aé€🙂 grün\n'), read: (source) => data.characters(source).toArray() },
  idx: { bytes: idx, read: async (source) => (await data.idx(source)).toArray() },
  npy: { bytes: npy, read: async (source) => (await data.npy(source)).toArray() },
  'npy of half floats in Fortran order': { bytes: halves, read: async (source) => (await data.npy(source)).toArray() },
  'lines in UTF-16': { bytes: wide, read: (source) => recordsAndReport(data.lines(source, { maxRecord: 20 })) },
  'csv with i64': {
    bytes: encode('9007199254740993,1\n-2,2\n" +42 ",3\n,4\n1e3,5\n'),
    read: (source) =>
      recordsAndReport(data.csv(source, { header: ['id', 'x'], types: { id: 'i64', x: 'f32' } }) as never),
  },
  'packed lines': { bytes: gzipSync(lines), read: (source) => recordsAndReport(data.lines(source)) },
};

/** Files of separated values. */
export const fuzzedCsv = (text: string, options: data.CsvOptions): FuzzedSource => ({
  bytes: encode(text),
  read: async (source) => {
    const rows = data.csv(source, { ...options, maxRecord: MOST });
    return [await rows.toArray(), rows.report()];
  },
});

function mutated(given: Uint8Array, below: (n: number) => number): Uint8Array {
  const bytes = given.slice();
  for (let i = 0; i < 1 + below(6); i++) {
    const at = below(bytes.length);
    const kind = below(4);
    if (kind === 0) bytes[at] = '",\n\r;\t x1{}'.charCodeAt(below(11));
    else if (kind === 1) bytes[at] = below(256);
    else if (kind === 2) bytes.copyWithin(at, below(bytes.length), below(bytes.length));
    else bytes[at] = (bytes[at] as number) ^ (1 << below(8));
  }
  return bytes.subarray(0, below(4) === 0 ? below(bytes.length) : bytes.length);
}

const pieces = (bytes: Uint8Array, size: number) =>
  async function* () {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  };

/** Tries `count` mutants. @returns how many were read, and how many refused */
export async function fuzzSource(
  { bytes, read }: FuzzedSource,
  count: number,
  seed: number,
): Promise<[number, number]> {
  const below = randomNumbers(seed);
  const outcome: [number, number] = [0, 0];
  const answer = async (source: data.ByteSource): Promise<unknown> => {
    try {
      return await read(source);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      return error.message;
    }
  };
  for (let i = 0; i < count; i++) {
    const mutant = mutated(bytes, below);
    const whole = await answer(pieces(mutant, 1 << 20));
    // An engine's own unpacker says what is wrong in words that depend on the pieces.
    const one = typeof whole === 'string' ? whole.replace(/got damage.*/, '') : whole;
    const other = await answer(pieces(mutant, 1 + below(9)));
    expect(typeof other === 'string' ? other.replace(/got damage.*/, '') : other).toEqual(one);
    outcome[typeof whole === 'string' ? 1 : 0]++;
  }
  return outcome;
}
