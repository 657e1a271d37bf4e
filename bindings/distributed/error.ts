// The error of a job of several ranks.
import { RetrogradError } from '../memory/errors.ts';

/** The ranks of a job do not fit together, or one of them is gone; or there is no MPI to start with. */
export class DistributedError extends RetrogradError {
  override name = 'DistributedError';
}
