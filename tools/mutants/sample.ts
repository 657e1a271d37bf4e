// A sample of mutants by a seed, the same on every machine.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Mutant, mutantsOf } from './candidates.ts';

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export function numbers(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const overlap = (a: Mutant, b: Mutant): boolean =>
  a.file === b.file && a.whole.start < b.whole.end && b.whole.start < a.whole.end;

/**
 * `count` mutants of the sources in `folder`, none inside of another, each token as likely as any other.
 * @param only a part of the names of files
 */
export function sample(folder: string, count: number, random: () => number, only = ''): Mutant[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((name) => name.endsWith('.ts') && !/[/\\]generated[/\\]|\.d\.ts$/.test(name) && name.includes(only))
    .sort();
  // One mutant a token: the alternatives of one count as one.
  const tokens = new Map<string, Mutant[]>();
  for (const file of files)
    for (const mutant of mutantsOf(file, readFileSync(file, 'utf8'))) {
      const key = `${file} ${mutant.start}`;
      tokens.set(key, [...(tokens.get(key) ?? []), mutant]);
    }
  const rest = [...tokens.values()];
  const picked: Mutant[] = [];
  while (picked.length < count && rest.length > 0) {
    const [choices = []] = rest.splice(Math.floor(random() * rest.length), 1);
    const mutant = choices[Math.floor(random() * choices.length)] as Mutant;
    if (!picked.some((other) => overlap(mutant, other))) picked.push(mutant);
  }
  return picked;
}
