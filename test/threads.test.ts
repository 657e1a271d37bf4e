// Threads: every kernel cut in slices gives the bits it gives whole; pools of any size train to the same bits; and a
// thread that is lost is an error, not a hang.
import { spawnSync } from 'node:child_process';
import { afterEach, describe, expect, it } from 'vitest';
import { runtime } from '../bindings/engine/engine.ts';
import * as rg from '../bindings/index.ts';
import { compile, functional as F, nn, optim, scope, type Tensor } from '../bindings/index.ts';
import { type Argument, commandOf, slicesOf, touchesOf } from '../bindings/kernels/command.ts';
import { encode, Words } from '../bindings/kernels/encode.ts';
import { descriptorOf, type KernelName } from '../bindings/kernels/table.ts';
import type { Block } from '../bindings/memory/arena.ts';
import * as checks from './ops/cases/checks.ts';
import * as derivatives from './ops/cases/derivatives.ts';
import { list } from './ops/cases/index.ts';

afterEach(() => rg.shutdown());

type Call = (operands: Readonly<Record<string, unknown>>) => void;

/** Slices smaller than those that pay, but for those that have to be what they are, or whole rows or blocks. */
function grainOf({ kernel, call }: ReturnType<typeof commandOf>, grain: number): number {
  const selects = Object.values(descriptorOf(kernel).operands).some(({ kind }) => kind === 'algorithm');
  if (selects || kernel === 'attention_forward_f32') return grain;
  return Math.min(grain, kernel.startsWith('bce_with_logits') ? (call.inner as number) : 16);
}

/** Makes every kernel with a rule run whole, then in slices, and compares. @returns how often each was compared */
function checkSlices(): Map<string, number> {
  const { kernels, arena, exports, lists } = runtime();
  const counts = new Map<string, number>();
  const writable = kernels as unknown as Record<string, Call>;
  const workspace = arena.reserve(Number(exports.gemm_workspace_bytes?.()));
  const scratch = arena.reserve(Number(exports.program_scratch_bytes?.()));
  const buffer = arena.reserve(4096);
  for (const name of Object.keys(kernels) as KernelName[]) {
    const whole = (kernels as unknown as Record<string, Call>)[name] as Call;
    writable[name] = (operands) => {
      const command = commandOf(name, operands, lists.select);
      const slices = slicesOf(command);
      const written: Block[] = [];
      for (const { ref, writes } of touchesOf(command)) if (writes) written.push(ref.block);
      const bytesOf = (block: Block): Uint8Array => arena.u8.slice(block.ptr, block.ptr + block.bytes);
      const before = written.map(bytesOf);
      whole(operands);
      if (!slices || slices.units < 2) return;
      const after = written.map(bytesOf);
      const grain = grainOf(command, slices.grain);
      for (const threads of [2, 3, 5]) {
        written.forEach((block, i) => {
          arena.u8.set(before[i] as Uint8Array, block.ptr);
        });
        const words = new Words(arena, buffer);
        encode(words, command, { ...slices, grain }, false, ({ block, offset }) => block.ptr + offset);
        for (let thread = 0; thread < threads; thread++) {
          exports.thread_start?.(thread, threads, 0, workspace, scratch, 1);
          exports.program_run?.(buffer, words.address);
        }
        exports.thread_start?.(0, 1, 0, workspace, scratch, 1);
        written.forEach((block, i) => {
          const same = Buffer.compare(bytesOf(block), after[i] as Uint8Array) === 0;
          if (!same) {
            const numbers = (value: Argument): unknown =>
              typeof value === 'object' && !Array.isArray(value) ? '' : value;
            const call = Object.entries(command.call).map(([operand, value]) => `${operand}=${numbers(value)}`);
            throw new Error(`${name} in ${threads} slices differs: ${call.join(' ')} ${JSON.stringify(slices)}`);
          }
        });
      }
      counts.set(name, (counts.get(name) ?? 0) + 1);
    };
  }
  return counts;
}

