// Checks of execute, derived from the table: no operand that a row does not allow reaches a kernel.
import { expect } from 'vitest';
import { noGrad } from '../../../bindings/autograd.ts';
import { type Dtype, dtypes } from '../../../bindings/dtypes.ts';
import { setWatch } from '../../../bindings/execute.ts';
import { ArgumentError, DtypeError, FreedError, GradError, ShapeError } from '../../../bindings/memory/errors.ts';
import type { Bag, Row } from '../../../bindings/ops/core.ts';
import { type OpName, table } from '../../../bindings/ops/table.ts';
import { scope } from '../../../bindings/scope.ts';
import { Tensor } from '../../../bindings/tensor.ts';
import { type Nd, nd } from '../../../reference/nd.ts';
import { inLayout, toTensor } from '../../support/tensors.ts';
import { attrsOf, holdsStill, imageOf, leaves, run, type Sample, valuesOf } from './samples.ts';
import { type AnyCase, byName, type Place, placesOf } from './types.ts';

type Input = Row['inputs'][number];

/** Something that must not be given for an input. */
interface Wrong {
  readonly what: string;
  readonly error: new (...args: never[]) => Error;
  /** What the message says after the name of the op. */
  readonly message: RegExp;
  make(right: Tensor): unknown;
}

const NO_TENSORS: readonly (readonly [string, unknown])[] = [
  ['undefined', undefined],
  ['a number', 3],
  ['an object', { shape: [2], dtype: 'f32' }],
  ['a list', []],
  ['a string', 'x'],
  ['a typed array', new Float32Array(2)],
];

/** Tensors that reach out of their memory, alike in rank. */
function outside(input: Input): Wrong[] {
  const wrong = (what: string, make: (x: Tensor) => Tensor): Wrong => ({
    what,
    error: ShapeError,
    message: new RegExp(`: expected ${input.name} inside its memory, got shape `),
    make,
  });
  const last = (x: Tensor, size: number): number[] => x.shape.map((s, d) => (d === x.ndim - 1 ? size : Math.max(1, s)));
  const one = (x: Tensor): number[] => x.shape.map(() => 1);
  return [
    wrong(
      'a shape that reaches out',
      (x) => new Tensor(x.block, x.dtype, last(x, 2 ** 27), undefined, x.ndim ? 0 : 2 ** 27),
    ),
    wrong('a size too many', (x) => {
      const room = Math.floor(x.block.bytes / dtypes[x.dtype].bytes);
      return new Tensor(
        x.block,
        x.dtype,
        x.shape.map((_, d) => (d === x.ndim - 1 ? room + 1 : 1)),
        one(x),
        x.ndim ? 0 : room,
      );
    }),
    wrong('an offset that reaches out', (x) => new Tensor(x.block, x.dtype, one(x), one(x), x.block.bytes)),
    wrong('an offset before the start', (x) => new Tensor(x.block, x.dtype, one(x), one(x), -1)),
    wrong('strides that reach out', (x) =>
      x.ndim === 0
        ? new Tensor(x.block, x.dtype, [], [], 2 ** 27)
        : new Tensor(
            x.block,
            x.dtype,
            last(x, 2),
            x.shape.map(() => 2 ** 27),
          ),
    ),
    wrong('strides that reach back', (x) =>
      x.ndim === 0
        ? new Tensor(x.block, x.dtype, [], [], -1)
        : new Tensor(
            x.block,
            x.dtype,
            last(x, 2),
            x.shape.map(() => -1),
          ),
    ),
  ];
}

/** Layouts that a kernel cannot write to. */
function unwritable({ name, strided }: Input): Wrong[] {
  const wrongs: Wrong[] = [
    {
      what: 'an expanded tensor',
      error: ArgumentError,
      message: strided
        ? new RegExp(`: expected a tensor to write as ${name} whose elements have places of their own`)
        : new RegExp(`: expected a contiguous tensor to write as ${name}, `),
      make: (x) =>
        new Tensor(
          x.block,
          x.dtype,
          x.shape,
          x.shape.map(() => 0),
        ),
    },
  ];
  if (!strided)
    wrongs.push({
      what: 'a strided tensor',
      error: ArgumentError,
      message: new RegExp(
        `: expected a contiguous tensor to write as ${name}, got .*; write to a contiguous\\(\\) copy`,
      ),
      make: (x) => inLayout(nd(x.shape, x.data), x.dtype, 'stepped'),
    });
  return wrongs;
}

function wrongsFor(input: Input, inList: boolean, right: Tensor): Wrong[] {
  const { name, optional, writes } = input;
  const noTensor = (what: string, value: unknown): Wrong => ({
    what,
    error: ArgumentError,
    message: new RegExp(`: expected a tensor as ${name}, got ${value === null ? 'null' : typeof value}`),
    make: () => value,
  });
  const others = (Object.keys(dtypes) as Dtype[]).filter((dtype) => !input.dtypes.includes(dtype));
  return [
    ...NO_TENSORS.map(([what, value]) => noTensor(what, value)),
    ...(optional && !inList ? [] : [noTensor('null', null)]),
    ...others.map(
      (dtype): Wrong => ({
        what: `dtype ${dtype}`,
        error: DtypeError,
        message: new RegExp(
          `: expected dtype ${input.dtypes.join(' or ')}, got ${dtype}; convert with \\.to\\('${input.dtypes[0]}'\\)`,
        ),
        make: (x) => toTensor(nd(x.shape, x.data), dtype),
      }),
    ),
    {
      what: 'a freed tensor',
      error: FreedError,
      message: /^test: expected a living tensor, got one of shape/,
      make: (x) => {
        const gone = toTensor(nd(x.shape, x.data), x.dtype);
        gone.dispose();
        return gone;
      },
    },
    ...outside(input),
    ...(writes && right.shape.some((size) => size > 1) ? unwritable(input) : []),
  ];
}

