// Recurrent cells: one step of a sequence at a call.
import { familyOps } from '../autograd.ts';
import { constantFor } from '../functional/arguments.ts';
import * as F from '../functional/index.ts';
import { formatShape, named, ShapeError } from '../memory/errors.ts';
import { rnnRows } from '../ops/rnn.ts';
import { type Arguments, signature } from '../signature.ts';
import { Tensor } from '../tensor.ts';
import type { BiasOptions } from './linear.ts';
import { Module } from './module.ts';
import { checkSizes, describeOptions, type Parameter, uniformParameter } from './parameter.ts';

const rnnOps = familyOps(rnnRows);

/** The hidden and the cell state of an {@link LSTMCell}, each [n, hiddenSize], or [hiddenSize] without a batch. */
export type LSTMState = readonly [h: Tensor, c: Tensor];

const ofCell = signature(
  'LSTMCell(inputSize: int, hiddenSize: int, bias: bool = true, -device: any = null, -dtype: any = null)',
);
const ofForward = signature('LSTMCell.forward(x: Tensor, hx: state|null = null)', {
  state: [
    (x) => Array.isArray(x) && x.length === 2 && x.every((part) => part instanceof Tensor),
    'a list [h, c] of tensors',
  ],
});

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
  weightIh: Parameter;
  /** [4 · hiddenSize, hiddenSize]. */
  weightHh: Parameter;
  /** [4 · hiddenSize], or null. */
  biasIh: Parameter | null;
  /** [4 · hiddenSize], or null. */
  biasHh: Parameter | null;

  /**
   * A cell for inputs of `inputSize` and states of `hiddenSize` numbers. All parameters start uniform in
   * ±1 / √hiddenSize.
   * @throws ArgumentError
   */
  constructor(...args: Arguments<[inputSize: number, hiddenSize: number], [bias: boolean], BiasOptions>) {
    super();
    const [inputSize, hiddenSize, bias] = ofCell.parse(args) as [number, number, boolean];
    checkSizes('LSTMCell', { inputSize, hiddenSize });
    const bound = 1 / Math.sqrt(hiddenSize);
    this.weightIh = this.registerParameter('weightIh', uniformParameter([4 * hiddenSize, inputSize], bound));
    this.weightHh = this.registerParameter('weightHh', uniformParameter([4 * hiddenSize, hiddenSize], bound));
    this.biasIh = this.registerParameter('biasIh', bias ? uniformParameter([4 * hiddenSize], bound) : null);
    this.biasHh = this.registerParameter('biasHh', bias ? uniformParameter([4 * hiddenSize], bound) : null);
  }

  /**
   * The state after one more element of a sequence.
   * @param x [n, inputSize], or [inputSize]
   * @param hx the state before it; null: zeros
   * @returns [h, c]
   * @throws ShapeError
   */
  forward(...args: [x: Tensor, hx?: LSTMState | null]): LSTMState {
    try {
      return this.#compute(...(ofForward.parse(args) as [Tensor, LSTMState | null]));
    } catch (error) {
      throw named(error, 'LSTMCell');
    }
  }

  #compute(x: Tensor, state: LSTMState | null): LSTMState {
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

  override extraRepr(): string {
    const [inputSize, hiddenSize] = [this.weightIh.shape[1], this.weightHh.shape[1]];
    return describeOptions({ inputSize, hiddenSize, bias: this.biasIh !== null });
  }
}
