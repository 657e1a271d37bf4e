// Compiled trainings: every module and optimizer trains as in eager mode, to the bit.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import * as rg from '../../bindings/index.ts';
import { type Compiled, compile, functional as F, nn, optim, scope, type Tensor } from '../../bindings/index.ts';
import { bits } from '../support/tensors.ts';

type Step = (x: Tensor, y: Tensor) => Tensor;
type AnyOptimizer = { zeroGrad(): void; step(): void; stateDict(): optim.OptimizerState; dispose(): void };

/** All that a training run leaves: the losses, every tensor of the model, and of the optimizer. */
interface Outcome {
  readonly losses: string[];
  readonly state: Record<string, string>;
  readonly gradients: (string | null)[];
  readonly random: number[];
}

function outcome(losses: Tensor[], module: nn.Module, optimizer: { stateDict(): optim.OptimizerState }): Outcome {
  const state = Object.fromEntries(Object.entries(module.stateDict()).map(([key, x]) => [key, bits(x)]));
  for (const [i, own] of Object.entries(optimizer.stateDict().state))
    for (const [name, x] of Object.entries(own)) state[`${i}.${name}`] = bits(x as Tensor);
  const gradients = module.parameters().map(({ grad }) => (grad ? bits(grad) : null));
  return { losses: losses.map(bits), state, gradients, random: [...rg.getRngState()] };
}

/** Trains for `steps` steps, eager or compiled, from the same start. */
function train(
  make: () => nn.Layer,
  optimizerOf: (parameters: Tensor[]) => AnyOptimizer,
  shape: readonly number[],
  steps: number,
  wrap: (step: Step) => Step,
  lossOf: (y: Tensor, target: Tensor) => Tensor = F.mseLoss,
): Outcome {
  return scope(() => {
    rg.manualSeed(7);
    const module = make();
    const optimizer = optimizerOf(module.parameters());
    const batches = [0, 1, 2].map(() => rg.randn(shape));
    const targets = batches.map((x) => scope(() => rg.noGrad(() => module.forward(x).mul(0).add(0.5))));
    const step = wrap((x, y) => {
      optimizer.zeroGrad();
      const loss = lossOf(module.forward(x), y);
      loss.backward();
      optimizer.step();
      return loss;
    });
    const losses: Tensor[] = [];
    for (let i = 0; i < steps; i++) losses.push(scope(() => step(batches[i % 3] as Tensor, targets[i % 3] as Tensor)));
    const result = outcome(losses, module, optimizer);
    module.dispose();
    optimizer.dispose();
    return result;
  });
}

