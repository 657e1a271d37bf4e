// Recurrent layers and cells against PyTorch: outputs, gradients of everything, second ones, the losses of twenty
// steps, and packed sequences; eager and compiled.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  compile,
  grad,
  init,
  manualSeed,
  nn,
  optim,
  scope,
  shutdown,
  type Tensor,
  zeros,
} from '../../bindings/index.ts';
import { nd } from '../../reference/nd.ts';
import { bits, toTensor } from '../support/tensors.ts';
import { read } from './golden.ts';

type List = readonly number[];
interface Run {
  readonly module: 'RNN' | 'LSTM' | 'GRU' | 'RNNCell' | 'LSTMCell' | 'GRUCell';
  readonly options: Readonly<Record<string, unknown>> & { readonly inputSize: number; readonly hiddenSize: number };
  readonly shape: List;
  readonly lengths: List | null;
  readonly states: readonly List[];
  readonly keys: readonly string[];
  readonly results: readonly List[];
  readonly first: readonly List[];
  readonly second: readonly (List | null)[];
  readonly losses: List;
}
interface Sequences {
  readonly lengths: List;
  readonly rest: List;
  readonly batchFirst: boolean;
  readonly totalLength: number | null;
  readonly paddingSide: 'left' | 'right';
  readonly padded: readonly [shape: List, values: List];
  readonly packed: readonly [shape: List, values: List];
  readonly batchSizes: List;
  readonly sortedIndices: List;
  readonly unsortedIndices: List;
  readonly again: readonly [shape: List, values: List];
  readonly counts: List;
  readonly unpadded: readonly List[];
}
const file = read('rnn') as { readonly runs: readonly Run[]; readonly sequences: readonly Sequences[] };
const { rnn } = nn.utils;

/** max |a − b| / max |b|. */
const TOLERANCE = 2e-5;
function close(x: Tensor | null | undefined, expected: List | null, what: string): void {
  const actual = x ? Array.from(x.data) : [];
  if (expected === null) return void expect(Math.max(...actual.map(Math.abs), 0), what).toBe(0);
  const largest = Math.max(...expected.map(Math.abs), 1e-3);
  const worst = Math.max(...expected.map((value, i) => Math.abs(value - (actual[i] ?? Number.NaN))));
  expect(actual.length, what).toBe(expected.length);
  expect(worst / largest, `${what}: ${actual} for ${expected}`).toBeLessThan(TOLERANCE);
}

/** As `numbers_of` of rnn.py. */
const numbersOf = (shape: List, seed: number): Tensor =>
  toTensor(
    nd(
      shape,
      Array.from(
        { length: shape.reduce((a, b) => a * b, 1) },
        (_, i) => (((i * 7919 + seed * 3571) % 257) - 128) / 128,
      ),
    ),
  );
const weighed = (xs: readonly Tensor[], seed: number): Tensor =>
  xs.map((x, k) => x.mul(numbersOf(x.shape, seed + k)).sum()).reduce((a, b) => a.add(b));

type AnyModule = nn.Module & { forward(...args: unknown[]): unknown };
const tensorsIn = (value: unknown): Tensor[] =>
  Array.isArray(value)
    ? value.flatMap(tensorsIn)
    : [value instanceof rnn.PackedSequence ? value.data : (value as Tensor)];

/** A module with the numbers of rnn.py, and what calls it. */
function made({ module: name, options, shape, lengths, states, keys }: Run) {
  const { inputSize, hiddenSize, ...rest } = options;
  const module = new (nn[name] as unknown as new (...args: unknown[]) => AnyModule)(inputSize, hiddenSize, rest);
  expect(Object.keys(module.stateDict())).toEqual(keys);
  module.loadStateDict(
    Object.fromEntries(module.namedParameters().map(([key, p], k) => [key, numbersOf(p.shape, 11 + k)])),
  );
  const x = numbersOf(shape, 1).requiresGrad_();
  const given = states.map((size, k) => numbersOf(size, 2 + k).requiresGrad_());
  const forward = (input: Tensor, hx: readonly Tensor[]): Tensor[] => {
    const data = lengths ? rnn.packPaddedSequence(input, lengths, { enforceSorted: false }) : input;
    const state = hx.length === 0 ? null : name.startsWith('LSTM') ? hx : hx[0];
    return tensorsIn(module.forward(data, state));
  };
  return { module, x, given, forward, leaves: [x, ...given, ...module.parameters()] };
}

const called = ({ module, options: { inputSize, hiddenSize, ...rest }, lengths }: Run): string =>
  `${module} ${JSON.stringify(rest)}${lengths ? `, lengths ${lengths}` : ''}`;

