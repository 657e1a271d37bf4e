// Files of other programs with bytes that changed: readers answer, or throw a FormatError, soon and in little memory.
import { expect } from 'vitest';
import { FormatError } from '../../bindings/index.ts';
import { file } from './files.ts';
import { randomNumbers } from './random.ts';

/** A reader, and files that it reads. */
export interface Reader {
  readonly read: (bytes: Uint8Array<ArrayBuffer>) => unknown;
  readonly files: readonly string[];
  /** The most bytes of numbers that it may make of each byte of a file. */
  readonly most: number;
}

/** Bytes of all arrays in `value`, each buffer once. */
function bytesIn(value: unknown): number {
  const seen = new Set<unknown>();
  const todo = [value];
  let bytes = 0;
  while (todo.length > 0) {
    const x = todo.pop();
    if (typeof x !== 'object' || x === null || seen.has(x)) continue;
    seen.add(x);
    if (!ArrayBuffer.isView(x)) todo.push(...(x instanceof Set ? x : Object.values(x)));
    else if (!seen.has(x.buffer)) {
      seen.add(x.buffer);
      bytes += x.buffer.byteLength;
    }
  }
  return bytes;
}

/** One change, of those that find most. */
function mutate(given: Uint8Array<ArrayBuffer>, kind: number, below: (n: number) => number): Uint8Array<ArrayBuffer> {
  const bytes = given;
  const at = below(bytes.length);
  if (kind === 0) return bytes.slice(0, at);
  if (kind === 1) return Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(below(bytes.length))]);
  if (kind === 2) bytes.copyWithin(at, below(bytes.length), below(bytes.length));
  else if (kind === 3) bytes.fill(255, at, at + 1 + below(8));
  else if (kind === 4) bytes.fill(0, at, at + 1 + below(8));
  else if (kind < 7) bytes[at] = below(256);
  else bytes[at] = (bytes[at] as number) ^ (1 << below(8));
  return bytes;
}

/** Seconds that a file of some kilobytes may take at most; the machine may be busy. */
const MOST_SECONDS = 2;

/**
 * Tries `count` mutants.
 * @returns how many were read, and how many refused
 */
export async function fuzzFiles({ read, files, most }: Reader, count: number, seed: number): Promise<[number, number]> {
  const below = randomNumbers(seed);
  const outcome: [number, number] = [0, 0];
  const originals = files.map(file);
  for (let i = 0; i < count; i++) {
    const original = originals[i % files.length] as Uint8Array<ArrayBuffer>;
    let bytes = Uint8Array.from(original);
    for (let change = 0; change <= below(3) && bytes.length > 0; change++) bytes = mutate(bytes, below(12), below);
    const told = `${files[i % files.length]}, ${i} of seed ${seed}`;
    const started = process.cpuUsage();
    try {
      const value = await read(bytes);
      expect(bytesIn(value), told).toBeLessThan(most * original.length + 2 ** 21);
      outcome[0]++;
    } catch (error) {
      if (!(error instanceof FormatError)) throw new Error(told, { cause: error });
      outcome[1]++;
    }
    const { user, system } = process.cpuUsage(started);
    expect((user + system) / 1e6, told).toBeLessThan(MOST_SECONDS);
  }
  return outcome;
}
