// Recurrent cells: one step of a sequence at a call.
import { familyOps } from '../autograd.ts';
import { constantFor } from '../functional/arguments.ts';
import * as F from '../functional/index.ts';
import { formatShape, ShapeError } from '../memory/errors.ts';
import { rnnRows } from '../ops/rnn.ts';
import type { Tensor } from '../tensor.ts';
import type { BiasOptions } from './linear.ts';
import { Module } from './module.ts';
import { checkSizes, uniformParameter } from './parameter.ts';

const rnnOps = familyOps(rnnRows);

/** The hidden and the cell state of an {@link LSTMCell}, each [n, hiddenSize], or [hiddenSize] without a batch. */
export type LSTMState = readonly [h: Tensor, c: Tensor];

/**
 * A step of a long short-term memory (Hochreiter and Schmidhuber 1997; PyTorch's `nn.LSTMCell`). With the gates input,
 * forget, candidate and output of weightIh · x + biasIh + weightHh · h + biasHh, the new cell state is
 * forget · c + input · candidate, and the new hidden state is output · tanh of it.
 * @example
 * ```ts
 * const cell = new nn.LSTMCell(8, 16);
 * let state = cell.forward(randn([4, 8])); // from a state of zeros
 * state = cell.forward(randn([4, 8]), state);
 * state[0].shape; // [4, 16]
 * ```
 */
export class LSTMCell extends Module {
  /** [4 · hiddenSize, inputSize]: rows for the input, the forget, the candidate and the output gate. */
  readonly weightIh: Tensor;
  /** [4 · hiddenSize, hiddenSize]. */
  readonly weightHh: Tensor;
  /** [4 · hiddenSize], or null. */
  readonly biasIh: Tensor | null;
  /** [4 · hiddenSize], or null. */
  readonly biasHh: Tensor | null;

  /**
   * All parameters start uniform in ±1 / √hiddenSize.
   * @param inputSize the size of the last dim of inputs
   * @param hiddenSize the size of the last dim of both states
   */
  constructor(inputSize: number, hiddenSize: number, options: BiasOptions = {}) {
    const { bias = true } = options;
    super();
    checkSizes('LSTMCell', { inputSize, hiddenSize });
    const bound = 1 / Math.sqrt(hiddenSize);
    this.weightIh = uniformParameter([4 * hiddenSize, inputSize], bound);
    this.weightHh = uniformParameter([4 * hiddenSize, hiddenSize], bound);
    this.biasIh = bias ? uniformParameter([4 * hiddenSize], bound) : null;
    this.biasHh = bias ? uniformParameter([4 * hiddenSize], bound) : null;
  }

  /**
   * The state after one more element of a sequence.
   * @param x [n, inputSize], or [inputSize]
   * @param state the state before it; by default zeros
   * @returns [h, c]
   * @throws ShapeError
   */
  forward(x: Tensor, state?: LSTMState): LSTMState {
    const [inputSize, hiddenSize] = [this.weightIh.shape[1] as number, this.weightHh.shape[1] as number];
    if ((x.ndim !== 1 && x.ndim !== 2) || x.shape.at(-1) !== inputSize)
      throw new ShapeError(`LSTMCell: expected input [n, ${inputSize}] or [${inputSize}], got ${formatShape(x.shape)}`);
    const shape = [...x.shape.slice(0, -1), hiddenSize];
    const [h, c] = state ?? [constantFor(x, 0, 'f32', shape), constantFor(x, 0, 'f32', shape)];
    for (const [name, part] of Object.entries({ h, c }))
      if (formatShape(part.shape) !== formatShape(shape))
        throw new ShapeError(
          `LSTMCell: expected ${name} of shape ${formatShape(shape)}, got ${formatShape(part.shape)}`,
        );
    const batch = (part: Tensor): Tensor => (part.ndim === 1 ? part.unsqueeze(0) : part);
    const next = rnnOps.lstmCell({
      a: F.linear(batch(x), this.weightIh, this.biasIh),
      b: F.linear(batch(h), this.weightHh, this.biasHh),
      cell: batch(c),
    });
    return x.ndim === 1 ? [next.h.squeeze(0), next.c.squeeze(0)] : [next.h, next.c];
  }

  protected override describe(): string {
    const [inputSize, hiddenSize] = [this.weightIh.shape[1], this.weightHh.shape[1]];
    return `${inputSize} → ${hiddenSize}${this.biasIh ? '' : ', no bias'}`;
  }
}
