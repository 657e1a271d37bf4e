// Functions and modules of images against PyTorch: values, both derivatives, and 20 steps of training.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { functional as F, grad, init, nn, optim, scope, shutdown, type Tensor } from '../../bindings/index.ts';
import { difference, toTensor } from '../support/tensors.ts';
import { expectStored, leaves, made, read, readCases, run, type Stored } from './golden.ts';

type Layer = readonly [name: string, ...args: unknown[]];
interface Network {
  readonly layers: readonly Layer[];
  /** Shapes: the numbers are made, with the same seeds as in spatial.py. */
  readonly state: readonly (readonly [key: string, shape: readonly number[]])[];
  readonly x: readonly number[];
  readonly target: readonly number[];
  readonly losses: readonly number[];
}

const file = readCases('spatial');
const { networks } = read('spatial-modules') as { readonly networks: readonly Network[] };
/** Relative to the largest of each. */
const TOLERANCE = 1e-5;
const LOSSES = 5e-5;

const stored = (position: number): Tensor => toTensor(file.expected(position), file.expected(position).dtype);
function matches(actual: Tensor | null, position: number | null, what: string): void {
  if (position === null)
    expect(
      actual?.data.every((v) => v === 0),
      what,
    ).toBe(true);
  else expectStored(actual, file.expected(position), { ofLargest: TOLERANCE, least: 0.1 }, what);
}

describe.each(['strict', 'relaxed'] as const)('images, %s build', (simd) => {
  beforeAll(() => init({ simd }));
  afterAll(() => shutdown());

  it.each(file.cases.map((one): [string, Stored] => [file.title(one), one]))('%s', (_, one) => {
    scope(() => {
      const inputs = leaves(file, one);
      const wanted = inputs.filter((x) => x.requiresGrad);
      const y = run(one, inputs);
      matches(y, one.output, 'value');
      if (one.gradOutput === undefined) return;
      const g = stored(one.gradOutput).requiresGrad_();
      const first = grad(y, wanted, { gradOutputs: [g], createGraph: one.second !== undefined });
      const places = (one.grads ?? []).filter((place) => place !== null);
      for (const [i, d] of first.entries()) matches(d, places[i] as number, `gradient ${i}`);
      if (!one.second) return;
      const whole = first
        .map((d, i) => (d as Tensor).mul(stored(one.weights?.[i] as number)).sum())
        .reduce((a, b) => a.add(b));
      const second = grad(whole, [...wanted, g], { materializeGrads: true });
      one.second.forEach((position, i) => {
        matches(second[i] as Tensor, position, `second derivative ${i}`);
      });
    });
  });

  it.each(networks.map((one): [string, Network] => [JSON.stringify(one.layers), one]))('20 steps of %s', (_, one) => {
    scope(() => {
      const model = new nn.Sequential(
        ...one.layers.map(([name, ...args]) => {
          const Class = nn[name as 'Tanh'] as unknown as new (...given: unknown[]) => nn.Layer;
          return new Class(...args);
        }),
      );
      model.loadStateDict(
        Object.fromEntries(
          one.state.map(([key, shape], i) => [
            key,
            { shape, data: Float32Array.from(made(i, shape, [-0.7, 0.7]).data) },
          ]),
        ),
      );
      const x = toTensor(made(10, one.x));
      const target = toTensor(made(11, one.target, [-0.8, 0.8]));
      const optimizer = new optim.SGD(model.parameters(), { lr: 0.1, momentum: 0.6 });
      const losses = one.losses.map(() =>
        scope(() => {
          optimizer.zeroGrad();
          const loss = F.mseLoss(model.forward(x), target);
          loss.backward();
          optimizer.step();
          return loss.item();
        }),
      );
      const absolute = LOSSES * Math.max(...one.losses);
      expect(difference(losses, one.losses, { relative: 0, absolute })).toBeNull();
      optimizer.dispose();
      model.dispose();
    });
  });
});
