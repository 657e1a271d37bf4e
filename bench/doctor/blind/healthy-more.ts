// More programs without a fault: two networks at once, losses below 0, parts that are not trained.
import { cat, functional as F, nn, noGrad, onesLike, optim, randn, type Tensor, zerosLike } from 'retrograd';
import type { Program, Run } from '../program.ts';
import { clouds, diamonds, digits, penguins, spirals, surface, unitDigits } from './data.ts';
import { accuracy, judged, r2, type Score, supervised } from './loop.ts';
import { extended, healthy, mlp } from './models.ts';

/** A ring of points, drawn anew for each batch. */
const ring = (n: number): Tensor => {
  const angle = randn([n, 1]).mul(20);
  return cat([angle.cos(), angle.sin()], 1).add(randn([n, 2]).mul(0.05));
};
/** Two networks that learn against each other; one of them is watched. */
function adversaries(watched: 'generator' | 'discriminator'): Run {
  const generator = new nn.Sequential(
    new nn.Linear(4, 32),
    new nn.LeakyReLU(0.2),
    new nn.Linear(32, 32),
    new nn.LeakyReLU(0.2),
    new nn.Linear(32, 2),
  );
  const discriminator = new nn.Sequential(
    new nn.Linear(2, 32),
    new nn.LeakyReLU(0.2),
    new nn.Linear(32, 32),
    new nn.LeakyReLU(0.2),
    new nn.Linear(32, 1),
  );
  const betas: [number, number] = [0.5, 0.999];
  const drawing = new optim.Adam(generator.parameters(), { lr: 0.005, betas });
  const telling = new optim.Adam(discriminator.parameters(), { lr: 0.005, betas });
  const error = (x: Tensor, real: boolean): Tensor => {
    const logits = discriminator.forward(x);
    return F.binaryCrossEntropyWithLogits(logits, real ? onesLike(logits) : zerosLike(logits));
  };
  return {
    model: watched === 'generator' ? generator : discriminator,
    optimizer: watched === 'generator' ? drawing : telling,
    loss: F.binaryCrossEntropyWithLogits,
    steps: 200,
    step: () => {
      const drawn = generator.forward(randn([64, 4]));
      telling.zeroGrad();
      const told = error(ring(64), true).add(error(drawn.detach(), false));
      told.backward();
      telling.step();
      drawing.zeroGrad();
      const fooled = error(drawn, true);
      fooled.backward();
      drawing.step();
      return { loss: watched === 'generator' ? fooled : told };
    },
    // How near to the ring points come.
    score: () =>
      judged(
        generator,
        () =>
          1 -
          generator
            .forward(randn([500, 4]))
            .square()
            .sum(1)
            .sqrt()
            .sub(1)
            .abs()
            .mean()
            .item(),
      ),
  };
}

