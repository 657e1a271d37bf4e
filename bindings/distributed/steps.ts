// What ranks do together on a tensor, as one op: computed at once, and in compiled programs a step of the host, which
// splits them. Its row has a check that always stops the program: where that does not throw, the program goes on behind
// it, with the memory as MPI left it.
import { familyOps, withoutTape } from '../autograd.ts';
import { runtime } from '../engine/engine.ts';
import { tracing } from '../execute.ts';
import type { Probes } from '../kernels/table.ts';
import { formatShape } from '../memory/errors.ts';
import { any, attrs, inout, row, signature } from '../ops/core.ts';
import type { Tensor } from '../tensor.ts';
import { agree } from './agree.ts';
import type { Communicator } from './mpi/communicator.ts';
import type { Reduction } from './mpi/families.ts';
import { begun, poke, settle } from './progress.ts';
import { ranks } from './world.ts';

/** What is done; numbers and words alone, by which compile() compares traces. */
export interface Step {
  readonly what: 'allReduce' | 'start' | 'wait' | 'broadcast' | 'allGather' | 'gather' | 'reduceScatter' | 'allToAll';
  /** The user's call, as errors name it. */
  readonly call: string;
  readonly operation?: Reduction;
  readonly root?: number;
  /** Of `start` and `wait`: which of those under way. */
  readonly slot?: number;
}

/** Where the arena begins in this process; engines move it when it grows, or not. */
let arena: { readonly bytes: Uint8Array; readonly from: number } | null = null;

function addressOf(communicator: Communicator, x: Tensor): number {
  const { u8 } = runtime().arena;
  if (arena?.bytes !== u8) arena = { bytes: u8, from: communicator.address(u8) };
  return arena.from + x.block.ptr + x.byteOffset;
}

function perform(communicator: Communicator, x: Tensor, step: Step): void {
  const { what, operation = 'sum', root = 0, slot = 0 } = step;
  const at = addressOf(communicator, x);
  const { dtype, size } = x;
  const part = size / communicator.size;
  if (what === 'allReduce') communicator.allReduce(at, size, dtype, operation);
  else if (what === 'start') {
    poke(communicator);
    begun(slot, communicator.startAllReduce(at, size, dtype, operation));
  } else if (what === 'wait') settle(communicator, slot);
  else if (what === 'broadcast') communicator.broadcast(at, size, dtype, root);
  else if (what === 'allGather') communicator.allGather(at, part, dtype);
  else if (what === 'gather') communicator.gather(at, part, dtype, root);
  else if (what === 'reduceScatter') communicator.reduceScatter(at, part, dtype, operation);
  else {
    // The first half is sent, and the second is what came.
    const half = size / 2;
    communicator.allToAll(at, at + half * (dtype === 'u8' ? 1 : 4), half / communicator.size, dtype);
  }
}

/** Steps of programs on which the ranks agreed. */
const agreed = new WeakSet<Step>();

/** A step of a program is compared between the ranks when it runs for the first time. */
function agreeOnce(communicator: Communicator, x: Tensor, step: Step): void {
  if (agreed.has(step) || step.what === 'wait') return;
  agreed.add(step);
  agree(communicator, step.call, textOf(x, step), CURE);
}

const CURE = 'run the same program on all ranks, on batches of one shape';

/** What has to be the same on all ranks. */
const textOf = (x: Tensor, { what, operation, root }: Step): string =>
  [what, operation ?? [], root === undefined ? [] : `root ${root}`, `of ${x.dtype} ${formatShape(x.sizes)}`]
    .flat()
    .join(' ');

/** Calls of the same place that are looked at: later ones would cost more than a small collective. */
const LOOKED_AT = 4096;
let looked = 0;
const sites = new Set<string>();

/** Calls of ops are compared where a place in the program calls for the first time. */
function agreeAtSite(communicator: Communicator, x: Tensor, step: Step): void {
  if (step.what === 'wait' || looked++ >= LOOKED_AT) return;
  const site = `${step.what} ${new Error().stack}`;
  if (sites.has(site)) return;
  sites.add(site);
  agree(communicator, step.call, textOf(x, step), CURE);
}

const declared = signature({ x: inout(any) }, {}, attrs<{ readonly step: Step; readonly traced: boolean }>());

const communicate = row(declared, {
  outputs: () => ({}),
  // No value is below 0, so that it always stops. While a program is made it is only noted, and says that all is well.
  check: (probes: Probes, { x }, { step, traced }) => {
    if (probes.check_index_i32({ index: x, n: 1, bound: 0 }) < 0) return;
    const communicator = ranks(step.call) as Communicator;
    if (traced) agreeOnce(communicator, x, step);
    perform(communicator, x, step);
    x.block.version++;
  },
  forward: () => {},
});

const { communicate: call } = familyOps({ communicate } as never) as unknown as {
  communicate(inputs: { readonly x: Tensor }, attributes: { readonly step: Step; readonly traced: boolean }): void;
};

/** Does `step` on x, in place and without history; alone, and of no numbers, nothing. @throws DistributedError */
export function together(communicator: Communicator, x: Tensor, step: Step): void {
  const traced = tracing() !== null;
  if (!traced) agreeAtSite(communicator, x, step);
  if (x.size > 0) withoutTape(() => call({ x }, { step, traced }));
}
