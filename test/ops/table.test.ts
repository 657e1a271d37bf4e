// Every op of the table, in both builds, against its case: values, first and second derivatives, layouts, special
// numbers, errors, lifetimes and leaks. The cases and the checks are in cases/.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { init, shutdown } from '../../bindings/engine/engine.ts';
import { table } from '../../bindings/ops/table.ts';
import { scope } from '../../bindings/scope.ts';
import { numelOf } from '../../bindings/tensor.ts';
import * as checks from './cases/checks.ts';
import * as derivatives from './cases/derivatives.ts';
import { list, totals } from './cases/index.ts';
import * as operands from './cases/operands.ts';
import { expectedOf, valuesOf } from './cases/samples.ts';
import { placesOf } from './cases/types.ts';

describe.each(['strict', 'relaxed'] as const)('op table, %s build', (simd) => {
  beforeAll(() => init({ simd }));
  afterAll(() => shutdown());

  describe.each(list)('%s', (op, testCase) => {
    const { gradients, second, elementwise } = testCase;
    it('computes what the reference says', () => checks.checkValues(op, testCase));
    it('gives the same bits for every layout of its inputs', () => checks.checkLayouts(op, testCase));
    it('fails as it should, and changes nothing then', () => checks.checkErrors(op, testCase));
    it('refuses operands that its row does not allow, before a kernel runs', () =>
      operands.checkOperands(op, testCase));
    if (table[op].outputs.length > 0) it('names the maker of a freed result', () => checks.checkFreed(op, testCase));
    if (table[op].inputs.some(({ writes, dtypes }) => writes && dtypes.includes('f32')))
      it('writes no leaf that wants a gradient', () => operands.checkWrites(op, testCase));
    if (elementwise)
      it('is right for NaN, infinities, zeros and denormals', () => scope(() => checks.checkSpecial(op, testCase)));

    if (gradients === 'none') {
      it('records no gradient', () => derivatives.checkRecordsNothing(op, testCase));
      return;
    }
    it('has the gradient of the reference', () => derivatives.checkGradients(op, testCase));
    it(
      second === 'throws' ? 'says that it has no second derivative' : 'has the second derivative of the reference',
      () => derivatives.checkSecondDerivatives(op, testCase),
    );
    it('notices saved values that are gone or were changed', () => derivatives.checkSavedValues(op, testCase));
    for (const [name, flag] of Object.entries(gradients === 'all' ? {} : gradients))
      if (flag === 'throws')
        it(`says that ${name} has no gradient`, () => derivatives.checkNotDifferentiable(op, testCase, name));
  });
});

describe('the table of cases', () => {
  it('has a case for every op', () => {
    expect(list.map(([op]) => op).sort()).toEqual(Object.keys(table).sort());
    console.info(`${totals.ops} ops, ${totals.samples} input sets, ${totals.checks} cases in each of two builds`);
  });

  // Without one, the checks of derivatives pass by looking at nothing.
  it.each(list.filter(([, { gradients }]) => gradients !== 'none'))(
    '%s: differentiable at some inputs that have elements',
    (_, { samples }) => {
      const looked = samples.filter(({ valueOnly }) => !valueOnly);
      expect(looked.some(({ inputs }) => placesOf(inputs).every(({ spec }) => !spec || numelOf(spec.shape) > 0))).toBe(
        true,
      );
    },
  );

  /** Of numbers, one each. */
  const single: readonly string[] = ['clipCoefficient'];
  it.each(list.filter(([op]) => !single.includes(op)))('%s: sizes of none, one and more', (op, testCase) => {
    const sizes = testCase.samples.flatMap((sample, i) => {
      const outcome = expectedOf(op, testCase, sample, valuesOf(op, sample, i));
      const given = placesOf(sample.inputs).flatMap(({ spec }) => (spec ? [numelOf(spec.shape)] : []));
      return [...given, ...Object.values(outcome).flatMap((y) => (y ? [numelOf(y.shape)] : []))];
    });
    expect(sizes).toContain(0);
    expect(sizes).toContain(1);
    expect(Math.max(...sizes)).toBeGreaterThan(4);
  });
});