describe.each(['strict', 'relaxed'] as const)('recurrent modules, %s build', (simd) => {
  beforeAll(() => init({ simd }));
  afterAll(() => shutdown());

  describe.each(file.runs.map((run) => [called(run), run] as const))('%s', (_, run) => {
    it('results and their gradients', () => {
      scope(() => {
        const { module, x, given, forward, leaves } = made(run);
        const results = forward(x, given);
        results.forEach((y, k) => {
          close(y, run.results[k] as List, `result ${k}`);
        });
        weighed(results, 5).backward();
        leaves.forEach((leaf, k) => {
          close(leaf.grad, run.first[k] as List, `gradient ${k}`);
        });
        module.dispose();
      });
    });

    if (simd === 'relaxed') return;

    it('second derivatives', () => {
      scope(() => {
        const { module, x, given, forward, leaves } = made(run);
        const first = grad(weighed(forward(x, given), 5), leaves, { createGraph: true });
        first.forEach((g, k) => {
          close(g, run.first[k] as List, `gradient ${k}`);
        });
        const second = grad(weighed(first as Tensor[], 23), leaves, { materializeGrads: true });
        second.forEach((g, k) => {
          close(g, run.second[k] as List | null, `second derivative ${k}`);
        });
        module.dispose();
      });
    });

    it('prints its program', () => {
      scope(() => {
        const { module, x, given, forward } = made(run);
        const step = compile((...args: Tensor[]) => {
          weighed(forward(args[0] as Tensor, args.slice(1)), 5).backward();
        });
        step(x.detach(), ...given.map((h) => h.detach()));
        expect(step.dump()).toMatch(/^graph of \d+ ops/);
        module.dispose();
      });
    });

    it.each(['eager', 'compiled'] as const)('losses of twenty steps, %s', (mode) => {
      scope(() => {
        const { module, x, given, forward } = made(run);
        const optimizer = new optim.Adam(module.parameters(), { lr: 0.05 });
        const targets = forward(x, given).map((y, k) => numbersOf(y.shape, 40 + k));
        const step = (input: Tensor, ...hx: Tensor[]): Tensor => {
          optimizer.zeroGrad();
          const loss = forward(input, hx)
            .map((y, k) =>
              y
                .sub(targets[k] as Tensor)
                .square()
                .mean(),
            )
            .reduce((a, b) => a.add(b));
          loss.backward();
          optimizer.step();
          return loss;
        };
        const call = mode === 'compiled' ? compile(step) : step;
        const losses = run.losses.map(() => scope(() => call(x.detach(), ...given.map((h) => h.detach())).item()));
        losses.forEach((loss, i) => {
          const expected = run.losses[i] as number;
          expect(Math.abs(loss - expected) / Math.max(...run.losses), `step ${i}`).toBeLessThan(1e-4);
        });
        optimizer.dispose();
        module.dispose();
      });
    });
  });
});

