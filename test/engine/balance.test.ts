// Shares of threads: those that wait get more, on a clock of the test's; and no bit depends on who takes how much.
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runtime } from '../../bindings/engine/engine.ts';
import * as rg from '../../bindings/index.ts';
import { compile, functional as F, nn, optim, scope } from '../../bindings/index.ts';
import { commandOf, type Ref, type Slices, slicesOf } from '../../bindings/kernels/command.ts';
import { encode, Words } from '../../bindings/kernels/encode.ts';
import type { Block } from '../../bindings/memory/arena.ts';

afterEach(() => rg.shutdown());

// Words of the control block: see assembly/program/threads.ts and balance.ts.
const [ARRIVED, PHASE, LINES, LINE, WAITED] = [64, 128, 384, 64, 8];
/** Looks that take a millisecond. */
const LOOKS = 1e6;
/** Milliseconds of a program. */
const TIME = 10;

type Run = (...args: number[]) => number;

/** Thread 0 of a team whose other threads are a model. */
class Team {
  readonly memory = new WebAssembly.Memory({ initial: 64, maximum: 64, shared: true });
  readonly #run: Run;
  readonly #control: number;
  readonly #threads: number;
  /** Called with the number of each look at the clock. */
  onClock: (look: number) => void = () => {};
  #time = 0;
  #looks = 0;

  constructor(threads: number) {
    const file = new URL('../../build/wasm/retrograd.relaxed-threads.wasm', import.meta.url);
    const now = (): number => {
      this.onClock(this.#looks++);
      this.#time += TIME;
      return this.#time;
    };
    const env = { memory: this.memory, now, made: () => 0, abort: () => {} };
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(file)), { env });
    const { heap_base: base, thread_start: start, program_run: run } = exports as Record<string, Run>;
    (exports._initialize as (() => void) | undefined)?.();
    this.#control = ((base as Run)() + LINE - 1) & -LINE;
    this.#threads = threads;
    start?.(0, threads, this.#control, this.#control + 65536, this.#control + 32768, 0);
    this.#run = run as Run;
  }

  /** Where the test may write. */
  get free(): number {
    return this.#control + 131072;
  }

