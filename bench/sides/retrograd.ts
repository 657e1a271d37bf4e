// Our side: the library by its public names, each call as a user writes it. Which instance of the library is given, so
// that versions of it can run beside one another.
import type { Compiled, nn, Tensor } from 'retrograd';
import {
  ADAM,
  type AttentionProblem,
  type ConvProblem,
  DROPOUT,
  type GemmProblem,
  type ImageProblem,
  isStepped,
  LAYER_NORM_EPS,
  type Layer,
  type Library,
  type LinearProblem,
  type OpProblem,
  outputsOf,
  type Run,
  type Side,
  type Stepped,
  TOP,
  type TrainProblem,
} from '../problems.ts';
import { freeing } from './freeing.ts';
import { rare } from './rare.ts';

function gemm(library: Library, { layout, m, n, k, a, b }: GemmProblem): Run {
  const { tensor } = library;
  const x = tensor(a, { shape: layout === 'TN' ? [k, m] : [m, k] });
  const y = tensor(b, { shape: layout === 'NT' ? [n, k] : [k, n] });
  if (layout === 'NT') return freeing(library, [x, y], () => x.matmul(y.t()));
  if (layout === 'TN') return freeing(library, [x, y], () => x.t().matmul(y));
  return freeing(library, [x, y], () => x.matmul(y));
}

function image(library: Library, problem: ImageProblem): Run {
  const { functional: F, tensor } = library;
  const { op, shape } = problem;
  const x = tensor(problem.x, { shape });
  const channels = shape[1] as number;
  const second = op === 'gridSample' ? [shape[0] as number, ...shape.slice(2), 2] : [channels, channels, 2, 2, 2];
  const y = problem.y ? tensor(problem.y, { shape: second }) : null;
  const solve = {
    interpolate: () => F.interpolate(x, { scaleFactor: 2, mode: 'bilinear' }),
    gridSample: () => F.gridSample(x, y as Tensor),
    pad: () => F.pad(x, [2, 2, 2, 2], 'reflect'),
    unfold: () => F.unfold(x, 3, { padding: 1 }),
    maxPool3d: () => F.maxPool3d(x, 2),
    convTranspose3d: () => F.convTranspose3d(x, y as Tensor, null, 2),
  }[op];
  return freeing(library, [x, y], solve);
}

function linear(library: Library, { rows, inner, out, ...problem }: LinearProblem): Run {
  const { functional: F, tensor } = library;
  const x = tensor(problem.x, { shape: [rows, inner] });
  const weight = tensor(problem.weight, { shape: [out, inner] });
  const bias = tensor(problem.bias);
  return freeing(library, [x, weight, bias], () => F.linear(x, weight, bias).relu());
}

function conv(
  library: Library,
  { kind, direction, n, channels, height, width, filters, kernel, stride, padding, groups, ...problem }: ConvProblem,
): Run {
  const { functional: F, grad, tensor } = library;
  const layout = kind === 'conv' ? 'nchw' : 'nhwc';
  const image = (count: number, size: readonly number[]): number[] =>
    layout === 'nchw' ? [n, count, ...size] : [n, ...size, count];
  const inner = channels / groups;
  const x = tensor(problem.x, { shape: image(channels, [height, width]) });
  const weight = tensor(problem.weight, {
    shape: layout === 'nchw' ? [filters, inner, kernel, kernel] : [kernel, kernel, inner, filters],
  });
  const forward = (): Tensor => F.conv2d(x, weight, null, { stride, padding, groups, layout });
  if (direction === 'forward') return freeing(library, [x, weight], forward);
  const g = tensor(problem.g, { shape: image(filters, outputsOf({ height, width, kernel, stride, padding })) });
  const by = direction === 'dInput' ? x : weight;
  by.requiresGrad_();
  const y = forward();
  return freeing(
    library,
    [x, weight, g, y],
    () => grad([y], [by], { gradOutputs: [g], retainGraph: true })[0] as Tensor,
  );
}

