// The recurrent cells against PyTorch: three steps, and the gradients of everything.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { init, nn, ShapeError, scope, shutdown, type Tensor, zeros } from '../../bindings/index.ts';
import { nd } from '../../reference/nd.ts';
import { expectClose, toTensor } from '../support/tensors.ts';
import { read } from './golden.ts';

interface Run {
  readonly inputSize: number;
  readonly hiddenSize: number;
  readonly bias: boolean;
  readonly lead: readonly number[];
  readonly state: readonly (readonly [key: string, shape: readonly number[], values: readonly number[]])[];
  readonly xs: readonly (readonly number[])[];
  readonly start: readonly [readonly number[], readonly number[]] | null;
  readonly states: readonly (readonly [readonly number[], readonly number[]])[];
  readonly weights: readonly [readonly number[], readonly number[]];
  readonly xGrads: readonly (readonly number[])[];
  readonly startGrads: readonly [readonly number[], readonly number[]] | null;
  readonly grads: Readonly<Record<string, readonly number[]>>;
}
const { runs } = read('cells') as { readonly runs: readonly Run[] };
const TOLERANCE = { relative: 1e-5, absolute: 2e-6 };
const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

describe.each(['strict', 'relaxed'] as const)('LSTMCell, %s build', (simd) => {
  beforeAll(() => init({ simd }));
  afterAll(() => shutdown());

  it.each(runs.map((run): [string, Run] => [`${run.inputSize} → ${run.hiddenSize}, batch [${run.lead}]`, run]))(
    'gives the numbers of PyTorch: %s',
    (_, run) => {
      scope(() => {
        const close = (x: Tensor | null | undefined, expected: readonly number[], what: string): void =>
          expectClose(x?.data ?? [], expected, TOLERANCE, what);
        const leaf = (values: readonly number[], size: number): Tensor =>
          toTensor(nd([...run.lead, size], values)).requiresGrad_();
        const cell = new nn.LSTMCell(run.inputSize, run.hiddenSize, { bias: run.bias });
        cell.loadStateDict(
          Object.fromEntries(run.state.map(([key, shape, data]) => [key, { shape, data: Float32Array.from(data) }])),
        );
        const xs = run.xs.map((values) => leaf(values, run.inputSize));
        const start = run.start?.map((values) => leaf(values, run.hiddenSize)) as nn.LSTMState | undefined;
        let state = start;
        xs.forEach((x, i) => {
          state = cell.forward(x, state);
          state.forEach((part, k) => {
            close(part, run.states[i]?.[k] as number[], `step ${i}, ${'hc'[k]}`);
          });
        });
        // Each result alone: the other one has no gradient then.
        state?.forEach((part, k) => {
          const weight = toTensor(nd([...run.lead, run.hiddenSize], run.weights[k] as number[]));
          part
            .mul(weight)
            .sum()
            .backward(undefined, { retainGraph: k === 0 });
        });
        xs.forEach((x, i) => {
          close(x.grad, run.xGrads[i] as number[], `gradient of x ${i}`);
        });
        start?.forEach((part, k) => {
          close(part.grad, run.startGrads?.[k] as number[], `gradient of the first ${'hc'[k]}`);
        });
        for (const [name, p] of cell.namedParameters())
          close(p.grad, run.grads[snakeCase(name)] as number[], `gradient of ${name}`);
        cell.dispose();
      });
    },
  );

  it('says what it expects', () => {
    scope(() => {
      const cell = new nn.LSTMCell(3, 5);
      expect(() => cell.forward(zeros([2, 4]))).toThrow(/LSTMCell: expected input \[n, 3\] or \[3\], got \[2, 4\]/);
      expect(() => cell.forward(zeros([2, 3]), [zeros([2, 5]), zeros([5])])).toThrow(
        /LSTMCell: expected c of shape \[2, 5\], got \[5\]/,
      );
      expect(() => new nn.LSTMCell(0, 5)).toThrow(/LSTMCell: expected inputSize to be a whole number >= 1/);
      expect(() => cell.forward(zeros([1, 2, 3]))).toThrow(ShapeError);
      cell.dispose();
    });
  });
});
