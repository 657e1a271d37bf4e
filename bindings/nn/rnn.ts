// Recurrent layers over whole sequences.
import { ops } from '../autograd.ts';
import { tensor } from '../creation.ts';
import * as F from '../functional/index.ts';
import { cat, reshape, select, stack, transpose } from '../functional/shape.ts';
import { ArgumentError, formatShape, named, ShapeError } from '../memory/errors.ts';
import { type Arguments, type Signature, signature } from '../signature.ts';
import { sameShape } from '../sizes.ts';
import { Tensor } from '../tensor.ts';
import type { BiasOptions } from './linear.ts';
import { Module } from './module.ts';
import { BY_ROW } from './names.ts';
import { checkSizes, describeCall, type Parameter, uniformParameter } from './parameter.ts';
import { checkNonlinearity, type LSTMState, pairKind } from './rnn-cells.ts';
import { type Nonlinearity, type RunLayer, runGRU, runLSTM, runRNN, type Weights } from './rnn-steps.ts';
import { type PackedSequence, sequenceKinds } from './utils/packed.ts';

const COMMON =
  'numLayers: int = 1, bias: bool = true, batchFirst: bool = false, dropout: number = 0, bidirectional: bool = false';
const HARDWARE = '-device: any = null, -dtype: any = null';
const ofLSTM = signature(`LSTM(inputSize: int, hiddenSize: int, ${COMMON}, projSize: int = 0, ${HARDWARE})`);
const ofGRU = signature(`GRU(inputSize: int, hiddenSize: int, ${COMMON}, ${HARDWARE})`);
const ofRNN = signature(
  `RNN(inputSize: int, hiddenSize: int, ${COMMON.replace(',', ", nonlinearity: 'tanh'|'relu' = 'tanh',")}, ${HARDWARE})`,
);
const ofLSTMForward = signature('LSTM.forward(x: Tensor|packed, hx: state|null = null)', {
  ...sequenceKinds,
  ...pairKind,
});
const ofGRUForward = signature('GRU.forward(x: Tensor|packed, hx: Tensor|null = null)', sequenceKinds);
const ofRNNForward = signature('RNN.forward(x: Tensor|packed, hx: Tensor|null = null)', sequenceKinds);

/** Options of {@link GRU}. */
export interface RecurrentOptions extends BiasOptions {
  /** How many layers there are, each on the results of the one before. @defaultValue 1 */
  numLayers?: number;
  /** Whether sequences are [n, time, size], not [time, n, size]; states are not concerned. @defaultValue false */
  batchFirst?: boolean;
  /** The probability that an element of what a layer gives the next one becomes 0 in training. @defaultValue 0 */
  dropout?: number;
  /**
   * Whether a second network of each layer goes from the end to the start; results stand side by side.
   * @defaultValue false
   */
  bidirectional?: boolean;
}

/** Options of {@link LSTM}. */
export interface LSTMOptions extends RecurrentOptions {
  /** The size that hidden states are projected to; 0: none. @defaultValue 0 */
  projSize?: number;
}

/** Options of {@link RNN}. */
export interface RNNOptions extends RecurrentOptions {
  /** What the new state is of the sum of both products. @defaultValue 'tanh' */
  nonlinearity?: Nonlinearity;
}

/** What a parameter is, in the names of those of a layer: `weightIhL0`, `biasHhL1Reverse`. */
type Role = 'weightIh' | 'weightHh' | 'biasIh' | 'biasHh' | 'weightHr';

