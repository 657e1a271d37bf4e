// A rank of mpi4py in the same job: MPI4PY_PYTHON is a Python that has it, of the same MPI.
import { describe, expect, it } from 'vitest';
import { STAMP } from '../../bindings/generated/kernel-calls.ts';
import { type Launcher, launchers, runMixed } from './ranks.ts';

const python = process.env.MPI4PY_PYTHON ?? '';
const by = launchers.find(({ title }) => title === 'Open MPI');
const missing = python && by ? '' : by ? 'MPI4PY_PYTHON names no Python' : 'no mpirun of Open MPI is installed';

// Ours sets this for itself, and all ranks need the same.
const RING = { OMPI_MCA_coll_libnbc_iallreduce_algorithm: '1' };

describe.skipIf(missing)(`a rank of mpi4py${missing && `: skipped, ${missing}`}`, () => {
  it('has the same collectives', async () => {
    const version = `retrograd ${STAMP} with Open MPI`;
    const { code, reports, stderr } = await runMixed(
      by as Launcher,
      [
        [process.execPath, 'beside-python.js'],
        [python, 'beside-python.py', version],
      ],
      RING,
    );
    expect([code, stderr]).toEqual([0, '']);
    const [sum, halves] = [
      [11, 22, 33, 44],
      [0.5, 1.5],
    ];
    expect(reports[0]).toEqual([[sum, [3, 6], [7, 8], halves, 900_000]]);
    expect(reports[1]).toEqual([[sum, halves, 900_000, [6, 12]]]);
  });
});
