// What loadStateDict() of every optimizer takes and refuses.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as r from '../../bindings/index.ts';
import { RetrogradError, type Tensor } from '../../bindings/index.ts';
import { failAllocations, imageOf } from '../support/failures.ts';
import {
  type Any,
  first,
  giveGradients,
  leaves,
  most,
  optimizers,
  SHAPE,
  stateOf,
  stepped,
  whole,
} from '../support/optimizers.ts';

beforeAll(() => r.init());
afterAll(() => r.shutdown());

describe.each(optimizers)('loadStateDict of %s', (name, Make) => {
  const test = (what: string, body: () => void): void => it(what, () => r.scope(body));

  const plain = (optimizer: Any): Record<string, unknown> => {
    const { state, paramGroups } = optimizer.stateDict();
    const copy = (x: unknown): unknown => ({ shape: [...(x as Tensor).shape], data: (x as Tensor).data });
    return {
      state: Object.fromEntries(
        Object.entries(state).map(([n, own]) => [
          n,
          Object.fromEntries(Object.entries(own).map(([key, x]) => [key, copy(x)])),
        ]),
      ),
      paramGroups: structuredClone(paramGroups),
    };
  };
  /** Changes of a saved state that make it wrong. */
  const broken: ((saved: never) => unknown)[] = [
    () => null,
    () => 3,
    () => [],
    () => ({}),
    ({ state }: { state: unknown }) => ({ state }),
    ({ paramGroups }: { paramGroups: unknown }) => ({ paramGroups }),
    ...[
      null,
      1,
      'x',
      [],
      [null],
      [1],
      [{}],
      [{ params: 1 }],
      [{ params: ['0', '1', '2'] }],
      [{ params: [0, 0, 0] }],
    ].map((paramGroups) => (saved: object) => ({ ...saved, paramGroups })),
    ...[null, 1, [], { 0: null }, { 0: [] }, { 7: {} }, { x: {} }, { 0: {} }].map((state) => (saved: object) => ({
      ...saved,
      state,
    })),
  ];
  /** Changes of one saved tensor. */
  const tensors: ((x: { shape: number[]; data: Float32Array }) => unknown)[] = [
    () => null,
    () => 1,
    () => ({}),
    ({ data }) => ({ data }),
    ({ shape }) => ({ shape }),
    ({ shape, data }) => ({ shape: [...shape, 2], data }),
    ({ shape, data }) => ({ shape, data: new Float32Array(data.length + 5) }),
    ({ shape, data }) => ({ shape, data: new Float32Array(Math.max(0, data.length - 1)) }),
    ({ shape }) => ({ shape, data: 'abc' }),
    ({ shape, data }) => ({ shape, data: new DataView(data.buffer) }),
    ({ shape, data }) => ({ shape, data: new BigInt64Array(data.length) }),
    ({ shape }) => r.zeros(shape, { dtype: 'u8' }).reshape([...shape, 1]),
    ({ shape }) => {
      const x = r.zeros(shape);
      x.dispose();
      return x;
    },
  ];

  test('takes nothing that is broken, and then changes nothing', () => {
    const ps = leaves();
    const optimizer = stepped(name, Make, ps);
    const before = whole(optimizer, ps);
    const refuses = (saved: unknown, what: string): void => {
      expect(() => optimizer.loadStateDict(saved as never), what).toThrow(RetrogradError);
      expect(whole(optimizer, ps), what).toEqual(before);
    };
    for (const [i, change] of broken.entries()) refuses(change(plain(optimizer) as never), `change ${i}`);
    const names = Object.keys((plain(optimizer).state as Record<string, object>)[2] as object);
    for (const key of names)
      tensors.forEach((change, i) => {
        const saved = plain(optimizer) as { state: Record<string, Record<string, never>> };
        const own = saved.state[2] as Record<string, unknown>;
        own[key] = change(own[key] as never);
        refuses(saved, `${key}, change ${i}`);
      });
    for (const key of names.filter((key) => key !== 'step')) {
      const saved = plain(optimizer) as { state: Record<string, Record<string, unknown>> };
      (saved.state[2] as Record<string, unknown>)[key] = { shape: SHAPE, data: new Int32Array(12) };
      refuses(saved, `${key} of i32`);
    }
    const saved = plain(optimizer) as { state: Record<string, Record<string, unknown>> };
    (saved.state[0] as Record<string, unknown>).strange = { shape: SHAPE, data: new Float32Array(12) };
    refuses(saved, 'a name that it does not know');
    optimizer.dispose();
  });

  test('takes no state of another optimizer', () => {
    const ps = leaves();
    const optimizer = stepped(name, Make, ps);
    for (const [other, Other] of optimizers) {
      const options = Object.keys(first(new Other(ps))).join();
      // Adam may be decoupled as AdamW is.
      if (other === name || (name === 'Adam' && other === 'AdamW')) continue;
      if (options === Object.keys(first(optimizer)).join()) continue;
      // What it has is a part of what they have.
      if (other === 'SparseAdam' && (name === 'RAdam' || name === 'LAMB')) continue;
      const another = new Other(ps, most(other));
      giveGradients(ps);
      another.step();
      const before = whole(optimizer, ps);
      expect(() => optimizer.loadStateDict(another.stateDict()), other).toThrow(RetrogradError);
      expect(whole(optimizer, ps)).toEqual(before);
      another.dispose();
    }
    optimizer.dispose();
  });

  test('changes nothing when memory runs out, wherever it does', () => {
    const ps = leaves();
    const optimizer = stepped(name, Make, ps);
    const other = new Make(ps, most(name));
    const before = whole(other, ps);
    const saved = optimizer.stateDict();
    const failures = failAllocations(
      () => other.loadStateDict(saved),
      () => expect(whole(other, ps)).toEqual(before),
    );
    expect(failures).toBeGreaterThanOrEqual(1 + 3); // the counters, and a buffer of each
    expect(imageOf(stateOf(other))).toEqual(imageOf(stateOf(optimizer)));
    for (const one of [optimizer, other]) one.dispose();
  });

  test('goes on as if nothing had happened, buffers included that no option asks for now', () => {
    const [ps, qs] = [leaves(), leaves()];
    const optimizer = stepped(name, Make, ps);
    const { params: _, ...standard } = first(new Make(ps));
    const used = { ...first(optimizer) };
    for (const key of ['momentum', 'amsgrad', 'centered', 'nesterov'])
      if (key in standard) first(optimizer)[key] = standard[key];
    const other = new Make(qs);
    r.noGrad(() =>
      qs.forEach((q, i) => {
        q.copy_(ps[i] as Tensor);
      }),
    );
    other.loadStateDict(plain(optimizer) as never);
    for (const one of [optimizer, other]) {
      [ps, qs].forEach(giveGradients);
      one.step();
      Object.assign(first(one), { ...used, params: first(one).params });
      one.step();
    }
    expect(qs.map((q) => q.toArray())).toEqual(ps.map((p) => p.toArray()));
    for (const one of [optimizer, other]) one.dispose();
  });
});
