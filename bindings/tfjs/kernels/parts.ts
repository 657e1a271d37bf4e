// Complex numbers and text, by the rows of numbers. Complex data is two tensors of floats, and what moves elements or
// adds them does so with each. Text is no memory of ours: places of strings are moved, or compared, in its stead.
import { numelOf, type Shape } from '../../sizes.ts';
import type { Backend } from '../backend.ts';
import { Data, type NumberDtype } from '../data.ts';
import type { Info, TfDtype } from '../engine.ts';
import { B, F, type Family, I, type Row, row } from '../row.ts';
import { cast, copy, fill } from './layout.ts';

type Inputs = Readonly<Record<string, Info>>;
type Part = 'real' | 'imag';
type Rows = Readonly<Record<string, Row>>;

const has = (inputs: object, dtype: TfDtype): boolean =>
  Object.values(inputs as Inputs).some((x) => x?.dtype === dtype);
/** The same call with others in the place of inputs of one dtype. */
const mapped = (inputs: object, dtype: TfDtype, fn: (x: Info) => Info): Inputs =>
  Object.fromEntries(Object.entries(inputs as Inputs).map(([name, x]) => [name, x?.dtype === dtype ? fn(x) : x]));

const partOf = (backend: Backend, x: Info, part: Part): Info => {
  const parts = backend.at(x).complexTensorInfos as Readonly<Record<Part, Info>>;
  return { dataId: parts[part].dataId, shape: x.shape, dtype: 'float32' };
};
const partsOf = (backend: Backend, inputs: object, part: Part): Inputs =>
  mapped(inputs, 'complex64', (x) => partOf(backend, x, part));

/** By one row of floats for the real parts, and one for the others. */
const complex = (real: Row, imag = real): Row => ({
  fits: (backend, inputs, attrs) =>
    has(inputs, 'complex64') && real.fits(backend, partsOf(backend, inputs, 'real'), attrs),
  run: (backend, inputs, attrs) => {
    const first = real.run(backend, partsOf(backend, inputs, 'real'), attrs);
    const second = imag.run(backend, partsOf(backend, inputs, 'imag'), attrs);
    return Array.isArray(first)
      ? first.map((x, i) => backend.complex(x, (second as Info[])[i] as Info))
      : backend.complex(first, second as Info);
  },
});

/** Where each of the strings stands among all, equal ones in one place. */
function ranks(strings: readonly Uint8Array[]): number[] {
  const words = strings.map((bytes) => new TextDecoder().decode(bytes));
  const places = new Map([...new Set(words)].sort().map((word, i) => [word, i]));
  return words.map((word) => places.get(word) as number);
}

const stringsOf = (backend: Backend, x: Info): readonly Uint8Array[] => backend.at(x).held as readonly Uint8Array[];

/** By a row of integers: the places of strings among all that the call is given, or, to compare them, their ranks. */
const text = (inner: Row, compares = false): Row => ({
  fits: (backend, inputs, attrs) => {
    if (!has(inputs, 'string')) return false;
    const alike = mapped(inputs, 'string', (x) => ({
      dataId: new Data(backend, 'int32', stringsOf(backend, x).length, null),
      shape: x.shape,
      dtype: 'int32',
    }));
    return inner.fits(backend, alike, attrs);
  },
  run: (backend, inputs, attrs) => {
    backend.tracer?.refuse('moves or compares text');
    const all: Uint8Array[] = [];
    const places: [Data, number][] = [];
    const numbered = mapped(inputs, 'string', (x) => {
      const strings = stringsOf(backend, x);
      const dataId = backend.temporary(strings.length, 'int32');
      places.push([dataId, all.length]);
      for (const each of strings) all.push(each);
      return { dataId, shape: x.shape, dtype: 'int32' };
    });
    const numbers = compares ? ranks(all) : [...all.keys()];
    for (const [data, from] of places) data.fill(numbers.slice(from, from + data.size));
    return backend.keepingOnly(() => {
      const result = inner.run(backend, numbered, attrs);
      if (compares) return result;
      const named = ({ dataId, shape }: Info): Info =>
        backend.makeTensorInfo(
          shape,
          'string',
          Array.from((dataId as Data).look(), (at) => all[at]),
        );
      return Array.isArray(result) ? result.map(named) : named(result);
    });
  },
});

