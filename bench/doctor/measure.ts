// Runs programs without the doctor, and says whether their faults show: node build/bench/doctor/main.js --check.
import { manualSeed, scope } from 'retrograd';
import type { Measured, Program } from './program.ts';

const mean = (values: readonly number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length;

/** Trains as the program does. */
export async function measure(program: Program, seed: number, mended: boolean): Promise<Measured> {
  manualSeed(seed);
  const run = await program.make(seed, mended);
  const start = process.cpuUsage();
  const losses: number[] = [];
  for (let i = 0; i < run.steps; i++) losses.push(scope(() => run.step(i).loss.item()));
  const { user, system } = process.cpuUsage(start);
  const seconds = (user + system) / 1e6;
  const score = scope(() => run.score());
  return { run, losses, first: mean(losses.slice(0, 5)), last: mean(losses.slice(-10)), score, seconds };
}

/** A faulty program is worse than its mended one, or has no number for it; a healthy one gets better. */
function showsByScore(program: Program, run: Measured, mended: Measured): boolean {
  if (program.fault === null) return Number.isFinite(run.last) && run.last < run.first && run.score > 0.5;
  return !Number.isFinite(run.last) || !(run.score > mended.score - 0.1);
}

const text = ({ first, last, score, seconds }: Measured): string =>
  `loss ${first.toPrecision(3)} → ${last.toPrecision(3)}  score ${score.toFixed(3)}  ${seconds.toFixed(2)} s`;

/** Places that the model does not have. */
function unknownPlaces({ where }: Program, { run }: Measured): string[] {
  const known = new Set(run.model.namedModules().map(([path]) => path));
  return (where === null ? [] : typeof where === 'string' ? [where] : where).filter((place) => !known.has(place));
}

/** Holds a program beside its mended one. @returns whether all is as it should be, and what to print */
async function check(program: Program, seed: number): Promise<{ ok: boolean; lines: string[] }> {
  const run = await measure(program, seed, false);
  const mended = program.fault === null ? run : await measure(program, seed, true);
  const shows = scope(() => program.shows?.(run, mended) ?? showsByScore(program, run, mended));
  const wrong: string[] = [];
  if (!shows) wrong.push('FAILS');
  if (run.run.steps > 200 || run.seconds > 1.5) wrong.push('LONG');
  if (unknownPlaces(program, run).length > 0) wrong.push('PLACE');
  const lines = [`${(wrong[0] ?? 'ok').padEnd(6)}${program.fault ?? 'healthy'}  ${program.name}  ${text(run)}`];
  if (program.fault !== null) lines.push(`${''.padEnd(6)}mended  ${text(mended)}`);
  return { ok: wrong.length === 0, lines };
}

/** One line a program, and one for it mended. @returns how many do not show what they should */
export async function checkPrograms(
  programs: readonly Program[],
  seeds: readonly number[],
  say: (line: string) => void,
): Promise<number> {
  let failures = 0;
  for (const program of programs)
    for (const seed of seeds) {
      const { ok, lines } = await check(program, seed);
      if (!ok) failures++;
      for (const line of lines) say(line);
    }
  return failures;
}
