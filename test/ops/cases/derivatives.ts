// Checks of first and second derivatives, against finite differences of the reference.
import { expect } from 'vitest';
import { noGrad, ops } from '../../../bindings/autograd.ts';
import { backward, grad } from '../../../bindings/backward.ts';
import { FreedError, GradError } from '../../../bindings/memory/errors.ts';
import type { Node } from '../../../bindings/node.ts';
import { type OpName, table } from '../../../bindings/ops/table.ts';
import { scope } from '../../../bindings/scope.ts';
import type { Tensor } from '../../../bindings/tensor.ts';
import { alongDirection, dot, once, partial, positions } from '../../../reference/gradcheck.ts';
import { type Nd, nd } from '../../../reference/nd.ts';
import { expectClose, toNd, toTensor } from '../../support/tensors.ts';
import {
  closeTo,
  differentiableOf,
  eachSample,
  expectedOf,
  flagOf,
  holdsStill,
  type Inputs,
  leaves,
  pullBack,
  runSample,
  type Sample,
  seedOf,
  type Tensors,
  valuesOf,
  wantedOf,
  weightsFor,
  writtenBy,
} from './samples.ts';
import { type AnyCase, placesOf } from './types.ts';

const hasDerivatives = ({ valueOnly }: Sample): boolean => !valueOnly;

const largest = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((top, v) => Math.max(top, Math.abs(v)), 0);

/** Each alone, and all together: a result that nobody used has no gradient. */
const choicesOf = (names: readonly string[]): (readonly string[])[] =>
  names.length === 1 ? [names] : [...names.map((name) => [name]), names];

function gradientOf(op: OpName, testCase: AnyCase, sample: Sample, values: Inputs, key: string): void {
  const places = placesOf(sample.inputs);
  const wants = wantedOf(testCase, sample);
  const written = writtenBy(op);
  // Inputs that have no gradient ask for one as well, and get none.
  const asks = places.map(
    (place) => place.spec?.dtype === 'f32' && flagOf(testCase, place) !== 'throws' && !written.includes(place.name),
  );
  for (const names of choicesOf(differentiableOf(op))) {
    const inputs = leaves(sample, values, asks);
    const results = runSample(op, sample, inputs);
    if (!wants.includes(true)) return;
    pullBack(op, results, names);
    const weights = names.map((name) => weightsFor(seedOf(op, name), (results[name] as Tensor).shape));
    const reference = (xs: Inputs): number => {
      const expected = expectedOf(op, testCase, sample, xs);
      return names.reduce((sum, name, i) => sum + dot(weights[i] as Nd, expected[name] as Nd), 0);
    };
    inputs.forEach((x, at) => {
      if (!x) return;
      const { name } = places[at] as (typeof places)[number];
      if (!wants[at]) {
        expect(x.grad, `${name} has no gradient`).toBeNull();
        return;
      }
      const some = positions(x.size, x.size > 100 ? 10 : 24);
      const expected = once(`${key} ${names} by ${at}`, () =>
        some.map((position) => partial(reference, values, at, position, 1e-5)),
      );
      const gradient = x.grad as Tensor;
      expect(gradient?.shape, `shape of the gradient by ${name}`).toEqual(x.shape);
      const actual = gradient.data;
      const tolerance = testCase.gradientTolerance ?? 2e-5;
      const scale = Math.max(largest(expected), 1e-3);
      expectClose(
        some.map((p) => actual[p] as number),
        expected,
        { relative: tolerance, absolute: tolerance * scale },
        `gradient of ${names} by ${name}`,
      );
    });
  }
}

/** First derivatives by backward(), against finite differences of the reference. */
export function checkGradients(op: OpName, testCase: AnyCase): void {
  eachSample(op, testCase, (sample, values, key) => gradientOf(op, testCase, sample, values, key), hasDerivatives);
}

