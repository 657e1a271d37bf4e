// npm run bench -- wide: what 256-bit vectors save, each step and kernel beside the plain build in turn, in one
// process; and beside native JAX where Python has it, on as many threads as there are cores. It takes Node 24 or later.
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { nn, Tensor } from 'retrograd';
import { formatSeconds } from '../harness/report.ts';
import { type Jax, loadJax, type Perceptron } from '../peers/jax-native.ts';
import { classes, type Library, uniform } from '../problems.ts';
import { loadInstance } from '../sides/instance.ts';
import { leastSeconds } from './compiled-steps.ts';

interface Work {
  readonly name: string;
  /** One call, which answers with a number that both builds have to agree on, to the bit. */
  make(library: Library): () => Tensor;
}

/** A training step of a network, compiled. */
function training(name: string, shape: readonly number[], layers: (layers: Library['nn']) => nn.Layer[]): Work {
  return {
    name: `${name}, Adam`,
    make({ nn, optim, functional: F, compile, manualSeed, tensor }) {
      manualSeed(1);
      const model = new nn.Sequential(...layers(nn));
      const optimizer = new optim.Adam(model.parameters(), { lr: 1e-3 });
      const size = shape.reduce((a, b) => a * b, 1);
      const x = tensor(uniform(size, 1), { shape: [...shape] });
      const y = tensor(classes(shape[0] as number, 10, 2));
      const step = compile((images: Tensor, labels: Tensor) => {
        optimizer.zeroGrad();
        const loss = F.crossEntropy(model.forward(images) as Tensor, labels);
        loss.backward();
        optimizer.step();
        return loss;
      });
      return () => step(x, y);
    },
  };
}

const mlp =
  (...sizes: readonly number[]) =>
  ({ Linear, ReLU }: Library['nn']): nn.Layer[] =>
    sizes.slice(1).flatMap((out, i) => [...(i > 0 ? [new ReLU()] : []), new Linear(sizes[i] as number, out)]);

const cnn =
  (normalized: boolean) =>
  ({ Conv2d, BatchNorm2d, ReLU, MaxPool2d, Flatten, Linear }: Library['nn']): nn.Layer[] => {
    const block = (inputs: number, outputs: number): nn.Layer[] => [
      new Conv2d(inputs, outputs, 3, { padding: 1 }),
      ...(normalized ? [new BatchNorm2d(outputs)] : []),
      new ReLU(),
      new MaxPool2d(2),
    ];
    return [...block(1, 16), ...block(16, 32), new Flatten(), new Linear(32 * 7 * 7, 10)];
  };

/** Blocks of a depthwise and a 1×1 convolution, each with batch norm. */
function separable({ Conv2d, BatchNorm2d, ReLU, AdaptiveAvgPool2d, Flatten, Linear }: Library['nn']): nn.Layer[] {
  const normalized = (conv: nn.Layer, channels: number): nn.Layer[] => [conv, new BatchNorm2d(channels), new ReLU()];
  const block = (inputs: number, outputs: number, stride: number): nn.Layer[] => [
    ...normalized(new Conv2d(inputs, inputs, 3, { padding: 1, stride, groups: inputs }), inputs),
    ...normalized(new Conv2d(inputs, outputs, 1), outputs),
  ];
  return [
    ...normalized(new Conv2d(3, 32, 3, { padding: 1, stride: 2 }), 32),
    ...[...block(32, 64, 1), ...block(64, 128, 2), ...block(128, 128, 1)],
    ...[new AdaptiveAvgPool2d(1), new Flatten(), new Linear(128, 10)],
  ];
}

