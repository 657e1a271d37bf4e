// What differs between the two families of MPI: the names of their libraries, and what stands for a predefined object.
// Open MPI's handles are addresses of variables that the library exports; MPICH's (and Intel's, MVAPICH's and Cray's,
// which share its binary interface) are numbers of mpi.h that never change.

/** Elements that collectives take. */
export type ElementType = 'f32' | 'i32' | 'u8';
/** How values of ranks become one. */
export type Reduction = 'sum' | 'max';

/** A predefined object: a symbol of the library, or a number. */
type Name = string | number;

/** One family of MPI. */
export interface Family {
  readonly title: string;
  /** Shared libraries, the first that is there is taken. */
  readonly libraries: readonly string[];
  /** What C's `MPI_Comm`, `MPI_Datatype`, `MPI_Op` and `MPI_Request` are. */
  readonly handle: 'intptr_t' | 'int';
  readonly world: Name;
  readonly types: Readonly<Record<ElementType, Name>>;
  readonly operations: Readonly<Record<Reduction, Name>>;
  /** `MPI_ERRORS_RETURN`: calls give a number, and do not end the process. */
  readonly errorsReturn: Name;
  /** The addresses that stand for `MPI_IN_PLACE` and `MPI_STATUS_IGNORE`. */
  readonly inPlace: number;
  readonly noStatus: number;
  /** What it is told by variables before it starts, unless the user did. */
  readonly settings: Readonly<Record<string, string>>;
}

export const families = {
  openmpi: {
    title: 'Open MPI',
    libraries: ['libmpi.so.40', 'libmpi.so.80', 'libmpi.40.dylib', 'libmpi.so', 'libmpi.dylib'],
    handle: 'intptr_t',
    world: 'ompi_mpi_comm_world',
    types: { f32: 'ompi_mpi_float', i32: 'ompi_mpi_int32_t', u8: 'ompi_mpi_uint8_t' },
    operations: { sum: 'ompi_mpi_op_sum', max: 'ompi_mpi_op_max' },
    errorsReturn: 'ompi_mpi_errors_return',
    inPlace: 1,
    noStatus: 0,
    // By itself it sends what is reduced in place while others compute twice, to one rank and back from it. A ring
    // sends 2 (N - 1) / N of it, to both sides at once.
    settings: { OMPI_MCA_coll_libnbc_iallreduce_algorithm: '1' },
  },
  mpich: {
    title: 'MPICH',
    libraries: ['libmpich.so.12', 'libmpi.so.12', 'libmpi.12.dylib', 'libmpich.so', 'libmpi.so'],
    handle: 'int',
    world: 0x44000000,
    types: { f32: 0x4c00040a, i32: 0x4c000439, u8: 0x4c00013b },
    operations: { sum: 0x58000003, max: 0x58000001 },
    errorsReturn: 0x54000001,
    inPlace: -1,
    noStatus: 1,
    settings: {},
  },
} as const satisfies Readonly<Record<string, Family>>;

/** The name of a family. */
export type FamilyName = keyof typeof families;