/** What all recurrent layers are: parameters of every layer and direction, and a pass through all of them. */
abstract class Recurrent extends Module {
  /** @internal */
  readonly [BY_ROW] = true;
  /** The parameters by name: `weightIhL0`, `weightHhL0`, `weightIhL0Reverse` …; see the class. */
  [parameter: `${'weightIh' | 'weightHh' | 'weightHr'}L${number}${'' | 'Reverse'}`]: Parameter;
  /** The biases by name: `biasIhL0`, `biasHhL0`, `biasIhL0Reverse` …; see the class. */
  [parameter: `bias${'Ih' | 'Hh'}L${number}${'' | 'Reverse'}`]: Parameter;
  /** The size of the last dim of inputs. */
  readonly inputSize: number;
  /** How many units a layer has in each direction. */
  readonly hiddenSize: number;
  /** How many layers there are. */
  readonly numLayers: number;
  /** Whether products have biases. */
  readonly bias: boolean;
  /** Whether sequences are [n, time, size]. */
  batchFirst: boolean;
  /** The probability that an element between layers becomes 0 in training. */
  dropout: number;
  /** Whether each layer has a network of both directions. */
  readonly bidirectional: boolean;
  readonly #declared: Signature;
  readonly #hidden: number;

  protected constructor(gates: number, declared: Signature, values: readonly unknown[]) {
    super();
    this.#declared = declared;
    const name = declared.name;
    const given = Object.fromEntries(declared.parameters.map(({ name: key }, i) => [key, values[i]]));
    const {
      inputSize,
      hiddenSize,
      numLayers,
      bias,
      batchFirst,
      dropout,
      bidirectional,
      projSize = 0,
    } = given as never as Required<LSTMOptions> & { inputSize: number; hiddenSize: number };
    checkSizes(name, { inputSize, hiddenSize, numLayers });
    if (!(Number.isSafeInteger(projSize) && projSize >= 0 && projSize < hiddenSize))
      throw new ArgumentError(`${name}: expected projSize from 0 to ${hiddenSize - 1}, got ${projSize}`);
    this.inputSize = inputSize;
    this.hiddenSize = hiddenSize;
    this.numLayers = numLayers;
    this.bias = bias;
    this.batchFirst = batchFirst;
    this.dropout = dropout;
    this.bidirectional = bidirectional;
    this.#hidden = projSize || hiddenSize;
    this.#checkDropout();
    const bound = 1 / Math.sqrt(hiddenSize);
    const size = gates * hiddenSize;
    for (let layer = 0; layer < numLayers; layer++)
      for (const way of this.#ways()) {
        const add = (role: Role, shape: readonly number[]): void => {
          this.registerParameter(`${role}L${layer}${way}`, uniformParameter(shape, bound));
        };
        add('weightIh', [size, layer === 0 ? inputSize : this.#hidden * this.#ways().length]);
        add('weightHh', [size, this.#hidden]);
        if (bias) add('biasIh', [size]);
        if (bias) add('biasHh', [size]);
        if (projSize > 0) add('weightHr', [projSize, hiddenSize]);
      }
  }

  /** What the names of the parameters of each direction end in. */
  #ways(): readonly string[] {
    return this.bidirectional ? ['', 'Reverse'] : [''];
  }

  #checkDropout(): void {
    if (!(this.dropout >= 0 && this.dropout <= 1))
      throw new ArgumentError(`${this.#declared.name}: expected dropout from 0 to 1, got ${this.dropout}`);
  }

  /** The parameters of a direction of a layer. */
  #weights(layer: number, way: string): Weights {
    const fields = this as unknown as Record<string, Parameter | undefined>;
    const of = (role: Role): Parameter | null => fields[`${role}L${layer}${way}`] ?? null;
    return {
      weightIh: of('weightIh') as Parameter,
      weightHh: of('weightHh') as Parameter,
      biasIh: of('biasIh'),
      biasHh: of('biasHh'),
      weightHr: of('weightHr'),
    };
  }

  /** The parameters of every direction of every layer, in the order of states (PyTorch's `all_weights`). */
  get allWeights(): Parameter[][] {
    const lists: Parameter[][] = [];
    for (let layer = 0; layer < this.numLayers; layer++)
      for (const way of this.#ways()) {
        const { weightIh, weightHh, biasIh, biasHh, weightHr } = this.#weights(layer, way);
        lists.push([weightIh, weightHh, biasIh, biasHh, weightHr].filter((x) => x !== null));
      }
    return lists;
  }

  /** The passes through all layers over packed rows. @returns the rows, and the last states by layer and direction */
  #runLayers(x: Tensor, starts: readonly (readonly Tensor[] | null)[], batchSizes: readonly number[], run: RunLayer) {
    const ways = this.#ways();
    const states: (readonly Tensor[])[] = [];
    let rows = x;
    for (let layer = 0; layer < this.numLayers; layer++) {
      if (layer > 0 && this.dropout > 0) rows = F.dropout(rows, { p: this.dropout, training: this.training });
      const ys = ways.map((way, w) => {
        const ran = run(rows, this.#weights(layer, way), starts[states.length] ?? null, batchSizes, w > 0);
        states.push(ran.states);
        return ran.y;
      });
      rows = ys.length === 1 ? (ys[0] as Tensor) : cat(ys, 1);
    }
    return { rows, states };
  }

  /** The first states by layer and direction. @param given [layers · directions, n, size] each; null: zeros */
  #starts(n: number, alone: boolean, given: readonly Tensor[] | null, sizes: readonly number[]) {
    const count = this.numLayers * this.#ways().length;
    const names = ['h', 'c'];
    given?.forEach((part, i) => {
      const expected = [count, ...(alone ? [] : [n]), sizes[i] as number];
      if (!sameShape(part.sizes, expected))
        throw new ShapeError(
          `${this.#declared.name}: expected ${names[i]} of shape ${formatShape(expected)}, got ${formatShape(part.sizes)}`,
        );
    });
    const batched = given?.map((part) => (alone ? ops.unsqueeze({ x: part }, { dim: 1 }) : part));
    return Array.from({ length: count }, (_, i) => batched?.map((part) => select(part, 0, i)) ?? null);
  }

