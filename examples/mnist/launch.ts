// Starts this program again as several ranks, by the mpirun of this machine.
import { execFileSync, spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { UsageError } from './options.ts';

/** What has ranks stop after the step under way: mpirun passes it on to them. */
export const STOP = 'SIGUSR2';

/** What the mpirun of Open MPI has to be told; the others take ranks as they come. */
function optionsOf(version: string, ranks: number): string[] {
  if (!/Open MPI|OpenRTE/.test(version)) return [];
  return [
    ...['--bind-to', 'none'],
    ...(process.getuid?.() === 0 ? ['--allow-run-as-root'] : []),
    // They take turns where there are too few processors for them.
    ...(ranks > availableParallelism() ? ['--oversubscribe'] : []),
    ...(ranks >= availableParallelism() ? ['--mca', 'mpi_yield_when_idle', '1'] : []),
  ];
}

function versionOf(command: string): string {
  try {
    return execFileSync(command, ['--version'], { encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    throw new UsageError(
      `--ranks: expected the program mpirun, got ${(error as NodeJS.ErrnoException).code ?? error}; install Open MPI (Debian: apt-get install openmpi-bin, macOS: brew install open-mpi) and npm install koffi`,
    );
  }
}

/**
 * Runs the program as so many ranks, and waits for them.
 * @param args of the command line, without --ranks
 * @returns how they ended
 * @throws UsageError where there is no mpirun
 */
export function launch(ranks: number, args: readonly string[]): Promise<number> {
  const options = optionsOf(versionOf('mpirun'), ranks);
  const command = ['-n', String(ranks), ...options, process.execPath, ...process.execArgv];
  // A group of its own: a Ctrl-C of the terminal would have mpirun kill the ranks.
  const job = spawn('mpirun', [...command, process.argv[1] as string, ...args], { stdio: 'inherit', detached: true });
  let told = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => {
      job.kill(told ? 'SIGTERM' : STOP);
      told = true;
    });
  return new Promise((done, fail) => job.on('error', fail).on('exit', (code) => done(code ?? 1)));
}

/** A command line without --ranks and its number. */
export const withoutRanks = (argv: readonly string[]): string[] =>
  argv.filter((word, i) => !word.startsWith('--ranks') && argv[i - 1] !== '--ranks');
