// Checks of values, layouts, special numbers, errors and lifetimes.
import { expect } from 'vitest';
import { backward } from '../../../bindings/autograd.ts';
import { type OpName, table } from '../../../bindings/ops/table.ts';
import { FreedError } from '../../../bindings/runtime/errors.ts';
import { scope } from '../../../bindings/scope.ts';
import { type Dtype, Tensor } from '../../../bindings/tensor.ts';
import { bits, difference, inLayout, type Nd, nd, toTensor } from '../../support/tensors.ts';
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
import { fillInputs, type Spec } from './types.ts';

function layoutsOf(op: OpName, testCase: AnyCase, sample: Sample, values: Inputs): void {
  const wants = (i: number): boolean => flagOf(testCase, sample.inputs[i] ?? null, i) === true;
  const outcome = (inputs: Tensors): string[] => {
    const y = run(op, inputs, attrsOf(sample));
    if (y.requiresGrad) backward(y, toTensor(weightsFor(op, y.shape)));
    return [bits(y), ...inputs.map((x) => (x?.grad ? bits(x.grad) : ''))];
  };
  const plain = outcome(leaves(sample.inputs, values, wants));
  for (const layout of ['transposed', 'stepped'] as const) {
    const inputs = sample.inputs.map((spec, i) => {
      if (!spec) return null;
      const value = values[i] as Nd;
      return (
        testCase.contiguousOnly?.includes(i) ? toTensor(value, spec.dtype) : inLayout(value, spec.dtype, layout)
      ).requiresGrad_(wants(i));
    });
    const before = inputs.map((x) => (x ? bits(x) : ''));
    expect(outcome(inputs), layout).toEqual(plain);
    expect(
      inputs.map((x) => (x ? bits(x) : '')),
      `${layout}: inputs are left as they were`,
    ).toEqual(before);
  }
}

/** The same bits, values and gradients, whatever the layout of the inputs in memory. */
export function checkLayouts(op: OpName, testCase: AnyCase): void {
  eachSample(op, testCase, (sample, values) => layoutsOf(op, testCase, sample, values));
}

const SPECIAL = [
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  0,
  -0,
  1,
  -1,
  1e-40,
  -1e-40,
  3e38,
  -3e38,
  0.5,
  2,
];

/** The distance of neighbouring denormals. */
const DENORMAL = 1.5e-45;

/** Every special number in every f32 input against every other. */
export function checkSpecial(op: OpName, testCase: AnyCase): void {
  const sample = testCase.samples[0] as Sample;
  const n = SPECIAL.length;
  const floats = sample.inputs.filter((spec) => spec?.dtype === 'f32').length;
  let period = 1;
  const values = sample.inputs.map((spec) => {
    if (spec?.dtype !== 'f32')
      return nd(
        [n ** floats],
        Array.from({ length: n ** floats }, (_, i) => i % 2),
      );
    const each = period;
    period *= n;
    return nd(
      [n ** floats],
      Array.from({ length: n ** floats }, (_, i) => Math.fround(SPECIAL[Math.floor(i / each) % n] as number)),
    );
  });
  const y = run(
    op,
    values.map((x, i) => toTensor(x, (sample.inputs[i] as Spec).dtype)),
    attrsOf(sample),
  );
  const expected = testCase.reference(values, attrsOf(sample)).data;
  const problem = difference(y.data, expected, {
    relative: Math.max(testCase.tolerance.relative, 1e-6),
    absolute: Math.max(testCase.tolerance.absolute ?? 0, DENORMAL),
  });
  if (!problem) return;
  const at = Number(/position (\d+)/.exec(problem)?.[1]);
  throw new Error(`${op}(${values.map((x) => x.data[at]).join(', ')}) ${problem}`);
}

/** Every call that must fail does, with its error, and changes nothing. */
export function checkErrors(op: OpName, { errors }: AnyCase): void {
  for (const { inputs, attrs: given, error, message, freed } of errors)
    scope(() => {
      const values = fillInputs(
        op,
        inputs.map((spec) => (spec && 'shape' in spec ? spec : null)),
      );
      const args = inputs.map((spec, i) => {
        if (!spec) return null;
        return 'raw' in spec ? spec.raw : toTensor(values[i] as Nd, spec.dtype);
      });
      const attrs = attrsOf({ attrs: given });
      if (freed !== undefined) (args[freed] as Tensor).dispose();
      const image = (): string[] => args.map((x) => (x instanceof Tensor && !x.block.freed ? bits(x) : ''));
      const before = image();
      holdsStill(() => {
        let thrown: unknown;
        try {
          run(op, args, attrs);
        } catch (caught) {
          thrown = caught;
        }
        expect(thrown, `an error like ${message}`).toBeInstanceOf(error);
        expect((thrown as Error).message).toMatch(message);
      });
      expect(image()).toEqual(before);
    });
}

/** Each input in turn is freed before the call; the error names who made it. So does that of a freed result. */
export function checkFreed(op: OpName, testCase: AnyCase): void {
  const sample = testCase.samples[0] as Sample;
  const values = valuesOf(op, sample, 0);
  sample.inputs.forEach((spec, i) => {
    if (!spec) return;
    scope(() => {
      const inputs = leaves(sample.inputs, values);
      const attrs = attrsOf(sample);
      (inputs[i] as Tensor).dispose();
      holdsStill(() => {
        expect(() => run(op, inputs, attrs)).toThrow(FreedError);
        expect(() => run(op, inputs, attrs)).toThrow(/^test: expected a living tensor, got one of shape/);
      });
    });
  });
  scope(() => {
    const inputs = leaves(sample.inputs, values);
    const y = run(op, inputs, attrsOf(sample));
    y.dispose();
    const maker = 'view' in table[op] ? 'test' : op;
    expect(() => y.data).toThrow(new RegExp(`^${maker}: expected a living tensor`));
  });
}

function dtypeOf({ dtype }: AnyCase, sample: Sample): Dtype {
  if (typeof dtype === 'function') return dtype(attrsOf(sample));
  return dtype ?? sample.inputs[0]?.dtype ?? 'f32';
}

/** Values, shapes and dtypes against the reference; nothing is recorded for plain inputs. */
export function checkValues(op: OpName, testCase: AnyCase): void {
  eachSample(op, testCase, (sample, values) => {
    const attrs = attrsOf(sample);
    const expected = testCase.reference(values, attrs);
    const y = run(op, leaves(sample.inputs, values), attrs);
    expect(y.dtype).toBe(dtypeOf(testCase, sample));
    closeTo(y, expected, testCase.tolerance, 'value');
    expect(y.requiresGrad).toBe(false);
  });
}