  /** What is read of a state with one tensor for each of the sizes. @internal */
  protected stateSizes(): number[] {
    return [this.#hidden];
  }

  /**
   * A pass. @param given states, each [layers · directions, n, size], or without n for one sequence; null: zeros
   * @internal
   */
  protected run(
    input: Tensor | PackedSequence,
    given: readonly Tensor[] | null,
    run: RunLayer,
  ): [Tensor | PackedSequence, Tensor[]] {
    this.#checkDropout();
    return input instanceof Tensor ? this.#runPadded(input, given, run) : this.#runPacked(input, given, run);
  }

  #checkWidth(x: Tensor, expected: string): void {
    if (x.sizes.at(-1) !== this.inputSize)
      throw new ShapeError(`${this.#declared.name}: expected ${expected}, got ${formatShape(x.sizes)}`);
  }

  #runPadded(input: Tensor, given: readonly Tensor[] | null, run: RunLayer): [Tensor, Tensor[]] {
    const { inputSize, batchFirst } = this;
    const expected = `input ${batchFirst ? `[n, time, ${inputSize}]` : `[time, n, ${inputSize}]`} or [time, ${inputSize}]`;
    if (input.ndim !== 2 && input.ndim !== 3)
      throw new ShapeError(`${this.#declared.name}: expected ${expected}, got ${formatShape(input.sizes)}`);
    this.#checkWidth(input, expected);
    const alone = input.ndim === 2;
    const x = alone ? ops.unsqueeze({ x: input }, { dim: 1 }) : batchFirst ? transpose(input, 0, 1) : input;
    const [time, n] = x.sizes as [number, number];
    if (time === 0)
      throw new ShapeError(`${this.#declared.name}: expected sequences of at least one element, got none`);
    const starts = this.#starts(n, alone, given, this.stateSizes());
    const { rows, states } = this.#runLayers(reshape(x, [time * n, inputSize]), starts, new Array(time).fill(n), run);
    const y = reshape(rows, [time, n, rows.sizes[1] as number]);
    const last = this.#join(states);
    if (alone) return [ops.squeeze({ x: y }, { dim: 1 }), last.map((part) => ops.squeeze({ x: part }, { dim: 1 }))];
    return [batchFirst ? transpose(y, 0, 1) : y, last];
  }

  #runPacked(input: PackedSequence, given: readonly Tensor[] | null, run: RunLayer): [PackedSequence, Tensor[]] {
    const { data, batchSizes, sortedIndices, unsortedIndices } = input;
    const expected = `packed data [rows, ${this.inputSize}]`;
    if (data.ndim !== 2)
      throw new ShapeError(`${this.#declared.name}: expected ${expected}, got ${formatShape(data.sizes)}`);
    this.#checkWidth(data, expected);
    const n = batchSizes[0] as number;
    if (n === 0) throw new ShapeError(`${this.#declared.name}: expected sequences of at least one element, got none`);
    /** The sequences of a state in another order. */
    const ordered = (x: Tensor, order: readonly number[] | null): Tensor =>
      order ? ops.indexSelect({ x, index: tensor(order, { dtype: 'i32' }) }, { dim: 1 }) : x;
    const starts = this.#starts(
      n,
      false,
      given?.map((part) => ordered(part, part.sizes[1] === n ? sortedIndices : null)) ?? null,
      this.stateSizes(),
    );
    const { rows, states } = this.#runLayers(data, starts, batchSizes, run);
    return [
      { data: rows, batchSizes, sortedIndices, unsortedIndices },
      this.#join(states).map((part) => ordered(part, unsortedIndices)),
    ];
  }

  /** The last states of all layers and directions, each [layers · directions, n, size]. */
  #join(states: readonly (readonly Tensor[])[]): Tensor[] {
    return (states[0] as readonly Tensor[]).map((_, k) => stack(states.map((each) => each[k] as Tensor)));
  }

  override extraRepr(): string {
    const fields = this as unknown as Record<string, unknown>;
    return describeCall(
      this.#declared,
      this.#declared.parameters.map(({ name, value }) => (Object.hasOwn(this, name) ? fields[name] : value)),
    );
  }
}

