// Functions and modules of images against PyTorch: values, both derivatives, and 20 steps of training.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { functional as F, grad, init, nn, optim, scope, shutdown, type Tensor } from '../../bindings/index.ts';
import { nd } from '../../reference/nd.ts';
import { difference, toTensor } from '../support/tensors.ts';
import { leaves, read, readCases, run, type Stored } from './golden.ts';

interface Case extends Stored {
  readonly second?: readonly (number | null)[];
}
type Layer = readonly [name: string, ...args: unknown[]];
interface Network {
  readonly layers: readonly Layer[];
  readonly state: readonly (readonly [key: string, shape: readonly number[], values: readonly number[]])[];
  readonly x: readonly number[];
  readonly xShape: readonly number[];
  readonly target: readonly number[];
  readonly targetShape: readonly number[];
  readonly losses: readonly number[];
}

const file = readCases('spatial');
const { networks } = read('spatial-modules') as { readonly networks: readonly Network[] };
/** Relative to the largest of each. */
const TOLERANCE = 1e-5;
const LOSSES = 5e-5;

const stored = (position: number): Tensor => toTensor(file.expected(position), file.expected(position).dtype);
function expectStored(actual: Tensor | null, position: number | null, what: string): void {
  const expected = position === null ? new Float64Array(actual?.size ?? 0) : file.expected(position).data;
  if (position !== null) expect(actual?.shape, what).toEqual(file.expected(position).shape);
  const largest = expected.reduce((top, v) => (Number.isFinite(v) ? Math.max(top, Math.abs(v)) : top), 0);
  const tolerance = { relative: 0, absolute: TOLERANCE * Math.max(largest, 0.1) };
  expect(difference(actual?.data ?? [], expected, tolerance), what).toBeNull();
}

describe.each(['strict', 'relaxed'] as const)('images, %s build', (simd) => {
  beforeAll(() => init({ simd }));
  afterAll(() => shutdown());

  it.each(file.cases.map((one): [string, Case] => [one.name, one]))('%s', (_, one) => {
    scope(() => {
      const inputs = leaves(file, one);
      const wanted = inputs.filter((x) => x.requiresGrad);
      const y = run(one, inputs);
      expect(y.dtype).toBe(file.expected(one.output).dtype);
      expectStored(y, one.output, 'value');
      if (one.gradOutput === undefined) return;
      const g = stored(one.gradOutput).requiresGrad_();
      const first = grad(y, wanted, { gradOutputs: [g], createGraph: one.second !== undefined });
      const places = (one.grads ?? []).filter((place) => place !== null);
      for (const [i, d] of first.entries()) expectStored(d, places[i] as number, `gradient ${i}`);
      if (!one.second) return;
      const whole = first
        .map((d, i) => (d as Tensor).mul(stored(one.weights?.[i] as number)).sum())
        .reduce((a, b) => a.add(b));
      const second = grad(whole, [...wanted, g], { materializeGrads: true });
      one.second.forEach((position, i) => {
        expectStored(second[i] as Tensor, position, `second derivative ${i}`);
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
        Object.fromEntries(one.state.map(([key, shape, data]) => [key, { shape, data: Float32Array.from(data) }])),
      );
      const x = toTensor(nd(one.xShape, one.x));
      const target = toTensor(nd(one.targetShape, one.target));
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
