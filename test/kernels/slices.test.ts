// What threads rely on: every kernel that may be cut leaves in slices the bits that it leaves when called at once, and
// touches nothing outside of the extents that its descriptor gives. Calls and operands are made from the descriptors.
import { readFileSync } from 'node:fs';
import v8 from 'node:v8';
import { describe, expect, it } from 'vitest';
import { makeTrial } from '../../bindings/engine/instance.ts';
import { everyKernel } from '../../bindings/generated/kernel-calls.ts';
import { type Argument, BYTES, type Command, sizesOf, slicesOf } from '../../bindings/kernels/command.ts';
import type { BufferSpec, Kernel, Spec } from '../../bindings/kernels/descriptor.ts';
import { encode, Words } from '../../bindings/kernels/encode.ts';
import { addKernels, type KernelName, probes, table } from '../../bindings/kernels/table.ts';
import { byName } from '../support/exports.ts';
import { callsOf, TrialMemory, type Written } from '../support/trials.ts';

// No runtime starts here, and no row is loaded.
addKernels(everyKernel);

const kernels = Object.entries(table) as [KernelName, Kernel][];
const cuttable = kernels.flatMap(([name, { cut }]) => (cut ? [name] : []));

function load(build: 'strict' | 'relaxed'): WebAssembly.Module {
  // Node 20 knows relaxed SIMD only behind its flag.
  if (build === 'relaxed' && Number.parseInt(process.versions.node, 10) < 22)
    v8.setFlagsFromString('--experimental-wasm-relaxed-simd');
  return new WebAssembly.Module(readFileSync(new URL(`../../build/wasm/retrograd.${build}.wasm`, import.meta.url)));
}

/** Numbers of a call, for messages. */
const describeCall = (call: Readonly<Record<string, Argument>>): string =>
  JSON.stringify(call, (_, value) => (value?.block ? `${value.dtype}[${value.shape}]` : value));

/** What a call wrote. @throws where it wrote elsewhere */
function writtenBy(trial: TrialMemory, { call }: Command): Written {
  try {
    return trial.written();
  } catch (error) {
    throw new Error(`${(error as Error).message}: ${describeCall(call)}`);
  }
}

/** Calls the export at once, as eager mode does: it selects its algorithm. */
function runWhole(trial: TrialMemory, { kernel, call }: Command): void {
  const { operands } = table[kernel as KernelName] as Kernel;
  const given = Object.entries(call).filter(([name]) => operands[name]?.kind !== 'algorithm');
  trial.call({ kernel, call: Object.fromEntries(given) });
}

describe.each(['strict', 'relaxed'] as const)('slices, %s build', async (build) => {
  const trial = new TrialMemory(await makeTrial(load(build), build, 1 << 22));

  it.each(cuttable)('%s', (kernel) => {
    const calls = callsOf(kernel);
    let sliced = 0;
    for (const { call } of calls) {
      const command = trial.command(kernel, call);
      const slices = slicesOf(command);
      expect(slices).not.toBe(null);
      trial.reset();
      runWhole(trial, command);
      const whole = writtenBy(trial, command);
      const words = new Words(trial.views, trial.code);
      encode(words, command, slices, false, ({ block }) => block.ptr);
      for (const pieces of [1, 2, 3, 5]) {
        trial.reset();
        trial.run(trial.code, words.address, pieces);
        const inSlices = writtenBy(trial, command);
        for (const name in whole)
          if (Buffer.compare(bytesOf(whole[name]), bytesOf(inSlices[name])) !== 0)
            throw new Error(
              `${name} differs in ${pieces} slices of ${JSON.stringify(slices)}: ${describeCall(command.call)}`,
            );
      }
      if (slices && slices.units >= 2 * slices.grain) sliced++;
    }
    expect(sliced).toBeGreaterThan(0);
  });
});

const bytesOf = (view: Int32Array | Uint8Array | undefined): Uint8Array =>
  view ? new Uint8Array(view.buffer, view.byteOffset, view.byteLength) : new Uint8Array();

describe('kernels that may be cut', () => {
  it('are tried along every size that their rules name', () => {
    // A rule names the sizes it cuts along in its text: those that no trial reaches would go unseen.
    for (const kernel of cuttable) {
      const { cut, operands } = table[kernel] as Kernel;
      const text = String(cut);
      const names = Object.entries(operands).flatMap(([name, spec]) => (spec.kind === 'list' ? spec.words : [name]));
      const named = names.filter((name) => new RegExp(`along: ['"]${name}['"]`).test(text));
      const reached = new Set(callsOf(kernel).map(({ along }) => along));
      expect(
        [...named].filter((name) => !reached.has(name)),
        kernel,
      ).toEqual([]);
    }
  });
});

