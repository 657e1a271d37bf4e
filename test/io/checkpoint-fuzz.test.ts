// Broken checkpoints, by chance and by intent: they throw what they should, and change nothing.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FormatError, init, io, RetrogradError, shutdown, type Tensor } from '../../bindings/index.ts';
import { checksum } from '../../bindings/io/checksum.ts';
import { attempt, corrupt, optimizers, training, victim } from '../support/checkpoint.ts';
import { bits } from '../support/tensors.ts';

beforeAll(() => init());
afterAll(() => shutdown());

const MUTANTS = 2000; // test/soak/ has more

describe('a checkpoint', () => {
  it(`with bytes that changed is a FormatError, and all stays as it was: ${MUTANTS} of them`, () => {
    corrupt(MUTANTS, 1);
  });

  it('finds each changed bit of a number', () => {
    const run = victim();
    const header = 8 + new DataView(run.file.buffer).getUint32(0, true);
    for (let at = header; at < run.file.length; at += 7)
      for (const bit of [0, 3, 7]) {
        const bytes = Uint8Array.from(run.file);
        bytes[at] = (bytes[at] as number) ^ (1 << bit);
        expect(attempt(run, bytes)).toBeInstanceOf(FormatError);
      }
    // Two signs at once, which simple sums do not see.
    const bytes = Uint8Array.from(run.file);
    for (const at of [header + 3, header + 7]) bytes[at] = (bytes[at] as number) ^ 0x80;
    expect(attempt(run, bytes)).toBeInstanceOf(FormatError);
  });
});

/** A file as its author would have made it, after `change`. */
function forged(file: Uint8Array, change: (file: io.Safetensors) => void): Uint8Array {
  const decoded = io.decodeSafetensors(file);
  change(decoded);
  decoded.metadata.checksum = checksum(decoded.tensors, decoded.metadata);
  return io.encodeSafetensors(decoded.tensors, decoded.metadata);
}

const NASTY: readonly string[] = [
  ...['null', 'true', '0', '-1', '1.5', '1e400', '"x"', '[]', '{}', '[1,2]', '[1,2,3,"4"]', '[1,2,3,4294967296]'],
  ...['[0,0,0,0,0]', '[null,null,null,null]', '{"0":1,"1":2,"2":3,"3":4,"length":4}', 'not json', '', '{"epoch":-1}'],
  ...['{"epoch":0.5,"batch":0}', '{"epoch":"0","batch":"0"}', '{"epoch":null,"batch":0}', '[[],[]]', '[{}]'],
  ...['[{"params":"01"}]', '[{"params":[0,0,1,2,3,4]}]', '[{"params":{"length":6}}]', '[null]', '[[0,1,2,3,4,5]]'],
  '{"__proto__":{"polluted":1}}',
  '[{"__proto__":{"polluted":1},"params":[0,1,2,3,4,5]}]',
  '{"constructor":{"prototype":{"polluted":1}}}',
  '['.repeat(100_000) + ']'.repeat(100_000),
];

