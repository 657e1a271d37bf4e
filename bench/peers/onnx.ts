// ONNX Runtime Web, WebAssembly, on one thread. It runs graphs forward and does not train. Its times hold what its only
// way in takes: copying the inputs into its memory and the output out of it.
import { env, InferenceSession, Tensor } from 'onnxruntime-web';
import {
  type ConvProblem,
  type GemmProblem,
  isStepped,
  isTableStep,
  LAYER_NORM_EPS,
  type LinearProblem,
  type OpProblem,
  outputsOf,
  type Problem,
  type Run,
  type Side,
} from '../problems.ts';
import { model, type Node, type Value } from './onnx-model.ts';

type Data = Float32Array | Int32Array;

interface Graph {
  readonly nodes: readonly Node[];
  readonly inputs: readonly (Value & { readonly data: Data })[];
  readonly output: Value;
}

const f32 = (name: string, shape: readonly number[], data: Float32Array): Value & { data: Data } => ({
  name,
  type: 'f32',
  shape,
  data,
});
const result = (...shape: number[]): Value => ({ name: 'out', type: 'f32', shape });

function gemm({ layout, m, n, k, a, b }: GemmProblem): Graph {
  const inputs = [f32('a', layout === 'TN' ? [k, m] : [m, k], a), f32('b', layout === 'NT' ? [n, k] : [k, n], b)];
  const names = { inputs: ['a', 'b'], output: 'out' };
  const node: Node =
    layout === 'NN'
      ? { op: 'MatMul', ...names }
      : { op: 'Gemm', ...names, attributes: layout === 'TN' ? { transA: 1 } : { transB: 1 } };
  return { nodes: [node], inputs, output: result(m, n) };
}

function linear({ rows, inner, out, x, weight, bias }: LinearProblem): Graph {
  return {
    nodes: [
      { op: 'Gemm', inputs: ['x', 'weight', 'bias'], output: 'z', attributes: { transB: 1 } },
      { op: 'Relu', inputs: ['z'], output: 'out' },
    ],
    inputs: [f32('x', [rows, inner], x), f32('weight', [out, inner], weight), f32('bias', [out], bias)],
    output: result(rows, out),
  };
}

function conv(problem: ConvProblem): Graph | null {
  const { direction, n, channels, height, width, filters, kernel, stride, padding, groups, x, weight, g } = problem;
  const [rows, cols] = outputsOf(problem);
  const attributes = {
    group: groups,
    kernel_shape: [kernel, kernel],
    pads: [padding, padding, padding, padding],
    strides: [stride, stride],
  };
  const w = f32('weight', [filters, channels / groups, kernel, kernel], weight);
  if (direction === 'forward')
    return {
      nodes: [{ op: 'Conv', inputs: ['x', 'weight'], output: 'out', attributes }],
      inputs: [f32('x', [n, channels, height, width], x), w],
      output: result(n, filters, rows, cols),
    };
  if (direction === 'dWeight') return null;
  // What the last window leaves of the image, which has to be asked for.
  const rest = [height, width].map((size, d) => size - (((d === 0 ? rows : cols) - 1) * stride - 2 * padding + kernel));
  return {
    nodes: [
      {
        op: 'ConvTranspose',
        inputs: ['g', 'weight'],
        output: 'out',
        attributes: { ...attributes, output_padding: rest },
      },
    ],
    inputs: [f32('g', [n, filters, rows, cols], g), w],
    output: result(n, channels, height, width),
  };
}

function graphOf(problem: Problem): Graph | null {
  switch (problem.kind) {
    case 'gemm':
      return gemm(problem);
    case 'linear':
      return linear(problem);
    case 'conv':
      return conv(problem);
    case 'conv nhwc':
      return null;
    case 'op':
      return op(problem);
    case 'attention':
    case 'image':
    case 'rare':
    case 'train':
      return null;
  }
}

function op({ op, rows, cols, x, y, weight, bias, target }: OpProblem): Graph | null {
  const shape = [rows, cols];
  const output = result(rows, cols);
  const input = f32('x', shape, x);
  const unary = (name: string, attributes: Node['attributes'] = {}): Graph => ({
    nodes: [{ op: name, inputs: ['x'], output: 'out', attributes }],
    inputs: [input],
    output,
  });
  if (isStepped(op) || isTableStep(op)) return null;
  switch (op) {
    case 'add':
      return {
        nodes: [{ op: 'Add', inputs: ['x', 'y'], output: 'out' }],
        inputs: [input, f32('y', shape, y as Float32Array)],
        output,
      };
    case 'bias+relu':
      return {
        nodes: [
          { op: 'Add', inputs: ['x', 'bias'], output: 'z' },
          { op: 'Relu', inputs: ['z'], output: 'out' },
        ],
        inputs: [input, f32('bias', [cols], bias as Float32Array)],
        output,
      };
    case 'sum':
      return { ...unary('ReduceSum', { keepdims: 0 }), output: result() };
    case 'exp':
      return unary('Exp');
    case 'tanh':
      return unary('Tanh');
    case 'sigmoid':
      return unary('Sigmoid');
    case 'gelu':
      return unary('Gelu');
    case 'softmax':
      return unary('Softmax', { axis: 1 });
    case 'layerNorm':
      return {
        nodes: [
          {
            op: 'LayerNormalization',
            inputs: ['x', 'weight', 'bias'],
            output: 'out',
            attributes: { axis: 1, epsilon: { float: LAYER_NORM_EPS } },
          },
        ],
        inputs: [input, f32('weight', [cols], weight as Float32Array), f32('bias', [cols], bias as Float32Array)],
        output,
      };
    case 'crossEntropy':
      return {
        nodes: [{ op: 'SoftmaxCrossEntropyLoss', inputs: ['x', 'target'], output: 'out' }],
        inputs: [input, { name: 'target', type: 'i32', shape: [rows], data: target as Int32Array }],
        output: result(),
      };
    case 'embedding': {
      const taken = target as Int32Array;
      return {
        nodes: [{ op: 'Gather', inputs: ['x', 'target'], output: 'out' }],
        inputs: [input, { name: 'target', type: 'i32', shape: [taken.length], data: taken }],
        output: result(taken.length, cols),
      };
    }
    case 'dropout':
    case 'crossEntropy gradient':
    case 'sort':
    case 'topk':
    case 'cummax':
    case 'scatter amax':
    case 'relu gradient':
    case 'embedding gradient':
    case 'Adam':
      return null;
  }
}

async function start({ nodes, inputs, output }: Graph): Promise<Run> {
  const session = await InferenceSession.create(model(nodes, inputs, output), { executionProviders: ['wasm'] });
  const feeds = Object.fromEntries(
    inputs.map(({ name, data, shape }) => [
      name,
      data instanceof Int32Array ? new Tensor('int32', data, shape) : new Tensor('float32', data, shape),
    ]),
  );
  return {
    answer: async () => (await session.run(feeds)).out?.data as Float32Array,
    runAsync: async () => {
      await session.run(feeds);
    },
    dispose: () => session.release(),
  };
}

export async function load(): Promise<Side> {
  env.wasm.numThreads = 1;
  env.logLevel = 'error';
  if (typeof document !== 'undefined') env.wasm.wasmPaths = '/peers/onnx/';
  return {
    name: 'onnx',
    version: `ONNX Runtime Web ${env.versions.web ?? env.versions.common}, SIMD, 1 thread`,
    prepare: async (problem) => {
      const graph = graphOf(problem);
      return graph && start(graph);
    },
  };
}
