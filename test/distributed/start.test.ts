// How jobs begin and end: by each MPI, alone, with what is missing or does not fit, and where a rank throws.
import { describe, expect, it } from 'vitest';
import { launchOf } from '../../bindings/distributed/mpi/launcher.ts';
import { launchers, missing, runAlone, runRanks, WITHOUT_KOFFI } from './ranks.ts';

/** Variables that MPICH's mpiexec sets. */
const STARTED = { PMI_SIZE: '2', PMI_RANK: '0' };

describe('alone', () => {
  it('is one rank, and needs neither MPI nor koffi', async () => {
    const { reports, stderr, stdout } = await runAlone('start.js', { args: ['finalize'] }, WITHOUT_KOFFI);
    expect(stderr).toBe('');
    expect(reports).toEqual([[{ rank: 0, size: 1, threads: 1 }]]);
    expect(stdout).toContain('rank: expected a job that has begun, got one that finalize() ended; call that last');
  });

  it('says what is missing where a launcher started it', async () => {
    const koffi = await runAlone('start.js', { env: STARTED }, WITHOUT_KOFFI);
    expect(koffi.stderr).toMatch(
      /DistributedError: init: expected the package koffi, which calls MPI, got none .*; npm install koffi/,
    );
    const library = await runAlone('start.js', { env: STARTED, args: ['', '/none/libmpi.so'] });
    expect(library.stderr).toMatch(
      /DistributedError: init: expected the library of MPICH, got none under \/none\/libmpi.so .*; install it/,
    );
    const slurm = await runAlone('start.js', { env: { SLURM_STEP_NUM_TASKS: '2' } });
    expect(slurm.stderr).toMatch(/DistributedError: init: expected 2 tasks of srun that MPI knows of, .*--mpi=pmix/);
  });
});

describe('launchOf', () => {
  it('knows the launchers by their variables', () => {
    expect(launchOf({})).toBeNull();
    expect(launchOf({ OMPI_COMM_WORLD_SIZE: '4', OMPI_COMM_WORLD_LOCAL_SIZE: '2' })).toEqual({
      ...{ launcher: 'mpirun', family: 'openmpi', size: 4, onHost: 2 },
    });
    expect(launchOf({ PMI_SIZE: '4', MPI_LOCALNRANKS: '1' })).toEqual({
      ...{ launcher: 'mpiexec', family: 'mpich', size: 4, onHost: 1 },
    });
    const slurm = { SLURM_STEP_NUM_TASKS: '8', SLURM_STEP_TASKS_PER_NODE: '4(x2)' };
    expect(launchOf({ ...slurm, PMIX_RANK: '0' })).toEqual({ launcher: 'srun', family: null, size: 8, onHost: 4 });
    expect(launchOf({ ...slurm, PMI_SIZE: '8' })).toEqual({ launcher: 'srun', family: null, size: 8, onHost: 4 });
    // One task is what a batch script is.
    expect(launchOf({ SLURM_STEP_NUM_TASKS: '1' })).toBeNull();
  });
});

describe.skipIf(missing)(`ranks${missing && `: skipped, ${missing}`}`, () => {
  it.each(launchers)('begin and end by $title', async (by) => {
    const { code, reports, stderr } = await runRanks(2, 'start.js', { by });
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(reports).toEqual([0, 1].map((rank) => [{ rank, size: 2, threads: 1 }]));
  });

  it.each(launchers)('all end where one throws, by $title', async (by) => {
    const { code, stderr, duration } = await runRanks(2, 'start.js', { by, args: ['throw'] });
    expect(code).not.toBe(0);
    expect(stderr).toContain('rank 1 of 2: TypeError: thrown by a rank');
    expect(duration).toBeLessThan(20_000);
  });

  it('all end where one hangs, which is named', async () => {
    const { code, stderr, duration } = await runRanks(2, 'start.js', { args: ['hang'] });
    expect(code).not.toBe(0);
    expect(stderr).toMatch(
      /rank 0 of 2: DistributedError: MPI_Barrier: expected all ranks within 0.4 s, got rank 1, which computes, after call \d+ where/,
    );
    expect(duration).toBeLessThan(20_000);
  });

  it('all end soon where loops are of other lengths', async () => {
    const { code, stderr, duration } = await runRanks(2, 'uneven.js', { args: ['ends'] });
    expect(code).not.toBe(0);
    expect(stderr).toMatch(
      /rank 0 of 2: DistributedError: MPI_Wait: expected .* got the end of the program of rank 1, where this one waits; give all/,
    );
    expect(duration).toBeLessThan(20_000);
  });

  it.runIf(launchers.length > 1)('refuse the library of another MPI', async () => {
    const [by] = launchers.filter(({ title }) => title === 'Open MPI');
    const { code, stderr } = await runRanks(1, 'start.js', { by, args: ['', 'libmpich.so.12'] } as never);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/init: expected the library of Open MPI, .* got libmpich.so.12 of MPICH/);
  });
});
