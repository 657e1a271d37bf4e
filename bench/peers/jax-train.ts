// Optimizers and whole networks in jax-js, which has neither: parameters, averages and gradients go through one
// compiled step.
import { blockUntilReady, jit, lax, nn, numpy as np, valueAndGrad } from '@jax-js/jax';
import { ADAM, type Layer, type Run, type TrainProblem } from '../problems.ts';

export type NdArray = np.Array;

export const array = (data: Float32Array | Int32Array, ...shape: number[]): NdArray =>
  np.array(data as Float32Array).reshape(shape);

/** −Σ log-probabilities of the one-hot targets, a row. */
export const crossEntropy = (logits: NdArray, hot: NdArray, rows: number): NdArray =>
  nn
    .logSoftmax(logits)
    .mul(hot)
    .sum()
    .mul(-1 / rows);

/** One-hot rows of floats. */
export const hotRows = (target: Int32Array, cols: number): NdArray => {
  const hot = new Float32Array(target.length * cols);
  target.forEach((at, i) => {
    hot[i * cols + at] = 1;
  });
  return array(hot, target.length, cols);
};

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

/** Waits until all is computed. */
async function settled(state: State): Promise<void> {
  disposeAll((await blockUntilReady(arraysOf(state).map((item) => item.ref))) as NdArray[]);
}

/** The optimizer alone, on the same gradients each time; the answer is the first parameter after `steps`. */
export function stepping(
  p: NdArray[],
  gradients: () => NdArray[],
  optimizer: TrainProblem['optimizer'],
  steps: number,
): Run {
  const g = gradients();
  const step = jit((state: State, grads: NdArray[]) => update(state, grads, optimizer)) as unknown as ((
    state: State,
    g: NdArray[],
  ) => State) & { dispose(): void };
  let state = begin(p, optimizer);
  const next = async (): Promise<void> => {
    state = step(
      state,
      g.map((item) => item.ref),
    );
    await settled(state);
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

/** A layer; it takes its own parameters from the front of `p`. */
function apply(layer: Layer, x: NdArray, p: NdArray[], batch: number): NdArray {
  switch (layer.kind) {
    case 'linear':
      return np.matmul(x, (p.shift() as NdArray).transpose()).add(p.shift() as NdArray);
    case 'conv': {
      const side: [number, number] = [(layer.kernel - 1) / 2, (layer.kernel - 1) / 2];
      const y = lax.convGeneralDilated(x, p.shift() as NdArray, [1, 1], [side, side]);
      return y.add((p.shift() as NdArray).reshape([layer.filters, 1, 1]));
    }
    case 'pool': {
      const half = layer.size / 2;
      return x.reshape([batch, layer.channels, half, 2, half, 2]).max([3, 5]);
    }
    case 'relu':
      return nn.relu(x);
    case 'tanh':
      return np.tanh(x);
    case 'flatten':
      return x.reshape([batch, layer.channels * layer.size ** 2]);
    case 'LSTM':
    case 'GRU':
      return meanOfStates(layer, x, p, batch);
  }
}

/** A recurrent layer, and the mean of the states of all elements. */
function meanOfStates(
  { kind, inputs, hidden, time }: Layer & { kind: 'LSTM' | 'GRU' },
  x: NdArray,
  p: NdArray[],
  batch: number,
): NdArray {
  const [weightIh, weightHh, biasIh, biasHh] = p.splice(0, 4) as [NdArray, NdArray, NdArray, NdArray];
  const products = np.matmul(x.reshape([batch * time, inputs]), weightIh.transpose()).add(biasIh);
  const elements = np.split(products.reshape([batch, time, weightHh.shape[0] as number]), time, 1);
  const turned = weightHh.transpose();
  let [h, c] = [np.zeros([batch, hidden]), np.zeros([batch, hidden])];
  let sum = np.zeros([batch, hidden]);
  for (const element of elements) {
    const a = element.reshape([batch, turned.shape[1] as number]);
    const b = np.matmul(h.ref, turned.ref).add(biasHh.ref);
    if (kind === 'LSTM') {
      const [i, f, g, o] = np.split(a.add(b), 4, 1) as [NdArray, NdArray, NdArray, NdArray];
      c = nn
        .sigmoid(f)
        .mul(c)
        .add(nn.sigmoid(i).mul(np.tanh(g)));
      h.dispose();
      h = nn.sigmoid(o).mul(np.tanh(c.ref));
    } else {
      const [ar, au, an] = np.split(a, 3, 1) as [NdArray, NdArray, NdArray];
      const [br, bu, bn] = np.split(b, 3, 1) as [NdArray, NdArray, NdArray];
      const candidate = np.tanh(an.add(nn.sigmoid(ar.add(br)).mul(bn)));
      h = nn.sigmoid(au.add(bu)).mul(h.sub(candidate.ref)).add(candidate);
    }
    sum = sum.add(h.ref);
  }
  for (const rest of [h, c, turned, biasHh]) rest.dispose();
  return sum.mul(1 / time);
}

/** Weight and bias of a layer. */
function parametersOf(layer: Layer): NdArray[] {
  if (layer.kind === 'linear')
    return [array(layer.weight, layer.outputs, layer.inputs), array(layer.bias, layer.outputs)];
  if (layer.kind === 'LSTM' || layer.kind === 'GRU') {
    const size = layer.biasHh.length;
    return [
      array(layer.weightIh, size, layer.inputs),
      array(layer.weightHh, size, layer.hidden),
      array(layer.biasIh, size),
      array(layer.biasHh, size),
    ];
  }
  if (layer.kind !== 'conv') return [];
  return [
    array(layer.weight, layer.filters, layer.channels, layer.kernel, layer.kernel),
    array(layer.bias, layer.filters),
  ];
}

export function train(problem: TrainProblem): Run {
  const { batch, layers, optimizer, loss, outputs } = problem;
  const lossOf = (p: NdArray[], x: NdArray, y: NdArray): NdArray => {
    const rest = [...p];
    const value = layers.reduce<NdArray>((input, layer) => apply(layer, input, rest, batch), x);
    return loss === 'mse' ? np.square(value.sub(y)).mean() : crossEntropy(value, y, batch);
  };
  type Step = ((state: State, x: NdArray, y: NdArray) => [State, NdArray]) & { dispose(): void };
  const step = jit((state: State, x: NdArray, y: NdArray) => {
    const [value, g] = valueAndGrad(lossOf)(
      state.p.map((item) => item.ref),
      x,
      y,
    );
    return [update(state, g as NdArray[], optimizer), value];
  }) as unknown as Step;
  let state = begin(layers.flatMap(parametersOf), optimizer);
  const x = array(problem.x, batch, ...problem.input);
  const y = loss === 'mse' ? array(problem.y, batch, outputs) : hotRows(problem.y as Int32Array, outputs);
  const next = async (): Promise<NdArray> => {
    const [after, value] = step(state, x.ref, y.ref);
    state = after;
    await settled(state);
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
