// nn.utils: vectors of parameters, norms of gradients, fused layers, and parametrizations beyond what goldens hold.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ArgumentError,
  arange,
  autograd,
  compile,
  eye,
  functional as F,
  init,
  manualSeed,
  nn,
  noGrad,
  ones,
  optim,
  randn,
  ShapeError,
  scope,
  shutdown,
  type Tensor,
  tril,
} from '../../bindings/index.ts';

const { utils } = nn;
const { parametrize, parametrizations } = utils;

beforeAll(() => init({ simd: 'strict' }));
afterAll(() => shutdown());

describe('vectors of parameters', () => {
  it('hold all numbers, in order, and have gradients', () => {
    scope(() => {
      const layer = new nn.Linear(3, 2);
      const vector = utils.parametersToVector(layer.parameters());
      expect(vector.toArray()).toEqual([...layer.weight.data, ...(layer.bias as Tensor).data]);
      vector.square().sum().backward();
      expect(layer.weight.grad?.toArray()).toEqual(layer.weight.mul(2).toArray());
      utils.vectorToParameters(arange(8), layer.parameters());
      expect(layer.weight.toArray()).toEqual([
        [0, 1, 2],
        [3, 4, 5],
      ]);
      expect(layer.bias?.toArray()).toEqual([6, 7]);
      const before = [...layer.weight.data];
      expect(() => utils.vectorToParameters(ones([7]), layer.parameters())).toThrow(ShapeError);
      expect(() => utils.vectorToParameters(ones([9]), layer.parameters())).toThrow(
        /^vectorToParameters: expected a vector \[8\], got \[9\]/,
      );
      expect([...layer.weight.data]).toEqual(before);
      expect(() => utils.parametersToVector([])).toThrow(/^parametersToVector: expected at least one parameter/);
    });
  });
});

describe('norms of gradients', () => {
  it('clipGradNorm_ and clipGradValue_ are the functions of optim', () => {
    expect(utils.clipGradNorm_).toBe(optim.clipGradNorm);
    expect(utils.clipGradValue_).toBe(optim.clipGradValue);
  });

  it('getTotalNorm and clipGradsWithNorm_ together are clipGradNorm_', () => {
    scope(() => {
      const gradients = (): Tensor[] => {
        manualSeed(1);
        return [randn([3, 2]), randn([4])].map((g) => {
          const p = ones(g.shape).requiresGrad_();
          p.grad = g;
          return p;
        });
      };
      const [a, b] = [gradients(), gradients()];
      const total = utils.getTotalNorm(
        a.map((p) => p.grad as Tensor),
        { normType: 1 },
      );
      utils.clipGradsWithNorm_(a, 0.5, total);
      expect(utils.clipGradNorm_(b, 0.5, 1).item()).toBe(total.item());
      for (const [i, p] of a.entries()) expect(p.grad?.toArray()).toEqual(b[i]?.grad?.toArray());
      expect(utils.getTotalNorm([]).item()).toBe(0);
      expect(() => utils.getTotalNorm([ones([1]).div(0)], { errorIfNonfinite: true })).toThrow(/^getTotalNorm: /);
      expect(() => utils.clipGradsWithNorm_(a, -1, total)).toThrow(/^clipGradsWithNorm_: expected maxNorm >= 0/);
    });
  });
});

describe('fused layers', () => {
  const trained = <B extends nn.BatchNorm1d | nn.BatchNorm2d>(bn: B, x: Tensor): B => {
    nn.init.uniform_(bn.weight as Tensor, 0.5, 2);
    nn.init.uniform_(bn.bias as Tensor, -1, 1);
    for (let i = 0; i < 3; i++) bn.forward(x);
    bn.eval();
    return bn;
  };

  it('give what the layer and its normalisation give', () => {
    scope(() => {
      for (const bias of [true, false]) {
        const x = randn([2, 4, 6, 6]);
        const conv = new nn.Conv2d(4, 6, 3, { stride: 2, padding: 1, groups: 2, bias }).eval();
        const bn = trained(new nn.BatchNorm2d(6), conv.forward(x));
        const fused = utils.fuseConvBnEval(conv, bn);
        expect(fused).toBeInstanceOf(nn.Conv2d);
        expect(
          fused
            .forward(x)
            .sub(bn.forward(conv.forward(x)))
            .abs()
            .max()
            .item(),
        ).toBeLessThan(1e-5);
        const rows = randn([5, 3]);
        const linear = new nn.Linear(3, 4, { bias }).eval();
        const norm = trained(new nn.BatchNorm1d(4), linear.forward(rows));
        const both = utils.fuseLinearBnEval(linear, norm);
        expect(
          both
            .forward(rows)
            .sub(norm.forward(linear.forward(rows)))
            .abs()
            .max()
            .item(),
        ).toBeLessThan(1e-5);
      }
    });
  });

  it('refuse what cannot be fused', () => {
    const [linear, bn] = [new nn.Linear(3, 4), new nn.BatchNorm1d(4)];
    expect(() => utils.fuseLinearBnEval(linear, bn)).toThrow(/^fuseLinearBnEval: expected modules in evaluation mode/);
    const without = new nn.BatchNorm1d(4, { trackRunningStats: false }).eval();
    expect(() => utils.fuseLinearBnEval(linear.eval(), without)).toThrow(/expected batch normalisation with running/);
    expect(() => utils.fuseConvBnEval(linear as never, bn.eval())).toThrow(/^fuseConvBnEval: expected a convolution/);
    expect(() => utils.fuseLinearBnEval(linear, linear as never)).toThrow(/expected batch normalisation, got Linear/);
  });
});

