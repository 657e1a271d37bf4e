// Who started this process, as the variables say that launchers set.
import { DistributedError } from '../error.ts';
import type { FamilyName } from './families.ts';

type Variables = Readonly<Record<string, string | undefined>>;

/** What a launcher says of the job. */
export interface Launch {
  readonly launcher: string;
  /** The family of MPI that it speaks to; null: either. */
  readonly family: FamilyName | null;
  /** How many ranks it started. */
  readonly size: number;
  /** How many of them on this host, where it says so. */
  readonly onHost: number | null;
}

const count = (text: string | undefined): number | null => {
  const number = Number.parseInt(text ?? '', 10);
  return number > 0 ? number : null;
};

/** What started this process; null: nobody, it is alone. @throws DistributedError where ranks cannot find each other */
export function launchOf(variables: Variables): Launch | null {
  const { OMPI_COMM_WORLD_SIZE, OMPI_COMM_WORLD_LOCAL_SIZE, PMI_SIZE, PMIX_RANK, MPI_LOCALNRANKS } = variables;
  const open = count(OMPI_COMM_WORLD_SIZE);
  if (open) return { launcher: 'mpirun', family: 'openmpi', size: open, onHost: count(OMPI_COMM_WORLD_LOCAL_SIZE) };
  const tasks = count(variables.SLURM_STEP_NUM_TASKS);
  const onHost = count(MPI_LOCALNRANKS) ?? count(variables.SLURM_STEP_TASKS_PER_NODE);
  const pmi = count(PMI_SIZE);
  if (pmi) return { launcher: tasks ? 'srun' : 'mpiexec', family: tasks ? null : 'mpich', size: pmi, onHost };
  if (PMIX_RANK !== undefined)
    return { launcher: tasks ? 'srun' : 'a launcher by PMIx', family: null, size: tasks ?? 1, onHost };
  if (tasks && tasks > 1)
    throw new DistributedError(
      `init: expected ${tasks} tasks of srun that MPI knows of, got none of its variables; start them by srun --mpi=pmix (Open MPI) or --mpi=pmi2 (MPICH)`,
    );
  return null;
}
