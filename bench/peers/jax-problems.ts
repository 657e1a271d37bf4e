// What jax.ts offers: problems as functions of jax-js, each compiled by its jit(). They take ownership of their
// arguments: `.ref` keeps one for the next repetition.
import { defaultDevice, grad, init, jit, lax, nn, numpy as np, random } from '@jax-js/jax';
import {
  ADAM,
  type ConvProblem,
  DROPOUT,
  type GemmProblem,
  isStepped,
  isTableStep,
  LAYER_NORM_EPS,
  type LinearProblem,
  type OpProblem,
  outputsOf,
  type Problem,
  type Run,
} from '../problems.ts';
import { array, crossEntropy, hotRows, type NdArray, stepping, train } from './jax-train.ts';

type Compiled = ((...inputs: NdArray[]) => NdArray) & { dispose(): void };

/** A run of `f` on `inputs`. */
function calling(f: (...inputs: NdArray[]) => NdArray, ...inputs: NdArray[]): Run {
  const compiled = jit(f) as unknown as Compiled;
  const call = (): NdArray => compiled(...inputs.map((input) => input.ref));
  return {
    answer: async () => Float32Array.from(await call().data()),
    runAsync: async () => {
      (await call().blockUntilReady()).dispose();
    },
    dispose: () => {
      compiled.dispose();
      for (const input of inputs) input.dispose();
    },
  };
}

function gemm({ layout, m, n, k, a, b }: GemmProblem): Run {
  if (layout === 'NT')
    return calling((x, y) => np.matmul(x as NdArray, (y as NdArray).transpose()), array(a, m, k), array(b, n, k));
  if (layout === 'TN')
    return calling((x, y) => np.matmul((x as NdArray).transpose(), y as NdArray), array(a, k, m), array(b, k, n));
  return calling((x, y) => np.matmul(x as NdArray, y as NdArray), array(a, m, k), array(b, k, n));
}

function conv({
  direction,
  n,
  channels,
  height,
  width,
  filters,
  kernel,
  stride,
  padding,
  groups,
  ...problem
}: ConvProblem): Run {
  const x = array(problem.x, n, channels, height, width);
  const weight = array(problem.weight, filters, channels / groups, kernel, kernel);
  const sides: [number, number] = [padding, padding];
  const forward = (input: NdArray, w: NdArray): NdArray =>
    lax.convGeneralDilated(input, w, [stride, stride], [sides, sides], { featureGroupCount: groups });
  if (direction === 'forward') return calling((input, w) => forward(input as NdArray, w as NdArray), x, weight);
  const [rows, cols] = outputsOf({ height, width, kernel, stride, padding });
  const g = array(problem.g, n, filters, rows, cols);
  // Its derivative by one argument alone: the other is a constant.
  const backward = (input: NdArray, w: NdArray, upstream: NdArray): NdArray => {
    const by = direction === 'dInput' ? 0 : 1;
    const inner = (a: NdArray, b: NdArray, c: NdArray): NdArray => forward(a, b).mul(c).sum();
    return grad(inner, { argnums: by })(input, w, upstream) as NdArray;
  };
  return calling((input, w, upstream) => backward(input as NdArray, w as NdArray, upstream as NdArray), x, weight, g);
}

function linear({ rows, inner, out, x, weight, bias }: LinearProblem): Run {
  return calling(
    (input, w, b) => nn.relu(np.matmul(input as NdArray, (w as NdArray).transpose()).add(b as NdArray)),
    ...[array(x, rows, inner), array(weight, out, inner), array(bias, out)],
  );
}

function layerNorm(x: NdArray, weight: NdArray, bias: NdArray): NdArray {
  const centered = x.ref.sub(x.mean(1, { keepdims: true }));
  const variance = np.square(centered.ref).mean(1, { keepdims: true });
  return centered
    .div(np.sqrt(variance.add(LAYER_NORM_EPS)))
    .mul(weight)
    .add(bias);
}

