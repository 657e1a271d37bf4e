// Layouts in compiled functions: strided arguments are read and written where they are, results may be views of them,
// and chains go by rows where something is repeated along them.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ops } from '../../bindings/autograd.ts';
import * as rg from '../../bindings/index.ts';
import { compile, profile, scope, type Tensor, tensor } from '../../bindings/index.ts';
import { kernelsOf, opsOf } from '../support/dump.ts';
import { bits } from '../support/tensors.ts';

const matrix = (): Tensor =>
  tensor([
    [1, 2, 3],
    [4, 5, 6],
  ]);

describe('layouts in compiled functions', () => {
  beforeAll(() => rg.init({ threads: 2 }));
  afterAll(() => rg.shutdown());

  it('are a part of the key: where tensors stand, and how they lie', () => {
    scope(() => {
      const f = compile((...xs: (Tensor | Tensor[] | { x: Tensor })[]) => xs.flat().length);
      const x = matrix();
      f(x);
      f(matrix().mul(2)); // the same layout
      f(matrix().slice(0, 0, 2)); // a view that lies the same
      expect(f.programs).toBe(1);
      f(matrix().transpose(0, 1).contiguous());
      expect(f.programs).toBe(2);
      f(matrix().transpose(0, 1)); // of the same shape, other strides
      expect(f.programs).toBe(3);
      f([x]);
      f({ x });
      expect(f.programs).toBe(5);
      f(x, [x, x]);
      f([x, x], x);
      expect(f.programs).toBe(7);
      f.dispose();
    });
  });

  it('let strided arguments be read in place', () => {
    scope(() => {
      const f = compile((x: Tensor) => x.mul(2).sum(0));
      const x = matrix();
      for (const y of [x.transpose(0, 1), x.slice(1, 0, 2, 2), x.narrow(1, 1, 2)]) {
        const expected = y.mul(2).sum(0);
        expect(f(y).toArray()).toEqual(expected.toArray());
        expect(f(y).toArray()).toEqual(expected.toArray());
      }
      // No command moves the argument first.
      expect(kernelsOf(f.dump()).flat()).not.toContain('copy_32');
    });
  });

  it('let strided arguments be written in place, and nothing beside them', () => {
    scope(() => {
      const f = compile((y: Tensor, x: Tensor) => {
        ops.copy({ y, x: x.add(1) });
        return y.mul(10);
      });
      const whole = rg.zeros([3, 4]);
      for (let run = 1; run <= 2; run++) {
        const version = whole.block.version;
        const part = whole.transpose(0, 1).narrow(0, 1, 2);
        expect(f(part, rg.full([2, 3], run)).toArray()).toEqual(rg.full([2, 3], 10 * (run + 1)).toArray());
        const row = [0, run + 1, run + 1, 0];
        expect(whole.toArray()).toEqual([row, row, row]);
        expect(whole.block.version).toBeGreaterThan(version);
      }
      expect(f.programs).toBe(1);
    });
  });

  it('let results be views of arguments and of each other', () => {
    scope(() => {
      const f = compile((x: Tensor) => {
        const y = x.mul(2);
        return [x.select(0, 1), x.transpose(0, 1), y, y.select(1, 0)] as const;
      });
      const x = matrix().transpose(0, 1).narrow(0, 1, 2); // [[2, 5], [3, 6]], from the second element on
      for (let run = 0; run < 2; run++) {
        const [row, turned, y, column] = f(x);
        expect(row.toArray()).toEqual([3, 6]);
        expect(turned.toArray()).toEqual([
          [2, 3],
          [5, 6],
        ]);
        expect(column.toArray()).toEqual([4, 6]);
        expect([row.block, turned.block]).toEqual([x.block, x.block]);
        expect(column.block).toBe(y.block);
      }
    });
  });

  it('refuse arguments that share memory with what is written', () => {
    scope(() => {
      const f = compile((y: Tensor, x: Tensor) => {
        ops.copy({ y, x: x.mul(2) });
        return x.add(1);
      });
      const [x, y] = [matrix(), matrix()];
      f(y, x);
      expect(() => f(x, x.view([2, 3]))).toThrow(
        /share no memory with what the function writes, got one of shape \[2, 3\]/,
      );
      expect(() => f(x.select(0, 0), x.select(0, 1))).toThrow(rg.RecordingError);
      const g = compile((a: Tensor) => {
        ops.copy({ y, x: a });
        return a.add(1);
      });
      g(x);
      expect(() => g(y)).toThrow(rg.RecordingError);
      const h = compile((a: Tensor) => {
        ops.copy({ y: a, x: a.add(y) });
      });
      h(x);
      expect(() => h(y)).toThrow(rg.RecordingError);
    });
  });

  it.each([
    ['lets go of', (y: Tensor) => y.clearGrad()],
    ['adds to', (y: Tensor) => y.mul(3).sum().backward()],
  ])('refuse arguments whose gradient the function %s from outside', (_, fn) => {
    scope(() => {
      const [x, y] = [matrix().requiresGrad_(), matrix().requiresGrad_()];
      const f = compile((a: Tensor) => {
        fn(y);
        a.mul(2).sum().backward();
      });
      f(x);
      f(x);
      expect(x.grad?.toArray()).toEqual([
        [4, 4, 4],
        [4, 4, 4],
      ]);
      expect(() => f(y)).toThrow('share no memory with what the function writes');
    });
  });

  const big = [1000, 300] as const;
  const chains: [name: string, loops: boolean, make: () => [Tensor, (x: Tensor) => Tensor]][] = [
    [
      'a row and a column',
      true,
      () => {
        const [row, column] = [rg.randn([300]), rg.randn([1000, 1])];
        return [rg.randn(big), (x) => x.add(row).relu().mul(column)];
      },
    ],
    [
      'a row in front',
      true,
      () => {
        const row = rg.randn([300]);
        return [rg.randn(big), (x) => row.sub(x).tanh().add(row).neg()];
      },
    ],
    [
      'the first column of what the chain makes',
      false,
      () => [
        rg.randn(big),
        (x) => {
          const y = x.mul(2);
          return x
            .add(1)
            .sub(y.narrow(1, 0, 1))
            .abs();
        },
      ],
    ],
    [
      'the last column, and the result in its place',
      false,
      () => [
        rg.randn(big),
        (x) => {
          const y = x.exp();
          return y.div(y.narrow(1, 299, 1)).sub(y.narrow(1, 0, 1));
        },
      ],
    ],
    [
      'a square operand, transposed',
      false,
      () => {
        const other = rg.randn([300, 300]);
        return [rg.randn([300, 300]), (x) => x.mul(other.transpose(0, 1)).relu()];
      },
    ],
    [
      'itself, transposed',
      false,
      () => [
        rg.randn([300, 300]),
        (x) => {
          const y = x.mul(2);
          return y.add(y.transpose(0, 1)).relu();
        },
      ],
    ],
    [
      'what it makes, its inner dims permuted',
      false,
      () => [
        rg.randn([40, 20, 20]),
        (x) => {
          const y = x.mul(2);
          return y.sub(y.transpose(1, 2)).abs();
        },
      ],
    ],
    [
      'rows too long for the scratch',
      false,
      () => {
        const row = rg.randn([9000]);
        return [rg.randn([5, 9000]), (x) => x.add(row).relu().mul(row)];
      },
    ],
  ];
  it.each(chains)('keep the bits of eager mode in chains with %s', (_, loops, make) => {
    scope(() => {
      const [x, chain] = make();
      const f = compile(chain);
      const eager = bits(chain(x));
      expect(bits(f(x))).toBe(eager);
      expect(bits(f(x))).toBe(eager);
      const steps = kernelsOf(f.dump());
      if (loops) expect(steps).toHaveLength(1);
    });
  });

  it('never put what is read in another order into one loop with what makes it', () => {
    scope(() => {
      const f = compile((x: Tensor) => {
        const y = x.mul(2);
        return y.add(y.transpose(0, 1)).relu();
      });
      f(rg.randn([300, 300]));
      const steps = kernelsOf(f.dump());
      const at = (name: string): number => steps.findIndex((step) => step.includes(name));
      expect(at('mul_forward_f32')).not.toBe(at('add_forward_f32'));
    });
  });
});

