// Starts a training of several ranks, and starts it again from its last checkpoint where a rank is lost:
//   node supervise.js --ranks 2 --restarts 10 -- node train.js
// The training has to go on from its checkpoint by itself where there is one, as train.ts beside this does.
import { type ChildProcess, spawn } from 'node:child_process';
import { parseArgs } from 'node:util';

/** How jobs are started, and how often. */
export interface Supervision {
  readonly ranks: number;
  /** How often a job that failed is started again. */
  readonly restarts: number;
  /** What mpirun gets beside `-n`. */
  readonly options: readonly string[];
  /** Called with each job. */
  readonly started?: (job: ChildProcess) => void;
}

/** What of Open MPI is needed for threads, as root, and on few processors. */
export const OPEN_MPI = [
  ...['--bind-to', 'none', '--oversubscribe', '--mca', 'mpi_yield_when_idle', '1'],
  ...(process.getuid?.() === 0 ? ['--allow-run-as-root'] : []),
];

/** @returns the exit code of a job */
function run(command: readonly string[], { ranks, options, started }: Supervision): Promise<number> {
  const job = spawn('mpirun', ['-n', String(ranks), ...options, ...command], { stdio: 'inherit' });
  started?.(job);
  return new Promise((done, fail) => job.on('error', fail).on('exit', (code) => done(code ?? 1)));
}

/**
 * Runs a command as ranks until it ends well.
 * @returns how often it had to be started again
 * @throws Error where that was too often
 */
export async function supervise(command: readonly string[], supervision: Supervision): Promise<number> {
  for (let restarts = 0; ; restarts++) {
    const code = await run(command, supervision);
    if (code === 0) return restarts;
    if (restarts === supervision.restarts)
      throw new Error(`supervise: expected a job that ends well, got code ${code} after ${restarts} restarts`);
    console.error(`supervise: the job ended with code ${code}; restart ${restarts + 1} of ${supervision.restarts}`);
  }
}

if (process.argv[1]?.endsWith('supervise.js')) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { ranks: { type: 'string', default: '2' }, restarts: { type: 'string', default: '10' } },
  });
  const [ranks, restarts] = [Number(values.ranks), Number(values.restarts)];
  console.log(`restarts: ${await supervise(positionals, { ranks, restarts, options: OPEN_MPI })}`);
}
