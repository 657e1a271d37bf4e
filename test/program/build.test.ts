// Building programs of many commands, and where their nodes say that they were made.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as rg from '../../bindings/index.ts';
import { compile, nn, scope, type Tensor } from '../../bindings/index.ts';
import { kernelsOf } from '../support/dump.ts';
import { cpuSeconds } from '../support/seconds.ts';
import { bits } from '../support/tensors.ts';

describe('building a program', () => {
  beforeAll(() => rg.init({ threads: 2 }));
  afterAll(() => rg.shutdown());

  it('takes no time that is quadratic', () => {
    scope(() => {
      const row = rg.randn([8]);
      const chain = (x: Tensor): Tensor => {
        let y = x;
        for (let i = 0; i < 10_000; i++) y = y.mul(row).tanh().add(y);
        return y;
      };
      const x = rg.randn([4, 8]);
      const f = compile(chain);
      // Half a second; looking at all commands for each would take minutes.
      expect(cpuSeconds(() => f(x))).toBeLessThan(15);
      const y = f(x);
      expect(kernelsOf(f.dump())).toHaveLength(30_000);
      expect(bits(y)).toBe(bits(scope(() => chain(x))));
    });
  });

  it('knows the line of an op in modules as deep as they are, and of one far below the call', () => {
    scope(() => {
      let deep: nn.Layer = new nn.ReLU();
      for (let i = 0; i < 12; i++) deep = new nn.Sequential(deep, new nn.Tanh());
      const below = (x: Tensor, depth: number): Tensor => (depth === 0 ? x.softmax(1) : below(x, depth - 1));
      const f = compile((x: Tensor) => below(deep.forward(x), 60));
      f(rg.randn([2, 2]));
      const lines = f.dump().split('\n').slice(1, 15);
      expect(lines).toHaveLength(14);
      for (const line of lines) expect(line).toMatch(/\(at .*build\.test\.ts:\d+/);
    });
  });
});
