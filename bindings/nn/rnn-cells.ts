// Recurrent cells: one step of a sequence at a call.
import { ops } from '../autograd.ts';
import { ArgumentError, formatShape, named, ShapeError } from '../memory/errors.ts';
import { type Arguments, type Signature, signature } from '../signature.ts';
import { sameShape } from '../sizes.ts';
import { Tensor } from '../tensor.ts';
import type { BiasOptions } from './linear.ts';
import { Module } from './module.ts';
import { BY_ROW } from './names.ts';
import { checkSizes, describeOptions, type Parameter, uniformParameter } from './parameter.ts';
import { type Nonlinearity, type RunLayer, runGRU, runLSTM, runRNN } from './rnn-steps.ts';

/** The hidden and the cell state of an {@link LSTMCell}, each [n, hiddenSize], or [hiddenSize] without a batch. */
export type LSTMState = readonly [h: Tensor, c: Tensor];

/** The kind of a state of two tensors. */
export const pairKind = {
  state: [
    (x: unknown) => Array.isArray(x) && x.length === 2 && x.every((part) => part instanceof Tensor),
    'a list [h, c] of tensors',
  ],
} as const;

const ofLSTM = signature(
  'LSTMCell(inputSize: int, hiddenSize: int, bias: bool = true, -device: any = null, -dtype: any = null)',
);
const ofGRU = signature(
  'GRUCell(inputSize: int, hiddenSize: int, bias: bool = true, -device: any = null, -dtype: any = null)',
);
const ofRNN = signature(
  "RNNCell(inputSize: int, hiddenSize: int, bias: bool = true, nonlinearity: 'tanh'|'relu' = 'tanh', -device: any = null, -dtype: any = null)",
);
const ofLSTMForward = signature('LSTMCell.forward(x: Tensor, hx: state|null = null)', pairKind);
const ofGRUForward = signature('GRUCell.forward(x: Tensor, hx: Tensor|null = null)');
const ofRNNForward = signature('RNNCell.forward(x: Tensor, hx: Tensor|null = null)');

/** What all cells have: two products, each with a bias. */
abstract class Cell extends Module {
  /** @internal */
  readonly [BY_ROW] = true;
  /** The size of the last dim of inputs. */
  readonly inputSize: number;
  /** The size of the last dim of states. */
  readonly hiddenSize: number;
  /** [gates · hiddenSize, inputSize]. */
  weightIh: Parameter;
  /** [gates · hiddenSize, hiddenSize]. */
  weightHh: Parameter;
  /** [gates · hiddenSize], or null. */
  biasIh: Parameter | null;
  /** [gates · hiddenSize], or null. */
  biasHh: Parameter | null;

  protected constructor(name: string, gates: number, inputSize: number, hiddenSize: number, bias: boolean) {
    super();
    checkSizes(name, { inputSize, hiddenSize });
    this.inputSize = inputSize;
    this.hiddenSize = hiddenSize;
    const bound = 1 / Math.sqrt(hiddenSize);
    const size = gates * hiddenSize;
    this.weightIh = this.registerParameter('weightIh', uniformParameter([size, inputSize], bound));
    this.weightHh = this.registerParameter('weightHh', uniformParameter([size, hiddenSize], bound));
    this.biasIh = this.registerParameter('biasIh', bias ? uniformParameter([size], bound) : null);
    this.biasHh = this.registerParameter('biasHh', bias ? uniformParameter([size], bound) : null);
  }

  /** The new states of a sequence of one element. @param names of the states @param given null: zeros @internal */
  protected run(x: Tensor, names: readonly string[], given: readonly Tensor[] | null, run: RunLayer): Tensor[] {
    const { inputSize, hiddenSize, weightIh, weightHh, biasIh, biasHh } = this;
    const op = this.constructor.name;
    if ((x.ndim !== 1 && x.ndim !== 2) || x.sizes.at(-1) !== inputSize)
      throw new ShapeError(`${op}: expected input [n, ${inputSize}] or [${inputSize}], got ${formatShape(x.sizes)}`);
    const shape = [...x.sizes.slice(0, -1), hiddenSize];
    for (const [i, part] of (given ?? []).entries())
      if (!sameShape(part.sizes, shape))
        throw new ShapeError(
          `${op}: expected ${names[i]} of shape ${formatShape(shape)}, got ${formatShape(part.sizes)}`,
        );
    const alone = x.ndim === 1;
    const batch = (part: Tensor): Tensor => (alone ? ops.unsqueeze({ x: part }, { dim: 0 }) : part);
    const rows = batch(x);
    const weights = { weightIh, weightHh, biasIh, biasHh, weightHr: null };
    const { states } = run(rows, weights, given?.map(batch) ?? null, [rows.sizes[0] as number], false);
    return states.map((part) => (alone ? ops.squeeze({ x: part }, { dim: 0 }) : part));
  }

  /** What is printed in the parentheses. */
  override extraRepr(): string {
    const { inputSize, hiddenSize, biasIh } = this;
    return describeOptions({ inputSize, hiddenSize, bias: biasIh !== null });
  }
}

const sizesOf = (declared: Signature, args: readonly unknown[]) =>
  declared.parse(args) as [inputSize: number, hiddenSize: number, bias: boolean, nonlinearity: unknown];

