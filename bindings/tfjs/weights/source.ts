// Where weights are: a LayersModel, or what its files hold.
import { fromFloat16 } from '../../data/half.ts';
import { ArgumentError, FormatError } from '../../memory/errors.ts';
import { numelOf } from '../../sizes.ts';
import { engineNow } from '../engine.ts';
import { dequantized } from './numbers.ts';

/** How a weight is stored in fewer bits. */
export interface Quantization {
  /** What is stored: `'uint8'`, `'uint16'` or `'float16'`. */
  readonly dtype: string;
  /** Of whole numbers q: the weight is scale q + min. */
  readonly scale?: number;
  /** See {@link Quantization.scale}. */
  readonly min?: number;
}

/** A weight in the files of a model. */
export interface WeightSpec {
  /** That of the layer, and of the weight in it: `dense_Dense1/kernel`. */
  readonly name: string;
  /** Sizes, outermost first. */
  readonly shape: readonly number[];
  /** The element type. */
  readonly dtype: string;
  /** Present where the numbers are stored in fewer bits. */
  readonly quantization?: Quantization;
}

/** What the files of a LayersModel hold: what handlers of `tf.io` load and save, or model.json with its shards. */
export interface ModelFiles {
  /** The layers, as JSON. */
  readonly modelTopology?: unknown;
  /** The weights in the order of their bytes. */
  readonly weightSpecs?: readonly WeightSpec[];
  /** The same, as model.json has it. */
  readonly weightsManifest?: readonly {
    /** The files of the bytes, beside model.json. */
    readonly paths?: readonly string[];
    /** The weights in the order of their bytes. */
    readonly weights: readonly WeightSpec[];
  }[];
  /** The bytes of all shards, in their order. */
  readonly weightData?: ArrayBuffer | readonly ArrayBuffer[];
}

/** A variable of a layer. */
interface LayerVariable {
  readonly originalName: string;
  readonly shape: readonly (number | null)[];
  read(): { dataSync(): ArrayLike<number> };
  write(value: object): unknown;
}

/** A LayersModel of TensorFlow.js, as far as this package knows it. */
export interface LayersModelLike {
  /** All weights. */
  readonly weights: readonly object[];
  /** The topology. */
  toJSON(unused?: unknown, returnString?: boolean): unknown;
}

/** A weight by its name. */
export interface Weight {
  readonly shape: readonly number[];
  data(): Float32Array;
}

export interface Source {
  readonly topology: unknown;
  readonly weights: ReadonlyMap<string, Weight>;
  /** Replaces weights. @returns the source with them */
  write(next: ReadonlyMap<string, Float32Array>): unknown;
}

function ofModel(op: string, model: LayersModelLike): Source {
  const variables = new Map((model.weights as readonly LayerVariable[]).map((one) => [one.originalName, one]));
  return {
    topology: model.toJSON(null, false),
    weights: new Map(
      Array.from(variables, ([name, variable]) => [
        name,
        { shape: variable.shape as number[], data: () => Float32Array.from(variable.read().dataSync()) },
      ]),
    ),
    write(next) {
      const engine = engineNow() as unknown as
        | { makeTensor(values: Float32Array, shape: readonly number[], dtype: string): { dispose(): void } }
        | undefined;
      if (!engine) throw new ArgumentError(`${op}: expected TensorFlow.js to be loaded, got none; import it first`);
      for (const [name, values] of next) {
        const variable = variables.get(name) as LayerVariable;
        const x = engine.makeTensor(values, variable.shape as number[], 'float32');
        variable.write(x);
        x.dispose();
      }
      return model;
    },
  };
}

/** Bytes of an element in the files. */
const WIDTHS: Readonly<Record<string, number>> = { float32: 4, int32: 4, bool: 1, uint8: 1, uint16: 2, float16: 2 };

/** The bytes of a weight in the files. @throws FormatError where they are stored in no known way */
function bytesOf(op: string, { name, shape, dtype, quantization }: WeightSpec): number {
  const stored = quantization?.dtype ?? dtype;
  const width = Object.hasOwn(WIDTHS, stored) ? (WIDTHS[stored] as number) : 0;
  const isWhole = /^uint/.test(stored);
  const scaled = typeof quantization?.scale === 'number' && typeof quantization.min === 'number';
  if (width === 0 || (isWhole && !scaled))
    throw new FormatError(
      `${op}: expected float32, int32 or bool for weight ${name}, or quantization to uint8, uint16 with scale and min, or float16, got ${width && isWhole ? `${stored} without them` : stored}; convert the model without`,
    );
  return width * numelOf(shape);
}

/** The numbers of a weight. @throws FormatError unless it is of floats */
function decoded(op: string, bytes: Uint8Array, { name, dtype, quantization }: WeightSpec): Float32Array {
  if (dtype !== 'float32')
    throw new FormatError(`${op}: expected float32 for weight ${name}, got ${dtype}; modules have no others`);
  const { dtype: stored, scale = 1, min = 0 } = quantization ?? { dtype };
  const { buffer } = bytes.slice();
  if (stored === 'float32') return new Float32Array(buffer);
  if (stored === 'float16') return fromFloat16(new Uint16Array(buffer));
  return dequantized(bytes, stored === 'uint8' ? 1 : 2, scale, min);
}

function joinedBytes(data: ModelFiles['weightData']): Uint8Array {
  const parts = (Array.isArray(data) ? data : [data]) as ArrayBuffer[];
  const all = new Uint8Array(parts.reduce((n, part) => n + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    all.set(new Uint8Array(part), at);
    at += part.byteLength;
  }
  return all;
}

function ofFiles(op: string, files: ModelFiles): Source {
  const specs = files.weightSpecs ?? files.weightsManifest?.flatMap(({ weights }) => weights);
  if (!specs || !files.weightData)
    throw new FormatError(
      `${op}: expected a LayersModel, or files with modelTopology, weightSpecs or weightsManifest, and weightData, got some without; load them by a handler of tf.io`,
    );
  const bytes = joinedBytes(files.weightData);
  const weights = new Map<string, Weight & { readonly spec: WeightSpec; readonly bytes: Uint8Array }>();
  let at = 0;
  for (const spec of specs) {
    const part = bytes.subarray(at, at + bytesOf(op, spec));
    at += bytesOf(op, spec);
    weights.set(spec.name, { shape: spec.shape, spec, bytes: part, data: () => decoded(op, part, spec) });
  }
  if (at !== bytes.length)
    throw new FormatError(
      `${op}: expected ${at} bytes of weights, got ${bytes.length}; give all shards in their order`,
    );
  return {
    topology: files.modelTopology,
    weights,
    write(next) {
      const parts = Array.from(weights, ([name, { spec, bytes: old }]) => {
        const values = next.get(name);
        if (!values) return { spec, bytes: old };
        const { quantization: _, ...whole } = spec;
        return { spec: whole, bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) };
      });
      const { weightsManifest, ...rest } = files;
      const data = joinedBytes(parts.map((part) => part.bytes.slice().buffer));
      return { ...rest, weightSpecs: parts.map(({ spec }) => spec), weightData: data.buffer };
    },
  };
}

/** Files with specs in one list, and their bytes in one buffer. @throws FormatError */
export const writableFiles = (op: string, files: ModelFiles): ModelFiles =>
  ofFiles(op, files).write(new Map()) as ModelFiles;

/** @throws FormatError */
export function sourceOf(op: string, source: LayersModelLike | ModelFiles): Source {
  return 'toJSON' in source && 'weights' in source ? ofModel(op, source) : ofFiles(op, source as ModelFiles);
}
