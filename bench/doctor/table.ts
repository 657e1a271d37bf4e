// npm run bench -- doctor: what the doctor finds in programs with known faults, and in healthy ones.
import { init } from 'retrograd';
import { watch } from 'retrograd/doctor';
import { overhead } from './overhead.ts';
import type { ProgramSet } from './program.ts';
import { examineAll, formatScore } from './score.ts';
import { SETS } from './sets.ts';

/** A table for each set. */
export async function scoreSets(
  sets: readonly ProgramSet[],
  options: { seeds?: readonly number[]; every?: number; say?: (line: string) => void } = {},
): Promise<string> {
  const tables: string[] = [];
  for (const { name, programs } of sets)
    if (programs.length > 0) tables.push(formatScore(name, await examineAll(watch, programs, options)));
  return tables.join('\n\n');
}

/** @param quick every eighth program of a set, to see that it runs */
export async function table(simd: 'auto' | 'strict' | 'relaxed', quick: boolean): Promise<string> {
  await init({ simd, threads: 1 });
  const sets = SETS.map(({ name, programs }) => ({ name, programs: programs.filter((_, i) => !quick || i % 8 === 0) }));
  const cost = overhead(quick ? 2 : 100);
  return `${await scoreSets(sets)}\n\nwatching every tenth step\n${cost}`;
}
