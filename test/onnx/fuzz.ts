// Models with bytes that changed: they are read, or refused by a typed error, soon.
import { readFileSync } from 'node:fs';
import { RetrogradError } from '../../bindings/index.ts';
import { loadOnnx } from '../../bindings/onnx/index.ts';
import { random } from '../../reference/random.ts';
import { rows } from './small.ts';

const models: readonly { readonly model: string }[] = JSON.parse(
  readFileSync(new URL('models.json', import.meta.url), 'utf8'),
);
const originals = [...models, ...rows].map(({ model }) => Uint8Array.from(Buffer.from(model, 'base64')));

/** One change, of those that find most. */
function mutate(bytes: Uint8Array, below: (n: number) => number): Uint8Array {
  const [kind, at] = [below(8), below(bytes.length)];
  if (kind === 0) return bytes.slice(0, at);
  if (kind === 1) return bytes.copyWithin(at, below(bytes.length), below(bytes.length));
  if (kind === 2) return bytes.fill(below(2) * 255, at, at + 1 + below(8));
  bytes[at] = kind < 5 ? below(256) : (bytes[at] as number) ^ (1 << below(8));
  return bytes;
}

/** The most seconds of the processor that a file of some kilobytes may take. */
const MOST_SECONDS = 2;

/** Reads `count` mutants. @returns how many were read, and how many refused @throws Error for anything else */
export async function fuzzModels(count: number, seed: number): Promise<[read: number, refused: number]> {
  const next = random(seed);
  const below = (n: number): number => Math.floor(next() * n);
  const outcome: [number, number] = [0, 0];
  for (let i = 0; i < count; i++) {
    let bytes = Uint8Array.from(originals[i % originals.length] as Uint8Array);
    for (let change = 0; change <= below(3) && bytes.length > 0; change++)
      bytes = Uint8Array.from(mutate(bytes, below));
    const told = `model ${i % originals.length}, mutant ${i} of seed ${seed}`;
    const started = process.cpuUsage();
    try {
      (await loadOnnx(bytes)).dispose();
      outcome[0]++;
    } catch (error) {
      if (!(error instanceof RetrogradError)) throw new Error(told, { cause: error });
      outcome[1]++;
    }
    const { user, system } = process.cpuUsage(started);
    if (user + system > MOST_SECONDS * 1e6) throw new Error(`${told}: took ${(user + system) / 1e6} s`);
  }
  return outcome;
}
