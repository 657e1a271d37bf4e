// Programs call MPI between their commands while something is under way, and compute the same.
import { expect, it } from 'vitest';
import type { Communicator } from '../../bindings/distributed/mpi/communicator.ts';
import { begun, newSlot, poke, pokeInPrograms, settle } from '../../bindings/distributed/progress.ts';
import { compile, init, manualSeed, randn, type Tensor } from '../../bindings/index.ts';

/** Stands for MPI: requests that are done when they are waited for. */
class Calls {
  readonly log: string[] = [];
  readonly done = new Set<number>();

  test(request: number): boolean {
    this.log.push(`test ${request}`);
    return this.done.has(request);
  }

  wait(request: number): void {
    this.log.push(`wait ${request}`);
  }
}

const calls = new Calls();
const communicator = calls as unknown as Communicator;

it('calls for the first that is not done, which works for all', () => {
  const slots = [newSlot(), newSlot(), newSlot()] as const;
  slots.forEach((slot, i) => void begun(slot, i));
  calls.done.add(0);
  poke(communicator);
  for (const slot of slots) settle(communicator, slot);
  poke(communicator);
  expect(calls.log.splice(0)).toEqual(['test 0', 'test 1', 'wait 0', 'wait 1', 'wait 2']);
});

it('has programs call while something is under way', async () => {
  await init({ threads: 1 });
  pokeInPrograms(communicator);
  manualSeed(1);
  const [x, w] = [randn([4, 8]), randn([8, 8])];
  const fn = (a: Tensor): Tensor => {
    let h = a;
    for (let i = 0; i < 20; i++) h = h.matmul(w).div(4).tanh();
    return h;
  };
  const program = compile(fn);
  const expected = fn(x).toArray();
  expect(program(x).toArray()).toEqual(expected);
  expect(calls.log).toEqual([]);
  const slot = newSlot();
  begun(slot, 7);
  expect(program(x).toArray()).toEqual(expected);
  // 20 products, and loops between them; at most 4 of them run at a time.
  expect(calls.log.length).toBeGreaterThanOrEqual(4);
  expect(new Set(calls.log.splice(0))).toEqual(new Set(['test 7']));
  settle(communicator, slot);
  expect(program(x).toArray()).toEqual(expected);
  expect(calls.log).toEqual(['wait 7']);
});
