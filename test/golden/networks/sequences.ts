// Networks of sequences.
import {
  arange,
  bmm,
  cat,
  functional as F,
  nn,
  optim,
  outer,
  type Tensor,
  tensor,
  zeros,
} from '../../../bindings/index.ts';
import { type Answer, classify, type Networks, train } from './network.ts';

const { packPaddedSequence, padPackedSequence } = nn.utils.rnn;

class Seq2Seq extends nn.Module {
  srcEmbed = new nn.Embedding(9, 5, { paddingIdx: 0 });
  tgtEmbed = new nn.Embedding(8, 5);
  encoder = new nn.LSTM(5, 6, { batchFirst: true });
  decoder = new nn.LSTM(5, 6, { batchFirst: true });
  attn = new nn.Linear(6, 6, { bias: false });
  out = new nn.Linear(12, 8);

  forward(src: Tensor, lengths: number[], tgt: Tensor): Tensor {
    const packed = packPaddedSequence(this.srcEmbed.forward(src), lengths, { batchFirst: true, enforceSorted: false });
    const [encoded, state] = this.encoder.forward(packed);
    const [memory] = padPackedSequence(encoded, { batchFirst: true });
    const [h] = this.decoder.forward(this.tgtEmbed.forward(tgt), state);
    const scores = bmm(this.attn.forward(h), memory.transpose(1, 2));
    const mask = arange(memory.shape[1] as number)
      .unsqueeze(0)
      .ge(tensor(lengths).unsqueeze(1));
    const weights = scores.maskedFill(mask.unsqueeze(1), -Infinity).softmax(-1);
    return this.out.forward(cat([bmm(weights, memory), h], -1));
  }
}

class Tagger extends nn.Module {
  embedding = new nn.Embedding(10, 4, { paddingIdx: 0 });
  gru = new nn.GRU(4, 3, { numLayers: 2, bidirectional: true, dropout: 0, batchFirst: true });
  drop = new nn.Dropout(0);
  fc = new nn.Linear(6, 4);

  forward(x: Tensor): Tensor {
    const [y, h] = this.gru.forward(this.embedding.forward(x));
    return this.fc.forward(this.drop.forward(y)).add(h.mean().mul(0.1));
  }
}

class Speech extends nn.Module {
  conv = new nn.Conv1d(4, 6, 3, { stride: 2, padding: 1 });
  norm = new nn.BatchNorm1d(6);
  lstm = new nn.LSTM(6, 4, { bidirectional: true });
  fc = new nn.Linear(8, 5);

  forward(x: Tensor): Tensor {
    const h = F.hardtanh(this.norm.forward(this.conv.forward(x)), 0, 20);
    const [y] = this.lstm.forward(h.permute(2, 0, 1));
    return F.logSoftmax(this.fc.forward(y), -1);
  }
}

class Classifier extends nn.Module {
  embed = new nn.Embedding(12, 4, { paddingIdx: 0 });
  pos = new nn.Parameter(zeros([1, 6, 4]));
  encoder = new nn.TransformerEncoder(
    new nn.TransformerEncoderLayer(4, 2, 8, { dropout: 0, activation: 'gelu', batchFirst: true, normFirst: true }),
    2,
    { norm: new nn.LayerNorm(4), enableNestedTensor: false },
  );
  head = new nn.Linear(4, 3);

  forward(x: Tensor): Tensor {
    const mask = x.eq(0);
    const h = this.encoder.forward(this.embed.forward(x).mul(Math.sqrt(4)).add(this.pos), { srcKeyPaddingMask: mask });
    const keep = mask.logicalNot().unsqueeze(-1);
    return this.head.forward(h.mul(keep).sum(1).div(keep.sum(1)));
  }
}

class Translator extends nn.Module {
  src = new nn.Embedding(9, 4);
  tgt = new nn.Embedding(9, 4);
  transformer = new nn.Transformer(4, 2, 1, 1, 6, { dropout: 0, batchFirst: true });
  generator = new nn.Linear(4, 9);

