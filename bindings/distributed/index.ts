// The entry `retrograd/distributed`: training by several processes, on one machine or many, over MPI.
import { provideStrategy } from './parallel/strategy.ts';
import { endEarly } from './world.ts';

// Whoever imports it has `new Trainer(model, { strategy: 'ddp' })`.
provideStrategy();
void endEarly();

export {
  allGather,
  allReduce,
  barrier,
  broadcast,
  gather,
  type ReduceOp,
  type ReduceOptions,
  type RootOptions,
  reduceScatter,
} from './collectives.ts';
export { DistributedError } from './error.ts';
export { allGatherObject, broadcastObject } from './objects.ts';
export { DataParallel, type DataParallelOptions } from './parallel/data-parallel.ts';
export { shardOptimizer } from './parallel/sharded-optimizer.ts';
export { SyncBatchNorm } from './parallel/sync-batch-norm.ts';
export { DistributedSampler, type DistributedSamplerOptions } from './sampler.ts';
export { finalize, type InitOptions, init, rank, worldSize } from './world.ts';
