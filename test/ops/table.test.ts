// Every op of the table, in both builds, against its case: values, first and second derivatives, layouts, special numbers,
// errors, lifetimes and leaks.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backward, grad, ops } from '../../bindings/autograd.ts';
import { type OpName, table } from '../../bindings/ops/table.ts';
import { FreedError, GradError } from '../../bindings/runtime/errors.ts';
import { backend, init, shutdown } from '../../bindings/runtime/wasm.ts';
import { scope } from '../../bindings/scope.ts';
import type { Dtype } from '../../bindings/tensor.ts';
import { numelOf, Tensor } from '../../bindings/tensor.ts';
import { alongDirection, dot, partial, positions } from '../support/gradcheck.ts';
import { bits, build, difference, expectClose, inLayout, type Nd, nd, random, toTensor } from '../support/tensors.ts';
import { type AnyCase, list, totals } from './cases/index.ts';
import { type Differentiable, fillInputs, type Spec } from './cases/types.ts';

type Inputs = readonly (Nd | null)[];
type Tensors = (Tensor | null)[];
type Sample = AnyCase['samples'][number];
const call = ops as unknown as Record<OpName, (...args: unknown[]) => Tensor>;

const attrsOf = ({ attrs }: { readonly attrs?: unknown }): unknown => (typeof attrs === 'function' ? attrs() : attrs);
const valuesOf = (op: string, sample: Sample, i: number): (Nd | null)[] => fillInputs(`${op} ${i}`, sample.inputs);
const run = (op: OpName, inputs: readonly unknown[], attrs: unknown): Tensor => call[op](...inputs, ...(attrs === undefined ? [] : [attrs]));
const describeSample = (sample: Sample): string => sample.inputs.map((spec) => (spec ? `${spec.dtype}[${spec.shape}]` : 'null')).join(' ');

const flagOf = ({ gradients }: AnyCase, spec: Spec | null, i: number): Differentiable => {
  if (spec?.dtype !== 'f32' || gradients === 'none') return false;
  return gradients === 'all' ? true : (gradients[i] ?? false);
};

/** Leaves for the inputs; those that `wants` says ask for a gradient. */
function leaves(specs: Sample['inputs'], values: Inputs, wants: (i: number) => boolean = () => false): Tensors {
  return specs.map((spec, i) => (spec ? toTensor(values[i] as Nd, spec.dtype).requiresGrad_(wants(i)) : null));
}

/** Calls `check` for each sample in a scope of its own, and holds that nothing is left behind. */
function eachSample(op: OpName, { samples }: AnyCase, check: (sample: Sample, values: Inputs) => void, when: (sample: Sample) => boolean = () => true): void {
  samples.forEach((sample, i) => {
    if (!when(sample)) return;
    const before = backend().memory;
    try {
      scope(() => check(sample, valuesOf(op, sample, i)));
    } catch (error) {
      (error as Error).message = `sample ${i}, ${describeSample(sample)} ${JSON.stringify(typeof sample.attrs === 'function' ? '…' : (sample.attrs ?? {}))}: ${(error as Error).message}`;
      throw error;
    }
    const { used, blocks } = backend().memory;
    expect({ used, blocks }, `left behind by sample ${i}`).toEqual({ used: before.used, blocks: before.blocks });
  });
}

const closeTo = (actual: Tensor, expected: Nd, tolerance: { relative: number; absolute?: number }, what: string): void => {
  expect(actual.shape, `${what}: shape`).toEqual(expected.shape);
  expectClose(actual.data, expected.data, tolerance, what);
};

/** Numbers of an output's shape to weigh it with: its gradient. */
const weightsFor = (seed: string, shape: readonly number[]): Nd => {
  const next = random(`${seed} weights`);
  return build(shape, () => Math.fround(2 * next() - 1));
};
const largest = (values: ArrayLike<number>): number => Array.from(values).reduce((top, v) => Math.max(top, Math.abs(v)), 0);

