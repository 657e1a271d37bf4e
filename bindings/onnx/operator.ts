// What an operator is: what it takes, of which types its results are, and how they are computed.
import { cast } from '../functional/arguments.ts';
import { ArgumentError, FormatError } from '../memory/errors.ts';
import type { Shape, Tensor } from '../tensor.ts';
import type { GraphProto, TensorProto } from './messages.ts';
import { type ElementType, HostArray, isFloat, numbersOf, tensorOf, type Value } from './values.ts';

/** The value of an attribute; null where it has none. */
export type Attribute = number | string | readonly number[] | readonly string[] | TensorProto | GraphProto | null;

/** A graph within a node: from its inputs to its outputs. */
export interface Body {
  readonly inputs: number;
  readonly types: readonly ElementType[];
  run(inputs: readonly (Value | null)[]): readonly Value[];
}

/** A node as it is run. */
export interface Node {
  readonly name: string;
  readonly op: string;
  readonly operator: Operator;
  /** The version of the set of operators that it means. */
  readonly opset: number;
  readonly attributes: Readonly<Record<string, Attribute>>;
  /** Of its inputs; 0 where there is none. */
  readonly types: readonly ElementType[];
  /** Which of its results anybody reads. */
  readonly wanted: readonly boolean[];
  /** Of its results. */
  readonly given: readonly ElementType[];
}

/** Types of results by those of inputs. */
export type TypeRule = (node: Omit<Node, 'given'>, bodies: Readonly<Record<string, Body>>) => readonly ElementType[];

/** One row of the table of operators. */
export interface Operator {
  /**
   * Names of the inputs, then, behind a `|`, of the attributes. `X?` may be missing, `X...` is one or more; `X#` is
   * read as numbers of the host, and `X~` is no parameter: a list of constants that nothing trains. Attributes are
   * `name=default`, or `name:kind` where there is no default, with the kinds int, ints, float, floats, text, texts,
   * tensor and graph; `name!:kind` has to be there.
   */
  readonly takes: string;
  /** Types of results; by default all are of the type of the first input. */
  readonly types?: TypeRule;
  /** Computes on the host, where all inputs are there; undefined: as tensors. */
  readonly host?: (call: Call, ...inputs: HostArray[]) => Value | readonly Value[] | undefined;
  readonly run: (call: Call) => Value | readonly (Value | null)[];
}

export type Family = Readonly<Record<string, Operator>>;

/** What an operator's text says. */
export interface Takes {
  readonly inputs: readonly { readonly name: string; readonly host: boolean; readonly constant: boolean }[];
  readonly least: number;
  readonly variadic: boolean;
  readonly attributes: ReadonlyMap<
    string,
    { readonly kind: string; readonly value: Attribute; readonly needed: boolean }
  >;
}

const taken = new WeakMap<Operator, Takes>();

export function takesOf(operator: Operator): Takes {
  const known = taken.get(operator);
  if (known) return known;
  const [front = '', back = ''] = operator.takes.split('|');
  const words = front.split(' ').filter((word) => word !== '');
  const attributes = back
    .split(' ')
    .filter((word) => word !== '')
    .map((word) => {
      const [, name = '', needed, kind, text] = /^(\w+)(!?)(?::(\w+)|=(.*))$/.exec(word) ?? [];
      const value = text === undefined ? null : text !== '' && !Number.isNaN(Number(text)) ? Number(text) : text;
      return [
        name,
        { kind: kind ?? (typeof value === 'number' ? 'float' : 'text'), value, needed: needed === '!' },
      ] as const;
    });
  const takes = {
    inputs: words.map((word) => ({
      name: word.replace(/[^\w]/g, ''),
      host: word.includes('#'),
      constant: word.includes('~'),
    })),
    least: words.findIndex((word) => word.includes('?')),
    variadic: words.at(-1)?.includes('...') ?? false,
    attributes: new Map(attributes),
  };
  if (takes.least < 0) takes.least = words.length;
  taken.set(operator, takes);
  return takes;
}

/** A node at work. */
export class Call {
  readonly node: Node;
  readonly values: readonly (Value | null)[];
  readonly bodies: Readonly<Record<string, Body>>;
  /** Whether the module is in training mode. */
  readonly training: boolean;

