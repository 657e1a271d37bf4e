// Reads the rows of arrays in files, each where it lies.
import { FormatError } from '../../memory/errors.ts';
import { fromFloat16 } from '../half.ts';
import { idxHeader } from '../idx.ts';
import { List } from '../passes/chunk.ts';
import type { Numbers } from '../pipeline/columns.ts';
import type { Reader, Source, State } from '../pipeline/source.ts';
import type { ByteSource } from '../sources/byte-source.ts';
import { allBytes, openRandom, type RandomBytes } from './bytes.ts';
import { LONGEST, npyHeader } from './npy-header.ts';
import { isPacked } from './unpack.ts';

/** How an array lies in a file. */
interface Layout {
  readonly shape: readonly number[];
  /** Bytes of a number, and in front of the first. */
  readonly size: number;
  readonly from: number;
  /** Whether the first axis runs fastest: then a row is here and there. */
  readonly fortran?: boolean;
  /** The numbers in bytes that nobody else has. */
  readonly numbers: (bytes: Uint8Array) => Numbers;
}

type LayoutOf = (head: Uint8Array, bytes: RandomBytes) => Layout;

/** Bytes that are read at once; of rows that lie here and there more, so that each piece is worth its call. */
const BLOCK = 1 << 18;
const FORTRAN_BLOCK = 1 << 23;

/** The place in a row of each number that Fortran's order has one after the other: there the first axis is fastest. */
function placesOf(shape: readonly number[]): Uint32Array {
  const places = new Uint32Array(shape.reduce((a, b) => a * b, 1));
  for (let m = 0; m < places.length; m++) {
    let [rest, step] = [m, places.length];
    for (const size of shape) {
      step /= size;
      places[m] = (places[m] as number) + (rest % size) * step;
      rest = Math.floor(rest / size);
    }
  }
  return places;
}

class RowsSource<T> implements Source<T> {
  readonly inputs = [];
  readonly length: number;
  readonly #layout: Layout;
  readonly #row: number;
  readonly #places: Uint32Array | null;
  readonly #open: () => Promise<RandomBytes>;
  /** What is open now, and how many read it. */
  #bytes: Promise<RandomBytes> | null = null;
  #users = 0;

  constructor(
    readonly name: string,
    layout: Layout,
    open: () => Promise<RandomBytes>,
  ) {
    this.#layout = layout;
    this.#open = open;
    const [length = 0, ...row] = layout.shape;
    this.length = length;
    this.#row = row.reduce((a, b) => a * b, layout.size);
    this.#places = layout.fortran && row.length > 0 && length > 0 ? placesOf(row) : null;
  }

