// What a row of the op table is. A family declares the signatures of its ops (inputs, attributes, results), adds them
// to OpTypes, and gives the rules after them: so the types of all ops come from signatures alone. Rows hold no state:
// they reach kernels through `Kernels` and other ops through `Ops`, both handed to them, so that the same row serves
// eager calls, tracing and derivatives of derivatives.
import type { Dtype, TypedArray } from '../dtypes.ts';
import type { EagerKernel } from '../kernels/eager.ts';
import { addKernels, type Kernels, type Probes } from '../kernels/table.ts';
import { GradError } from '../memory/errors.ts';
import type { Shape, Tensor } from '../tensor.ts';

export type { Kernels, Probes, Tensor };

/** What an input may be. */
export interface Input<O extends boolean = boolean, M extends boolean = boolean> {
  readonly dtypes: readonly Dtype[];
  /** Whether a call may leave it out, with null. */
  readonly optional: O;
  /** Whether it is a list of tensors. */
  readonly many: M;
  /** Whether it may have any strides; others are made contiguous first. */
  readonly strided: boolean;
  /** Whether the row writes it, in place. What is written is never copied first: it must be laid out as it is. */
  readonly writes: boolean;
}

/** `grad`: differentiable. `plain`: not. `aux`: saved for backward only, and freed at once where nobody records. */
export type Role = 'grad' | 'plain' | 'aux';
export interface Output<R extends Role = Role> {
  readonly role: R;
}

export type Inputs = Readonly<Record<string, Input>>;
export type Outputs = Readonly<Record<string, Output>>;
export interface Signature<I extends Inputs = Inputs, A = unknown, O extends Outputs = Outputs> {
  readonly inputs: I;
  readonly outputs: O;
  readonly attrs?: { readonly type?: A };
}

type Given<X> =
  X extends Input<infer O, infer M>
    ? M extends true
      ? readonly Tensor[]
      : O extends true
        ? Tensor | null
        : Tensor
    : never;
/** Tensors for the inputs of a call, by name. */
export type Tensors<I extends Inputs> = { readonly [K in keyof I]: Given<I[K]> };
/** Tensors of the results. */
export type Results<O extends Outputs> = { readonly [K in keyof O]: Tensor };

type Public<O extends Outputs> = { readonly [K in keyof O as O[K]['role'] extends 'aux' ? never : K]: Tensor };
type IsOne<K> = [K] extends [never]
  ? false
  : { [P in K & string]: [Exclude<K, P>] extends [never] ? true : false }[K & string] extends true
    ? true
    : false;
/** What a caller gets: the tensor, where there is one public result; else all public results by name. */
export type Result<O extends Outputs> = [keyof O] extends [never]
  ? undefined
  : IsOne<keyof Public<O>> extends true
    ? Tensor
    : Public<O>;

type GradNames<O extends Outputs> = { [K in keyof O]: O[K]['role'] extends 'grad' ? K : never }[keyof O];
/** Gradients of the differentiable results: null where there are several and nobody used this one. */
export type Grads<O extends Outputs> = {
  readonly [K in GradNames<O>]: IsOne<GradNames<O>> extends true ? Tensor : Tensor | null;
};

/** Families add their signatures: `declare module './core.ts' { interface OpTypes extends S {} }`. */
// biome-ignore lint/suspicious/noEmptyInterface: families fill it
export interface OpTypes {}
export type OpName = keyof OpTypes;
type Fn<S> =
  S extends Signature<infer I extends Inputs, infer A, infer O extends Outputs>
    ? (inputs: Tensors<I>, ...rest: A extends undefined ? [] : [attrs: A]) => Result<O>
    : never;
/** Every op, called with an object of its inputs by name and one of its attributes. */
export type Ops = { readonly [K in OpName]: Fn<OpTypes[K]> };

/** Makes a result: new, contiguous, its contents undefined. */
export type Make = (shape: Shape, dtype: Dtype) => Tensor;

/**
 * A result that shares the memory of input `x`. Strides and offset in elements; the offset counts from the block's
 * start.
 */
