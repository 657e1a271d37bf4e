// Modules as ONNX: every class, the networks of the goldens, whole and with batches of other sizes.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ArgumentError,
  functional as F,
  init,
  manualSeed,
  nn,
  randint,
  randn,
  shutdown,
  type Tensor,
  tensor,
} from '../../bindings/index.ts';
import { tensorsOf } from '../../bindings/onnx/export/trace.ts';
import { exportOnnx } from '../../bindings/onnx/index.ts';
import { mapTensors } from '../../bindings/program/key.ts';
import { nd } from '../../reference/nd.ts';
import { numbers, read } from '../golden/golden.ts';
import { images } from '../golden/networks/images.ts';
import { policies } from '../golden/networks/policies.ts';
import { rows } from '../golden/networks/rows.ts';
import { sequences } from '../golden/networks/sequences.ts';
import { type Case, type Concrete, cases, givenTo } from '../nn/class-cases.ts';
import { toTensor } from '../support/tensors.ts';
import { checksModels } from './checker.ts';
import { type Forward, holds } from './runtime.ts';

beforeAll(() => init());
afterAll(() => shutdown());

/** Layers side by side, so that all of them have one session. */
class Together extends nn.Module {
  layers: nn.ModuleDict;
  constructor(layers: Readonly<Record<string, nn.Module>>) {
    super();
    this.layers = new nn.ModuleDict(layers);
  }
  forward(inputs: Readonly<Record<string, readonly unknown[]>>): Record<string, unknown> {
    return Object.fromEntries(
      Object.entries(inputs).map(([name, args]) => [
        name,
        (this.layers.get(name) as unknown as Forward).forward(...args),
      ]),
    );
  }
}

/** Classes that no graph of ONNX can hold. */
const REFUSED: Partial<Record<Concrete, RegExp>> = {
  CTCLoss: /^exportOnnx: expected ops that ONNX has, got ctc; replace them/,
  FractionalMaxPool2d: /^exportOnnx: expected ops that ONNX has, got uniform; replace them/,
  FractionalMaxPool3d: /^exportOnnx: expected ops that ONNX has, got uniform; replace them/,
};

describe('every class of nn', () => {
  const named = (Object.entries(cases) as [Concrete, Case][]).filter(([, { input }]) => input);
  const make = (name: Concrete): nn.Module =>
    new (nn[name] as unknown as new (...args: unknown[]) => nn.Module)(...cases[name].args);

  it.each(Object.entries(REFUSED))('%s is refused', async (name, message) => {
    const [refused, given] = [make(name as Concrete), givenTo(cases[name as Concrete])];
    await expect(exportOnnx(refused, given)).rejects.toThrow(ArgumentError);
    await expect(exportOnnx(refused, given)).rejects.toThrow(message);
  });

  it('computes the same in ONNX Runtime', async () => {
    manualSeed(1);
    const wanted = named.filter(([name]) => !REFUSED[name]);
    const layers = Object.fromEntries(wanted.map(([name]) => [name, make(name)]));
    await holds(new Together(layers), [Object.fromEntries(wanted.map(([name, each]) => [name, givenTo(each)]))]);
  });
});