export const HEALTHY_MORE: readonly Program[] = [
  healthy(
    'the generator of a GAN',
    'loss 0.699 → 0.76, score 0.63',
    () => adversaries('generator'),
    ({ score, last }) => score > 0.6 && Number.isFinite(last),
  ),
  healthy(
    'the discriminator of a GAN',
    'loss 1.38 → 1.3, score 0.63',
    () => adversaries('discriminator'),
    ({ score, last }) => score > 0.6 && Number.isFinite(last),
  ),
  healthy(
    'a mean and a variance by their likelihood, whose loss falls below 0',
    'loss -0.068 → -0.89, score 0.93',
    () => {
      const model = mlp([6, 48, 2]);
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 });
      const loss = (output: Tensor, y: Tensor): Tensor =>
        F.gaussianNllLoss(output.narrow(1, 0, 1), y, F.softplus(output.narrow(1, 1, 1)).add(1e-3));
      const score: Score = (net, table) =>
        r2({ forward: (x: Tensor) => net.forward(x).narrow(1, 0, 1) } as never, table);
      return supervised({ model, optimizer, loss, data: diamonds(), score, steps: 200 });
    },
  ),
  healthy('NLLLoss behind LogSoftmax', 'loss 1.17 → 0.0193, score 0.99', () => {
    const model = extended(mlp([4, 32, 3]), new nn.LogSoftmax(1));
    const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 });
    return supervised({ model, optimizer, loss: new nn.NLLLoss(), data: penguins(), score: accuracy, batch: 16 });
  }),
  healthy('BCELoss behind a sigmoid', 'loss 0.678 → 0.0739, score 0.96', () => {
    const model = extended(mlp([8, 24, 1]), new nn.Sigmoid());
    const optimizer = new optim.Adam(model.parameters(), { lr: 0.005 });
    const score: Score = (net, { x, y }) => net.forward(x).gt(0.5).to('f32').eq(y).to('f32').mean().item();
    return supervised({
      model,
      optimizer,
      loss: new nn.BCELoss(),
      data: clouds(2000, 8, 0.4, 0.6),
      score,
      compiled: true,
    });
  }),
  healthy('dropout where it belongs, with looks at held-out data', 'loss 2.08 → 0.331, score 0.87', () => {
    const model = new nn.Sequential(
      new nn.Flatten(),
      new nn.Linear(784, 128),
      new nn.ReLU(),
      new nn.Dropout(0.5),
      new nn.Linear(128, 10),
    );
    const optimizer = new optim.Adam(model.parameters(), { lr: 0.002 });
    const data = digits(6000);
    const before = (i: number): void => {
      if (i === 0 || i % 25 !== 0) return;
      model.eval();
      noGrad(() => F.crossEntropy(model.forward(data.validation.x), data.validation.y).item());
      model.train();
    };
    return supervised({ model, optimizer, loss: F.crossEntropy, data, score: accuracy, before, compiled: true });
  }),
  healthy('a residual network with layer norm and AdamW', 'loss 0.624 → 0.0095, score 1.00', () => {
    const model = new Residual();
    const all = model.parameters();
    const groups = [
      { params: all.filter((p) => p.ndim > 1) },
      { params: all.filter((p) => p.ndim < 2), weightDecay: 0 },
    ];
    const optimizer = new optim.AdamW(groups, { lr: 0.003, weightDecay: 0.05 });
    return supervised({ model, optimizer, loss: F.crossEntropy, data: spirals(2000), score: accuracy, steps: 200 });
  }),
  healthy('a teacher of averaged weights, which has no gradient', 'loss 0.692 → 0.163, score 0.78', () => {
    const model = new Taught();
    const optimizer = new optim.Adam(model.student.parameters(), { lr: 0.005 });
    return supervised({
      model,
      optimizer,
      loss: F.mseLoss,
      data: surface(2000, 0.05),
      score: r2,
      update: (x, y) => {
        optimizer.zeroGrad();
        const output = model.forward(x);
        const loss = F.mseLoss(output, y).add(F.mseLoss(output, model.teacher.forward(x).detach()).mul(0.1));
        loss.backward();
        optimizer.step();
        noGrad(() => {
          const own = model.student.parameters();
          for (const [i, p] of model.teacher.parameters().entries()) p.lerp_(own[i] as Tensor, 0.05);
        });
        return [loss, output];
      },
    });
  }),
  healthy('hidden sigmoids, two of them', 'loss 2.35 → 0.264, score 0.86', () => {
    const model = mlp([784, 64, 64, 10], () => new nn.Sigmoid());
    const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 });
    return supervised({ model, optimizer, loss: F.crossEntropy, data: unitDigits(6000), score: accuracy });
  }),
];

/** Blocks beside which the input goes on. */
class Residual extends nn.Module {
  readonly stem = new nn.Linear(2, 32);
  readonly blocks = new nn.ModuleList(
    [0, 1, 2].map(
      () => new nn.Sequential(new nn.LayerNorm(32), new nn.Linear(32, 64), new nn.GELU(), new nn.Linear(64, 32)),
    ),
  );
  readonly head = new nn.Linear(32, 2);
  forward(x: Tensor): Tensor {
    let h = this.stem.forward(x);
    for (const block of this.blocks) h = h.add((block as nn.Sequential).forward(h));
    return this.head.forward(h);
  }
}
class Taught extends nn.Module {
  readonly student = mlp([2, 48, 1], () => new nn.Tanh());
  readonly teacher = mlp([2, 48, 1], () => new nn.Tanh());
  constructor() {
    super();
    this.teacher.loadStateDict(this.student.stateDict());
    this.teacher.requiresGrad_(false);
  }
  forward(x: Tensor): Tensor {
    return this.student.forward(x);
  }
}
