// Every op of the table, in both builds, against its case: values, first and second derivatives, layouts, special numbers,
// errors, lifetimes and leaks. The cases and the checks are in cases/.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { table } from '../../bindings/ops/table.ts';
import { init, shutdown } from '../../bindings/runtime/wasm.ts';
import { scope } from '../../bindings/scope.ts';
import { numelOf } from '../../bindings/tensor.ts';
import * as checks from './cases/checks.ts';
import * as derivatives from './cases/derivatives.ts';
import { list, totals } from './cases/index.ts';

describe.each(['strict', 'relaxed'] as const)('op table, %s build', (simd) => {
  beforeAll(() => init({ simd }));
  afterAll(() => shutdown());

  describe.each(list)('%s', (op, testCase) => {
    const { gradients, second, elementwise } = testCase;
    it('computes what the reference says', () => checks.checkValues(op, testCase));
    it('gives the same bits for every layout of its inputs', () => checks.checkLayouts(op, testCase));
    it('fails as it should, and changes nothing then', () => checks.checkErrors(op, testCase));
    it('names the maker of a freed tensor', () => checks.checkFreed(op, testCase));
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
    for (const [i, flag] of gradients === 'all' ? [] : gradients.entries())
      if (flag === 'throws')
        it(`says that input ${i} has no gradient`, () => derivatives.checkNotDifferentiable(op, testCase, i));
  });
});

describe('the table of cases', () => {
  it('has a case for every op, and counts them', () => {
    expect(list.map(([op]) => op).sort()).toEqual(Object.keys(table).sort());
    console.info(`${totals.ops} ops, ${totals.samples} input sets, ${totals.checks} cases in each of two builds`);
    expect(totals.checks).toBeGreaterThan(3000);
  });

  it.each(list.filter(([, { samples }]) => samples.some(({ inputs }) => inputs.length > 0)))(
    '%s: sizes of none, one and more',
    (_, { samples }) => {
      const sizes = samples.flatMap(({ inputs }) => inputs.flatMap((spec) => (spec ? [numelOf(spec.shape)] : [])));
      expect(sizes).toContain(0);
      expect(sizes).toContain(1);
      expect(Math.max(...sizes)).toBeGreaterThan(4);
    },
  );
});