describe('networks of the goldens', () => {
  type LayerSpec = readonly [name: string, ...args: unknown[]];
  const { networks } = read('modules') as { networks: { layers: LayerSpec[]; x: number[]; xShape: number[] }[] };
  const layer = ([name, ...args]: LayerSpec): nn.Layer =>
    new (nn[name as 'Linear'] as unknown as new (...args: unknown[]) => nn.Layer)(...args);

  it.each(networks.map((network) => [network.layers.map(([name]) => name).join(' '), network] as const))(
    '%s, with batches of any size',
    async (_, { layers, x, xShape }) => {
      const [n = 1, ...rest] = xShape;
      const others = [2, n + 2].map((size) => [randn([size, ...rest])]);
      await holds(new nn.Sequential(...layers.map(layer)), [toTensor(nd(xShape, x))], others);
    },
  );

  const MAKE = { ...sequences, ...images, ...policies, ...rows };
  const { networks: whole } = read('networks') as {
    networks: { name: string; inputs: { shape: number[]; data: number[]; dtype?: 'i32' }[] }[];
  };

  /** What a step of training gives to the model's forward, or to those of the modules that it calls itself. */
  function callsOf(name: string): Map<nn.Module, readonly unknown[]> {
    const { model, step } = (MAKE[name] as () => ReturnType<(typeof MAKE)[string]>)();
    const given = (whole.find((each) => each.name === name) as (typeof whole)[number]).inputs;
    const inputs = given.map(({ shape, data, dtype }) => toTensor(nd(shape, numbers(data as never)), dtype ?? 'f32'));
    const calls = new Map<nn.Module, readonly unknown[]>();
    let depth = 0;
    for (const module of model.modules()) {
      module.registerForwardPreHook((_: unknown, args: readonly unknown[]) => {
        if (depth++ === 0 && !calls.has(module)) calls.set(module, args);
      });
      module.registerForwardHook(() => void depth--);
    }
    (step as (...inputs: Tensor[]) => unknown)(...inputs);
    return calls;
  }

  /** Those whose inputs have no batch, or one that something else depends on. */
  const ONE_SIZE = ['seq2seq', 'gnn', 'ode', 'factors'];

  /** The same arguments with the first `n` of a batch, over and over. */
  const ofBatch = (args: readonly unknown[], n: number): readonly unknown[] =>
    mapTensors(args, (x) => {
      const places = Array.from({ length: n }, (_, i) => i % (x.shape[0] as number));
      return x.indexSelect(0, tensor(places, { dtype: 'i32' }));
    }) as unknown[];

  it.each(Object.keys(MAKE).filter((name) => name !== 'actorCritic'))('%s', async (name) => {
    for (const [model, args] of callsOf(name)) {
      const n = tensorsOf(args)[0]?.shape[0] as number;
      const others = ONE_SIZE.includes(name) ? [] : [1, n + 3].map((size) => ofBatch(args, size));
      await holds(model, args, others);
    }
  });

  it('actorCritic, which gives a distribution', async () => {
    for (const [model, args] of callsOf('actorCritic'))
      await expect(exportOnnx(model, args)).rejects.toThrow(
        /^exportOnnx: expected a module that gives tensors.* got a Categorical/,
      );
  });
});

/** Layers that look at more than one element of a batch at a time, or have sizes of their own. */
class Layers extends nn.Module {
  lstm = new nn.LSTM(3, 4, { batchFirst: true, bidirectional: true, numLayers: 2 });
  gru = new nn.GRU(3, 4);
  rnn = new nn.RNN(3, 4, { batchFirst: true, nonlinearity: 'relu', bias: false });
  cell = new nn.LSTMCell(3, 4);
  attention = new nn.MultiheadAttention(4, 2, { batchFirst: true });
  bag = new nn.EmbeddingBag(9, 3, { mode: 'mean' });
  conv = new nn.ConvTranspose2d(2, 3, 3, { stride: 2, outputPadding: 1 });
  up = new nn.Upsample({ scaleFactor: 2, mode: 'bilinear' });
  up1 = new nn.Upsample({ size: 5, mode: 'linear' });
  norm = new nn.InstanceNorm2d(2);
  gn = new nn.GroupNorm(1, 2);
  pool = new nn.AdaptiveAvgPool2d(2);
  maxi = new nn.AdaptiveMaxPool2d(2);
  fold = new nn.Unfold(2);
  forward(x: Tensor, image: Tensor, index: Tensor): unknown {
    const y = this.lstm.forward(x);
    const h = y[0].narrow(2, 0, 4);
    return [
      y,
      this.gru.forward(x.transpose(0, 1)),
      this.rnn.forward(x),
      this.cell.forward(x.select(1, 0)),
      this.attention.forward(h, h, h),
      F.scaledDotProductAttention(h, h, h, { isCausal: true }),
      this.bag.forward(index),
      this.conv.forward(image),
      this.up.forward(image),
      this.up1.forward(x),
      this.norm.forward(image),
      this.gn.forward(image),
      this.pool.forward(image),
      this.maxi.forward(image),
      this.fold.forward(image),
      F.pad(image, [1, 1, 1, 1], { mode: 'reflect' }),
      F.oneHot(index, 9),
    ];
  }
}

it('layers side by side, with batches of any size', async () => {
  const given = (n: number): unknown[] => [randn([n, 5, 3]), randn([n, 2, 3, 5]), randint(0, 9, [n, 4])];
  await holds(new Layers(), given(3), [given(1), given(7)]);
});

checksModels();
