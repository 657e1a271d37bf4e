// What the ranks are to train on, compared before they do: as many batches each, and not the same examples.
import { crc32 } from '../crc.ts';
import { DataLoader } from '../data/loader.ts';
import { getRngState, setRngState } from '../random.ts';
import { scope } from '../scope.ts';
import type { Tensor } from '../tensor.ts';
import { agree, textsOf } from './agree.ts';
import { DistributedError } from './error.ts';
import type { Communicator } from './mpi/communicator.ts';
import { DistributedSampler } from './sampler.ts';

/** Loaders that were looked at. */
const seen = new WeakSet<object>();

/** How many examples there are, and a checksum of the first; '' of what a sampler shares, and of what is no loader. */
function sumOf(source: unknown): string {
  if (!(source instanceof DataLoader) || source.sampler instanceof DistributedSampler) return '';
  const { dataset } = source as DataLoader<Tensor[]>;
  if (dataset.length === 0) return '';
  // What a dataset draws for it does not count.
  const random = getRngState();
  const sums = scope(() =>
    dataset
      .batch(Int32Array.of(0))
      .map(({ data: { buffer, byteOffset, byteLength } }) => crc32(new Uint8Array(buffer, byteOffset, byteLength))),
  );
  setRngState(random);
  return [dataset.length, ...sums].join(' ');
}

/** Where a loader stands. Its seed may be another on each rank. */
function placeOf(source: unknown): string {
  if (!(source instanceof DataLoader)) return '';
  const { epoch, batch } = source.state();
  return ` after batch ${batch} of pass ${epoch}`;
}

/**
 * Compares what ranks train on, before a pass: what they have in all, and whether the examples of loaders are shared.
 * All ranks call it together.
 * @throws DistributedError on all ranks where one has more batches, or all have the same
 */
export function agreeOnBatches(communicator: Communicator, source: unknown, length: number | undefined): void {
  const cure = 'give all ranks as many batches, by new DistributedSampler(dataset) or dropLast, and read them alike';
  agree(communicator, 'fit', `${length ?? 'unknown'} batches${placeOf(source)}`, cure);
  const first = !seen.has(source as object);
  seen.add(source as object);
  const sums = textsOf(communicator, first ? sumOf(source) : '');
  if (communicator.size < 2 || sums.some((sum) => sum === '' || sum !== sums[0])) return;
  throw new DistributedError(
    `fit: expected examples that ranks share, got a DataLoader without a DistributedSampler, of the same ${sums[0]?.split(' ')[0]} examples on all ${sums.length}; pass sampler: new DistributedSampler(dataset)`,
  );
}

/**
 * Compares whether the pass goes on, where nobody knows its length. All ranks call it together.
 * @throws DistributedError on all ranks where it ends on some
 */
export function agreeOnTurn(communicator: Communicator, goesOn: boolean, batch: number): void {
  const cure =
    'give all ranks as many batches, as .sample(new DistributedSampler(…)) does, or a pipeline with repeat()';
  agree(communicator, 'fit', goesOn ? `batch ${batch}` : `the end after batch ${batch - 1}`, cure);
}