function checkGradient(op: OpName, testCase: AnyCase, sample: Sample, values: Inputs): void {
  const wants = sample.inputs.map((spec, i) => flagOf(testCase, spec, i) === true);
  const inputs = leaves(sample.inputs, values, (i) => sample.inputs[i]?.dtype === 'f32' && flagOf(testCase, sample.inputs[i], i) !== 'throws');
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
    const expected = some.map((position) => partial(reference, values, at, position, 1e-5));
    const gradient = x.grad as Tensor;
    expect(gradient?.shape, `shape of gradient ${at}`).toEqual(x.shape);
    const actual = gradient.data;
    const tolerance = testCase.gradientTolerance ?? 2e-5;
    const scale = Math.max(largest(expected), 1e-3);
    expectClose(some.map((p) => actual[p] as number), expected, { relative: tolerance, absolute: tolerance * scale }, `gradient ${at}`);
  });
}

/** S = Σ u · (gradient of the inputs for the output gradient g), differentiated by the inputs and by g. */
function checkSecond(op: OpName, testCase: AnyCase, sample: Sample, values: Inputs): void {
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
  const expectedByG = along(values);
  const tolerance = 5 * (testCase.gradientTolerance ?? 2e-5);
  const limits = (expected: ArrayLike<number>) => ({ relative: tolerance, absolute: tolerance * Math.max(largest(expected), 1e-1) });
  closeTo(byG, expectedByG, limits(expectedByG.data), 'second derivative by the output gradient');
  const s = (xs: Inputs): number => dot(gValues, along(xs));
  wanted.forEach((x, k) => {
    const at = inputs.indexOf(x);
    const some = positions(x.size, x.size > 100 ? 6 : 12);
    const expected = some.map((position) => partial(s, values, at, position, 1e-3));
    const actual = results[k]?.data ?? new Float64Array(x.size);
    expectClose(some.map((p) => actual[p] as number), expected, limits(expected), `second derivative by input ${at}`);
  });
}

/** The same bits, values and gradients, whatever the layout of the inputs in memory. */
function checkLayouts(op: OpName, testCase: AnyCase, sample: Sample, values: Inputs): void {
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
      return (testCase.contiguousOnly?.includes(i) ? toTensor(value, spec.dtype) : inLayout(value, spec.dtype, layout)).requiresGrad_(wants(i));
    });
    const before = inputs.map((x) => (x ? bits(x) : ''));
    expect(outcome(inputs), layout).toEqual(plain);
    expect(inputs.map((x) => (x ? bits(x) : '')), `${layout}: inputs are left as they were`).toEqual(before);
  }
}

const SPECIAL = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, -0, 1, -1, 1e-40, -1e-40, 3e38, -3e38, 0.5, 2];

/** The distance of neighbouring denormals. */
const DENORMAL = 1.5e-45;

/** Every special number in every f32 input against every other. */
function checkSpecial(op: OpName, testCase: AnyCase): void {
  const sample = testCase.samples[0] as Sample;
  const n = SPECIAL.length;
  const floats = sample.inputs.filter((spec) => spec?.dtype === 'f32').length;
  let period = 1;
  const values = sample.inputs.map((spec) => {
    if (spec?.dtype !== 'f32') return nd([n ** floats], Array.from({ length: n ** floats }, (_, i) => i % 2));
    const each = period;
    period *= n;
    return nd([n ** floats], Array.from({ length: n ** floats }, (_, i) => Math.fround(SPECIAL[Math.floor(i / each) % n] as number)));
  });
  const y = run(op, values.map((x, i) => toTensor(x, (sample.inputs[i] as Spec).dtype)), attrsOf(sample));
  const expected = testCase.reference(values, attrsOf(sample)).data;
  const problem = difference(y.data, expected, { relative: Math.max(testCase.tolerance.relative, 1e-6), absolute: Math.max(testCase.tolerance.absolute ?? 0, DENORMAL) });
  if (!problem) return;
  const at = Number(/position (\d+)/.exec(problem)?.[1]);
  throw new Error(`${op}(${values.map((x) => x.data[at]).join(', ')}) ${problem}`);
}

