// Networks of rows.
import {
  cat,
  cdist,
  chunk,
  distributions,
  einsum,
  exp,
  functional as F,
  log1p,
  logsumexp,
  nn,
  ones,
  optim,
  type Tensor,
  tensor,
  topk,
  zeros,
} from '../../../bindings/index.ts';
import { type Answer, type Networks, train } from './network.ts';

const { Normal } = distributions;

class VAE extends nn.Module {
  fc1 = new nn.Linear(10, 8);
  fc21 = new nn.Linear(8, 3);
  fc22 = new nn.Linear(8, 3);
  decoder = new nn.Sequential(new nn.Linear(3, 8), new nn.SELU(), new nn.Linear(8, 10), new nn.Sigmoid());

  forward(x: Tensor, eps: Tensor): [Tensor, Tensor, Tensor] {
    const h = F.relu(this.fc1.forward(x.view(-1, 10)));
    const mu = this.fc21.forward(h);
    const logvar = this.fc22.forward(h);
    const std = logvar.mul(0.5).exp();
    return [this.decoder.forward(mu.add(eps.mul(std))), mu, logvar];
  }
}

class Coupling extends nn.Module {
  flip;
  net = new nn.Sequential(new nn.Linear(2, 6), new nn.Tanh(), new nn.Linear(6, 4));
  scale = new nn.Parameter(ones([1]));
  constructor(flip: boolean) {
    super();
    this.flip = flip;
  }
  forward(x: Tensor): [Tensor, Tensor] {
    let [a, b] = chunk(x, 2, { dim: -1 }) as [Tensor, Tensor];
    if (this.flip) [a, b] = [b, a];
    const [logScale, t] = chunk(this.net.forward(a), 2, -1) as [Tensor, Tensor];
    const s = this.scale.mul(logScale.tanh());
    b = b.mul(s.exp()).add(t);
    return [cat(this.flip ? [b, a] : [a, b], -1), s.sum(-1)];
  }
}

class Flow extends nn.Module {
  layers = new nn.ModuleList([0, 1, 2].map((i) => new Coupling(i % 2 === 1)));
  readonly loc = new nn.Buffer(zeros([4]));
  readonly logScale = new nn.Buffer(zeros([4]));

  forward(input: Tensor): [Tensor, Tensor] {
    let x = input;
    let total = zeros([x.shape[0] as number]);
    for (const layer of this.layers) {
      const [y, logdet] = layer.forward(x);
      x = y;
      total = total.add(logdet);
    }
    return [x, new Normal(this.loc, exp(this.logScale)).logProb(x).sum(-1).add(total)];
  }
}

class MDN extends nn.Module {
  body = new nn.Sequential(new nn.Linear(1, 6), new nn.Softsign());
  pi = new nn.Linear(6, 3);
  mu = new nn.Linear(6, 3);
  sigma = new nn.Linear(6, 3);

  forward(x: Tensor): [Tensor, Tensor, Tensor] {
    const h = this.body.forward(x);
    return [F.logSoftmax(this.pi.forward(h), -1), this.mu.forward(h), F.softplus(this.sigma.forward(h)).add(1e-3)];
  }
}

class Factors extends nn.Module {
  user = new nn.Embedding(5, 3);
  item = new nn.Embedding(6, 3);
  userBias = new nn.Embedding(5, 1);
  itemBias = new nn.Embedding(6, 1);
  tags = new nn.EmbeddingBag(7, 3, { mode: 'mean' });
  mu = new nn.Parameter(tensor(0));

  forward(u: Tensor, i: Tensor, tags: Tensor, offsets: Tensor): Tensor {
    const v = this.item.forward(i).add(this.tags.forward(tags, offsets));
    const bias = this.userBias.forward(u).squeeze().add(this.itemBias.forward(i).squeeze());
    return this.user.forward(u).mul(v).sum(1).add(bias).add(this.mu);
  }
}

