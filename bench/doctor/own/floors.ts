// Programs with no fault whose loss cannot come near 0: counts, soft or noisy targets, densities.
import { cat, functional as F, nn, noGrad, poisson, rand, randint, randn, type Tensor, tensor, where } from 'retrograd';
import type { Program, Run } from '../program.ts';
import { blobs, curve, type Loss, loop, mlp, type Split } from './kit.ts';
import { adam, type Forward, list, sgd } from './program.ts';

export const healthy = (name: string, make: (seed: number) => Run): Program => ({
  name,
  fault: null,
  where: null,
  evidence: 'main.js --check: its score is 1, which is what can be reached',
  make,
  shows: ({ score, last }) => score > 0.5 && Number.isFinite(last),
});

/** 1 where what `model` says of data that it has not seen costs less than `most`. */
const below =
  (model: Forward, loss: Loss, { xv, yv }: Split, most: number) =>
  (): number => {
    model.eval();
    return Number(noGrad(() => loss(model.forward(xv), yv).item()) < most);
  };
const withTargets = (data: Split, fn: (y: Tensor) => Tensor): Split => ({
  ...data,
  y: fn(data.y).keep(),
  yv: fn(data.yv).keep(),
});
/** The last `by` rows first. */
export const roll = (x: Tensor, by = 7): Tensor =>
  cat([x.narrow(0, (x.shape[0] as number) - by, by), x.narrow(0, 0, (x.shape[0] as number) - by)]);
/** Some labels are another class's. */
const noisy = (y: Tensor, classes: number, share: number): Tensor =>
  where(rand(y.shape).lt(share), randint(0, classes, y.shape), y);
const soft = (y: Tensor, classes: number, most = 0.8): Tensor =>
  F.oneHot(y, classes)
    .to('f32')
    .mul(most - (1 - most) / (classes - 1))
    .add((1 - most) / (classes - 1));
const softEntropy: Loss = (o, t) => F.logSoftmax(o, 1).mul(t).sum(1).mean().neg();