  forward(src: Tensor, tgt: Tensor, srcPad: Tensor, tgtPad: Tensor): Tensor {
    const h = this.transformer.forward(this.src.forward(src), this.tgt.forward(tgt), {
      tgtMask: nn.Transformer.generateSquareSubsequentMask(tgt.shape[1] as number),
      srcKeyPaddingMask: srcPad,
      tgtKeyPaddingMask: tgtPad,
      memoryKeyPaddingMask: srcPad,
    });
    return this.generator.forward(h);
  }
}

class CausalSelfAttention extends nn.Module {
  cAttn = new nn.Linear(4, 12);
  cProj = new nn.Linear(4, 4);

  forward(x: Tensor): Tensor {
    const [B, T, C] = x.shape as [number, number, number];
    const [q, k, v] = this.cAttn
      .forward(x)
      .split(4, 2)
      .map((t) => t.view(B, T, 2, C / 2).transpose(1, 2)) as [Tensor, Tensor, Tensor];
    const y = F.scaledDotProductAttention(q, k, v, { isCausal: true });
    return this.cProj.forward(y.transpose(1, 2).contiguous().view(B, T, C));
  }
}

class GPTBlock extends nn.Module {
  ln1 = new nn.LayerNorm(4);
  attn = new CausalSelfAttention();
  ln2 = new nn.LayerNorm(4, { bias: false });
  mlp = new nn.Sequential(new nn.Linear(4, 8), new nn.GELU({ approximate: 'tanh' }), new nn.Linear(8, 4));

  forward(input: Tensor): Tensor {
    const x = input.add(this.attn.forward(this.ln1.forward(input)));
    return x.add(this.mlp.forward(this.ln2.forward(x)));
  }
}

class GPT extends nn.Module {
  transformer = {
    wte: new nn.Embedding(11, 4),
    wpe: new nn.Embedding(6, 4),
    h: [new GPTBlock(), new GPTBlock()],
    ln_f: new nn.LayerNorm(4),
  };
  lmHead = new nn.Linear(4, 11, { bias: false });

  constructor() {
    super();
    this.transformer.wte.weight = this.lmHead.weight;
    for (const [name, p] of this.namedParameters())
      if (name.endsWith('c_proj.weight')) nn.init.normal_(p, { mean: 0, std: 0.02 / Math.sqrt(4) });
  }

  forward(idx: Tensor, targets: Tensor): Answer {
    const { wte, wpe, h, ln_f } = this.transformer;
    let x = wte.forward(idx).add(wpe.forward(arange(idx.shape[1] as number, { dtype: 'i32' })));
    for (const block of h) x = block.forward(x);
    const logits = this.lmHead.forward(ln_f.forward(x));
    return [logits, F.crossEntropy(logits.view(-1, logits.shape.at(-1) as number), targets.view(-1))];
  }
}

function rotateHalf(x: Tensor): Tensor {
  const half = (x.shape.at(-1) as number) / 2;
  return cat([x.slice(-1, half).neg(), x.slice(-1, 0, half)], -1);
}

class LlamaAttention extends nn.Module {
  qProj = new nn.Linear(8, 8, false);
  oProj = new nn.Linear(8, 8, false);
  kProj = new nn.Linear(8, 4, false);
  vProj = new nn.Linear(8, 4, false);

  forward(x: Tensor, cos: Tensor, sin: Tensor): Tensor {
    const [B, T] = x.shape as [number, number];
    const heads = (y: Tensor, n: number): Tensor => y.view(B, T, n, 4).transpose(1, 2);
    const rotate = (y: Tensor): Tensor => y.mul(cos).add(rotateHalf(y).mul(sin));
    const q = rotate(heads(this.qProj.forward(x), 2));
    const k = rotate(heads(this.kProj.forward(x), 1));
    const v = heads(this.vProj.forward(x), 1);
    const y = F.scaledDotProductAttention(q, k, v, { isCausal: true, enableGqa: true });
    return this.oProj.forward(y.transpose(1, 2).reshape(B, T, -1));
  }
}