/** Bystanders and inputs keep their bits, and no block appears or goes, when a call fails. */
function holdsStill(act: () => void): void {
  const bystanders = [nd([3], [1, Number.NaN, -0]), nd([2, 2], [1, 2, 3, 4])].map((x) => toTensor(x).requiresGrad_());
  backward(ops.sum(ops.mul(bystanders[1] as Tensor, bystanders[1] as Tensor), { dim: 0, end: 2, keepdim: false }));
  const image = (): unknown => [bystanders.map((x) => [bits(x), x.grad && bits(x.grad)]), backend().memory.used, backend().memory.blocks];
  const before = image();
  act();
  expect(image()).toEqual(before);
}

function checkErrors(op: OpName, { errors }: AnyCase): void {
  for (const { inputs, attrs: given, error, message, freed } of errors)
    scope(() => {
      const values = fillInputs(op, inputs.map((spec) => (spec && 'shape' in spec ? spec : null)));
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

/** Each input in turn is freed before the call, and before backward where it is saved. */
function checkFreed(op: OpName, testCase: AnyCase): void {
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

describe.each(['strict', 'relaxed'] as const)('op table, %s build', (simd) => {
  beforeAll(() => init({ simd }));
  afterAll(() => shutdown());

  describe.each(list)('%s', (op, testCase) => {
    it('computes what the reference says', () => {
      eachSample(op, testCase, (sample, values) => {
        const attrs = attrsOf(sample);
        const expected = testCase.reference(values, attrs);
        const y = run(op, leaves(sample.inputs, values), attrs);
        expect(y.dtype).toBe(dtypeOf(testCase, sample));
        closeTo(y, expected, testCase.tolerance, 'value');
        expect(y.requiresGrad).toBe(false);
      });
    });

    it('gives the same bits for every layout of its inputs', () => {
      eachSample(op, testCase, (sample, values) => checkLayouts(op, testCase, sample, values));
    });

    it('fails as it should, and changes nothing then', () => checkErrors(op, testCase));
    it('names the maker of a freed tensor', () => checkFreed(op, testCase));

    if (testCase.gradients !== 'none') {
      it('has the gradient of the reference', () => {
        eachSample(op, testCase, (sample, values) => checkGradient(op, testCase, sample, values), ({ valueOnly }) => !valueOnly);
      });
      it(testCase.second === 'throws' ? 'says that it has no second derivative' : 'has the second derivative of the reference', () => {
        eachSample(op, testCase, (sample, values) => checkSecond(op, testCase, sample, values), ({ valueOnly }) => !valueOnly);
      });
      for (const [i, flag] of Array.isArray(testCase.gradients) ? testCase.gradients.entries() : [])
        if (flag === 'throws')
          it(`says that input ${i} has no gradient`, () => {
            eachSample(op, testCase, (sample, values) => {
              const inputs = leaves(sample.inputs, values, (k) => k === i);
              if (!inputs[i]) return;
              const y = run(op, inputs, attrsOf(sample));
              holdsStill(() => expect(() => grad(y, [inputs[i] as Tensor], { gradOutputs: [y] })).toThrow(GradError));
            });
          });
    } else
      it('records no gradient', () => {
        scope(() => {
          const sample = testCase.samples[0] as Sample;
          const inputs = leaves(sample.inputs, valuesOf(op, sample, 0), (i) => sample.inputs[i]?.dtype === 'f32');
          expect(run(op, inputs, attrsOf(sample)).requiresGrad).toBe(false);
        });
      });

    if (testCase.elementwise) it('is right for NaN, infinities, zeros and denormals', () => scope(() => checkSpecial(op, testCase)));
  });
});

describe('the table of cases', () => {
  it('has a case for every op, and counts them', () => {
    expect(list.map(([op]) => op).sort()).toEqual(Object.keys(table).sort());
    console.info(`${totals.ops} ops, ${totals.samples} input sets, ${totals.checks} cases in each of two builds`);
    expect(totals.checks).toBeGreaterThan(3000);
  });

  it.each(list.filter(([, { samples }]) => samples.some(({ inputs }) => inputs.length > 0)))('%s: sizes of none, one and more', (_, { samples }) => {
    const sizes = samples.flatMap(({ inputs }) => inputs.flatMap((spec) => (spec ? [numelOf(spec.shape)] : [])));
    expect(sizes).toContain(0);
    expect(sizes).toContain(1);
    expect(Math.max(...sizes)).toBeGreaterThan(4);
  });
});
