// Checks of first and second derivatives, against finite differences of the reference.
import { expect } from 'vitest';
import { backward, grad, ops } from '../../../bindings/autograd.ts';
import { type OpName, table } from '../../../bindings/ops/table.ts';
import { FreedError, GradError } from '../../../bindings/runtime/errors.ts';
import { scope } from '../../../bindings/scope.ts';
import type { Tensor } from '../../../bindings/tensor.ts';
import { alongDirection, dot, once, partial, positions } from '../../support/gradcheck.ts';
import { expectClose, type Nd, nd, toTensor } from '../../support/tensors.ts';
import type { AnyCase } from './index.ts';
import {
  attrsOf,
  closeTo,
  eachSample,
  flagOf,
  holdsStill,
  type Inputs,
  leaves,
  run,
  type Sample,
  type Tensors,
  valuesOf,
  weightsFor,
} from './samples.ts';

const hasDerivatives = ({ valueOnly }: Sample): boolean => !valueOnly;

const largest = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((top, v) => Math.max(top, Math.abs(v)), 0);

function gradientOf(op: OpName, testCase: AnyCase, sample: Sample, values: Inputs, key: string): void {
  const wants = sample.inputs.map((spec, i) => flagOf(testCase, spec, i) === true);
  const inputs = leaves(
    sample.inputs,
    values,
    (i) => sample.inputs[i]?.dtype === 'f32' && flagOf(testCase, sample.inputs[i], i) !== 'throws',
  );
  const attrs = attrsOf(sample);
  const y = run(op, inputs, attrs);
  if (!wants.includes(true)) return;
  const g = weightsFor(op, y.shape);
  backward(y, toTensor(g));
  const reference = (xs: Inputs): number => dot(g, testCase.reference(xs, attrs));
  inputs.forEach((x, at) => {
    if (!x) return;
    if (!wants[at]) {
      expect(x.grad, `input ${at} has no gradient`).toBeNull();
      return;
    }
    const some = positions(x.size, x.size > 100 ? 10 : 24);
    const expected = once(`${key} by ${at}`, () =>
      some.map((position) => partial(reference, values, at, position, 1e-5)),
    );
    const gradient = x.grad as Tensor;
    expect(gradient?.shape, `shape of gradient ${at}`).toEqual(x.shape);
    const actual = gradient.data;
    const tolerance = testCase.gradientTolerance ?? 2e-5;
    const scale = Math.max(largest(expected), 1e-3);
    expectClose(
      some.map((p) => actual[p] as number),
      expected,
      { relative: tolerance, absolute: tolerance * scale },
      `gradient ${at}`,
    );
  });
}

/** First derivatives by backward(), against finite differences of the reference. */
export function checkGradients(op: OpName, testCase: AnyCase): void {
  eachSample(op, testCase, (sample, values, key) => gradientOf(op, testCase, sample, values, key), hasDerivatives);
}

