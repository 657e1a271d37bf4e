// Whole networks against PyTorch: its keys and weights, the first output, all gradients, and the losses of twenty
// steps.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compile, init, type nn, scope, shutdown, type Tensor } from '../../bindings/index.ts';
import { nd } from '../../reference/nd.ts';
import { toTensor } from '../support/tensors.ts';
import { numbers, read } from './golden.ts';
import { images } from './networks/images.ts';
import type { Answer } from './networks/network.ts';
import { policies } from './networks/policies.ts';
import { rows } from './networks/rows.ts';
import { sequences } from './networks/sequences.ts';

interface Run {
  readonly name: string;
  readonly state: readonly (readonly [key: string, shape: readonly number[], values: string])[];
  readonly inputs: readonly {
    readonly shape: readonly number[];
    readonly data: readonly number[];
    readonly dtype?: 'i32';
  }[];
  readonly output: string;
  readonly grads: Readonly<Record<string, string | null>>;
  readonly losses: readonly number[];
}
const { networks } = read('networks') as { readonly networks: readonly Run[] };
const MAKE = { ...sequences, ...images, ...policies, ...rows };
type Step = (...inputs: Tensor[]) => Answer;
const TOLERANCE = 1e-4;

function unpacked(text: string): Float32Array {
  const bytes = Buffer.from(text, 'base64');
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

/** max|a − b| / max|b|, and of a gradient that is nothing but rounding, beside `least`. */
function difference(actual: ArrayLike<number>, expected: ArrayLike<number>, least: number): number {
  expect(actual.length).toBe(expected.length);
  let worst = 0;
  let largest = least;
  for (let i = 0; i < expected.length; i++) {
    worst = Math.max(worst, Math.abs((actual[i] as number) - (expected[i] as number)));
    largest = Math.max(largest, Math.abs(expected[i] as number));
    if (Number.isNaN(actual[i])) return Number.NaN;
  }
  return worst / largest;
}
const near = (actual: ArrayLike<number>, expected: ArrayLike<number>, what: string, least = 1e-6): void => {
  const d = difference(actual, expected, least);
  expect(d, what).toBeLessThanOrEqual(TOLERANCE);
};

function follow({ name, state, inputs: given, output, grads, losses }: Run, compiled: boolean): void {
  const { model, step, after, eager } = (MAKE[name] as () => ReturnType<(typeof MAKE)[string]>)();
  if (eager && compiled) return;
  expect(Object.keys(model.stateDict())).toEqual(state.map(([key]) => key));
  const saved = Object.fromEntries(state.map(([key, shape, data]) => [key, { shape, data: unpacked(data) }]));
  model.loadStateDict(saved as nn.StateDict);
  const inputs = given.map(({ shape, data, dtype }) => toTensor(nd(shape, numbers(data)), dtype ?? 'f32'));
  const run = compiled ? compile(step as Step) : (step as Step);
  const ours = losses.map((_, i) => {
    const [y, value] = scope(() => {
      const [out, loss] = run(...inputs);
      return [out.data, loss.item()];
    });
    if (i === 0) {
      near(y, unpacked(output), `${name}: output`);
      const parameters = new Map(model.namedParameters());
      expect([...parameters.keys()]).toEqual(Object.keys(grads));
      const largest = Math.max(...Object.values(grads).flatMap((grad) => [...unpacked(grad ?? '')].map(Math.abs)));
      for (const [key, expected] of Object.entries(grads)) {
        const grad = (parameters.get(key) as nn.Parameter).grad;
        if (expected === null) expect(grad, key).toBeNull();
        else near(grad?.data ?? [], unpacked(expected), `${name}: gradient of ${key}`, 1e-2 * largest);
      }
    }
    after?.(value);
    return value;
  });
  near(ours, losses, `${name}: losses`);
  if ('dispose' in run) (run as { dispose(): void }).dispose();
}

// Which of them differs in nothing but bits that other tests compare: each network runs in two of the four ways.
describe.each([
  { threads: 1, compiled: false },
  { threads: 2, compiled: true },
])('whole networks, %o', ({ threads, compiled }) => {
  beforeAll(() => init({ threads }));
  afterAll(() => shutdown());

  it.each(networks.map((run) => [run.name, run] as const))('%s', (_, run) => {
    scope(() => follow(run, compiled));
  });
});
