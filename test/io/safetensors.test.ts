// safetensors: the bytes of the reference, and each fault of a file by its name.
import { describe, expect, it } from 'vitest';
import { decodeSafetensors, encodeSafetensors, type FileTensor } from '../../bindings/io/safetensors.ts';
import { ArgumentError, FormatError } from '../../bindings/memory/errors.ts';
import { holders, NO_BYTES } from '../support/bytes.ts';
import { bitsOf, file, fromHex, REFERENCE, REFERENCE_WIDE, wideFile } from '../support/safetensors.ts';
import { cpuSeconds } from '../support/seconds.ts';

const tensors = (): Record<string, FileTensor> => ({
  mask: { dtype: 'u8', shape: [3], data: Uint8Array.of(1, 0, 255) },
  'a.index': { dtype: 'i32', shape: [3], data: Int32Array.of(1, -2, 3) },
  'z"é\n': { dtype: 'f32', shape: [0, 4], data: new Float32Array() },
  'b.weight': { dtype: 'f32', shape: [2, 3], data: Float32Array.of(0, 1, 2, 3, 4, 5) },
  'a.bias': { dtype: 'f32', shape: [], data: Float32Array.of(1.5) },
});

function caught(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}

const entry = (dtype: string, shape: string, offsets: string): string =>
  `{"dtype":"${dtype}","shape":${shape},"data_offsets":${offsets}}`;
const one = (dtype: string, bytes: Uint8Array, count: number) =>
  decodeSafetensors(file(`{"x":${entry(dtype, `[${count}]`, `[0,${bytes.length}]`)}}`, bytes)).tensors.x as FileTensor;
const raw = (array: { buffer: ArrayBufferLike }): Uint8Array => new Uint8Array(array.buffer as ArrayBuffer);