/** Arguments of {@link LSTMCell} and {@link GRUCell}. */
export type CellArguments = Arguments<
  [inputSize: number, hiddenSize: number],
  [bias: boolean],
  BiasOptions,
  ['inputSize', 'hiddenSize']
>;

/**
 * A step of a long short-term memory (Hochreiter and Schmidhuber 1997; PyTorch's `nn.LSTMCell`). With the gates input,
 * forget, candidate and output of weightIh · x + biasIh + weightHh · h + biasHh, the new cell state is
 * forget · c + input · candidate, and the new hidden state is output · tanh of it. Rows of the parameters are for the
 * input, the forget, the candidate and the output gate.
 * @example
 * ```ts
 * const cell = new nn.LSTMCell(8, 16);
 * let state = cell.forward(randn([4, 8])); // from a state of zeros
 * state = cell.forward(randn([4, 8]), state);
 * state[0].shape; // [4, 16]
 * ```
 */
export class LSTMCell extends Cell {
  /**
   * A cell for inputs of `inputSize` and states of `hiddenSize` numbers. All parameters start uniform in
   * ±1 / √hiddenSize.
   * @throws ArgumentError
   */
  constructor(...args: CellArguments) {
    const [inputSize, hiddenSize, bias] = sizesOf(ofLSTM, args);
    super('LSTMCell', 4, inputSize, hiddenSize, bias);
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
      const [x, hx] = ofLSTMForward.parse(args) as [Tensor, LSTMState | null];
      const [h, c] = this.run(x, ['h', 'c'], hx, runLSTM);
      return [h as Tensor, c as Tensor];
    } catch (error) {
      throw named(error, 'LSTMCell');
    }
  }
}

/**
 * A step of a gated recurrent unit (Cho et al. 2014; PyTorch's `nn.GRUCell`). With a = weightIh · x + biasIh and
 * b = weightHh · h + biasHh, each of a part for the reset gate, the update gate and the candidate, the new state is
 * update · h + (1 − update) · candidate, where the candidate is tanh(a + reset · b).
 */
export class GRUCell extends Cell {
  /** A cell; see {@link LSTMCell}. @throws ArgumentError */
  constructor(...args: CellArguments) {
    const [inputSize, hiddenSize, bias] = sizesOf(ofGRU, args);
    super('GRUCell', 3, inputSize, hiddenSize, bias);
  }

  /**
   * The state after one more element of a sequence.
   * @param x [n, inputSize], or [inputSize]
   * @param hx the state before it, [n, hiddenSize] or [hiddenSize]; null: zeros
   * @throws ShapeError
   */
  forward(...args: [x: Tensor, hx?: Tensor | null]): Tensor {
    try {
      const [x, hx] = ofGRUForward.parse(args) as [Tensor, Tensor | null];
      const [h] = this.run(x, ['h'], hx && [hx], runGRU);
      return h as Tensor;
    } catch (error) {
      throw named(error, 'GRUCell');
    }
  }
}

/** Options of {@link RNNCell}. */
export interface RNNCellOptions extends BiasOptions {
  /** What the new state is of the sum of both products. @defaultValue 'tanh' */
  nonlinearity?: Nonlinearity;
}

/**
 * A step of Elman's network (PyTorch's `nn.RNNCell`): the new state is tanh, or relu, of
 * weightIh · x + biasIh + weightHh · h + biasHh.
 */
export class RNNCell extends Cell {
  /** What the new state is of the sum of both products. */
  nonlinearity: Nonlinearity;

  /** A cell; see {@link LSTMCell}. @throws ArgumentError */
  constructor(
    ...args: Arguments<
      [inputSize: number, hiddenSize: number],
      [bias: boolean, nonlinearity: Nonlinearity],
      RNNCellOptions,
      ['inputSize', 'hiddenSize']
    >
  ) {
    const [inputSize, hiddenSize, bias, nonlinearity] = sizesOf(ofRNN, args);
    super('RNNCell', 1, inputSize, hiddenSize, bias);
    this.nonlinearity = nonlinearity as Nonlinearity;
  }

  /**
   * The state after one more element of a sequence.
   * @param x [n, inputSize], or [inputSize]
   * @param hx the state before it, [n, hiddenSize] or [hiddenSize]; null: zeros
   * @throws ShapeError; ArgumentError for a nonlinearity that there is not
   */
  forward(...args: [x: Tensor, hx?: Tensor | null]): Tensor {
    try {
      const [x, hx] = ofRNNForward.parse(args) as [Tensor, Tensor | null];
      const { nonlinearity } = this;
      checkNonlinearity(nonlinearity);
      const [h] = this.run(x, ['h'], hx && [hx], runRNN(nonlinearity));
      return h as Tensor;
    } catch (error) {
      throw named(error, 'RNNCell');
    }
  }

  /** What is printed in the parentheses. */
  override extraRepr(): string {
    const { nonlinearity } = this;
    return `${super.extraRepr()}, ${describeOptions({ nonlinearity })}`;
  }
}

/** @throws ArgumentError for a nonlinearity that there is not, as a field may have it */
export function checkNonlinearity(nonlinearity: string): asserts nonlinearity is Nonlinearity {
  if (nonlinearity !== 'tanh' && nonlinearity !== 'relu')
    throw new ArgumentError(`RNN: expected 'tanh' or 'relu' as nonlinearity, got ${nonlinearity}`);
}
