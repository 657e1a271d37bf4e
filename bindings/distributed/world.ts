// The job: who is in it, how it begins and how it ends.
import { backend, isRunning, init as start } from '../engine/engine.ts';
import { builtin, isNode } from '../engine/platform.ts';
import { STAMP } from '../generated/kernel-calls.ts';
import { promised } from '../io/declare.ts';
import { ArgumentError } from '../memory/errors.ts';
import { callable } from '../signature.ts';
import { agree } from './agree.ts';
import { DistributedError } from './error.ts';
import { Communicator } from './mpi/communicator.ts';
import { families } from './mpi/families.ts';
import { type Launch, launchOf } from './mpi/launcher.ts';
import { loadMpi } from './mpi/library.ts';
import { pokeInPrograms } from './progress.ts';
import { startWatchdog } from './watchdog.ts';

/** Options of {@link init}. */
export interface InitOptions {
  /**
   * Threads of this rank, where the backend does not run yet; `'auto'`: its share of the processors of its host.
   * @defaultValue 'auto'
   */
  threads?: number | 'auto';
  /**
   * The path of the shared library of MPI; null: the one that the launcher speaks to, by its usual names.
   * @defaultValue null
   */
  library?: string | null;
  /**
   * Seconds that a rank may wait for the others in a call of MPI: then it names those that lag behind, and the job
   * ends.
   * `Infinity`: for ever.
   * @defaultValue 1800
   */
  timeout?: number;
}

/** A job that has begun. */
interface Job {
  /** The ranks; null: this one is alone, and there is no MPI. */
  readonly communicator: Communicator | null;
}

let job: Job | null = null;
let starting: Promise<void> | null = null;
let ended = false;

/** The ranks of the job; null: this one is alone. @throws DistributedError before `await init()` */
export function ranks(op: string): Communicator | null {
  if (job) return job.communicator;
  throw new DistributedError(
    `${op}: expected a job that has begun, got ${ended ? 'one that finalize() ended; call that last' : 'none; call `await distributed.init()` first'}`,
  );
}

/**
 * Has a process that fails before MPI begins end the job: the others wait for it in MPI_Init, and MPICH's mpiexec minds
 * only those that are in MPI. What it is told is a word of PMI.
 */
export async function endEarly(): Promise<void> {
  const { PMI_FD, PMI_SIZE, SLURM_STEP_NUM_TASKS } = isNode ? globalThis.process.env : {};
  if (!PMI_FD || !PMI_SIZE || SLURM_STEP_NUM_TASKS) return;
  const { isMainThread } = await builtin('node:worker_threads', () => import('node:worker_threads'));
  const { writeSync } = await builtin('node:fs', () => import('node:fs'));
  const { inspect } = await builtin('node:util', () => import('node:util'));
  if (!isMainThread) return;
  const { process } = globalThis;
  const wait = (ms: number): unknown => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  // It would be ended before the engine says what was thrown.
  process.on('uncaughtExceptionMonitor', (error) => {
    if (!job) writeSync(2, `rank ${process.env.PMI_RANK} of ${PMI_SIZE}: ${inspect(error)}\n`);
  });
  process.on('exit', (code) => {
    if (code === 0 || job || ended) return;
    try {
      wait(200); // mpiexec hands on what was printed
      writeSync(Number(PMI_FD), `cmd=abort exitcode=${code}\n`);
      wait(1000); // and ends this
    } catch {
      // It has gone before.
    }
  });
}

/** Says where a rank has more threads than processors. */
async function mindBinding(communicator: Communicator, { launcher }: Launch): Promise<void> {
  const os = await builtin('node:os', () => import('node:os'));
  const [own, all, { threads }] = [os.availableParallelism(), os.cpus().length, backend()];
  if (communicator.rank > 0 || threads <= own || own === all) return;
  console.warn(
    `init: ${threads} threads of a rank share ${own} of ${all} processors, to which ${launcher} binds it, and wait for each other; start it by ${launcher} --bind-to none, or with init({ threads: ${own} })`,
  );
}

