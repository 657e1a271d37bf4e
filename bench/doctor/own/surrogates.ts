// Programs with no fault whose loss is noisy, or is not expected to fall: surrogates, pairs, players, tiny batches.
import {
  arange,
  cat,
  functional as F,
  nn,
  noGrad,
  optim,
  rand,
  randint,
  randn,
  type Tensor,
  tensor,
  topk,
} from 'retrograd';
import type { Program } from '../program.ts';
import { healthy, roll } from './floors.ts';
import { accuracy, bars, batchesOf, blobs, type Loss, loop, mlp, rings, Transformer, text } from './kit.ts';
import { adam, type Forward, list, sgd } from './program.ts';

const one = (): number => 1;
const normal = (x: Tensor): Tensor => F.normalize(x, { dim: 1 });

/** Rows of three inputs side by side: one, another of its class, and one of another class. */
function triplets(): { x: Tensor; y: Tensor; xv: Tensor; yv: Tensor } {
  const { x, y } = blobs(900, 8, 4, 0.9);
  const [rows, labels] = [x.shape[0] as number, [...y.data]];
  const of = (i: number, same: boolean): number => {
    for (let j = i + 1; ; j++) if ((labels[j % rows] === labels[i]) === same) return j % rows;
  };
  const at = (fn: (i: number) => number): Tensor => x.indexSelect(0, intsOf(labels.map((_, i) => fn(i))));
  const all = cat([x, at((i) => of(i, true)), at((i) => of(i, false))], 1);
  const part = (t: Tensor, from: number, count: number): Tensor => t.narrow(0, from, count).contiguous().keep();
  return { x: part(all, 0, 480), y: part(y, 0, 480), xv: part(all, 480, 140), yv: part(y, 480, 140) };
}
const intsOf = (values: readonly number[]): Tensor => tensor(Int32Array.from(values));

class Triplets extends nn.Module {
  readonly net = mlp(8, 32, 4, () => new nn.ReLU(), 1);
  forward(x: Tensor): Tensor {
    return cat(
      [0, 1, 2].map((i) => this.net.forward(x.narrow(1, 8 * i, 8)) as Tensor),
      1,
    );
  }
}
const parts = (o: Tensor): [Tensor, Tensor, Tensor] => [o.narrow(1, 0, 4), o.narrow(1, 4, 4), o.narrow(1, 8, 4)];

class Pairs extends nn.Module {
  readonly net = mlp(8, 32, 8, () => new nn.ReLU(), 1);
  forward(x: Tensor): Tensor {
    return cat(
      [0, 1].map((i) => normal(this.net.forward(x.narrow(1, 8 * i, 8)) as Tensor)),
      1,
    );
  }
}
/** Two views of each row, side by side. */
function views(): { x: Tensor; y: Tensor; xv: Tensor; yv: Tensor } {
  const { x, y } = blobs(800, 8, 8, 0.6);
  const view = (): Tensor => x.add(randn(x.shape).mul(0.25));
  const all = cat([view(), view()], 1);
  const part = (t: Tensor, from: number, count: number): Tensor => t.narrow(0, from, count).contiguous().keep();
  return { x: part(all, 0, 448), y: part(y, 0, 448), xv: part(all, 448, 112), yv: part(y, 448, 112) };
}
const infoNce =
  (temperature: number): Loss =>
  (o) => {
    const sims = o
      .narrow(1, 0, 8)
      .matmul(o.narrow(1, 8, 8).t())
      .div(temperature);
    return F.crossEntropy(sims, arange(o.shape[0] as number).to('i32'));
  };

/** Actions that a state asks for. */
function policy(advantage: (reward: Tensor, i: number) => Tensor, lr: number) {
  const data = blobs(600, 8, 4, 0.7);
  const model = mlp(8, 32, 4, () => new nn.Tanh(), 1);
  const loss: Loss = (o, t) => F.logSoftmax(o, 1).mul(t).sum(1).mean().neg();
  const train = [...batchesOf(data.x, data.y, 32)];
  const optimizer = adam(model, lr);
  return {
    model,
    optimizer,
    loss,
    steps: 180,
    step(i: number) {
      const [x, y] = train[i % train.length] as readonly [Tensor, Tensor];
      const output = model.forward(x) as Tensor;
      const target = noGrad(() => {
        const gumbel = rand(output.shape).add(1e-9).log().neg().add(1e-9).log().neg();
        const action = output.add(gumbel).argmax(1);
        return F.oneHot(action, 4)
          .to('f32')
          .mul(advantage(action.eq(y).to('f32'), i).unsqueeze(1));
      });
      optimizer.zeroGrad();
      const value = loss(output, target);
      value.backward();
      optimizer.step();
      return { loss: value, input: x, target, output };
    },
    score: () => accuracy(model as Forward, data.xv, data.yv),
  };
}