export const FLOORS: readonly Program[] = [
  healthy('counts of a Poisson distribution', () => {
    const data = withTargets(curve(), (y) => poisson(y.mul(0.6).exp()));
    const model = mlp(6, 32, 1);
    const loss = new nn.PoissonNLLLoss() as never as nn.Module & { forward(o: Tensor, t: Tensor): Tensor };
    return loop(
      { data, model, optimizer: adam(model, 3e-3), loss },
      below(model, (o, t) => loss.forward(o, t), data, 0.98),
    );
  }),
  healthy('counts, with a likelihood of its own', () => {
    const data = withTargets(curve(), (y) => poisson(y.mul(0.5).add(0.5).exp()));
    const model = mlp(6, 24, 1);
    const loss: Loss = (o, t) => o.exp().sub(t.mul(o)).mean();
    return loop({ data, model, optimizer: adam(model, 3e-3), loss }, below(model, loss, data, 1));
  }),
  healthy('label smoothing', () => {
    const data = blobs();
    const model = mlp(16, 32, 4);
    return loop({
      data,
      model,
      optimizer: sgd(model, 0.03),
      loss: (o, t) => F.crossEntropy(o, t, { labelSmoothing: 0.2 }),
    });
  }),
  healthy('mixed rows and mixed targets', () => {
    const data = withTargets(blobs(), (y) => F.oneHot(y, 4).to('f32'));
    const model = mlp(16, 32, 4);
    const loss: Loss = (o, t) => F.crossEntropy(o, t);
    const shuffle = (x: Tensor): Tensor => roll(x);
    const x = data.x.mul(0.7).add(shuffle(data.x).mul(0.3)).keep();
    const y = data.y.mul(0.7).add(shuffle(data.y).mul(0.3)).keep();
    return loop({ data: { ...data, x, y }, model, optimizer: adam(model, 3e-3), loss }, below(model, loss, data, 1));
  }),
  healthy('a teacher that is not sure, KL divergence', () => {
    const data = withTargets(blobs(), (y) => soft(y, 4, 0.7));
    const model = mlp(16, 32, 4);
    const loss: Loss = (o, t) => F.klDiv(F.logSoftmax(o, 1), t, { reduction: 'batchmean' });
    return loop({ data, model, optimizer: adam(model, 3e-3), loss }, below(model, loss, data, 0.3));
  }),
  healthy('soft targets, a cross entropy of its own', () => {
    const data = withTargets(blobs(), (y) => soft(y, 4, 0.6));
    const model = mlp(16, 32, 4);
    return loop({ data, model, optimizer: adam(model, 3e-3), loss: softEntropy }, below(model, softEntropy, data, 1.3));
  }),
  healthy('a third of the labels by chance', () => {
    const data = blobs(1200);
    const model = mlp(16, 24, 4, () => new nn.ReLU(), 1);
    const hard = { ...data, y: noisy(data.y, 4, 0.35).keep() };
    return loop({ data: hard, model, optimizer: adam(model, 3e-3), steps: 120 });
  }),
  healthy('two classes that overlap', () => {
    const data = blobs(1200, 8, 2, 3);
    const model = mlp(8, 16, 1, () => new nn.ReLU(), 1);
    const loss: Loss = (o, t) => F.binaryCrossEntropyWithLogits(o.squeeze(1), t.to('f32'));
    return loop({ data, model, optimizer: adam(model, 3e-3), loss, steps: 150 }, below(model, loss, data, 0.68));
  }),
  healthy('a regression of which a third can be known', () => {
    const data = withTargets(curve(1000), (y) => y.mul(0.6).add(randn(y.shape).mul(0.8)));
    const model = mlp(6, 16, 1, () => new nn.Tanh(), 1);
    return loop({ data, model, optimizer: adam(model, 5e-3), loss: F.mseLoss }, below(model, F.mseLoss, data, 0.95));
  }),
  healthy('a mean and a variance, Gaussian likelihood of its own', () => {
    const data = withTargets(curve(), (y) => y.add(randn(y.shape).mul(0.3)));
    const model = mlp(6, 32, 2);
    const loss: Loss = (o, t) => {
      const [mean, log] = [o.narrow(1, 0, 1), o.narrow(1, 1, 1)];
      return mean.sub(t).square().mul(log.neg().exp()).add(log).mul(0.5).mean();
    };
    return loop({ data, model, optimizer: adam(model, 3e-3), loss }, below(model, loss, data, 0.45));
  }),
  healthy('a density of two dims', () => {
    const points = blobs(800, 2, 3);
    const data = { ...points, y: points.x, yv: points.xv };
    class Flow extends nn.Module {
      readonly scale = new nn.Parameter(randn([2]).mul(0.1));
      readonly shift = new nn.Parameter(randn([2]).mul(0.1));
      forward(x: Tensor): Tensor {
        const z = x.sub(this.shift).mul(this.scale.exp());
        return z.square().mul(-0.5).sub(0.919).add(this.scale).sum(1);
      }
    }
    const model = new Flow();
    const loss: Loss = (o) => o.mean().neg();
    return loop({ data, model, optimizer: adam(model, 1e-2), loss }, below(model, loss, data, 5));
  }),
  healthy('quantiles', () => {
    const data = withTargets(curve(), (y) => y.add(randn(y.shape).mul(0.5)));
    const model = mlp(6, 24, 3);
    const at = tensor([0.1, 0.5, 0.9]).keep();
    const loss: Loss = (o, t) => {
      const d = t.sub(o);
      return d
        .mul(at)
        .maximum(d.mul(at.sub(1)))
        .mean();
    };
    return loop({ data, model, optimizer: adam(model, 3e-3), loss }, below(model, loss, data, 0.3));
  }),
  healthy('a variational autoencoder', () => {
    const points = blobs(800, 12, 3);
    const data = { ...points, y: points.x, yv: points.xv };
    class Vae extends nn.Module {
      readonly encoder = mlp(12, 24, 8, () => new nn.Tanh(), 1);
      readonly decoder = mlp(4, 24, 12, () => new nn.Tanh(), 1);
      divergence: Tensor | null = null;
      forward(x: Tensor): Tensor {
        const h = this.encoder.forward(x) as Tensor;
        const [mean, log] = [h.narrow(1, 0, 4), h.narrow(1, 4, 4)];
        this.divergence = mean.square().add(log.exp()).sub(log).sub(1).mul(0.5).sum(1).mean();
        const z = this.training ? mean.add(randn(mean.shape).mul(log.mul(0.5).exp())) : mean;
        return this.decoder.forward(z) as Tensor;
      }
    }
    const model = new Vae();
    return loop(
      {
        data,
        model,
        optimizer: adam(model, 5e-3),
        loss: F.mseLoss,
        computed: (x, y) => {
          const output = model.forward(x);
          return { output, loss: F.mseLoss(output, y).add((model.divergence as Tensor).mul(0.02)) };
        },
      },
      below(model, F.mseLoss, data, 1),
    );
  }),
  healthy('a denoising autoencoder', () => {
    const points = blobs(800, 12, 3);
    const noise = (x: Tensor): Tensor => x.add(randn(x.shape).mul(0.6)).keep();
    const data = { x: noise(points.x), y: points.x, xv: noise(points.xv), yv: points.xv };
    const model = list(new nn.Linear(12, 24), new nn.ReLU(), new nn.Linear(24, 12));
    return loop({ data, model, optimizer: adam(model, 3e-3), loss: F.mseLoss }, below(model, F.mseLoss, data, 0.6));
  }),
];
