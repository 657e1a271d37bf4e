// TensorFlow.js on either of its backends; tfjs-cpu.ts and tfjs-wasm.ts choose one. Both live in one engine, so that
// each sample first makes its own backend the current one.
import * as tf from '@tensorflow/tfjs-core';
// For the gradients: where Node finds the core, they are not in it.
import '@tensorflow/tfjs-layers';
import {
  ADAM,
  type AttentionProblem,
  type ConvProblem,
  DROPOUT,
  type GemmProblem,
  isStepped,
  isTableStep,
  LAYER_NORM_EPS,
  type Layer,
  type LinearProblem,
  type OpProblem,
  outputsOf,
  type Problem,
  type Run,
  type Side,
  TOP,
  type TrainProblem,
} from '../problems.ts';

/** A run of `solve`, whose result is freed each time. Both backends compute at once, not when the result is read. */
function freeing(solve: () => tf.Tensor): Run {
  return {
    answer: () => tf.tidy(() => Float32Array.from(solve().dataSync())),
    run: () => {
      tf.tidy(() => {
        solve();
      });
    },
  };
}

function gemm({ layout, m, n, k, a, b }: GemmProblem): Run {
  const x = tf.tensor2d(a, layout === 'TN' ? [k, m] : [m, k]);
  const y = tf.tensor2d(b, layout === 'NT' ? [n, k] : [k, n]);
  return freeing(() => tf.matMul(x, y, layout === 'TN', layout === 'NT'));
}

/** It has no attention: put together from products and a softmax, with all scores at once. */
function attention({ heads, length, width, ...problem }: AttentionProblem): Run {
  const [q, k, v, g] = [problem.q, problem.k, problem.v, problem.g].map((x) =>
    tf.tensor3d(x, [heads, length, width]),
  ) as [tf.Tensor3D, tf.Tensor3D, tf.Tensor3D, tf.Tensor3D];
  const hidden = tf.tidy(() => tf.mul(tf.sub(1, tf.linalg.bandPart(tf.ones([length, length]), -1, 0)), -1e30));
  const forward = (a: tf.Tensor, b: tf.Tensor, c: tf.Tensor): tf.Tensor => {
    const scores = tf.add(tf.mul(tf.matMul(a, b, false, true), 1 / Math.sqrt(width)), hidden);
    return tf.matMul(tf.softmax(scores), c);
  };
  const gradients = tf.grads(forward as (...xs: tf.Tensor[]) => tf.Tensor);
  return freeing(() => tf.addN(gradients([q, k, v], g)));
}

/** In NHWC, the only layout it knows; what is checked is put back into NCHW. Each direction is a kernel of its own. */
function conv(problem: ConvProblem): Run {
  const { direction, n, channels, height, width, filters, kernel, stride, padding, groups } = problem;
  if (groups !== 1 && !(groups === channels && groups === filters)) throw new Error('no convolution in groups');
  const depthwise = groups !== 1;
  const [rows, cols] = outputsOf(problem);
  const images = (data: Float32Array, c: number, h: number, w: number): tf.Tensor =>
    tf.tidy(() => tf.transpose(tf.tensor4d(data, [n, c, h, w]), [0, 2, 3, 1]));
  const x = images(problem.x, channels, height, width);
  const dy = images(problem.g, filters, rows, cols);
  // [kernel, kernel, in, out]; a depthwise one has its channels as `in` and 1 as `out`.
  const order = depthwise ? [2, 3, 0, 1] : [2, 3, 1, 0];
  const filter = tf.tidy(() =>
    tf.transpose(tf.tensor4d(problem.weight, [filters, channels / groups, kernel, kernel]), order),
  );
  const attrs: tf.NamedAttrMap = {
    strides: [stride, stride],
    pad: padding,
    dilations: [1, 1],
    dataFormat: 'NHWC',
    inputShape: [...x.shape],
    filterShape: [...filter.shape],
  };
  const run = (name: string, inputs: Record<string, tf.Tensor>): tf.Tensor =>
    tf.engine().runKernel(name, inputs, attrs);
  const solve = {
    forward: () => run(depthwise ? 'DepthwiseConv2dNative' : 'Conv2D', { x, filter }),
    dInput: () => run(depthwise ? 'DepthwiseConv2dNativeBackpropInput' : 'Conv2DBackpropInput', { dy, filter }),
    dWeight: () => run(depthwise ? 'DepthwiseConv2dNativeBackpropFilter' : 'Conv2DBackpropFilter', { x, dy }),
  }[direction];
  const back = direction !== 'dWeight' ? [0, 3, 1, 2] : depthwise ? [2, 3, 0, 1] : [3, 2, 0, 1];
  return { ...freeing(solve), answer: () => tf.tidy(() => Float32Array.from(tf.transpose(solve(), back).dataSync())) };
}

