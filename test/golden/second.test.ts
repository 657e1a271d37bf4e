// Second derivatives of what has fused gradients, against PyTorch.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { grad, init, scope, shutdown, type Tensor } from '../../bindings/index.ts';
import { difference, toTensor } from '../support/tensors.ts';
import { type File, leaves, readCases, run, type Stored } from './golden.ts';

const files = ['second', 'criteria-second', 'attention-second', 'algebra-second', 'arithmetic-second'].map(readCases);
/** Relative to the largest of each. */
const TOLERANCE = 2e-5;

describe.each(['strict', 'relaxed'] as const)('second derivatives, %s build', (simd) => {
  beforeAll(() => init({ simd }));
  afterAll(() => shutdown());

  it.each(files.flatMap((file) => file.cases.map((one): [string, Stored, File] => [file.title(one), one, file])))(
    '%s',
    (_, one, file) => {
      scope(() => {
        const stored = (position: number): Tensor => toTensor(file.expected(position));
        const inputs = leaves(file, { ...one, grads: one.inputs });
        const g = stored(one.gradOutput as number).requiresGrad_();
        const first = grad(run(one, inputs), inputs, { gradOutputs: [g], createGraph: true });
        const parts = first.map((d, i) => (d as Tensor).mul(stored(one.weights?.[i] as number)).sum());
        const second = grad(
          parts.reduce((a, b) => a.add(b)),
          [...inputs, g],
          { materializeGrads: true },
        );
        one.grads?.forEach((position, i) => {
          const actual = second[i] as Tensor;
          const expected = position === null ? new Float64Array(actual.size) : file.expected(position).data;
          const largest = expected.reduce((top, v) => Math.max(top, Math.abs(v)), 0);
          expect(
            difference(actual.data, expected, { relative: 0, absolute: TOLERANCE * Math.max(largest, 0.1) }),
          ).toBeNull();
        });
      });
    },
  );
});
