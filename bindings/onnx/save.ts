// Modules as files of ONNX. What writes them is loaded with the first one: those who import models need none of it.
import { promised } from '../io/declare.ts';
import { writeFileAtomic } from '../io/files.ts';
import { isPlain, type Kind, kinds } from '../kinds.ts';
import { Module } from '../nn/module.ts';
import type { ExampleInputs, ExportOptions, SaveOnnxOptions, Settings } from './export/options.ts';

const own: Readonly<Record<string, Kind>> = {
  module: [(x) => x instanceof Module, 'an nn.Module'],
  path: [(x) => typeof x === 'string' && x !== '' && !x.includes('\0'), 'the path of a file'],
  axes: [isPlain, "an object of dims by the names of inputs, as { input: { 0: 'batch', 1: 'length' } }"],
  inputs: [(x) => Array.isArray(x) || (kinds.Tensor as Kind)[0](x), 'a tensor or a list of arguments'],
};

const TEXT =
  'model: module, exampleInputs: inputs, *, opset: int = 18, dynamicBatch: bool|int[] = false, dynamicAxes: axes|null = null';
const NAMES = 'inputNames?: string[], outputNames?: string[]';

const writer = () => import('./export/onnx-export.ts');

/**
 * A module in evaluation mode as the bytes of an ONNX model, which onnxruntime and others run. Weights are called by
 * their keys in `stateDict()`, nodes by the paths of their modules. i32 tensors become INT32, masks and bytes UINT8.
 *
 * The forward is traced as `compile` does it: it may not look at values, and what it does in JavaScript is done
 * once.
 * @param exampleInputs what forward is given: a tensor, or a list of all arguments, of which those that are no tensors
 * become a part of the model. Only shapes and dtypes count
 * @throws ArgumentError that names every op which ONNX cannot express, and where it is; RecordingError where forward
 * reads values; and what forward throws
 * @example
 * ```ts
 * const model = new nn.Sequential(new nn.Linear(4, 8), new nn.ReLU(), new nn.Linear(8, 2));
 * const bytes = await onnx.exportOnnx(model, randn([1, 4]), { dynamicBatch: true });
 * console.log(bytes.length);
 * ```
 */
export const exportOnnx: (model: Module, exampleInputs: ExampleInputs, options?: ExportOptions) => Promise<Uint8Array> =
  promised(
    [`exportOnnx(${TEXT}, ${NAMES})`],
    async (model: Module, example: ExampleInputs, ...rest: unknown[]): Promise<Uint8Array> => {
      const { encodeOnnx } = await writer();
      return encodeOnnx('exportOnnx', model, example, rest as unknown as Settings);
    },
    own,
  );

/**
 * Writes {@link exportOnnx}'s model to a file, atomically; with `externalData` the weights to `<path>.data`, beside it.
 * Node only.
 * @throws what exportOnnx does; the system's error, `path` unchanged; BackendError outside Node
 */
export const saveOnnx: (
  path: string,
  model: Module,
  exampleInputs: ExampleInputs,
  options?: SaveOnnxOptions,
) => Promise<void> = promised(
  [`saveOnnx(path: path, ${TEXT}, ${NAMES}, externalData: bool = false)`],
  async (path: string, model: Module, example: ExampleInputs, ...rest: unknown[]): Promise<void> => {
    const { encodeApart, encodeOnnx } = await writer();
    const [settings, outside] = [rest as unknown as Settings, rest[5] as boolean];
    if (!outside) return writeFileAtomic(path, encodeOnnx('saveOnnx', model, example, settings));
    const file = path.replace(/^.*[\\/]/, '');
    const { model: bytes, data } = encodeApart('saveOnnx', model, example, settings, `${file}.data`);
    await writeFileAtomic(`${path}.data`, data);
    await writeFileAtomic(path, bytes);
  },
  own,
);
