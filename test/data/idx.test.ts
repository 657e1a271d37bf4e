import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readIdx } from '../../bindings/data/idx.ts';
import { ArgumentError, FormatError } from '../../bindings/memory/errors.ts';
import { holders, NO_BYTES } from '../support/bytes.ts';

const TYPES = {
  u8: { code: 0x08, size: 1, set: (v: DataView, at: number, x: number) => v.setUint8(at, x) },
  i8: { code: 0x09, size: 1, set: (v: DataView, at: number, x: number) => v.setInt8(at, x) },
  i16: { code: 0x0b, size: 2, set: (v: DataView, at: number, x: number) => v.setInt16(at, x) },
  i32: { code: 0x0c, size: 4, set: (v: DataView, at: number, x: number) => v.setInt32(at, x) },
  f32: { code: 0x0d, size: 4, set: (v: DataView, at: number, x: number) => v.setFloat32(at, x) },
  f64: { code: 0x0e, size: 8, set: (v: DataView, at: number, x: number) => v.setFloat64(at, x) },
} as const;
type Name = keyof typeof TYPES;

/** An independent writer: the header, then big-endian elements, at an odd offset of a larger buffer. */
function idx(name: Name, shape: number[], values: number[], offset = 3): Uint8Array {
  const { code, size, set } = TYPES[name];
  const length = 4 + 4 * shape.length + values.length * size;
  const bytes = new Uint8Array(new ArrayBuffer(length + offset + 5), offset, length);
  const view = new DataView(bytes.buffer, offset, length);
  view.setUint8(2, code);
  view.setUint8(3, shape.length);
  shape.forEach((n, axis) => {
    view.setUint32(4 + 4 * axis, n);
  });
  values.forEach((x, i) => {
    set(view, 4 + 4 * shape.length + i * size, x);
  });
  return bytes;
}

const header = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes);

describe('readIdx', () => {
  it.each([
    ['u8', [0, 1, 127, 128, 254, 255]],
    ['i8', [0, 1, -1, 127, -128, 5]],
    ['i16', [0, 258, -2, 32767, -32768, 5]],
    ['i32', [0, 16909060, -2, 2147483647, -2147483648, 5]],
    ['f32', [0, 1.5, -2.25, Infinity, Math.fround(1e-40), NaN]],
    ['f64', [0, Math.PI, -1e300, -Infinity, 5e-324, NaN]],
  ] as [Name, number[]][])('reads %s', (name, values) => {
    const read = readIdx(idx(name, [2, 3], values));
    expect(read.dtype).toBe(name);
    expect(read.shape).toEqual([2, 3]);
    expect([...read.data]).toEqual(values);
  });

  it('does not copy bytes', () => {
    const bytes = idx('u8', [4], [1, 2, 3, 4]);
    const { data } = readIdx(bytes);
    expect(data.buffer).toBe(bytes.buffer);
    expect(data.byteOffset).toBe(bytes.byteOffset + 8);
  });

  it('takes rank 255, and sizes of 0', () => {
    const deep = readIdx(idx('i16', new Array(255).fill(1), [-7]));
    expect(deep.shape).toHaveLength(255);
    expect([...deep.data]).toEqual([-7]);
    expect(readIdx(idx('f64', [0, 28, 28], [])).data).toHaveLength(0);
  });

  it.each([
    ['an empty file', header(), /magic number of 4 bytes, got a file of 0/],
    ['no IDX', header(1, 0, 8, 1, 0, 0, 0, 0), /begin with 0x00 0x00, got 0x01 0x00/],
    ['gzip', header(0x1f, 0x8b, 8, 0, 0, 0, 0, 0), /gzip file; unpack/],
    ['an unknown type', header(0, 0, 0x0a, 1, 0, 0, 0, 0), /type codes .* got 0x0a/],
    ['rank 0', header(0, 0, 8, 0, 1), /rank of at least 1/],
    ['a cut header', header(0, 0, 8, 3, 0, 0, 0, 1, 0, 0), /16 bytes of header for rank 3, got a file of 10/],
    [
      'cut elements',
      idx('i32', [2, 2], [1, 2, 3, 4]).subarray(0, -1),
      /28 bytes for i32 \[2, 2\], got 27 \(the file is cut/,
    ],
    ['trailing bytes', idx('u8', [2], [1, 2, 3]), /10 bytes for u8 \[2\], got 11 \(bytes are left over/],
    ['huge sizes', idx('f64', [0xffffffff, 0xffffffff], []), /overflow at axis 1/],
    ['an overflow hidden by a zero', idx('u8', [0xffffffff, 0xffffffff, 0], []), /overflow at axis 1/],
    ['16 GB announced', idx('f32', [0xffffffff], []), /17179869188 bytes for f32/],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => readIdx(bytes)).toThrow(FormatError);
    expect(() => readIdx(bytes)).toThrow(message);
  });

  it('reads whatever holds bytes', () => {
    for (const name of ['u8', 'i16', 'f64'] as const)
      for (const [kind, given] of Object.entries(holders(idx(name, [3], [1, 2, 3]))))
        expect([...readIdx(given).data], kind).toEqual([1, 2, 3]);
  });

  it.each(Object.entries(NO_BYTES))('refuses %s', (_, given) => {
    expect(() => readIdx(given as Uint8Array)).toThrow(ArgumentError);
    expect(() => readIdx(given as Uint8Array)).toThrow(/^readIdx: expected bytes.*, got/);
  });

  it('throws nothing but FormatError, whatever the bytes', () => {
    const start = fc.constantFrom(...Object.values(TYPES).map((type) => type.code)).map((code) => [0, 0, code]);
    const file = fc.tuple(start, fc.integer({ min: 0, max: 3 }), fc.array(fc.nat(3), { maxLength: 40 }));
    fc.assert(
      fc.property(file, fc.array(fc.tuple(fc.nat(40), fc.nat(255)), { maxLength: 2 }), ([magic, rank, rest], flips) => {
        const bytes = Uint8Array.from([...magic, rank, ...rest]);
        for (const [at, value] of flips) if (at < bytes.length) bytes[at] = value;
        try {
          const { shape, data } = readIdx(bytes);
          expect(data.length).toBe(shape.reduce((a, b) => a * b, 1));
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
