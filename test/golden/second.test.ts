// Second derivatives, against PyTorch: of all cases that have some, which are at least the first of each function.
import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { grad, init, scope, shutdown, type Tensor } from '../../bindings/index.ts';
import { toTensor } from '../support/tensors.ts';
import { expectStored, type File, leaves, readCases, run, type Stored } from './golden.ts';

const files = readdirSync(new URL('.', import.meta.url))
  .filter((name) => name.endsWith('.json'))
  .map((name) => readCases(name.replace('.json', '')))
  // Files of modules have cases of their own kinds.
  .filter(({ cases }) => cases.every((one) => one.call !== undefined && one.inputs !== undefined));
const derivedTwice = files.flatMap((file) =>
  file.cases.flatMap((one): [string, Stored, File][] => (one.second ? [[file.title(one), one, file]] : [])),
);
const TOLERANCE = { ofLargest: 2e-5, least: 0.1 };

/** By the name of a function, without where it stands. */
const nameOf = ({ call }: Stored): string => call.replace(/^\.|^F\./, '');

describe.each(['strict', 'relaxed'] as const)('second derivatives, %s build', (simd) => {
  beforeAll(() => init({ simd }));
  afterAll(() => shutdown());

  it.each(derivedTwice)('%s', (_, one, file) => {
    scope(() => {
      const stored = (position: number): Tensor => toTensor(file.expected(position));
      const inputs = leaves(file, one);
      const wanted = inputs.filter((x) => x.requiresGrad);
      const g = stored(one.gradOutput as number).requiresGrad_();
      const given = one.call === 'setAt' ? inputs.with(0, (inputs[0] as Tensor).clone()) : inputs;
      const first = grad(run(one, given), wanted, { gradOutputs: [g], createGraph: true, materializeGrads: true });
      const parts = first.map((d, i) => (d as Tensor).mul(stored(one.weights?.[i] as number)).sum());
      const whole = parts.reduce((a, b) => a.add(b));
      const of = [...wanted, g];
      const second = whole.requiresGrad ? grad(whole, of, { materializeGrads: true }) : of.map((x) => x.mul(0));
      one.second?.forEach((position, i) => {
        const [actual, what] = [second[i] as Tensor, `second derivative ${i}`];
        if (position === null)
          expect(
            actual.data.every((v) => v === 0),
            what,
          ).toBe(true);
        else expectStored(actual, file.expected(position), TOLERANCE, what);
      });
    });
  });
});

/** What PyTorch derives once alone. */
const ONCE = [
  'ctcLoss',
  'embeddingBag',
  'fractionalMaxPool2d',
  'fractionalMaxPool3d',
  'gridSample',
  'hardsigmoid',
  'multiMarginLoss',
  'multilabelMarginLoss',
  'pdist',
];

it('every function that has gradients has second ones, where PyTorch has them', () => {
  const known = new Set(derivedTwice.map(([, one]) => nameOf(one)));
  const once = files.flatMap(({ cases }) => cases.filter(({ grads }) => grads?.some((g) => g !== null)));
  const graded = new Set(once.map(nameOf).filter((name) => !name.startsWith('nn.')));
  expect([...graded].filter((name) => !known.has(name)).sort()).toEqual(ONCE);
});