/** The threads that a rank may have: its share of the processors, which are its own where the launcher binds it. */
async function shareOf({ onHost, size }: Launch): Promise<number> {
  const os = await builtin('node:os', () => import('node:os'));
  const own = os.availableParallelism();
  const here = onHost ?? size;
  // Where a launcher binds ranks, each sees no more than it has.
  const bound = own * here <= os.cpus().length;
  return bound ? own : Math.max(1, Math.floor(own / here));
}

async function begin(threads: number | 'auto', library: string | null, timeout: number): Promise<void> {
  const launch = isNode ? launchOf(globalThis.process.env) : null;
  const wanted = threads === 'auto' && launch ? await shareOf(launch) : threads;
  if (!isRunning()) await start({ threads: wanted });
  if (!launch) {
    job = { communicator: null };
    return;
  }
  const mpi = await loadMpi(launch.family, library);
  const communicator = new Communicator(mpi);
  if (communicator.size !== launch.size)
    throw new DistributedError(
      `init: expected ${launch.size} ranks, as ${launch.launcher} started, got ${communicator.size} from ${communicator.version}; start it by the mpirun of the same MPI, or give its library: init({ library: '/…/libmpi.so' })`,
    );
  job = { communicator };
  pokeInPrograms(communicator);
  await endWith(communicator);
  const versions = `retrograd ${STAMP} with ${families[mpi.family].title}`;
  agree(communicator, 'init', versions, 'install one version on all hosts');
  await mindBinding(communicator, launch);
  if (timeout < Number.POSITIVE_INFINITY) await startWatchdog(communicator, timeout);
}

/** Has the job end with this process: together with the others, or, where something is thrown, all of it at once. */
async function endWith(communicator: Communicator): Promise<void> {
  const { process } = globalThis;
  const [{ writeSync }, { inspect }] = await Promise.all([import('node:fs'), import('node:util')]);
  // MPI ends the process before the engine would say what was thrown.
  process.on('uncaughtExceptionMonitor', (error) => {
    writeSync(2, `rank ${communicator.rank} of ${communicator.size}: ${inspect(error)}\n`);
  });
  process.on('exit', (code) => {
    if (!job) return;
    if (code === 0) communicator.finalize();
    else communicator.abort(code);
  });
}

/**
 * Begins the job: joins the other ranks that `mpirun`, `mpiexec` or `srun` started, and starts the backend where it
 * does not run yet. Alone, without a launcher, this is the only rank, and neither MPI nor koffi are needed. A second
 * call does nothing. When the process ends, so does the job: in order after its last line, and on all ranks at once
 * where something is thrown that nobody catches.
 * @throws DistributedError where koffi or the library of MPI is missing or another than the launcher's, or the ranks
 *   have other versions
 * @example
 * ```ts
 * await distributed.init();
 * console.log(distributed.rank(), distributed.worldSize()); // 0 1 without mpirun
 * ```
 */
export const init: (options?: InitOptions) => Promise<void> = promised(
  ["init(*, threads: int|'auto' = 'auto', library: string|null = null, timeout: number = 1800)"],
  (threads: number | 'auto', library: string | null, timeout: number): Promise<void> => {
    if (ended) return Promise.reject(new DistributedError('init: expected a job, got one that has ended; begin once'));
    if (threads !== 'auto' && threads < 1)
      return Promise.reject(new ArgumentError(`init: expected threads >= 1, got ${threads}`));
    if (!(timeout > 0)) return Promise.reject(new ArgumentError(`init: expected timeout > 0, got ${timeout}`));
    starting ??= begin(threads, library, timeout).catch((error) => {
      starting = null;
      throw error;
    });
    return starting;
  },
  {},
) as never;

/** The number of this rank, from 0; 0 alone. @throws DistributedError before `await init()` */
export const rank: () => number = callable('rank()', () => ranks('rank')?.rank ?? 0);

/** How many ranks there are; 1 alone. @throws DistributedError before `await init()` */
export const worldSize: () => number = callable('worldSize()', () => ranks('worldSize')?.size ?? 1);

/**
 * Ends the job, when all ranks have come here: the last call. Without it, it ends with the process.
 * @throws DistributedError before `await init()`
 */
export const finalize: () => void = callable('finalize()', () => {
  const communicator = ranks('finalize');
  job = null;
  ended = true;
  communicator?.finalize();
});
