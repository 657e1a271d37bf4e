// Writes in place to results and to views of them, against PyTorch: values, gradients and second ones, eager and in
// compiled functions.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  compile,
  functional as F,
  grad,
  init,
  ones,
  scope,
  shutdown,
  type Tensor,
  tensor,
} from '../../bindings/index.ts';
import { read } from './golden.ts';

interface Case {
  readonly call: string;
  readonly args: readonly (string | number | boolean)[];
  readonly place: string;
  /** Whether what is written is the result of an op, or plain. */
  readonly recorded: boolean;
  readonly values: readonly number[] | null;
  readonly grads: readonly (readonly number[])[];
  readonly second: readonly (readonly number[])[] | null;
}
interface File {
  readonly leaf: readonly number[];
  readonly other: readonly number[];
  readonly weights: readonly number[];
  readonly cases: readonly Case[];
}
const file = read('inplace') as File;
const TOLERANCE = 1e-4;
type Functions = Record<string, (...args: unknown[]) => Tensor>;

const places: Record<string, (base: Tensor) => Tensor> = {
  whole: (base) => base,
  slice: (base) => base.narrow(1, 1, 2),
  transposed: (base) => base.t(),
  'view of a view': (base) => base.t().narrow(0, 1, 2).select(1, 1),
  reshaped: (base) => base.view(2, 6).select(0, 1).view(3, 2),
};

/** What the case writes and what is read of it, as inplace.py has it. */
function run({ call, args, place, recorded }: Case, leaf: Tensor, other: Tensor): { base: Tensor; total: Tensor } {
  const weights = tensor(file.weights, { shape: [3, 4] });
  const base = recorded ? leaf.mul(1) : leaf.detach().clone();
  const before = base.narrow(0, 1, 2);
  const target = (places[place] as (base: Tensor) => Tensor)(base);
  const first = target.slice(0, 0, 1);
  const given: Record<string, Tensor> = {
    other,
    mask: tensor(1, { dtype: 'u8' }),
    index: ones(first.shape, { dtype: 'i32' }),
    source: other.expand(first.shape),
  };
  if (call.startsWith('F.')) {
    target.sub_(1); // to both sides of 0
    expect((F as unknown as Functions)[call.slice(2)]?.(target, ...args)).toBe(target);
  } else {
    const method = (target as unknown as Functions)[`${call}_`];
    expect(
      method?.apply(
        target,
        args.map((arg) => given[arg as string] ?? arg),
      ),
    ).toBe(target);
  }
  const after = base.t().select(1, 2);
  const total = base
    .mul(weights)
    .sum()
    .add(
      before
        .square()
        .mul(weights.narrow(0, 1, 2))
        .sum(),
    )
    .add(after.square().mul(weights.select(0, 0)).sum());
  return { base, total };
}

function derivatives(one: Case, leaf: Tensor, other: Tensor): Tensor[] {
  const { base, total } = run(one, leaf, other);
  const leaves = one.recorded ? [leaf, other] : [other];
  const options = { materializeGrads: true };
  if (!total.requiresGrad) return [base.detach(), ...leaves.map((x) => x.detach().mul(0))];
  const first = grad(total, leaves, { ...options, createGraph: one.second !== null }) as Tensor[];
  const all = [base.detach(), ...first.map((g) => g.detach())];
  if (!one.second) return all;
  const whole = first.map((g) => g.square().sum()).reduce((a, b) => a.add(b));
  if (!whole.requiresGrad) return [...all, ...leaves.map((x) => x.detach().mul(0))];
  return [...all, ...(grad(whole, leaves, options) as Tensor[])];
}

function check(one: Case, results: readonly Tensor[]): void {
  const expected = [one.values, ...one.grads, ...(one.second ?? [])];
  expect(results.length).toBe(expected.length);
  expected.forEach((values, i) => {
    if (!values) return;
    const largest = Math.max(...values.map(Math.abs), 0.1);
    const worst = Math.max(...values.map((v, at) => Math.abs(v - (results[i]?.data[at] as number))));
    expect(worst / largest, `result ${i}`).toBeLessThan(TOLERANCE);
  });
}

const title = ({ call, args, place, recorded }: Case): string =>
  `${call}${call.startsWith('F.') ? '' : '_'}(${args.join(', ')}) to a ${recorded ? 'result' : 'plain tensor'}: ${place}`;

describe('writes in place', () => {
  beforeAll(() => init());
  afterAll(() => shutdown());
  const leaf = (): Tensor => tensor(file.leaf, { shape: [3, 4], requiresGrad: true });
  const other = (): Tensor => tensor(file.other[0] as number, { requiresGrad: true });

  it.each(file.cases.map((one): [string, Case] => [title(one), one]))('%s', (_, one) => {
    scope(() => check(one, derivatives(one, leaf(), other())));
  });

  // A trace has the same histories, so that not each place has to be traced.
  it.each(['transposed', 'view of a view'])('all of them in one compiled function: %s', (place) => {
    scope(() => {
      const cases = file.cases.filter((one) => one.place === place);
      const step = compile((x: Tensor, y: Tensor) => cases.map((one) => derivatives(one, x, y)));
      for (let i = 0; i < 2; i++)
        step(leaf(), other()).forEach((results, at) => {
          check(cases[at] as Case, results);
        });
      step.dispose();
    });
  });
});
