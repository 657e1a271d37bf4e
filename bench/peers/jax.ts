// jax-js on its WebAssembly backend, every function compiled by its jit(). Its functions take ownership of their arguments:
// `.ref` keeps one for the next repetition.
import { blockUntilReady, defaultDevice, grad, init, jit, lax, nn, numpy as np, random, valueAndGrad } from '@jax-js/jax';
import { ADAM, type ConvProblem, DROPOUT, type GemmProblem, LAYER_NORM_EPS, type LinearProblem, type OpProblem, outputsOf, type Problem, type Run, type Side, type TrainProblem } from '../problems.ts';

type NdArray = np.Array;
type Compiled = ((...inputs: NdArray[]) => NdArray) & { dispose(): void };

const array = (data: Float32Array | Int32Array, ...shape: number[]): NdArray => np.array(data as Float32Array).reshape(shape);

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
  if (layout === 'NT') return calling((x, y) => np.matmul(x as NdArray, (y as NdArray).transpose()), array(a, m, k), array(b, n, k));
  if (layout === 'TN') return calling((x, y) => np.matmul((x as NdArray).transpose(), y as NdArray), array(a, k, m), array(b, k, n));
  return calling((x, y) => np.matmul(x as NdArray, y as NdArray), array(a, m, k), array(b, k, n));
}