describe('sequences of different lengths', () => {
  beforeAll(() => init({ simd: 'strict' }));
  afterAll(() => shutdown());

  it.each(file.sequences)('$lengths of $rest', (one) => {
    const { lengths, rest, batchFirst, paddingSide, totalLength } = one;
    scope(() => {
      const same = (x: Tensor, [shape, values]: readonly [List, List]): void => {
        expect(x.shape).toEqual(shape);
        close(x.contiguous(), values, 'values');
      };
      const given = lengths.map((length, k) => numbersOf([length, ...rest], 3 + k));
      const padded = rnn.padSequence(given, { batchFirst, paddingValue: 0.5, paddingSide });
      same(padded, one.padded);
      const packed = rnn.packPaddedSequence(padded, lengths, { batchFirst, enforceSorted: false });
      same(packed.data, one.packed);
      const { batchSizes, sortedIndices, unsortedIndices } = packed;
      expect({ batchSizes, sortedIndices, unsortedIndices }).toEqual({
        batchSizes: one.batchSizes,
        sortedIndices: one.sortedIndices,
        unsortedIndices: one.unsortedIndices,
      });
      const [again, counts] = rnn.padPackedSequence(packed, { batchFirst, paddingValue: -1, totalLength });
      same(again, one.again);
      expect(counts).toEqual(one.counts);
      const unpadded = rnn.unpadSequence(padded, lengths, { batchFirst });
      unpadded.forEach((x, i) => {
        close(x.contiguous(), one.unpadded[i] as List, `sequence ${i}`);
      });
      const all = rnn.packSequence(given, { enforceSorted: false });
      rnn.unpackSequence(all).forEach((x, i) => {
        expect(x.toArray()).toEqual(given[i]?.toArray());
      });
    });
  });

  it('packs, pads and gives gradients inside of compile()', () => {
    const step = compile((x: Tensor, lengths: readonly number[]) => {
      const packed = rnn.packPaddedSequence(x, lengths, { enforceSorted: false });
      const [padded] = rnn.padPackedSequence(packed, { paddingValue: 7 });
      padded.square().sum().backward();
      return { packed: { ...packed, data: packed.data.detach() }, padded: padded.detach() };
    });
    for (const lengths of [
      [1, 3],
      [3, 2],
      [1, 3],
    ])
      scope(() => {
        const x = numbersOf([3, 2, 2], 1).requiresGrad_();
        const { packed, padded } = step(x, lengths);
        const inside = (t: number, i: number): boolean => t < (lengths[i] as number);
        const values = x.toArray() as number[][][];
        const at = (f: (value: number, within: boolean) => number) =>
          values.map((row, t) => row.map((list, i) => list.map((value) => f(value, inside(t, i)))));
        expect(padded.toArray()).toEqual(at((value, within) => (within ? value : 7)));
        expect(x.grad?.toArray()).toEqual(at((value, within) => (within ? 2 * value : 0)));
        expect(packed instanceof rnn.PackedSequence).toBe(true);
      });
  });

  it('says what it expects', () => {
    scope(() => {
      const x = numbersOf([3, 2, 2], 1);
      expect(() => rnn.packPaddedSequence(x, [1, 2])).toThrow(
        /^packPaddedSequence: expected lengths that do not grow, got 2 behind 1; pass \{ enforceSorted: false \}/,
      );
      expect(() => rnn.packPaddedSequence(x, [4, 2])).toThrow(
        /^packPaddedSequence: expected lengths from 1 to 3, got 4/,
      );
      expect(() => rnn.packPaddedSequence(x, [2, 0])).toThrow(/expected lengths from 1 to 3, got 0/);
      expect(() => rnn.packPaddedSequence(x, [2])).toThrow(/expected a length for each of 2 sequences, got 1/);
      const packed = rnn.packPaddedSequence(x, [3, 1]);
      expect(() => rnn.padPackedSequence(packed, { totalLength: 2 })).toThrow(
        /^padPackedSequence: expected a totalLength of at least 3, that of the longest sequence, got 2/,
      );
      expect(() => rnn.padSequence([])).toThrow(/^padSequence: expected at least one sequence, got none/);
      expect(() => rnn.padSequence([numbersOf([2, 2], 1), numbersOf([2, 3], 1)])).toThrow(
        /^padSequence: expected sequences whose elements have one shape, got \[2, 2\] and \[2, 3\]/,
      );
      expect(() => new rnn.PackedSequence(x, [2, 2])).toThrow(/^PackedSequence: expected data of 4 rows/);
      expect(() => new rnn.PackedSequence(zeros([0, 2]), [])).toThrow(/expected a list of sizes, at least one/);
      const none = { ...packed, data: zeros([0, 2]), batchSizes: [] };
      expect(() => rnn.padPackedSequence(none)).toThrow(/^padPackedSequence: expected a packed sequence/);
      const lstm = new nn.LSTM(2, 3);
      expect(() => lstm.forward(numbersOf([3, 2, 3], 1))).toThrow(
        /^LSTM: expected input \[time, n, 2\] or \[time, 2\], got/,
      );
      expect(() => lstm.forward(x, [numbersOf([1, 2, 3], 1), numbersOf([2, 3], 1)])).toThrow(
        /^LSTM: expected c of shape \[1, 2, 3\], got \[2, 3\]/,
      );
      expect(() => new nn.LSTM(2, 3, { projSize: 3 })).toThrow(/^LSTM: expected projSize from 0 to 2, got 3/);
      expect(() => new nn.GRU(2, 3, { dropout: 1.5 })).toThrow(/^GRU: expected dropout from 0 to 1, got 1.5/);
      lstm.dispose();
    });
  });
});

it.each([1, 2, 3])('drops what goes into each layer but the first: %i layers', async (numLayers) => {
  await init();
  scope(() => {
    manualSeed(1);
    const lstm = new nn.LSTM(3, 4, { numLayers, dropout: 1 });
    const [one, other] = [1, 2].map((seed) => lstm.forward(numbersOf([2, 1, 3], seed))[0]) as [Tensor, Tensor];
    // Of nothing, a layer gives the same whatever the input was.
    expect(bits(one) === bits(other)).toBe(numLayers > 1);
    lstm.dispose();
  });
  shutdown();
});

it('training has the same bits with one thread and with two, eager and compiled, dropout included', async () => {
  const found: string[][] = [];
  for (const threads of [1, 2])
    for (const compiled of [false, true]) {
      await init({ simd: 'strict', threads });
      manualSeed(3);
      const module = new nn.LSTM(24, 96, { numLayers: 2, dropout: 0.3, bidirectional: true });
      const gru = new nn.GRU(192, 80);
      const parameters = [...module.parameters(), ...gru.parameters()];
      const optimizer = new optim.Adam(parameters, { lr: 0.01 });
      const step = (x: Tensor): Tensor => {
        optimizer.zeroGrad();
        const [y] = gru.forward(module.forward(x)[0]);
        const loss = y.square().mean();
        loss.backward();
        optimizer.step();
        return loss;
      };
      const call = compiled ? compile(step) : step;
      for (let i = 0; i < 3; i++) scope(() => void call(numbersOf([6, 48, 24], i)));
      found.push(parameters.map(bits));
      shutdown();
    }
  for (const other of found.slice(1)) expect(other).toEqual(found[0]);
});
