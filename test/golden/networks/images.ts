// Networks of images and volumes.
import {
  cat,
  diff,
  functional as F,
  nn,
  noGrad,
  ones,
  optim,
  type Tensor,
  tensor,
  zeros,
} from '../../../bindings/index.ts';
import { type Answer, classify, type Networks, train } from './network.ts';

class Attention extends nn.Module {
  heads;
  qkv;
  proj;
  constructor(dim: number, heads: number) {
    super();
    this.heads = heads;
    this.qkv = new nn.Linear(dim, dim * 3, { bias: false });
    this.proj = new nn.Linear(dim, dim);
  }

  forward(x: Tensor): Tensor {
    const [B, N, C] = x.shape as [number, number, number];
    const head = C / this.heads;
    const [q, k, v] = this.qkv.forward(x).reshape(B, N, 3, this.heads, head).permute(2, 0, 3, 1, 4).unbind() as [
      Tensor,
      Tensor,
      Tensor,
    ];
    const attn = q
      .matmul(k.transpose(-2, -1))
      .mul(head ** -0.5)
      .softmax(-1);
    return this.proj.forward(attn.matmul(v).transpose(1, 2).reshape(B, N, C));
  }
}

class ViT extends nn.Module {
  patchEmbed = new nn.Conv2d(3, 4, 4, { stride: 4 });
  clsToken = new nn.Parameter(zeros([1, 1, 4]));
  posEmbed = new nn.Parameter(nn.init.truncNormal_(zeros([1, 5, 4]), { std: 0.2 }));
  ls = new nn.Parameter(ones([4]).mul(0.1));
  norm1 = new nn.LayerNorm(4, { eps: 1e-6 });
  norm2 = new nn.LayerNorm(4, { eps: 1e-6 });
  norm = new nn.LayerNorm(4);
  attn = new Attention(4, 2);
  mlp = new nn.Sequential(new nn.Linear(4, 8), new nn.GELU(), new nn.Linear(8, 4));
  head = new nn.Linear(4, 4);

  forward(images: Tensor): Tensor {
    let x = this.patchEmbed.forward(images).flatten(2).transpose(1, 2);
    x = cat([this.clsToken.expand(x.shape[0] as number, -1, -1), x], 1).add(this.posEmbed);
    x = x.add(this.ls.mul(this.attn.forward(this.norm1.forward(x))));
    x = x.add(this.mlp.forward(this.norm2.forward(x)));
    return this.head.forward(this.norm.forward(x).select(1, 0));
  }
}

class DoubleConv extends nn.Module {
  doubleConv;
  constructor(a: number, b: number) {
    super();
    this.doubleConv = new nn.Sequential(
      new nn.Conv2d(a, b, 3, { padding: 1, bias: false }),
      new nn.BatchNorm2d(b),
      new nn.ReLU(),
    );
  }
  forward(x: Tensor): Tensor {
    return this.doubleConv.forward(x);
  }
}

class UNet extends nn.Module {
  inc = new DoubleConv(1, 3);
  down = new nn.Sequential(new nn.MaxPool2d(2), new DoubleConv(3, 4));
  bottom = new nn.Sequential(new nn.MaxPool2d(2), new DoubleConv(4, 4));
  up1 = new nn.ConvTranspose2d(4, 3, 2, { stride: 2 });
  conv1 = new DoubleConv(7, 3);
  up2 = new nn.Upsample({ scaleFactor: 2, mode: 'bilinear', alignCorners: true });
  conv2 = new DoubleConv(6, 3);
  outc = new nn.Conv2d(3, 1, 1);

  forward(x: Tensor): Tensor {
    const x1 = this.inc.forward(x);
    const x2 = this.down.forward(x1);
    let y = this.up1.forward(this.bottom.forward(x2));
    const dy = (x2.shape[2] as number) - (y.shape[2] as number);
    const dx = (x2.shape[3] as number) - (y.shape[3] as number);
    y = F.pad(y, [Math.floor(dx / 2), dx - Math.floor(dx / 2), Math.floor(dy / 2), dy - Math.floor(dy / 2)]);
    y = this.conv1.forward(cat([x2, y], { dim: 1 }));
    return this.outc.forward(this.conv2.forward(cat([x1, this.up2.forward(y)], 1)));
  }
}