class LlamaMLP extends nn.Module {
  gateProj = new nn.Linear(8, 6, { bias: false });
  upProj = new nn.Linear(8, 6, { bias: false });
  downProj = new nn.Linear(6, 8, { bias: false });

  forward(x: Tensor): Tensor {
    return this.downProj.forward(F.silu(this.gateProj.forward(x)).mul(this.upProj.forward(x)));
  }
}

class Llama extends nn.Module {
  embedTokens = new nn.Embedding(10, 8);
  inputLayernorm = new nn.RMSNorm(8, { eps: 1e-6 });
  postAttentionLayernorm = new nn.RMSNorm(8, { eps: 1e-6 });
  selfAttn = new LlamaAttention();
  mlp = new LlamaMLP();
  norm = new nn.RMSNorm(8);
  invFreq;

  constructor() {
    super();
    const frequencies = tensor([1, 1 / 100]);
    this.invFreq = new nn.Buffer(frequencies, { persistent: false });
  }

  forward(ids: Tensor): Tensor {
    const freqs = outer(arange(ids.shape[1] as number), this.invFreq);
    const emb = cat([freqs, freqs], -1);
    let x = this.embedTokens.forward(ids);
    x = x.add(this.selfAttn.forward(this.inputLayernorm.forward(x), emb.cos(), emb.sin()));
    x = x.add(this.mlp.forward(this.postAttentionLayernorm.forward(x)));
    return F.linear(this.norm.forward(x), this.embedTokens.weight);
  }
}

class GatedBlock extends nn.Module {
  pad;
  conv;
  res = new nn.Conv1d(4, 4, 1);
  skip = new nn.Conv1d(4, 5, 1);

  constructor(dilation: number) {
    super();
    this.pad = new nn.ConstantPad1d([dilation, 0], 0);
    this.conv = nn.utils.parametrizations.weightNorm(new nn.Conv1d(4, 8, 2, { dilation }));
  }

  forward(x: Tensor): [Tensor, Tensor] {
    const a = F.glu(this.conv.forward(this.pad.forward(x)), 1);
    return [x.add(this.res.forward(a)), this.skip.forward(a)];
  }
}

class WaveNet extends nn.Module {
  embed = new nn.Embedding(6, 4);
  blocks = new nn.ModuleList([0, 1, 2].map((i) => new GatedBlock(2 ** i)));
  end = nn.utils.weightNorm(new nn.Conv1d(5, 6, 1), { dim: null });

  forward(ids: Tensor): Tensor {
    let x = this.embed.forward(ids).transpose(1, 2);
    let skips: Tensor | undefined;
    for (const block of this.blocks) {
      const [next, skip] = block.forward(x);
      x = next;
      skips = skips ? skips.add(skip) : skip;
    }
    return this.end.forward(F.relu(skips as Tensor));
  }
}

