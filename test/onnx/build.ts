// Small models, written by hand.
import { ATTRIBUTE, DATA, type Draft } from '../../bindings/onnx/messages.ts';
import { encode } from '../../bindings/onnx/proto.ts';

/** An attribute of whole numbers or text, a tensor or a graph. */
export function attribute(name: string, value: unknown): Draft<'AttributeProto'> {
  const text = (word: string): Uint8Array => new TextEncoder().encode(word);
  if (typeof value === 'string') return { name, type: ATTRIBUTE.STRING, s: text(value) };
  if (Number.isInteger(value)) return { name, type: ATTRIBUTE.INT, i: value as number };
  if (typeof value === 'number') return { name, type: ATTRIBUTE.FLOAT, f: value };
  if (Array.isArray(value)) return { name, type: ATTRIBUTE.INTS, ints: value };
  return 'dataType' in (value as object)
    ? { name, type: ATTRIBUTE.TENSOR, t: value as object }
    : { name, type: ATTRIBUTE.GRAPH, g: value as object };
}

/** `node('Conv', ['x', 'w'], ['y'], { group: 2 })`. */
export const node = (
  opType: string,
  input: readonly string[],
  output: readonly string[],
  attributes: Readonly<Record<string, unknown>> = {},
  more: Draft<'NodeProto'> = {},
): Draft<'NodeProto'> => ({
  opType,
  input,
  output,
  attribute: Object.entries(attributes).map(([name, value]) => attribute(name, value)),
  ...more,
});

export const floats = (name: string, dims: readonly number[], data: readonly number[]): Draft<'TensorProto'> => ({
  name,
  dims,
  dataType: DATA.FLOAT,
  floatData: data,
});
export const whole = (name: string, dims: readonly number[], data: readonly number[]): Draft<'TensorProto'> => ({
  name,
  dims,
  dataType: DATA.INT64,
  int64Data: data,
});

/** An input or a result; a word is a size that may differ. */
export const value = (
  name: string,
  shape: readonly (number | string)[],
  elemType: number = DATA.FLOAT,
): Draft<'ValueInfoProto'> => ({
  name,
  type: {
    tensorType: {
      elemType,
      shape: { dim: shape.map((size) => (typeof size === 'number' ? { dimValue: size } : { dimParam: size })) },
    },
  },
});

/** The bytes of a model. */
export const model = (graph: Draft<'GraphProto'>, more: Draft<'ModelProto'> = {}): Uint8Array =>
  encode('ModelProto', { irVersion: 8, opsetImport: [{ domain: '', version: 17 }], graph, ...more });
