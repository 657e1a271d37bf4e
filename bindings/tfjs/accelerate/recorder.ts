// Traces a step of TensorFlow.js at the boundary of its backend: tfjs runs its own code, and the kernels that it asks
// for are noted instead of called. Nothing has values meanwhile.
import { runtime } from '../../engine/engine.ts';
import { type Argument, type Command, commandOf, type Ref } from '../../kernels/command.ts';
import type { KernelName, Kernels, ProbeName, Probes } from '../../kernels/table.ts';
import type { Block, Owner } from '../../memory/arena.ts';
import { RecordingError } from '../../memory/errors.ts';
import { unclonable } from '../../memory/heap.ts';
import type { Lowered } from '../../program/lower.ts';
import { numelOf } from '../../sizes.ts';
import type { Backend } from '../backend.ts';
import { bytesOf, type Data, isNumber, type Tracer, withMemory } from '../data.ts';
import type { TfDtype, Values } from '../engine.ts';
import { SETTINGS } from './optimizers.ts';
import { type Law, lawOf } from './randomness.ts';
import type { TfModule } from './tensorflow.ts';

/** Words of the state of a generator. */
const STATE = 4;

/** The number of a block among those that a trace has met, so that two traces can be compared. */
type Numbers = Map<Block, number>;

/** Kernels that call `note` with their name and operands. */
const noting = (note: (name: string, call: Readonly<Record<string, unknown>>) => number): unknown => {
  const calls = new Map<string, (call: Readonly<Record<string, unknown>>) => number>();
  return new Proxy(
    {},
    {
      get: (_, name: string) => {
        let call = calls.get(name);
        if (!call) {
          call = (operands) => note(name, operands);
          calls.set(name, call);
        }
        return call;
      },
    },
  );
};

export class Recorder implements Owner, Tracer {
  readonly unclonable = unclonable;
  readonly abandoned = false;
  readonly commands: Lowered[] = [];
  /** Blocks that were filled from JavaScript, and with what. */
  readonly constants = new Map<Block, ArrayLike<number>>();
  /** The state of the generator that fills what tfjs would fill by Math.random(); null where nothing is random. */
  generator: Block | null = null;
  /** Where the optimizer's kernels read its settings. */
  readonly hyper: Block = runtime().arena.lasting(4 * SETTINGS, 'TensorFlow.js');
  disposed = false;
  readonly #tf: TfModule;
  readonly #backend: Backend;
  /** Data that was made, which tfjs may hold on to. */
  readonly #made: Data[] = [];
  /** Blocks of others that tfjs has let go of meanwhile. */
  readonly #gone: Block[] = [];
  /** What Math.random() has answered since numbers were written last. */
  #seeds: number[] = [];

  constructor(tf: TfModule, backend: Backend) {
    this.#tf = tf;
    this.#backend = backend;
  }

  /** Calls `fn` so that all it asks the backend for is noted. */
  record(fn: () => void): void {
    const backend = this.#backend;
    backend.settleAll();
    const { arena, lists } = runtime();
    const { kernels, probes } = backend;
    const { random } = Math;
    const note = (name: string, call: Readonly<Record<string, unknown>>): number => {
      this.commands.push({ ...commandOf(name as KernelName, call, lists.select), node: null });
      return -1;
    };
    const noteCheck = (name: string, call: Readonly<Record<string, unknown>>): number => {
      const complain = (): void => {
        throw new RangeError(`${name}: expected indices inside of the tensor, got one that is not`);
      };
      this.commands.push({ ...commandOf(name as ProbeName, call, lists.select), node: null, complain });
      return -1;
    };
    backend.kernels = noting(note) as Kernels;
    backend.probes = noting(noteCheck) as Probes;
    backend.tracer = this;
    arena.stand = this;
    Math.random = () => {
      const seed = random() || 0.5;
      this.#seeds.push(seed);
      return seed;
    };
    try {
      fn();
    } finally {
      Math.random = random;
      arena.stand = null;
      backend.tracer = null;
      backend.kernels = kernels;
      backend.probes = probes;
    }
  }

  note(data: Data): void {
    this.#made.push(data);
  }

  take(block: Block): void {
    if (block.origin !== this && !this.constants.has(block)) this.#gone.push(block);
  }

  /** A block of its own that gets memory: recorded blocks are released without effect. */
  release(): void {}

  refuse(what: string): never {
    throw new RecordingError(`it ${what}`);
  }

  write(values: Values, shape: readonly number[], dtype: TfDtype): Data {
    if (!isNumber(dtype)) this.refuse(`makes ${dtype} tensors`);
    const numbers = Array.from(values as ArrayLike<number>, Number);
    const seeds = this.#seeds;
    this.#seeds = [];
    if (seeds.length > 0) return this.#random(seeds, numbers, shape, dtype);
    return withMemory(() => {
      const block = runtime().arena.lasting(numbers.length * bytesOf(dtype), 'TensorFlow.js');
      this.constants.set(block, numbers);
      const data = this.#backend.fresh(dtype, numbers.length, block);
      data.fill(numbers);
      return data;
    });
  }