/** Its layers keep weights as [in, out]; transposed here, untimed, or products would take its slow path. */
const transposed = (weight: Float32Array, out: number, inner: number): tf.Tensor2D =>
  tf.tidy(() => tf.transpose(tf.tensor2d(weight, [out, inner])) as tf.Tensor2D);

function linear({ rows, inner, out, ...problem }: LinearProblem): Run {
  const x = tf.tensor2d(problem.x, [rows, inner]);
  const weight = transposed(problem.weight, out, inner);
  const bias = tf.tensor1d(problem.bias);
  return freeing(() => tf.fused.matMul({ a: x, b: weight, bias, activation: 'relu' }));
}

/** Its cross-entropy takes one-hot rows of floats. */
const oneHot = (target: Int32Array, cols: number): tf.Tensor2D =>
  tf.tidy(() => tf.cast(tf.oneHot(tf.tensor1d(target, 'int32'), cols), 'float32') as tf.Tensor2D);

function layerNorm(x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor): tf.Tensor {
  const { mean, variance } = tf.moments(x, 1, true);
  const scaled = tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, LAYER_NORM_EPS)));
  return tf.add(tf.mul(scaled, weight), bias);
}

/** The largest table whose gradient it is asked for. */
const MOST_SEGMENTS = 1000;

function op(problem: OpProblem): Run {
  const { rows, cols } = problem;
  const shape: [number, number] = [rows, cols];
  const x = tf.tensor2d(problem.x, shape);
  const y = problem.y ? tf.tensor2d(problem.y, [problem.y.length / cols, cols]) : x;
  const vector = (data: Float32Array | undefined): tf.Tensor1D => tf.tensor1d(data ?? [0]);
  const [weight, bias] = [vector(problem.weight), vector(problem.bias)];
  const hot = problem.target && problem.op.startsWith('cross') ? oneHot(problem.target, cols) : x;
  const taken = tf.tensor1d(problem.target ?? [0], 'int32');
  const loss = (logits: tf.Tensor): tf.Scalar => tf.losses.softmaxCrossEntropy(hot, logits);
  if (isStepped(problem.op) || isTableStep(problem.op)) throw new Error('no such optimizer here; see Adam');
  switch (problem.op) {
    case 'add':
      return freeing(() => tf.add(x, y));
    case 'bias+relu':
      return freeing(() => tf.relu(tf.add(x, bias)));
    case 'sum':
      return freeing(() => tf.sum(x));
    case 'exp':
      return freeing(() => tf.exp(x));
    case 'tanh':
      return freeing(() => tf.tanh(x));
    case 'sigmoid':
      return freeing(() => tf.sigmoid(x));
    case 'gelu':
      return freeing(() => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1)));
    case 'softmax':
      return freeing(() => tf.softmax(x, 1));
    case 'layerNorm':
      return freeing(() => layerNorm(x, weight, bias));
    case 'dropout':
      return freeing(() => tf.dropout(x, DROPOUT));
    case 'crossEntropy':
      return freeing(() => loss(x));
    case 'crossEntropy gradient': {
      const gradient = tf.grad((logits) => loss(logits));
      return freeing(() => gradient(x));
    }
    case 'embedding':
      return freeing(() => tf.gather(x, taken));
    case 'embedding gradient': {
      // On its own backend a tenth of a second for each of them.
      if (rows > MOST_SEGMENTS) throw new Error('goes through all that is taken once for each row of the table');
      const gradient = tf.grad((value) => tf.gather(value, taken));
      return freeing(() => gradient(x, y));
    }
    case 'topk':
      return freeing(() => tf.topk(x, TOP).values);
    case 'sort':
    case 'cummax':
    case 'scatter amax':
      throw new Error('no rows in order, and no extremes by index');
    case 'relu gradient': {
      const gradient = tf.grad((value) => tf.relu(value));
      // TensorFlow.js cannot keep the forward pass: this times both.
      return freeing(() => gradient(x, y));
    }
    case 'Adam': {
      const p = tf.variable(x);
      const optimizer = tf.train.adam(ADAM.lr, ...ADAM.betas, ADAM.eps);
      const run = (): void => optimizer.applyGradients([{ name: p.name, tensor: y }]);
      return {
        answer: () => {
          for (let step = 0; step < ADAM.steps; step++) run();
          return Float32Array.from(p.dataSync());
        },
        run,
        dispose: () => {
          optimizer.dispose();
          p.dispose();
        },
      };
    }
  }
}

