// Pools and the norms of channels against PyTorch: functions with their options, and layers with their state.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { init, nn, scope, shutdown } from '../../bindings/index.ts';
import { nd } from '../../reference/nd.ts';
import { expectClose, toTensor } from '../support/tensors.ts';
import { leaves, read, readCases, run, type Stored } from './golden.ts';

type State = readonly (readonly [key: string, shape: readonly number[], values: readonly number[]])[];
interface Pass {
  readonly y: readonly number[];
  readonly yShape: readonly number[];
  readonly xGrad: readonly number[];
  readonly grads: Readonly<Record<string, readonly number[]>>;
}
interface StoredLayer {
  readonly layer: string;
  readonly args: readonly unknown[];
  readonly state: State;
  readonly x: readonly number[];
  readonly xShape: readonly number[];
  readonly train: Pass;
  readonly eval: Pass;
  readonly stateAfter: State;
}
type AnyLayer = new (...args: unknown[]) => nn.Layer;

const TOLERANCE = { relative: 1e-5, absolute: 1e-5 };
const file = readCases('pool');
const { layers } = read('poollayers') as { layers: readonly StoredLayer[] };

describe.each(['strict', 'relaxed'] as const)('PyTorch, %s build', (simd) => {
  beforeAll(() => init({ simd }));
  afterAll(() => shutdown());

  it.each(file.cases.map((stored): [string, Stored] => [file.title(stored), stored]))('%s', (_, stored) => {
    scope(() => {
      const inputs = leaves(file, stored);
      const y = run(stored, inputs);
      const expected = file.expected(stored.output);
      expect([y.dtype, y.shape]).toEqual([expected.dtype, expected.shape]);
      // A maximum is one of the inputs, and a place is a place: exact.
      const exact = { relative: 1e-7 };
      expectClose(y.data, expected.data, /[mM]axPool/.test(stored.call) ? exact : TOLERANCE, 'value');
      if (stored.gradOutput !== undefined) {
        y.backward(toTensor(file.expected(stored.gradOutput)));
        stored.grads?.forEach((position, i) => {
          const grad = inputs[i]?.grad ?? null;
          if (position === null) expect(grad, `gradient ${i}`).toBeNull();
          else expectClose(grad?.data ?? [], file.expected(position).data, TOLERANCE, `gradient ${i}`);
        });
      }
      stored.running?.forEach((position, i) => {
        expectClose(inputs[3 + i]?.data ?? [], file.expected(position).data, TOLERANCE, `running statistic ${i}`);
      });
    });
  });

  it.each(layers.map((stored) => [`nn.${stored.layer} ${JSON.stringify(stored.args)}`, stored] as const))(
    '%s',
    (_, stored) => {
      scope(() => {
        const layer = new (nn[stored.layer as 'MaxPool2d'] as unknown as AnyLayer)(...stored.args);
        layer.loadStateDict(
          Object.fromEntries(
            stored.state.map(([key, shape, values]) => [key, { shape, data: Float32Array.from(values) }]),
          ),
        );
        for (const mode of ['train', 'eval'] as const) {
          layer[mode]();
          layer.zeroGrad();
          const expected = stored[mode];
          const x = toTensor(nd(stored.xShape, stored.x)).requiresGrad_();
          const y = layer.forward(x);
          expect(y.shape).toEqual(expected.yShape);
          expectClose(y.data, expected.y, TOLERANCE, `${mode}: output`);
          y.backward(
            toTensor(
              nd(
                y.shape,
                Array.from({ length: y.size }, (__, i) => (i + 1) / y.size),
              ),
            ),
          );
          expectClose(x.grad?.data ?? [], expected.xGrad, TOLERANCE, `${mode}: gradient of the input`);
          const parameters = layer.namedParameters();
          expect(parameters.map(([name]) => name).sort()).toEqual(Object.keys(expected.grads).sort());
          for (const [name, p] of parameters)
            expectClose(p.grad?.data ?? [], expected.grads[name] ?? [], TOLERANCE, `${mode}: gradient of ${name}`);
        }
        const state = Object.entries(layer.stateDict());
        expect(state.map(([key, { shape }]) => [key, shape])).toEqual(
          stored.stateAfter.map(([key, shape]) => [key, shape]),
        );
        state.forEach(([key, { data }], i) => {
          expectClose(data, stored.stateAfter[i]?.[2] ?? [], TOLERANCE, key);
        });
        layer.dispose();
      });
    },
  );
});
