// What the programs of this folder are made of: data, loops, and models of a few layers.
import { readFileSync } from 'node:fs';
import {
  cat as catOf,
  compile,
  functional as F,
  nn,
  noGrad,
  type optim,
  randint,
  randn,
  randperm,
  scope,
  type Tensor,
  tensor,
} from 'retrograd';
import type { Batches, Run, Stepped } from '../program.ts';

/** Inputs and targets, for training and apart from it. */
export interface Split {
  readonly x: Tensor;
  readonly y: Tensor;
  readonly xv: Tensor;
  readonly yv: Tensor;
}

const part = (x: Tensor, from: number, to: number): Tensor => x.narrow(0, from, to - from).contiguous();

/** The first rows for training, the rest apart. */
export const split = (x: Tensor, y: Tensor, first: number): Split => ({
  x: part(x, 0, first).keep(),
  y: part(y, 0, first).keep(),
  xv: part(x, first, x.shape[0] as number).keep(),
  yv: part(y, first, y.shape[0] as number).keep(),
});

/** Classes about centres in `width` dims. */
export function blobs(rows = 600, width = 16, classes = 4, spread = 1): Split {
  const centres = randn([classes, width]).mul(1.2);
  const y = randint(0, classes, [rows]);
  const x = centres
    .indexSelect(0, y)
    .add(randn([rows, width]).mul(spread))
    .div(1.5);
  return split(x, y, Math.round(rows * 0.7));
}

/** Rings around each other, in `width` dims of which two count: no line divides them. */
export function rings(rows = 700, classes = 3, width = 4): Split {
  const y = randint(0, classes, [rows]);
  const angle = randn([rows]).mul(10);
  const radius = y
    .to('f32')
    .add(0.5)
    .mul(0.8)
    .add(randn([rows]).mul(0.08));
  const plane = [angle.cos().mul(radius), angle.sin().mul(radius)].map((v) => v.unsqueeze(1));
  const rest = randn([rows, width - 2]).mul(0.3);
  const x = beside([...plane, rest]);
  return split(x, y, Math.round(rows * 0.7));
}
const beside = (xs: readonly Tensor[]): Tensor => catOf(xs, 1);

/** A smooth function of some numbers, with a little noise. */
export function curve(rows = 600, width = 6): Split {
  const x = randn([rows, width]);
  const w = randn([width, 1]);
  const y = x
    .matmul(w)
    .mul(0.7)
    .sin()
    .add(x.narrow(1, 0, 1).square().mul(0.4))
    .add(randn([rows, 1]).mul(0.05));
  return split(x, y.sub(y.mean()).div(y.std()), Math.round(rows * 0.7));
}

/** Images with a bar that lies, stands or leans, somewhere. */
export function bars(rows = 400, size = 12): Split {
  const classes = 4;
  const numbers: number[] = [];
  const y = randint(0, classes, [rows]);
  const kinds = [...y.data];
  const at = [...randint(2, size - 2, [rows * 2]).data];
  for (let i = 0; i < rows; i++) {
    const [r, c] = [at[2 * i] as number, at[2 * i + 1] as number];
    for (let a = 0; a < size; a++)
      for (let b = 0; b < size; b++) {
        const on = [a === r, b === c, a - r === b - c, a - r === c - b][kinds[i] as number] ?? false;
        numbers.push(on && Math.abs(a - r) < 5 && Math.abs(b - c) < 5 ? 1.5 : 0);
      }
  }
  const x = tensor(Float32Array.from(numbers))
    .view(rows, 1, size, size)
    .add(randn([rows, 1, size, size]).mul(0.25));
  return split(x, y, Math.round(rows * 0.7));
}

/** Waves of different lengths, [rows, time, 2]. */
export function waves(rows = 400, time = 24, classes = 3): Split {
  const y = randint(0, classes, [rows]);
  const speed = y.to('f32').add(1).mul(0.25).unsqueeze(1);
  const phase = randn([rows, 1]).mul(3);
  const t = tensor(Array.from({ length: time }, (_, i) => i))
    .to('f32')
    .unsqueeze(0);
  const angle = t.mul(speed).add(phase);
  const x = together([angle.sin(), angle.cos()]).add(randn([rows, time, 2]).mul(0.2));
  return split(x, y, Math.round(rows * 0.7));
}
const together = (xs: readonly Tensor[]): Tensor =>
  catOf(
    xs.map((v) => v.unsqueeze(2)),
    2,
  );

