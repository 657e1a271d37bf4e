// Finds and loads the MPI that is on this machine, by koffi, and binds the functions that collectives need.
import { DistributedError } from '../error.ts';
import { type FamilyName, families } from './families.ts';

/** A function of C, with numbers, or addresses as numbers. */
type CFunction = (...args: number[]) => number;

/** What of koffi is used. */
interface Library {
  func(declaration: string): CFunction;
  symbol(name: string, type: string): unknown;
}
/** What of koffi is used. */
interface Koffi {
  load(path: string): Library;
  address(x: unknown): bigint;
}

/** H is the family's handle. */
const DECLARATIONS = {
  initThread: 'int MPI_Init_thread(intptr_t argc, intptr_t argv, int required, intptr_t provided)',
  initialized: 'int MPI_Initialized(intptr_t flag)',
  finalize: 'int MPI_Finalize()',
  abort: 'int MPI_Abort(H comm, int code)',
  errorString: 'int MPI_Error_string(int code, intptr_t text, intptr_t length)',
  libraryVersion: 'int MPI_Get_library_version(intptr_t text, intptr_t length)',
  setErrhandler: 'int MPI_Comm_set_errhandler(H comm, H handler)',
  rank: 'int MPI_Comm_rank(H comm, intptr_t rank)',
  size: 'int MPI_Comm_size(H comm, intptr_t size)',
  duplicate: 'int MPI_Comm_dup(H comm, intptr_t made)',
  barrier: 'int MPI_Barrier(H comm)',
  allReduce: 'int MPI_Allreduce(intptr_t from, intptr_t to, int count, H type, H op, H comm)',
  startAllReduce: 'int MPI_Iallreduce(intptr_t from, intptr_t to, int count, H type, H op, H comm, intptr_t request)',
  wait: 'int MPI_Wait(intptr_t request, intptr_t status)',
  test: 'int MPI_Test(intptr_t request, intptr_t flag, intptr_t status)',
  broadcast: 'int MPI_Bcast(intptr_t at, int count, H type, int root, H comm)',
  allGather: 'int MPI_Allgather(intptr_t from, int sent, H sentType, intptr_t to, int count, H type, H comm)',
  gather: 'int MPI_Gather(intptr_t from, int sent, H sentType, intptr_t to, int count, H type, int root, H comm)',
  reduceScatter: 'int MPI_Reduce_scatter_block(intptr_t from, intptr_t to, int count, H type, H op, H comm)',
  allToAll: 'int MPI_Alltoall(intptr_t from, int sent, H sentType, intptr_t to, int count, H type, H comm)',
} as const;

/** MPI's functions, by names of our own. */
export type Calls = { readonly [K in keyof typeof DECLARATIONS]: CFunction };

/** An MPI that was loaded. */
export interface Loaded {
  readonly family: FamilyName;
  readonly calls: Calls;
  /** The handle of a predefined object, by its symbol or number. */
  handle(name: string | number): number;
  /** Where bytes outside of the heap of JavaScript lie. */
  address(bytes: ArrayBufferView): number;
}

async function loadKoffi(): Promise<Koffi> {
  try {
    return (await import('koffi')).default as unknown as Koffi;
  } catch (error) {
    throw new DistributedError(
      `init: expected the package koffi, which calls MPI, got none (${(error as Error).message.split('\n')[0]}); npm install koffi`,
    );
  }
}

/** The first library that is there. */
function open(koffi: Koffi, names: readonly string[]): { readonly library: Library; readonly name: string } | string {
  const faults: string[] = [];
  for (const name of names) {
    try {
      return { library: koffi.load(name), name };
    } catch (error) {
      faults.push((error as Error).message.split('\n')[0] ?? '');
    }
  }
  return faults[0] ?? '';
}

/** Whether it is Open MPI: it exports its handles. */
function isOpen(library: Library): boolean {
  try {
    library.symbol(families.openmpi.world, 'char');
    return true;
  } catch {
    return false;
  }
}

/**
 * Loads MPI. @param family that the launcher speaks to; null: either @param path a library of the user's choice
 * @throws DistributedError where koffi or the library is missing, or the library is of the other family
 */
export async function loadMpi(family: FamilyName | null, path: string | null): Promise<Loaded> {
  const koffi = await loadKoffi();
  const known = family ? families[family].libraries : [...families.openmpi.libraries, ...families.mpich.libraries];
  const found = open(koffi, path === null ? known : [path]);
  if (typeof found === 'string')
    throw new DistributedError(
      `init: expected the library of ${family ? families[family].title : 'Open MPI or MPICH'}, got none under ${path ?? known.join(', ')} (${found}); install it (Debian: openmpi-bin), or give its path: init({ library: '/…/libmpi.so' })`,
    );
  const { library, name } = found;
  const is: FamilyName = isOpen(library) ? 'openmpi' : 'mpich';
  if (family && is !== family)
    throw new DistributedError(
      `init: expected the library of ${families[family].title}, whose mpirun started this, got ${name} of ${families[is].title}; start it by the mpirun of that, or give another library`,
    );
  const { handle } = families[is];
  const calls = Object.fromEntries(
    Object.entries(DECLARATIONS).map(([key, text]) => [key, library.func(text.replace(/\bH\b/g, handle))]),
  ) as Calls;
  return {
    family: is,
    calls,
    handle: (of) => (typeof of === 'number' ? of : Number(koffi.address(library.symbol(of, 'char')))),
    address: (bytes) => Number(koffi.address(bytes)),
  };
}
