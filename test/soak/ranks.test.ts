// Ranks killed at random moments, over and over, under the supervisor of examples/distributed: jobs end within seconds,
// checkpoints are whole, and the weights in the end are those of a run that was never stopped.
import { type ChildProcess, execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { decodeSafetensors } from '../../bindings/io/safetensors.ts';
import { OPEN_MPI, supervise } from '../../examples/distributed/supervise.ts';
import { launchers } from '../distributed/ranks.ts';

const KILLS = Number(process.env.RANK_KILLS ?? 50);
/** Milliseconds of a job within which a rank is killed: its start is a good part of that. */
const LATEST = 3000;
/** Milliseconds from the loss of a rank to the end of its job. */
const LONGEST_END = 20_000;

const program = fileURLToPath(new URL('../../build/examples/distributed/train.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'retrograd-ranks-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The processes of a job's ranks: children of mpirun, or of what it started. */
function ranksOf(job: ChildProcess): number[] {
  const table = execFileSync('ps', ['-eo', 'pid=,ppid=,args='], { encoding: 'utf8' });
  const rows = [...table.matchAll(/^ *(\d+) +(\d+) (.*)$/gm)].map(
    ([, pid, parent, args = '']) => [Number(pid), Number(parent), args] as const,
  );
  const below = (of: number): (typeof rows)[number][] =>
    rows.filter(([, parent]) => parent === of).flatMap((row) => [row, ...below(row[0])]);
  return below(job.pid as number).flatMap(([pid, , args]) => (args.includes(program) ? [pid] : []));
}

const last = (out: string): string => join(out, 'last.safetensors');

it.skipIf(launchers.every(({ title }) => title !== 'Open MPI'))('goes on after ranks that are killed', async () => {
  const [whole, killed] = [join(folder, 'whole'), join(folder, 'killed')];
  const epochs = String(10 * KILLS);
  const command = (out: string): string[] => [process.execPath, program, out, epochs];
  const begun = performance.now();
  expect(await supervise(command(whole), { ranks: 2, restarts: 0, options: OPEN_MPI })).toBe(0);
  const duration = performance.now() - begun;
  let kills = 0;
  const ends: number[] = [];
  const restarts = await supervise(command(killed), {
    ...{ ranks: 2, restarts: KILLS, options: OPEN_MPI },
    started: (job) => {
      if (existsSync(last(killed))) expect(() => decodeSafetensors(readFileSync(last(killed)))).not.toThrow();
      if (kills === KILLS) return;
      const strike = (): void => {
        const ranks = ranksOf(job);
        const victim = ranks[Math.floor(Math.random() * ranks.length)];
        if (victim === undefined) {
          timer = setTimeout(strike, 50); // none has started
          return;
        }
        process.kill(victim, 'SIGKILL');
        kills++;
        const at = performance.now();
        job.once('exit', () => ends.push(performance.now() - at));
      };
      let timer = setTimeout(strike, Math.random() * Math.min(duration, LATEST));
      job.once('exit', () => clearTimeout(timer));
    },
  });
  console.info(`killed ${kills} ranks, ${restarts} restarts; a job ended within ${Math.max(...ends).toFixed(0)} ms`);
  expect(restarts).toBe(kills);
  expect(kills).toBeGreaterThan(KILLS / 5);
  expect(Math.max(...ends)).toBeLessThan(LONGEST_END);
  const weights = (out: string): unknown => {
    const { tensors } = decodeSafetensors(readFileSync(last(out)));
    return Object.fromEntries(Object.entries(tensors).filter(([name]) => name.startsWith('model.')));
  };
  expect(weights(killed)).toEqual(weights(whole));
  expect(readdirSync(killed).filter((name) => name.endsWith('.tmp'))).toEqual([]);
});
