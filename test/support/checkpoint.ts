// A small training with everything that has a state, and attempts on its checkpoint.
import { expect } from 'vitest';
import {
  data,
  functional as F,
  FormatError,
  getRngState,
  io,
  manualSeed,
  nn,
  optim,
  rand,
  scope,
  type Tensor,
} from '../../bindings/index.ts';
import { checksum } from '../../bindings/io/checksum.ts';
import { randomNumbers } from './random.ts';
import { bits } from './tensors.ts';

export type Make = (params: Tensor[]) => optim.Optimizer<object>;
export const optimizers: Record<string, Make> = {
  SGD: (p) => new optim.SGD(p, { lr: 0.1 }),
  momentum: (p) => new optim.SGD(p, { lr: 0.1, momentum: 0.9, nesterov: true }),
  RMSprop: (p) => new optim.RMSprop(p, { centered: true, momentum: 0.5 }),
  Adagrad: (p) => new optim.Adagrad(p, { lrDecay: 0.1 }),
  Adam: (p) => new optim.Adam(p, { amsgrad: true }),
  AdamW: (p) => new optim.AdamW(p),
};

/** It has batch norm, dropout, optimizer, shuffled data. */
export function training(make: Make) {
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

/** A run, its checkpoint, and all of its state in words. */
export function victim() {
  const { parts, run } = training(optimizers.Adam as Make);
  const file = run(2);
  manualSeed(5);
  const state = (): string => {
    const { state: own, paramGroups } = parts.optimizer.stateDict();
    const tensors = [parts.model.stateDict(), ...Object.values(own)] as Record<string, Tensor>[];
    return JSON.stringify([
      tensors.map((named) => Object.entries(named).map(([name, x]) => [name, x.shape, bits(x)])),
      paramGroups,
      parts.loader.state(),
      [...getRngState()],
      Object.keys(Object.prototype),
      parts.optimizer.paramGroups.map((group) => Object.getPrototypeOf(group) === Object.prototype),
    ]);
  };
  return { parts, file, state };
}

/** What decoding throws, or null. Where it throws, all has to be as it was. */
export function attempt({ parts, state }: ReturnType<typeof victim>, bytes: Uint8Array): unknown {
  const before = state();
  let thrown: unknown = null;
  try {
    io.decodeCheckpoint(bytes, parts);
  } catch (error) {
    thrown = error;
  }
  if (thrown !== null && state() !== before) throw new Error('expected nothing to change', { cause: thrown });
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  return thrown;
}

const checksumOf = (bytes: Uint8Array): string => {
  const { tensors, metadata } = io.decodeSafetensors(bytes);
  return checksum(tensors, metadata);
};

/** Tries `count` checkpoints with bytes that changed: each is a FormatError, and all stays as it was. */
export function corrupt(count: number, seed: number): void {
  const run = victim();
  const below = randomNumbers(seed);
  for (let i = 0; i < count; i++) {
    const bytes = Uint8Array.from(run.file);
    const header = 8 + new DataView(bytes.buffer).getUint32(0, true);
    let mutant = bytes;
    for (let change = 0; change <= below(3); change++) {
      const at = below(below(10) < 7 ? header : bytes.length);
      if (i % 8 === 0) mutant = mutant.slice(0, at);
      else if (i % 8 === 1) mutant.copyWithin(at, below(bytes.length), below(bytes.length));
      else mutant[at] = i % 2 ? below(256) : (mutant[at] as number) ^ (1 << below(8));
    }
    if (Buffer.compare(mutant, run.file) === 0) continue;
    const error = attempt(run, mutant);
    // A space for another, or an escape for a letter, is the same file.
    if (error === null) expect(checksumOf(mutant)).toBe(checksumOf(run.file));
    else expect(error).toBeInstanceOf(FormatError);
  }
}