/** The numbers of x as floats, in a place of their own: parts have no others that refer to them. */
function floats(backend: Backend, x: Info): Info {
  const y = backend.make(x.shape, 'float32');
  const n = y.dataId.size;
  if (x.dtype === 'float32') copy(backend.kernels, 'float32', y.dataId, backend.at(x), [n], [1], [1]);
  else cast(backend, x.dtype as NumberDtype, 'float32', y.dataId, backend.at(x), n);
  return y;
}

const partRow = (part: Part): Row => ({
  fits: (_, inputs) => has(inputs, 'complex64'),
  run: (backend, inputs) => floats(backend, partOf(backend, (inputs as { input: Info }).input, part)),
});

export const parts: Family = {
  kernels: [],
  rows: {
    Complex: row({ real: F, imag: F }, (backend, { real, imag }) =>
      backend.complex(floats(backend, real), floats(backend, imag)),
    ),
    Real: partRow('real'),
    Imag: partRow('imag'),
  },
};

/** (a + bi)(c + di) = ac - bd + (ad + bc)i. */
const product = ({ Multiply, Add, Sub }: Rows): Row => ({
  fits: (_, inputs) => has(inputs, 'complex64'),
  run: (backend, inputs) => {
    const { a, b } = inputs as { a: Info; b: Info };
    const [r, i] = [partsOf(backend, { a, b }, 'real'), partsOf(backend, { a, b }, 'imag')] as [Pair, Pair];
    const call = (which: Row | undefined, x: Info, y: Info): Info =>
      (which as Row).run(backend, { a: x, b: y }, {}) as Info;
    const both = (sum: Row | undefined, x: Info, y: Info): Info =>
      backend.keepingOnly(() => call(sum, call(Multiply, r.a, x), call(Multiply, i.a, y)));
    return backend.complex(both(Sub, r.b, i.b), both(Add, i.b, r.b));
  },
});
type Pair = { readonly a: Info; readonly b: Info };

type Cast = { readonly dtype: TfDtype };
const casts = ({ Cast }: Rows): Row[] => [
  {
    fits: (_, inputs) => has(inputs, 'complex64'),
    run: (backend, inputs, attrs) => {
      const { x } = inputs as { x: Info };
      const { dtype } = attrs as Cast;
      if (dtype === 'complex64') return backend.share(x, x.shape);
      const real = partOf(backend, x, 'real');
      return dtype === 'float32' ? floats(backend, real) : (Cast as Row).run(backend, { x: real }, attrs);
    },
  },
  row<{ x: number }, Cast>(
    { x: F | I | B },
    (backend, { x }) => {
      const zeros = backend.make(x.shape, 'float32');
      fill(backend.kernels, 'float32', zeros.dataId, zeros.dataId.size, 0);
      return backend.complex(floats(backend, x), zeros);
    },
    (_, { dtype }) => dtype === 'complex64',
  ),
];

/** All of one string. */
const filled = row<Record<never, never>, { shape: Shape; value: unknown }>(
  {},
  (backend, _, { shape, value }) => {
    backend.tracer?.refuse('makes text');
    return backend.makeTensorInfo(shape, 'string', new Array(numelOf(shape)).fill(value));
  },
  (_, { value }) => typeof value === 'string',
);

/** What moves elements, whatever they are. */
const MOVES = 'Concat Slice StridedSlice Tile Pack Unpack SplitV Transpose Reverse GatherV2 GatherNd SparseToDense';
const COMPARES = 'Equal NotEqual Less LessEqual Greater GreaterEqual';

/** For kernels by their names, what computes calls that their row does not fit. */
export function others(rows: Rows): Readonly<Record<string, readonly Row[]>> {
  const each = (names: string, make: (row: Row) => Row[]): [string, Row[]][] =>
    names.split(' ').map((name) => [name, make(rows[name] as Row)]);
  return {
    ...Object.fromEntries([
      ...each(MOVES, (one) => [complex(one), text(one)]),
      ...each('Add Sub AddN Neg ZerosLike', (one) => [complex(one)]),
      ...each(COMPARES, (one) => [text(one, true)]),
    ]),
    OnesLike: [complex(rows.OnesLike as Row, rows.ZerosLike)],
    Multiply: [product(rows)],
    Cast: casts(rows),
    Fill: [filled],
  };
}
