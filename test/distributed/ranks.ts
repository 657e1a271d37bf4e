// Runs a program as ranks of MPI, by each of the MPIs that are on this machine.
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const FOLDER = fileURLToPath(new URL('programs/', import.meta.url));

/** A program that starts ranks. */
export interface Launcher {
  readonly title: 'Open MPI' | 'MPICH';
  readonly command: string;
  readonly options: readonly string[];
}

/** Open MPI refuses root and more ranks than cores, unless it is told. */
const ALLOWED = { OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' };

function launcherOf(command: string): Launcher | null {
  try {
    const version = execFileSync(command, ['--version'], { encoding: 'utf8', stdio: 'pipe', env: environment() });
    if (version.includes('Open MPI') || version.includes('OpenRTE'))
      return {
        title: 'Open MPI',
        command,
        options: ['--oversubscribe', '--bind-to', 'none', '--mca', 'mpi_yield_when_idle', '1'],
      };
    return version.includes('HYDRA') ? { title: 'MPICH', command, options: [] } : null;
  } catch {
    return null;
  }
}

const environment = (more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({ ...process.env, ...ALLOWED, ...more });

const found = ['mpirun', 'mpirun.openmpi', 'mpirun.mpich', 'mpiexec.hydra'].flatMap((name) => launcherOf(name) ?? []);
/** One of each family. */
export const launchers = found.filter(({ title }, i) => found.findIndex((other) => other.title === title) === i);

/** Why tests of ranks are skipped, or ''. */
export const missing = launchers.length === 0 ? 'no mpirun is installed (Debian: openmpi-bin)' : '';

/** The one that most tests use. */
export const [launcher = { title: 'Open MPI', command: 'mpirun', options: [] } as Launcher] = launchers;

/** A loader of modules that finds no koffi. */
const HIDES = `export const resolve = (name, context, next) => {
  if (name === 'koffi') throw new Error('Cannot find package koffi');
  return next(name, context);
};`;
const hidden = (code: string): string => `data:text/javascript,${encodeURIComponent(code)}`;
const hook = hidden(`import { register } from 'node:module'; register(${JSON.stringify(hidden(HIDES))});`);
/** Options of Node, which finds no koffi then. */
export const WITHOUT_KOFFI: readonly string[] = ['--import', hook];

/** How a job ended. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** What each rank told by `report(value)`, by rank. */
  readonly reports: unknown[][];
  /** Milliseconds. */
  readonly duration: number;
}

/** What a job is started with. */
interface Settings {
  readonly by?: Launcher;
  readonly args?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** Milliseconds after which it is ended. */
  readonly limit?: number;
}

/** The values that ranks reported: lines of JSON, in a file of each. */
function reportsIn(folder: string, ranks: number): unknown[][] {
  return Array.from({ length: ranks }, (_, rank) => {
    const file = join(folder, String(rank));
    const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line));
  });
}

function run(command: string, args: readonly string[], ranks: number, env: NodeJS.ProcessEnv, limit: number) {
  const began = performance.now();
  const folder = mkdtempSync(join(tmpdir(), 'retrograd-ranks-'));
  return new Promise<Ended>((done, fail) => {
    const all = environment({ ...env, RANK_REPORTS: folder });
    const options = { env: all, timeout: limit, killSignal: 'SIGKILL', maxBuffer: 1 << 26 } as const;
    execFile(command, [...args], options, (error, stdout, stderr) => {
      const code = error ? (typeof error.code === 'number' ? error.code : -1) : 0;
      try {
        done({ code, stdout, stderr, reports: reportsIn(folder, ranks), duration: performance.now() - began });
      } catch (broken) {
        fail(broken);
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  });
}

/** Runs a program of programs/ as so many ranks. */
export function runRanks(ranks: number, program: string, settings: Settings = {}): Promise<Ended> {
  const { by = launcher, args = [], env = {}, limit = 60_000 } = settings;
  const command = [...by.options, '-n', String(ranks), process.execPath, FOLDER + program, ...args];
  return run(by.command, command, ranks, env, limit);
}

/** Runs it without a launcher. @param options of Node */
export function runAlone(program: string, settings: Settings = {}, options: readonly string[] = []): Promise<Ended> {
  const { args = [], env = {}, limit = 60_000 } = settings;
  return run(process.execPath, [...options, FOLDER + program, ...args], 1, env, limit);
}

/** Runs a command as each rank; files are those of programs/. @param env of all */
export function runMixed(by: Launcher, ranks: readonly (readonly string[])[], env: NodeJS.ProcessEnv = {}) {
  const commands = ranks.flatMap((command, i) => [
    ...(i > 0 ? [':'] : []),
    ...['-n', '1', ...command.map((word) => (/^[\w-]+\.(js|py)$/.test(word) ? FOLDER + word : word))],
  ]);
  return run(by.command, [...by.options, ...commands], ranks.length, env, 30_000);
}