describe('encodeSafetensors', () => {
  it('writes the reference’s bytes', () => {
    expect(Buffer.from(encodeSafetensors(tensors(), { format: 'pt' })).toString('hex')).toBe(REFERENCE);
  });

  it('writes only the viewed part of a larger array', () => {
    const data = Float32Array.of(9, 1, 2, 9).subarray(1, 3);
    expect([
      ...(decodeSafetensors(encodeSafetensors({ x: { dtype: 'f32', shape: [2], data } })).tensors.x?.data ?? []),
    ]).toEqual([1, 2]);
  });

  it('sorts names by code points, as the reference does', () => {
    const data = new Uint8Array();
    const names = ['\u{1f600}', '\uffee', 'b', 'ab', 'a'];
    const bytes = encodeSafetensors(Object.fromEntries(names.map((name) => [name, { dtype: 'u8', shape: [0], data }])));
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8)));
    expect(Object.keys(header)).toEqual(['a', 'ab', 'b', '\uffee', '\u{1f600}']);
  });

  const x = (tensor: unknown) => ({ x: tensor }) as Record<string, FileTensor>;
  type Refused = [
    what: string,
    given: Record<string, FileTensor>,
    metadata: undefined | Record<string, string>,
    message: RegExp,
  ];
  const refused: Refused[] = [
    [
      'another dtype',
      x({ dtype: 'i8', shape: [1], data: new Int8Array(1) }),
      undefined,
      /the dtype f32, i32, u8, f64, .* or bf16, got 'i8' as Int8Array/,
    ],
    [
      'data of another dtype',
      x({ dtype: 'f32', shape: [1], data: new Int32Array(1) }),
      undefined,
      /Float32Array, got f32 as Int32Array in "x"/,
    ],
    [
      'too little data',
      x({ dtype: 'f32', shape: [2, 2], data: new Float32Array(3) }),
      undefined,
      /fills shape \[2, 2\], got 3 elements in "x"/,
    ],
    [
      'negative sizes',
      x({ dtype: 'f32', shape: [-1, -1], data: new Float32Array(1) }),
      undefined,
      /fills shape \[-1, -1\]/,
    ],
    [
      'broken sizes',
      x({ dtype: 'f32', shape: [0.5, 2], data: new Float32Array(1) }),
      undefined,
      /fills shape \[0.5, 2\]/,
    ],
    ['rank 65', x({ dtype: 'u8', shape: new Array(65).fill(1), data: new Uint8Array(1) }), undefined, /fills shape/],
    [
      'the name __metadata__',
      { __metadata__: { dtype: 'u8', shape: [0], data: new Uint8Array() } as const },
      undefined,
      /got "__metadata__"/,
    ],
    [
      'the name __proto__',
      JSON.parse('{"__proto__":{"dtype":"u8","shape":[0],"data":[]}}'),
      undefined,
      /got "__proto__"/,
    ],
    [
      'a lone surrogate',
      { '\ud800': { dtype: 'u8', shape: [0], data: new Uint8Array() } as const },
      undefined,
      /lone surrogates/,
    ],
    ...['constructor', '__proto__', 'toString', 'hasOwnProperty', null, undefined, 7, {}].map(
      (dtype) =>
        [
          `the dtype ${String(dtype)}`,
          x({ dtype, shape: [1], data: new Float32Array(1) }),
          undefined,
          /the dtype f32, i32, .* or bf16, got (.* as Float32Array|an object) in "x"/,
        ] as Refused,
    ),
    [
      'a shape that is none',
      x({ dtype: 'f32', shape: 3, data: new Float32Array(3) }),
      undefined,
      /fills shape 3, got 3/,
    ],
    [
      'sizes that are none',
      x({ dtype: 'f32', shape: ['1'], data: new Float32Array(1) }),
      undefined,
      /fills shape \['1'\]/,
    ],
    ['no data', x({ dtype: 'f32', shape: [1] }), undefined, /Float32Array, got f32 as undefined in "x"/],
    ['data in an array', x({ dtype: 'f32', shape: [1], data: [1] }), undefined, /got f32 as \[1\] in "x"/],
    ['a number for a tensor', x(3), undefined, /expected a tensor in "x", got 3/],
    ['null for a tensor', x(null), undefined, /expected a tensor in "x", got null/],
    ['an array of tensors', [] as never, undefined, /expected an object of tensors by name .* as tensors, got \[\]/],
    ['a Map of tensors', new Map() as never, undefined, /\(of a module, its stateDict\(\)\) as tensors, got a Map/],
    ['nothing', null as never, undefined, /got null/],
    ['metadata in an array', {}, ['x'] as never, /expected an object of strings by name as metadata, got \['x'\]/],
    ['metadata that is no text', {}, { step: 3 } as unknown as Record<string, string>, /strings, got number in "step"/],
    ['broken text in metadata', {}, { step: '\udc00' }, /well-formed/],
    ['a header beyond the limit', {}, { big: 'x'.repeat(100_000_000) }, /at most 100000000 bytes, got 100000032/],
  ];
  it.each(refused)('refuses %s', (_, given, metadata, message) => {
    const error = caught(() => encodeSafetensors(given, metadata));
    expect(error).toBeInstanceOf(ArgumentError);
    expect((error as Error).message).toMatch(message);
  });
});

