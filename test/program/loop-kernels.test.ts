// Kernels that are made for the loops of programs: each command in one, and random chains of them, leave the bits that
// the kernels leave one by one.
import { readFileSync } from 'node:fs';
import v8 from 'node:v8';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allOps } from '../../bindings/autograd.ts';
import { runtime } from '../../bindings/engine/engine.ts';
import { type LoopKernel, makeTrial } from '../../bindings/engine/instance.ts';
import type { Adopt } from '../../bindings/engine/loops.ts';
import { everyKernel } from '../../bindings/generated/kernel-calls.ts';
import { lanes } from '../../bindings/generated/lanes.ts';
import * as rg from '../../bindings/index.ts';
import { compile, scope, type Tensor } from '../../bindings/index.ts';
import { type Command, operandsOf, slicesOf } from '../../bindings/kernels/command.ts';
import type { Kernel } from '../../bindings/kernels/descriptor.ts';
import { encode, encodeLoop, LOOP_WORDS, Words, wordsOf } from '../../bindings/kernels/encode.ts';
import { addKernels, type KernelName, table } from '../../bindings/kernels/table.ts';
import type { OpName } from '../../bindings/ops/core.ts';
import { table as opTable } from '../../bindings/ops/table.ts';
import { loopModule } from '../../bindings/program/loop-code.ts';
import type { Task } from '../../bindings/program/steps.ts';
import { random } from '../../reference/random.ts';
import { list } from '../ops/cases/index.ts';
import { callsOf, TrialMemory } from '../support/trials.ts';

addKernels(everyKernel);

/** Elements of a call: longer ones take time, and show no more. */
const MOST = 1200;
const elementsOf = (command: Command): number => {
  const slices = slicesOf(command);
  return slices ? slices.units * slices.row : 0;
};

const bytesOf = (view: Int32Array | Uint8Array | undefined): Uint8Array =>
  view ? new Uint8Array(view.buffer, view.byteOffset, view.byteLength) : new Uint8Array();

const layout = { operandsOf, wordsOf };

function load(build: 'strict' | 'relaxed'): WebAssembly.Module {
  // Node 20 knows relaxed SIMD only behind its flag.
  if (build === 'relaxed' && Number.parseInt(process.versions.node, 10) < 22)
    v8.setFlagsFromString('--experimental-wasm-relaxed-simd');
  return new WebAssembly.Module(readFileSync(new URL(`../../build/wasm/retrograd.${build}.wasm`, import.meta.url)));
}

/** Kernels of loops that call out in the middle of a vector, such as for the logarithm of what is no normal number. */
const LONG = /^(log|log1p|sin|cos|pow)_forward_f32$/;

it('has the code of each elementwise kernel of the core but for the longest', () => {
  const families = { ...rowsOfElements() };
  const without = Object.keys(families).filter((name) => !Object.hasOwn(lanes, name));
  expect(without.filter((name) => !LONG.test(name) && !/^(fill|copy|add_strided)/.test(name))).toEqual([]);
});

