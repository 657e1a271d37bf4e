// Checks of values, layouts, special numbers, errors and lifetimes.
import { expect } from 'vitest';
import { backend } from '../../../bindings/engine/engine.ts';
import { FreedError } from '../../../bindings/memory/errors.ts';
import { type OpName, table } from '../../../bindings/ops/table.ts';
import { scope } from '../../../bindings/scope.ts';
import { Tensor } from '../../../bindings/tensor.ts';
import { type Nd, nd } from '../../../reference/nd.ts';
import { bits, difference, inLayout, toNd, toTensor } from '../../support/tensors.ts';
import { secondsOf } from './derivatives.ts';
import {
  attrsOf,
  closeTo,
  differentiableOf,
  dtypeOf,
  eachSample,
  expectedOf,
  holdsStill,
  type Inputs,
  imageOf,
  leaves,
  outcomeOf,
  pullBack,
  run,
  runSample,
  type Sample,
  type Tensors,
  valuesOf,
  wantedOf,
  writtenBy,
} from './samples.ts';
import { type AnyCase, byName, fillInputs, placesOf, type Spec } from './types.ts';

/** Names of the inputs that the op takes contiguous only: what it writes where kernels write rows. */
const contiguousOnly = (op: OpName): string[] =>
  table[op].inputs.filter(({ writes, strided }) => writes && !strided).map(({ name }) => name);

function layoutsOf(op: OpName, testCase: AnyCase, sample: Sample, values: Inputs): void {
  const wants = wantedOf(testCase, sample);
  const places = placesOf(sample.inputs);
  const written = writtenBy(op);
  // Of those that write there is no second call.
  const twice = written.length === 0 && testCase.second !== 'throws' && !sample.valueOnly && wants.includes(true);
  const outcome = (inputs: Tensors): string[] => {
    const results = runSample(op, sample, inputs);
    const roots = differentiableOf(op).filter((name) => results[name]?.requiresGrad);
    const image = Object.values(results).map(bits);
    if (roots.length > 0) pullBack(op, results, roots);
    for (const [i, x] of inputs.entries()) if (x && written.includes(places[i]?.name as string)) image.push(bits(x));
    const seconds = twice ? secondsOf(op, testCase, sample, values, inputs).map(bits) : [];
    return [...image, ...inputs.map((x) => (x?.grad ? bits(x.grad) : '')), ...seconds];
  };
  const plain = outcome(leaves(sample, values, wants));
  for (const layout of ['transposed', 'stepped'] as const) {
    const inputs = places.map(({ name, spec }, i) => {
      if (!spec) return null;
      const value = values[i] as Nd;
      const made = contiguousOnly(op).includes(name)
        ? toTensor(value, spec.dtype)
        : inLayout(value, spec.dtype, layout);
      return made.requiresGrad_(wants[i] ?? false);
    });
    const before = inputs.map((x) => (x ? bits(x) : ''));
    const gaps = inputs.map((x) => (x ? gapsOf(x) : []));
    expect(outcome(inputs), layout).toEqual(plain);
    expect(
      inputs.map((x) => (x ? gapsOf(x) : [])),
      `${layout}: what lies between elements is left as it was`,
    ).toEqual(gaps);
    inputs.forEach((x, i) => {
      if (x && !written.includes(places[i]?.name as string))
        expect(bits(x), `${layout}: inputs are left as they were`).toBe(before[i]);
    });
  }
}

/** What lies in the block of `x` but is none of its elements. */
function gapsOf(x: Tensor): number[] {
  const whole = new Tensor(x.block, 'u8', [x.block.bytes]).data;
  const own = new Set<number>();
  const bytes = x.dtype === 'u8' ? 1 : 4;
  const walk = (d: number, at: number): void => {
    if (d === x.ndim) for (let b = 0; b < bytes; b++) own.add(at * bytes + b);
    else for (let i = 0; i < (x.shape[d] as number); i++) walk(d + 1, at + i * (x.strides[d] as number));
  };
  walk(0, x.offset);
  return Array.from(whole).filter((_, i) => !own.has(i));
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
  const specs = placesOf(sample.inputs).map(({ spec }) => spec as Spec);
  const size = n ** specs.filter(({ dtype }) => dtype === 'f32').length;
  let period = 1;
  const values = specs.map(({ dtype }) => {
    const each = period;
    if (dtype === 'f32') period *= n;
    const value = (i: number): number =>
      dtype === 'f32' ? Math.fround(SPECIAL[Math.floor(i / each) % n] as number) : i % 2;
    return nd(
      [size],
      Array.from({ length: size }, (_, i) => value(i)),
    );
  });
  const results = runSample(
    op,
    sample,
    values.map((x, i) => toTensor(x, (specs[i] as Spec).dtype)),
  );
  const expected = expectedOf(op, testCase, sample, values);
  for (const name in expected) {
    const problem = difference((results[name] as Tensor).data, (expected[name] as Nd).data, {
      relative: Math.max(testCase.tolerance.relative, 1e-6),
      absolute: Math.max(testCase.tolerance.absolute ?? 0, DENORMAL),
    });
    if (!problem) continue;
    const at = Number(/position (\d+)/.exec(problem)?.[1]);
    throw new Error(`${op}(${values.map((x) => x.data[at]).join(', ')}) ${problem}`);
  }
}

