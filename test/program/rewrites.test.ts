// What rows let calls become together, from a table: each case has the bits of eager mode, for any number of threads,
// and its program has what the case says; where somebody else reads what is in between, it stays as it was.
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as rg from '../../bindings/index.ts';
import { compile, functional as F, nn, scope, type Tensor } from '../../bindings/index.ts';

/** The bits of a tensor, told in short. All NaNs are one: which of two a sum is depends on how an engine adds. */
const bits = (x: Tensor): string =>
  createHash('sha1')
    .update(Float32Array.from(x.data, (v) => (Number.isNaN(v) ? Number.NaN : v)))
    .digest('hex');

type Layer = nn.Module & { forward(x: Tensor): Tensor };

interface Case {
  /** A module, its input, and what it does beside forward: `also` gets what is in between. */
  readonly layers: () => Layer[];
  readonly shape: readonly number[];
  /** After so many layers somebody else reads the result, where the case is one of those. */
  readonly between: number;
  /** What the text of the program has, and has not where somebody else reads that, */
  readonly has: RegExp;
  /** unless that makes no difference. */
  readonly anyway?: true;
}

/** A function as a layer. */
class Of extends nn.Module {
  readonly #f: (x: Tensor) => Tensor;
  constructor(f: (x: Tensor) => Tensor) {
    super();
    this.#f = f;
  }
  forward(x: Tensor): Tensor {
    return this.#f(x);
  }
}

/** Commands that are one loop, among others. */
const loop = (...kernels: string[]): RegExp =>
  new RegExp(` loop\\n(      .*\\n)*${kernels.map((name) => `      ${name} .*\\n`).join('(      .*\\n)*')}`);

/** Numbers with ties, zeros of both signs and, where `special`, NaN and infinities. */
function input(shape: readonly number[], special: boolean): Tensor {
  const x = rg.randn(shape).mul(2).round().div(2);
  const [n, odd] = [x.size, [Number.NaN, Infinity, -Infinity, -0, 1e-45]];
  const values = Float32Array.from(x.data, (v, i) =>
    special && i % 97 === 3 ? (odd[((i / 97) % 5) | 0] as number) : v,
  );
  values[n - 1] = -0;
  return rg.tensor(values, { shape });
}

/** One training step: what it returns, gradients of all parameters and of the input, and buffers. */
function stepOf({ layers, shape, between }: Case, special: boolean, elsewhere: boolean) {
  rg.manualSeed(3);
  const modules = layers();
  const x = input(shape, special).requiresGrad_();
  const step = (): Tensor[] => {
    x.clearGrad();
    for (const module of modules) module.zeroGrad();
    let y: Tensor = x;
    let also: Tensor | null = null;
    modules.forEach((module, i) => {
      y = module.forward(y);
      if (i === between) also = y;
    });
    const weights = rg.arange(y.size).sin().view(y.shape);
    let loss = y.mul(weights).sum();
    if (elsewhere && also) loss = loss.add((also as Tensor).sin().sum());
    loss.backward();
    return elsewhere && also ? [y, also] : [y];
  };
  const state = (results: Tensor[]): string[] => {
    const of = (module: Layer): Tensor[] => [
      ...[...module.parameters()].map((p) => p.grad as Tensor),
      ...[...module.buffers()].filter(({ dtype }) => dtype === 'f32'),
    ];
    return [...results, x.grad as Tensor, ...modules.flatMap(of)].map(bits);
  };
  return { step, state };
}

