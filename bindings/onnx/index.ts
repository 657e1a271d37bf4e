// The entry `retrograd/onnx`: models of other libraries.
export { type LoadOnnxOptions, loadOnnx } from './load.ts';
export type { OnnxModule, OnnxValue } from './model.ts';
