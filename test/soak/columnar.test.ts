// Broken Parquet and Arrow files, images and tokenizers of other programs, by the ten thousand: typed errors, soon.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import * as data from '../../bindings/data/index.ts';
import { FormatError, RetrogradError } from '../../bindings/index.ts';
import { randomNumbers } from '../support/random.ts';

const TESTS = join(import.meta.dirname, '..');
/** Mutants of each file. */
const COUNT = Number(process.env.COUNT ?? 300);
/** The most seconds of the processor that a file of some kilobytes may take, and bytes that it may add to memory. */
const [MOST_SECONDS, MOST_BYTES] = [5, 2 ** 29];

type Read = (bytes: Uint8Array<ArrayBuffer>) => Promise<unknown>;
const READERS: readonly (readonly [name: string, files: readonly string[], read: Read])[] = [
  ['parquet', within('data/columnar', /\.parquet$/), (bytes) => data.parquet(bytes).toArray()],
  ['arrow', within('data/columnar', /\.(arrows?|feather)$/), (bytes) => data.arrow(bytes).toArray()],
  ['decodeImage', within('data/images', /\.(png|jpe?g)$/), (bytes) => data.decodeImage(bytes)],
];

function within(folder: string, pattern: RegExp): string[] {
  return readdirSync(join(TESTS, folder), { recursive: true })
    .map(String)
    .filter((name) => pattern.test(name))
    .map((name) => join(TESTS, folder, name));
}

const TOKENIZERS: { name: string; tokenizer: object }[] = JSON.parse(
  readFileSync(join(TESTS, 'golden/tokenizers.json'), 'utf8'),
);

function mutated(bytes: Uint8Array<ArrayBuffer>, below: (n: number) => number): Uint8Array<ArrayBuffer> {
  if (below(4) === 0) return bytes.slice(0, below(bytes.length));
  const out = bytes.slice();
  for (let k = 0; k <= below(4); k++) {
    const at = below(out.length);
    if (below(4) === 0) out.copyWithin(at, below(out.length), below(out.length));
    else out[at] = below(2) ? below(256) : (out[at] as number) ^ (1 << below(8));
  }
  return out;
}

function isJson(text: string): boolean {
  try {
    return typeof JSON.parse(text) === 'object';
  } catch {
    return false;
  }
}

/** Tries mutants of a file. @returns how many were read, and how many refused */
async function fuzz(told: string, original: Uint8Array<ArrayBuffer>, read: Read): Promise<[number, number]> {
  const below = randomNumbers(2);
  const outcome: [number, number] = [0, 0];
  for (let i = 0; i < COUNT; i++) {
    const bytes = mutated(original, below);
    const [started, memory] = [process.cpuUsage(), process.memoryUsage.rss()];
    try {
      await read(bytes);
      outcome[0]++;
    } catch (error) {
      if (!(error instanceof RetrogradError)) throw new Error(`${told}, mutant ${i}`, { cause: error });
      outcome[1]++;
    }
    const { user, system } = process.cpuUsage(started);
    expect((user + system) / 1e6, `${told}, mutant ${i}: seconds`).toBeLessThan(MOST_SECONDS);
    expect(process.memoryUsage.rss() - memory, `${told}, mutant ${i}: bytes`).toBeLessThan(MOST_BYTES);
  }
  return outcome;
}

it.each(READERS)('%s reads or refuses broken files', async (name, files, read) => {
  for (const file of files) {
    const outcome = await fuzz(file, Uint8Array.from(readFileSync(file)), read);
    console.log(name, file.slice(TESTS.length + 1), ...outcome);
  }
});

it('Tokenizer reads or refuses broken files', async () => {
  for (const { name, tokenizer } of TOKENIZERS) {
    const bytes = Uint8Array.from(new TextEncoder().encode(JSON.stringify(tokenizer)));
    const read: Read = async (broken) => {
      const text = new TextDecoder().decode(broken);
      // What is no JSON is none of the tokenizer's.
      if (!isJson(text)) throw new FormatError('no JSON');
      return new data.Tokenizer(JSON.parse(text)).encode('The quick brown fox');
    };
    console.log(name, ...(await fuzz(name, bytes, read)));
  }
});