function op(library: Library, { op, rows, cols, ...problem }: OpProblem): Run | null {
  const { functional: F, grad, tensor } = library;
  const shape = [rows, cols];
  const x = tensor(problem.x, { shape });
  const y = problem.y ? tensor(problem.y, { shape: [problem.y.length / cols, cols] }) : null;
  const weight = problem.weight ? tensor(problem.weight) : null;
  const bias = problem.bias ? tensor(problem.bias) : null;
  const target = problem.target ? tensor(problem.target) : null;
  const inputs = [x, y, weight, bias, target];
  const run = (solve: () => Tensor): Run => freeing(library, inputs, solve);
  if (isStepped(op)) return stepping(library, inputs, x, y as Tensor, op, {});
  switch (op) {
    case 'add':
      return run(() => x.add(y as Tensor));
    case 'bias+relu':
      return run(() => x.add(bias as Tensor).relu());
    case 'sum':
      return run(() => x.sum());
    case 'exp':
    case 'tanh':
    case 'sigmoid':
      return run(() => x[op]());
    case 'gelu':
      return run(() => F.gelu(x));
    case 'softmax':
      return run(() => F.softmax(x, 1));
    case 'layerNorm':
      return run(() => F.layerNorm(x, [cols], { weight, bias, eps: LAYER_NORM_EPS }));
    case 'dropout':
      return run(() => F.dropout(x, { p: DROPOUT }));
    case 'crossEntropy':
      return run(() => F.crossEntropy(x, target as Tensor));
    case 'crossEntropy gradient':
      x.requiresGrad_();
      return run(() => grad([F.crossEntropy(x, target as Tensor)], [x])[0] as Tensor);
    case 'Adam':
      return stepping(library, inputs, x, y as Tensor, op, { lr: ADAM.lr, betas: ADAM.betas, eps: ADAM.eps });
    case 'sort':
      return run(() => library.sort(x).values);
    case 'topk':
      return run(() => library.topk(x, TOP).values);
    case 'cummax':
      return run(() => library.cummax(x, 1).values);
    case 'scatter amax': {
      const index = (target as Tensor).reshape(rows, 1).expand(rows, cols).contiguous();
      const into = library.zeros(shape);
      inputs.push(index, into);
      return run(() => library.scatterReduce(into, 0, index, x, 'amax'));
    }
    case 'embedding':
      return run(() => F.embedding(target as Tensor, x));
    case 'embedding, Adam':
    case 'embedding, SparseAdam':
      return tableStep(library, [x, y as Tensor, target as Tensor], op === 'embedding, SparseAdam');
    case 'relu gradient':
    case 'embedding gradient': {
      x.requiresGrad_();
      const forward = op === 'relu gradient' ? x.relu() : F.embedding(target as Tensor, x);
      inputs.push(forward);
      return run(() => grad([forward], [x], { gradOutputs: [y as Tensor], retainGraph: true })[0] as Tensor);
    }
  }
}

/** Rows of all heads lie side by side, as a layer's projections leave them. */
function attention(library: Library, { heads, length, width, ...problem }: AttentionProblem): Run {
  const { functional: F, grad, scope, tensor } = library;
  const laid = (x: Float32Array): Tensor =>
    scope(() =>
      tensor(x, { shape: [heads, length, width] })
        .transpose(0, 1)
        .contiguous(),
    )
      .transpose(0, 1)
      .unsqueeze(0);
  const [q, k, v, g] = [laid(problem.q), laid(problem.k), laid(problem.v), laid(problem.g)];
  const leaves = [q, k, v].map((x) => x.detach().requiresGrad_()) as [Tensor, Tensor, Tensor];
  const solve = (): readonly (Tensor | null)[] =>
    grad([F.scaledDotProductAttention(...leaves, { isCausal: true })], leaves, { gradOutputs: [g] });
  return {
    answer: () =>
      scope(() => {
        const [dq, dk, dv] = solve() as [Tensor, Tensor, Tensor];
        return dq.add(dk).add(dv).contiguous().data as Float32Array;
      }),
    run: () => {
      scope(() => {
        solve();
      });
    },
    dispose: () => {
      for (const x of [q, k, v, g, ...leaves]) x.dispose();
    },
  };
}

function stepping(
  { optim }: Library,
  inputs: readonly (Tensor | null)[],
  p: Tensor,
  g: Tensor,
  name: Stepped | 'Adam',
  options: object,
): Run {
  p.requiresGrad_();
  p.grad = g;
  const Optimizer = optim[name] as unknown as new (
    params: readonly Tensor[],
    options: object,
  ) => InstanceType<typeof optim.SGD>;
  const optimizer = new Optimizer([p], options);
  const run = (): void => optimizer.step();
  return {
    answer: () => {
      for (let step = 0; step < ADAM.steps; step++) run();
      return p.data as Float32Array;
    },
    run,
    dispose: () => {
      optimizer.dispose();
      for (const input of inputs) input?.dispose();
    },
  };
}

/** The table as it is trained, compiled: what `taken` is of it gets the gradient `g`. */
function tableStep(
  { compile, functional: F, optim }: Library,
  inputs: readonly [table: Tensor, g: Tensor, taken: Tensor],
  sparse: boolean,
): Run {
  const [table, g, taken] = inputs;
  table.requiresGrad_();
  const optimizer = new (sparse ? optim.SparseAdam : optim.Adam)([table], { lr: ADAM.lr });
  const step = compile((index: Tensor, gradient: Tensor) => {
    optimizer.zeroGrad();
    F.embedding(index, table, { sparse }).backward(gradient);
    optimizer.step();
  });
  const run = (): void => step(taken, g);
  return {
    answer: () => {
      for (let i = 0; i < ADAM.steps; i++) run();
      return table.data as Float32Array;
    },
    run,
    dispose: () => {
      step.dispose();
      optimizer.dispose();
      for (const input of inputs) input.dispose();
    },
  };
}