describe('decodeSafetensors', () => {
  it('reads the reference’s file', () => {
    const { tensors: read, metadata } = decodeSafetensors(fromHex(REFERENCE));
    expect({ ...metadata }).toEqual({ format: 'pt' });
    const expected = tensors();
    expect(Object.keys(read).sort()).toEqual(Object.keys(expected).sort());
    for (const name in expected) expect(bitsOf(read[name] as FileTensor)).toEqual(bitsOf(expected[name] as FileTensor));
    expect(Object.getPrototypeOf(read)).toBeNull();
    expect(Object.getPrototypeOf(metadata)).toBeNull();
  });

  it('converts the reference’s other dtypes', () => {
    // The reference's file holds the f64 1e300, which no f32 is; in its place stands an infinite number.
    expect(() => decodeSafetensors(fromHex(REFERENCE_WIDE))).toThrow(
      /fits f32, got 1e\+300 at element 1 of "f64" \(F64\)/,
    );
    const { tensors: read } = decodeSafetensors(wideFile());
    const plain = Object.fromEntries(Object.entries(read).map(([name, t]) => [name, [t?.dtype, ...(t?.data ?? [])]]));
    expect(plain).toEqual({
      i64: ['i32', -5, 2147483647],
      f64: ['f32', Math.fround(Math.PI), Infinity],
      u32: ['i32', 7],
      f16: ['f32', 1.5, -0, 2 ** -24, 65504, Infinity],
      u16: ['i32', 65535],
      i16: ['i32', -3],
      i8: ['i32', -128, 127],
      bool: ['u8', 1, 0],
    });
  });

  it('converts every F16 and BF16 to its value', () => {
    const all = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const half = one('F16', raw(all), 65536).data;
    const brain = one('BF16', raw(all), 65536).data;
    const bits = new DataView(new ArrayBuffer(4));
    for (let i = 0; i < 65536; i++) {
      const sign = i & 0x8000 ? -1 : 1;
      const exponent = (i >> 10) & 31;
      const fraction = i & 1023;
      const special = fraction ? NaN : sign * Infinity;
      const normal = sign * 2 ** (exponent - 15) * (1 + fraction / 1024);
      const value = exponent === 31 ? special : exponent === 0 ? sign * fraction * 2 ** -24 : normal;
      if (!Object.is(half[i], value)) expect({ i, got: half[i] }).toEqual({ i, got: value });
      bits.setUint32(0, i << 16);
      if (!Object.is(brain[i], bits.getFloat32(0)))
        expect({ i, got: brain[i] }).toEqual({ i, got: bits.getFloat32(0) });
    }
  });

  it('views the bytes where they are aligned and copies where they are not', () => {
    const bytes = fromHex(REFERENCE);
    expect(decodeSafetensors(bytes).tensors['b.weight']?.data.buffer).toBe(bytes.buffer);
    const shifted = new Uint8Array(bytes.length + 1).subarray(1);
    shifted.set(bytes);
    const { tensors: read } = decodeSafetensors(shifted);
    expect(read['b.weight']?.data.buffer).not.toBe(shifted.buffer);
    expect(read.mask?.data.buffer).toBe(shifted.buffer);
    expect([...(read['b.weight']?.data ?? [])]).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('reads whatever holds bytes', () => {
    for (const [name, given] of Object.entries(holders(fromHex(REFERENCE))))
      expect([...(decodeSafetensors(given).tensors['a.index']?.data ?? [])], name).toEqual([1, -2, 3]);
  });

  it.each(Object.entries(NO_BYTES))('refuses %s', (_, given) => {
    expect(() => decodeSafetensors(given as Uint8Array)).toThrow(ArgumentError);
    expect(() => decodeSafetensors(given as Uint8Array)).toThrow(/^decodeSafetensors: expected bytes.*, got/);
  });

  it('rounds F64, and refuses only what would become infinite', () => {
    const most = 3.4028235677973362e38; // the largest that rounds to a finite f32
    const given = [0.1, -0, most, -most, Number.NaN, Number.NEGATIVE_INFINITY, 1e-300];
    expect([...one('F64', raw(Float64Array.from(given)), given.length).data]).toEqual(given.map(Math.fround));
    for (const value of [3.4028235677973366e38, -1e39, Number.MAX_VALUE])
      expect(() => one('F64', raw(Float64Array.of(value)), 1)).toThrow(FormatError);
  });

  it('takes any order of keys, white space, escapes, and no tensors at all', () => {
    const header = `{ "b" : ${entry('U8', '[ 1 ]', '[1,\n2]')} ,\t"\\u0061\\ud83d\\ude00":{"data_offsets":[0,1],"shape":[],"dtype":"U8"}}  `;
    const { tensors: read, metadata } = decodeSafetensors(file(header, Uint8Array.of(7, 8)));
    expect(read['a\u{1f600}']).toEqual({ dtype: 'u8', shape: [], data: Uint8Array.of(7) });
    expect(read.b?.data).toEqual(Uint8Array.of(8));
    expect(Object.keys(metadata)).toEqual([]);
    expect(Object.keys(decodeSafetensors(file('{}')).tensors)).toEqual([]);
  });

  const u8 = (offsets: string, shape = '[1]') => entry('U8', shape, offsets);
  const length = (low: number, high = 0) => {
    const bytes = new Uint8Array(16);
    new DataView(bytes.buffer).setUint32(0, low, true);
    new DataView(bytes.buffer).setUint32(4, high, true);
    return bytes;
  };
  it.each([
    ['an empty file', new Uint8Array(), /8 bytes with the header's length, got a file of 0/],
    ['a header beyond 100 MB', length(100_000_001), /at most 100000000 bytes, got 100000001/],
    ['a length of 64 bits', length(2, 0xffffffff), /at most 100000000 bytes, got 184467440/],
    ['a header beyond the file', length(9), /9 bytes to end inside the file, got a file of 16/],
    ['an empty header', file(''), /begin with '\{'/],
    ['white space first', file(' {}'), /begin with '\{'/],
    ['a byte order mark', file('\ufeff{}'), /begin with '\{'/],
    ['an array', file('[]'), /begin with '\{'/],
    ['broken UTF-8', file(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d)), /valid UTF-8/],
    ['overlong UTF-8', file(Uint8Array.of(0x7b, 0x22, 0xc0, 0xaf, 0x22, 0x7d)), /valid UTF-8/],
    ['text behind the object', file('{} {}'), /nothing behind the end of the object at character 3/],
    ['zeros behind the object', file('{}\0'), /nothing behind/],
    ['a cut object', file('{"a":'), /expected '\{' at character 5/],
    ['a trailing comma', file(`{"a":${u8('[0,1]')},}`, 1), /expected a string/],
    ['a cut string', file('{"a'), /string that ends.* at character 1/],
    ['a cut escape', file('{"a\\'), /string that ends/],
    ['a control character', file('{"a\n":{}}'), /without raw control characters/],
    ['an unknown escape', file('{"\\x":{}}'), /escapes of JSON/],
    ['a lone surrogate', file('{"\\ud800":{}}'), /surrogate escapes in pairs/],
    ['a tensor that is no object', file('{"a":[]}'), /expected '\{'/],
    [
      'duplicate tensors',
      file(`{"a":${u8('[0,1]')},"a":${u8('[0,1]')}}`, 1),
      /each key once, got "a" again at character 5/,
    ],
    ['duplicates by escapes', file(`{"a":${u8('[0,1]')},"\\u0061":${u8('[0,1]')}}`, 1), /got "a" again/],
    [
      'duplicate fields',
      file('{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}', 1),
      /got "dtype" again/,
    ],
    ['duplicate metadata', file('{"__metadata__":{"k":"1","k":"2"}}'), /got "k" again/],
    ['metadata twice', file('{"__metadata__":{},"__metadata__":{}}'), /got "__metadata__" again/],
    ['metadata that is no text', file('{"__metadata__":{"k":1}}'), /expected a string at character 21/],
    ['metadata that is no object', file('{"__metadata__":null}'), /expected '\{'/],
    ['a tensor __proto__', file(`{"__proto__":${u8('[0,1]')}}`, 1), /no key named __proto__ at character 1/],
    ['__proto__ by escapes', file(`{"__\\u0070roto__":${u8('[0,1]')}}`, 1), /no key named __proto__/],
    ['metadata __proto__', file('{"__metadata__":{"__proto__":"x"}}'), /no key named __proto__/],
    ['a missing field', file('{"a":{"dtype":"U8","shape":[1]}}', 1), /dtype, shape and two data_offsets in "a"/],
    [
      'an unknown field',
      file('{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"scale":1}}'),
      /got the field "scale"/,
    ],
    ['an unknown dtype', file(`{"a":${entry('F4', '[0]', '[0,0]')}}`), /a dtype of F32.*got "F4" in "a"/],
    ['one offset', file(`{"a":${u8('[0]')}}`, 1), /two data_offsets/],
    ['three offsets', file(`{"a":${u8('[0,1,2]')}}`, 1), /at most 2 numbers/],
    ['rank 65', file(`{"a":${u8('[0,1]', `[${new Array(65).fill(1)}]`)}}`, 1), /at most 64 numbers/],
    ['a negative size', file(`{"a":${u8('[0,1]', '[-1]')}}`, 1), /whole number from 0 to 2\^53 - 1/],
    ['a fraction', file(`{"a":${u8('[0,1]', '[1.0]')}}`, 1), /whole number/],
    ['an exponent', file(`{"a":${u8('[0,1]', '[1e0]')}}`, 1), /whole number/],
    ['a leading zero', file(`{"a":${u8('[0,1]', '[01]')}}`, 1), /whole number/],
    ['a number as text', file(`{"a":${u8('[0,1]', '["1"]')}}`, 1), /whole number/],
    ['an unsafe integer', file(`{"a":${u8('[0,9007199254740993]')}}`, 1), /whole number/],
    ['a very long integer', file(`{"a":${u8(`[0,${'9'.repeat(400)}]`)}}`, 1), /whole number/],
    ['a shape that overflows', file(`{"a":${u8('[0,1]', '[4294967296,4294967296]')}}`, 1), /shape that fits the file/],
    [
      'an overflow hidden by a zero',
      file(`{"a":${u8('[0,0]', '[9007199254740991,9007199254740991,0]')}}`),
      /shape that fits/,
    ],
    ['offsets the wrong way round', file(`{"a":${u8('[1,0]')}}`, 1), /data_offsets in order, got \[1, 0\] in "a"/],
    [
      'a range unlike its shape',
      file(`{"a":${entry('F32', '[2]', '[0,4]')}}`, 4),
      /8 bytes for F32 \[2\], got data_offsets \[0, 4\]/,
    ],
    [
      'an overlap',
      file(`{"a":${u8('[0,2]', '[2]')},"b":${u8('[1,3]', '[2]')}}`, 3),
      /go on at 2, got 1, which overlaps/,
    ],
    ['a hole', file(`{"a":${u8('[0,1]')},"b":${u8('[2,3]')}}`, 3), /go on at 1, got 2, which leaves a hole/],
    ['a hole at the start', file(`{"a":${u8('[1,2]')}}`, 2), /go on at 0, got 1/],
    ['cut data', file(`{"a":${u8('[0,2]', '[2]')}}`, 1), /2 bytes of data, got 1 \(the file is cut/],
    ['trailing data', file(`{"a":${u8('[0,1]')}}`, 2), /1 bytes of data, got 2 \(bytes are left/],
    [
      'terabytes',
      file(`{"a":${entry('F64', '[1099511627776]', '[0,8796093022208]')}}`),
      /8796093022208 bytes of data, got 0/,
    ],
    [
      'I64 beyond i32',
      file(`{"a":${entry('I64', '[2]', '[0,16]')}}`, raw(BigInt64Array.of(1n, 1n << 31n))),
      /fits i32, got 2147483648 at element 1 of "a"/,
    ],
    [
      'I64 below i32',
      file(`{"a":${entry('I64', '[1]', '[0,8]')}}`, raw(BigInt64Array.of(-(1n << 31n) - 1n))),
      /got -2147483649 at element 0/,
    ],
    [
      'U64 beyond i32',
      file(`{"a":${entry('U64', '[1]', '[0,8]')}}`, raw(BigUint64Array.of(2n ** 64n - 1n))),
      /got 18446744073709551615/,
    ],
    ['U32 beyond i32', file(`{"a":${entry('U32', '[1]', '[0,4]')}}`, raw(Uint32Array.of(2 ** 31))), /got 2147483648/],
    [
      'BOOL beyond 1',
      file(`{"a":${entry('BOOL', '[2]', '[0,2]')}}`, Uint8Array.of(1, 2)),
      /0 or 1, got 2 at element 1 of "a" \(BOOL\)/,
    ],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => decodeSafetensors(bytes)).toThrow(FormatError);
    expect(() => decodeSafetensors(bytes)).toThrow(message);
  });

  it('stays quick on a long hostile header', () => {
    const deep = file(`{"a":${'['.repeat(2_000_000)}`);
    const long = file(`{"${'\\u0061'.repeat(500_000)}":{`);
    const many = file(`{${Array.from({ length: 50_000 }, (_, i) => `"${i}":${u8('[0,1]')}`)}}`, 1);
    const seconds = cpuSeconds(() => {
      for (const bytes of [deep, long, many]) expect(() => decodeSafetensors(bytes)).toThrow(FormatError);
    });
    expect(seconds).toBeLessThan(5);
  });
});