/** A depthwise convolution, or one of its gradients. */
function depthwise(kernel: number, stride: number, direction: 'forward' | 'dInput' | 'dWeight'): Work {
  const [batch, channels, size] = [16, 64, 28];
  return {
    name: `depthwise ${kernel}×${kernel}${stride > 1 ? `/${stride}` : ''} ${channels} on ${batch}×${size}×${size} ${direction}`,
    make({ functional: F, compile, grad, tensor }) {
      const x = tensor(uniform(batch * channels * size * size, 1), { shape: [batch, channels, size, size] });
      const w = tensor(uniform(channels * kernel * kernel, 2), { shape: [channels, 1, kernel, kernel] });
      const forward = (): Tensor => F.conv2d(x, w, null, { stride, padding: (kernel - 1) / 2, groups: channels });
      if (direction === 'forward') return compile(forward);
      const by = direction === 'dInput' ? x : w;
      by.requiresGrad_();
      const like = forward();
      const g = tensor(uniform(like.size, 3), { shape: [...like.shape] });
      return compile(() => grad([forward()], [by], { gradOutputs: [g] })[0] as Tensor);
    },
  };
}

const product = (n: number): Work => ({
  name: `GEMM ${n}`,
  make({ compile, tensor }) {
    const a = tensor(uniform(n * n, 1), { shape: [n, n] });
    return compile(() => a.matmul(a));
  },
});

const works = (quick: boolean): Work[] => [
  product(quick ? 64 : 512),
  training('MLP 784-128-10, batch 64', [64, 784], mlp(784, 128, 10)),
  training('CNN 16-32 on 28×28, batch 64', [quick ? 2 : 64, 1, 28, 28], cnn(false)),
  training('CNN 16-32 with batch norm, batch 32', [quick ? 2 : 32, 1, 28, 28], cnn(true)),
  training('depthwise-separable net on 64×64, batch 16', [quick ? 2 : 16, 3, 64, 64], separable),
  ...(
    [
      [3, 1],
      [3, 2],
      [5, 1],
      [5, 2],
    ] as const
  ).flatMap(([kernel, stride]) =>
    (['forward', 'dInput', 'dWeight'] as const).map((direction) => depthwise(kernel, stride, direction)),
  ),
];

/** A line of the table. @throws Error where the builds do not agree */
function lineOf({ name, make }: Work, [plain, wide]: readonly [Library, Library], rounds: number): string {
  const calls = [make(plain), make(wide)] as const;
  const expected = plain.scope(() => calls[0]().data);
  const got = wide.scope(() => calls[1]().data);
  for (let i = 0; i < expected.length; i++)
    if (!Object.is(expected[i], got[i])) throw new Error(`${name}: expected ${expected[i]} at ${i}, got ${got[i]}`);
  const [slow = 0, fast = 0] = leastSeconds(
    [(): void => plain.scope(() => void calls[0]()), (): void => wide.scope(() => void calls[1]())],
    rounds,
  );
  return `| ${name} | ${formatSeconds(slow)} | ${formatSeconds(fast)} | ${(slow / fast).toFixed(2)} × |`;
}

function perceptron(sizes: readonly number[], batch: number): Perceptron {
  const weights = sizes.slice(1).map((outputs, i) => {
    const inputs = sizes[i] as number;
    const bound = 1 / Math.sqrt(inputs);
    return { weight: uniform(outputs * inputs, 10 + i, -bound, bound), bias: uniform(outputs, 20 + i, -bound, bound) };
  });
  return { sizes, batch, weights, x: uniform(batch * (sizes[0] as number), 1), y: classes(batch, 10, 2) };
}

/** A compiled step from the numbers of `network`, which gives its loss. */
function stepOf(library: Library, { sizes, batch, weights, x, y }: Perceptron): () => Tensor {
  const { nn, optim, functional: F, compile, noGrad, tensor } = library;
  const layers = mlp(...sizes)(nn);
  const dense = layers.filter((layer): layer is nn.Linear => layer instanceof nn.Linear);
  noGrad(() =>
    dense.forEach(({ weight, bias }, i) => {
      const from = weights[i] as Perceptron['weights'][number];
      weight.copy_(tensor(from.weight, { shape: [...weight.shape] }));
      bias?.copy_(tensor(from.bias));
    }),
  );
  const model = new nn.Sequential(...layers);
  const optimizer = new optim.Adam(model.parameters(), { lr: 1e-3 });
  const [images, labels] = [tensor(x, { shape: [batch, sizes[0] as number] }), tensor(y)];
  const step = compile((inputs: Tensor, targets: Tensor) => {
    optimizer.zeroGrad();
    const loss = F.crossEntropy(model.forward(inputs) as Tensor, targets);
    loss.backward();
    optimizer.step();
    return loss;
  });
  return () => step(images, labels);
}

