// What has to be the same on all ranks, compared in words: so that what differs is an error on all of them, and nobody
// waits for a call that never comes.
import { crc32 } from '../crc.ts';
import { DistributedError } from './error.ts';
import type { Communicator } from './mpi/communicator.ts';

/** Bytes that a rank tells the others; of a longer text its beginning, and a checksum of all. */
const RECORD = 512;
const SUM_DIGITS = 8;

/** A text in at most RECORD bytes, which differ where texts do. */
function record(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  const sum = crc32(bytes).toString(16).padStart(SUM_DIGITS, '0');
  const head = bytes.subarray(0, RECORD - SUM_DIGITS);
  const all = new Uint8Array(RECORD);
  all.set(new TextEncoder().encode(sum));
  all.set(head, SUM_DIGITS);
  return all;
}

/** `'rank 0'`, `'ranks 1 and 2'`, `'ranks 1, 2, 3 and 60 more'`. */
function listRanks(ranks: readonly number[]): string {
  if (ranks.length === 1) return `rank ${ranks[0]}`;
  const shown = ranks.slice(0, 3);
  const rest = ranks.length - shown.length;
  const [last, before] = rest > 0 ? [`${rest} more`, shown] : [shown.at(-1), shown.slice(0, -1)];
  return `ranks ${before.join(', ')} and ${last}`;
}

/** What each rank has, by rank, behind a checksum. All ranks call it together. */
function tell(communicator: Communicator, text: string): string[] {
  const { rank, size } = communicator;
  const all = new Uint8Array(new ArrayBuffer(Math.max(size * RECORD, 1024)));
  all.set(record(text), rank * RECORD);
  communicator.exchange(all, RECORD);
  return Array.from({ length: size }, (_, i) => {
    const bytes = all.slice(i * RECORD, (i + 1) * RECORD);
    const end = bytes.indexOf(0, SUM_DIGITS);
    return new TextDecoder().decode(bytes.subarray(0, end < 0 ? RECORD : end));
  });
}

/** The texts of all ranks, by rank. All ranks call it together. */
export const textsOf = (communicator: Communicator, text: string): string[] =>
  tell(communicator, text).map((each) => each.slice(SUM_DIGITS));

/** The text of the first rank that has one; '' where none has. All ranks call it together. */
export const firstTold = (communicator: Communicator, text: string): string =>
  textsOf(communicator, text).find((each) => each !== '') ?? '';

/**
 * Compares `text` between the ranks, which all call it together.
 * @throws DistributedError on all of them where one has another: `op: expected …, got … on rank 1; cure`
 */
export function agree(communicator: Communicator, op: string, text: string, cure: string): void {
  const texts = tell(communicator, text);
  const byText = new Map<string, number[]>();
  texts.forEach((each, rank) => {
    byText.set(each, [...(byText.get(each) ?? []), rank]);
  });
  if (byText.size === 1) return;
  const got = [...byText].map(([each, ranks]) => `${each.slice(SUM_DIGITS)} on ${listRanks(ranks)}`);
  throw new DistributedError(`${op}: expected the same on all ranks, got ${got.join(', ')}; ${cure}`);
}