/** Texts of tokens in which each follows from the two before, and what comes next. */
export function text(rows = 200, time = 16, vocabulary = 12): Split {
  const numbers: number[] = [];
  const table = [...randint(0, vocabulary, [vocabulary * vocabulary]).data];
  const starts = [...randint(0, vocabulary, [rows * 2]).data];
  for (let i = 0; i < rows; i++) {
    let [a, b] = [starts[2 * i] as number, starts[2 * i + 1] as number];
    for (let t = 0; t <= time; t++) {
      numbers.push(b);
      [a, b] = [b, (table[b * vocabulary + (a % 2)] as number) % vocabulary];
    }
  }
  const all = tensor(Int32Array.from(numbers)).view(rows, time + 1);
  return split(all.narrow(1, 0, time).contiguous(), all.narrow(1, 1, time).contiguous(), Math.round(rows * 0.8));
}

/** Penguins: four measures, three kinds. */
export function penguins(normalised = true): Split {
  const rows = JSON.parse(readFileSync('node_modules/vega-datasets/data/penguins.json', 'utf8')) as Record<
    string,
    unknown
  >[];
  const names = ['Beak Length (mm)', 'Beak Depth (mm)', 'Flipper Length (mm)', 'Body Mass (g)'];
  const kinds = ['Adelie', 'Chinstrap', 'Gentoo'];
  const whole = rows.filter((row) => names.every((name) => typeof row[name] === 'number'));
  const order = [...randperm(whole.length).data];
  const chosen = order.map((i) => whole[i] as Record<string, unknown>);
  const x = tensor(chosen.map((row) => names.map((name) => row[name] as number)));
  const y = tensor(chosen.map((row) => kinds.indexOf(row.Species as string))).to('i32');
  return split(normalised ? x.sub(x.mean(0)).div(x.std(0)) : x, y, 240);
}

/** Cars: how far they come by a gallon. */
export function cars(): Split {
  const rows = JSON.parse(readFileSync('node_modules/vega-datasets/data/cars.json', 'utf8')) as Record<
    string,
    unknown
  >[];
  const names = ['Cylinders', 'Displacement', 'Horsepower', 'Weight_in_lbs', 'Acceleration', 'Miles_per_Gallon'];
  const whole = rows.filter((row) => names.every((name) => typeof row[name] === 'number'));
  const order = [...randperm(whole.length).data];
  const all = tensor(order.map((i) => names.map((name) => (whole[i] as Record<string, number>)[name] as number)));
  const scaled = all.sub(all.mean(0)).div(all.std(0));
  return split(scaled.narrow(1, 0, 5).contiguous(), scaled.narrow(1, 5, 1).contiguous(), 280);
}

/** Batches of rows in their order, as often as they are asked for. */
export function batchesOf(x: Tensor, y: Tensor, size: number): Batches {
  const rows = x.shape[0] as number;
  return Array.from({ length: Math.floor(rows / size) || 1 }, (_, i) => {
    const count = Math.min(size, rows - i * size);
    return [
      x
        .narrow(0, i * size, count)
        .contiguous()
        .keep(),
      y
        .narrow(0, i * size, count)
        .contiguous()
        .keep(),
    ] as const;
  });
}

type Forward = nn.Module & { forward(x: Tensor): Tensor };
export type Loss = (output: Tensor, target: Tensor) => Tensor;

/** A loop to be made. */
export interface Loop {
  readonly data: Split;
  readonly model: Forward;
  readonly optimizer: optim.Optimizer<object>;
  readonly loss?: Loss | (nn.Module & { forward(o: Tensor, t: Tensor): Tensor });
  readonly batch?: number;
  readonly steps?: number;
  readonly compiled?: boolean;
  /** What is done between backward and the optimizer's step. */
  readonly between?: () => void;
  /** Before each step. */
  readonly before?: (i: number) => void;
  /** The loss as the loop has it, where it is not that of the output. */
  readonly computed?: (x: Tensor, y: Tensor) => { loss: Tensor; output: Tensor };
  readonly zero?: boolean;
  /** Batches come in the order of the rows. */
  readonly ordered?: boolean;
  readonly shown?: boolean;
}

export const accuracy = (model: Forward, x: Tensor, y: Tensor): number => {
  model.eval();
  const output = noGrad(() => model.forward(x));
  const said = output.argmax(-1).view(-1);
  return said.eq(y.reshape(-1)).to('f32').mean().item();
};
export const fitness = (model: Forward, x: Tensor, y: Tensor): number => {
  model.eval();
  const output = noGrad(() => model.forward(x));
  return 1 - output.reshape(-1).sub(y.reshape(-1)).square().mean().item() / y.sub(y.mean()).square().mean().item();
};

