// Small networks against PyTorch: keys of the state, forward and backward in both modes, and ten steps of training.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { functional as F, init, nn, optim, scope, shutdown, type Tensor } from '../../bindings/index.ts';
import { nd } from '../../reference/nd.ts';
import { expectClose, toTensor } from '../support/tensors.ts';
import { read } from './golden.ts';

type State = readonly (readonly [key: string, shape: readonly number[], values: readonly number[]])[];
interface Pass {
  readonly y: readonly number[];
  readonly xGrad: readonly number[];
  readonly grads: Readonly<Record<string, readonly number[]>>;
}
type LayerSpec = readonly [name: string, ...args: unknown[]];
type AnyLayer = new (...args: unknown[]) => nn.Layer;
interface File {
  readonly networks: readonly {
    layers: readonly LayerSpec[];
    state: State;
    x: number[];
    xShape: number[];
    train: Pass;
    eval: Pass;
    stateAfter: State;
  }[];
  readonly trainings: readonly {
    optimizer: 'SGD' | 'Adam' | 'RMSprop' | 'AdamW';
    options: object;
    state: State;
    x: number[];
    y: number[];
    losses: number[];
    stateAfter: State;
  }[];
  readonly gains: readonly (readonly [name: string, slope: number | null, gain: number])[];
}

const file = read('modules') as File;
const TOLERANCE = { relative: 1e-5, absolute: 1e-5 };
const layerNamed = (name: string): AnyLayer => nn[name as 'Linear'] as unknown as AnyLayer;
const build = (layers: readonly LayerSpec[]): nn.Sequential =>
  new nn.Sequential(...layers.map(([name, ...args]) => new (layerNamed(name))(...args)));
const load = (model: nn.Module, state: State): void => {
  model.loadStateDict(
    Object.fromEntries(state.map(([key, shape, values]) => [key, { shape, data: Float32Array.from(values) }])),
  );
};
const sameState = (model: nn.Module, expected: State, tolerance: { relative: number; absolute: number }): void => {
  const actual = Object.entries(model.stateDict());
  expect(actual.map(([key, x]) => [key, x.shape])).toEqual(expected.map(([key, shape]) => [key, shape]));
  actual.forEach(([key, x], i) => {
    expectClose(x.data, expected[i]?.[2] as number[], tolerance, key);
  });
};
const close = (actual: Tensor | null | undefined, expected: readonly number[], what: string): void => {
  expectClose(actual?.data ?? [], expected, TOLERANCE, what);
};

describe.each(['strict', 'relaxed'] as const)('modules, %s build', (simd) => {
  beforeAll(() => init({ simd }));
  afterAll(() => shutdown());

  it.each(file.networks.map((network) => [network.layers.map(([name]) => name).join(' '), network] as const))(
    '%s',
    (_, network) => {
      scope(() => {
        const model = build(network.layers);
        expect(Object.keys(model.stateDict())).toEqual(network.state.map(([key]) => key));
        load(model, network.state);
        for (const mode of ['train', 'eval'] as const) {
          model[mode]();
          model.zeroGrad();
          const x = toTensor(nd(network.xShape, network.x)).requiresGrad_();
          const y = model.forward(x);
          const expected = network[mode];
          close(y, expected.y, `${mode}: output`);
          y.backward(
            toTensor(
              nd(
                y.shape,
                Array.from({ length: y.size }, (_, i) => (i + 1) / y.size),
              ),
            ),
          );
          close(x.grad, expected.xGrad, `${mode}: gradient of the input`);
          const parameters = model.namedParameters();
          expect(parameters.map(([name]) => name).sort()).toEqual(Object.keys(expected.grads).sort());
          for (const [name, p] of parameters)
            close(p.grad, expected.grads[name] as number[], `${mode}: gradient of ${name}`);
        }
        sameState(model, network.stateAfter, TOLERANCE);
        model.dispose();
      });
    },
  );

  it.each(file.trainings)(
    'two layers trained with $optimizer $options',
    ({ optimizer: name, options, state, x, y, losses, stateAfter }) => {
      scope(() => {
        const model = new nn.Sequential(new nn.Linear(4, 6), new nn.ReLU(), new nn.Linear(6, 3));
        load(model, state);
        const optimizer = new (optim[name] as typeof optim.SGD)(model.parameters(), options);
        const inputs = toTensor(nd([8, 4], x));
        const targets = toTensor(nd([8], y), 'i32');
        const history = losses.map(() =>
          scope(() => {
            optimizer.zeroGrad();
            const loss = F.crossEntropy(model.forward(inputs), targets);
            loss.backward();
            optimizer.step();
            return loss.item();
          }),
        );
        expectClose(history, losses, { relative: 2e-5 }, 'value');
        sameState(model, stateAfter, { relative: 5e-5, absolute: 5e-5 });
        optimizer.dispose();
        model.dispose();
      });
    },
  );

  it('gains of the initialisers', () => {
    for (const [name, slope, gain] of file.gains) {
      const ours = name.replace('leaky_relu', 'leakyRelu') as nn.init.Nonlinearity;
      expect(nn.init.calculateGain(ours, slope ?? undefined), name).toBeCloseTo(gain, 7);
    }
  });
});