export interface View {
  readonly shape: Shape;
  readonly strides: readonly number[];
  readonly offset: number;
}

/** What backward() finds again of the forward call, by name: inputs and results. */
export type Saved<I extends Inputs, O extends Outputs, V extends keyof I | keyof O> = {
  readonly [K in V]: K extends keyof I ? Given<I[K]> : Tensor;
};
/** Shapes of all inputs, which are there whatever is saved; null for an absent one. */
export type Shapes<I extends Inputs> = {
  readonly [K in keyof I]: I[K] extends Input<infer N, infer M>
    ? M extends true
      ? readonly Shape[]
      : N extends true
        ? Shape | null
        : Shape
    : never;
};

/**
 * Gradients of inputs by name: null or absent where there is none. May have the result's shape: the walker undoes
 * broadcasts.
 */
export type InputGrads<I extends Inputs> = {
  readonly [K in keyof I]?:
    | (I[K] extends Input<boolean, infer M> ? (M extends true ? readonly (Tensor | null)[] : Tensor | null) : never)
    | undefined;
};

/** What backward() knows of the forward call besides what was saved. */
export interface Context<I extends Inputs> {
  readonly shapes: Shapes<I>;
  /** Which inputs want a gradient. */
  readonly needs: {
    readonly [K in keyof I]: I[K] extends Input<boolean, infer M>
      ? M extends true
        ? readonly boolean[]
        : boolean
      : never;
  };
  /**
   * Whether the walk itself is noted, for derivatives of derivatives: then gradients must be made of ops that have
   * some, where the fused one has none.
   */
  readonly noted: boolean;
}

/** A call of an op in the graph that compile() traced. */
export interface Call {
  readonly op: OpName;
  readonly row: Row;
  readonly inputs: Bag;
  readonly outputs: Readonly<Record<string, Tensor>>;
  readonly attrs: unknown;
}

/** What the graph around a call is like. Of what is written in place it says nothing. */
export interface Around<C extends Call> {
  /** The earlier call whose result x is, whole. */
  maker(x: Tensor): C | undefined;
  /** The calls that read x, in order. */
  readers(x: Tensor): readonly C[];
  /** Whether x may be read when the program is over. */
  lasts(x: Tensor): boolean;
  /** Memory of the program's own. */
  make(shape: Shape): Tensor;
}

/** Calls that stand in the place of one, with the same bits where they are read; and calls that are not needed then. */
export interface Rewritten<C extends Call> {
  readonly calls: readonly C[];
  readonly gone: readonly C[];
}

/** Finds what stands in the place of a call, and of others around it, in fewer or cheaper passes over memory. */
export type Rewrite = <C extends Call>(call: C, around: Around<C>) => Rewritten<C> | null;

interface Base<I extends Inputs, A, O extends Outputs> {
  /** The name for messages, where it says more than the op's: `conv2d` for a conv of two dims. */
  title?(inputs: Tensors<I>, attrs: A): string;
  readonly rewrite?: Rewrite;
  readonly saves?: readonly (keyof I | keyof O)[];
  readonly outputs?: unknown;
  readonly view?: unknown;
}

interface KernelRules<I extends Inputs, A, O extends Outputs> extends Base<I, A, O> {
  /** Checks shapes and attributes, then makes each result. @throws ShapeError, ArgumentError */
  outputs(make: Make, inputs: Tensors<I>, attrs: A, op: string): Results<O>;
  /** Checks of values, such as indices, that would send a kernel out of bounds. */
  check?(probes: Probes, inputs: Tensors<I>, attrs: A, op: string): void;
  /** Calls kernels. Looks at shapes, strides, dtypes and attributes only. Overwrites the results. */
  forward(k: Kernels, outputs: Results<O>, inputs: Tensors<I>, attrs: A): void;
  readonly view?: never;
  readonly host?: never;
}

interface ViewRules<I extends Inputs, A, O extends Outputs> extends Base<I, A, O> {
  /** Another look at the memory of the first input. @throws ShapeError, ArgumentError */
  view(inputs: Tensors<I>, attrs: A): View;
  readonly outputs?: never;
  readonly check?: never;
  readonly forward?: never;
  readonly host?: never;
}