  async #use<R>(read: (bytes: RandomBytes) => Promise<R>): Promise<R> {
    this.#users++;
    this.#bytes ??= this.#open();
    const bytes = this.#bytes;
    try {
      return await read(await bytes);
    } finally {
      this.#users--;
      // What is no open file may be asked again without a cost.
      if (
        this.#users === 0 &&
        (await bytes.then(
          ({ holds }) => holds,
          () => true,
        ))
      ) {
        this.#bytes = null;
        await bytes.then(
          (open) => open.close(),
          () => {},
        );
      }
    }
  }

  /** Rows out of their bytes. */
  #rows(bytes: Uint8Array, count: number): List<T> {
    const { shape, numbers } = this.#layout;
    const data = numbers(bytes);
    return new List<T>(shape.length === 1 ? data : { data, shape: [count, ...shape.slice(1)] });
  }

  async #read(bytes: RandomBytes, from: number, to: number): Promise<Uint8Array> {
    const start = this.#layout.from;
    if (this.#places) return this.#gather(bytes, this.#places, from, to);
    return bytes.read(start + from * this.#row, start + to * this.#row);
  }

  /** Rows whose numbers lie as far apart as there are rows: a piece of each column. */
  async #gather(bytes: RandomBytes, places: Uint32Array, from: number, to: number): Promise<Uint8Array> {
    const { from: start, size } = this.#layout;
    const out = new Uint8Array((to - from) * this.#row);
    for (let m = 0; m < places.length; m++) {
      const first = start + (m * this.length + from) * size;
      const piece = await bytes.read(first, first + (to - from) * size);
      let at = (places[m] as number) * size;
      for (let i = 0; i < piece.length; i += size, at += this.#row)
        for (let b = 0; b < size; b++) out[at + b] = piece[i + b] as number;
    }
    return out;
  }

  get = (indices: Int32Array): Promise<List<T>> =>
    this.#use(async (bytes) => {
      const out = new Uint8Array(indices.length * this.#row);
      for (let i = 0; i < indices.length; ) {
        // Neighbours come together.
        let n = 1;
        while (i + n < indices.length && indices[i + n] === (indices[i] as number) + n) n++;
        const first = indices[i] as number;
        out.set(await this.#read(bytes, first, first + n), i * this.#row);
        i += n;
      }
      return this.#rows(out, indices.length);
    });

  open(_epoch: number, state?: State): Reader<T> {
    let at = (state ?? 0) as number;
    let end: () => void = () => {};
    // The file stays open from the first rows to the last.
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    let held: Promise<void> | null = null;
    const block = this.#places ? FORTRAN_BLOCK : BLOCK;
    const most = Math.max(1, Math.floor(block / Math.max(1, this.#row)));
    return {
      next: () => {
        if (at >= this.length) return null;
        held ??= this.#use(() => ended).catch(() => {}); // what fails is told by what follows
        return this.#use(async (bytes) => {
          const to = Math.min(this.length, at + most);
          const read = await this.#read(bytes, at, to);
          const rows = this.#rows(read.slice(), to - at);
          at = to;
          return rows;
        });
      },
      state: () => at,
      close: async () => {
        end();
        await held;
      },
    };
  }
}

/** The rows of an array that lies in `source` as `layoutOf` says. */
async function rowsOf<T>(op: string, source: ByteSource, layoutOf: LayoutOf): Promise<Source<T>> {
  let bytes = await openRandom(op, source);
  let open = (): Promise<RandomBytes> => openRandom(op, source);
  try {
    const packed = isPacked(await bytes.read(0, 4));
    if (packed || !bytes.holds) {
      // A packed file is unpacked once; what is open without holding anything stays.
      const own = packed ? await openRandom(op, await allBytes(op, source)) : bytes;
      const { name } = bytes;
      await bytes.close();
      bytes = { ...own, name };
      open = async () => bytes;
    }
    const layout = layoutOf(await bytes.read(0, Math.min(bytes.size, LONGEST)), bytes);
    return new RowsSource<T>(op, layout, open);
  } finally {
    await bytes.close();
  }
}

/** The rows of an IDX file. */
export const idxRows = <T>(source: ByteSource): Promise<Source<T>> =>
  rowsOf<T>('idx', source, (head, { size }) => {
    const { type, shape, from } = idxHeader('idx', head, size);
    const numbers = (bytes: Uint8Array): Numbers =>
      type.read(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), bytes.length / type.size);
    return { shape, from, size: type.size, numbers };
  });

type Make = new (buffer: ArrayBuffer) => Numbers;

/** The arrays of NumPy's dtypes, of those that JavaScript has; half floats become f32. */
const ARRAYS: Readonly<Record<string, Make>> = {
  b1: Uint8Array,
  i1: Int8Array,
  u1: Uint8Array,
  i2: Int16Array,
  u2: Uint16Array,
  i4: Int32Array,
  u4: Uint32Array,
  i8: BigInt64Array,
  u8: BigUint64Array,
  f4: Float32Array,
  f8: Float64Array,
};

/** Turns the bytes of each number round, in place. */
function turned(bytes: Uint8Array, size: number): Uint8Array {
  for (let at = 0; at < bytes.length; at += size)
    for (let i = at, j = at + size - 1; i < j; i++, j--) {
      const byte = bytes[i] as number;
      bytes[i] = bytes[j] as number;
      bytes[j] = byte;
    }
  return bytes;
}

/** The rows of a `.npy` file. */
export const npyRows = <T>(source: ByteSource): Promise<Source<T>> =>
  rowsOf<T>('npy', source, (head, { size: total, name: file }) => {
    const bad = (what: string): FormatError => new FormatError(`npy: expected ${what} in ${file}`);
    const { order, name, fortran, shape, from } = npyHeader(head, bad);
    const size = Number(name.slice(1));
    const array = ARRAYS[name];
    if (shape.length === 0) throw bad('an array with rows, got one number');
    const need = shape.reduce((a, b) => a * b, size);
    if (total - from !== need) throw bad(`${need} bytes of ${name} [${shape}], got ${total - from}`);
    const numbers = (bytes: Uint8Array): Numbers => {
      const { buffer } = order === '>' ? turned(bytes, size) : bytes;
      return array ? new array(buffer as ArrayBuffer) : fromFloat16(new Uint16Array(buffer as ArrayBuffer));
    };
    return { shape, from, size, fortran, numbers };
  });