/** Calls that must fail do, with their error, and change nothing: nor do copies that were made for them stay. */
export function checkErrors(op: OpName, { errors }: AnyCase): void {
  for (const { inputs, attrs: given, error, message, freed } of errors)
    for (const layout of ['contiguous', 'stepped'] as const)
      scope(() => {
        const values = fillInputs(op, inputs);
        const args = placesOf(inputs).map(({ name, index, spec }, i) => {
          if (!spec) {
            const slot = inputs[name];
            return slot && index < 0 && 'raw' in slot ? slot.raw : null;
          }
          const value = values[i] as Nd;
          const kept = layout === 'contiguous' || contiguousOnly(op).includes(name);
          return kept ? toTensor(value, spec.dtype) : inLayout(value, spec.dtype, layout);
        });
        const bag = byName(inputs, args);
        const attrs = attrsOf({ attrs: given });
        if (freed !== undefined) (bag[freed] as Tensor).dispose();
        const before = imageOf(args);
        holdsStill(() => {
          let thrown: unknown;
          try {
            run(op, bag, attrs);
          } catch (caught) {
            thrown = caught;
          }
          expect(thrown, `an error like ${message}`).toBeInstanceOf(error);
          expect((thrown as Error).message).toMatch(message);
        });
        expect(imageOf(args)).toEqual(before);
      });
}

/** A freed result says who made it. */
export function checkFreed(op: OpName, testCase: AnyCase): void {
  const sample = testCase.samples[0] as Sample;
  scope(() => {
    const inputs = leaves(sample, valuesOf(op, sample, 0));
    const results = Object.values(runSample(op, sample, inputs));
    for (const y of results) {
      const own = !inputs.some((x) => x?.block === y.block);
      y.dispose();
      expect(() => y.data).toThrow(FreedError);
      expect(() => y.data).toThrow(new RegExp(`^${own ? op : 'test'}: expected a living tensor`));
    }
  });
}

/** Values, shapes and dtypes against the reference; plain inputs record nothing; only what is written changes. */
export function checkValues(op: OpName, testCase: AnyCase): void {
  const written = writtenBy(op);
  eachSample(op, testCase, (sample, values) => {
    const expected = expectedOf(op, testCase, sample, values);
    const inputs = leaves(sample, values);
    const before = imageOf(inputs);
    const actual = outcomeOf(op, sample, inputs);
    expect(Object.keys(actual).sort()).toEqual(Object.keys(expected).sort());
    for (const name in expected) {
      const y = expected[name];
      if (y) closeTo(actual[name] as Nd, y, testCase.tolerance, name);
      else expect(actual[name], name).toBeNull();
    }
    const after = imageOf(inputs);
    placesOf(sample.inputs).forEach(({ name }, i) => {
      if (!written.includes(name)) expect(after[i], `${name} is left as it was`).toEqual(before[i]);
      // What saved it before has to notice.
      else if (after[i]?.[0] !== before[i]?.[0]) expect(after[i]?.[1], `version of ${name}`).not.toBe(before[i]?.[1]);
    });
    const again = leaves(sample, values);
    const held = backend().memory.blocks;
    const results = runSample(op, sample, again);
    const made = Object.values(results).filter((y) => again.every((x) => x?.block !== y.block));
    expect(backend().memory.blocks, 'nothing is held but the results').toBe(held + made.length);
    for (const name in results) {
      const y = results[name] as Tensor;
      expect(y.dtype, name).toBe(dtypeOf(testCase, sample, name));
      expect(y.requiresGrad, name).toBe(false);
      expect(toNd(y), `${name}, computed again`).toEqual(actual[name]);
    }
  });
}