/** Reads or writes numbers from JavaScript: `memory` is a tensor's part of the arena. */
interface HostRules<I extends Inputs, A, O extends Outputs> extends Base<I, A, O> {
  host(memory: (x: Tensor) => TypedArray, inputs: Tensors<I>, attrs: A): void;
  readonly outputs?: never;
  readonly check?: never;
  readonly forward?: never;
  readonly view?: never;
}

interface Backward<I extends Inputs, A, O extends Outputs, V extends keyof I | keyof O> {
  /** Which values backward needs. Others may be overwritten or freed meanwhile. */
  readonly saves?: readonly V[];
  /** The gradients of the inputs from those of the results. */
  backward(o: Ops, g: Grads<O>, saved: Saved<I, O, V>, attrs: A, context: Context<I>): InputGrads<I>;
}
interface NoBackward {
  readonly saves?: never;
  readonly backward?: never;
}

/** The rules of a row. One with a differentiable result has a backward, or it does not compile. */
export type Rules<I extends Inputs, A, O extends Outputs, V extends keyof I | keyof O> = (
  | KernelRules<I, A, O>
  | ViewRules<I, A, O>
  | HostRules<I, A, O>
) &
  ([GradNames<O>] extends [never] ? NoBackward : Backward<I, A, O, V>);

/** A row of the table, its types forgotten: what execute and the tape work with. */
export interface Row {
  readonly inputs: readonly (Input & { readonly name: string })[];
  readonly outputs: readonly (Output & { readonly name: string })[];
  /** The one public result, where there is one; callers get it without a name. */
  readonly sole: string | null;
  /** Results that have gradients. */
  readonly differentiable: readonly string[];
  /** Results that only backward reads. */
  readonly auxiliary: readonly string[];
  /** Whether it writes any of its inputs. */
  readonly writes: boolean;
  /** Whether its result is another look at its input: rules differ in shape, so that to ask them takes time. */
  readonly looks: boolean;
  readonly rules: AnyRules;
}

/** One tensor, none, or several. */
export type Slot = Tensor | null | readonly Tensor[];
export type Bag = Readonly<Record<string, Slot>>;
export interface AnyRules {
  title?(inputs: Bag, attrs: unknown): string;
  readonly rewrite?: Rewrite;
  outputs?(make: Make, inputs: Bag, attrs: unknown, op: string): Readonly<Record<string, Tensor>>;
  check?(probes: Probes, inputs: Bag, attrs: unknown, op: string): void;
  forward?(k: Kernels, outputs: Readonly<Record<string, Tensor>>, inputs: Bag, attrs: unknown): void;
  view?(inputs: Bag, attrs: unknown): View;
  host?(memory: (x: Tensor) => TypedArray, inputs: Bag, attrs: unknown): void;
  readonly saves?: readonly string[];
  backward?(
    o: Ops,
    g: Readonly<Record<string, Tensor | null>>,
    saved: Bag,
    attrs: unknown,
    context: { readonly shapes: unknown; readonly needs: unknown; readonly noted: boolean },
  ): Readonly<Record<string, Tensor | null | readonly (Tensor | null)[] | undefined>>;
}

const input = (...dtypes: Dtype[]): Input<false, false> => ({
  dtypes,
  optional: false,
  many: false,
  strided: false,
  writes: false,
});
export const f32 = input('f32');
export const i32 = input('i32');
export const u8 = input('u8');
export const numeric = input('f32', 'i32');
export const integers = input('i32', 'u8');
export const any = input('f32', 'i32', 'u8');
/** May be left out. */
/* @__NO_SIDE_EFFECTS__ */
export const maybe = <M extends boolean>(x: Input<false, M>): Input<true, M> => ({ ...x, optional: true });
/** Keeps its strides. */
/* @__NO_SIDE_EFFECTS__ */
export const strided = <N extends boolean, M extends boolean>(x: Input<N, M>): Input<N, M> => ({ ...x, strided: true });
/** Is written in place. */
/* @__NO_SIDE_EFFECTS__ */
export const inout = <N extends boolean, M extends boolean>(x: Input<N, M>): Input<N, M> => ({ ...x, writes: true });
/** A list of tensors. */
/* @__NO_SIDE_EFFECTS__ */
export const many = (x: Input<false, false>): Input<false, true> => ({ ...x, many: true });

