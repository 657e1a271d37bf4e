// Starts the ranks of the bench by the MPI that is on this machine.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

// This runs in build/bench/distributed/, and as a source in tests.
const BUILT = fileURLToPath(new URL('rank.js', import.meta.url));

/** A file of C beside this one's source. */
export function sourceOf(name: string): string {
  const here = fileURLToPath(new URL(name, import.meta.url));
  return existsSync(here) ? here : fileURLToPath(new URL(`../../../bench/distributed/${name}`, import.meta.url));
}

/** Root may start ranks. */
const ENVIRONMENT = { ...process.env, OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' };

function run(command: readonly string[]): string {
  const [program = '', ...args] = command;
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8', env: ENVIRONMENT });
  if (error || status !== 0) throw new Error(`${command.join(' ')}: ${error?.message ?? stderr.slice(0, 2000)}`);
  return stdout;
}

/** Why there are no ranks, or ''. */
export function missing(): string {
  const { error, stdout } = spawnSync('mpirun', ['--version'], { encoding: 'utf8', env: ENVIRONMENT });
  if (error) return 'no mpirun is installed (Debian: openmpi-bin)';
  return /Open MPI|OpenRTE/.test(stdout) ? '' : 'mpirun is not of Open MPI';
}

/** The library of the program in C; '': there is no mpicc. */
export function compileC(): string {
  const library = join(mkdtempSync(join(tmpdir(), 'retrograd-mpi-')), 'reduce.so');
  const { error, status } = spawnSync('mpicc', ['-O2', '-shared', '-fPIC', '-o', library, sourceOf('reduce.c')]);
  return error || status !== 0 ? '' : library;
}

/** Where ranks run: what the command of mpirun begins with, and its options. */
export interface Place {
  readonly before: readonly string[];
  readonly options: readonly string[];
}

const HERE: Place = { before: [], options: [] };

/** What rank 0 of so many printed. @param program the built rank.js */
export function runRanks<T>(ranks: number, task: readonly string[], place: Place = HERE, program = BUILT): T {
  const node = [process.execPath, program, ...task];
  // It has ranks yield while they wait, which takes longer.
  const many = ranks > availableParallelism() ? ['--oversubscribe'] : [];
  const mpirun = ['mpirun', ...many, '--bind-to', 'none', ...place.options, '-n', String(ranks)];
  return JSON.parse(run(ranks === 1 ? node : [...place.before, ...mpirun, ...node]));
}
