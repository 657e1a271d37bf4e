import { describe, expect, it } from 'vitest';
import { type Build, builds, KernelBench, sizes } from '../support/kernels.ts';

/** A move: sizes, the strides of out and of x, and where element 0 lies for negative strides. */
interface Layout {
  n: number[];
  out: number[];
  x: number[];
}

const layouts: Layout[] = [
  ...sizes.flatMap((n) => [
    { n: [n], out: [1], x: [1] },
    { n: [n], out: [2], x: [1] },
    { n: [n], out: [1], x: [3] },
    { n: [n], out: [1], x: [0] },
    { n: [n], out: [1], x: [-1] },
    { n: [n], out: [-2], x: [1] },
  ]),
  { n: [], out: [], x: [] },
  { n: [0, 4], out: [4, 1], x: [1, 0] },
  { n: [4, 0], out: [0, 1], x: [1, 4] },
  // Transpositions around the block, the tile and their edges, with rows apart.
  ...[
    [1, 7],
    [4, 4],
    [5, 9],
    [8, 16],
    [16, 8],
    [17, 33],
    [30, 2],
    [3, 40],
  ].flatMap(([r = 0, c = 0]) => [
    { n: [r, c], out: [c, 1], x: [1, r] },
    { n: [r, c], out: [1, r], x: [c, 1] },
    { n: [r, c], out: [c + 3, 1], x: [1, r + 2] },
  ]),
  { n: [3, 5], out: [5, 1], x: [9, 1] },
  { n: [3, 300], out: [310, 1], x: [300, 1] },
  { n: [4, 6], out: [6, 1], x: [12, 2] },
  { n: [2, 3, 4], out: [12, 4, 1], x: [1, 2, 6] },
  { n: [2, 3, 4], out: [12, 4, 1], x: [4, 8, 1] },
  { n: [2, 8, 5], out: [40, 5, 1], x: [40, 1, 8] },
  { n: [2, 5, 3, 9], out: [135, 27, 9, 1], x: [135, 9, 45, 1] },
  { n: [3, 4, 5], out: [20, 5, 1], x: [-20, 5, -1] },
  { n: [2, 1, 2, 1, 2, 2, 1, 3], out: [24, 24, 12, 12, 6, 3, 3, 1], x: [1, 1, 2, 2, 4, 8, 8, 16] },
];

/** Every index as the offsets into out and x from the first element, which negative strides move up. */
function offsets({ n, out, x }: Layout): [number, number][] {
  let all: [number, number][] = [[start(n, out), start(n, x)]];
  n.forEach((count, axis) => {
    all = all.flatMap(([p, q]) =>
      Array.from({ length: count }, (_, i): [number, number] => [
        p + i * (out[axis] as number),
        q + i * (x[axis] as number),
      ]),
    );
  });
  return all;
}

function start(n: number[], strides: number[]): number {
  return n.reduce((sum, count, axis) => sum + Math.max(0, -(strides[axis] as number)) * Math.max(0, count - 1), 0);
}

function extent(n: number[], strides: number[]): number {
  if (n.includes(0)) return 0;
  return n.reduce((sum, count, axis) => sum + (count - 1) * Math.abs(strides[axis] as number), 1);
}

describe.each(builds)('moving kernels, %s', (build: Build) => {
  const bench = new KernelBench(build);

  const cases = [
    { kernel: 'copy_32', bytes: 4, adds: false },
    { kernel: 'copy_8', bytes: 1, adds: false },
    { kernel: 'add_strided_f32', bytes: 4, adds: true },
  ];
  for (const { kernel, bytes, adds } of cases) {
    it(`${kernel} writes what the strides name, and nothing between`, () => {
      for (const layout of layouts) {
        const from = Array.from({ length: extent(layout.n, layout.x) }, (_, i) => (i * 7 + 3) % 251);
        const into = Array.from({ length: extent(layout.n, layout.out) }, (_, i) => (i * 5 + 1) % 241);
        const expected = [...into];
        for (const [p, q] of offsets(layout)) expected[p] = (from[q] as number) + (adds ? (expected[p] as number) : 0);
        bench.reset();
        const make = (values: number[]) => (bytes === 1 ? bench.u8(values) : bench.f32(values));
        const out = make(into);
        const x = make(from);
        const dims = bench.i32([layout.n.length, ...layout.n, ...layout.out, ...layout.x]);
        bench.run(kernel, out + bytes * start(layout.n, layout.out), x + bytes * start(layout.n, layout.x), dims);
        const actual = bytes === 1 ? bench.readU8(out, into.length) : bench.readF32(out, into.length);
        expect([...actual], JSON.stringify(layout)).toEqual(expected);
      }
    });
  }

  it('copy_32 keeps the bits of a signalling NaN', () => {
    for (const layout of [
      { n: [5], out: [1], x: [1] },
      { n: [4, 4], out: [4, 1], x: [1, 4] },
      { n: [3], out: [1], x: [2] },
    ]) {
      bench.reset();
      const x = bench.i32(new Array(extent(layout.n, layout.x)).fill(0x7f80_0001));
      const out = bench.i32(extent(layout.n, layout.out));
      bench.run('copy_32', out, x, bench.i32([layout.n.length, ...layout.n, ...layout.out, ...layout.x]));
      for (const word of bench.readI32(out, extent(layout.n, layout.out))) expect(word).toBe(0x7f80_0001);
    }
  });

  it('add_strided_f32 sums where a stride of 0 names an element again', () => {
    for (const [n, out, x] of [
      [[40], [0], [1]],
      [
        [40, 6],
        [0, 1],
        [6, 1],
      ],
      [
        [6, 40],
        [1, 0],
        [40, 1],
      ],
      [
        [8, 8],
        [0, 1],
        [1, 8],
      ],
    ] as const) {
      const count = n.reduce<number>((product, size) => product * size, 1);
      bench.reset();
      const layout = { n: [...n], out: [...out], x: [...x] };
      const expected = new Array(extent(layout.n, layout.out)).fill(1);
      for (const [p, q] of offsets(layout)) expected[p] += q;
      const sum = bench.f32(new Array(expected.length).fill(1));
      const values = bench.f32(Array.from({ length: count }, (_, i) => i));
      bench.run('add_strided_f32', sum, values, bench.i32([n.length, ...n, ...out, ...x]));
      expect([...bench.readF32(sum, expected.length)]).toEqual(expected);
    }
  });
});