/** S = Σ u · (gradient of the inputs for the output gradient g), differentiated by the inputs and by g. */
function secondOf(op: OpName, testCase: AnyCase, sample: Sample, values: Inputs, key: string): void {
  const wants = (i: number): boolean => flagOf(testCase, sample.inputs[i] ?? null, i) === true;
  const inputs = leaves(sample.inputs, values, wants);
  const wanted = inputs.filter((_, i) => wants(i)) as Tensor[];
  if (wanted.length === 0) return;
  const attrs = attrsOf(sample);
  const y = run(op, inputs, attrs);
  const gValues = weightsFor(op, y.shape);
  const g = toTensor(gValues).requiresGrad_();
  const first = grad(y, wanted, { gradOutputs: [g], createGraph: true }) as Tensor[];
  const directions = values.map((x, i) => (x && wants(i) ? weightsFor(`${op} ${i}`, x.shape) : null));
  const us = directions.filter((u) => u !== null);
  const parts = first.map((d, i) => ops.mul(d, toTensor(us[i] as Nd)));
  const whole = parts.map((d) => ops.sum(d, { dim: 0, end: d.ndim, keepdim: false })).reduce((a, b) => ops.add(a, b));
  // Where the first gradient is constant there is nothing to differentiate, and the second must be 0.
  const second = (): (Tensor | null)[] => (whole.requiresGrad ? differentiate() : []);
  const differentiate = (): (Tensor | null)[] => grad(whole, [...wanted, g], { allowUnused: true });
  if (testCase.second === 'throws') {
    expect(second).toThrow(GradError);
    expect(second).toThrow(/expected one derivative, got a second one/);
    return;
  }
  const results = second();
  // By g, S is the derivative of the output along the directions.
  const along = (xs: Inputs): Nd => alongDirection((at) => testCase.reference(at, attrs), xs, directions, 1e-3);
  const byG = results[wanted.length] ?? toTensor(nd(y.shape, new Float64Array(y.size)));
  const expectedByG = { shape: y.shape, data: once(`${key} along`, () => along(values).data) };
  const tolerance = 5 * (testCase.gradientTolerance ?? 2e-5);
  const limits = (expected: ArrayLike<number>) => ({
    relative: tolerance,
    absolute: tolerance * Math.max(largest(expected), 1e-1),
  });
  closeTo(byG, expectedByG, limits(expectedByG.data), 'second derivative by the output gradient');
  const s = (xs: Inputs): number => dot(gValues, along(xs));
  wanted.forEach((x, k) => {
    const at = inputs.indexOf(x);
    const some = positions(x.size, x.size > 100 ? 6 : 12);
    const expected = once(`${key} twice by ${at}`, () =>
      some.map((position) => partial(s, values, at, position, 1e-3)),
    );
    const actual = results[k]?.data ?? new Float64Array(x.size);
    expectClose(
      some.map((p) => actual[p] as number),
      expected,
      limits(expected),
      `second derivative by input ${at}`,
    );
  });
}

/** Derivatives of the gradients, by the inputs and by the output gradient; or the error that says there are none. */
export function checkSecondDerivatives(op: OpName, testCase: AnyCase): void {
  eachSample(op, testCase, (sample, values, key) => secondOf(op, testCase, sample, values, key), hasDerivatives);
}

/** Backward refuses to compute with a saved value that is gone, or that was written since, and then leaves no gradient. */
export function checkSavedValues(op: OpName, testCase: AnyCase): void {
  const sample = testCase.samples[0] as Sample;
  const { saves } = table[op];
  const values = valuesOf(op, sample, 0);
  const spoil = (pick: (inputs: Tensors, y: Tensor) => Tensor | null | undefined): void =>
    scope(() => {
      for (const [ruin, error] of ruins) {
        const inputs = leaves(sample.inputs, values, (i) => flagOf(testCase, sample.inputs[i] ?? null, i) === true);
        const y = run(op, inputs, attrsOf(sample));
        const x = pick(inputs, y);
        if (!x || !y.requiresGrad) return;
        const g = toTensor(weightsFor(op, y.shape));
        ruin(x);
        holdsStill(() => expect(() => backward(y, g)).toThrow(error));
        expect(inputs.every((input) => !input?.grad)).toBe(true);
      }
    });
  if (saves === 'output' || saves === 'both') spoil((_, y) => y);
  if (saves === 'inputs' || saves === 'both') for (const i of sample.inputs.keys()) spoil((inputs) => inputs[i]);
}
const ruins: readonly (readonly [(x: Tensor) => void, typeof FreedError | typeof GradError])[] = [
  [(x) => x.dispose(), FreedError],
  [(x) => x.block.version++, GradError],
];

/** An input whose gradient the op cannot give: asking for it is an error that changes nothing. */
export function checkNotDifferentiable(op: OpName, testCase: AnyCase, i: number): void {
  eachSample(op, testCase, (sample, values) => {
    const inputs = leaves(sample.inputs, values, (k) => k === i);
    const input = inputs[i];
    if (!input) return;
    const y = run(op, inputs, attrsOf(sample));
    holdsStill(() => expect(() => grad(y, [input], { gradOutputs: [y] })).toThrow(GradError));
  });
}

/** An op without gradients records nothing, whatever its inputs ask for. */
export function checkRecordsNothing(op: OpName, { samples }: AnyCase): void {
  scope(() => {
    const sample = samples[0] as Sample;
    const inputs = leaves(sample.inputs, valuesOf(op, sample, 0), (i) => sample.inputs[i]?.dtype === 'f32');
    expect(run(op, inputs, attrsOf(sample)).requiresGrad).toBe(false);
  });
}