const hash = (words: readonly number[]): number => words.reduce((h, word) => (Math.imul(h, 31) + word) | 0, 0);

const convolutional = (): nn.Layer =>
  new nn.Sequential(
    ...[new nn.Conv2d(1, 16, 3, { padding: 1 }), new nn.ReLU(), new nn.MaxPool2d(2)],
    ...[new nn.Conv2d(16, 32, 3, { padding: 1 }), new nn.BatchNorm2d(32), new nn.ReLU(), new nn.AvgPool2d(2)],
    ...[new nn.Flatten(), new nn.Dropout(0.3), new nn.Linear(32 * 49, 10)],
  );
const dense = (): nn.Layer =>
  new nn.Sequential(
    ...[new nn.Linear(784, 300), new nn.LayerNorm(300), new nn.GELU(), new nn.Linear(300, 200), new nn.Tanh()],
    new nn.Linear(200, 10),
  );

/** Trains from the same start. @returns the bits of all weights */
function train(make: () => nn.Layer, shape: readonly number[], steps: number, compiled: boolean): number[] {
  return scope(() => {
    rg.manualSeed(5);
    const model = make();
    const optimizer = new optim.Adam(model.parameters());
    const x = rg.randn(shape);
    const y = rg.randint(0, 10, [shape[0] as number]);
    const body = (a: Tensor, b: Tensor): Tensor => {
      optimizer.zeroGrad();
      const loss = F.crossEntropy(model.forward(a), b);
      loss.backward();
      optimizer.step();
      return loss;
    };
    const step = compiled ? compile(body) : body;
    for (let i = 0; i < steps; i++) scope(() => step(x, y));
    return model.parameters().flatMap((p) => [...new Int32Array(Float32Array.from(p.data).buffer)]);
  });
}

describe('slices', () => {
  it.each(['strict', 'relaxed'] as const)('give the bits of the whole: training steps, %s build', async (simd) => {
    await rg.init({ simd, threads: 1 });
    const counts = checkSlices();
    train(convolutional, [9, 1, 28, 28], 2, false);
    train(dense, [37, 784], 2, false);
    for (const kernel of [
      'gemm_f32',
      'conv_forward_f32',
      'conv_backward_input_f32',
      'conv_backward_weight_f32',
      'sum_f32',
    ])
      expect([...counts.keys()]).toContain(kernel);
  });

  it.each(['strict', 'relaxed'] as const)('give the bits of the whole: all ops, %s build', async (simd) => {
    await rg.init({ simd, threads: 1 });
    const counts = checkSlices();
    for (const [op, testCase] of list) {
      checks.checkValues(op, testCase);
      if (testCase.gradients !== 'none') derivatives.checkGradients(op, testCase);
    }
    expect(counts.size).toBeGreaterThan(60);
  });
});

/** Runs `program` as a module of its own against the built library; `workers` are those it has started. */
function runAlone(program: string): { status: number | null; stdout: string; stderr: string } {
  const lib = new URL('../build/lib/index.js', import.meta.url).href;
  const source = `
    import { createRequire, syncBuiltinESMExports } from 'node:module';
    const threads = createRequire('file:///')('node:worker_threads');
    const workers = [];
    threads.Worker = class extends threads.Worker { constructor(...args) { super(...args); workers.push(this); } };
    syncBuiltinESMExports();
    const rg = await import(${JSON.stringify(lib)});
    ${program}`;
  return spawnSync(process.execPath, ['--input-type=module', '-e', source], { encoding: 'utf8', timeout: 60_000 });
}

/** Keeps a worker busy for long, with time to wake up. */
const LONG = 'const y = rg.ones([4000, 4000]); y.matmul(y); wait(150);';