export const sequences: Networks = {
  seq2seq() {
    const model = new Seq2Seq();
    const optimizer = new optim.AdamW(model.parameters(), { lr: 1e-2 });
    const schedule = new optim.lrScheduler.OneCycleLR(optimizer, 5e-2, { totalSteps: 25 });
    const answer = (src: Tensor, tgt: Tensor, label: Tensor): Answer => {
      const y = model.forward(src, [3, 5, 4], tgt);
      return [y, F.crossEntropy(y.flatten(0, 1), label.flatten(), { ignoreIndex: -100, labelSmoothing: 0.1 })];
    };
    return train(model, optimizer, answer, schedule, 1);
  },
  tagger() {
    const model = new Tagger();
    const optimizer = new optim.NAdam(model.parameters(), { lr: 2e-2, weightDecay: 1e-2 });
    const schedule = new optim.lrScheduler.StepLR(optimizer, 7, { gamma: 0.5 });
    const criterion = new nn.CrossEntropyLoss({ ignoreIndex: 0, weight: tensor([1, 2, 0.5, 1]) });
    const answer = (x: Tensor, y: Tensor): Answer => {
      const logits = model.forward(x);
      return [logits, criterion.forward(logits.transpose(1, 2), y)];
    };
    return train(model, optimizer, answer, schedule);
  },
  speech() {
    const model = new Speech();
    const optimizer = new optim.RAdam(model.parameters(), { lr: 2e-2 });
    const ctc = new nn.CTCLoss({ blank: 0, zeroInfinity: true });
    return train(model, optimizer, (x: Tensor, y: Tensor) => {
      const p = model.forward(x);
      return [p, ctc.forward(p, y, [7, 6], [3, 2])];
    });
  },
  classifier() {
    const model = new Classifier();
    const all = [...model.parameters()];
    const optimizer = new optim.AdamW(
      [
        { params: all.filter((p) => p.ndim > 1), weightDecay: 0.1 },
        { params: all.filter((p) => p.ndim <= 1), weightDecay: 0 },
      ],
      { lr: 5e-3 },
    );
    const schedule = new optim.lrScheduler.LambdaLR(optimizer, (step: number) => Math.min(1, (step + 1) / 5));
    return train(model, optimizer, classify(model), schedule, 0.5);
  },
  translator() {
    const model = new Translator();
    const optimizer = new optim.Adam(model.parameters(), { lr: 3e-3, betas: [0.9, 0.98], eps: 1e-9 });
    const { SequentialLR, LinearLR, CosineAnnealingLR } = optim.lrScheduler;
    const schedule = new SequentialLR(
      optimizer,
      [new LinearLR(optimizer, 0.1, { totalIters: 5 }), new CosineAnnealingLR(optimizer, 15)],
      [5],
    );
    const pad = (x: Tensor): Tensor => zeros(x.shape).maskedFill(x.eq(0), -Infinity);
    const answer = (src: Tensor, tgt: Tensor): Answer => {
      const given = tgt.slice(1, 0, -1);
      const y = model.forward(src, given, pad(src), pad(given));
      return [y, F.crossEntropy(y.reshape(-1, 9), tgt.slice(1, 1).reshape(-1), { ignoreIndex: 0 })];
    };
    return train(model, optimizer, answer, schedule);
  },
  gpt() {
    const model = new GPT();
    const optimizer = new optim.AdamW(model.parameters(), { lr: 1e-2, betas: [0.9, 0.95], weightDecay: 0.1 });
    const schedule = new optim.lrScheduler.CosineAnnealingWarmRestarts(optimizer, 5, 2, { etaMin: 1e-4 });
    return train(model, optimizer, (idx: Tensor, targets: Tensor) => model.forward(idx, targets), schedule, 1);
  },
  llama() {
    const model = new Llama();
    const optimizer = new optim.Lion(model.parameters(), { lr: 1e-3, betas: [0.9, 0.99], weightDecay: 0.1 });
    return train(model, optimizer, (ids: Tensor) => {
      const logits = model.forward(ids);
      return [logits, F.crossEntropy(logits.slice(-2, 0, -1).flatten(0, 1), ids.slice(1, 1).flatten())];
    });
  },
  wavenet() {
    const model = new WaveNet();
    const optimizer = new optim.ASGD(model.parameters(), { lr: 0.1, weightDecay: 1e-3 });
    const plateau = new optim.lrScheduler.ReduceLROnPlateau(optimizer, { patience: 1, factor: 0.5, threshold: 0.05 });
    const answer = (x: Tensor): Answer => {
      const y = model.forward(x.slice(1, 0, -1));
      return [y, F.crossEntropy(y, x.slice(1, 1))];
    };
    return { ...train(model, optimizer, answer), after: (loss) => plateau.step(loss) };
  },
};
