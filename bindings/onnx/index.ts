// The entry `retrograd/onnx`: models of other libraries.
export { type ExampleInputs, type ExportOptions, exportOnnx, type SaveOnnxOptions, saveOnnx } from './export/model.ts';
export { type LoadOnnxOptions, loadOnnx } from './load.ts';
export type { OnnxModule, OnnxValue } from './model.ts';
