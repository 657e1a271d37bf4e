// The messages of ONNX (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto), as one table that reading, writing and
// the types follow from. What stands in none of them, such as the annotations for training and for devices, is skipped.

/**
 * The fields of each message: `number type`, with `[]` where there may be many. `packed` says how many numbers are
 * written; read they are in either form.
 */
export const MESSAGES = {
  ModelProto: {
    irVersion: '1 int64',
    opsetImport: '8 OperatorSetIdProto[]',
    producerName: '2 string',
    producerVersion: '3 string',
    domain: '4 string',
    modelVersion: '5 int64',
    docString: '6 string',
    graph: '7 GraphProto',
    metadataProps: '14 StringStringEntryProto[]',
    functions: '25 FunctionProto[]',
  },
  OperatorSetIdProto: { domain: '1 string', version: '2 int64' },
  StringStringEntryProto: { key: '1 string', value: '2 string' },
  GraphProto: {
    node: '1 NodeProto[]',
    name: '2 string',
    initializer: '5 TensorProto[]',
    sparseInitializer: '15 SparseTensorProto[]',
    docString: '10 string',
    input: '11 ValueInfoProto[]',
    output: '12 ValueInfoProto[]',
    valueInfo: '13 ValueInfoProto[]',
    metadataProps: '16 StringStringEntryProto[]',
  },
  NodeProto: {
    input: '1 string[]',
    output: '2 string[]',
    name: '3 string',
    opType: '4 string',
    domain: '7 string',
    overload: '8 string',
    attribute: '5 AttributeProto[]',
    docString: '6 string',
    metadataProps: '9 StringStringEntryProto[]',
  },
  AttributeProto: {
    name: '1 string',
    refAttrName: '21 string',
    docString: '13 string',
    type: '20 int32',
    f: '2 float',
    i: '3 int64',
    s: '4 bytes',
    t: '5 TensorProto',
    g: '6 GraphProto',
    sparseTensor: '22 SparseTensorProto',
    tp: '14 TypeProto',
    floats: '7 float[]',
    ints: '8 int64[]',
    strings: '9 bytes[]',
    tensors: '10 TensorProto[]',
    graphs: '11 GraphProto[]',
    sparseTensors: '23 SparseTensorProto[]',
    typeProtos: '15 TypeProto[]',
  },
  TensorProto: {
    dims: '1 int64[]',
    dataType: '2 int32',
    segment: '3 Segment',
    floatData: '4 float[] packed',
    int32Data: '5 int32[] packed',
    stringData: '6 bytes[]',
    int64Data: '7 int64[] packed',
    name: '8 string',
    docString: '12 string',
    rawData: '9 bytes',
    externalData: '13 StringStringEntryProto[]',
    dataLocation: '14 int32',
    doubleData: '10 double[] packed',
    uint64Data: '11 uint64[] packed',
    metadataProps: '16 StringStringEntryProto[]',
  },
  Segment: { begin: '1 int64', end: '2 int64' },
  SparseTensorProto: { values: '1 TensorProto', indices: '2 TensorProto', dims: '3 int64[]' },
  ValueInfoProto: {
    name: '1 string',
    type: '2 TypeProto',
    docString: '3 string',
    metadataProps: '4 StringStringEntryProto[]',
  },
  TypeProto: {
    tensorType: '1 TensorType',
    sequenceType: '4 SequenceType',
    mapType: '5 MapType',
    opaqueType: '7 OpaqueType',
    sparseTensorType: '8 TensorType',
    optionalType: '9 OptionalType',
    denotation: '6 string',
  },
  TensorType: { elemType: '1 int32', shape: '2 TensorShapeProto' },
  SequenceType: { elemType: '1 TypeProto' },
  MapType: { keyType: '1 int32', valueType: '2 TypeProto' },
  OpaqueType: { domain: '1 string', name: '2 string' },
  OptionalType: { elemType: '1 TypeProto' },
  TensorShapeProto: { dim: '1 Dimension[]' },
  Dimension: { dimValue: '1 int64', dimParam: '2 string', denotation: '3 string' },
  FunctionProto: {
    name: '1 string',
    input: '4 string[]',
    output: '5 string[]',
    attribute: '6 string[]',
    attributeProto: '11 AttributeProto[]',
    node: '7 NodeProto[]',
    docString: '8 string',
    opsetImport: '9 OperatorSetIdProto[]',
    domain: '10 string',
    overload: '13 string',
    valueInfo: '12 ValueInfoProto[]',
    metadataProps: '14 StringStringEntryProto[]',
  },
} as const;