/** The weights of the gradient of each input that wants one. */
const directionsOf = (op: OpName, values: Inputs, wants: readonly (boolean | undefined)[]): (Nd | null)[] =>
  values.map((x, i) => (x && wants[i] ? weightsFor(`${op} ${i}`, x.shape) : null));

/** S = Σ u · (gradient of the inputs for the output gradient g). */
function weighedGradients(y: Tensor, wanted: readonly Tensor[], g: Tensor, directions: readonly (Nd | null)[]): Tensor {
  const first = grad(y, wanted, { gradOutputs: [g], createGraph: true }) as Tensor[];
  const us = directions.filter((u) => u !== null);
  const parts = first.map((d, i) => ops.mul({ a: d, b: toTensor(us[i] as Nd) }));
  return parts.map((x) => ops.sum({ x }, { dim: 0, end: x.ndim, keepdim: false })).reduce((a, b) => ops.add({ a, b }));
}

/** S differentiated by the inputs, as they lie in memory, and by g: of each result. */
export function secondsOf(op: OpName, testCase: AnyCase, sample: Sample, values: Inputs, inputs: Tensors): Tensor[] {
  const wants = wantedOf(testCase, sample);
  const wanted = inputs.filter((_, i) => wants[i]) as Tensor[];
  return differentiableOf(op).flatMap((name) => {
    const y = runSample(op, sample, inputs)[name] as Tensor;
    if (!y.requiresGrad) return [];
    const g = toTensor(weightsFor(seedOf(op, name), y.shape)).requiresGrad_();
    const whole = weighedGradients(y, wanted, g, directionsOf(op, values, wants));
    return whole.requiresGrad ? grad(whole, [...wanted, g], { materializeGrads: true }) : [];
  }) as Tensor[];
}

/** S differentiated by the inputs and by g, against finite differences. */
function secondOf(op: OpName, testCase: AnyCase, sample: Sample, values: Inputs, key: string): void {
  for (const name of differentiableOf(op)) {
    const wants = wantedOf(testCase, sample);
    const inputs = leaves(sample, values, wants);
    const wanted = inputs.filter((_, i) => wants[i]) as Tensor[];
    if (wanted.length === 0) return;
    const y = runSample(op, sample, inputs)[name] as Tensor;
    const gValues = weightsFor(seedOf(op, name), y.shape);
    const g = toTensor(gValues).requiresGrad_();
    const directions = directionsOf(op, values, wants);
    const whole = weighedGradients(y, wanted, g, directions);
    // Where the first gradient is constant there is nothing to differentiate, and the second must be 0.
    const second = (): (Tensor | null)[] => (whole.requiresGrad ? differentiate() : []);
    const differentiate = (): (Tensor | null)[] => grad(whole, [...wanted, g], { allowUnused: true });
    if (testCase.second === 'throws') {
      expect(second).toThrow(GradError);
      expect(second).toThrow(/expected one derivative, got a second one/);
      continue;
    }
    const results = second();
    // By g, S is the derivative of the output along the directions.
    const along = (xs: Inputs): Nd =>
      alongDirection((at) => expectedOf(op, testCase, sample, at)[name] as Nd, xs, directions, 1e-3);
    const byG = results[wanted.length];
    const expectedByG = { shape: y.shape, data: once(`${key} ${name} along`, () => along(values).data) };
    const tolerance = 5 * (testCase.gradientTolerance ?? 2e-5);
    const limits = (expected: ArrayLike<number>) => ({
      relative: tolerance,
      absolute: tolerance * Math.max(largest(expected), 1e-1),
    });
    closeTo(
      byG ? toNd(byG) : nd(y.shape, new Float64Array(y.size)),
      expectedByG,
      limits(expectedByG.data),
      'second derivative by the output gradient',
    );
    const s = (xs: Inputs): number => dot(gValues, along(xs));
    wanted.forEach((x, k) => {
      const at = inputs.indexOf(x);
      const some = positions(x.size, x.size > 100 ? 6 : 12);
      const expected = once(`${key} ${name} twice by ${at}`, () =>
        some.map((position) => partial(s, values, at, position, 1e-3)),
      );
      const actual = results[k]?.data ?? new Float64Array(x.size);
      expectClose(
        some.map((p) => actual[p] as number),
        expected,
        limits(expected),
        `second derivative by ${placesOf(sample.inputs)[at]?.name}`,
      );
    });
  }
}