/** The sizes of recurrent layers, by position. */
export type RecurrentSizes = [inputSize: number, hiddenSize: number];
/** The optional arguments of recurrent layers, by position. */
export type RecurrentSettings = [
  numLayers: number,
  bias: boolean,
  batchFirst: boolean,
  dropout: number,
  bidirectional: boolean,
];

/**
 * Layers of long short-term memories over sequences (PyTorch's `nn.LSTM`); {@link LSTMCell} has the formulas. Of layer
 * k there are `weightIhLk` [4 · hiddenSize, its inputs], `weightHhLk` [4 · hiddenSize, hiddenSize], `biasIhLk` and
 * `biasHhLk`, with projections `weightHrLk` [projSize, hiddenSize], and for the way back the same with `Reverse`; all
 * start uniform in ±1 / √hiddenSize. The products of all inputs of a layer are one.
 * @example
 * ```ts
 * const lstm = new nn.LSTM(8, 16, { numLayers: 2, batchFirst: true });
 * const [output, [h, c]] = lstm.forward(randn([4, 10, 8]));
 * output.shape; // [4, 10, 16], the hidden states of the last layer
 * h.shape; // [2, 4, 16], the last ones of every layer, as c
 * ```
 */
export class LSTM extends Recurrent {
  /** The size that hidden states are projected to; 0: none. */
  readonly projSize: number;

  /** Layers for elements of `inputSize` and states of `hiddenSize` numbers. @throws ArgumentError */
  constructor(
    ...args: Arguments<
      RecurrentSizes,
      [...settings: RecurrentSettings, projSize: number],
      LSTMOptions,
      ['inputSize', 'hiddenSize']
    >
  ) {
    const values = ofLSTM.parse(args);
    super(4, ofLSTM, values);
    this.projSize = values[7] as number;
  }

  /**
   * The hidden states of the last layer for all elements, and the last states of all layers.
   * @param x [time, n, inputSize]; [n, time, inputSize] with `batchFirst`; [time, inputSize], one sequence; or packed
   * @param hx [h, c], the states before: h [numLayers · directions, n, hiddenSize or projSize], c of hiddenSize, both
   *   without n for one sequence; null: zeros
   * @returns [output, [h, c]]: output as x is, of directions · hiddenSize, or projSize, numbers
   * @throws ShapeError
   */
  forward(x: Tensor, hx?: LSTMState | null): [output: Tensor, hx: [h: Tensor, c: Tensor]];
  forward(x: PackedSequence, hx?: LSTMState | null): [output: PackedSequence, hx: [h: Tensor, c: Tensor]];
  forward(...args: unknown[]): [Tensor | PackedSequence, [h: Tensor, c: Tensor]] {
    try {
      const [x, hx] = ofLSTMForward.parse(args) as [Tensor, LSTMState | null];
      return this.run(x, hx, runLSTM) as [Tensor, [Tensor, Tensor]];
    } catch (error) {
      throw named(error, 'LSTM');
    }
  }

