// Every kernel, at sizes around its vectors: a call leaves what calls of one unit each leave (one row, one column, one
// channel, one image), and touches nothing outside of its extents. So remainders of lanes, several groups and the
// boundaries of blocks are held against calls that have none. Calls and operands are made from the descriptors.
import { readFileSync } from 'node:fs';
import v8 from 'node:v8';
import { describe, expect, it } from 'vitest';
import { makeTrial } from '../../bindings/engine/instance.ts';
import { everyKernel } from '../../bindings/generated/kernel-calls.ts';
import { type Argument, operandsOf } from '../../bindings/kernels/command.ts';
import { addKernels, type KernelName, table } from '../../bindings/kernels/table.ts';
import { TrialMemory, type Written } from '../support/trials.ts';
import { aroundVectors, unitsIn } from '../support/units.ts';

addKernels(everyKernel);

const kernels = Object.keys(table) as KernelName[];

function load(build: 'strict' | 'relaxed'): WebAssembly.Module {
  // Node 20 knows relaxed SIMD only behind its flag.
  if (build === 'relaxed' && Number.parseInt(process.versions.node, 10) < 22)
    v8.setFlagsFromString('--experimental-wasm-relaxed-simd');
  return new WebAssembly.Module(readFileSync(new URL(`../../build/wasm/retrograd.${build}.wasm`, import.meta.url)));
}

const textOf = (call: Readonly<Record<string, Argument>>): string =>
  JSON.stringify(call, (_, value) => (value?.block ? `${value.dtype}[${value.shape}]` : value));

/** Largest difference of results that go in another order, for a largest value of one. */
const CLOSE = 2e-6;

const floatsOf = (words: Int32Array | Uint8Array): Float32Array => new Float32Array(words.buffer);

/** Where two results differ, in words; undefined: nowhere. */
function difference(kernel: KernelName, whole: Written, units: Written): string | undefined {
  const types = new Map(operandsOf(kernel).map(([name, spec]) => [name, spec.kind === 'buffer' ? spec.type : '']));
  for (const [name, words] of Object.entries(whole)) {
    const other = units[name] as typeof words;
    if (Buffer.compare(Buffer.from(words.buffer), Buffer.from(other.buffer)) === 0) continue;
    if (types.get(name) !== 'f32') return `${name}: other integers`;
    const [a, b] = [floatsOf(words), floatsOf(other)];
    let largest = 1;
    for (const x of a) if (Number.isFinite(x)) largest = Math.max(largest, Math.abs(x));
    for (let i = 0; i < a.length; i++)
      if (!Object.is(a[i], b[i]) && !(Math.abs((a[i] as number) - (b[i] as number)) <= CLOSE * largest))
        return `${name}[${i}]: ${a[i]}, and alone ${b[i]}`;
  }
  return undefined;
}

describe.each(['strict', 'relaxed'] as const)('units, %s build', async (build) => {
  const trial = new TrialMemory(await makeTrial(load(build), build, 1 << 22));

  it.each(kernels)('%s', (kernel) => {
    let alone = 0;
    for (const call of aroundVectors(kernel)) {
      const command = trial.command(kernel, call);
      try {
        trial.reset();
        trial.call(command);
        const expected = trial.written();
        const units = unitsIn(command);
        if (units.length < 2) continue;
        trial.reset();
        for (const { call: unit, offsets } of units) trial.call({ kernel, call: unit }, offsets);
        const wrong = difference(kernel, expected, trial.written());
        if (wrong) throw new Error(wrong);
        alone++;
      } catch (error) {
        throw new Error(`${(error as Error).message}: ${textOf(command.call)}`);
      }
    }
    if (table[kernel].cut) expect(alone).toBeGreaterThan(0);
  });
});