/** A layer as a function, and its variables. */
interface Part {
  readonly forward: (x: tf.Tensor) => tf.Tensor;
  readonly variables: readonly tf.Variable[];
}

/** The columns of a dense weight behind flattened images, reordered from NCHW to NHWC. */
const imageColumns = (weight: tf.Tensor2D, { channels, size }: Layer & { kind: 'flatten' }): tf.Tensor2D => {
  const [outputs, inputs] = weight.shape;
  const images = tf.reshape(weight, [outputs, channels, size, size]);
  return tf.reshape(tf.transpose(images, [0, 2, 3, 1]), [outputs, inputs]);
};

/** A recurrent layer, and the mean of the states of all elements: its own layers have one bias, and other gates. */
function meanOfStates({ kind, inputs, hidden, time, ...layer }: Layer & { kind: 'LSTM' | 'GRU' }): Part {
  const size = layer.biasIh.length;
  const weightIh = tf.variable(transposed(layer.weightIh, size, inputs));
  const weightHh = tf.variable(transposed(layer.weightHh, size, hidden));
  const [biasIh, biasHh] = [tf.variable(tf.tensor1d(layer.biasIh)), tf.variable(tf.tensor1d(layer.biasHh))];
  const forward = (x: tf.Tensor): tf.Tensor => {
    const batch = x.shape[0] as number;
    const products = tf.add(tf.matMul(tf.reshape(x, [batch * time, inputs]), weightIh as tf.Tensor2D), biasIh);
    const elements = tf.unstack(tf.reshape(products, [batch, time, size]), 1);
    let [h, c]: [tf.Tensor, tf.Tensor] = [tf.zeros([batch, hidden]), tf.zeros([batch, hidden])];
    const states = elements.map((a) => {
      const b = tf.add(tf.matMul(h as tf.Tensor2D, weightHh as tf.Tensor2D), biasHh);
      if (kind === 'LSTM') {
        const [i, f, g, o] = tf.split(tf.add(a, b), 4, 1) as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
        c = tf.add(tf.mul(tf.sigmoid(f), c), tf.mul(tf.sigmoid(i), tf.tanh(g)));
        h = tf.mul(tf.sigmoid(o), tf.tanh(c));
      } else {
        const [ar, au, an] = tf.split(a, 3, 1) as [tf.Tensor, tf.Tensor, tf.Tensor];
        const [br, bu, bn] = tf.split(b, 3, 1) as [tf.Tensor, tf.Tensor, tf.Tensor];
        const candidate = tf.tanh(tf.add(an, tf.mul(tf.sigmoid(tf.add(ar, br)), bn)));
        h = tf.add(candidate, tf.mul(tf.sigmoid(tf.add(au, bu)), tf.sub(h, candidate)));
      }
      return h;
    });
    return tf.mul(tf.addN(states), 1 / time);
  };
  return { forward, variables: [weightIh, weightHh, biasIh, biasHh] };
}