describe('thread pools', () => {
  it('sleep when they have nothing to do, and do not keep the process', () => {
    const { status, stdout, stderr } = runAlone(`
      await rg.init({ threads: 3 });
      const x = rg.randn([512, 512]);
      rg.scope(() => x.matmul(x));
      await new Promise((done) => setTimeout(done, 100)); // to fall asleep, on a busy machine
      const before = process.cpuUsage();
      await new Promise((done) => setTimeout(done, 1000));
      const { user, system } = process.cpuUsage(before);
      console.log(user + system);
    `);
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(Number(stdout)).toBeLessThan(50_000); // microseconds of the second
  });

  it('end with shutdown()', async () => {
    await rg.init({ threads: 4 });
    rg.shutdown();
    await rg.init({ threads: 2 });
    expect(rg.backend().threads).toBe(2);
    scope(() =>
      expect(
        rg
          .ones([300, 300])
          .matmul(rg.ones([300, 300]))
          .sum()
          .item(),
      ).toBe(300 ** 3),
    );
  });

  it('say what runs and why', async () => {
    await rg.init({ threads: 2 });
    expect(rg.backend().reasons.join()).toMatch(/2 threads: asked for/);
    rg.shutdown();
    await rg.init({ threads: 1 });
    expect(rg.backend().reasons.join()).toMatch(/one thread: asked for/);
    rg.shutdown();
    await expect(rg.init({ threads: 8, maxBytes: 2 ** 23 })).rejects.toThrow(rg.ArgumentError);
    await rg.init({ maxBytes: 2 ** 21 });
    expect(rg.backend().threads).toBe(1);
    rg.shutdown();
    for (const threads of [0, 1.5, 65, -1, 'many'])
      await expect(rg.init({ threads: threads as number })).rejects.toThrow(rg.ArgumentError);
  });

  it.each([
    ['between eager ops are whole again', 'x.matmul(x)', '', false],
    ['in an eager op say so before long, and are whole again', 'x.matmul(x)', LONG, true],
    ['in a compiled function say so before long, and are whole again', 'f(x)', '', true],
  ])('that lose a thread %s', (_, call, underWay, noticed) => {
    const { stdout, stderr } = runAlone(`
      await rg.init({ threads: 2 });
      const x = rg.ones([600, 600]);
      const f = rg.compile((y) => y.matmul(y));
      rg.scope(() => { f(x); f(x); ${call}.sum().item(); });
      const wait = (ms) => { for (const until = performance.now() + ms; performance.now() < until; ); };
      ${underWay}
      workers[0].terminate();
      // It is gone, and nobody has heard of it.
      wait(200);
      const started = performance.now();
      let error;
      try { rg.scope(() => ${call}.sum().item()); } catch (thrown) { error = thrown; }
      const seconds = (performance.now() - started) / 1000;
      const result = rg.scope(() => ${call}.sum().item());
      for (let i = 0; i < 400 && rg.backend().threads < 2; i++) await new Promise((done) => setTimeout(done, 50));
      const again = rg.scope(() => ${call}.sum().item());
      console.log(JSON.stringify({ name: error?.name, typed: error instanceof rg.WorkerError, seconds, result, again, threads: rg.backend().threads }));
    `);
    expect(stderr).toBe('');
    const sum = 600 ** 3;
    const { seconds, ...rest } = JSON.parse(stdout);
    const said = noticed ? { name: 'WorkerError', typed: true } : { typed: false };
    expect(rest).toEqual({ ...said, result: sum, again: sum, threads: 2 });
    // 1.2 s and what a busy machine adds.
    expect(seconds).toBeLessThan(20);
  });

  it('train to the same bits with 1, 2, 3, 4 and 8 threads, eager and compiled', async () => {
    const results: number[][] = [];
    for (const threads of [1, 2, 3, 4, 8])
      for (const compiled of [false, true]) {
        await rg.init({ threads });
        expect(rg.backend().threads).toBe(threads);
        results.push([...train(convolutional, [32, 1, 28, 28], 6, compiled), ...train(dense, [96, 784], 6, compiled)]);
        rg.shutdown();
      }
    expect(results.map((result) => hash(result))).toEqual(results.map(() => hash(results[0] as number[])));
  });
});
