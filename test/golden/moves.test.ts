// What moves, finds, sorts and counts, products and arithmetic, against PyTorch; and compiled, where it must give the
// same bits. moves.py and its like write what to expect.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as rg from '../../bindings/index.ts';
import { compile, RecordingError, scope, type Tensor } from '../../bindings/index.ts';
import { bits } from '../support/kernels.ts';
import { toTensor } from '../support/tensors.ts';
import { digest, expectStored, type File, leaves, made, readCases, run, type Stored } from './golden.ts';

const files = ['moves', 'algebra', 'arithmetic', 'rest'].map(readCases);
const TOLERANCE = 2e-6;

const matches = (file: File, what: string, actual: Tensor | null, position: number): void =>
  expectStored(actual, file.expected(position), { relative: TOLERANCE, ofLargest: TOLERANCE }, what);

/** The value of a case and the gradients of its inputs. */
function outcome(stored: Stored, inputs: readonly Tensor[], g: Tensor | null): { y: Tensor; grads: Tensor[] } {
  // A leaf is not written.
  const given = stored.call === 'setAt' ? [(inputs[0] as Tensor).clone(), ...inputs.slice(1)] : inputs;
  const y = run(stored, given);
  const wanted = inputs.filter((x) => x.requiresGrad);
  return { y, grads: g ? (rg.grad(y, wanted, { gradOutputs: [g], materializeGrads: true }) as Tensor[]) : [] };
}

const sameBits = (a: Tensor, b: Tensor): void => {
  expect(a.shape).toEqual(b.shape);
  if (a.dtype === 'f32') expect(bits(a.data as Float32Array)).toEqual(bits(b.data as Float32Array));
  else expect(a.data).toEqual(b.data);
};

describe('digests', () => {
  const values = [...made(5, [4, 6]).data];
  const plain = digest(values);
  const differs = (other: readonly number[]): void => {
    // By more than any tolerance of these tests.
    for (const [k, sum] of digest(other).slice(1).entries())
      expect(Math.abs(sum - (plain[k + 1] as number))).toBeGreaterThan(1e-4);
  };

  it('see every element', () => {
    for (const i of values.keys()) differs(values.with(i, (values[i] as number) + 1e-3));
  });

  it('see every pair that changes places', () => {
    for (const [i, a] of values.entries())
      for (const [j, b] of values.entries()) if (Math.abs(a - b) > 0.1) differs(values.with(i, b).with(j, a));
  });
});

describe.each(['strict', 'relaxed'] as const)('PyTorch, %s build', (simd) => {
  beforeAll(() => rg.init({ simd }));
  afterAll(() => rg.shutdown());

  it.each(
    files.flatMap((file) => file.cases.map((stored): [string, Stored, File] => [file.title(stored), stored, file])),
  )('%s', (_, stored, file) => {
    const before = rg.backend().memory.blocks;
    scope(() => {
      const inputs = leaves(file, stored);
      const g = stored.gradOutput === undefined ? null : toTensor(file.expected(stored.gradOutput));
      const { y, grads } = outcome(stored, inputs, g);
      matches(file, 'value', y, stored.output);
      const positions = (stored.grads ?? []).filter((position) => position !== null);
      expect(grads.length).toBe(positions.length);
      for (const [i, position] of positions.entries())
        matches(file, `gradient ${i}`, grads[i] as Tensor, position as number);

      // Parameters, since arguments of compiled functions have no gradient.
      const program = compile(() => {
        const made = outcome(stored, inputs, g);
        return [made.y, ...made.grads];
      });
      if (stored.dynamic) {
        const [, name] = /(\w+)$/.exec(stored.call) as RegExpExecArray;
        const thrown = expect(program);
        thrown.toThrow(RecordingError);
        thrown.toThrow(new RegExp(`^${name}: expected .*; .+`));
        return;
      }
      for (let call = 0; call < 2; call++)
        for (const [i, x] of (program() as Tensor[]).entries()) sameBits(x, i === 0 ? y : (grads[i - 1] as Tensor));
      program.dispose();
    });
    expect(rg.backend().memory.blocks, 'blocks that are left').toBe(before);
  });

  it('turns in a plane of two dims alone', () => {
    expect(() => rg.rot90(rg.zeros([2, 3, 4]), 1, [0, 1, 2])).toThrow(/^rot90: expected two dims of a tensor of at/);
    expect(() => rg.rot90(rg.zeros([2, 3, 4]), 1, [0])).toThrow(/^rot90: expected two dims of a tensor of at least 2/);
  });

  it('finds slices without elements alike, as NumPy does', () => {
    const { unique, uniqueConsecutive } = rg;
    for (const search of [unique, uniqueConsecutive])
      scope(() => {
        const found = search(rg.zeros([3, 0, 2]), { dim: 0, returnInverse: true, returnCounts: true });
        expect(found.output.shape).toEqual([1, 0, 2]);
        expect(found.inverseIndices?.toArray()).toEqual([0, 0, 0]);
        expect(found.counts?.toArray()).toEqual([3]);
      });
  });
});
