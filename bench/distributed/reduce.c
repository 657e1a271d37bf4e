// The all-reduce of a program in C: mpicc makes a library of this, which a rank of the bench loads, so that both sides
// reduce the same memory by the same MPI in one process.
#include <mpi.h>

// Seconds a call of `calls` all-reduces in a row, in place, of `count` floats.
double reduce_seconds(void *at, int count, int calls) {
  MPI_Barrier(MPI_COMM_WORLD);
  const double began = MPI_Wtime();
  for (int i = 0; i < calls; i++) MPI_Allreduce(MPI_IN_PLACE, at, count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
  return (MPI_Wtime() - began) / calls;
}
