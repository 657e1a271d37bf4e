// Networks of policies, graphs and flows of time.
import {
  at,
  cat,
  distributions,
  functional as F,
  indexAdd,
  nn,
  noGrad,
  ones,
  optim,
  scatterReduce,
  stack,
  type Tensor,
  zeros,
} from '../../../bindings/index.ts';
import { type Answer, type Networks, train } from './network.ts';

const { Normal, Categorical } = distributions;

class QNet extends nn.Module {
  body = new nn.Sequential(new nn.Linear(4, 8), new nn.SiLU());
  value = new nn.Linear(8, 1);
  advantage = new nn.Linear(8, 3);

  forward(x: Tensor): Tensor {
    const h = this.body.forward(x);
    const a = this.advantage.forward(h);
    return this.value
      .forward(h)
      .add(a)
      .sub(a.mean({ dim: 1, keepdim: true }));
  }
}

function dqn(): ReturnType<Networks[string]> {
  const online = new QNet();
  const target = new QNet();
  target.loadStateDict(online.stateDict());
  const optimizer = new optim.RMSprop(online.parameters(), { lr: 5e-3, alpha: 0.95, eps: 0.01, centered: true });
  const step = (state: Tensor, action: Tensor, reward: Tensor, following: Tensor, done: Tensor): Answer => {
    const q = online.forward(state).gather(1, action.unsqueeze(1)).squeeze(1);
    const expected = noGrad(() => {
      const best = online.forward(following).argmax(1, { keepdim: true });
      const next = target.forward(following).gather(1, best).squeeze(1);
      return reward.add(next.mul(0.9).mul(done.neg().add(1)));
    });
    const loss = F.smoothL1Loss(q, expected);
    optimizer.zeroGrad();
    loss.backward();
    nn.utils.clipGradValue_(online.parameters(), 0.05);
    optimizer.step();
    noGrad(() => {
      const theirs = [...target.parameters()];
      for (const [i, p] of [...online.parameters()].entries()) theirs[i]?.mul_(0.9).add_(p, { alpha: 0.1 });
    });
    return [q, loss];
  };
  return { model: new nn.ModuleDict({ online, target }), step };
}

class ActorCritic extends nn.Module {
  shared = new nn.Linear(4, 8);
  actor = new nn.Linear(8, 3);
  critic = new nn.Linear(8, 1);
  logStd = new nn.Parameter(zeros([1, 2]));
  mean = new nn.Linear(8, 2);
  constructor() {
    super();
    nn.init.orthogonal_(this.actor.weight, 0.01);
  }
  forward(x: Tensor) {
    const h = this.shared.forward(x).tanh();
    return [
      new Categorical({ logits: this.actor.forward(h) }),
      this.critic.forward(h).squeeze(-1),
      new Normal(this.mean.forward(h), this.logStd.exp()),
    ] as const;
  }
}

class GraphConv extends nn.Module {
  weight;
  bias;
  constructor(a: number, b: number) {
    super();
    this.weight = new nn.Parameter(nn.init.xavierUniform_(zeros([a, b])));
    this.bias = new nn.Parameter(zeros([b]));
  }
  forward(x: Tensor, src: Tensor, dst: Tensor, n: number): Tensor {
    const degree = indexAdd(zeros([n]), 0, dst, ones([dst.shape[0] as number]));
    const norm = degree.clamp({ min: 1 }).rsqrt();
    const messages = at(x.matmul(this.weight), src).mul(at(norm, src).mul(at(norm, dst)).unsqueeze(-1));
    return indexAdd(zeros([n, this.bias.shape[0] as number]), 0, dst, messages).add(this.bias);
  }
}

class GNN extends nn.Module {
  conv1 = new GraphConv(4, 6);
  conv2 = new GraphConv(6, 6);
  score = new nn.Linear(6, 1);
  fc = new nn.Linear(6, 2);

  forward(x: Tensor, edges: Tensor, batch: Tensor): Tensor {
    const [src, dst] = edges.unbind() as [Tensor, Tensor];
    let h = F.relu(this.conv1.forward(x, src, dst, 6));
    h = F.dropout(this.conv2.forward(h, src, dst, 6), { p: 0, training: this.training });
    const where = batch.unsqueeze(1).expand(-1, 6);
    const top = scatterReduce(zeros([2, 6]), 0, where, h, 'amax', { includeSelf: false });
    const weights = this.score.forward(h).sigmoid();
    const pooled = zeros([2, 6]).scatterAdd(0, where, h.mul(weights));
    return this.fc.forward(pooled.add(top));
  }
}

class ODE extends nn.Module {
  f = new nn.Sequential(new nn.Linear(3, 8), new nn.Tanh(), new nn.Linear(8, 2));
  constructor() {
    super();
    for (const m of this.f.modules())
      if (m instanceof nn.Linear) {
        nn.init.normal_(m.weight, { mean: 0, std: 0.3 });
        nn.init.zeros_(m.bias as nn.Parameter);
      }
  }
  forward(start: Tensor, t: Tensor): Tensor {
    let y = start;
    const path = [y];
    const times = t.unbind();
    times.slice(1).forEach((b, i) => {
      const a = times[i] as Tensor;
      const here = (z: Tensor): Tensor => this.f.forward(cat([z.pow(3), a.expand(z.shape[0] as number, 1)], 1));
      const k1 = here(y);
      const k2 = here(y.add(b.sub(a).div(2).mul(k1)));
      y = y.add(b.sub(a).mul(k2));
      path.push(y);
    });
    return stack(path);
  }
}

export const policies: Networks = {
  dqn,
  actorCritic() {
    const model = new ActorCritic();
    const optimizer = new optim.Adam(model.parameters(), { lr: 1e-2, eps: 1e-5 });
    const answer = (state: Tensor, action: Tensor, move: Tensor, returns: Tensor, old: Tensor): Answer => {
      const [policy, value, gauss] = model.forward(state);
      let advantage = returns.sub(value.detach());
      advantage = advantage.sub(advantage.mean()).div(advantage.std().add(1e-8));
      const ratio = policy.logProb(action).add(gauss.logProb(move).sum(1)).sub(old).exp();
      const gain = ratio.mul(advantage).minimum(ratio.clamp(0.8, 1.2).mul(advantage)).mean();
      const loss = F.mseLoss(value, returns).mul(0.5).sub(gain);
      return [value, loss.sub(policy.entropy().mean().add(gauss.entropy().sum(-1).mean()).mul(0.01))];
    };
    return train(model, optimizer, answer, undefined, 0.5);
  },
  gnn() {
    const model = new GNN();
    return train(
      model,
      new optim.Adam(model.parameters(), { lr: 1e-2, weightDecay: 5e-4 }),
      (x: Tensor, edges: Tensor, batch: Tensor, y: Tensor) => {
        const out = model.forward(x, edges, batch);
        return [out, F.crossEntropy(out, y)];
      },
    );
  },
  ode() {
    const model = new ODE();
    const optimizer = new optim.LBFGS(model.parameters(), { lr: 0.5, maxIter: 2, historySize: 5 });
    const step = (y: Tensor, t: Tensor, target: Tensor): Answer => {
      let first: Answer | undefined;
      optimizer.step(() => {
        optimizer.zeroGrad();
        const out = model.forward(y, t);
        const loss = F.mseLoss(out, target);
        loss.backward();
        first ??= [out.keep(), loss.keep()];
        return loss;
      });
      return first as Answer;
    };
    return { model, step, eager: true };
  },
};
