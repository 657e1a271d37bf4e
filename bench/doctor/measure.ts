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

/** One line a program. @returns the lines, and how many do not show what they should */
export async function checkPrograms(
  programs: readonly Program[],
  seeds: readonly number[],
  say: (line: string) => void,
): Promise<number> {
  let failures = 0;
  for (const program of programs)
    for (const seed of seeds) {
      const run = await measure(program, seed, false);
      const mended = program.fault === null ? run : await measure(program, seed, true);
      const shows = scope(() => program.shows?.(run, mended) ?? showsByScore(program, run, mended));
      const tooLong = run.run.steps > 200 || run.seconds > 1.5;
      if (!shows || tooLong) failures++;
      const verdict = shows ? (tooLong ? 'LONG' : 'ok') : 'FAILS';
      say(`${verdict.padEnd(6)}${program.fault ?? 'healthy'}  ${program.name}  ${text(run)}`);
      if (program.fault !== null) say(`${''.padEnd(6)}${' mended'.padEnd(20)}${text(mended)}`);
    }
  return failures;
}
