// MPI by addresses: what collectives are on memory. All are in place, as `MPI_IN_PLACE` has it.
import { DistributedError } from '../error.ts';
import { type ElementType, type Family, families, type Reduction } from './families.ts';
import type { Loaded } from './library.ts';

/** `MPI_THREAD_SERIALIZED`: one thread at a time calls MPI. */
const SERIALIZED = 2;
/** Bytes that MPI writes numbers and texts to: MPICH's version has up to 8192. */
const SCRATCH = 16384;
/** Where in it texts lie; numbers stand before. */
const TEXT = 64;
/** Requests that may be under way, of at most 8 bytes each. */
const REQUESTS = 4096;

/** Memory that does not move: engines move small arrays, and none whose buffer was made first. */
const fixed = (bytes: number): DataView => new DataView(new ArrayBuffer(Math.max(bytes, 1024)));

/** Calls that wait for other ranks, which all make in the same order. */
export const CALLS = [
  ...['MPI_Allreduce', 'MPI_Wait', 'MPI_Bcast', 'MPI_Allgather', 'MPI_Gather', 'MPI_Reduce_scatter_block'],
  ...['MPI_Alltoall', 'MPI_Barrier', 'MPI_Finalize'],
];
/** How many of the last calls are told to those who compare them. */
export const TOLD = 64;
/** Where they stand in the pulse. */
export const HEAD = 2;

/** The ranks of the job, and what they do together. Numbers of elements, and addresses of this process. */
export class Communicator {
  readonly rank: number;
  readonly size: number;
  /** Such as 'Open MPI v4.1.4'. */
  readonly version: string;
  /**
   * Which of CALLS it waits in, from 1 on, or 0; how many it has begun; and behind HEAD what these were, that of number
   * n at n % TOLD: which of CALLS + 32 · the elements of a rank, as far as there is room. For a thread that watches.
   */
  readonly pulse = new Int32Array(new SharedArrayBuffer(4 * (HEAD + TOLD)));
  readonly #mpi: Loaded;
  readonly #family: Family;
  readonly #types: Readonly<Record<ElementType, number>>;
  readonly #operations: Readonly<Record<Reduction, number>>;
  readonly #world: number;
  /** Its own: what ranks agree on is not mixed up with what they compute. */
  readonly #control: number;
  readonly #scratch = fixed(SCRATCH);
  readonly #scratchAt: number;
  readonly #requestsAt: number;
  readonly #requests = fixed(8 * REQUESTS);
  /** Places of requests that are free. */
  readonly #free = Array.from({ length: REQUESTS }, (_, i) => REQUESTS - 1 - i);

