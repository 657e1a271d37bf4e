// Values that are no tensors, between ranks: as JSON.
import { tracing } from '../execute.ts';
import { ArgumentError } from '../memory/errors.ts';
import { type Arguments, callable } from '../signature.ts';
import type { RootOptions } from './collectives.ts';
import type { Communicator } from './mpi/communicator.ts';
import { ranks } from './world.ts';

/** @throws ArgumentError for what JSON has no text for */
function textOf(op: string, value: unknown): string {
  const fail = (got: string, cure: string): never => {
    throw new ArgumentError(`${op}: expected a value that JSON has, got ${got}; ${cure}`);
  };
  try {
    return JSON.stringify(value) ?? fail(typeof value, 'give null for nothing');
  } catch (error) {
    if (error instanceof ArgumentError) throw error;
    // A circle, or a bigint.
    return fail(`one of which it says: ${(error as Error).message.split('\n')[0]}`, 'give plain numbers and texts');
  }
}

/** @throws RecordingError inside of a compiled function: its program would have what they are now for ever */
const expectEager = (op: string): void => void tracing()?.refuse(op, 'call it outside of the compiled function');

/** Bytes that MPI may write to. */
const bytesOf = (count: number): Uint8Array => new Uint8Array(new ArrayBuffer(Math.max(count, 1024)), 0, count);

/** The lengths of all ranks' texts. */
function lengthsOf(communicator: Communicator, own: number): Int32Array {
  const lengths = new Int32Array(new ArrayBuffer(Math.max(4 * communicator.size, 1024)), 0, communicator.size);
  lengths[communicator.rank] = own;
  communicator.allGather(communicator.address(lengths), 1, 'i32');
  return lengths;
}

/**
 * The values of all ranks, by rank (PyTorch's `all_gather_object`): as JSON writes them and reads them again, so that
 * tensors, functions and what is not finite do not go.
 * @throws ArgumentError for what JSON has no text for; RecordingError inside of a compiled function
 * @example
 * ```ts
 * await distributed.init();
 * console.log(distributed.allGatherObject({ host: 'a' })); // one for each rank
 * ```
 */
export const allGatherObject: <T>(value: T) => T[] = callable('allGatherObject(value: any)', (value: unknown) => {
  expectEager('allGatherObject');
  const text = textOf('allGatherObject', value);
  const communicator = ranks('allGatherObject');
  if (!communicator) return [JSON.parse(text)];
  const own = new TextEncoder().encode(text);
  const lengths = lengthsOf(communicator, own.length);
  const room = Math.max(...lengths);
  const all = bytesOf(room * communicator.size);
  all.set(own, room * communicator.rank);
  communicator.allGather(communicator.address(all), room, 'u8');
  return Array.from(lengths, (length, rank) =>
    JSON.parse(new TextDecoder().decode(all.slice(room * rank, room * rank + length))),
  );
}) as never;

/**
 * The value of the rank `root`, on all of them (PyTorch's `broadcast_object_list`), as {@link allGatherObject} has it.
 * @param value of the others is not read: null will do
 * @throws ArgumentError where there is no such rank, or JSON has no text for it; RecordingError inside of a compiled
 *   function
 */
export const broadcastObject: <T>(...args: Arguments<[value: T], [root: number], RootOptions>) => T = callable(
  'broadcastObject(value: any, root: int = 0)',
  (value: unknown, root: number) => {
    expectEager('broadcastObject');
    const communicator = ranks('broadcastObject');
    const size = communicator?.size ?? 1;
    if (root < 0 || root >= size)
      throw new ArgumentError(`broadcastObject: expected root to be a rank of 0 … ${size - 1}, got ${root}`);
    const gives = !communicator || communicator.rank === root;
    const own = new TextEncoder().encode(gives ? textOf('broadcastObject', value) : '');
    if (!communicator) return JSON.parse(new TextDecoder().decode(own));
    const bytes = bytesOf(lengthsOf(communicator, own.length)[root] as number);
    if (gives) bytes.set(own);
    communicator.broadcast(communicator.address(bytes), bytes.length, 'u8', root);
    return JSON.parse(new TextDecoder().decode(bytes));
  },
) as never;
