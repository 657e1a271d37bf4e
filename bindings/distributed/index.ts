// The entry `retrograd/distributed`: training by several processes, on one machine or many, over MPI.

export { DistributedError } from './error.ts';
export { finalize, type InitOptions, init, rank, worldSize } from './world.ts';
