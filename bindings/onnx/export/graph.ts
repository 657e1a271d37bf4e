// A graph of ONNX as it grows: nodes, initializers, and names that nobody else has.
import type { Dtype } from '../../dtypes.ts';
import { ATTRIBUTE, DATA, type Draft } from '../messages.ts';
import { isMoving, linear, type Moving, namesIn, now, type Size, type Sizes, same, sum, textOf } from './sizes.ts';

/** A value of the graph: what carries it, and the type of its elements. */
export interface Value {
  readonly name: string;
  readonly type: number;
}

/** What an attribute is: whole numbers, texts, and other things as their message has them. */
export type Attribute =
  | number
  | string
  | readonly number[]
  | Pick<Draft<'AttributeProto'>, 'f' | 't' | 'g' | 'floats' | 'strings'>;

/** A float, which is no whole number. */
export const float = (f: number): Attribute => ({ f });

export const TYPES: Readonly<Record<Dtype, number>> = { f32: DATA.FLOAT, i32: DATA.INT32, u8: DATA.UINT8 };

type NodeDraft = Draft<'NodeProto'>;
type TensorDraft = Draft<'TensorProto'>;

const fieldsOf = (value: Attribute): Draft<'AttributeProto'> => {
  if (typeof value === 'number') return { i: value, type: ATTRIBUTE.INT };
  if (typeof value === 'string') return { s: new TextEncoder().encode(value), type: ATTRIBUTE.STRING };
  if ('f' in value) return { ...value, type: ATTRIBUTE.FLOAT };
  if ('t' in value) return { ...value, type: ATTRIBUTE.TENSOR };
  if ('g' in value) return { ...value, type: ATTRIBUTE.GRAPH };
  if ('floats' in value) return { ...value, type: ATTRIBUTE.FLOATS };
  if ('strings' in value) return { ...value, type: ATTRIBUTE.STRINGS };
  return { ints: value as readonly number[], type: ATTRIBUTE.INTS };
};

const arrays = {
  [DATA.FLOAT]: Float32Array,
  [DATA.INT32]: Int32Array,
  [DATA.UINT8]: Uint8Array,
  [DATA.BOOL]: Uint8Array,
} as const;