function partOf(layer: Layer, before: Layer | undefined): Part {
  switch (layer.kind) {
    case 'linear': {
      const rows = tf.tensor2d(layer.weight, [layer.outputs, layer.inputs]);
      const ordered = before?.kind === 'flatten' ? imageColumns(rows, before) : rows;
      const [weight, bias] = [tf.variable(tf.transpose<tf.Tensor2D>(ordered)), tf.variable(tf.tensor1d(layer.bias))];
      return { forward: (x) => tf.add(tf.matMul(x as tf.Tensor2D, weight), bias), variables: [weight, bias] };
    }
    case 'conv': {
      const { channels, filters, kernel } = layer;
      const filter = tf.variable(
        tf.transpose<tf.Tensor4D>(tf.tensor4d(layer.weight, [filters, channels, kernel, kernel]), [2, 3, 1, 0]),
      );
      const bias = tf.variable(tf.tensor1d(layer.bias));
      return {
        forward: (x) => tf.add(tf.conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, 1, 'same'), bias),
        variables: [filter, bias],
      };
    }
    case 'pool':
      return { forward: (x) => tf.maxPool(x as tf.Tensor4D, 2, 2, 'valid'), variables: [] };
    case 'relu':
      return { forward: (x) => tf.relu(x), variables: [] };
    case 'tanh':
      return { forward: (x) => tf.tanh(x), variables: [] };
    case 'flatten':
      return { forward: (x) => tf.reshape(x, [x.shape[0] as number, -1]), variables: [] };
    case 'LSTM':
    case 'GRU':
      return meanOfStates(layer);
  }
}

function train(problem: TrainProblem): Run {
  const { batch, optimizer: chosen, input, outputs, layers } = problem;
  const parts = layers.map((layer, i) => partOf(layer, layers[i - 1]));
  const flat = tf.tensor(problem.x, [batch, ...input]);
  const x = input.length === 3 ? tf.transpose(flat, [0, 2, 3, 1]) : flat;
  const y =
    problem.loss === 'mse' ? tf.tensor2d(problem.y, [batch, outputs]) : oneHot(problem.y as Int32Array, outputs);
  const optimizer = chosen.name === 'SGD' ? tf.train.sgd(chosen.lr) : tf.train.adam(chosen.lr, ...ADAM.betas, ADAM.eps);
  const loss = (): tf.Scalar => {
    const output = parts.reduce<tf.Tensor>((value, { forward }) => forward(value), x);
    return problem.loss === 'mse' ? tf.losses.meanSquaredError(y, output) : tf.losses.softmaxCrossEntropy(y, output);
  };
  return {
    answer: () =>
      Float32Array.from({ length: problem.checked }, () =>
        tf.tidy(() => (optimizer.minimize(loss, true) as tf.Scalar).dataSync()[0] as number),
      ),
    run: () => {
      optimizer.minimize(loss);
    },
    dispose: () => {
      optimizer.dispose();
      for (const { variables } of parts) tf.dispose([...variables]);
    },
  };
}

/** A side on the backend `backend`, which is registered already. */
export async function tfjsSide(backend: 'cpu' | 'wasm', version: string): Promise<Side> {
  const enter = (): void => {
    if (tf.getBackend() !== backend) tf.setBackend(backend);
  };
  // As it recommends for speed: no checks for NaN, no advice.
  tf.enableProdMode();
  await tf.setBackend(backend);
  await tf.ready();
  return {
    name: `tfjs-${backend}`,
    version,
    prepare: (problem) => {
      enter();
      // Whatever is made while preparing is freed with the run.
      const engine = tf.engine();
      engine.startScope();
      const end = (): void => {
        enter();
        engine.endScope();
      };
      try {
        const run = solve(problem);
        return { ...run, enter, dispose: () => void [run.dispose?.(), end()] };
      } catch (error) {
        end();
        throw error;
      }
    },
  };
}

function solve(problem: Problem): Run {
  switch (problem.kind) {
    case 'gemm':
      return gemm(problem);
    case 'linear':
      return linear(problem);
    case 'conv':
      return conv(problem);
    case 'conv nhwc':
      throw new Error('only in NHWC: the rows of NCHW are it');
    case 'op':
      return op(problem);
    case 'attention':
      return attention(problem);
    case 'image':
    case 'rare':
      throw new Error('images are only in NHWC there');
    case 'train':
      return train(problem);
  }
}
