// What a row of the op table is. Rows hold no state: they reach kernels through `Kernels` and other ops through `Ops`, both
// handed to them, so that the same row serves eager calls, recording and derivatives of derivatives.
import type { Kernels, Probes } from '../runtime/commands.ts';
import { GradError } from '../runtime/errors.ts';
import type { Dtype, Shape, Tensor } from '../tensor.ts';
import type { OpName, Ops } from './table.ts';

export type { Kernels, Ops, Probes, Tensor };

/** Shape and dtype of a result. */
export interface Meta {
  readonly shape: Shape;
  readonly dtype: Dtype;
}

/** A result that shares the memory of the first input. Offset and strides in elements; offset counts from the block's start. */
export interface View {
  readonly shape: Shape;
  readonly strides: readonly number[];
  readonly offset: number;
}

type Input = Tensor | null;
/** The tensors at the front of an op's parameters … */
export type InputsOf<K extends OpName> =
  Parameters<Ops[K]> extends readonly [...infer T extends readonly Input[], infer A]
    ? A extends Input
      ? Parameters<Ops[K]>
      : T
    : Parameters<Ops[K]>;
/** … and the attributes behind them. */
export type AttrsOf<K extends OpName> =
  Parameters<Ops[K]> extends readonly [...(readonly Input[]), infer A] ? (A extends Input ? undefined : A) : undefined;

/** What backward() finds again of the forward call. */
export interface Saved<I, A> {
  /** Only the shapes are sure to be there unless the row saves `inputs`. */
  readonly inputs: I;
  /** The results, auxiliary ones included; only where the row saves `output`. */
  readonly outputs: readonly Tensor[];
  readonly attrs: A;
  /** Which inputs want a gradient. */
  readonly needs: readonly boolean[];
}

export type Saves = 'none' | 'inputs' | 'output' | 'both';

/** One gradient per input: null where there is none. May have the output's (broadcast) shape: the walker undoes that. */
export type Gradients = readonly (Tensor | null)[];

interface RowBase<I, A> {
  /** Inputs may have any strides; without it they are made contiguous first. */
  readonly strided?: boolean;
  /** Which values backward needs. Others may be overwritten or freed meanwhile. */
  readonly saves: Saves;
  /** The gradients of the inputs from the gradient of the (first) output; absent where no input has one. */
  backward?(o: Ops, g: Tensor, saved: Saved<I, A>): Gradients;
}

/** An op that computes. */
export interface KernelRow<I, A> extends RowBase<I, A> {
  /**
   * Shapes and dtypes of the results, after checking those of the inputs. The first is the differentiable one; further ones
   * are auxiliary: backward reads them, and they are freed with it.
   * @throws ShapeError, DtypeError, ArgumentError
   */
  infer(inputs: I, attrs: A): readonly Meta[];
  /** Checks of values, such as indices, that would send a kernel out of bounds. */
  check?(probes: Probes, inputs: I, attrs: A): void;
  /** Overwrites the outputs, which are contiguous. */
  forward(k: Kernels, outputs: readonly Tensor[], inputs: I, attrs: A): void;
}

/** An op that only looks at the same memory in another way. */
export interface ViewRow<I, A> extends RowBase<I, A> {
  view(inputs: I, attrs: A): View;
}

export type Row<K extends OpName> = KernelRow<InputsOf<K>, AttrsOf<K>> | ViewRow<InputsOf<K>, AttrsOf<K>>;
/** The rows of one family. */
export type Rows<F> = { readonly [K in keyof F & OpName]: Row<K> };

/** The backward of a backward row that has none of its own. @throws GradError always */
export function noSecondDerivative(op: string): () => never {
  return () => {
    throw new GradError(
      `${op}: expected one derivative, got a second one, which this op does not have; compose it of ops that do`,
    );
  };
}