class Siamese extends nn.Module {
  net = new nn.Sequential(
    new nn.Conv1d(2, 3, 3),
    new nn.BatchNorm1d(3),
    new nn.CELU(),
    new nn.AdaptiveMaxPool1d(2),
    new nn.Flatten(),
    new nn.Linear(6, 4),
  );
  forward(x: Tensor): Tensor {
    return F.normalize(this.net.forward(x), { dim: 1 });
  }
}

class MixerBlock extends nn.Module {
  norm1 = new nn.LayerNorm(6);
  norm2 = new nn.LayerNorm(6);
  tokens = new nn.Sequential(new nn.Linear(4, 8), new nn.GELU(), new nn.Linear(8, 4));
  channels = new nn.Sequential(new nn.Linear(6, 8), new nn.GELU(), new nn.Linear(8, 6));

  forward(input: Tensor): Tensor {
    const x = input.add(this.tokens.forward(this.norm1.forward(input).transpose(1, 2)).transpose(1, 2));
    return x.add(this.channels.forward(this.norm2.forward(x)));
  }
}

class MixerBlockInput extends nn.Module {
  fc = new nn.Linear(9, 6);
  forward(x: Tensor): Tensor {
    return einsum('bct,dc->btd', x, this.fc.weight).add(this.fc.bias as nn.Parameter);
  }
}

class LoRA extends nn.Module {
  a;
  b;
  scale;
  constructor(rows: number, cols: number, rank = 2, alpha = 4) {
    super();
    this.a = new nn.Parameter(zeros([rank, cols]));
    this.b = new nn.Parameter(zeros([rows, rank]));
    this.scale = alpha / rank;
  }
  forward(w: Tensor): Tensor {
    return w.add(this.b.matmul(this.a).mul(this.scale));
  }
}

class PointNet extends nn.Module {
  mlp = new nn.Sequential(
    new nn.Conv1d(3, 5, 1),
    new nn.BatchNorm1d(5, { trackRunningStats: false }),
    new nn.ReLU(),
    new nn.Conv1d(5, 6, 1),
  );
  anchors = new nn.Parameter(zeros([4, 3]));
  fc = new nn.Bilinear(6, 4, 3);

  forward(x: Tensor): Tensor {
    const far = cdist(x, this.anchors).min(1).values;
    const feature = this.mlp.forward(x.transpose(1, 2)).max(2).values;
    return this.fc.forward(feature, log1p(far));
  }
}