  constructor(
    node: Node,
    values: readonly (Value | null)[],
    bodies: Readonly<Record<string, Body>>,
    training: boolean,
  ) {
    this.node = node;
    this.values = values;
    this.bodies = bodies;
    this.training = training;
  }

  get opset(): number {
    return this.node.opset;
  }

  has(i: number): boolean {
    return (this.values[i] ?? null) !== null;
  }

  value(i: number): Value {
    const value = this.values[i] ?? null;
    if (value === null) throw new FormatError(`${this.node.op}: expected an input ${i}, got none; mend the model`);
    return value;
  }

  sizes(i = 0): Shape {
    return this.value(i).sizes;
  }

  type(i = 0): ElementType {
    return this.node.types[i] ?? 0;
  }

  isFloat(i = 0): boolean {
    return isFloat(this.type(i));
  }

  /** An input as a tensor. */
  x(i = 0): Tensor {
    return tensorOf(this.value(i), this.type(i));
  }

  /** An input as a tensor of f32. */
  float(i = 0): Tensor {
    return cast(this.x(i), 'f32');
  }

  /** An input of indices. */
  index(i: number): Tensor {
    return cast(this.x(i), 'i32');
  }

  maybe(i: number): Tensor | null {
    return this.has(i) ? this.x(i) : null;
  }

  /** A tensor, or the number that is the only one of it. */
  operand(i: number): Tensor | number {
    const value = this.value(i);
    return value instanceof HostArray && value.sizes.length === 0 ? (value.data[0] as number) : this.x(i);
  }

  /** An input as numbers of the host. */
  list(i: number): readonly number[] {
    return numbersOf(this.value(i), this.node.op);
  }

  /** The one number of an input, or `otherwise` where it is not there. */
  number(i: number, otherwise?: number): number {
    if (!this.has(i) && otherwise !== undefined) return otherwise;
    const [value] = this.list(i);
    if (value === undefined) throw new FormatError(`${this.node.op}: expected a number as input ${i}, got none`);
    return value;
  }

  /** A list that is an input, or else an attribute; null where it is neither. */
  listOr(i: number, name: string): readonly number[] | null {
    return this.has(i) ? this.list(i) : this.ints(name);
  }

  #attribute(name: string): Attribute {
    return this.node.attributes[name] ?? null;
  }

  /** A number that is an attribute; null, whatever the type says, where it is left out and has no default. */
  attr(name: string): number {
    return this.#attribute(name) as number;
  }

  ints(name: string): readonly number[] | null {
    return this.#attribute(name) as readonly number[] | null;
  }

  texts(name: string): readonly string[] | null {
    return this.#attribute(name) as readonly string[] | null;
  }

  text(name: string): string {
    return this.#attribute(name) as string;
  }

  /** One of `words`, which is what an attribute says. @throws ArgumentError for any other */
  word<W extends string>(name: string, ...words: readonly W[]): W {
    const text = this.text(name);
    if (!words.includes(text as W))
      throw new ArgumentError(
        `${this.node.op}: expected ${name} to be one of ${words.map((word) => `'${word}'`).join(', ')}, got '${text}'`,
      );
    return text as W;
  }

  /** The dim of `axis` among `rank`. @throws ArgumentError */
  axis(axis: number, rank: number): number {
    const dim = axis < 0 ? axis + rank : axis;
    if (!(Number.isInteger(dim) && dim >= 0 && dim < Math.max(rank, 1)))
      throw new ArgumentError(`${this.node.op}: expected an axis of ${rank} dims, got ${axis}; mend the model`);
    return dim;
  }

  wants(i: number): boolean {
    return this.node.wanted[i] ?? false;
  }
}

/** Results of one type. */
export const always =
  (type: ElementType): TypeRule =>
  ({ wanted }) =>
    wanted.map(() => type);
/** Results of the types of these inputs, one each. */
export const like =
  (...inputs: readonly number[]): TypeRule =>
  ({ types }) =>
    inputs.map((i) => types[i] ?? 0);
/** Results of the type of the first input, but for those that are listed. */
export const first =
  (...others: readonly ElementType[]): TypeRule =>
  ({ types }) => [types[0] ?? 0, ...others];