const cases: Record<string, Case> = {
  'relu, then a max pool': {
    layers: () => [new nn.Conv2d(2, 3, 3), new nn.ReLU(), new nn.MaxPool2d(2)],
    shape: [2, 2, 10, 12],
    between: 1,
    has: /relu_backward_f32 dx=\S+\[2, 3, 4, 5\]/,
  },
  'relu, then a max pool whose windows overlap': {
    layers: () => [new nn.Conv2d(2, 3, 3), new nn.ReLU(), new nn.MaxPool2d(3, { stride: 2, padding: 1 })],
    shape: [2, 2, 11, 12],
    between: 1,
    has: /relu_backward_f32 dx=\S+\[2, 3, 5, 5\]/,
  },
  'relu, then an adaptive max pool': {
    layers: () => [new nn.Conv2d(2, 3, 3), new nn.ReLU(), new nn.AdaptiveMaxPool2d(3)],
    shape: [2, 2, 10, 12],
    between: 1,
    has: /relu_backward_f32 dx=\S+\[2, 3, 3, 3\]/,
  },
  'batch norm, then relu': {
    layers: () => [new nn.Conv2d(2, 3, 3), new nn.BatchNorm2d(3), new nn.ReLU(), new nn.Conv2d(3, 2, 1)],
    shape: [3, 2, 7, 8],
    between: 1,
    has: /batch_norm_forward_f32 .* act=relu/,
  },
  'batch norm of rows, then relu': {
    layers: () => [new nn.Linear(5, 7), new nn.BatchNorm1d(7), new nn.ReLU(), new nn.Linear(7, 3)],
    shape: [9, 5],
    between: 1,
    has: /batch_norm_forward_f32 .* act=relu/,
  },
  'batch norm that evaluates, then relu': {
    layers: () => [new nn.Conv2d(2, 3, 3), new nn.BatchNorm2d(3, { affine: false }).eval(), new nn.ReLU()],
    shape: [3, 2, 7, 8],
    between: 1,
    has: /batch_norm_forward_f32 .* act=relu/,
  },
  'batch norm, relu, then a max pool': {
    layers: () => [
      new nn.Conv2d(2, 3, 3),
      new nn.BatchNorm2d(3),
      new nn.ReLU(),
      new nn.MaxPool2d(2),
      new nn.Dropout(0.3),
    ],
    shape: [2, 2, 10, 12],
    between: 2,
    has: /batch_norm_forward_f32 .* act=relu[\s\S]*relu_backward_f32 dx=\S+\[2, 3, 4, 5\]/,
  },
  'a row that is added, then dropout': {
    layers: () => [new Of((x) => x.add(rg.arange(10).div(7))), new nn.Dropout(0.4)],
    shape: [850, 10],
    between: 0,
    has: loop('add_forward_f32', 'dropout_forward_f32'),
    anyway: true,
  },
  'a sum, then relu': {
    layers: () => [new Of((x) => x.add(x.mul(2))), new nn.ReLU(), new Of((x) => x.mul(3))],
    shape: [93, 89],
    between: 0,
    has: loop('add_forward_f32', 'relu_forward_f32'),
    anyway: true,
  },
};

describe.each([
  { simd: 'strict', threads: 1 },
  { simd: 'relaxed', threads: 2 },
  { simd: 'relaxed', threads: 3 },
] as const)('calls that become others, $simd build, $threads threads', (options) => {
  beforeAll(() => rg.init(options));
  afterAll(() => rg.shutdown());

  it.each(Object.keys(cases))('%s', (name) => {
    const made = cases[name] as Case;
    for (const [special, elsewhere] of [
      [false, false],
      [true, false],
      [false, true],
    ] as const)
      scope(() => {
        const eager = stepOf(made, special, elsewhere);
        const compiled = stepOf(made, special, elsewhere);
        const program = compile(compiled.step);
        const seeded = (seed: number, step: () => Tensor[]): Tensor[] => {
          rg.manualSeed(seed);
          return step();
        };
        for (let run = 0; run < 2; run++)
          expect(compiled.state(seeded(run, program)), `${special} ${elsewhere}`).toEqual(
            eager.state(seeded(run, eager.step)),
          );
        if (!special) expect(made.has.test(program.dump())).toBe(!elsewhere || made.anyway === true);
        program.dispose();
      });
  });

  it('are left as they are where what they would read is written in place', () => {
    scope(() => {
      const step = (x: Tensor): Tensor[] => {
        const y = F.maxPool2d(x.requiresGrad_().relu(), 2);
        const g = y.mul(y.sign().add(0.5)).detach();
        y.detach().mul_(-1);
        y.backward(g);
        return [(x.grad as Tensor).clone(), y.detach().clone()];
      };
      const f = compile(step);
      const x = input([2, 3, 8, 8], false);
      const eager = step(x.clone()).map(bits);
      expect(f(x.clone()).map(bits)).toEqual(eager);
      expect(f.dump()).toMatch(/relu_backward_f32 dx=\S+\[2, 3, 8, 8\]/);
    });
  });
});
