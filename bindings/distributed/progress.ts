// What is under way beside computation. MPI works on it only while it is called: so eager backward calls it at each
// node, and programs between their commands.
import { type Runtime, runtime } from '../engine/engine.ts';
import { now } from '../engine/platform.ts';
import { LENGTH_WORD } from '../kernels/encode.ts';
import type { Communicator } from './mpi/communicator.ts';

/** Requests of MPI by slot, those first that began first. */
const requests = new Map<number, number>();
let slots = 0;
/** A slot for an all-reduce that goes on while others compute. */
export const newSlot = (): number => slots++;

/** Remembers what has begun. */
export function begun(slot: number, request: number): void {
  requests.set(slot, request);
}

/** Waits for what is under way in a slot. */
export function settle(communicator: Communicator, slot: number): void {
  const request = requests.get(slot) as number;
  requests.delete(slot);
  communicator.wait(request);
}

/** Lets all that is under way go on: a call for one does so for all, unless that one is done. */
export function poke(communicator: Communicator): void {
  for (const request of requests.values()) if (!communicator.test(request)) return;
}

/** Waits for all that is under way, and forgets it: what was to use it has failed. */
export function abandon(communicator: Communicator): void {
  for (const request of requests.values()) communicator.wait(request);
  requests.clear();
}

/** Milliseconds between two calls of MPI that are too few or too many, and commands that run in between at most. */
const [SHORT, LONG, MOST] = [0.05, 0.25, 4];

/** Words of a program from `from` on, of so many commands. @returns the address of the next */
function behind({ i32 }: Runtime['arena'], from: number, commands: number, to: number): number {
  let at = from;
  for (let i = 0; i < commands && at < to; i++) at += 4 * (i32[at / 4 + LENGTH_WORD] as number);
  return at;
}

/** From now on programs let go on what is under way, every few commands. */
export function pokeInPrograms(communicator: Communicator): void {
  const { arena, threads } = runtime();
  const run = threads.run.bind(threads);
  let commands = 1;
  threads.run = (from, to) => {
    if (requests.size === 0) return run(from, to);
    for (let at = from; at < to; ) {
      const began = now();
      const next = behind(arena, at, commands, to);
      const answer = run(at, next);
      if (answer !== 0 || next >= to) return answer;
      poke(communicator);
      at = next;
      const took = now() - began;
      if (took < SHORT) commands = Math.min(MOST, 2 * commands);
      else if (took > LONG) commands = Math.ceil(commands / 2);
    }
    return 0;
  };
}
