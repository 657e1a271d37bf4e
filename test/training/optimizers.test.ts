// What every optimizer of the namespace refuses, and that each of its calls does all or nothing.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as r from '../../bindings/index.ts';
import { ArgumentError, nn, optim, RetrogradError, type Tensor } from '../../bindings/index.ts';
import { failAllocations, imageOf, numbered, wrongGradients } from '../support/failures.ts';

beforeAll(() => r.init());
afterAll(() => r.shutdown());

import {
  first,
  giveGradients,
  leaves,
  most,
  optimizers,
  type Settings,
  SHAPE,
  stepped,
  whole,
} from '../support/optimizers.ts';

/** What is no parameter. */
const strangers: Record<string, () => unknown> = {
  'a number': () => 1,
  null: () => null,
  'a name and a tensor': () => ['w', numbered(SHAPE)],
  'a module': () => new nn.Linear(2, 2),
  'of i32': () => r.zeros([2], { dtype: 'i32' }),
  'a result': () => numbered(SHAPE).requiresGrad_().mul(2),
  expanded: () => r.zeros([1]).expand([4]),
  transposed: () => numbered(SHAPE).transpose(0, 1),
  freed: () => {
    const x = numbered(SHAPE);
    x.dispose();
    return x;
  },
};

const PLANNED = ['Adafactor', 'LAMB', 'Muon'];