/** The sizes and strides that an operand's descriptor names. */
function namesIn(spec: Spec): (string | null)[] {
  const moves = 'moves' in spec ? [spec.moves] : [];
  if (spec.kind !== 'buffer') return moves;
  const sizes = spec.axes.flatMap(({ size }) => (typeof size === 'string' ? [size] : []));
  return [...sizes, ...spec.axes.map(({ stride }) => stride), spec.below];
}

const buffersOf = ({ operands }: Kernel): [string, BufferSpec][] =>
  Object.entries(operands).filter(([, { kind }]) => kind === 'buffer') as [string, BufferSpec][];

/** Operands have elements, or rows of `row` elements, along the size that is cut: their outermost axis, if any. */
function expectUnits(name: string, kernel: Kernel, sizes: Readonly<Record<string, number>>): void {
  const along = kernel.cut?.(sizes as never)?.along;
  for (const [operand, { axes }] of buffersOf(kernel)) {
    const at = axes.findIndex(({ size }) => size === along);
    expect([-1, 0], `${name} ${operand}`).toContain(at);
    if (at === 0 && axes.length > 1) expect(sizes.row, `${name} ${operand}`).toBeGreaterThan(0);
    if (at === 0 && axes.length === 1) expect(axes[0]?.stride, `${name} ${operand}`).toBe(null);
  }
}

describe('descriptors', () => {
  const all = Object.entries({ ...table, ...probes }) as [string, Kernel][];
  const listOf = (specs: readonly Spec[]) => specs.find((spec) => spec.kind === 'list');

  it('end with their list, and have one at most', () => {
    for (const [name, { operands }] of all) {
      const kinds = Object.values(operands).map(({ kind }) => kind);
      const at = kinds.indexOf('list');
      expect(at === -1 || at === kinds.length - 1, name).toBe(true);
    }
  });

  it('have axes of sizes, words of the list, or numbers that follow from it', () => {
    for (const [name, { operands }] of all) {
      const list = listOf(Object.values(operands));
      const derived = list?.kind === 'list' ? [...list.words, ...Object.keys(list.derive(list.trials[0] ?? []))] : [];
      const numbers = Object.entries(operands).flatMap(([operand, { kind }]) => (kind === 'size' ? [operand] : []));
      const known = new Set([...numbers, ...derived, null]);
      for (const [operand, spec] of Object.entries(operands))
        for (const size of namesIn(spec)) expect(known, `${name} ${operand}`).toContain(size);
      for (const given of Object.values(operands).flatMap((spec) => (spec.kind === 'algorithm' ? spec.with : [])))
        if (typeof given === 'string') expect(Object.keys(operands), name).toContain(given);
    }
  });

  it('cut along a number of the call, or a word of its list, that an operand which is written has', () => {
    for (const kernel of cuttable) {
      const { operands } = table[kernel] as Kernel;
      const specs = Object.entries(operands);
      for (const { along } of callsOf(kernel)) {
        const list = listOf(Object.values(operands));
        expect([...Object.keys(operands), ...(list?.kind === 'list' ? list.words : [])], kernel).toContain(along);
        const moves = specs.some(([, spec]) => 'moves' in spec && spec.moves === along);
        const written = specs.some(
          ([, spec]) => spec.kind === 'buffer' && spec.writes && spec.axes.some(({ size }) => size === along),
        );
        expect(moves || written, `${kernel} along ${along}`).toBe(true);
      }
    }
  });

  it('that are elementwise move all operands by one unit, but for those that repeat', () => {
    for (const [name, kernel] of kernels) {
      if (!kernel.elementwise) continue;
      for (const { call } of callsOf(name)) {
        const sizes = sizesOf({ kernel: name, call });
        if (kernel.elementwise(sizes)) expectUnits(name, kernel, sizes);
      }
    }
  });

  it('have as many operands as their exports have arguments, and no export of the build is left over', async () => {
    const exports = byName((await makeTrial(load('strict'), 'strict', 0)).exports);
    for (const [name, { operands }] of all) expect(exports[name]?.length, name).toBe(Object.keys(operands).length);
    const others = Object.keys(exports).filter(
      (name) => typeof exports[name] === 'function' && !all.some(([n]) => n === name),
    );
    expect(others.filter((name) => /_(f32|i32|u8|32|8)$/.test(name)).sort()).toEqual([
      'conv_select_f32',
      'gemm_select_f32',
    ]);
  });

  it('know the bytes of every type', () => {
    for (const [name, { operands }] of all)
      for (const spec of Object.values(operands))
        if (spec.kind === 'buffer') expect(BYTES[spec.type], name).toBeGreaterThan(0);
  });
});