export const rows: Networks = {
  vae() {
    const model = new VAE();
    const optimizer = new optim.Adam(model.parameters(), { lr: 1e-2, amsgrad: true });
    const schedule = new optim.lrScheduler.CyclicLR(optimizer, 1e-3, 2e-2, { stepSizeUp: 4, cycleMomentum: false });
    const answer = (x: Tensor, eps: Tensor): Answer => {
      const [recon, mu, logvar] = model.forward(x, eps);
      const bce = F.binaryCrossEntropy(recon, x.view(-1, 10), { reduction: 'sum' });
      return [recon, bce.add(logvar.add(1).sub(mu.pow(2)).sub(logvar.exp()).sum().mul(-0.5))];
    };
    return train(model, optimizer, answer, schedule);
  },
  flow() {
    const model = new Flow();
    const answer = (x: Tensor): Answer => {
      const [z, p] = model.forward(x);
      return [z, p.mean().neg()];
    };
    return train(model, new optim.Adam(model.parameters(), { lr: 1e-2 }), answer, undefined, 5);
  },
  mdn() {
    const model = new MDN();
    return train(model, new optim.Adafactor(model.parameters(), { lr: 0.05 }), (x: Tensor, y: Tensor) => {
      const [logPi, mu, sigma] = model.forward(x);
      const logP = y
        .sub(mu)
        .div(sigma)
        .pow(2)
        .mul(-0.5)
        .sub(sigma.log())
        .sub(0.5 * Math.log(2 * Math.PI));
      return [mu, logsumexp(logPi.add(logP), -1).mean().neg()];
    });
  },
  factors() {
    const model = new Factors();
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.1, weightDecay: 1e-2 });
    return train(model, optimizer, (u: Tensor, i: Tensor, tags: Tensor, offsets: Tensor, r: Tensor) => {
      const y = model.forward(u, i, tags, offsets);
      const l1 = [...model.item.parameters()].map((p) => p.abs().sum()).reduce((a, b) => a.add(b));
      return [y, y.sub(r).pow(2).mean().add(model.user.weight.norm().mul(1e-2)).add(l1.mul(1e-2))];
    });
  },
  siamese() {
    const model = new Siamese();
    const triplet = new nn.TripletMarginLoss({ margin: 1, p: 2, swap: true });
    return train(
      model,
      new optim.AdamW(model.parameters(), { lr: 1e-2 }),
      (a: Tensor, p: Tensor, n: Tensor, same: Tensor) => {
        const [x, y, z] = [a, p, n].map((t) => model.forward(t)) as [Tensor, Tensor, Tensor];
        const nce = F.crossEntropy(x.matmul(y.t()).div(0.5), tensor([0, 1, 2, 3], { dtype: 'i32' }));
        const cosine = F.cosineEmbeddingLoss(x, z, same, { margin: 0.2 });
        const near = F.cosineSimilarity(x, y).neg().add(1).mean();
        return [x, triplet.forward(x, y, z).add(cosine).add(nce).add(near)];
      },
    );
  },
  mixer() {
    const model = new nn.Sequential(
      new nn.Unfold(3, { stride: 3 }),
      new nn.Identity(),
      new MixerBlockInput(),
      new MixerBlock(),
      new nn.LayerNorm(6),
    );
    const all = [...model.parameters()];
    const muon = new optim.Muon(
      all.filter((p) => p.ndim === 2),
      { lr: 0.02 },
    );
    const other = new optim.AdamW(
      all.filter((p) => p.ndim !== 2),
      { lr: 1e-3 },
    );
    const step = (x: Tensor, y: Tensor): Answer => {
      muon.zeroGrad();
      other.zeroGrad();
      const out = model.forward(x).mean(1);
      const loss = F.mseLoss(out, y);
      loss.backward();
      muon.step();
      other.step();
      return [out, loss];
    };
    return { model, step };
  },
  lora() {
    const model = new nn.Sequential(new nn.Linear(5, 6), new nn.Tanh(), new nn.Linear(6, 3));
    const [first, , last] = [...model] as [nn.Linear, nn.Layer, nn.Linear];
    for (const layer of [first, last]) {
      const [rows, cols] = layer.weight.shape as [number, number];
      nn.utils.parametrize.registerParametrization(layer, 'weight', new LoRA(rows, cols));
    }
    for (const [name, p] of model.namedParameters())
      p.requiresGrad = ['a', 'b'].includes(name.split('.').at(-1) as string);
    first.registerForwardHook((_module, _args, out) => out.mul(0.5));
    last.registerFullBackwardHook((_module, [gradInput]) => [gradInput?.mul(2)]);
    const trained = [...model.parameters()].filter((p) => p.requiresGrad);
    return train(model, new optim.AdamW(trained, { lr: 1e-2 }), (x: Tensor, y: Tensor) => {
      const out = model.forward(x);
      return [out, F.klDiv(F.logSoftmax(out, -1), y, { reduction: 'batchmean' })];
    });
  },
  pointnet() {
    const model = new PointNet();
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.05, momentum: 0.9, maximize: true });
    return train(model, optimizer, (x: Tensor, y: Tensor) => {
      const out = model.forward(x);
      const { values } = topk(out, 2, { dim: 1 });
      return [out, F.softMarginLoss(out, y).add(values.mean().mul(0.1)).neg()];
    });
  },
};