/** The kernels of assembly/elementwise/ that go element by element. */
function rowsOfElements(): Record<string, Kernel> {
  const text = ['activations', 'arithmetic', 'cast', 'compare', 'gates', 'integer', 'logic', 'trig', 'unary', 'where']
    .map((file) => readFileSync(new URL(`../../assembly/elementwise/${file}.ts`, import.meta.url), 'utf8'))
    .join('\n');
  const names = [...text.matchAll(/^export function (\w+)\(/gm)].map(([, name]) => name as KernelName);
  return Object.fromEntries(names.flatMap((name) => (table[name]?.elementwise ? [[name, table[name] as Kernel]] : [])));
}

describe.each(['strict', 'relaxed'] as const)('a loop of one command, %s build', async (build) => {
  const trial = new TrialMemory(await makeTrial(load(build), build, 1 << 22));
  const { memory } = trial;

  /** The kernel of a loop of one command, whose words it writes. */
  function kernelOf(command: Command): { readonly run: LoopKernel; readonly units: number } | null {
    const slices = slicesOf(command);
    if (!slices?.elementwise) return null;
    const task: Task = { command: { ...command, node: null }, touches: [], slices, elementwise: slices.row === 1 };
    const words = new Words(trial.views, trial.code);
    const { units } = slices;
    encodeLoop(words, { length: LOOP_WORDS + wordsOf(command), units, block: units, body: 1, sync: false });
    encode(words, command, slices, false, ({ block }) => block.ptr);
    const source = { tasks: [task], inside: new Map(), build };
    const bytes = loopModule(source, layout);
    if (!bytes) return null;
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
    return { run: exports.f as LoopKernel, units };
  }

  it.each(Object.keys(lanes) as KernelName[])('%s', (kernel) => {
    let made = 0;
    for (const { call } of callsOf(kernel)) {
      const command = trial.command(kernel, call, true);
      if (elementsOf(command) > MOST) continue;
      const loop = kernelOf(command);
      if (!loop) continue;
      made++;
      trial.reset();
      trial.call(command);
      const whole = trial.written();
      trial.reset();
      const middle = loop.units >> 1;
      expect(loop.run(trial.code, 0, middle)).toBe(1);
      loop.run(trial.code, middle, loop.units);
      const inLoop = trial.written();
      for (const name in whole)
        if (Buffer.compare(bytesOf(whole[name]), bytesOf(inLoop[name])) !== 0)
          throw new Error(`${name} differs: ${JSON.stringify(call)}`);
    }
    expect(made).toBeGreaterThan(3);
  });
});

/** Calls of elementwise ops: which, and of which of the tensors before. */
type Plan = readonly {
  readonly op: OpName;
  readonly attrs: unknown;
  readonly inputs: Readonly<Record<string, number>>;
}[];

/** Ops of one result and no writes that are tried as elementwise. */
const elementwiseOps = list.flatMap(([op, { elementwise, samples }]) => {
  const { inputs, sole, writes, rules } = opTable[op];
  const plain = inputs.every(({ many, optional }) => !many && !optional);
  return elementwise && sole !== null && !writes && plain && !rules.host && !/^(log|log1p|sin|cos|pow)$/.test(op)
    ? [{ op, attrs: samples[0]?.attrs, inputs }]
    : [];
});

const ROWS = 97;
const COLUMNS = 89;

/** Leaves of every dtype, some to be repeated along rows, columns or both. */
function leaves(draw: () => number): Tensor[] {
  const floats = (...shape: number[]): Tensor => {
    const n = shape.reduce((a, b) => a * b, 1);
    return rg.tensor(
      Float32Array.from({ length: n }, () => 4 * draw() - 2),
      { shape },
    );
  };
  const shapes = [[ROWS, COLUMNS], [ROWS, COLUMNS], [COLUMNS], [ROWS, 1], []];
  const f32 = shapes.map((shape) => floats(...shape).requiresGrad_());
  return [...f32, floats(ROWS, COLUMNS).mul(9).to('i32'), floats(COLUMNS).gt(0), floats(ROWS, COLUMNS).to('i32')];
}

const call = allOps as unknown as Record<string, (inputs: object, attrs: unknown) => Tensor>;

/** A random chain of ops that take each other's results. */
function planOf(draw: () => number, given: readonly Tensor[], length: number): Plan {
  const made = [...given];
  const plan: Plan[number][] = [];
  const one = <T>(from: readonly T[]): T => from[Math.floor(draw() * from.length)] as T;
  for (let tries = 0; plan.length < length && tries < 20 * length; tries++) {
    const { op, attrs, inputs } = one(elementwiseOps);
    const picked = inputs.map(({ name, dtypes }) => {
      const fits = made.flatMap((x, i) => (dtypes.includes(x.dtype) ? [i] : []));
      // One of the latest, so that it is a chain.
      return [name, one(draw() < 0.4 ? fits.slice(-3) : fits)] as const;
    });
    if (picked.some(([, i]) => i === undefined)) continue;
    const named = Object.fromEntries(picked);
    try {
      made.push(callOf({ op, attrs, inputs: named }, made));
      plan.push({ op, attrs, inputs: named });
    } catch (error) {
      if (!(error instanceof rg.RetrogradError)) throw error; // dtypes that do not go together
    }
  }
  return plan;
}

function callOf({ op, attrs, inputs }: Plan[number], made: readonly Tensor[]): Tensor {
  const operands = Object.fromEntries(Object.entries(inputs).map(([name, i]) => [name, made[i]]));
  return (call[op] as (typeof call)[string])(operands, typeof attrs === 'function' ? attrs() : attrs);
}

/** All results of a chain that nothing reads, and the gradients of the leaves. */
function runPlan(plan: Plan, given: readonly Tensor[]): Tensor[] {
  const made = [...given];
  const read = new Set<number>();
  for (const step of plan) {
    made.push(callOf(step, made));
    for (const i of Object.values(step.inputs)) read.add(i);
  }
  const ends = made.filter((_, i) => i >= given.length && !read.has(i));
  const loss = ends.filter((x) => x.requiresGrad).map((x) => x.sum());
  for (const x of given) x.clearGrad();
  if (loss.length > 0) loss.reduce((a, b) => a.add(b)).backward();
  return [...ends.map((x) => x.detach()), ...given.flatMap(({ grad }) => (grad ? [grad.clone()] : []))];
}

/** Any NaN is as good as another. */
function bitsOf(x: Tensor): Buffer {
  const { data } = x;
  if (data instanceof Float32Array) for (const [i, x] of data.entries()) if (Number.isNaN(x)) data[i] = Number.NaN;
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

/** Tells of each loop that may get a kernel, by the address of its words, when it has had its chance. */
function watchLoops(told: (address: number) => void): void {
  const running = runtime() as { adopt: Adopt };
  const { adopt } = running;
  running.adopt = (infos, loops) => {
    adopt(infos, loops);
    for (const { step, from } of infos) if (loops.has(step)) told(from);
  };
}

describe.each([
  ['strict', 1],
  ['relaxed', 1],
  ['relaxed', 2],
] as const)('random chains, %s build, %i threads', (simd, threads) => {
  beforeAll(() => rg.init({ simd, threads }));
  afterAll(() => rg.shutdown());

  it('leave the bits of their ops one by one, forward and backward', () => {
    const { arena } = runtime();
    const made = new Set<number | undefined>();
    watchLoops((address) => void made.add(arena.i32[address / 4 + 5]));
    for (let seed = 0; seed < 12; seed++)
      scope(() => {
        const draw = random(seed);
        const given = leaves(draw);
        const plan = planOf(draw, given, 10);
        const step = (): Tensor[] => runPlan(plan, given);
        const eager = step().map(bitsOf);
        const compiled = compile(step);
        for (let run = 0; run < 4; run++)
          for (const [i, x] of compiled().entries())
            if (Buffer.compare(bitsOf(x), eager[i] as Buffer) !== 0)
              throw new Error(`run ${run}, result ${i}: ${compiled.dump()}`);
        compiled.dispose();
      });
    expect(made.size).toBeGreaterThan(12);
  });
});

it('runs on workers too, which read its module from memory', async () => {
  await rg.init({ simd: 'strict', threads: 2 });
  const { arena } = runtime();
  // Workers get another module than this thread: there the sum is a difference.
  watchLoops((address) => {
    const module = arena.i32[address / 4 + 6] as number;
    const bytes = arena.u8.subarray(module + 4, module + 4 + (arena.i32[module / 4] as number));
    for (let i = 0; i + 2 < bytes.length; i++)
      if (bytes[i] === 0xfd && bytes[i + 1] === 0xe4 && bytes[i + 2] === 1) bytes[i + 1] = 0xe5;
  });
  scope(() => {
    const x = rg.ones([65_536]);
    const chain = compile((y: Tensor) => y.add(3).neg());
    const sums = [0, 1, 2, 3].map(() => new Set(chain(x).data));
    expect(sums.slice(0, 2)).toEqual([new Set([-4]), new Set([-4])]);
    expect(sums.slice(2)).toEqual([new Set([-4, 2]), new Set([-4, 2])]);
  });
  rg.shutdown();
});
