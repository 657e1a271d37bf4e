// The entry `retrograd/onnx`: models of other libraries.

export type { ExampleInputs, ExportOptions, SaveOnnxOptions } from './export/options.ts';
export type { ExternalData } from './external.ts';
export { type LoadOnnxOptions, loadOnnx } from './load.ts';
export type { OnnxModule, OnnxValue } from './model.ts';
export { exportOnnx, saveOnnx } from './save.ts';