/** Steps of ours and of JAX in turn, the best of each. */
async function besideJax(jax: Jax, libraries: readonly Library[], sizes: readonly number[], rounds: number) {
  const network = perceptron(sizes, 128);
  const expected = await jax.prepare(network);
  const sides = libraries.map((library) => {
    const step = stepOf(library, network);
    for (const loss of expected) {
      const got = library.scope(() => step().item());
      if (!(Math.abs(got - loss) < 1e-3 * loss)) throw new Error(`MLP ${sizes}: expected the loss ${loss}, got ${got}`);
    }
    return async (count: number) => {
      const started = performance.now();
      for (let i = 0; i < count; i++) library.scope(() => void step());
      return (performance.now() - started) / 1000 / count;
    };
  });
  const all = [...sides, jax.time];
  const count = (sizes[1] as number) > 512 ? 2 : 10;
  const best = all.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round < rounds; round++)
    for (const [i, time] of all.entries()) best[i] = Math.min(best[i] as number, await time(count));
  const theirs = best.at(-1) as number;
  const cells = best.slice(0, -1).map((own) => `${formatSeconds(own)} | ${(own / theirs).toFixed(2)} ×`);
  return `| MLP ${sizes.join('-')}, batch 128, Adam | ${cells.join(' | ')} | ${formatSeconds(theirs)} |`;
}

async function jaxLines(pair: readonly Library[], quick: boolean): Promise<string[]> {
  let jax: Jax;
  try {
    jax = await loadJax();
  } catch (error) {
    return [`No JAX: ${(error as Error).message}`];
  }
  try {
    const networks = quick
      ? [[784, 32, 10]]
      : [
          [784, 256, 128, 10],
          [784, 1024, 1024, 10],
        ];
    const lines: string[] = [];
    for (const sizes of networks) lines.push(await besideJax(jax, pair, sizes, quick ? 2 : 60));
    return [
      `Beside JAX ${jax.version}, each on ${pair[0]?.backend().threads} threads or as many as it takes; × is our time over that of JAX`,
      '',
      '| step | plain | | 256 bits | | JAX |',
      '| --- | ---: | ---: | ---: | ---: | ---: |',
      ...lines,
    ];
  } finally {
    jax.close();
  }
}

export async function table(simd: 'auto' | 'strict' | 'relaxed', quick: boolean): Promise<string> {
  const build = fileURLToPath(new URL('../../', import.meta.url));
  const instances = (threads: number): Promise<[Library, Library]> =>
    Promise.all([loadInstance(build, { simd, threads }), loadInstance(build, { simd, threads, revectorize: true })]);
  const pair = await instances(1);
  const { engine, build: name, revectorized, reasons, tile } = pair[1].backend();
  // A quick run shows both sides, whatever they are.
  if (!revectorized && !quick) return reasons.find((reason) => reason.includes('128-bit')) as string;
  const lines = works(quick).map((work) => lineOf(work, pair, quick ? 1 : 40));
  for (const library of pair) library.shutdown();
  const team = await instances(availableParallelism());
  const beside = await jaxLines(team, quick);
  for (const library of team) library.shutdown();
  return [
    `${name} SIMD, one thread, ${engine}; tile ${tile} in 256 bits`,
    '',
    '| | plain | 256 bits | |',
    '| --- | ---: | ---: | ---: |',
    ...lines,
    '',
    ...beside,
  ].join('\n');
}