class SqueezeExcite extends nn.Module {
  fc1;
  fc2;
  constructor(c: number) {
    super();
    this.fc1 = new nn.Conv2d(c, 2, 1);
    this.fc2 = new nn.Conv2d(2, c, 1);
  }
  forward(x: Tensor): Tensor {
    const pooled = x.mean([2, 3], { keepdim: true });
    return x.mul(F.hardsigmoid(this.fc2.forward(F.relu(this.fc1.forward(pooled)))));
  }
}

class InvertedResidual extends nn.Module {
  useRes;
  block;
  constructor(inp: number, hidden: number, out: number, stride: number, act: new () => nn.Layer) {
    super();
    this.useRes = stride === 1 && inp === out;
    this.block = new nn.Sequential(
      new nn.Conv2d(inp, hidden, 1, { bias: false }),
      new nn.BatchNorm2d(hidden, { eps: 1e-3, momentum: 0.01 }),
      new act(),
      new nn.Conv2d(hidden, hidden, 3, stride, 1, { groups: hidden, bias: false }),
      new nn.BatchNorm2d(hidden),
      new act(),
      new SqueezeExcite(hidden),
      new nn.Conv2d(hidden, out, 1, { bias: false }),
      new nn.BatchNorm2d(out),
    );
  }
  forward(x: Tensor): Tensor {
    return this.useRes ? x.add(this.block.forward(x)) : this.block.forward(x);
  }
}

class Volume extends nn.Module {
  enc = new nn.Sequential(
    new nn.Conv3d(1, 3, 3, { padding: 1 }),
    new nn.BatchNorm3d(3),
    new nn.LeakyReLU(0.1),
    new nn.MaxPool3d(2),
  );
  dec = new nn.ConvTranspose3d(3, 2, [2, 3, 2], { stride: 2, outputPadding: [0, 1, 0], padding: [0, 1, 0] });
  out = new nn.Conv3d(2, 1, 1);
  drop = new nn.Dropout3d(0);

  forward(x: Tensor): Tensor {
    return this.out.forward(F.softplus(this.dec.forward(this.drop.forward(this.enc.forward(x)))));
  }
}

class STN extends nn.Module {
  localization = new nn.Sequential(new nn.Conv2d(1, 2, 3), new nn.MaxPool2d(2, { stride: 2 }), new nn.ReLU());
  fcLoc = new nn.Sequential(new nn.Linear(18, 4), new nn.Tanh(), new nn.Linear(4, 6));
  fc = new nn.Linear(64, 3);

  constructor() {
    super();
    const last = this.fcLoc[2] as nn.Linear;
    noGrad(() => {
      last.weight.mul_(0.3);
      last.bias?.copy_(tensor([0.9, 0.1, 0, -0.1, 0.8, 0.1]));
    });
  }

  forward(x: Tensor): Tensor {
    const theta = this.fcLoc.forward(this.localization.forward(x).view(-1, 18)).view(-1, 2, 3);
    const grid = F.affineGrid(theta, x.shape, { alignCorners: false });
    const y = F.gridSample(x, grid, { paddingMode: 'border', alignCorners: false });
    return F.logSoftmax(this.fc.forward(y.flatten(1)), 1);
  }
}

class SuperResolution extends nn.Module {
  conv1 = new nn.Conv2d(1, 4, 5, { padding: 2, paddingMode: 'replicate' });
  conv2 = new nn.Conv2d(4, 4, 3, 1, 1);
  shuffle = new nn.PixelShuffle(2);

  constructor() {
    super();
    nn.init.orthogonal_(this.conv1.weight, nn.init.calculateGain('relu'));
  }

  forward(x: Tensor): Tensor {
    const skip = F.interpolate(x, { scaleFactor: 2, mode: 'bicubic', alignCorners: false });
    return this.shuffle.forward(this.conv2.forward(this.conv1.forward(x).tanh())).add(skip);
  }
}