  /** @throws DistributedError where MPI does not start */
  constructor(mpi: Loaded) {
    this.#mpi = mpi;
    const family: Family = families[mpi.family];
    this.#family = family;
    this.#scratchAt = mpi.address(this.#scratch);
    this.#requestsAt = mpi.address(this.#requests);
    this.#world = mpi.handle(family.world);
    const handles = <K extends string>(names: Readonly<Record<K, string | number>>): Record<K, number> =>
      Object.fromEntries(Object.entries(names).map(([key, of]) => [key, mpi.handle(of as string)])) as never;
    this.#types = handles(family.types);
    this.#operations = handles(family.operations);
    const { calls } = mpi;
    for (const [name, value] of Object.entries(family.settings)) globalThis.process.env[name] ??= value;
    calls.initialized(this.#scratchAt);
    if (this.#number() === 0) this.#check('MPI_Init_thread', calls.initThread(0, 0, SERIALIZED, this.#scratchAt));
    const errors = mpi.handle(family.errorsReturn);
    calls.setErrhandler(this.#world, errors);
    this.#check('MPI_Comm_rank', calls.rank(this.#world, this.#scratchAt));
    this.rank = this.#number();
    this.#check('MPI_Comm_size', calls.size(this.#world, this.#scratchAt));
    this.size = this.#number();
    calls.libraryVersion(this.#scratchAt + TEXT, this.#scratchAt);
    this.version = (this.#text(this.#number()).split(/[,\n]/)[0] ?? '').replace(/\s+/g, ' ').trim();
    this.#check('MPI_Comm_dup', calls.duplicate(this.#world, this.#scratchAt));
    this.#control = family.handle === 'int' ? this.#number() : Number(this.#scratch.getBigUint64(0, true));
    calls.setErrhandler(this.#control, errors);
  }

  #number(): number {
    return this.#scratch.getInt32(0, true);
  }

  #text(length: number): string {
    return new TextDecoder().decode(new Uint8Array(this.#scratch.buffer, TEXT, Math.max(0, length)));
  }

  /** Begins one of CALLS, which #check ends. */
  #enter(name: string, count = 0): void {
    const { pulse } = this;
    const [call, number] = [CALLS.indexOf(name) + 1, (pulse[1] as number) + 1];
    Atomics.store(pulse, HEAD + (number % TOLD), call + 32 * (count % 2 ** 25));
    Atomics.store(pulse, 1, number);
    Atomics.store(pulse, 0, call);
  }

  /** @throws DistributedError unless `code` is 0 */
  #check(name: string, code: number): void {
    Atomics.store(this.pulse, 0, 0);
    if (code === 0) return;
    this.#mpi.calls.errorString(code, this.#scratchAt + TEXT, this.#scratchAt);
    throw new DistributedError(
      `${name}: expected success, got error ${code}: ${this.#text(this.#number())}; see whether all ranks still run`,
    );
  }

  /** Where bytes outside of the heap of JavaScript lie. */
  address(bytes: ArrayBufferView): number {
    return this.#mpi.address(bytes);
  }

  allReduce(at: number, count: number, type: ElementType, operation: Reduction): void {
    const { calls } = this.#mpi;
    const { inPlace } = this.#family;
    const op = this.#operations[operation];
    this.#enter('MPI_Allreduce', count);
    this.#check('MPI_Allreduce', calls.allReduce(inPlace, at, count, this.#types[type], op, this.#world));
  }

  /** Begins one, and goes on. @returns the number that wait() and test() take */
  startAllReduce(at: number, count: number, type: ElementType, operation: Reduction): number {
    const request = this.#free.pop();
    if (request === undefined)
      throw new DistributedError(
        `MPI_Iallreduce: expected at most ${REQUESTS} that are under way, got one more; wait for some`,
      );
    const { calls } = this.#mpi;
    const op = this.#operations[operation];
    const place = this.#requestsAt + 8 * request;
    const { inPlace } = this.#family;
    const code = calls.startAllReduce(inPlace, at, count, this.#types[type], op, this.#world, place);
    this.#check('MPI_Iallreduce', code);
    return request;
  }

  /** Waits until it is done, after which the number may be another's. */
  wait(request: number): void {
    this.#free.push(request);
    const { calls } = this.#mpi;
    this.#enter('MPI_Wait');
    this.#check('MPI_Wait', calls.wait(this.#requestsAt + 8 * request, this.#family.noStatus));
  }

  /** Lets those that are under way go on; it has to be waited for all the same. @returns whether it is done */
  test(request: number): boolean {
    const { calls } = this.#mpi;
    this.#check('MPI_Test', calls.test(this.#requestsAt + 8 * request, this.#scratchAt, this.#family.noStatus));
    return this.#number() !== 0;
  }

  broadcast(at: number, count: number, type: ElementType, root: number): void {
    this.#enter('MPI_Bcast', count);
    this.#check('MPI_Bcast', this.#mpi.calls.broadcast(at, count, this.#types[type], root, this.#world));
  }

  /** Of `count` elements of each rank, of which its own are in their place already. */
  allGather(at: number, count: number, type: ElementType): void {
    this.#allGather(at, count, type, this.#world);
  }

  #allGather(at: number, count: number, type: ElementType, comm: number): void {
    const { calls } = this.#mpi;
    const { inPlace } = this.#family;
    const of = this.#types[type];
    this.#enter('MPI_Allgather', count);
    this.#check('MPI_Allgather', calls.allGather(inPlace, 0, of, at, count, of, comm));
  }

  /** Bytes of each rank to all, as `allGather`; for what ranks agree on, beside all that they compute. */
  exchange(bytes: Uint8Array, count: number): void {
    this.#allGather(this.address(bytes), count, 'u8', this.#control);
  }

  /** As `allGather`, to `root` alone; what others have stays. */
  gather(at: number, count: number, type: ElementType, root: number): void {
    const { calls } = this.#mpi;
    const { inPlace } = this.#family;
    const of = this.#types[type];
    const [from, to] = this.rank === root ? [inPlace, at] : [at + this.#bytes(type) * count * this.rank, 0];
    this.#enter('MPI_Gather', count);
    this.#check('MPI_Gather', calls.gather(from, count, of, to, count, of, root, this.#world));
  }

  #bytes(type: ElementType): number {
    return type === 'u8' ? 1 : 4;
  }

  /** Reduces size · count elements; the first `count` of them are this rank's part of the result then. */
  reduceScatter(at: number, count: number, type: ElementType, operation: Reduction): void {
    const { calls } = this.#mpi;
    const { inPlace } = this.#family;
    const op = this.#operations[operation];
    const of = this.#types[type];
    this.#enter('MPI_Reduce_scatter_block', count);
    this.#check('MPI_Reduce_scatter_block', calls.reduceScatter(inPlace, at, count, of, op, this.#world));
  }

  /** Of size · count elements from `from`, part i goes to rank i, which has it as part `rank` from `to` on. */
  allToAll(from: number, to: number, count: number, type: ElementType): void {
    const of = this.#types[type];
    this.#enter('MPI_Alltoall', count);
    this.#check('MPI_Alltoall', this.#mpi.calls.allToAll(from, count, of, to, count, of, this.#world));
  }

  barrier(): void {
    this.#enter('MPI_Barrier');
    this.#check('MPI_Barrier', this.#mpi.calls.barrier(this.#world));
  }

  /** Ends the job, on all ranks. */
  abort(code: number): void {
    this.#mpi.calls.abort(this.#world, code);
  }

  finalize(): void {
    this.#enter('MPI_Finalize');
    this.#check('MPI_Finalize', this.#mpi.calls.finalize());
  }
}