  run(from = 0, to = 0): void {
    this.#looks = 0;
    const words = new Int32Array(this.memory.buffer);
    // All others are at the last barrier.
    if (from === to) words[(this.#control + ARRIVED) / 4] = this.#threads - 1;
    expect(this.#run(from, to)).toBe(0);
  }

  /** All others come to the barrier where thread 0 is. */
  release(): void {
    const words = new Int32Array(this.memory.buffer);
    words[(this.#control + ARRIVED) / 4] = 0;
    (words[(this.#control + PHASE) / 4] as number)++;
  }

  #lines(): Float64Array {
    return new Float64Array(this.memory.buffer, this.#control + LINES);
  }

  /** Milliseconds that a thread has waited. */
  waited(thread: number): number {
    return (this.#lines()[(LINE * thread + WAITED) / 8] as number) / LOOKS;
  }

  wait(thread: number, milliseconds: number): void {
    this.#lines()[(LINE * thread + WAITED) / 8] = milliseconds * LOOKS;
  }

  /** Fractions of the threads. */
  get shares(): number[] {
    const from = (LINE * this.#threads) / 8;
    const ends = [...this.#lines().subarray(from, from + this.#threads)];
    return ends.map((end, t) => end - (t === 0 ? 0 : (ends[t - 1] as number)));
  }
}

describe('shares of threads', () => {
  // The relaxed build is behind a flag of Node 20, which this sets.
  beforeEach(() => rg.init({ simd: 'relaxed', threads: 1 }));

  /** Programs on processors of these speeds: who is done first waits for the last. */
  function follow(team: Team, speeds: readonly number[], programs: number): void {
    team.onClock = (look) => {
      if (look === 0) return;
      const times = team.shares.map((share, t) => share / (speeds[t] as number));
      const last = Math.max(...times);
      times.forEach((time, t) => void team.wait(t, (TIME * (last - time)) / last));
    };
    for (let i = 0; i < programs; i++) team.run();
  }

  it.each([[[1, 1]], [[1, 0.7]], [[0.5, 1]], [[1, 1, 0.4, 0.4]], [[1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.45, 0.4]]])(
    'follow processors of speeds %j',
    (speeds) => {
      const team = new Team(speeds.length);
      follow(team, speeds, 200);
      const sum = speeds.reduce((a, b) => a + b);
      team.shares.forEach((share, t) => void expect(share).toBeCloseTo((speeds[t] as number) / sum, 2));
      // And others, when they change.
      follow(team, [...speeds].reverse(), 200);
      team.shares.forEach((share, t) => void expect(share).toBeCloseTo((speeds.at(-1 - t) as number) / sum, 2));
    },
  );

  it('change little by one program, and stay within bounds', () => {
    const team = new Team(2);
    team.run();
    expect(team.shares).toEqual([0.5, 0.5]);
    team.onClock = (look) => look > 0 && team.wait(1, 1e6);
    team.run();
    team.run();
    for (const share of team.shares) expect(Math.abs(share - 0.5)).toBeLessThan(0.05);
    for (let i = 0; i < 1000; i++) team.run();
    expect(Math.min(...team.shares)).toBeGreaterThan(0.05);
    expect(team.shares.reduce((a, b) => a + b)).toBe(1);
  });

  /** Writes a program of `exp`s, each cut in so many grains, null: not at all. @returns where it ends */
  function write(team: Team, grains: readonly (number | null)[]): number {
    const { buffer } = team.memory;
    const words = new Words({ i32: new Int32Array(buffer), f32: new Float32Array(buffer) }, team.free);
    const n = 1024;
    const place = (ptr: number): Ref => ({ block: { ptr } as Block, offset: 0, shape: [], dtype: '' });
    const call = { y: place(team.free + 65536), x: place(team.free + 131072), n };
    const command = commandOf('exp_forward_f32', call, runtime().lists.select);
    const slices = slicesOf(command) as Slices;
    for (const count of grains)
      encode(words, command, count === null ? null : { ...slices, grain: n / count }, true, ({ block }) => block.ptr);
    return words.address;
  }

  it.each([
    // Of three barriers, and the one behind all, the first says nothing.
    ['what is cut finely counts', [64, 64, 64], 3],
    ['a coarse cut does not count', [64, 2, 64], 2],
    ['what is not cut does not count', [64, null, null], 1],
  ] as const)('%s', (_, grains, counted) => {
    const team = new Team(2);
    const end = write(team, grains);
    let waits = 0;
    // The clock is read before and behind the program, and twice for every wait that takes long.
    team.onClock = (look) => {
      if (look === 0 || look > 2 * (grains.length + 1)) return;
      if (look % 2 === 1) team.release();
      else waits++;
    };
    team.run(team.free, end);
    expect(waits).toBe(grains.length + 1);
    expect(Math.floor(team.waited(0) / TIME)).toBe(counted);
  });
});

describe('a team of unequal shares', () => {
  const batch = 24;
  /** Trains with fractions that are set before every program. @returns the bits of all weights */
  function train(): number[] {
    return scope(() => {
      rg.manualSeed(3);
      const model = new nn.Sequential(
        ...[new nn.Conv2d(1, 8, 3), new nn.BatchNorm2d(8), new nn.ReLU(), new nn.MaxPool2d(2), new nn.Dropout(0.25)],
        ...[new nn.Flatten(), new nn.Linear(8 * 49, 64), new nn.GELU(), new nn.Linear(64, 10)],
      );
      const optimizer = new optim.AdamW(model.parameters());
      const [x, y] = [rg.randn([batch, 1, 16, 16]), rg.randint(0, 10, [batch])];
      const step = compile(() => {
        optimizer.zeroGrad();
        const loss = F.crossEntropy(model.forward(x), y);
        loss.backward();
        optimizer.step();
        return loss;
      });
      for (let i = 0; i < 6; i++) scope(() => void step());
      return model.parameters().flatMap((p) => [...new Int32Array(Float32Array.from(p.data).buffer)]);
    });
  }

  it('has the bits of one thread', async () => {
    await rg.init({ threads: 1 });
    const alone = train();
    rg.shutdown();
    const { Instance } = WebAssembly;
    let programs = 0;
    for (const fractions of [
      [0.07, 1],
      [0.61, 1],
      [0.3, 0.34, 1],
      [0.02, 0.9, 1],
    ]) {
      WebAssembly.Instance = class {
        readonly exports: unknown;
        constructor(module: WebAssembly.Module, imports: WebAssembly.Imports) {
          const { exports } = new Instance(module, imports);
          const { thread_start: start, program_run: run } = exports as Record<string, Run>;
          let ends: Float64Array | null = null;
          const watched = {
            thread_start: (...told: number[]) => {
              const [, count = 1, control = 0] = told;
              const { buffer } = (imports as { env: { memory: WebAssembly.Memory } }).env.memory;
              ends = count > 1 ? new Float64Array(buffer, control + LINES + LINE * count, count) : null;
              return start?.(...told);
            },
            program_run: (...args: number[]) => {
              if (ends) programs++;
              ends?.set(fractions);
              return run?.(...args);
            },
          };
          this.exports = run ? { ...exports, ...watched } : exports;
        }
      } as unknown as typeof WebAssembly.Instance;
      try {
        await rg.init({ threads: fractions.length });
      } finally {
        WebAssembly.Instance = Instance;
      }
      expect(rg.backend().threads).toBe(fractions.length);
      expect(train()).toEqual(alone);
      rg.shutdown();
    }
    expect(programs).toBeGreaterThan(20);
  });
});
