// What each rank of the bench runs: rank.js TASK; rank 0 prints what it measured as a line of JSON.
import koffi from 'koffi';
import { compile, init, scope, type Tensor, zeros } from 'retrograd';
import * as distributed from 'retrograd/distributed';
import { type NetworkName, trainingOf } from './networks.ts';

/** Seconds of an all-reduce of so many bytes. */
export interface Reduced {
  readonly bytes: number;
  readonly eager: number;
  readonly compiled: number;
  /** Of the program in C; null: there is no mpicc. */
  readonly c: number | null;
}

/** What training takes a rank, in seconds. */
export interface Trained {
  readonly name: NetworkName;
  /** Bytes of the gradients. */
  readonly bytes: number;
  /** How many all-reduces they take. */
  readonly calls: number;
  /** A step of the model alone, while the other ranks sleep. */
  readonly alone: number;
  /** A step of DataParallel on all ranks, and the same eager. */
  readonly together: number;
  readonly eager: number;
  /** An all-reduce of all gradients at once. */
  readonly reduce: number;
  /** The loss of rank 0 after three steps, as the other ranks' batches made it. */
  readonly loss: number;
}

/** What DataParallel of one rank takes over the model alone, in seconds of the processor. */
export interface Wrapped {
  readonly mode: 'eager' | 'compiled';
  readonly plain: number;
  readonly wrapped: number;
}

const seconds = (run: () => void, calls: number): number => {
  const began = performance.now();
  for (let i = 0; i < calls; i++) run();
  return (performance.now() - began) / 1000 / calls;
};

/** What rank 0 has, on all. */
const agreed = (value: number): number => distributed.broadcastObject(value);

function sleep(forSeconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000 * forSeconds);
}

/** The least seconds a call of sides that all ranks call together, in turn. */
function leastTogether(sides: readonly ((calls: number) => number)[], rounds: number): number[] {
  const counts = sides.map((side) => agreed(Math.max(1, Math.floor(5e-3 / Math.max(side(1), side(2), 1e-7)))));
  const best = sides.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round < rounds; round++)
    sides.forEach((side, i) => {
      best[i] = Math.min(best[i] as number, side(counts[i] as number));
    });
  return best;
}

const all = (run: () => void) => (calls: number) => {
  distributed.barrier();
  return seconds(run, calls);
};

function reduceOf(bytes: number, library: string, rounds: number): Reduced {
  const x = zeros([bytes / 4]).keep();
  const compiled = compile((y: Tensor) => void distributed.allReduce(y));
  const sides = [all(() => void distributed.allReduce(x)), all(() => void compiled(x))];
  if (library) {
    const call = koffi.load(library).func('double reduce_seconds(void *at, int count, int calls)');
    // Memory like the arena's.
    const memory = new WebAssembly.Memory({ initial: 1 + (bytes >> 16), maximum: 1 + (bytes >> 16), shared: true });
    const at = new Uint8Array(memory.buffer);
    sides.push((calls) => call(at, bytes / 4, calls) as number);
  }
  // Until engines have compiled the calls, and places are no longer compared.
  for (const side of sides) side(bytes > 1e6 ? 2 : 5000);
  const [eager = 0, replayed = 0, c = null] = leastTogether(sides, rounds);
  x.dispose();
  return { bytes, eager, compiled: replayed, c };
}

function trainOf(name: NetworkName, quick: boolean, rounds: number): Trained {
  const rank = distributed.rank();
  const parallel = trainingOf(name, (model) => new distributed.DataParallel(model) as never, quick, rank);
  const own = trainingOf(name, (model) => model, quick, rank);
  const [together, alone] = [parallel, own].map(({ step }) => {
    const program = compile(step);
    return () => scope(() => program().item());
  }) as [() => number, () => number];
  let loss = 0;
  for (let i = 0; i < 3; i++) loss = together();
  for (let i = 0; i < 3; i++) alone();
  const gradients = zeros([own.numbers]).keep();
  let last = 0;
  const best = leastTogether(
    [
      all(together),
      (calls) => {
        distributed.barrier();
        if (rank > 0) sleep(last * calls);
        else last = seconds(alone, calls);
        last = agreed(last);
        return last;
      },
      all(() => scope(() => parallel.step().item())),
      all(() => void distributed.allReduce(gradients)),
    ],
    rounds,
  );
  const [step = 0, single = 0, eager = 0, reduce = 0] = best;
  return { name, bytes: 4 * own.numbers, calls: own.calls, alone: single, together: step, eager, reduce, loss };
}

/** Processor time of so many calls, in seconds: on a busy machine it tells steps apart by less than 1 %. */
function processorSeconds(run: () => void, calls: number): number {
  const began = process.cpuUsage();
  for (let i = 0; i < calls; i++) run();
  const { user, system } = process.cpuUsage(began);
  return (user + system) / 1e6 / calls;
}

function wrappedOf(quick: boolean): Wrapped[] {
  const make = (wrap: boolean) =>
    trainingOf('CNN', (model) => (wrap ? (new distributed.DataParallel(model) as never) : model), quick).step;
  // Two of each: what is made first or last may lie elsewhere.
  const steps = [false, true, true, false].map(make);
  const [rounds, calls] = quick ? [2, 1] : [100, 4];
  return (['eager', 'compiled'] as const).map((mode) => {
    const sides = steps.map((step) => {
      const run = mode === 'compiled' ? compile(step) : step;
      return { run: () => scope(() => void run()), times: [] as number[] };
    });
    for (let i = -rounds; i < rounds; i++)
      for (const { run, times } of i % 2 ? sides : [...sides].reverse()) {
        const time = processorSeconds(run, calls);
        if (i >= 0) times.push(time);
      }
    const tenth = (times: number[]): number => times.sort((a, b) => a - b)[Math.floor(times.length / 10)] as number;
    const [first = 0, second = 0, third = 0, last = 0] = sides.map(({ times }) => tenth(times));
    return { mode, plain: (first + last) / 2, wrapped: (second + third) / 2 };
  });
}

const [task, rounds = '1', mode = '', rest = ''] = process.argv.slice(2);
const quick = mode === 'quick';
await init({ threads: 1 });
await distributed.init();
let result: unknown;
if (task === 'reduce')
  result = [4096, ...(mode === 'latency' ? [] : [2 ** 20]), ...(mode === 'whole' ? [100 * 2 ** 20] : [])].map((bytes) =>
    reduceOf(bytes, rest, Number(rounds)),
  );
else if (task === 'train') result = rest.split(',').map((name) => trainOf(name as NetworkName, quick, Number(rounds)));
else if (task === 'wrapped') result = wrappedOf(quick);
else throw new Error(`expected a task of the bench, got ${task}`);
if (distributed.rank() === 0) console.log(JSON.stringify(result));
