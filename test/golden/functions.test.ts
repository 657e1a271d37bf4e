// Every public function with its options, values and gradients, against PyTorch. generate.py writes what to expect.
import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as functions from '../../bindings/functional/functions.ts';
import { functional, init, scope, shutdown } from '../../bindings/index.ts';
import { type Signature, signatures } from '../../bindings/signature.ts';
import type { Tensor } from '../../bindings/tensor.ts';
import { nd } from '../../reference/nd.ts';
import { expectClose, toTensor } from '../support/tensors.ts';
import { leaves, readCases, run, type Stored } from './golden.ts';

/** Relative tolerance of a file's values, and of its gradients relative to the largest of each. */
const files = [
  ['elementwise', 1e-6],
  ['reductions', 2e-6],
  ['products', 1e-6],
  ['layouts', 1e-7],
  ['norms', 1e-5],
  ['losses', 2e-6],
  ['masks', 1e-7],
  ['embedding', 1e-6],
  ['criteria', 4e-6],
  ['attention', 1e-5],
  ['activations', 2e-6],
] as const;

const largest = (values: Float64Array): number =>
  values.reduce((top, v) => (Number.isFinite(v) ? Math.max(top, Math.abs(v)) : top), 0);

describe.each(['strict', 'relaxed'] as const)('PyTorch, %s build', (simd) => {
  beforeAll(() => init({ simd }));
  afterAll(() => shutdown());

  describe.each(files)('%s', (name, tolerance) => {
    const file = readCases(name);

    const matches = (
      what: string,
      actual: { shape: readonly number[]; data: ArrayLike<number> } | null,
      position: number,
    ): void => {
      const expected = file.expected(position);
      expect(actual?.shape, `${what}: shape`).toEqual(expected.shape);
      const absolute = tolerance * largest(expected.data);
      expectClose(actual?.data ?? [], expected.data, { relative: tolerance, absolute }, what);
    };

    it.each(file.cases.map((stored): [string, Stored] => [file.title(stored), stored]))('%s', (_, stored) => {
      scope(() => {
        const inputs = leaves(file, stored);
        const y = run(stored, inputs);
        expect(y.dtype).toBe(file.expected(stored.output).dtype);
        matches('value', y, stored.output);
        if (stored.gradOutput !== undefined) {
          y.backward(toTensor(file.expected(stored.gradOutput)));
          stored.grads?.forEach((position, i) => {
            if (position !== null) matches(`gradient ${i}`, inputs[i]?.grad ?? null, position);
          });
        }
        stored.running?.forEach((position, i) => {
          matches(`running statistic ${i}`, inputs[3 + i] ?? null, position);
        });
      });
    });
  });
});

/** Functions that have two names. */
const OTHER = {
  concat: 'cat',
  bceLoss: 'binaryCrossEntropy',
  bceWithLogitsLoss: 'binaryCrossEntropyWithLogits',
  klDivLoss: 'klDiv',
};

describe('coverage', () => {
  beforeAll(() => init());
  afterAll(() => shutdown());

  /** What has no PyTorch value to compare with, is compared in another test, or is another name. */
  const elsewhere = [
    ...['dropout1d', 'dropout2d', 'dropout3d', 'alphaDropout', 'featureAlphaDropout', 'gumbelSoftmax'],
    'dropout',
    'backward',
    ...['registerHook', 'registerPostAccumulateGradHook'],
    'copy_',
    'fill_',
    'zero_',
    ...Object.keys(OTHER),
  ];

  it.each(Object.entries(OTHER))('%s is %s, under its own name', (other, name) => {
    const of = (which: string): Signature => signatures.find(({ path }) => path === which) as Signature;
    const rest = ({ text, path }: Signature) => text.slice(path.length);
    expect(rest(of(other))).toBe(rest(of(name)));
    const call = (which: string) => of(which).fn as (...args: unknown[]) => Tensor;
    scope(() => {
      const args =
        other === 'concat' ? [[toTensor(nd([2], [0.25, 0.5]))]] : [0.25, 0.75].map((x) => toTensor(nd([1], [x])));
      expect(call(other)(...args).toArray()).toEqual(call(name)(...args).toArray());
      expect(() => call(other)(1)).toThrow(new RegExp(`^${other}: `));
    });
  });

  it('every public function on tensors has a case', () => {
    // Files of other tests beside this one count as well; cases of modules call no function.
    const stored = readdirSync(new URL('.', import.meta.url)).flatMap((name) =>
      name.endsWith('.json') ? (readCases(name.replace('.json', '')).cases ?? []) : [],
    );
    const called = new Set(stored.flatMap(({ call }) => call?.replace(/^\.|^F\./, '') ?? []));
    const names = [...Object.keys(functions), 'backward', ...Object.keys(functional)];
    expect(names.filter((name) => !called.has(name) && !elsewhere.includes(name))).toEqual([]);
  });
});