describe('what compiled functions say', () => {
  beforeAll(() => rg.init({ threads: 1 }));
  afterAll(() => rg.shutdown());

  it('is the graph, and the program that it became', () => {
    scope(() => {
      const linear = new rg.nn.Linear(8, 6);
      const f = compile((x: Tensor) => linear.forward(x).relu());
      f(rg.randn([4, 8]));
      const text = f.dump();
      expect(opsOf(text)).toEqual(['linear', 'relu']);
      expect(kernelsOf(text)).toEqual([['gemm_f32']]);
      expect(text).toMatch(/%\d+:f32\[4, 6\] = linear x=%\d+:f32\[4, 8\] weight=.*bias=.*layouts\.test\.ts:\d+/);
      expect(text).toMatch(/\bm=4\b.*\bact=relu\b.*algorithm=(small|blocked|gemv)/);
      expect(text).toMatch(/^program of 1 steps/m);
    });
  });

  it('is what took the time: a fused chain by the names of its ops, each for its module', () => {
    scope(() => {
      const model = new rg.nn.Sequential(new rg.nn.Linear(100, 100), new rg.nn.Tanh());
      const f = compile((x: Tensor) => model.forward(x).square().neg());
      const x = rg.randn([100, 100]);
      f(x);
      const { events, ops: rows, result } = profile(() => f(x));
      expect(events.map(({ op }) => op)).toEqual(['linear', 'tanh+square+neg']);
      expect(events.map(({ module }) => module)).toEqual(['0', '1']);
      expect(rows.map(({ calls }) => calls)).toEqual([1, 1]);
      expect(bits(result)).toBe(bits(model.forward(x).square().neg()));
    });
  });
});
