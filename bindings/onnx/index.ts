// The entry `retrograd/onnx`: models of other libraries.
import './proto.ts';