describe.each(optimizers)('%s', (name, Make) => {
  const test = (what: string, body: () => void): void => it(what, () => r.scope(body));
  it.each(Object.entries(wrongGradients))('steps over none where the last gradient is %s', (_, make) =>
    r.scope(() => {
      const ps = leaves();
      for (const optimizer of [new Make(ps, most(name)), stepped(name, Make, ps)]) {
        giveGradients(ps);
        ps[2]?.takeGrad(make(SHAPE) as Tensor);
        const before = whole(optimizer, ps.slice(0, 2));
        expect(() => optimizer.step()).toThrow(RetrogradError);
        expect(() => optimizer.zeroGrad(false)).toThrow(RetrogradError);
        expect(whole(optimizer, ps.slice(0, 2))).toEqual(before);
        optimizer.dispose();
      }
    }),
  );

  test('steps over none when memory runs out, wherever it does', () => {
    const ps = leaves();
    const optimizer = new Make([{ params: ps.slice(0, 1) }, { params: ps.slice(1) }], most(name));
    giveGradients(ps);
    const before = whole(optimizer, ps);
    const failures = failAllocations(
      () => optimizer.step(),
      () => expect(whole(optimizer, ps)).toEqual(before),
    );
    expect(failures).toBeGreaterThanOrEqual(1 + 3); // the counters, and a buffer of each parameter
    const after = whole(optimizer, ps);
    expect(after).not.toEqual(before);
    // What plans its steps needs memory for each, and again does all or nothing.
    const later = failAllocations(
      () => optimizer.step(),
      () => expect(whole(optimizer, ps)).toEqual(after),
    );
    expect(later > 0).toBe(PLANNED.includes(name));
    optimizer.dispose();
  });

  test('counts the steps of each parameter for itself', () => {
    const ps = leaves();
    const optimizer = stepped(name, Make, ps);
    const counts = (): number[] =>
      [0, 1, 2].map((i) => (optimizer.stateDict().state[i] as { step: Tensor }).step.item());
    const before = counts();
    for (const given of [[0, 2], [1], [0, 1, 2]]) {
      for (const p of ps) p.clearGrad();
      giveGradients(given.map((i) => ps[i] as Tensor));
      optimizer.step();
    }
    expect(counts()).toEqual(before.map((n) => n + 2));
    optimizer.dispose();
  });

  test('steps over none where a state tensor is gone', () => {
    const ps = leaves();
    const optimizer = stepped(name, Make, ps);
    (optimizer.stateDict().state[2] as { step: Tensor }).step.dispose();
    const before = imageOf(ps);
    expect(() => optimizer.step()).toThrow(r.FreedError);
    expect(imageOf(ps)).toEqual(before);
  });

  it.each(Object.entries(strangers))('has no parameter that is %s', (_, make) =>
    r.scope(() => {
      const ps = leaves();
      expect(() => new Make([...ps, make()])).toThrow(RetrogradError);
      expect(() => new Make([{ params: [make()] }])).toThrow(RetrogradError);
      const optimizer = stepped(name, Make, ps);
      const before = whole(optimizer, ps);
      expect(() => optimizer.addParamGroup({ params: [make()] as Tensor[] })).toThrow(RetrogradError);
      expect(whole(optimizer, ps)).toEqual(before);
      // Pushed later, it is found by whatever looks at the parameters next.
      const state = optimizer.stateDict();
      first(optimizer).params.push(make());
      for (const call of [
        () => optimizer.step(),
        () => optimizer.zeroGrad(),
        () => optimizer.stateDict(),
        () => optimizer.loadStateDict(state),
      ])
        expect(call).toThrow(RetrogradError);
      first(optimizer).params.pop();
      expect(whole(optimizer, ps)).toEqual(before);
      optimizer.dispose();
    }),
  );

  test('takes lists of parameters or of groups only', () => {
    for (const bad of [
      null,
      undefined,
      3,
      'abc',
      {},
      numbered(SHAPE),
      new nn.Linear(2, 2),
      [],
      [[]],
      [{}],
      [{ params: 1 }],
    ])
      expect(() => new Make(bad)).toThrow(ArgumentError);
    const p = numbered(SHAPE).requiresGrad_();
    expect(() => new Make([p, p])).toThrow(/expected each parameter once/);
    expect(() => new Make([{ params: [p] }, { params: p }])).toThrow(/expected each parameter once/);
    expect(new Make(new Set([p])).paramGroups[0]?.params[0]).toBe(p);
    expect(new Make([{ params: p }]).paramGroups[0]?.params[0]).toBe(p);
  });

  test('has lists of its own in each group: to write into one changes no other, no default and no saved state', () => {
    const lists = (optimizer: { paramGroups: object[] }): number[][][] =>
      optimizer.paramGroups.map((group) =>
        Object.entries(group).flatMap(([key, x]) => (key !== 'params' && Array.isArray(x) ? [x] : [])),
      );
    const optimizer = new Make([{ params: leaves() }, { params: leaves() }]);
    const before = JSON.stringify(lists(optimizer)[1]);
    const state = optimizer.stateDict();
    for (const list of lists(optimizer)[0] ?? []) list.push((list.pop() as number) * 0.99);
    expect(JSON.stringify(lists(optimizer)[1])).toBe(before);
    expect(JSON.stringify(lists(new Make(leaves()))[0])).toBe(before);
    expect(JSON.stringify(lists(state)[0])).toBe(before);
    optimizer.loadStateDict(state);
    for (const list of lists(optimizer)[0] ?? []) list.push((list.pop() as number) * 0.99);
    expect(JSON.stringify(lists(state)[0])).toBe(before);
  });

  test('knows its options, in the constructor, in groups and later', () => {
    const ps = leaves();
    const { params: _, ...standard } = first(new Make(ps));
    const bad: Settings[] = [{ learningRate: 1 }, { weight_decay: 0 }, { __proto__x: 1 }];
    for (const [key, value] of Object.entries(standard)) {
      if (value !== null) bad.push({ [key]: null });
      bad.push({ [key]: 'x' }, { [key]: [] }, { [key]: {} });
      if (typeof value !== 'boolean') bad.push({ [key]: true }, { [key]: Number.NaN });
      else bad.push({ [key]: 1 });
      if (Array.isArray(value)) bad.push({ [key]: [0.5] }, { [key]: [0.5, Number.NaN] }, { [key]: [...value, 0.5] });
    }
    const optimizer = stepped(name, Make, ps);
    const before = whole(optimizer, ps);
    for (const options of bad) {
      const what = JSON.stringify(options);
      expect(() => new Make(ps, options), what).toThrow(ArgumentError);
      expect(() => new Make([{ params: ps, ...options }]), what).toThrow(ArgumentError);
      expect(() => optimizer.addParamGroup({ params: numbered(SHAPE), ...options }), what).toThrow(ArgumentError);
      const group = first(optimizer);
      const saved = { ...group };
      Object.assign(group, options);
      expect(() => optimizer.step(), what).toThrow(ArgumentError);
      for (const key of Object.keys(options)) {
        if (key in saved) group[key] = saved[key];
        else delete group[key];
      }
      const state = optimizer.stateDict();
      Object.assign(state.paramGroups[0] as object, options);
      expect(() => optimizer.loadStateDict(state), what).toThrow(ArgumentError);
      expect(whole(optimizer, ps), what).toEqual(before);
    }
    optimizer.dispose();
  });

  test('trains a group that was added, with options and state of its own', () => {
    const [a, b, c, d] = leaves(4) as [Tensor, Tensor, Tensor, Tensor];
    const late = new Make([a], most(name));
    giveGradients([a, b]);
    late.step();
    late.addParamGroup({ params: b, lr: 0.5 } as never);
    late.step();
    // The same with two optimizers.
    c.requiresGrad_(false);
    d.requiresGrad_(false);
    for (const [to, from] of [
      [c, numbered(SHAPE, 0)],
      [d, numbered(SHAPE, 1)],
    ] as const)
      to.copy_(from);
    const [one, two] = [new Make([c], most(name)), new Make([d], { ...most(name), lr: 0.5 })];
    [c, d].forEach((p, i) => {
      p.grad = numbered(SHAPE, 10 + i);
    });
    one.step();
    one.step();
    two.step();
    expect([c, d].map((x) => x.toArray())).toEqual([a, b].map((x) => x.toArray()));
    for (const optimizer of [late, one, two]) optimizer.dispose();
  });

  test('calls the closure with gradients on, and gives back what it does', () => {
    const ps = leaves();
    const optimizer = new Make(ps);
    const before = imageOf(ps);
    const loss = r.noGrad(() =>
      optimizer.step(() => {
        const sum = ps.reduce((total, p) => total.add(p.square().sum()), r.tensor(0));
        sum.backward();
        return sum;
      }),
    );
    expect(loss.item()).toBeGreaterThan(0);
    expect(imageOf(ps)).not.toEqual(before);
    optimizer.dispose();
  });

  test('clears gradients, or fills them with zeros', () => {
    const ps = leaves();
    const optimizer = new Make(ps);
    giveGradients(ps);
    optimizer.zeroGrad(false);
    for (const p of ps) expect(p.grad?.toArray()).toEqual(r.zeros(SHAPE).toArray());
    optimizer.zeroGrad();
    for (const p of ps) expect(p.grad).toBeNull();
  });
});

it('takes no notice of a buffer whose option was turned off', () =>
  r.scope(() => {
    const [p, q] = leaves(2) as [Tensor, Tensor];
    q.requiresGrad_(false).copy_(p.detach());
    const once = new optim.SGD([p], { momentum: 0.9, dampening: 0.5, lr: 0.1 });
    p.grad = numbered(SHAPE, 3);
    once.step();
    const afterOne = p.clone();
    q.copy_(afterOne.detach());
    (once.paramGroups[0] as { momentum: number }).momentum = 0;
    once.step();
    q.grad = numbered(SHAPE, 3);
    new optim.SGD([q], { lr: 0.1 }).step();
    expect(p.toArray()).toEqual(q.toArray());
  }));