/** A generator and a discriminator, in turn. */
function gan(): ReturnType<Networks[string]> {
  const { spectralNorm } = nn.utils.parametrizations;
  const g = new nn.Sequential(
    new nn.ConvTranspose2d(4, 3, 3, 1, 0, { bias: false }),
    new nn.BatchNorm2d(3),
    new nn.ReLU(),
    new nn.ConvTranspose2d(3, 1, 4, 2, 1, { bias: false }),
    new nn.Tanh(),
  );
  const d = new nn.Sequential(
    spectralNorm(new nn.Conv2d(1, 3, 4, 2, 1)),
    new nn.LeakyReLU(0.2),
    new nn.Flatten(),
    spectralNorm(new nn.Linear(27, 1)),
  );
  g.apply((m) => {
    if (m instanceof nn.ConvTranspose2d) nn.init.normal_(m.weight, 0, 0.2);
    else if (m instanceof nn.BatchNorm2d) {
      nn.init.normal_(m.weight as nn.Parameter, 1, 0.02);
      nn.init.constant_(m.bias as nn.Parameter, 0);
    }
  });
  const optG = new optim.Adam(g.parameters(), { lr: 2e-3, betas: [0.5, 0.999] });
  const optD = new optim.Adam(d.parameters(), { lr: 2e-3, betas: [0.5, 0.999] });
  const bce = new nn.BCEWithLogitsLoss();
  const step = (real: Tensor, z: Tensor): Answer => {
    optD.zeroGrad();
    const fake = g.forward(z);
    const lossD = bce.forward(d.forward(real), ones([2, 1])).add(bce.forward(d.forward(fake.detach()), zeros([2, 1])));
    lossD.backward();
    optD.step();
    optG.zeroGrad();
    d.requiresGrad_(false);
    const lossG = bce.forward(d.forward(fake), ones([2, 1]));
    lossG.backward();
    d.requiresGrad_(true);
    optG.step();
    return [fake, lossD.add(lossG.mul(2))];
  };
  return { model: new nn.ModuleDict({ g, d }), step };
}

export const images: Networks = {
  vit() {
    const model = new ViT();
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.05, momentum: 0.9, nesterov: true, weightDecay: 1e-3 });
    return train(model, optimizer, classify(model), new optim.lrScheduler.CosineAnnealingLR(optimizer, 20));
  },
  unet() {
    const model = new UNet();
    const optimizer = new optim.RMSprop(model.parameters(), { lr: 1e-3, weightDecay: 1e-8, momentum: 0.9 });
    return train(model, optimizer, (x: Tensor, y: Tensor) => {
      const logits = model.forward(x);
      const p = logits.sigmoid();
      const shared = p.mul(y).sum([1, 2, 3]).mul(2).add(1);
      const dice = shared
        .div(
          p
            .sum([1, 2, 3])
            .add(y.sum([1, 2, 3]))
            .add(1),
        )
        .neg()
        .add(1);
      return [logits, F.binaryCrossEntropyWithLogits(logits, y).add(dice.mean())];
    });
  },
  mobilenet() {
    const model = new nn.Sequential(
      new nn.Conv2d(3, 4, 3, 2, 1),
      new nn.Hardswish(),
      new InvertedResidual(4, 6, 4, 1, nn.ReLU6),
      new InvertedResidual(4, 6, 6, 2, nn.Hardswish),
      new nn.AdaptiveAvgPool2d(1),
      new nn.Flatten(1),
      new nn.Dropout(0),
      new nn.Linear(6, 3),
    );
    const optimizer = new optim.Adadelta(model.parameters(), { lr: 1 });
    const schedule = new optim.lrScheduler.ExponentialLR(optimizer, 0.95);
    const criterion = new nn.CrossEntropyLoss({ labelSmoothing: 0.1 });
    return train(
      model,
      optimizer,
      classify(model, (x, y) => criterion.forward(x, y)),
      schedule,
    );
  },
  volume() {
    const model = new Volume();
    const optimizer = new optim.Adagrad(model.parameters(), { lr: 0.05, lrDecay: 0.01 });
    return train(
      model,
      optimizer,
      classify(model, (x, y) => F.huberLoss(x, y, { delta: 0.7 })),
    );
  },
  gan,
  stn() {
    const model = new STN();
    return train(model, new optim.SGD(model.parameters(), { lr: 0.01 }), classify(model, F.nllLoss));
  },
  superres() {
    const model = new SuperResolution();
    const optimizer = new optim.Adam(
      [{ params: model.conv1.parameters() }, { params: model.conv2.parameters(), lr: 1e-3 }],
      { lr: 1e-2 },
    );
    const schedule = new optim.lrScheduler.PolynomialLR(optimizer, { totalIters: 20, power: 2 });
    const answer = (x: Tensor, y: Tensor): Answer => {
      const out = model.forward(x);
      const charbonnier = out.sub(y).pow(2).add(1e-3).sqrt().mean();
      const tv = out
        .slice(2, 1)
        .sub(out.slice(2, 0, -1))
        .abs()
        .mean()
        .add(diff(out, { dim: 3 }).abs().mean());
      return [out, charbonnier.add(tv.mul(0.1))];
    };
    return train(model, optimizer, answer, schedule);
  },
};
