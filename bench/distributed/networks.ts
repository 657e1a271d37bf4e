// The networks whose training several ranks share.
import { arange, functional as F, manualSeed, nn, optim, randint, randn, type Tensor } from 'retrograd';

/** What a rank trains. */
export interface Training {
  readonly step: () => Tensor;
  /** How many numbers the gradients have. */
  readonly numbers: number;
  /** How many all-reduces DataParallel makes of them. */
  readonly calls: number;
}

type Model = nn.Module & { forward(x: Tensor): Tensor };
/** DataParallel, or the model itself. */
export type Wrap = (model: Model) => Model;

/** The GPT of examples/char-gpt.ts. */
const [LAYERS, WIDTH, HEADS, CHARACTERS, LENGTH] = [4, 128, 4, 80, 64];

class Block extends nn.Module {
  readonly norm1 = new nn.LayerNorm(WIDTH);
  readonly qkv = new nn.Linear(WIDTH, 3 * WIDTH);
  readonly projection = new nn.Linear(WIDTH, WIDTH);
  readonly norm2 = new nn.LayerNorm(WIDTH);
  readonly up = new nn.Linear(WIDTH, 4 * WIDTH);
  readonly down = new nn.Linear(4 * WIDTH, WIDTH);

  forward(x: Tensor): Tensor {
    const [n, length] = x.shape as [number, number];
    const [q, k, v] = this.qkv
      .forward(this.norm1.forward(x))
      .split(WIDTH, -1)
      .map((part) => part.view([n, length, HEADS, WIDTH / HEADS]).transpose(1, 2)) as [Tensor, Tensor, Tensor];
    const y = F.scaledDotProductAttention(q, k, v, { isCausal: true }).transpose(1, 2).reshape([n, length, WIDTH]);
    const h = x.add(this.projection.forward(y));
    return h.add(this.down.forward(F.gelu(this.up.forward(this.norm2.forward(h)))));
  }
}

class CharGpt extends nn.Module {
  readonly tokens = new nn.Embedding(CHARACTERS, WIDTH);
  readonly positions = new nn.Embedding(LENGTH, WIDTH);
  readonly blocks = Array.from({ length: LAYERS }, () => new Block());
  readonly norm = new nn.LayerNorm(WIDTH);
  readonly head = new nn.Linear(WIDTH, CHARACTERS, { bias: false });

  /** Logits [n · length, characters] of i32 [n, length]. */
  forward(x: Tensor): Tensor {
    let h = this.tokens.forward(x).add(this.positions.forward(arange(LENGTH, { dtype: 'i32' })));
    for (const block of this.blocks) h = block.forward(h);
    return this.head.forward(this.norm.forward(h)).view([-1, CHARACTERS]);
  }
}

interface Network {
  readonly batch: number;
  readonly model: () => Model;
  readonly input: (batch: number) => Tensor;
  readonly target: (batch: number) => Tensor;
}

const digits = (batch: number): Tensor => randint(0, 10, [batch]);

const NETWORKS = {
  MLP: {
    batch: 256,
    model: () =>
      new nn.Sequential(
        ...[new nn.Linear(784, 1024), new nn.ReLU(), new nn.Linear(1024, 1024), new nn.ReLU()],
        new nn.Linear(1024, 10),
      ),
    input: (batch) => randn([batch, 784]),
    target: digits,
  },
  CNN: {
    batch: 64,
    model: () =>
      new nn.Sequential(
        ...[new nn.Conv2d(1, 16, 3, { padding: 1 }), new nn.ReLU(), new nn.MaxPool2d(2)],
        ...[new nn.Conv2d(16, 32, 3, { padding: 1 }), new nn.ReLU(), new nn.MaxPool2d(2)],
        ...[new nn.Flatten(), new nn.Linear(1568, 10)],
      ),
    input: (batch) => randn([batch, 1, 28, 28]),
    target: digits,
  },
  GPT: {
    batch: 12,
    model: () => new CharGpt(),
    input: (batch) => randint(0, CHARACTERS, [batch, LENGTH]),
    target: (batch) => randint(0, CHARACTERS, [batch * LENGTH]),
  },
} as const satisfies Readonly<Record<string, Network>>;

/** The name of a network. */
export type NetworkName = keyof typeof NETWORKS;

/** What tables call them: their batches are those of a rank. */
export const TITLES: Readonly<Record<NetworkName, string>> = {
  MLP: 'MLP 784-1024-1024-10, batch 256',
  CNN: 'CNN 16-32 on 28×28, batch 64',
  GPT: 'GPT of 4 layers of 128, batch 12 × 64',
};

/** Of DataParallel: what is a quarter of it or more is reduced alone. */
const BUCKET = 2 ** 18;

function callsOf(bytes: readonly number[]): number {
  const small = bytes.filter((own) => own < BUCKET / 4);
  return bytes.length - small.length + Math.ceil(small.reduce((sum, own) => sum + own, 0) / BUCKET);
}

/** A training of the network by Adam. @param quick with a batch of 4 @param rank whose batch it is */
export function trainingOf(name: NetworkName, wrap: Wrap, quick: boolean, rank = 0): Training {
  const network: Network = NETWORKS[name];
  const batch = quick ? 4 : network.batch;
  manualSeed(1 + rank);
  const [x, y] = [network.input(batch).keep(), network.target(batch).keep()];
  const model = wrap(network.model());
  const optimizer = new optim.Adam(model.parameters(), { lr: 1e-3 });
  return {
    step: () => {
      optimizer.zeroGrad();
      const loss = F.crossEntropy(model.forward(x), y);
      loss.backward();
      optimizer.step();
      return loss;
    },
    numbers: model.parameters().reduce((sum, p) => sum + p.size, 0),
    calls: callsOf(model.parameters().map((p) => 4 * p.size)),
  };
}
