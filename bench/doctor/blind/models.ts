// The networks of the programs.
import { arange, functional as F, nn, ones, type Tensor, triu } from 'retrograd';
import type { FindingId, Measured, Program, Run } from '../program.ts';

/** What a row of the tables has beside the program itself. */
interface More {
  readonly acceptable?: readonly FindingId[];
  readonly shows?: (run: Measured, mended: Measured) => boolean;
}
/** A program with a fault. @param make is told whether to leave the fault out */
export const faulty = (
  fault: FindingId,
  name: string,
  where: Program['where'],
  evidence: string,
  make: (mended: boolean) => Run,
  more: More = {},
): Program => ({ name, fault, where, evidence, make: (_seed, mended = false) => make(mended), ...more });
/** A program without one. */
export const healthy = (
  name: string,
  evidence: string,
  make: () => Run,
  shows?: (run: Measured) => boolean,
): Program => ({ name, fault: null, where: null, evidence, make: () => make(), ...(shows && { shows }) });

/** Linear layers of these sizes, with something between. */
export function mlp(sizes: readonly number[], between: () => nn.Layer = () => new nn.ReLU()): nn.Sequential {
  const layers: nn.Layer[] = [new nn.Flatten()];
  for (let i = 1; i < sizes.length; i++) {
    layers.push(new nn.Linear(sizes[i - 1] as number, sizes[i] as number));
    if (i < sizes.length - 1) layers.push(between());
  }
  return new nn.Sequential(...layers);
}
/** The same, and layers behind. */
export const extended = (model: nn.Sequential, ...layers: nn.Layer[]): nn.Sequential =>
  new nn.Sequential(...(model.children() as nn.Layer[]), ...layers);

export const weightsOf = (model: nn.Module): nn.Parameter[] =>
  model.parameters().filter((p) => p.ndim > 1) as nn.Parameter[];

/** Two convolutions and a linear layer for digits [n, 1, 28, 28]; `extra` stands behind each convolution. */
export function cnn(extra: (channels: number) => nn.Layer[] = () => [], ...tail: nn.Layer[]): nn.Sequential {
  return new nn.Sequential(
    ...[new nn.Conv2d(1, 8, 3, { padding: 1, stride: 2 }), ...extra(8), new nn.ReLU()],
    ...[new nn.Conv2d(8, 16, 3, { padding: 1, stride: 2 }), ...extra(16), new nn.ReLU()],
    ...[new nn.Flatten(), new nn.Linear(784, 10), ...tail],
  );
}

const RECURRENT = {
  RNN: (size: number, hidden: number, more: object) => new nn.RNN(size, hidden, { batchFirst: true, ...more }),
  LSTM: (size: number, hidden: number, more: object) => new nn.LSTM(size, hidden, { batchFirst: true, ...more }),
  GRU: (size: number, hidden: number, more: object) => new nn.GRU(size, hidden, { batchFirst: true, ...more }),
};

/** Reads images row by row, or sequences [n, length, size]; the last state gives the output. */
export class Reader extends nn.Module {
  readonly rnn: nn.RNN | nn.LSTM | nn.GRU;
  readonly head: nn.Linear;
  constructor(kind: 'RNN' | 'LSTM' | 'GRU', size: number, hidden: number, outputs: number, options: object = {}) {
    super();
    this.rnn = RECURRENT[kind](size, hidden, options);
    this.head = new nn.Linear(hidden, outputs);
  }
  forward(x: Tensor): Tensor {
    const rows = x.ndim === 4 ? x.select(1, 0) : x;
    const [out] = (this.rnn as nn.GRU).forward(rows);
    return this.head.forward(out.select(1, (out.shape[1] as number) - 1));
  }
}

/** The same for tokens [n, length]. */
export class TokenReader extends nn.Module {
  readonly embed: nn.Embedding;
  readonly reader: Reader;
  constructor(kind: 'RNN' | 'LSTM' | 'GRU', kinds: number, size: number, hidden: number, outputs: number) {
    super();
    this.embed = new nn.Embedding(kinds, size);
    this.reader = new Reader(kind, size, hidden, outputs);
  }
  forward(x: Tensor): Tensor {
    return this.reader.forward(this.embed.forward(x));
  }
}

export interface TransformerSettings {
  readonly layers?: number;
  readonly width?: number;
  readonly dropout?: number;
  readonly normFirst?: boolean;
  /** Whether each place gives an output that sees only what is before it; else their mean gives one. */
  readonly causal?: boolean;
}

/** A small transformer of tokens [n, length]. */
export class TokenTransformer extends nn.Module {
  readonly embed: nn.Embedding;
  readonly position: nn.Embedding;
  readonly blocks: nn.ModuleList;
  readonly norm: nn.LayerNorm;
  readonly head: nn.Linear;
  readonly #causal: boolean;
  constructor(kinds: number, length: number, outputs: number, settings: TransformerSettings = {}) {
    super();
    const { layers = 1, width = 16, dropout = 0, normFirst = true, causal = false } = settings;
    this.#causal = causal;
    this.embed = new nn.Embedding(kinds, width);
    this.position = new nn.Embedding(length, width);
    const block = () =>
      new nn.TransformerEncoderLayer(width, 4, { dimFeedforward: 2 * width, dropout, batchFirst: true, normFirst });
    this.blocks = new nn.ModuleList(Array.from({ length: layers }, block));
    this.norm = new nn.LayerNorm(width);
    this.head = new nn.Linear(width, outputs);
  }
  forward(x: Tensor): Tensor {
    const length = x.shape[1] as number;
    let h = this.embed.forward(x).add(this.position.forward(arange(length, { dtype: 'i32' })));
    const options = this.#causal ? { srcMask: triu(ones([length, length]).mul(-1e9), 1) } : {};
    for (const block of this.blocks) h = (block as nn.TransformerEncoderLayer).forward(h, options);
    h = this.norm.forward(h);
    return this.head.forward(this.#causal ? h : h.mean(1));
  }
}

/** Cross entropy of each place of sequences [n, length, kinds]. */
export const sequenceLoss = (output: Tensor, target: Tensor): Tensor =>
  F.crossEntropy(output.reshape([-1, output.shape[2] as number]), target.reshape([-1]));
