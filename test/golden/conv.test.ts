// Convolutions with all their options, as functions and as layers, against PyTorch. conv.py writes what to expect.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { functional as F, init, manualSeed, nn, scope, shutdown, type Tensor } from '../../bindings/index.ts';
import { expectClose, toTensor } from '../support/tensors.ts';
import { leaves, readCases, run, type Stored } from './golden.ts';

const file = readCases('conv');
const TOLERANCE = 2e-6;
type AnyLayer = new (...args: unknown[]) => nn.Layer & { readonly weight: Tensor; readonly bias: Tensor | null };
const layerOf = ({ call, args }: Stored): InstanceType<AnyLayer> =>
  new (nn[call.replace('nn.', '') as 'Conv2d'] as unknown as AnyLayer)(...args);

describe.each(['strict', 'relaxed'] as const)('convolutions, %s build', (simd) => {
  beforeAll(() => init({ simd }));
  afterAll(() => shutdown());

  function matches(what: string, actual: Tensor | null | undefined, position: number): void {
    const expected = file.expected(position);
    expect(actual?.shape, `${what}: shape`).toEqual(expected.shape);
    const largest = expected.data.reduce((top, v) => Math.max(top, Math.abs(v)), 0);
    expectClose(actual?.data ?? [], expected.data, { relative: TOLERANCE, absolute: TOLERANCE * largest }, what);
  }

  const named = file.cases.map((stored): [string, Stored] => [file.title(stored), stored]);
  it.each(named.filter(([, { call }]) => call.startsWith('F.')))('%s', (_, stored) => {
    scope(() => {
      const inputs = leaves(file, stored);
      const y = run(stored, inputs);
      matches('value', y, stored.output);
      y.backward(toTensor(file.expected(stored.gradOutput as number)));
      inputs.forEach((input, i) => {
        matches(`gradient ${i}`, input.grad, stored.grads?.[i] as number);
      });
    });
  });

  it.each(named.filter(([, { call }]) => call.startsWith('nn.')))('%s', (_, stored) => {
    scope(() => {
      const layer = layerOf(stored);
      const { keys } = stored as Stored & { readonly keys: readonly string[] };
      expect(Object.keys(layer.stateDict())).toEqual(keys);
      layer.loadStateDict(
        Object.fromEntries(keys.map((key, i) => [key, toTensor(file.expected(stored.inputs[i + 1] as number))])),
      );
      const [x] = leaves(file, stored) as [Tensor];
      const y = layer.forward(x);
      matches('value', y, stored.output);
      y.backward(toTensor(file.expected(stored.gradOutput as number)));
      [x, ...layer.parameters()].forEach((input, i) => {
        matches(`gradient ${i}`, input.grad, stored.grads?.[i] as number);
      });
      layer.dispose();
    });
  });

  it('start uniform within 1 / √fanIn, as PyTorch does', () => {
    scope(() => {
      manualSeed(1);
      const layers: [InstanceType<AnyLayer>, number][] = [
        [new nn.Conv2d(16, 32, 3, { groups: 2 }), 8 * 9],
        [new nn.ConvTranspose2d(16, 32, 3), 32 * 9],
      ];
      for (const [{ weight, bias }, fanIn] of layers) {
        const bound = 1 / Math.sqrt(fanIn);
        for (const values of [weight, bias].map((p) => Array.from(p?.data ?? []))) {
          const largest = values.reduce((top, v) => Math.max(top, Math.abs(v)), 0);
          expect(largest).toBeLessThanOrEqual(bound);
          expect(largest).toBeGreaterThan(0.8 * bound);
        }
        const variance = Array.from(weight.data).reduce((sum, v) => sum + v * v, 0) / weight.size;
        expect(variance / (bound ** 2 / 3)).toBeCloseTo(1, 1);
      }
    });
  });

  it('say what is wrong with their arguments', () => {
    scope(() => {
      const of = (...shape: number[]): Tensor =>
        toTensor({ shape, data: new Float64Array(shape.reduce((a, b) => a * b, 1)) });
      const [x, w] = [of(1, 4, 5, 5), of(2, 4, 3, 3)];
      const { conv2d, convTranspose2d } = F;
      expect(() => conv2d(of(5, 5), w)).toThrow(
        /^conv2d: expected input \[n, channels, height, width\], with or without n, got \[5, 5\]/,
      );
      expect(() => conv2d(x, w, null, { padding: 'same', stride: 2 })).toThrow(
        /^conv2d: expected stride 1 with padding 'same', got \[2, 2\]/,
      );
      expect(() => conv2d(x, w, null, { padding: 'full' as 'same' })).toThrow(
        /^conv2d: expected a whole number, a list of whole numbers, 'same' or 'valid' as padding, got 'full'/,
      );
      expect(() => conv2d(x, w, null, { stride: [1, 2, 3] })).toThrow(
        /^conv2d: expected stride to be one whole number >= 1, or 2, got \[1, 2, 3\]/,
      );
      expect(() => conv2d(x, w, null, { groups: 2 })).toThrow(
        /^conv2d: expected weight \[out, in \/ groups, \.\.\.kernel\]/,
      );
      expect(() => convTranspose2d(x, w)).toThrow(
        /^convTranspose2d: expected weight \[in, out \/ groups, \.\.\.kernel\]/,
      );
      expect(() => convTranspose2d(x, of(4, 2, 3, 3), null, { outputPadding: 1 })).toThrow(
        /^convTranspose2d: expected outputPadding less than/,
      );
      expect(() => convTranspose2d(x, of(4, 2, 1, 1), null, { padding: 3 })).toThrow(
        /^convTranspose2d: expected a result of at least 1/,
      );
      expect(() => new nn.Conv2d(3, 4, 3, { groups: 2 })).toThrow(
        /^Conv2d: expected channels that divide into 2 groups, got 3 and 4/,
      );
      expect(() => new nn.Conv1d(3, 4, 0)).toThrow(/^Conv1d: expected kernelSize/);
    });
  });
});