const inf = Number.POSITIVE_INFINITY;
const floats = [
  0,
  -0,
  0.9,
  -0.9,
  1,
  -1,
  1.5,
  -1.5,
  254.7,
  255,
  255.5,
  256,
  300,
  -300,
  1e9,
  2147483520,
  2147483648,
  -2147483648,
  -3e9,
  1e30,
  -1e30,
  inf,
  -inf,
  Number.NaN,
  2 ** -149,
].map(Math.fround);
const ints = [0, 1, -1, 127, 128, 255, 256, 257, -255, -256, 16777217, 33554435, 2147483647, -2147483648];
const bytesOf = [0, 1, 2, 127, 128, 200, 254, 255];
const bound = (v: number, low: number, high: number) =>
  Number.isNaN(v) ? 0 : Math.min(high, Math.max(low, Math.trunc(v))) + 0;

describe.each(builds)('casts and fills, %s', (build: Build) => {
  const bench = new KernelBench(build);
  const cyclic = (source: number[], n: number) =>
    Array.from({ length: n }, (_, i) => source[i % source.length] as number);
  type Kind = 'f32' | 'i32' | 'u8';
  const read = (kind: Kind, ptr: number, n: number): number[] => {
    if (kind === 'f32') return [...bench.readF32(ptr, n)];
    return kind === 'i32' ? [...bench.readI32(ptr, n)] : [...bench.readU8(ptr, n)];
  };

  const casts: { from: Kind; to: Kind; source: number[]; convert(v: number): number }[] = [
    { from: 'f32', to: 'i32', source: floats, convert: (v) => bound(v, -2147483648, 2147483647) },
    { from: 'f32', to: 'u8', source: floats, convert: (v) => bound(v, 0, 255) },
    { from: 'i32', to: 'f32', source: ints, convert: Math.fround },
    { from: 'i32', to: 'u8', source: ints, convert: (v) => v & 255 },
    { from: 'u8', to: 'f32', source: bytesOf, convert: (v) => v },
    { from: 'u8', to: 'i32', source: bytesOf, convert: (v) => v },
  ];
  for (const { from, to, source, convert } of casts) {
    it(`cast_${from}_${to} is right at every size`, () => {
      for (const n of sizes) {
        const values = cyclic(source, n);
        bench.reset();
        const out = bench[to](n);
        const x = bench[from](values);
        bench.run(`cast_${from}_${to}`, out, x, n);
        expect(read(to, out, n)).toEqual(values.map(convert));
      }
    });
  }

  it('fill_f32, fill_32 and fill_u8 write every element', () => {
    for (const n of sizes) {
      bench.reset();
      const [floats, words, bytes] = [bench.f32(n), bench.i32(n), bench.u8(n)];
      bench.run('fill_f32', floats, n, 2.5);
      bench.run('fill_32', words, n, -7);
      bench.run('fill_u8', bytes, n, 258);
      expect([...bench.readF32(floats, n)]).toEqual(new Array(n).fill(2.5));
      expect([...bench.readI32(words, n)]).toEqual(new Array(n).fill(-7));
      expect([...bench.readU8(bytes, n)]).toEqual(new Array(n).fill(2));
    }
  });

  it('scale_f32 is alpha x + beta', () => {
    for (const n of sizes) {
      const x = Array.from({ length: n }, (_, i) => (i % 17) - 8);
      bench.reset();
      const out = bench.f32(n);
      bench.run('scale_f32', out, bench.f32(x), n, 1.5, -0.25);
      expect([...bench.readF32(out, n)]).toEqual(x.map((v) => 1.5 * v - 0.25));
    }
  });
});
