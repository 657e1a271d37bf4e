// How an op becomes nodes: a writer for each, by families in rows/.

import { ArgumentError } from '../../memory/errors.ts';
import type { Input, OpName, OpTypes, Signature } from '../../ops/core.ts';
import type { Graph, Value } from './graph.ts';
import { isMoving, type Repeated, type Size, type Sizes } from './sizes.ts';

/** An operand of an op: its value, and its sizes. */
export interface Operand extends Value {
  readonly sizes: Sizes;
}

/** A call of an op, besides its operands and attributes. */
export interface Call {
  /** The op and the path of its module, as errors name them. */
  readonly title: string;
  /** What operands are, without a look at their values: an op may write over one that has none yet. */
  readonly given: Readonly<Record<string, { readonly sizes: Sizes; readonly type: number }>>;
  /** The sizes of the results, by name. */
  readonly results: Readonly<Record<string, Sizes>>;
  /** The sizes of the sole result. */
  readonly sizes: Sizes;
  /** An attribute that is one size, or a list of them, where they may depend on the batch. Others may not. */
  size(name: string): Size;
  list(name: string): Sizes;
  /** Such a list that is longer in some models, of one size throughout; null where it is none. */
  repeated(name: string): Repeated | null;
  /** A size that the nodes hold as a number. @throws ArgumentError where it depends on the batch */
  fixed(size: Size): number;
  /** @throws ArgumentError always: ONNX has no place for `what` */
  refuse(what: string): never;
}

type InputsOf<K extends OpName> = OpTypes[K]['inputs'];
type AttrsOf<K extends OpName> = OpTypes[K] extends Signature<infer _I, infer A, infer _O> ? A : never;
type Operands<I> = {
  readonly [N in keyof I]: I[N] extends Input<infer O, infer M>
    ? M extends true
      ? readonly Operand[]
      : O extends true
        ? Operand | null
        : Operand
    : never;
};

/** The sole result; or results, and inputs that are written, by name. */
export type Written = Value | Readonly<Record<string, Value>>;
export type Writer<K extends OpName> = (
  g: Graph,
  inputs: Operands<InputsOf<K>>,
  attrs: AttrsOf<K>,
  call: Call,
) => Written;
export type Writers = { readonly [K in OpName]?: Writer<K> };

/** A writer, its types forgotten. */
export type AnyWriter = (g: Graph, inputs: unknown, attrs: unknown, call: Call) => Written;

/** The sizes as numbers. @throws ArgumentError where one depends on the batch */
export const fixedSizes = (call: Call, sizes: Sizes): number[] => sizes.map((size) => call.fixed(size));

/** @throws ArgumentError where the version of the operators is too old for what `call` needs */
export function needOpset(g: Graph, call: Call, least: number): void {
  if (g.opset < least)
    throw new ArgumentError(
      `onnx: expected opset ${least} or later for ${call.title}, got ${g.opset}; export it with { opset: ${least} }`,
    );
}

export const isFixed = (sizes: Sizes): boolean => !sizes.some(isMoving);
