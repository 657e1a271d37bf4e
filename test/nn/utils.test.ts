// nn.utils: vectors of parameters, norms of gradients, fused layers, and parametrizations beyond what goldens hold.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ArgumentError,
  arange,
  functional as F,
  init,
  manualSeed,
  nn,
  ones,
  optim,
  randn,
  ShapeError,
  scope,
  shutdown,
  type Tensor,
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
});
