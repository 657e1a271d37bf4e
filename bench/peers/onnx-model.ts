// Writes ONNX models of one or two nodes: the few protobuf messages that takes, by hand.

type Attribute = number | readonly number[] | { readonly float: number };

export interface Node {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly output: string;
  /** Whole numbers, lists of them, or floats marked as such. */
  readonly attributes?: Readonly<Record<string, Attribute>>;
}

/** Name, element type and shape of an input or output. */
export interface Value {
  readonly name: string;
  readonly type: 'f32' | 'i32' | 'i64';
  readonly shape: readonly number[];
}

const TYPES = { f32: 1, i32: 6, i64: 7 } as const;
const IR_VERSION = 9;
const OPSET = 20; // the first with Gelu

function varint(n: number): number[] {
  return n < 0x80 ? [n] : [(n & 0x7f) | 0x80, ...varint(Math.floor(n / 128))];
}
const int = (field: number, n: number): number[] => [...varint(field << 3), ...varint(n)];
const bytes = (field: number, body: readonly number[]): number[] => [
  ...varint((field << 3) | 2),
  ...varint(body.length),
  ...body,
];
const text = (field: number, value: string): number[] => bytes(field, [...new TextEncoder().encode(value)]);
const float = (field: number, value: number): number[] => [
  ...varint((field << 3) | 5),
  ...new Uint8Array(Float32Array.of(value).buffer),
];

/** AttributeProto. */
function attribute(name: string, value: Attribute): number[] {
  if (typeof value === 'number') return [...text(1, name), ...int(3, value), ...int(20, 2)];
  if ('float' in value) return [...text(1, name), ...float(2, value.float), ...int(20, 1)];
  return [...text(1, name), ...value.flatMap((item) => int(8, item)), ...int(20, 7)];
}

/** NodeProto. */
function node({ op, inputs, output, attributes = {} }: Node): number[] {
  return [
    ...inputs.flatMap((name) => text(1, name)),
    ...text(2, output),
    ...text(4, op),
    ...Object.entries(attributes).flatMap(([name, value]) => bytes(5, attribute(name, value))),
  ];
}

/** ValueInfoProto. */
function value({ name, type, shape }: Value): number[] {
  const dims = shape.flatMap((size) => bytes(1, int(1, size)));
  const tensor = [...int(1, TYPES[type]), ...bytes(2, dims)];
  return [...text(1, name), ...bytes(2, bytes(1, tensor))];
}

/** ModelProto of a graph. */
export function model(nodes: readonly Node[], inputs: readonly Value[], output: Value): Uint8Array {
  const graph = [
    ...nodes.flatMap((item) => bytes(1, node(item))),
    ...text(2, 'bench'),
    ...inputs.flatMap((item) => bytes(11, value(item))),
    ...bytes(12, value(output)),
  ];
  return Uint8Array.from([...int(1, IR_VERSION), ...bytes(7, graph), ...bytes(8, int(2, OPSET))]);
}