/** What says of an attribute which of its fields it has. */
export const ATTRIBUTE = {
  ...{ FLOAT: 1, INT: 2, STRING: 3, TENSOR: 4, GRAPH: 5, FLOATS: 6, INTS: 7, STRINGS: 8, TENSORS: 9, GRAPHS: 10 },
  ...{ SPARSE_TENSOR: 11, SPARSE_TENSORS: 12, TYPE_PROTO: 13, TYPE_PROTOS: 14 },
} as const;

/** The types of the elements of tensors. */
export const DATA = {
  ...{ FLOAT: 1, UINT8: 2, INT8: 3, UINT16: 4, INT16: 5, INT32: 6, INT64: 7, STRING: 8, BOOL: 9, FLOAT16: 10 },
  ...{ DOUBLE: 11, UINT32: 12, UINT64: 13, COMPLEX64: 14, COMPLEX128: 15, BFLOAT16: 16, FLOAT8E4M3FN: 17 },
  ...{ FLOAT8E4M3FNUZ: 18, FLOAT8E5M2: 19, FLOAT8E5M2FNUZ: 20, UINT4: 21, INT4: 22, FLOAT4E2M1: 23, FLOAT8E8M0: 24 },
  ...{ UINT2: 25, INT2: 26 },
} as const;

/** Where a tensor's data is: in the message, or in a file beside it. */
export const LOCATION = { DEFAULT: 0, EXTERNAL: 1 } as const;

type Table = typeof MESSAGES;
export type MessageName = keyof Table;

/** What fields hold; whole numbers of 64 bits are numbers where those are exact, and bigints beyond. */
export interface Scalars {
  int32: number;
  int64: number | bigint;
  uint64: number | bigint;
  float: number;
  double: number;
  string: string;
  bytes: Uint8Array;
}

type Of<Type> = Type extends keyof Scalars ? Scalars[Type] : Type extends MessageName ? Message<Type> : never;
/** Of packed floats, a typed array. */
type List<Type> = Type extends 'float' | 'double' ? ArrayLike<number> & Iterable<number> : readonly Of<Type>[];
type TypeOf<Field> = Field extends `${string} ${infer Type}` ? Type : never;
type ManyIn<Type> = Type extends `${infer One}[]${string}` ? One : never;

/** A message as it is read: what may be there many times is always a list, any other field may be absent. */
export type Message<Name extends MessageName> = {
  -readonly [F in keyof Table[Name] as ManyIn<TypeOf<Table[Name][F]>> extends never ? F : never]?: Of<
    TypeOf<Table[Name][F]>
  >;
} & {
  -readonly [F in keyof Table[Name] as ManyIn<TypeOf<Table[Name][F]>> extends never ? never : F]: List<
    ManyIn<TypeOf<Table[Name][F]>>
  >;
};

type DraftOf<Type> = Type extends keyof Scalars ? Scalars[Type] : Type extends MessageName ? Draft<Type> : never;
type DraftList<Type> = Type extends 'float' | 'double'
  ? ArrayLike<number> & Iterable<number>
  : readonly DraftOf<Type>[];

/** A message as it is written: what is absent is left out, and so is an empty list. */
export type Draft<Name extends MessageName> = {
  readonly [F in keyof Table[Name]]?: ManyIn<TypeOf<Table[Name][F]>> extends never
    ? DraftOf<TypeOf<Table[Name][F]>>
    : DraftList<ManyIn<TypeOf<Table[Name][F]>>>;
};

export type ModelProto = Message<'ModelProto'>;
export type GraphProto = Message<'GraphProto'>;
export type NodeProto = Message<'NodeProto'>;
export type AttributeProto = Message<'AttributeProto'>;
export type TensorProto = Message<'TensorProto'>;
export type SparseTensorProto = Message<'SparseTensorProto'>;
export type ValueInfoProto = Message<'ValueInfoProto'>;
export type TypeProto = Message<'TypeProto'>;
export type FunctionProto = Message<'FunctionProto'>;