/** A sample in which the input is given, with elements where there is one. */
function sampleWith({ samples }: AnyCase, name: string): number {
  const sizes = samples.map((sample) => {
    const { spec } = placesOf(sample.inputs).find((place) => place.name === name) as Place;
    return spec ? spec.shape.reduce((n, size) => n * size, 1) : -1;
  });
  const several = sizes.findIndex((size) => size > 1 && size < 100);
  return several >= 0 ? several : sizes.findIndex((size) => size >= 0);
}

/** Calls `act` and holds that it throws what `wrong` says, before a kernel of `op` has run. */
function refuses(op: OpName, title: string, wrong: Wrong, act: () => void): void {
  const ran: string[] = [];
  let thrown: unknown;
  setWatch((name, _, compute) => {
    ran.push(name);
    compute();
  });
  try {
    act();
  } catch (caught) {
    thrown = caught;
  } finally {
    setWatch(null);
  }
  expect(thrown, `an error for ${wrong.what}`).toBeInstanceOf(wrong.error);
  const { message } = thrown as Error;
  expect(message, wrong.what).toMatch(wrong.message);
  if (wrong.error !== FreedError) expect([op, title]).toContain(message.slice(0, message.indexOf(':')));
  expect(ran).not.toContain(op);
}

/** Every input in turn, each in every way that its row does not allow: typed errors, and all memory stays as it was. */
export function checkOperands(op: OpName, testCase: AnyCase): void {
  const { inputs, rules } = table[op];
  for (const input of inputs) {
    const at = sampleWith(testCase, input.name);
    expect(at, `a sample that gives ${input.name}`).toBeGreaterThanOrEqual(0);
    const sample = testCase.samples[at] as Sample;
    const values = valuesOf(op, sample, at);
    const places = placesOf(sample.inputs);
    places.forEach(({ name, index, spec }, position) => {
      if (name !== input.name || !spec) return;
      scope(() => {
        // The others are laid out so that they are copied: the copies must not stay.
        const right = places.map((place, i) => {
          if (!place.spec) return null;
          const row = inputs.find((each) => each.name === place.name) as Input;
          const value = values[i] as Nd;
          return row.writes || i === position
            ? toTensor(value, place.spec.dtype)
            : inLayout(value, place.spec.dtype, 'stepped');
        });
        const title = rules.title?.(byName(sample.inputs, right) as Bag, attrsOf(sample)) ?? op;
        const own = right[position] as Tensor;
        for (const wrong of wrongsFor(input, index >= 0, own)) {
          const given = right.map((x, i) => (i === position ? wrong.make(own) : x));
          const before = imageOf(right);
          holdsStill(() => refuses(op, title, wrong, () => run(op, byName(sample.inputs, given), attrsOf(sample))));
          expect(imageOf(right), wrong.what).toEqual(before);
        }
      });
    });
    if (input.many)
      scope(() => {
        const wrong: Wrong = {
          what: 'no list',
          error: ArgumentError,
          message: new RegExp(`: expected a list of tensors as ${input.name}, got object`),
          make: (x) => x,
        };
        const x = toTensor(nd([2], [1, 2]));
        holdsStill(() => refuses(op, op, wrong, () => run(op, { [input.name]: x }, attrsOf(sample))));
      });
  }
}

/** A leaf that asks for a gradient must not be written, but in noGrad, where the call writes and counts. */
export function checkWrites(op: OpName, testCase: AnyCase): void {
  const written = table[op].inputs.filter(({ writes, dtypes: allowed }) => writes && allowed.includes('f32'));
  for (const { name } of written) {
    const at = sampleWith(testCase, name);
    const sample = testCase.samples[at] as Sample;
    scope(() => {
      const wants = placesOf(sample.inputs).map((place) => place.name === name && place.spec?.dtype === 'f32');
      const inputs = leaves(sample, valuesOf(op, sample, at), wants);
      const bag = byName(sample.inputs, inputs);
      const before = imageOf(inputs);
      const title = table[op].rules.title?.(bag as Bag, attrsOf(sample) as never) ?? op;
      holdsStill(() => {
        expect(() => run(op, bag, attrsOf(sample))).toThrow(GradError);
        expect(() => run(op, bag, attrsOf(sample))).toThrow(
          new RegExp(`^${title}: expected ${name} not to be a leaf that requires a gradient.*; write inside noGrad`),
        );
      });
      expect(imageOf(inputs)).toEqual(before);
      noGrad(() => run(op, bag, attrsOf(sample)));
      const leaf = bag[name] as Tensor;
      expect(leaf.block.version).toBeGreaterThan(before[wants.indexOf(true)]?.[1] as number);
      expect(leaf.isLeaf && leaf.requiresGrad).toBe(true);
    });
  }
}