  /** @internal */
  protected override stateSizes(): number[] {
    return [...super.stateSizes(), this.hiddenSize];
  }
}

/**
 * Layers of gated recurrent units over sequences (PyTorch's `nn.GRU`); {@link GRUCell} has the formulas, {@link LSTM}
 * the names of the parameters, whose rows are for the reset gate, the update gate and the candidate.
 */
export class GRU extends Recurrent {
  /** Layers for elements of `inputSize` and states of `hiddenSize` numbers. @throws ArgumentError */
  constructor(...args: Arguments<RecurrentSizes, RecurrentSettings, RecurrentOptions, ['inputSize', 'hiddenSize']>) {
    super(3, ofGRU, ofGRU.parse(args));
  }

  /**
   * The hidden states of the last layer for all elements, and the last states of all layers.
   * @param x as {@link LSTM.forward} takes it
   * @param hx the states before, [numLayers · directions, n, hiddenSize], without n for one sequence; null: zeros
   * @returns [output, h]
   * @throws ShapeError
   */
  forward(x: Tensor, hx?: Tensor | null): [output: Tensor, h: Tensor];
  forward(x: PackedSequence, hx?: Tensor | null): [output: PackedSequence, h: Tensor];
  forward(...args: unknown[]): [Tensor | PackedSequence, Tensor] {
    try {
      const [x, hx] = ofGRUForward.parse(args) as [Tensor, Tensor | null];
      const [y, [h]] = this.run(x, hx && [hx], runGRU);
      return [y, h as Tensor];
    } catch (error) {
      throw named(error, 'GRU');
    }
  }
}

/**
 * Layers of Elman's network over sequences (PyTorch's `nn.RNN`); {@link RNNCell} has the formulas, {@link LSTM} the
 * names of the parameters, which have hiddenSize rows.
 */
export class RNN extends Recurrent {
  /** What the new state is of the sum of both products. */
  nonlinearity: Nonlinearity;

  /** Layers for elements of `inputSize` and states of `hiddenSize` numbers. @throws ArgumentError */
  constructor(
    ...args: Arguments<
      RecurrentSizes,
      [
        numLayers: number,
        nonlinearity: Nonlinearity,
        bias: boolean,
        batchFirst: boolean,
        dropout: number,
        bidirectional: boolean,
      ],
      RNNOptions,
      ['inputSize', 'hiddenSize']
    >
  ) {
    const values = ofRNN.parse(args);
    super(1, ofRNN, values);
    this.nonlinearity = values[3] as Nonlinearity;
  }

  /**
   * The hidden states of the last layer for all elements, and the last states of all layers.
   * @param x as {@link LSTM.forward} takes it
   * @param hx the states before, [numLayers · directions, n, hiddenSize], without n for one sequence; null: zeros
   * @returns [output, h]
   * @throws ShapeError; ArgumentError for a nonlinearity that there is not
   */
  forward(x: Tensor, hx?: Tensor | null): [output: Tensor, h: Tensor];
  forward(x: PackedSequence, hx?: Tensor | null): [output: PackedSequence, h: Tensor];
  forward(...args: unknown[]): [Tensor | PackedSequence, Tensor] {
    try {
      const [x, hx] = ofRNNForward.parse(args) as [Tensor, Tensor | null];
      checkNonlinearity(this.nonlinearity);
      const [y, [h]] = this.run(x, hx && [hx], runRNN(this.nonlinearity));
      return [y, h as Tensor];
    } catch (error) {
      throw named(error, 'RNN');
    }
  }
}
