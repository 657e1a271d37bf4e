// All that passes over pipelines are made of: a page loads it with the first.
export { batches, unbatch } from './batches.ts';
export { cache } from './cache.ts';
export { Cursor } from './cursor.ts';
export { interleave } from './interleave.ts';
export { inMemory, iterated, ofDataset } from './memory.ts';
export { prefetch } from './prefetch.ts';
export { filter, filterChunk, map, mapChunk, sieved, skip, take } from './records.ts';
export { concat, enumerate, repeat, shard, zip } from './sequence.ts';
export { buckets, ordered, shuffle, subset } from './shuffle.ts';
export { tensorsOf } from './tensors.ts';
