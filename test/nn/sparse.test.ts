// Sparse gradients: what may be done with them, and what refuses them.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ArgumentError,
  compile,
  functional as F,
  grad,
  init,
  nn,
  ones,
  optim,
  RecordingError,
  randn,
  SparseTensor,
  scope,
  shutdown,
  type Tensor,
  tensor,
} from '../../bindings/index.ts';

type Any = optim.Optimizer<object>;
const bits = (x: Tensor): Int32Array => new Int32Array(x.data.buffer);

describe('a sparse gradient', () => {
  beforeAll(() => init({ simd: 'strict', threads: 1 }));
  afterAll(() => shutdown());
  const inScope = (what: string, body: () => void): void => it(what, () => scope(body));
  const index = (...rows: number[]): Tensor => tensor(rows, { dtype: 'i32' });
  /** The gradient of a table [5, 2] of which rows are taken, each times its place. */
  const taken = (weight: Tensor, ...rows: number[]): Tensor =>
    F.embedding(index(...rows), weight, { sparse: true })
      .mul(tensor(rows.flatMap((_, i) => [i + 1, i + 1])).reshape(rows.length, 2))
      .sum();
  const made = (...rows: number[]): SparseTensor => {
    const weight = ones([5, 2]).requiresGrad_();
    taken(weight, ...rows).backward();
    return weight.grad as SparseTensor;
  };

  inScope('has rows, values, and the dense form', () => {
    const g = made(3, 0, 3);
    expect([g.isSparse, g.isCoalesced(), g.coalesce() === g, g.shape, g.dtype, ones([1]).isSparse]).toEqual([
      ...[true, true, true],
      ...[[5, 2], 'f32', false],
    ]);
    expect(g.indices().toArray()).toEqual([[0, 3]]);
    expect(g.values().toArray()).toEqual([
      [2, 2],
      [4, 4],
    ]);
    expect(g.toDense().toArray()).toEqual([
      [2, 2],
      [0, 0],
      [0, 0],
      [4, 4],
      [0, 0],
    ]);
    const [copy, alike] = [g.clone(), g.detach() as SparseTensor];
    expect(`${copy}`).toBe(
      "SparseTensor(tensor([[0, 3]], { dtype: 'i32' }), tensor([[2, 2],\n        [4, 4]]), { shape: [5, 2] })",
    );
    expect(alike.block).toBe(g.block);
    g.dispose();
    expect(copy.toDense().sum().item()).toBe(12);
    expect(() => g.toDense()).toThrow(/memory was given back/);
    expect(() => g.indices()).toThrow(/memory was given back/);
    expect(made().indices().shape).toEqual([1, 0]);
    expect(made().values().shape).toEqual([0, 2]);
  });

  inScope('adds up: over backwards, in one walk, with dense gradients', () => {
    const weight = ones([5, 2]).requiresGrad_();
    const column = (): unknown => (weight.grad as SparseTensor).toDense().select(1, 0).toArray();
    taken(weight, 3, 0, 3).backward();
    taken(weight, 1, 3).backward();
    expect((weight.grad as SparseTensor).indices().toArray()).toEqual([[0, 1, 3]]);
    expect(column()).toEqual([2, 1, 0, 6, 0]);
    weight.clearGrad();
    taken(weight, 3, 0, 3)
      .add(taken(weight, 1, 3))
      .add(taken(weight, 4))
      .backward();
    expect(column()).toEqual([2, 1, 0, 6, 1]);
    // Dense before, after, and between.
    for (const of of [
      [0, 1],
      [1, 0],
      [0, 1, 0],
      [1, 0, 1],
    ]) {
      const terms = of.map((dense) => () => (dense ? weight.sum() : taken(weight, 3, 0)));
      const [a, b] = [of.length - of.reduce((x, y) => x + y), of.reduce((x, y) => x + y)];
      weight.clearGrad();
      for (const term of terms) term().backward();
      expect(weight.grad?.select(1, 0).toArray()).toEqual([b + 2 * a, b, b, b + a, b]);
      weight.clearGrad();
      terms
        .map((term) => term())
        .reduce((x, y) => x.add(y))
        .backward();
      expect(weight.grad?.select(1, 0).toArray()).toEqual([b + 2 * a, b, b, b + a, b]);
    }
    // What a user set is the user's.
    const own = made(2);
    weight.grad = own;
    taken(weight, 3).backward();
    expect([column(), own.toDense().sum().item()]).toEqual([[0, 0, 1, 1, 0], 2]);
  });

  inScope('is what grad() gives, and dense where it has to have derivatives', () => {
    const weight = ones([5, 2]).requiresGrad_();
    const [g] = grad(taken(weight, 3, 0), [weight]);
    expect(g).toBeInstanceOf(SparseTensor);
    expect([weight.grad, (g as SparseTensor).indices().toArray()]).toEqual([null, [[0, 3]]]);
    const loss = F.embedding(index(1, 1, 2), weight, { sparse: true })
      .pow(3)
      .sum();
    const [first] = grad(loss, [weight], { createGraph: true }) as [Tensor];
    expect(first.isSparse).toBe(false);
    const [second] = grad(first.sum(), [weight]);
    expect((second as SparseTensor).toDense().select(1, 0).toArray()).toEqual([0, 12, 6, 0, 0]);
  });

  inScope('goes through hooks', () => {
    const weight = ones([5, 2]).requiresGrad_();
    const seen: unknown[] = [];
    const handle = weight.registerHook((g) => void seen.push((g as SparseTensor).indices().toArray()));
    const after = weight.registerPostAccumulateGradHook((p) => void seen.push(p.grad?.isSparse));
    taken(weight, 3).backward();
    expect([seen, weight.grad?.isSparse]).toEqual([[[[3]], true], true]);
    handle.remove();
    after.remove();
    weight.clearGrad();
    weight.registerHook((g) => (g as SparseTensor).toDense().mul(2));
    taken(weight, 3).backward();
    expect(weight.grad?.select(1, 0).toArray()).toEqual([0, 0, 0, 2, 0]);
  });

  inScope('is clipped by its values, and filled with nothing', () => {
    const [weight, other] = [ones([5, 2]).requiresGrad_(), ones([2]).requiresGrad_()];
    const compute = (sparse: boolean): void => {
      for (const p of [weight, other]) p.clearGrad();
      F.embedding(index(3, 3, 0), weight, { sparse })
        .sum()
        .add(other.sum())
        .backward();
    };
    for (const normType of [1, 2, 3, Number.POSITIVE_INFINITY]) {
      const [dense, sparse] = [false, true].map((how) => {
        compute(how);
        const norm = optim.clipGradNorm([weight, other], 0.5, { normType }).item();
        const g = weight.grad as Tensor;
        return [norm, (g instanceof SparseTensor ? g.toDense() : g).toArray(), other.grad?.toArray()];
      });
      expect(sparse).toEqual(dense);
    }
    compute(true);
    expect(nn.utils.getTotalNorm([weight.grad as Tensor]).item()).toBeCloseTo(Math.sqrt(10), 6);
    optim.clipGradValue(weight, 0.5);
    expect((weight.grad as SparseTensor).values().sum().item()).toBe(2);
    const optimizer = new optim.SparseAdam([weight]);
    optimizer.zeroGrad(false);
    expect([(weight.grad as SparseTensor).indices().shape, weight.grad?.isSparse]).toEqual([[1, 0], true]);
    const before = bits(weight);
    optimizer.step();
    expect(bits(weight)).toEqual(before);
    optimizer.zeroGrad();
    expect(weight.grad).toBe(null);
    optimizer.dispose();
  });

  const refusing = [
    'Adam',
    'AdamW',
    'RMSprop',
    'Adadelta',
    'Adafactor',
    'Adamax',
    'ASGD',
    'LAMB',
    'Lion',
    'Muon',
  ] as const;
  it.each([...refusing, 'NAdam', 'RAdam', 'Rprop'] as const)('stops a step of %s before anything changes', (name) =>
    scope(() => {
      const [first, weight] = [ones([2, 2]).requiresGrad_(), ones([5, 2]).requiresGrad_()];
      first.sum().add(taken(weight, 3)).backward();
      const optimizer = new (optim[name] as new (params: Tensor[]) => Any)([first, weight]);
      expect(() => optimizer.step()).toThrow(
        new RegExp(
          `^step: expected a dense gradient, since ${name} does not support sparse ones, .* SparseAdam instead`,
        ),
      );
      expect([first.toArray(), Object.keys(optimizer.stateDict().state)]).toEqual([
        [
          [1, 1],
          [1, 1],
        ],
        [],
      ]);
    }),
  );

  inScope('steps where it can, and stops elsewhere', () => {
    const weight = ones([5, 2]).requiresGrad_();
    taken(weight, 3).backward();
    for (const [Optimizer, name] of [
      [optim.SGD, 'SGD'],
      [optim.Adagrad, 'Adagrad'],
    ] as const)
      expect(() => new (Optimizer as typeof optim.SGD)([weight], { weightDecay: 0.1 }).step()).toThrow(
        new RegExp(`^step: expected weightDecay 0 of ${name} with a sparse gradient, got 0.1`),
      );
    const dense = ones([5, 2]).requiresGrad_();
    dense.sum().backward();
    expect(() => new optim.SparseAdam([weight, dense]).step()).toThrow(
      /^step: expected sparse gradients, since SparseAdam does not support dense ones, .* consider Adam instead/,
    );
    expect(() => new optim.SparseAdam([weight], { lr: 0 })).toThrow(/^SparseAdam: expected lr > 0, got 0/);
    expect(() => new optim.SparseAdam([weight], { eps: 0 })).toThrow(/^SparseAdam: expected eps > 0, got 0/);
    expect(() => new optim.SparseAdam([weight], { betas: [1, 0.9] })).toThrow(ArgumentError);
    const lbfgs = new optim.LBFGS([weight], { lr: 0.1, maxIter: 1 });
    lbfgs.step(() => {
      weight.clearGrad();
      const loss = taken(weight, 3);
      loss.backward();
      return loss;
    });
    expect(weight.select(1, 0).toArray()).not.toEqual([1, 1, 1, 1, 1]);
  });

  inScope('is refused elsewhere, by a name and a cure', () => {
    const g = made(3, 0);
    const refused = /expected a dense tensor, got a sparse gradient of shape \[5, 2\]; use toDense\(\)/;
    for (const call of [
      () => g.add(1),
      () => ones([5, 2]).mul(g),
      () => g.sum(),
      () => g.reshape([10]),
      () => g.add_(1),
      () => g.toArray(),
      () => g.data,
      () => JSON.stringify(g),
      () => compile((x: Tensor) => x)(g),
      () => ones([5, 2]).requiresGrad_().mul(2).backward(g),
    ])
      expect(call).toThrow(refused);
    // Through an op on the table there is no sparse gradient.
    expect(() => taken(ones([5, 2]).requiresGrad_().mul(2), 3).backward()).toThrow(refused);
    const bag = { sparse: true, mode: 'max' } as const;
    expect(() => F.embeddingBag(tensor([[1]], { dtype: 'i32' }), ones([5, 2]), bag)).toThrow(
      /^embeddingBag: expected mode 'sum' or 'mean' with sparse, got 'max'/,
    );
    expect(() => new (SparseTensor as unknown as new () => unknown)()).toThrow(ArgumentError);
  });

  inScope('has layers that say so', () => {
    const table = new nn.Embedding(6, 3, { sparse: true });
    expect(`${table}`).toBe('Embedding(numEmbeddings: 6, embeddingDim: 3, sparse: true), 18 parameters');
    const layers = [
      table,
      nn.Embedding.fromPretrained(ones([6, 3]), { freeze: false, sparse: true }),
      new nn.EmbeddingBag(6, 3, { sparse: true }),
      nn.EmbeddingBag.fromPretrained(ones([6, 3]), { freeze: false, sparse: true }),
    ];
    for (const layer of layers) {
      layer
        .forward(tensor([[1, 4]], { dtype: 'i32' }))
        .sum()
        .backward();
      expect((layer.weight.grad as SparseTensor).indices().toArray()).toEqual([[1, 4]]);
      layer.zeroGrad();
      expect(layer.weight.grad).toBe(null);
    }
  });

  inScope('goes by how often rows are taken, as a dense one', () => {
    const [sparse, dense] = [true, false].map((how) => {
      const weight = ones([5, 2]).requiresGrad_();
      F.embedding(index(3, 3, 3, 0), weight, { sparse: how, scaleGradByFreq: true })
        .sum()
        .backward();
      return weight.grad as Tensor;
    });
    expect((sparse as SparseTensor).toDense().toArray()).toEqual(dense?.toArray());
  });

  inScope('is as exact for many rows of which most come again', () => {
    const [weight, x] = [randn([997, 33]).requiresGrad_(), tensor(new Int32Array(9000).map((_, i) => (i * i) % 997))];
    const [sparse, dense] = [true, false].map((how) => {
      weight.clearGrad();
      F.embedding(x, weight, { sparse: how }).square().sum().backward();
      return bits(how ? (weight.grad as SparseTensor).toDense() : (weight.grad as Tensor));
    });
    expect(sparse).toEqual(dense);
  });

  inScope('in compiled functions is added up, and left, but not read', () => {
    const weight = ones([5, 2]).requiresGrad_();
    const step = compile((x: Tensor) => {
      weight.clearGrad();
      F.embedding(x, weight, { sparse: true }).sum().backward();
      F.embedding(x.add(1), weight, { sparse: true }).sum().backward();
      return weight.grad;
    });
    for (const [rows, expected] of [
      [
        [1, 1],
        [0, 2, 2, 0, 0],
      ],
      [
        [0, 3],
        [1, 1, 0, 1, 1],
      ],
      [
        [2, 3],
        [0, 0, 1, 2, 1],
      ],
    ] as const) {
      const g = step(index(...rows)) as SparseTensor;
      expect(g).toBeInstanceOf(SparseTensor);
      expect([g.toDense().select(1, 0).toArray(), weight.grad === g]).toEqual([expected, true]);
    }
    weight.clearGrad();
    expect((step(index(4, 2).sub(1)) as SparseTensor).toDense().select(1, 0).toArray()).toEqual([0, 1, 1, 1, 1]);
    expect(step.programs).toBe(1);
    const given = compile((x: Tensor) => grad(F.embedding(x, weight, { sparse: true }).sum(), [weight]));
    expect([1, 2].map((row) => (given(index(row))[0] as SparseTensor).indices().toArray())).toEqual([[[1]], [[2]]]);
    const reads = compile((x: Tensor) => {
      weight.clearGrad();
      F.embedding(x, weight, { sparse: true }).sum().backward();
      return (weight.grad as SparseTensor).values();
    });
    expect(() => reads(index(1))).toThrow(RecordingError);
    expect(() => reads(index(1))).toThrow(/^values: expected no read/);
    const adds = compile((x: Tensor) => F.embedding(x, weight, { sparse: true }).sum().backward());
    weight.clearGrad();
    adds(index(1));
    expect(() => adds(index(1))).toThrow(/one from before in .grad; call zeroGrad\(\) inside/);
    expect((weight.grad as SparseTensor).indices().toArray()).toEqual([[1]]);
  });
});

it('has the same bits on any number of threads', async () => {
  const learn = async (threads: number): Promise<Int32Array[]> => {
    await init({ simd: 'strict', threads });
    const result = scope(() => {
      const start = tensor(Float32Array.from({ length: 300 * 96 }, (_, i) => Math.sin(i))).reshape([300, 96]);
      return [optim.SparseAdam, optim.SGD].map((Optimizer) => {
        const weight = start.clone().requiresGrad_();
        const optimizer = new (Optimizer as typeof optim.SGD)([weight], { lr: 0.1 });
        const step = compile((x: Tensor) => {
          optimizer.zeroGrad();
          F.embedding(x, weight, { sparse: true }).square().sum().backward();
          optimizer.step();
        });
        for (const t of [1, 2, 3]) step(tensor(Int32Array.from({ length: 5000 }, (_, i) => (i * i * t) % 211)));
        optimizer.dispose();
        return bits(weight);
      });
    });
    await shutdown();
    return result;
  };
  const one = await learn(1);
  expect(await learn(3)).toEqual(one);
});