function conv({ direction, n, channels, height, width, filters, kernel, stride, padding, groups, ...problem }: ConvProblem): Run {
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

/** −Σ log-probabilities of the one-hot targets, a row. */
const crossEntropy = (logits: NdArray, hot: NdArray, rows: number): NdArray => nn.logSoftmax(logits).mul(hot).sum().mul(-1 / rows);

const hotRows = (target: Int32Array, cols: number): NdArray => {
  const hot = new Float32Array(target.length * cols);
  target.forEach((at, i) => {
    hot[i * cols + at] = 1;
  });
  return array(hot, target.length, cols);
};

function layerNorm(x: NdArray, weight: NdArray, bias: NdArray): NdArray {
  const centered = x.ref.sub(x.mean(1, { keepdims: true }));
  const variance = np.square(centered.ref).mean(1, { keepdims: true });
  return centered.div(np.sqrt(variance.add(LAYER_NORM_EPS))).mul(weight).add(bias);
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

function op(problem: OpProblem): Run | null {
  const { rows, cols } = problem;
  const x = array(problem.x, rows, cols);
  const y = (): NdArray => array(problem.y as Float32Array, rows, cols);
  const vector = (data: Float32Array | undefined): NdArray => array(data as Float32Array, cols);
  const hot = (): NdArray => hotRows(problem.target as Int32Array, cols);
  const unary = (f: (value: NdArray) => NdArray): Run => calling((value) => f(value as NdArray), x);
  const binary = (f: (value: NdArray, other: NdArray) => NdArray, other: NdArray): Run =>
    calling((a, b) => f(a as NdArray, b as NdArray), x, other);
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
      return calling((a, w, b) => layerNorm(a as NdArray, w as NdArray, b as NdArray), x, vector(problem.weight), vector(problem.bias));
    case 'dropout':
      return dropout(problem, x);
    case 'crossEntropy':
      return binary((a, b) => crossEntropy(a, b, rows), hot());
    case 'crossEntropy gradient':
      return binary((a, b) => grad((logits: NdArray, target: NdArray) => crossEntropy(logits, target, rows))(a, b) as NdArray, hot());
    case 'relu gradient':
      return binary((a, g) => np.where(a.greater(0), g, 0), y());
    case 'Adam':
      return stepping([x], () => [y()], { name: 'Adam', lr: ADAM.lr }, ADAM.steps);
  }
}

/** Parameters, their averages (for Adam), and the powers of the betas so far. */
type State = { p: NdArray[]; m: NdArray[]; v: NdArray[]; powers: NdArray };

const zerosLike = (p: readonly NdArray[]): NdArray[] => p.map(({ shape }) => np.zeros(shape));

/** Next parameters and averages. */
function update({ p, m, v, powers }: State, g: readonly NdArray[], { name, lr }: TrainProblem['optimizer']): State {
  if (name === 'SGD') return { p: p.map((value, i) => value.sub((g[i] as NdArray).mul(lr))), m, v, powers };
  const [beta1, beta2] = ADAM.betas;
  const next = powers.mul(np.array([beta1, beta2]));
  const corrections = np.array([1, 1]).sub(next.ref);
  const [first, second] = np.split(corrections, 2) as [NdArray, NdArray];
  const m1 = m.map((value, i) => value.mul(beta1).add((g[i] as NdArray).ref.mul(1 - beta1)));
  const v1 = v.map((value, i) => value.mul(beta2).add(np.square(g[i] as NdArray).mul(1 - beta2)));
  const p1 = p.map((value, i) => {
    const scale = np.sqrt((v1[i] as NdArray).ref.div(second.ref)).add(ADAM.eps);
    return value.sub((m1[i] as NdArray).ref.div(first.ref).div(scale).mul(lr));
  });
  first.dispose();
  second.dispose();
  return { p: p1, m: m1, v: v1, powers: next };
}

const begin = (p: NdArray[], { name }: TrainProblem['optimizer']): State => {
  const averages = name === 'Adam';
  return { p, m: averages ? zerosLike(p) : [], v: averages ? zerosLike(p) : [], powers: np.array([1, 1]) };
};

const disposeAll = (arrays: readonly NdArray[]): void => {
  for (const item of arrays) item.dispose();
};
const arraysOf = ({ p, m, v, powers }: State): NdArray[] => [...p, ...m, ...v, powers];

/** The optimizer alone, on the same gradients each time; the answer is the first parameter after `steps`. */
function stepping(p: NdArray[], gradients: () => NdArray[], optimizer: TrainProblem['optimizer'], steps: number): Run {
  const g = gradients();
  const step = jit((state: State, grads: NdArray[]) => update(state, grads, optimizer)) as unknown as ((state: State, g: NdArray[]) => State) & { dispose(): void };
  let state = begin(p, optimizer);
  const next = async (): Promise<void> => {
    state = step(state, g.map((item) => item.ref));
    await blockUntilReady(arraysOf(state).map((item) => item.ref)).then((items) => disposeAll(items as NdArray[]));
  };
  return {
    answer: async () => {
      for (let i = 0; i < steps; i++) await next();
      return Float32Array.from(await (state.p[0] as NdArray).ref.data());
    },
    runAsync: next,
    dispose: () => {
      step.dispose();
      disposeAll([...arraysOf(state), ...g]);
    },
  };
}

function train(problem: TrainProblem): Run {
  const { sizes, batch, activation, optimizer, loss } = problem;
  const outputs = sizes.at(-1) as number;
  const last = problem.layers.length - 1;
  const lossOf = (p: NdArray[], x: NdArray, y: NdArray): NdArray => {
    let value = x;
    for (let i = 0; i <= last; i++) {
      const z = np.matmul(value, (p[2 * i] as NdArray).transpose()).add(p[2 * i + 1] as NdArray);
      value = i === last ? z : activation === 'tanh' ? np.tanh(z) : nn.relu(z);
    }
    return loss === 'mse' ? np.square(value.sub(y)).mean() : crossEntropy(value, y, batch);
  };
  type Step = ((state: State, x: NdArray, y: NdArray) => [State, NdArray]) & { dispose(): void };
  const step = jit((state: State, x: NdArray, y: NdArray) => {
    const [value, g] = valueAndGrad(lossOf)(state.p.map((item) => item.ref), x, y);
    return [update(state, g as NdArray[], optimizer), value];
  }) as unknown as Step;
  const p = problem.layers.flatMap(({ weight, bias }, i) => [
    array(weight, sizes[i + 1] as number, sizes[i] as number),
    array(bias, sizes[i + 1] as number),
  ]);
  let state = begin(p, optimizer);
  const x = array(problem.x, batch, sizes[0] as number);
  const y = loss === 'mse' ? array(problem.y, batch, outputs) : hotRows(problem.y as Int32Array, outputs);
  const next = async (): Promise<NdArray> => {
    const [after, value] = step(state, x.ref, y.ref);
    state = after;
    await blockUntilReady(arraysOf(state).map((item) => item.ref)).then((items) => disposeAll(items as NdArray[]));
    return value.blockUntilReady();
  };
  return {
    answer: async () => {
      const losses = new Float32Array(problem.checked);
      for (let i = 0; i < losses.length; i++) losses[i] = (await (await next()).data())[0] as number;
      return losses;
    },
    runAsync: async () => {
      (await next()).dispose();
    },
    dispose: () => {
      step.dispose();
      disposeAll([...arraysOf(state), x, y]);
    },
  };
}

export async function load(): Promise<Side> {
  withoutThreads();
  if (!(await init('wasm')).includes('wasm')) throw new Error('jax-js: expected its wasm device, got none');
  defaultDevice('wasm');
  return {
    name: 'jax-js',
    version: 'jax-js, wasm, 1 thread',
    prepare: (problem) => {
      withoutThreads();
      const run = solve(problem);
      return run && { ...run, enter: withoutThreads };
    },
  };
}

function solve(problem: Problem): Run | null {
  switch (problem.kind) {
    case 'gemm':
      return gemm(problem);
    case 'linear':
      return linear(problem);
    case 'conv':
      return conv(problem);
    case 'op':
      return op(problem);
    case 'train':
      return train(problem);
  }
}

/** It starts a thread a core wherever there is a global Worker, which pages have, and other peers put into Node. */
function withoutThreads(): void {
  Reflect.set(globalThis, 'Worker', undefined);
}