  /** Numbers that tfjs drew: each run draws others by the same law. */
  #random(seeds: readonly number[], numbers: readonly number[], shape: readonly number[], dtype: TfDtype): Data {
    const [seed] = seeds as [number];
    const law: Law | null = seeds.length === 1 ? this.#aside(() => lawOf(this.#tf, seed, numbers)) : null;
    if (!law || dtype !== 'float32') this.refuse(`draws ${numelOf(shape)} numbers by a law that could not be told`);
    const { kernels } = this.#backend;
    const y = this.#backend.fresh(dtype, numbers.length);
    this.generator ??= withMemory(() => runtime().arena.lasting(4 * STATE, 'TensorFlow.js'));
    const state = { block: this.generator, byteOffset: 0 };
    const n = y.size;
    if (law.kind === 'uniform') kernels.uniform_f32({ y, n, first: 0, low: law.low, high: law.high, state });
    else kernels.normal_f32({ y, n, first: 0, mean: law.mean, std: law.std, state });
    kernels.random_advance({ state, n });
    return y;
  }

  /** Calls `fn` as if nothing were traced. */
  #aside<T>(fn: () => T): T {
    const backend = this.#backend;
    backend.settleAll();
    const { arena } = runtime();
    const { kernels, probes } = backend;
    const traced = arena.stand;
    ({ kernels: backend.kernels, probes: backend.probes } = runtime());
    backend.tracer = null;
    arena.stand = null;
    try {
      return fn();
    } finally {
      backend.settleAll();
      backend.tracer = this;
      backend.kernels = kernels;
      backend.probes = probes;
      arena.stand = traced;
    }
  }

  /**
   * Takes what it made from tfjs: nothing of it has values. What tfjs still holds of it is as if disposed of.
   * @param forget is told of each
   */
  close(forget: (data: Data) => void): void {
    for (const data of this.#made) {
      const { place } = data;
      const own = data.later || (place && (place.origin === this || this.constants.has(place)));
      if (!own || data.owner !== this.#backend) continue;
      forget(data);
      this.#backend.drop(data);
    }
    this.#made.length = 0;
    for (const block of this.#gone) block.free();
    this.#gone.length = 0;
  }

  /** Whether a block is its own: of the trace, a constant, settings or the state of the generator. */
  owns(block: Block): boolean {
    return block.origin === this || block === this.hyper || block === this.generator || this.constants.has(block);
  }

  /** Gives its memory back. */
  dispose(): void {
    this.disposed = true;
    for (const block of this.constants.keys()) block.free();
    this.generator?.free();
    this.hyper.free();
  }

  /** What another trace of the same step does differently first, or null. @param results blocks that it returns */
  differs(other: Recorder, results: readonly Block[], others: readonly Block[]): string | null {
    const [a, b] = [this.commands, other.commands];
    if (a.length !== b.length) return `${Math.abs(a.length - b.length)} kernels more or less`;
    const numbers: [Numbers, Numbers] = [new Map(), new Map()];
    for (let i = 0; i < a.length; i++) {
      const [one, two] = [a[i] as Command, b[i] as Command];
      if (one.kernel !== two.kernel) return `${two.kernel} where it had been ${one.kernel}`;
      for (const name in one.call) {
        const x = this.#describe(one.call[name] as Argument, numbers[0]);
        const y = other.#describe(two.call[name] as Argument, numbers[1]);
        if (x !== y) return `another ${name} of ${one.kernel}`;
      }
    }
    const name = ([block]: readonly Block[], i: 0 | 1): unknown => numbers[i].get(block as Block);
    const same = results.every((block, i) => name([block], 0) === name(others.slice(i), 1));
    return same ? null : 'other results';
  }

  #describe(argument: Argument, numbers: Numbers): string | number {
    if (argument === null || typeof argument === 'number') return argument ?? '-';
    if (Array.isArray(argument)) return argument.join();
    const { block, offset } = argument as Ref;
    const constant = this.constants.get(block);
    if (constant) return `${Array.from(constant).join()} ${offset}`;
    let number = numbers.get(block);
    if (number === undefined) {
      number = this.owns(block) ? numbers.size : -outsideNumber(block);
      numbers.set(block, number);
    }
    return `%${number} ${offset}`;
  }
}

const outsiders = new WeakMap<Block, number>();
let outsiderCount = 0;
/** A number of a block that is of no trace. */
function outsideNumber(block: Block): number {
  let number = outsiders.get(block);
  if (number === undefined) {
    number = ++outsiderCount;
    outsiders.set(block, number);
  }
  return number;
}
