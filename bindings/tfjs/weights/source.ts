// Where weights are: a LayersModel, or what its files hold.
import { ArgumentError, describe, FormatError } from '../../memory/errors.ts';
import { numelOf } from '../../sizes.ts';
import { engineNow } from '../engine.ts';

/** A weight in the files of a model. */
export interface WeightSpec {
  /** That of the layer, and of the weight in it: `dense_Dense1/kernel`. */
  readonly name: string;
  /** Sizes, outermost first. */
  readonly shape: readonly number[];
  /** The element type. */
  readonly dtype: string;
  /** Present where the numbers are stored in fewer bits, which is not read. */
  readonly quantization?: unknown;
}

/** What the files of a LayersModel hold: what handlers of `tf.io` load and save, or model.json with its shards. */
export interface ModelFiles {
  /** The layers, as JSON. */
  readonly modelTopology?: unknown;
  /** The weights in the order of their bytes. */
  readonly weightSpecs?: readonly WeightSpec[];
  /** The same, as model.json has it. */
  readonly weightsManifest?: readonly { readonly weights: readonly WeightSpec[] }[];
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
  const weights = new Map<string, Weight>();
  let at = 0;
  for (const { name, shape, dtype, quantization } of specs) {
    if (dtype !== 'float32' || quantization !== undefined)
      throw new FormatError(
        `${op}: expected float32 for weight ${name}, got ${quantization ? 'a quantized one' : dtype}; convert the model without quantization`,
      );
    const from = at;
    at += 4 * numelOf(shape);
    weights.set(name, { shape, data: () => new Float32Array(bytes.slice(from, from + 4 * numelOf(shape)).buffer) });
  }
  if (at !== bytes.length)
    throw new FormatError(
      `${op}: expected ${at} bytes of weights, got ${bytes.length}; give all shards in their order`,
    );
  return {
    topology: files.modelTopology,
    weights,
    write(next) {
      const all = new Float32Array(at / 4);
      let place = 0;
      for (const [name, { shape, data }] of weights) {
        all.set(next.get(name) ?? data(), place);
        place += numelOf(shape);
      }
      return { ...files, weightData: all.buffer };
    },
  };
}

/** @throws ArgumentError, FormatError */
export function sourceOf(op: string, source: LayersModelLike | ModelFiles): Source {
  if (typeof source !== 'object' || source === null)
    throw new ArgumentError(
      `${op}: expected a LayersModel or the files of one, got ${describe(source)}; tf.loadLayersModel(…) makes one`,
    );
  return 'toJSON' in source && 'weights' in source ? ofModel(op, source) : ofFiles(op, source as ModelFiles);
}