function layerOf(library: Library, layer: Layer): nn.Layer {
  const { nn } = library;
  switch (layer.kind) {
    case 'linear':
      return new nn.Linear(layer.inputs, layer.outputs);
    case 'conv':
      return new nn.Conv2d(layer.channels, layer.filters, layer.kernel, { padding: 'same' });
    case 'pool':
      return new nn.MaxPool2d(2);
    case 'relu':
      return new nn.ReLU();
    case 'tanh':
      return new nn.Tanh();
    case 'flatten':
      return new nn.Flatten();
    case 'LSTM':
    case 'GRU':
      return meanOfStates(library, layer);
  }
}

/** A recurrent layer, and the mean of the states of all elements. */
function meanOfStates({ nn }: Library, { kind, inputs, hidden }: Layer & { kind: 'LSTM' | 'GRU' }): nn.Layer {
  const options = { batchFirst: true };
  const rnn = kind === 'LSTM' ? new nn.LSTM(inputs, hidden, options) : new nn.GRU(inputs, hidden, options);
  return new (class extends nn.Layer {
    readonly rnn = rnn;
    forward(x: Tensor): Tensor {
      const [states] = rnn instanceof nn.LSTM ? rnn.forward(x) : rnn.forward(x);
      return states.mean(1);
    }
  })();
}

/** The weights of a layer by their names in states. */
function weightsOf(layer: Layer): (readonly [key: string, data: Float32Array])[] {
  if (layer.kind === 'linear' || layer.kind === 'conv')
    return [
      ['weight', layer.weight],
      ['bias', layer.bias],
    ];
  if (layer.kind !== 'LSTM' && layer.kind !== 'GRU') return [];
  return [
    ['rnn.weight_ih_l0', layer.weightIh],
    ['rnn.weight_hh_l0', layer.weightHh],
    ['rnn.bias_ih_l0', layer.biasIh],
    ['rnn.bias_hh_l0', layer.biasHh],
  ];
}

/** A network with the weights of `problem`, its optimizer and batch; `step` gives the loss. */
export function network(library: Library, problem: TrainProblem): { step: () => Tensor; dispose: () => void } {
  const { functional: F, nn, optim, tensor } = library;
  const { batch, loss, optimizer: chosen, input, outputs } = problem;
  const model = new nn.Sequential(...problem.layers.map((layer) => layerOf(library, layer)));
  const own = model.stateDict();
  const state = problem.layers.flatMap((layer, i) =>
    weightsOf(layer).map(([name, data]) => {
      const key = `${i}.${name}`;
      return [key, { shape: (own[key] as Tensor).shape, data }] as const;
    }),
  );
  model.loadStateDict(Object.fromEntries(state));
  const { lr } = chosen;
  const parameters = model.parameters();
  const optimizer = chosen.name === 'SGD' ? new optim.SGD(parameters, { lr }) : new optim.Adam(parameters, { lr });
  const x = tensor(problem.x, { shape: [batch, ...input] });
  const y = loss === 'mse' ? tensor(problem.y, { shape: [batch, outputs] }) : tensor(problem.y);
  return {
    step: () => {
      optimizer.zeroGrad();
      const value = loss === 'mse' ? F.mseLoss(model.forward(x), y) : F.crossEntropy(model.forward(x), y);
      value.backward();
      optimizer.step();
      return value;
    },
    dispose: () => {
      optimizer.zeroGrad();
      optimizer.dispose();
      model.dispose();
      x.dispose();
      y.dispose();
    },
  };
}

function train(library: Library, problem: TrainProblem, compiled: boolean): Run {
  const { compile, scope } = library;
  const { step: eager, dispose } = network(library, problem);
  const step = compiled ? compile(eager) : eager;
  return {
    answer: () => Float32Array.from({ length: problem.checked }, () => scope(() => step().item())),
    run: () => {
      scope(() => {
        step();
      });
    },
    dispose: () => {
      if (compiled) (step as Compiled<[], Tensor>).dispose();
      dispose();
    },
  };
}

/** What a side is called, and the side that it is another version of. */
export type Name = Pick<Side, 'name' | 'versionOf'>;

/** Training steps without compile(). */
export function eagerSide(library: Library, name: Name): Side {
  return {
    ...name,
    version: 'without compile()',
    library,
    prepare: (problem) => (problem.kind === 'train' ? train(library, problem, false) : null),
  };
}

/** The library; training steps are compiled. */
export function librarySide(library: Library, name: Name): Side {
  const { build, threads } = library.backend();
  return {
    ...name,
    version: `${build} SIMD, ${threads} thread${threads === 1 ? '' : 's'}`,
    library,
    prepare: (problem) => {
      switch (problem.kind) {
        case 'gemm':
          return gemm(library, problem);
        case 'linear':
          return linear(library, problem);
        case 'conv':
        case 'conv nhwc':
          return conv(library, problem);
        case 'op':
          return op(library, problem);
        case 'attention':
          return attention(library, problem);
        case 'image':
          return image(library, problem);
        case 'rare':
          return rare(library, problem);
        case 'train':
          return train(library, problem, true);
      }
    },
  };
}
