// safetensors: any model comes back as it went, and any broken file is a FormatError.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeSafetensors, encodeSafetensors, type FileTensor } from '../../bindings/io/safetensors.ts';
import { FormatError } from '../../bindings/memory/errors.ts';
import { bitsOf, file, fromHex, REFERENCE, wideFile } from '../support/safetensors.ts';

describe('any file of safetensors', () => {
  const key = fc
    .string({ unit: 'grapheme', maxLength: 12 })
    .filter((name) => name !== '__proto__' && name !== '__metadata__');
  const shape = fc.array(fc.nat(4), { maxLength: 4 });
  const tensor = fc.tuple(shape, fc.constantFrom('f32', 'i32', 'u8'), fc.integer()).map(([sizes, dtype, seed]) => {
    const count = sizes.reduce((a, b) => a * b, 1);
    // Every bit pattern, so NaNs with payloads and -0 too.
    const words = Uint32Array.from({ length: count }, (_, i) => Math.imul(seed + i, 0x9e3779b1));
    const data = {
      f32: () => new Float32Array(words.buffer),
      i32: () => new Int32Array(words.buffer),
      u8: () => Uint8Array.from(words),
    };
    return { dtype, shape: sizes, data: data[dtype as FileTensor['dtype']]() } as FileTensor;
  });
  const model = fc.tuple(
    fc.dictionary(key, tensor, { maxKeys: 5 }),
    fc.option(fc.dictionary(key, fc.string({ unit: 'grapheme' }), { maxKeys: 3 }), { nil: undefined }),
  );

  it('comes back as it went, aligned to 8 bytes, readable by JSON.parse', () => {
    fc.assert(
      fc.property(model, ([given, metadata]) => {
        const bytes = encodeSafetensors(given, metadata);
        const headerBytes = new DataView(bytes.buffer).getUint32(0, true);
        expect(headerBytes % 8).toBe(0);
        JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + headerBytes)));
        const read = decodeSafetensors(bytes);
        expect({ ...read.metadata }).toEqual({ ...metadata });
        expect(Object.keys(read.tensors).sort()).toEqual(Object.keys(given).sort());
        for (const [name, value] of Object.entries(given))
          expect(bitsOf(read.tensors[name] as FileTensor)).toEqual(bitsOf(value));
        expect(encodeSafetensors(read.tensors as Record<string, FileTensor>, metadata)).toEqual(bytes);
      }),
      { numRuns: 300 },
    );
  });

  /** Decodes, and lets nothing but FormatError out. */
  function survives(bytes: Uint8Array): boolean {
    try {
      decodeSafetensors(bytes);
      return true;
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      return false;
    }
  }

  it('gives FormatError or a whole file when bytes are flipped', () => {
    const flip = fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 1, max: 255 }));
    fc.assert(
      fc.property(model, fc.array(flip, { minLength: 1, maxLength: 4 }), ([given, metadata], flips) => {
        const bytes = encodeSafetensors(given, metadata);
        for (const [at, mask] of flips) {
          const index = Math.floor(at * (bytes.length - 1));
          bytes[index] = (bytes[index] as number) ^ mask;
        }
        survives(bytes);
      }),
      { numRuns: 2000 },
    );
  });

  it('refuses every truncation and every extension', () => {
    for (const whole of [fromHex(REFERENCE), wideFile()]) {
      expect(survives(whole)).toBe(true);
      for (let length = 0; length < whole.length; length++) expect(survives(whole.slice(0, length))).toBe(false);
      expect(survives(Uint8Array.from([...whole, 0]))).toBe(false);
    }
  });

  it('survives JSON headers of any shape', () => {
    const field = fc.oneof(fc.jsonValue(), fc.array(fc.nat(9)), fc.constantFrom('F32', 'U8', 'BOOL', 'I64'));
    const names = fc.constantFrom('dtype', 'shape', 'data_offsets', '__metadata__', '__proto__', 'x');
    const header = fc.dictionary(names, fc.oneof(field, fc.dictionary(names, field)));
    fc.assert(
      fc.property(header, fc.uint8Array({ maxLength: 16 }), (value, data) => {
        survives(file(JSON.stringify(value), data));
      }),
      { numRuns: 2000 },
    );
  });
});