describe('a forged checkpoint', () => {
  it.each(['format', 'random', 'extra', 'loader', 'optimizer', 'checksum'])('with other metadata %s', (name) => {
    const run = victim();
    for (const text of NASTY) {
      const error = attempt(
        run,
        forged(run.file, ({ metadata }) => (metadata[name] = text)),
      );
      const fits = name === 'checksum' || (name === 'extra' && error === null);
      // Groups of other numbers are those of another optimizer.
      const kind = name === 'optimizer' ? RetrogradError : FormatError;
      if (!fits) expect(error, text.slice(0, 50)).toBeInstanceOf(kind);
    }
    const without = forged(run.file, ({ metadata }) => delete metadata[name]);
    if (name !== 'checksum') expect(attempt(run, without)).toBeInstanceOf(FormatError);
  });

  it('with other settings of the optimizer', () => {
    const run = victim();
    const [group] = JSON.parse(io.decodeSafetensors(run.file).metadata.optimizer as string);
    const values = [null, true, 'x', [], {}, [0.9], [0.9, 'x'], -1, 1e300, [2, 2], { length: 2, 0: 0.1, 1: 0.1 }];
    const others = Object.keys(group).flatMap((key) => [
      ...values.map((value) => ({ ...group, [key]: value })),
      { ...group, [key]: undefined },
    ]);
    others.push({ ...group, polluted: 1 }, { ...group, toString: 1 }, { ...group, step: 'x' });
    for (const other of others) {
      const text = JSON.stringify([other]);
      if (text === JSON.stringify([group])) continue;
      const error = attempt(
        run,
        forged(run.file, ({ metadata }) => (metadata.optimizer = text)),
      );
      if (error === null) {
        // What is of the right kind and range is a setting.
        const took = run.parts.optimizer.paramGroups[0] as unknown as Record<string, unknown>;
        // One that is left out stays as it was.
        for (const [key, value] of Object.entries(other))
          if (key !== 'params') expect(took[key]).toEqual(value ?? group[key]);
        expect(Object.keys(took).sort()).toEqual(Object.keys(group).sort());
        io.decodeCheckpoint(run.file, run.parts);
      } else expect(error, text).toBeInstanceOf(RetrogradError);
    }
  });

  it('with other tensors', () => {
    const run = victim();
    const names = Object.keys(io.decodeSafetensors(run.file).tensors);
    const strange = ['optimizer.__proto__.polluted', 'optimizer.0.__proto__', 'optimizer.constructor.prototype', 'x'];
    strange.push(
      'optimizer.99.step',
      'optimizer.00.step',
      'optimizer.0.step.x',
      'optimizer.',
      'model.',
      'model.__proto__',
    );
    for (const from of names)
      for (const change of [
        ...strange.map((name) => (file: io.Safetensors) => {
          file.tensors[name] = file.tensors[from] as io.FileTensor;
        }),
        (file: io.Safetensors) => {
          delete file.tensors[from];
        },
        (file: io.Safetensors) => {
          const { data } = file.tensors[from] as io.FileTensor;
          file.tensors[from] = { dtype: 'f32', shape: [data.length, 1, 1], data: Float32Array.from(data) };
        },
        (file: io.Safetensors) => {
          const { shape, data } = file.tensors[from] as io.FileTensor;
          file.tensors[from] = { dtype: 'i32', shape, data: Int32Array.from(data) };
        },
      ])
        expect(attempt(run, forged(run.file, change)), from).toBeInstanceOf(RetrogradError);
  });

  it('of another optimizer', () => {
    for (const [saved, make] of Object.entries(optimizers))
      for (const [name, other] of Object.entries(optimizers)) {
        if (saved === name || (saved === 'SGD' && name === 'momentum') || (saved === 'momentum' && name === 'SGD'))
          continue;
        const file = training(make).run(1);
        const { parts } = training(other);
        const error = attempt({ ...victim(), parts } as ReturnType<typeof victim>, file);
        const adams = [saved, name].every((word) => word.startsWith('Adam'));
        if (!adams) expect(error, `${saved} → ${name}`).toBeInstanceOf(RetrogradError);
      }
  });

  it('changes nothing where the loader refuses it, or a tensor was freed', () => {
    const run = victim();
    const loader = { state: () => ({ epoch: 0, batch: 0 }), loadState: () => JSON.parse('no') };
    const before = run.state();
    expect(() => io.decodeCheckpoint(run.file, { ...run.parts, loader })).toThrow(FormatError);
    expect(run.state()).toBe(before);
    const other = victim();
    (Object.values(other.parts.model.stateDict()).at(-1) as Tensor).dispose();
    const first = Object.values(other.parts.model.stateDict())[0] as Tensor;
    const bitsBefore = bits(first);
    expect(() => io.decodeCheckpoint(run.file, { model: other.parts.model })).toThrow(RetrogradError);
    expect(bits(first)).toBe(bitsBefore);
  });
});