export const grad: Output<'grad'> = { role: 'grad' };
export const plain: Output<'plain'> = { role: 'plain' };
export const aux: Output<'aux'> = { role: 'aux' };

/** Declares the type of the attributes: `attrs<{ dim: number }>()`. */
export const attrs = <A>(): { readonly type?: A } => ({});

/** Inputs, results and, where there are any, attributes of an op. */
/* @__NO_SIDE_EFFECTS__ */
export function signature<const I extends Inputs, const O extends Outputs>(
  inputs: I,
  outputs: O,
): Signature<I, undefined, O>;
export function signature<const I extends Inputs, const O extends Outputs, A>(
  inputs: I,
  outputs: O,
  attributes: { readonly type?: A },
): Signature<I, A, O>;
export function signature(inputs: Inputs, outputs: Outputs): Signature {
  return { inputs, outputs };
}

/** A row: a signature and its rules. */
export function row<I extends Inputs, A, O extends Outputs, const V extends keyof I | keyof O = never>(
  { inputs, outputs }: Signature<I, A, O>,
  rules: Rules<NoInfer<I>, NoInfer<A>, NoInfer<O>, V>,
): Row {
  const named = <X>(specs: Readonly<Record<string, X>>): (X & { readonly name: string })[] =>
    Object.entries(specs).map(([name, spec]) => ({ name, ...spec }));
  const results = named(outputs);
  const shown = results.filter(({ role }) => role !== 'aux');
  return {
    inputs: named(inputs),
    outputs: results,
    sole: shown.length === 1 ? (shown[0] as { name: string }).name : null,
    differentiable: results.filter(({ role }) => role === 'grad').map(({ name }) => name),
    auxiliary: results.filter(({ role }) => role === 'aux').map(({ name }) => name),
    writes: Object.values(inputs).some(({ writes }) => writes),
    looks: rules.view !== undefined,
    rules: rules as unknown as AnyRules,
  };
}

/**
 * Rows of a family, each bound to its own of the signatures: so a helper that makes several rows may type its rules by
 * the signature of one of them. Rows of another family, bound there, stay as they are. What nobody calls is left out of
 * bundles; see rows.ts.
 */
/* @__NO_SIDE_EFFECTS__ */
export function family<R extends Readonly<Record<string, Row>>>(
  signatures: Readonly<Record<string, Signature>>,
  rows: () => R,
): { readonly [K in keyof R]: Row } {
  const bound = Object.entries(rows()).map(([name, made]) => {
    const own = signatures[name];
    return [name, own ? row(own, made.rules as unknown as Rules<Inputs, unknown, Outputs, never>) : made];
  });
  return Object.fromEntries(bound);
}

/** Signatures of rows that call kernels outside of the core, which come with them. */
/* @__NO_SIDE_EFFECTS__ */
export function calling<S>(kernels: readonly EagerKernel[], signatures: S): S {
  addKernels(kernels);
  return signatures;
}

/** What a row calls for each dtype that it takes. */
export type ByDtype<F> = Partial<Readonly<Record<Dtype, F>>>;
/** The one for a dtype. @throws Error where a signature takes a dtype that its rules have nothing for */
export function byDtype<F>(choice: ByDtype<F>, dtype: Dtype): F {
  const found = choice[dtype];
  if (found === undefined) throw new Error(`expected one of ${Object.keys(choice).join(', ')}, got ${dtype}`);
  return found;
}

/** The backward of a backward row that has none of its own. @throws GradError always */
export function noSecondDerivative(op: string): never {
  throw new GradError(
    `${op}: expected one derivative, got a second one, which this op does not have; compose it of ops that do`,
  );
}