/** A run of a loop as programs have it. */
export function loop(options: Loop, score?: () => number): Run {
  const {
    data,
    model,
    optimizer,
    batch = 32,
    steps = 150,
    compiled = false,
    between,
    before,
    zero = true,
    shown = true,
  } = options;
  const loss = options.loss ?? F.crossEntropy;
  const lossOf = (o: Tensor, t: Tensor): Tensor => (typeof loss === 'function' ? loss(o, t) : loss.forward(o, t));
  const body = (x: Tensor, y: Tensor): [Tensor, Tensor] => {
    if (zero) optimizer.zeroGrad();
    const made = options.computed?.(x, y);
    const output = made?.output ?? model.forward(x);
    const value = made?.loss ?? lossOf(output, y);
    value.backward();
    between?.();
    optimizer.step();
    return [value, output];
  };
  const run = compiled ? compile(body) : body;
  const train = [...batchesOf(data.x, data.y, batch)];
  const validation = [...batchesOf(data.xv, data.yv, 64)];
  let order: number[] = [];
  return {
    model,
    optimizer,
    loss,
    ...(shown && { train, validation }),
    steps,
    step(i): Stepped {
      before?.(i);
      if (i % train.length === 0)
        order = options.ordered ? [...train.keys()] : [...scope(() => randperm(train.length)).data];
      const [x, y] = train[order[i % train.length] as number] as readonly [Tensor, Tensor];
      const [value, output] = run(x, y);
      return { loss: value, input: x, target: y, output };
    },
    score: score ?? (() => (data.y.dtype === 'f32' ? fitness : accuracy)(model, data.xv, data.yv)),
  };
}

export const mlp = (
  width: number,
  hidden: number,
  out: number,
  act: () => nn.Module = () => new nn.ReLU(),
  depth = 2,
): nn.Sequential => {
  const layers: nn.Module[] = [];
  for (let i = 0; i < depth; i++) layers.push(new nn.Linear(i === 0 ? width : hidden, hidden), act());
  return new nn.Sequential(...([...layers, new nn.Linear(hidden, out)] as never[])) as never;
};
export const cnn = (out = 4, norm = false): nn.Sequential =>
  new nn.Sequential(
    ...([
      new nn.Conv2d(1, 8, 3, { padding: 1 }),
      ...(norm ? [new nn.BatchNorm2d(8)] : []),
      new nn.ReLU(),
      new nn.MaxPool2d(2),
      new nn.Conv2d(8, 16, 3, { padding: 1 }),
      ...(norm ? [new nn.BatchNorm2d(16)] : []),
      new nn.ReLU(),
      new nn.MaxPool2d(2),
      new nn.Flatten(),
      new nn.Linear(144, out),
    ] as never[]),
  ) as never;

/** A recurrent network whose last state is classified. */
export class Recurrent extends nn.Module {
  readonly rnn: nn.Module;
  readonly head: nn.Linear;
  constructor(kind: 'rnn' | 'lstm' | 'gru', hidden = 24, out = 3, width = 2) {
    super();
    const options = { batchFirst: true };
    this.rnn =
      kind === 'rnn'
        ? new nn.RNN(width, hidden, options)
        : kind === 'gru'
          ? new nn.GRU(width, hidden, options)
          : new nn.LSTM(width, hidden, options);
    this.head = new nn.Linear(hidden, out);
  }
  forward(x: Tensor): Tensor {
    const [y] = (this.rnn as unknown as { forward(x: Tensor): [Tensor] }).forward(x);
    return this.head.forward(y.select(1, -1));
  }
}

/** A small transformer over tokens, with a mask. */
export class Transformer extends nn.Module {
  readonly embed: nn.Embedding;
  readonly place: nn.Parameter;
  readonly block: nn.TransformerEncoderLayer;
  readonly head: nn.Linear;
  constructor(vocabulary = 12, width = 24, time = 16, dropout = 0) {
    super();
    this.embed = new nn.Embedding(vocabulary, width);
    this.place = new nn.Parameter(randn([time, width]).mul(0.1));
    this.block = new nn.TransformerEncoderLayer(width, 2, { dimFeedforward: 48, dropout, batchFirst: true });
    this.head = new nn.Linear(width, vocabulary);
  }
  forward(x: Tensor): Tensor {
    const h = this.embed.forward(x).add(this.place);
    const time = x.shape[1] as number;
    const mask = nn.Transformer.generateSquareSubsequentMask(time);
    return this.head.forward(this.block.forward(h, { srcMask: mask }));
  }
}

/** crossEntropy of each token of a text. */
export const perToken = (o: Tensor, t: Tensor): Tensor =>
  F.crossEntropy(o.reshape(-1, o.shape.at(-1) as number), t.reshape(-1));