/** Counts how often it computes. */
class Symmetric extends nn.Module {
  calls = 0;
  forward(x: Tensor): Tensor {
    this.calls++;
    return x.add(x.t()).mul(0.5);
  }
}
class Doubled extends nn.Module {
  forward(x: Tensor): Tensor {
    return x.mul(2);
  }
  rightInverse(x: Tensor): Tensor {
    return x.div(2);
  }
}

class OneWeight extends nn.Module {
  weight: Tensor;
  declare readonly parametrizations: nn.ModuleDict;
  constructor(shape: readonly number[]) {
    super();
    this.weight = new nn.Parameter(randn(shape));
  }
  forward(): Tensor {
    return this.weight;
  }
}

/** How far the products of the columns, or of the rows of wide matrices, are from those of an orthogonal matrix. */
function farFromOrthogonal(q: Tensor): number {
  const [n, k] = q.shape.slice(-2) as [number, number];
  if (q.size === 0) return 0;
  const tall = n < k ? q.transpose(-2, -1) : q;
  return tall
    .transpose(-2, -1)
    .matmul(tall)
    .sub(eye(Math.min(n, k)))
    .abs()
    .max()
    .item();
}

describe('parametrizations', () => {
  it('compute a tensor, train what it is computed from, and end', () => {
    scope(() => {
      const layer = new nn.Linear(3, 3);
      const original = layer.weight;
      expect(parametrize.registerParametrization(layer, 'weight', new Symmetric())).toBe(layer);
      expect(Object.keys(layer.stateDict())).toEqual(['bias', 'parametrizations.weight.original']);
      expect(layer.parameters()).toContain(original);
      expect(layer.weight.toArray()).toEqual(layer.weight.t().toArray());
      layer
        .forward(ones([2, 3]))
        .sum()
        .backward();
      expect(original.grad?.shape).toEqual([3, 3]);
      expect(parametrize.isParametrized(layer)).toBe(true);
      expect([parametrize.isParametrized(layer, 'weight'), parametrize.isParametrized(layer, 'bias')]).toEqual([
        true,
        false,
      ]);
      const value = layer.weight.toArray();
      parametrize.removeParametrizations(layer, 'weight');
      expect(layer.weight).toBe(original);
      expect(layer.weight.toArray()).toEqual(value);
      expect(Object.keys(layer.stateDict()).sort()).toEqual(['bias', 'weight']);
      expect(parametrize.isParametrized(layer)).toBe(false);
      layer.dispose();
    });
  });

  it('come one after the other, and take values by their inverses', () => {
    scope(() => {
      const layer = new nn.Linear(2, 2, { bias: false });
      const first = layer.weight.toArray();
      parametrize.registerParametrization(layer, 'weight', new Doubled());
      expect(layer.weight.toArray()).toEqual(first);
      layer.weight = ones([2, 2]);
      expect(layer.weight.toArray()).toEqual([
        [1, 1],
        [1, 1],
      ]);
      parametrize.registerParametrization(layer, 'weight', new Doubled());
      expect(layer.weight.toArray()).toEqual([
        [2, 2],
        [2, 2],
      ]);
      expect(() => parametrize.registerParametrization(layer, 'weight', new nn.Flatten({ startDim: 0 }))).toThrow(
        /^registerParametrization: expected a parametrization that leaves the shape \[2, 2\], got \[4\]/,
      );
      parametrize.removeParametrizations(layer, 'weight', { leaveParametrized: false });
      expect(layer.weight.toArray()).toEqual([
        [0.5, 0.5],
        [0.5, 0.5],
      ]);
      const other = parametrize.registerParametrization(new nn.Linear(2, 2), 'weight', new Symmetric());
      expect(() => {
        other.weight = ones([2, 2]);
      }).toThrow(/^Symmetric: expected a parametrization with rightInverse/);
    });
  });

  it('cached computes once', () => {
    scope(() => {
      const symmetric = new Symmetric();
      const layer = parametrize.registerParametrization(new nn.Linear(3, 3), 'weight', symmetric);
      symmetric.calls = 0;
      const y = parametrize.cached(() => layer.forward(layer.forward(ones([1, 3]))));
      expect(symmetric.calls).toBe(1);
      y.sum().backward();
      layer.forward(layer.forward(ones([1, 3])));
      expect(symmetric.calls).toBe(3);
    });
  });

  it('weight norm and spectral norm leave the weight as it is, or of norm 1, and end', () => {
    scope(() => {
      const x = randn([2, 3]);
      for (const [on, off, keys] of [
        [utils.weightNorm, utils.removeWeightNorm, ['bias', 'weight_g', 'weight_v']],
        [utils.spectralNorm, utils.removeSpectralNorm, ['bias', 'weight_orig', 'weight_u', 'weight_v']],
        [
          parametrizations.weightNorm,
          (layer: nn.Module) => parametrize.removeParametrizations(layer, 'weight'),
          ['bias', 'parametrizations.weight.original0', 'parametrizations.weight.original1'],
        ],
      ] as const) {
        const layer = new nn.Linear(3, 4);
        const before = layer.forward(x);
        expect(on(layer)).toBe(layer);
        expect(Object.keys(layer.stateDict())).toEqual(keys);
        if (on !== utils.spectralNorm) expect(layer.forward(x).sub(before).abs().max().item()).toBeLessThan(1e-5);
        else for (let i = 0; i < 50; i++) layer.forward(x);
        const weight = layer.eval().weight.clone();
        const y = layer.forward(x).clone();
        off(layer);
        expect(layer.weight.sub(weight).abs().max().item()).toBeLessThan(1e-6);
        expect(layer.forward(x).sub(y).abs().max().item()).toBeLessThan(1e-5);
        expect(layer.weight).toBeInstanceOf(nn.Parameter);
        expect(() => off(layer)).toThrow(ArgumentError);
      }
      expect(() => utils.weightNorm(new nn.Linear(2, 2), 'nope')).toThrow(/expected the name of a parameter of Linear/);
      expect(() => utils.weightNorm(new nn.Linear(2, 2), { dim: 2 })).toThrow(
        /^weightNorm: expected a dim of a weight/,
      );
      expect(() => parametrizations.spectralNorm(new nn.Linear(2, 2), { nPowerIterations: 0 })).toThrow(ArgumentError);
      expect(F.linear(x, ones([4, 3])).shape).toEqual([2, 4]);
    });
  });

  it.each(['matrixExp', 'cayley', 'householder'] as const)('orthogonal by %s, of any shape', (orthogonalMap) => {
    scope(() => {
      for (const shape of [
        [1, 1],
        [2, 1],
        [1, 5],
        [33, 33],
        [40, 17],
        [17, 40],
        [3, 6, 4],
        [2, 0],
      ]) {
        const layer = new OneWeight(shape);
        expect(parametrizations.orthogonal(layer, { orthogonalMap })).toBe(layer);
        const { original } = layer.parametrizations.get('weight') as unknown as { original: nn.Parameter };
        noGrad(() => original.add_(tril(randn(shape).mul(0.5), -1)));
        expect(farFromOrthogonal(layer.weight)).toBeLessThan(2e-5);
        // An orthogonal weight is kept, any other one made so.
        const given = layer.weight.clone();
        layer.weight = given;
        expect(shape.includes(0) ? 0 : layer.weight.sub(given).abs().max().item()).toBeLessThan(2e-5);
        layer.weight = randn(shape);
        expect(farFromOrthogonal(layer.weight)).toBeLessThan(2e-5);
        expect(() => {
          layer.weight = ones([...shape, 2]);
        }).toThrow(/^orthogonal: expected a tensor /);
        layer.dispose();
      }
      const layer = parametrizations.orthogonal(new OneWeight([3, 3]), { orthogonalMap, useTrivialization: false });
      const [map] = layer.parametrizations.get('weight') as unknown as [nn.utils.parametrize.Parametrization];
      expect(autograd.gradgradcheck((x: Tensor) => map.forward(x), [randn([3, 3]).sub(eye(3).mul(5))])).toBe(true);
    });
  });

  it('orthogonal by matrixExp is the same compiled, of large angles too', () => {
    scope(() => {
      const layer = parametrizations.orthogonal(new OneWeight([4, 4]));
      const { original } = layer.parametrizations.get('weight') as unknown as { original: nn.Parameter };
      const compiled = compile(() => layer.weight.clone());
      for (const factor of [0, 0.01, 1, 30, 400]) {
        noGrad(() => original.copy_(randn([4, 4]).mul(factor)));
        expect(farFromOrthogonal(layer.weight)).toBeLessThan(1e-3);
        expect(compiled().toArray()).toEqual(layer.weight.toArray());
      }
      noGrad(() => original.copy_(ones([4, 4]).mul(3000)));
      expect(compiled().data.every(Number.isNaN)).toBe(true);
      compiled.dispose();
      layer.dispose();
    });
  });

  it('orthogonal says what it cannot', () => {
    const { orthogonal } = parametrizations;
    expect(() => orthogonal(new nn.Linear(2, 2), 'bias')).toThrow(/^orthogonal: expected a matrix/);
    expect(() => orthogonal(new nn.Linear(2, 2), 'nope')).toThrow(/^orthogonal: expected the name of a parameter/);
    expect(() => orthogonal(orthogonal(new nn.Linear(2, 2)))).toThrow(/pass \{ useTrivialization: false \}/);
    const layer = orthogonal(new nn.Linear(2, 2), { useTrivialization: false });
    expect(() => {
      layer.weight = ones([2, 2]);
    }).toThrow(/expected a parametrization with rightInverse/);
  });
});
