import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  backend,
  data,
  functional as F,
  FormatError,
  getRngState,
  init,
  io,
  manualSeed,
  nn,
  optim,
  rand,
  ShapeError,
  scope,
  setRngState,
  shutdown,
  type Tensor,
} from '../../bindings/index.ts';

beforeAll(() => init());
afterAll(shutdown);
beforeEach(() => manualSeed(0));

type Make = (params: Tensor[]) => optim.Optimizer<object>;
const optimizers: Record<string, Make> = {
  SGD: (p) => new optim.SGD(p, { lr: 0.1 }),
  momentum: (p) => new optim.SGD(p, { lr: 0.1, momentum: 0.9, nesterov: true }),
  RMSprop: (p) => new optim.RMSprop(p, { centered: true, momentum: 0.5 }),
  Adagrad: (p) => new optim.Adagrad(p, { lrDecay: 0.1 }),
  Adam: (p) => new optim.Adam(p, { amsgrad: true }),
  AdamW: (p) => new optim.AdamW(p),
};

/** A small training with everything that has a state: batch norm, dropout, optimizer, shuffled data. */
function training(make: Make) {
  manualSeed(11);
  const x = rand([40, 3]);
  const dataset = new data.TensorDataset(
    x,
    scope(() => x.sum(1, { keepdim: true })),
  );
  const model = new nn.Sequential(
    new nn.Linear(3, 8),
    new nn.BatchNorm1d(8),
    new nn.Tanh(),
    new nn.Dropout(0.3),
    new nn.Linear(8, 1),
  );
  const optimizer = make(model.parameters());
  const loader = new data.DataLoader(dataset, { batchSize: 16, shuffle: true, seed: 4 });
  const parts = { model, optimizer, loader };
  return {
    parts,
    /** Takes `steps` steps, or fewer if the pass ends; saves after the last one, inside the loop. */
    run(steps: number): Uint8Array {
      let left = steps;
      let saved = new Uint8Array();
      while (left > 0)
        for (const [input, target] of loader) {
          optimizer.zeroGrad();
          F.mseLoss(model.forward(input as Tensor), target as Tensor).backward();
          optimizer.step();
          if (--left > 0) continue;
          saved = io.encodeCheckpoint(parts, { note: 'mine' }) as Uint8Array<ArrayBuffer>;
          break;
        }
      return saved;
    },
  };
}

describe('checkpoint', () => {
  it.each(Object.entries(optimizers))('resumes to the same bits: %s', (_, make) => {
    const whole = training(make).run(13);
    for (const stop of [1, 3, 7]) {
      const first = training(make).run(stop);
      const second = training(make);
      manualSeed(99); // whatever came between
      expect(io.decodeCheckpoint(first, second.parts)).toEqual({ note: 'mine' });
      expect(second.run(13 - stop)).toEqual(whole);
    }
  });

  it('restores settings of the optimizer, also changed ones', () => {
    const { parts, run } = training(optimizers.Adam as Make);
    (parts.optimizer.paramGroups[0] as unknown as optim.AdamOptions).lr = 0.025;
    const bytes = run(1);
    const other = training(optimizers.Adam as Make);
    io.decodeCheckpoint(bytes, other.parts);
    expect(other.parts.optimizer.paramGroups[0]).toMatchObject({ lr: 0.025, betas: [0.9, 0.999], amsgrad: true });
  });

  it('keeps the random state', () => {
    const bytes = io.encodeCheckpoint({});
    const expected = scope(() => rand([5]).data);
    io.decodeCheckpoint(bytes, {});
    expect(scope(() => rand([5]).data)).toEqual(expected);
    const state = getRngState();
    setRngState(state);
    expect(getRngState()).toEqual(state);
  });

  it('refuses other files and other models, and leaves all as it was', () => {
    const { parts, run } = training(optimizers.Adam as Make);
    const bytes = run(2);
    const model = new nn.Sequential(new nn.Linear(3, 9));
    const wide = new nn.Sequential(
      new nn.Linear(3, 9),
      new nn.BatchNorm1d(9),
      new nn.Tanh(),
      new nn.Dropout(),
      new nn.Linear(9, 1),
    );
    const before = io.encodeCheckpoint(parts);
    const blocks = backend().memory.blocks;
    expect(() => io.decodeCheckpoint(io.encodeSafetensors({}), parts)).toThrow(FormatError);
    expect(() => io.decodeCheckpoint(bytes.subarray(0, 100), parts)).toThrow(FormatError);
    expect(() => io.decodeCheckpoint(bytes, { model })).toThrow(/expected the keys/);
    expect(() => io.decodeCheckpoint(bytes, { model: wide })).toThrow(ShapeError);
    expect(() => io.decodeCheckpoint(bytes, { optimizer: new optim.Adam(wide.parameters().slice(0, 2)) })).toThrow(
      /groups of 2/,
    );
    // The optimizer fits, the model does not, and the other way round: neither is touched.
    expect(() => io.decodeCheckpoint(bytes, { ...parts, model: wide })).toThrow(ShapeError);
    expect(() =>
      io.decodeCheckpoint(bytes, { ...parts, optimizer: new optim.SGD(wide.parameters().slice(0, 1)) }),
    ).toThrow(/groups of 1/);
    expect(backend().memory.blocks).toBe(blocks);
    expect(io.encodeCheckpoint(parts)).toEqual(before);
  });
});