const STEPS = 200;
const image = [4, 4, 6, 6];
const modules: Record<string, [make: () => nn.Layer, shape: readonly number[]]> = {
  Linear: [() => new nn.Linear(5, 3), [4, 5]],
  'Linear of many rows': [
    () => new nn.Sequential(new nn.Linear(70, 130), new nn.ReLU(), new nn.Linear(130, 9)),
    [96, 70],
  ],
  Conv1d: [() => new nn.Sequential(new nn.Conv1d(3, 4, 3, { padding: 1 }), new nn.ReLU()), [2, 3, 9]],
  Conv2d: [
    () => new nn.Sequential(new nn.Conv2d(4, 6, 3), new nn.ReLU(), new nn.Conv2d(6, 2, 3, { stride: 2 })),
    image,
  ],
  'Conv2d, depthwise': [() => new nn.Conv2d(4, 4, 3, { groups: 4, padding: 1 }), image],
  ConvTranspose2d: [() => new nn.ConvTranspose2d(4, 3, 3, { stride: 2 }), image],
  MaxPool2d: [() => new nn.Sequential(new nn.Conv2d(4, 4, 3), new nn.MaxPool2d(2)), image],
  AvgPool2d: [() => new nn.Sequential(new nn.Conv2d(4, 4, 3), new nn.AvgPool2d(2), new nn.Flatten()), image],
  BatchNorm1d: [() => new nn.Sequential(new nn.Linear(5, 6), new nn.BatchNorm1d(6), new nn.Tanh()), [8, 5]],
  BatchNorm2d: [() => new nn.Sequential(new nn.Conv2d(4, 4, 3), new nn.BatchNorm2d(4), new nn.ReLU()), image],
  InstanceNorm2d: [
    () => new nn.Sequential(new nn.Conv2d(4, 4, 3), new nn.InstanceNorm2d(4, { trackRunningStats: true })),
    image,
  ],
  GroupNorm: [() => new nn.Sequential(new nn.Conv2d(4, 4, 3), new nn.GroupNorm(2, 4)), image],
  LayerNorm: [() => new nn.Sequential(new nn.Linear(5, 6), new nn.LayerNorm(6)), [8, 5]],
  Dropout: [() => new nn.Sequential(new nn.Linear(5, 40), new nn.Dropout(0.4), new nn.Linear(40, 2)), [8, 5]],
  activations: [
    () =>
      new nn.Sequential(
        ...[
          new nn.Sigmoid(),
          new nn.GELU(),
          new nn.SiLU(),
          new nn.LeakyReLU(),
          new nn.ELU(),
          new nn.Softplus(),
        ].flatMap((activation) => [new nn.Linear(7, 7), activation]),
        new nn.Softmax({ dim: 1 }),
      ),
    [8, 7],
  ],
};
const optimizers: Record<string, (parameters: Tensor[]) => AnyOptimizer> = {
  SGD: (p) => new optim.SGD(p, { lr: 0.05 }),
  'SGD with momentum': (p) => new optim.SGD(p, { lr: 0.05, momentum: 0.9, nesterov: true, weightDecay: 0.01 }),
  Adam: (p) => new optim.Adam(p, { lr: 0.01 }),
  'Adam, amsgrad': (p) => new optim.Adam(p, { lr: 0.01, amsgrad: true, weightDecay: 0.01 }),
  AdamW: (p) => new optim.AdamW(p, { lr: 0.01 }),
  RMSprop: (p) => new optim.RMSprop(p, { lr: 0.001, momentum: 0.9, centered: true }),
  Adagrad: (p) => new optim.Adagrad(p, { lr: 0.01 }),
};

describe.each(['strict', 'relaxed'] as const)('compiled trainings, %s build', (simd) => {
  beforeAll(() => rg.init({ simd }));
  afterAll(() => rg.shutdown());
  let compiled: Compiled<[Tensor, Tensor], Tensor> | undefined;
  const wrap = (step: Step): Step => {
    compiled = compile(step);
    return compiled;
  };
  afterEach(() => {
    compiled?.dispose();
    compiled = undefined;
  });

  it.each(Object.entries(modules))('%s: 200 steps as in eager mode', (_, [make, shape]) => {
    const eager = train(make, optimizers.SGD as (p: Tensor[]) => AnyOptimizer, shape, STEPS, (step) => step);
    expect(train(make, optimizers.SGD as (p: Tensor[]) => AnyOptimizer, shape, STEPS, wrap)).toEqual(eager);
    expect(compiled?.programs).toBe(1);
  });

  it.each(Object.entries(optimizers))('%s: 200 steps as in eager mode', (_, make) => {
    const model = (): nn.Layer => new nn.Sequential(new nn.Linear(5, 8), new nn.Tanh(), new nn.Linear(8, 1));
    const eager = train(model, make, [8, 5], STEPS, (step) => step);
    expect(train(model, make, [8, 5], STEPS, wrap)).toEqual(eager);
    expect(compiled?.programs).toBe(1);
  });

  it('gives the memory back that it took', () => {
    const before = rg.backend().memory;
    train(modules.Conv2d?.[0] as () => nn.Layer, optimizers.Adam as (p: Tensor[]) => AnyOptimizer, image, 5, wrap);
    compiled?.dispose();
    expect(rg.backend().memory.blocks).toBe(before.blocks);
  });
});