/** The bytes of numbers of a type. */
function bytesOf(values: ArrayLike<number>, type: number): Uint8Array {
  const array =
    type === DATA.INT64
      ? BigInt64Array.from(Array.from(values, (value) => BigInt(value)))
      : (arrays[type as keyof typeof arrays] as typeof Float32Array).from(values);
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** A tensor with its numbers. */
export const tensorOf = (values: ArrayLike<number>, type: number, dims: readonly number[]): TensorDraft => ({
  dims,
  dataType: type,
  rawData: bytesOf(values, type),
});

export class Graph {
  readonly opset: number;
  readonly nodes: NodeDraft[] = [];
  readonly initializers = new Map<string, TensorDraft>();
  /** The path of the module whose nodes are added now, as their names begin with: `/0/conv`. */
  path = '';
  readonly #taken = new Set<string>();
  readonly #known = new Map<string, Value>();
  readonly #sizeOf: (graph: Graph, name: string) => Value;

  /** @param sizeOf the size that a name stands for, a list of one number */
  constructor(opset: number, sizeOf: (graph: Graph, name: string) => Value) {
    this.opset = opset;
    this.#sizeOf = sizeOf;
  }

  /** `name`, or with a number behind it where that is taken. */
  claim(name: string): string {
    let free = name;
    for (let i = 1; this.#taken.has(free); i++) free = `${name}_${i}`;
    this.#taken.add(free);
    return free;
  }

  /**
   * Adds a node.
   * @param type of its result; default: that of its first input
   */
  node(
    opType: string,
    inputs: readonly (Value | null)[],
    attributes: Readonly<Record<string, Attribute>> = {},
    type = inputs[0]?.type as number,
  ): Value {
    return this.nodeOf(opType, inputs, attributes, [type])[0] as Value;
  }

  /** Adds a node with several results, of the types `types`. */
  nodeOf(
    opType: string,
    inputs: readonly (Value | null)[],
    attributes: Readonly<Record<string, Attribute>>,
    types: readonly number[],
  ): Value[] {
    const name = this.claim(`${this.path}/${opType}`);
    const outputs = types.map((type, i) => ({ name: this.claim(`${name}_output_${i}`), type }));
    const given = inputs.map((x) => x?.name ?? '');
    while (given.at(-1) === '') given.pop();
    this.nodes.push({
      opType,
      name,
      input: given,
      output: outputs.map((output) => output.name),
      attribute: Object.entries(attributes).map(([key, value]) => ({ name: key, ...fieldsOf(value) })),
    });
    return outputs;
  }

  /** What `make` makes, once for each key. */
  once(key: string, make: () => Value): Value {
    const known = this.#known.get(key) ?? make();
    this.#known.set(key, known);
    return known;
  }

  initializer(name: string, draft: TensorDraft): Value {
    const own = this.claim(name);
    this.initializers.set(own, { ...draft, name: own });
    return { name: own, type: draft.dataType as number };
  }

  /** Numbers that are no weights. Lists of floats are nodes, since who reads the model may train its initializers. */
  constant(values: ArrayLike<number>, type: number, dims: readonly number[]): Value {
    const make = (): Value => {
      const draft = tensorOf(values, type, dims);
      if (type !== DATA.FLOAT || dims.length === 0) return this.initializer('constant', draft);
      return this.node('Constant', [], { value: { t: draft } }, type);
    };
    if (values.length > 64) return make();
    return this.once(`${type} [${dims}] ${Array.from(values, (v) => (Object.is(v, -0) ? '-0' : v))}`, make);
  }

  /** A list of whole numbers, as shapes and axes are given. */
  ints(values: readonly number[]): Value {
    return this.constant(values, DATA.INT64, [values.length]);
  }

  /** One number without dims, f32 unless `type` says otherwise. */
  scalar(value: number, type: number = DATA.FLOAT): Value {
    return this.constant([value], type, []);
  }

  cast(x: Value, to: number): Value {
    return x.type === to ? x : this.once(`cast ${x.name} ${to}`, () => this.node('Cast', [x], { to }, to));
  }

  /** As conditions are. */
  bool(x: Value): Value {
    return this.cast(x, DATA.BOOL);
  }

  /** One type for all: of masks and bytes, bytes. */
  alike(values: readonly Value[]): Value[] {
    const [first] = values;
    return values.every(({ type }) => type === first?.type) ? [...values] : values.map((x) => this.cast(x, DATA.UINT8));
  }

  /** Masks and bytes as numbers that there is arithmetic for. */
  counted(x: Value): Value {
    return x.type === DATA.UINT8 || x.type === DATA.BOOL ? this.cast(x, DATA.INT32) : x;
  }

  /** A list of sizes. */
  sizes(sizes: Sizes): Value {
    if (!sizes.some(isMoving)) return this.ints(sizes as number[]);
    const parts = sizes.map((size) => (isMoving(size) ? this.#moving(size) : this.ints([size as number])));
    if (parts.length === 1) return parts[0] as Value;
    return this.once(`sizes ${sizes.map(textOf)}`, () => this.node('Concat', parts, { axis: 0 }));
  }

  #moving(size: Moving): Value {
    return this.once(`size ${textOf(size)}`, () => {
      const path = this.path;
      this.path = '';
      const parts = [...size.terms].map(([term, factor]) => {
        const values = namesIn(term).map((name) => this.#sizeOf(this, name));
        if (factor !== 1 || values.length === 0) values.push(this.ints([factor]));
        return values.reduce((a, b) => this.mul(a, b));
      });
      const value = parts.reduce((a, b) => this.add(a, b));
      this.path = path;
      return value;
    });
  }

  /**
   * In another shape.
   * @param from the sizes of x; without them all sizes that move but one are computed
   */
  reshape(x: Value, to: Sizes, from: Sizes = []): Value {
    if (from.length === to.length && from.every((size, d) => same(size, to[d] as Size))) return x;
    const moving = to.filter(isMoving);
    // 0 stands for the size of x there, and −1 for what is left: neither where there is nothing.
    if (moving.length === 0 || to.includes(0) || from.some((size) => size === 0))
      return this.node('Reshape', [x, this.sizes(to)], to.includes(0) ? { allowzero: 1 } : {});
    let kept = to.map((size, d) => (isMoving(size) && d < from.length && same(size, from[d] as Size) ? 0 : size));
    if (kept.filter(isMoving).length === 1) kept = kept.map((size) => (isMoving(size) ? -1 : size));
    return this.node('Reshape', [x, this.sizes(kept)]);
  }

  transpose(x: Value, perm: readonly number[]): Value {
    return perm.every((dim, d) => dim === d) ? x : this.node('Transpose', [x], { perm });
  }

  unsqueeze(x: Value, axes: readonly number[]): Value {
    return this.node('Unsqueeze', [x, this.ints(axes)]);
  }

  squeeze(x: Value, axes: readonly number[]): Value {
    return this.node('Squeeze', [x, this.ints(axes)]);
  }

  /** `length` elements along `axis` from `start` on, each `step`-th. */
  slice(x: Value, axis: number, start: Size, length: Size, step = 1): Value {
    const last = linear(length, step, 1 - step);
    const end =
      typeof last === 'number' && typeof start === 'number'
        ? Math.max(start, start + last)
        : sum(start, now(length) === 0 ? 0 : last);
    return this.node('Slice', [x, this.sizes([start]), this.sizes([end]), this.ints([axis]), this.ints([step])]);
  }

  /** A reduction along `axes`. */
  reduce(opType: string, x: Value, axes: readonly number[], keepdims: boolean): Value {
    const keep = Number(keepdims);
    if (this.opset >= 18 || opType === 'ReduceSum') return this.node(opType, [x, this.ints(axes)], { keepdims: keep });
    return this.node(opType, [x], { axes, keepdims: keep });
  }

  /** A tensor of one number everywhere. */
  filled(sizes: Sizes, value: number, type: number): Value {
    if (sizes.length === 0) return this.scalar(value, type);
    return this.node('ConstantOfShape', [this.sizes(sizes)], { value: { t: tensorOf([value], type, [1]) } }, type);
  }

  expand(x: Value, to: Sizes): Value {
    return this.node('Expand', [x, this.sizes(to)]);
  }

  // Arithmetic, of which the rules of ops are made.
  add = (a: Value, b: Value): Value => this.node('Add', [a, b]);
  sub = (a: Value, b: Value): Value => this.node('Sub', [a, b]);
  mul = (a: Value, b: Value): Value => this.node('Mul', [a, b]);
  div = (a: Value, b: Value): Value => this.node('Div', [a, b]);
  where = (condition: Value, a: Value, b: Value): Value => this.node('Where', [condition, a, b], {}, a.type);
  less = (a: Value, b: Value): Value => this.node('Less', [a, b], {}, DATA.BOOL);
  equal = (a: Value, b: Value): Value => this.node('Equal', [a, b], {}, DATA.BOOL);

  /** factor · x + more. */
  scale(x: Value, factor: number, more = 0): Value {
    const scaled = factor === 1 ? x : this.mul(x, this.scalar(factor, x.type));
    return more === 0 ? scaled : this.add(scaled, this.scalar(more, x.type));
  }
}