function dropout(problem: OpProblem, x: NdArray): Run {
  const { rows, cols } = problem;
  const masked = jit((value: NdArray, key: NdArray) =>
    np.where(random.bernoulli(key, 1 - DROPOUT, [rows, cols]), value.mul(1 / (1 - DROPOUT)), 0),
  );
  let seed = 0;
  const call = (): NdArray => masked(x.ref, random.key(seed++));
  return {
    answer: async () => Float32Array.from(await call().data()),
    runAsync: async () => {
      (await call().blockUntilReady()).dispose();
    },
    dispose: () => {
      masked.dispose();
      x.dispose();
    },
  };
}

function op(problem: OpProblem): Run {
  const { rows, cols } = problem;
  const x = array(problem.x, rows, cols);
  const y = (): NdArray => array(problem.y as Float32Array, rows, cols);
  const vector = (data: Float32Array | undefined): NdArray => array(data as Float32Array, cols);
  const hot = (): NdArray => hotRows(problem.target as Int32Array, cols);
  const unary = (f: (value: NdArray) => NdArray): Run => calling((value) => f(value as NdArray), x);
  const binary = (f: (value: NdArray, other: NdArray) => NdArray, other: NdArray): Run =>
    calling((a, b) => f(a as NdArray, b as NdArray), x, other);
  if (isStepped(problem.op) || isTableStep(problem.op)) throw new Error('no such optimizer here; see Adam');
  switch (problem.op) {
    case 'add':
      return binary((a, b) => a.add(b), y());
    case 'bias+relu':
      return binary((a, b) => nn.relu(a.add(b)), vector(problem.bias));
    case 'sum':
      return unary((a) => a.sum());
    case 'exp':
      return unary((a) => np.exp(a));
    case 'tanh':
      return unary((a) => np.tanh(a));
    case 'sigmoid':
      return unary((a) => nn.sigmoid(a));
    case 'gelu':
      return unary((a) => nn.gelu(a, { approximate: false }));
    case 'softmax':
      return unary((a) => nn.softmax(a, 1));
    case 'layerNorm':
      return calling(
        (a, w, b) => layerNorm(a as NdArray, w as NdArray, b as NdArray),
        x,
        vector(problem.weight),
        vector(problem.bias),
      );
    case 'dropout':
      return dropout(problem, x);
    case 'crossEntropy':
      return binary((a, b) => crossEntropy(a, b, rows), hot());
    case 'crossEntropy gradient':
      return binary(
        (a, b) => grad((logits: NdArray, target: NdArray) => crossEntropy(logits, target, rows))(a, b) as NdArray,
        hot(),
      );
    case 'sort':
    case 'topk':
    case 'cummax':
    case 'scatter amax':
      throw new Error('no places in order, and no extremes by index');
    case 'relu gradient':
      return binary((a, g) => np.where(a.greater(0), g, 0), y());
    case 'embedding':
    case 'embedding gradient':
      throw new Error('no rows by index whose gradient is a sum of rows');
    case 'Adam':
      return stepping([x], () => [y()], { name: 'Adam', lr: ADAM.lr }, ADAM.steps);
  }
}

/** Makes wasm the device of all arrays. */
export async function start(): Promise<void> {
  if (!(await init('wasm')).includes('wasm')) throw new Error('jax-js: expected its wasm device, got none');
  defaultDevice('wasm');
}

export function solve(problem: Problem): Run {
  switch (problem.kind) {
    case 'gemm':
      return gemm(problem);
    case 'linear':
      return linear(problem);
    case 'conv':
      return conv(problem);
    case 'conv nhwc':
      throw new Error('no convolution in this layout here; see NCHW');
    case 'op':
      return op(problem);
    case 'attention':
      throw new Error('no row of attention yet');
    case 'rare':
      throw new Error('no row of this yet');
    case 'image':
      throw new Error('no ops of images here');
    case 'train':
      return train(problem);
  }
}