/** Derivatives of the gradients, by the inputs and by the output gradient; or the error that says there are none. */
export function checkSecondDerivatives(op: OpName, testCase: AnyCase): void {
  eachSample(op, testCase, (sample, values, key) => secondOf(op, testCase, sample, values, key), hasDerivatives);
}

/**
 * Backward refuses to compute with a saved value that is gone, or that was written since, and then leaves no gradient.
 */
export function checkSavedValues(op: OpName, testCase: AnyCase): void {
  const sample = testCase.samples[0] as Sample;
  const values = valuesOf(op, sample, 0);
  for (const saved of table[op].rules.saves ?? [])
    for (const name of differentiableOf(op))
      for (const [ruin, error] of ruins)
        scope(() => {
          const inputs = leaves(sample, values, wantedOf(testCase, sample));
          const y = runSample(op, sample, inputs)[name] as Tensor;
          if (!y.requiresGrad) return;
          const xs = [(y.node as Node).saved?.[saved] ?? []].flat() as Tensor[];
          if (xs.length === 0) return;
          const g = toTensor(weightsFor(op, y.shape));
          for (const x of xs) ruin(x);
          holdsStill(() => expect(() => backward(y, g)).toThrow(error));
          expect(inputs.every((input) => !input?.grad)).toBe(true);
        });
}
const ruins: readonly (readonly [(x: Tensor) => void, typeof FreedError | typeof GradError])[] = [
  [(x) => x.dispose(), FreedError],
  [(x) => x.block.version++, GradError],
];

/** An input whose gradient the op cannot give: asking for it is an error that changes nothing. */
export function checkNotDifferentiable(op: OpName, testCase: AnyCase, name: string): void {
  eachSample(op, testCase, (sample, values) => {
    const places = placesOf(sample.inputs);
    for (const result of differentiableOf(op)) {
      const inputs = leaves(
        sample,
        values,
        places.map((place) => place.name === name),
      );
      const wanted = inputs.filter((x) => x?.requiresGrad) as Tensor[];
      if (wanted.length === 0) return;
      const y = runSample(op, sample, inputs)[result] as Tensor;
      holdsStill(() => expect(() => grad(y, wanted, { gradOutputs: [y] })).toThrow(GradError));
    }
  });
}

/**
 * An op without gradients records nothing, whatever its inputs ask for. One that writes must not lose what they ask
 * for: it takes such inputs in noGrad only.
 */
export function checkRecordsNothing(op: OpName, { samples }: AnyCase): void {
  scope(() => {
    const sample = samples[0] as Sample;
    const written = writtenBy(op);
    const asks = placesOf(sample.inputs).map(({ name, spec }) => spec?.dtype === 'f32' && !written.includes(name));
    const inputs = leaves(sample, valuesOf(op, sample, 0), asks);
    if (written.length > 0 && asks.includes(true))
      holdsStill(() =>
        expect(() => runSample(op, sample, inputs)).toThrow(
          new RegExp(
            `^${op}: expected \\w+ not to want a gradient, which this write does not have, got one that wants it; write inside noGrad`,
          ),
        ),
      );
    const run = (): Record<string, Tensor> => runSample(op, sample, inputs);
    const results = Object.values(written.length > 0 ? noGrad(run) : run());
    for (const y of results) expect(y.requiresGrad).toBe(false);
    expect(inputs.map((x) => x?.requiresGrad ?? false)).toEqual(asks);
  });
}
