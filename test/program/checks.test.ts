// Checks of values inside of programs: with any number of threads, the error of eager mode in every call, and no other.
import { afterEach, describe, expect, it } from 'vitest';
import * as rg from '../../bindings/index.ts';
import { compile, functional as F, scope, type Tensor, tensor } from '../../bindings/index.ts';

const CALLS = 100;

/** Programs whose checks see what the program itself computes, one check close behind another. */
const programs: Record<string, () => (i: Tensor) => Tensor> = {
  'an index alone': () => {
    const x = rg.ones([5]);
    return (i) => x.indexSelect(0, i.add(0));
  },
  'an index behind one that is right': () => {
    const x = rg.ones([400, 50]);
    return (i) =>
      x
        .indexSelect(0, i.mul(0))
        .sum()
        .add(x.mul(2).indexSelect(0, i.add(0)));
  },
  'the first of many': () => {
    const x = rg.ones([300, 200]);
    return (i) => [0, 1, 2, 3].map((k) => x.add(k).indexSelect(0, i.add(k))).reduce((a, b) => a.add(b));
  },
  'a target behind a product': () => {
    const [x, w] = [rg.randn([2, 300]), rg.randn([300, 100])];
    return (i) => F.crossEntropy(x.matmul(w).relu(), i.add(i.mul(0)));
  },
  'an op that is made of others': () => (i) => F.oneHot(i.add(0), 5).sum(),
  'a method of a tensor': () => {
    const x = rg.randn([3, 4]);
    return (i) => x.indexSelect(1, i.add(0)).sum();
  },
  'a module of a user': () => {
    class Lookup extends rg.nn.Module {
      readonly table = new rg.nn.Parameter(rg.randn([9, 4]));
      forward(i: Tensor): Tensor {
        return rg.noGrad(() => this.table.indexSelect(0, i));
      }
    }
    const lookup = new Lookup();
    return (i) => lookup.forward(i.add(0)).mul(2);
  },
  'gather and scatterAdd': () => {
    const x = rg.randn([100, 100]);
    const rows = (i: Tensor): Tensor => i.reshape([2, 1]).expand([2, 100]).contiguous();
    return (i) => x.scatterAdd(0, rows(i), rg.ones([2, 100])).gather(0, rows(i.add(1)));
  },
};

describe('checks inside of programs', () => {
  afterEach(() => rg.shutdown());

  it.each([1, 2, 3])('throw what eager mode throws in each of 100 calls, with %i threads', async (threads) => {
    await rg.init({ threads, simd: 'strict' });
    for (const [name, make] of Object.entries(programs))
      scope(() => {
        const fn = make();
        const f = compile(fn);
        const [right, wrong] = [
          [0, 2],
          [1, 999],
        ].map((at) => tensor(at, { dtype: 'i32' })) as [Tensor, Tensor];
        const messageOf = (call: (i: Tensor) => Tensor): string => {
          try {
            return `none: ${call(wrong)}`;
          } catch (error) {
            return `${(error as Error).name}: ${(error as Error).message}`;
          }
        };
        const expected = messageOf(fn);
        expect(expected).toMatch(/999|1000/);
        const got: Record<string, number> = {};
        for (let call = 0; call < CALLS; call++)
          scope(() => {
            f(right); // and what is right goes on as if nothing had been
            const message = messageOf(f);
            got[message] = (got[message] ?? 0) + 1;
          });
        expect(got, name).toEqual({ [expected]: CALLS });
        f.dispose();
      });
  });
});
