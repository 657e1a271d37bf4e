// What threads share of whole steps, by the cuts and costs of the descriptors: where a command stays in one piece, or
// falls into two that are far from equal, a second thread waits.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runtime } from '../../bindings/engine/engine.ts';
import { withTracer } from '../../bindings/execute.ts';
import { functional as F, grad, init, nn, ones, randint, shutdown, type Tensor } from '../../bindings/index.ts';
import { costOf } from '../../bindings/kernels/command.ts';
import type { Block } from '../../bindings/memory/arena.ts';
import { lower } from '../../bindings/program/lower.ts';
import { type Step, stepsOf } from '../../bindings/program/steps.ts';
import { Trace } from '../../bindings/program/trace.ts';

/** Loss and gradients of a batch of 64. */
function training(model: nn.Sequential, shape: readonly number[]): () => Tensor[] {
  const [x, y] = [ones([64, ...shape]), randint(0, 10, [64])];
  const parameters = [...model.parameters()];
  return () => {
    const loss = F.crossEntropy(model.forward(x), y);
    return grad([loss], parameters) as Tensor[];
  };
}

/** Convolutions of one image with channels last, as MobileNetV2 has them: [size, kernel, in, out, groups, stride]. */
const LAYERS = [
  [224, 3, 3, 32, 1, 2],
  [112, 3, 32, 32, 32, 1],
  [112, 1, 32, 16, 1, 1],
  [56, 1, 144, 24, 1, 1],
  [28, 3, 192, 192, 192, 1],
  [14, 1, 64, 384, 1, 1],
  [14, 1, 384, 64, 1, 1],
  [14, 3, 576, 576, 576, 1],
  [7, 1, 960, 160, 1, 1],
] as const;

/** By name: how many times as fast two threads shall be at least, and how to make the step. */
const STEPS: Readonly<Record<string, readonly [number, () => () => Tensor[]]>> = {
  'MLP 784-128-10': [
    1.9,
    () => training(new nn.Sequential(new nn.Linear(784, 128), new nn.ReLU(), new nn.Linear(128, 10)), [784]),
  ],
  'a convolution with batch norm and dropout': [
    1.93,
    () =>
      training(
        new nn.Sequential(
          ...[
            new nn.Conv2d(1, 16, 3),
            new nn.BatchNorm2d(16),
            new nn.ReLU(),
            new nn.MaxPool2d(2),
            new nn.Dropout(0.25),
          ],
          ...[new nn.Flatten(), new nn.Linear(2704, 128), new nn.GELU(), new nn.Linear(128, 10)],
        ),
        [1, 28, 28],
      ),
  ],
  'channels last, one image': [
    1.93,
    () => {
      const given = LAYERS.map(([size, kernel, ins, outs, groups, stride]) => ({
        ...{ x: ones([1, size, size, ins]), w: ones([kernel, kernel, ins / groups, outs]) },
        ...{ stride, padding: kernel >> 1, groups, layout: 'nhwc' as const },
      }));
      return () => given.map(({ x, w, ...options }) => F.conv2d(x, w, null, options));
    },
  ],
  'channels last, a batch': [
    1.8,
    () => {
      const [x, w, b] = [ones([64, 28, 28, 1]), ones([3, 3, 1, 16]), ones([16])].map((t) => t.requiresGrad_());
      return () =>
        grad([F.conv2d(x as Tensor, w as Tensor, b, { padding: 1, layout: 'nhwc' }).sum()], [
          w,
          b,
        ] as Tensor[]) as Tensor[];
    },
  ],
};

/** The part of a step that the thread with the most of it has, of two. */
function larger({ tasks }: Step): number {
  const slices = tasks[0]?.slices;
  if (!slices) return 1;
  const { units, grain } = slices;
  const cut = grain * (Math.max(1, Math.floor(units / grain)) >> 1);
  return Math.max(cut, units - cut) / units;
}

const costsOf = ({ tasks }: Step): number => tasks.reduce((sum, { command }) => sum + costOf(command), 0);

describe('two threads', () => {
  beforeAll(() => init());
  afterAll(() => shutdown());

  it.each(Object.entries(STEPS))('share %s', (_, [least, make]) => {
    const step = make();
    const trace = new Trace();
    const steps = withTracer(trace, () => {
      const results = new Set(step().map(({ block }) => block));
      const inside = (block: Block): boolean => block.origin === trace && !results.has(block);
      return stepsOf(lower(trace.nodes, runtime().lists.select), inside, (block) => results.has(block));
    });
    const one = steps.reduce((sum, step) => sum + costsOf(step), 0);
    const two = steps.reduce((sum, step) => sum + costsOf(step) * larger(step), 0);
    const worst = steps
      .map((step) => [step.tasks[0]?.command.kernel, costsOf(step) * (larger(step) - 0.5)] as const)
      .sort(([, a], [, b]) => b - a);
    expect(one / two, `the most is lost by ${worst.slice(0, 3).join('; ')}`).toBeGreaterThan(least);
  });
});