export const SURROGATES: readonly Program[] = [
  healthy('batches of four', () => {
    const model = mlp(16, 32, 4);
    return loop({ data: blobs(1600, 16, 4, 1.6), model, optimizer: sgd(model, 0.01), batch: 4, steps: 200 });
  }),
  healthy('batches of two, regression', () => {
    const data = blobs(800, 6, 3);
    const y = (x: Tensor): Tensor =>
      x
        .narrow(1, 0, 1)
        .mul(x.narrow(1, 1, 1))
        .add(randn([x.shape[0] as number, 1]).mul(0.5))
        .keep();
    const model = mlp(6, 24, 1);
    const numbers = { ...data, y: y(data.x), yv: y(data.xv) };
    return loop({ data: numbers, model, optimizer: adam(model, 2e-3), loss: F.mseLoss, batch: 2, steps: 200 }, one);
  }),
  healthy('two heads, whose losses are added', () => {
    const data = blobs(800, 12, 4, 1.4);
    class Heads extends nn.Module {
      readonly trunk = list(new nn.Linear(12, 32), new nn.ReLU());
      readonly classes = new nn.Linear(32, 4);
      readonly number = new nn.Linear(32, 1);
      last: Tensor | null = null;
      forward(x: Tensor): Tensor {
        const h = this.trunk.forward(x);
        this.last = this.number.forward(h);
        return this.classes.forward(h);
      }
    }
    const model = new Heads();
    return loop({
      data,
      model,
      optimizer: adam(model, 3e-3),
      batch: 8,
      steps: 200,
      computed: (x, y) => {
        const output = model.forward(x);
        const other = F.mseLoss(model.last as Tensor, x.square().sum(1, { keepdim: true }).mul(0.3));
        return { output, loss: F.crossEntropy(output, y).add(other) };
      },
    });
  }),
  healthy('a policy gradient with a baseline', () => {
    let mean = 0.25;
    return policy((reward) => {
      const now = mean;
      mean = 0.9 * mean + 0.1 * reward.mean().item();
      return reward.sub(now);
    }, 1e-2);
  }),
  healthy('a policy gradient of normalised rewards', () =>
    policy((reward) => reward.sub(reward.mean()).div(reward.std().add(1e-3)), 5e-3),
  ),
  healthy('a generator against a discriminator', () => {
    const real = blobs(800, 2, 3, 0.5);
    const [model, judge] = [mlp(4, 32, 2, () => new nn.ReLU(), 1), mlp(2, 32, 1, () => new nn.LeakyReLU(0.2), 1)];
    const [optimizer, other] = [adam(model, 2e-3), adam(judge, 2e-3)];
    const train = [...batchesOf(real.x, real.y, 32)];
    const loss: Loss = (o, t) => F.binaryCrossEntropyWithLogits(judge.forward(o) as Tensor, t);
    return {
      model,
      optimizer,
      loss,
      steps: 180,
      step(i) {
        const [points] = train[i % train.length] as readonly [Tensor, Tensor];
        const input = randn([32, 4]);
        const target = input.narrow(1, 0, 1).mul(0).add(1);
        other.zeroGrad();
        const fake = noGrad(() => model.forward(input)) as Tensor;
        const both = judge.forward(cat([points, fake])) as Tensor;
        F.binaryCrossEntropyWithLogits(both, cat([target, target.mul(0)])).backward();
        other.step();
        optimizer.zeroGrad();
        const output = model.forward(input) as Tensor;
        const value = loss(output, target);
        value.backward();
        optimizer.step();
        return { loss: value, input, target, output };
      },
      score: one,
    };
  }),
  healthy('a discriminator against a generator', () => {
    const real = blobs(800, 2, 3, 0.5);
    const [maker, model] = [mlp(4, 32, 2, () => new nn.ReLU(), 1), mlp(2, 32, 1, () => new nn.LeakyReLU(0.2), 1)];
    const [other, optimizer] = [adam(maker, 2e-3), adam(model, 2e-3)];
    const train = [...batchesOf(real.x, real.y, 32)];
    const loss: Loss = F.binaryCrossEntropyWithLogits;
    return {
      model,
      optimizer,
      loss,
      steps: 180,
      step(i) {
        const [points] = train[i % train.length] as readonly [Tensor, Tensor];
        const ones = randn([32, 1]).mul(0).add(1);
        other.zeroGrad();
        loss(model.forward(maker.forward(randn([32, 4])) as Tensor) as Tensor, ones).backward();
        other.step();
        const fake = noGrad(() => maker.forward(randn([32, 4]))) as Tensor;
        const [input, target] = [cat([points, fake]), cat([ones, ones.mul(0)])];
        optimizer.zeroGrad();
        const output = model.forward(input) as Tensor;
        const value = loss(output, target);
        value.backward();
        optimizer.step();
        return { loss: value, input, target, output };
      },
      score: one,
    };
  }),
  healthy('a triplet margin', () => {
    const model = new Triplets();
    const loss: Loss = (o) => F.tripletMarginLoss(...parts(o));
    return loop({ data: triplets(), model, optimizer: adam(model, 3e-3), loss }, one);
  }),
  healthy('a triplet margin of its own, without a lower end', () => {
    const model = new Triplets();
    const loss: Loss = (o) => {
      const [a, p, q] = parts(o).map(normal) as [Tensor, Tensor, Tensor];
      return a.sub(p).square().sum(1).sub(a.sub(q).square().sum(1)).mean();
    };
    return loop({ data: triplets(), model, optimizer: adam(model, 3e-3), loss }, one);
  }),
  healthy('hard negatives', () => {
    const model = new Triplets();
    const loss: Loss = (o) => {
      const [a, p, q] = parts(o);
      const [near, far] = [a.sub(p).square().sum(1), a.sub(q).square().sum(1)];
      return topk(near.sub(far).add(1).relu(), 8).values.mean();
    };
    return loop({ data: triplets(), model, optimizer: sgd(model, 3e-3, 0.5), loss }, one);
  }),
  healthy('two views, InfoNCE', () => {
    const model = new Pairs();
    return loop({ data: views(), model, optimizer: adam(model, 3e-3), loss: infoNce(0.2) }, one);
  }),
  healthy('two views, a cosine to be made large', () => {
    const model = new Pairs();
    const loss: Loss = (o) =>
      o
        .narrow(1, 0, 8)
        .mul(o.narrow(1, 8, 8))
        .sum(1)
        .mean()
        .neg();
    return loop({ data: views(), model, optimizer: adam(model, 1e-3), loss }, one);
  }),
  healthy('pairs by class, cosine embedding', () => {
    const model = new Pairs();
    const signs = (y: Tensor): Tensor => y.eq(roll(y, 1)).to('f32').mul(2).sub(1);
    const loss: Loss = (o, t) => F.cosineEmbeddingLoss(o.narrow(1, 0, 8), roll(o.narrow(1, 8, 8), 1), signs(t));
    return loop({ data: views(), model, optimizer: adam(model, 3e-3), loss }, one);
  }),
  healthy('a margin between classes', () => {
    const model = mlp(16, 32, 4);
    return loop({ data: blobs(), model, optimizer: sgd(model, 0.02), loss: F.multiMarginLoss as Loss });
  }),
  healthy('biases before norms, SGD, compiled', () => {
    const hidden = (a: number): nn.Module[] => [new nn.Linear(a, 32), new nn.BatchNorm1d(32), new nn.ReLU()];
    const model = list(...hidden(16), ...hidden(32), new nn.Linear(32, 4));
    return loop({ data: blobs(), model, optimizer: sgd(model, 0.03), compiled: true });
  }),
  healthy('biases before norms, SGD', () => {
    const hidden = (a: number): nn.Module[] => [new nn.Linear(a, 32), new nn.BatchNorm1d(32), new nn.ReLU()];
    const model = list(...hidden(16), ...hidden(32), new nn.Linear(32, 4));
    return loop({ data: blobs(), model, optimizer: sgd(model, 0.03, 0) });
  }),
  healthy('convolutions with biases before norms, no momentum', () => {
    const conv = (a: number, b: number): nn.Module[] => [
      new nn.Conv2d(a, b, 3, { padding: 1 }),
      new nn.BatchNorm2d(b),
      new nn.ReLU(),
      new nn.MaxPool2d(2),
    ];
    const model = list(...conv(1, 8), ...conv(8, 16), new nn.Flatten(), new nn.Linear(144, 4));
    return loop({ data: bars(), model, optimizer: sgd(model, 0.05, 0), steps: 100 });
  }),
  healthy('a scale before a norm', () => {
    class Scaled extends nn.Module {
      readonly scale = new nn.Parameter(randn([1]).mul(0).add(2));
      readonly shift = new nn.Parameter(randn([1]).mul(0));
      readonly first = new nn.Linear(16, 32);
      readonly norm = new nn.LayerNorm(32);
      readonly last = new nn.Linear(32, 4);
      forward(x: Tensor): Tensor {
        const h = this.first.forward(x).mul(this.scale).add(this.shift);
        return this.last.forward(this.norm.forward(h).relu());
      }
    }
    const model = new Scaled();
    return loop({ data: blobs(), model, optimizer: sgd(model, 0.05, 0) });
  }),
  healthy('keys with a bias, which attention does not see', () => {
    class Attend extends nn.Module {
      readonly [name: string]: unknown;
      readonly q = new nn.Linear(2, 16);
      readonly k = new nn.Linear(2, 16);
      readonly v = new nn.Linear(2, 16);
      readonly head = new nn.Linear(16, 3);
      forward(x: Tensor): Tensor {
        const [q, k, v] = [this.q.forward(x), this.k.forward(x), this.v.forward(x)];
        return this.head.forward(
          F.softmax(q.matmul(k.transpose(1, 2)).div(4), -1)
            .matmul(v)
            .relu()
            .mean(1),
        );
      }
    }
    const model = new Attend() as never as Forward;
    const x = blobs(700, 12, 3, 0.8);
    const view = (t: Tensor): Tensor => t.view(t.shape[0] as number, 6, 2).keep();
    const data = { ...x, x: view(x.x), xv: view(x.xv) };
    return loop({ data, model, optimizer: new optim.SGD(model.parameters(), { lr: 0.3 }), steps: 200 });
  }),
  healthy('an actor and a critic in one', () => {
    const data = rings(900, 3);
    const model = mlp(4, 32, 4, () => new nn.Tanh(), 1);
    const loss: Loss = (o, t) => {
      const [value, logp] = [o.narrow(1, 3, 1), F.logSoftmax(o.narrow(1, 0, 3), 1)];
      const chosen = t.abs().gt(1e-6).to('f32');
      return logp
        .mul(t)
        .sum(1)
        .mean()
        .neg()
        .add(
          value
            .sub(chosen.sum(1, { keepdim: true }).mul(0.4))
            .square()
            .mean()
            .mul(0.5),
        );
    };
    const train = [...batchesOf(data.x, data.y, 16)];
    const optimizer = adam(model, 5e-3);
    return {
      model,
      optimizer,
      loss,
      steps: 160,
      step(i) {
        const [x, y] = train[i % train.length] as readonly [Tensor, Tensor];
        const output = model.forward(x) as Tensor;
        const target = noGrad(() => {
          const action = randint(0, 3, [16]);
          const reward = action.eq(y).to('f32').sub(0.33);
          return F.oneHot(action, 3).to('f32').mul(reward.unsqueeze(1));
        });
        optimizer.zeroGrad();
        const value = loss(output, target);
        value.backward();
        optimizer.step();
        return { loss: value, input: x, target, output };
      },
      score: one,
    };
  }),
  healthy('a transformer in batches of four', () => {
    const model = new Transformer();
    const data = text();
    const loss: Loss = (o, t) => F.crossEntropy(o.reshape(-1, o.shape.at(-1) as number), t.reshape(-1));
    return loop({ data, model, optimizer: adam(model, 2e-3), loss, batch: 4, steps: 150 });
  }),
];
