// Arrays in files as pipelines of their rows: IDX and NumPy's .npy, of which only the rows that are asked for are read,
// by readers/arrays.ts.
import { signature } from '../../signature.ts';
import type { NdArray } from '../pipeline/columns.ts';
import { Pipeline } from '../pipeline/pipeline.ts';
import { type ByteSource, sourceKind } from './byte-source.ts';

const readers = () => import('../readers/arrays.ts');

const toIdx = signature('idx(source: source)', sourceKind);

/**
 * The rows of an IDX file, the format of MNIST: of a file of images each image, of a file of labels each number. They
 * are read when they are asked for, in any order; only packed files and streams are read whole.
 *
 * @param args the path of a file, a URL, a Blob, bytes, a stream; packed by gzip or Zstandard or not
 * @throws FormatError for what is no such file; the system's error where it cannot be read
 * @example
 * ```ts
 * const file = Uint8Array.of(0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6); // 2 rows of 3 bytes
 * const rows = await data.idx(file);
 * console.log(rows.length, await rows.toArray()); // 2, [{ data: [1, 2, 3], shape: [3] }, …]
 * ```
 */
export async function idx<T = NdArray>(...args: [source: ByteSource]): Promise<Pipeline<T>> {
  const [source] = toIdx.parse(args) as typeof args;
  return new Pipeline(await (await readers()).idxRows<T>(source));
}

const toNpy = signature('npy(source: source)', sourceKind);

/**
 * The rows of a `.npy` file of NumPy, along its first axis: numbers of an array of one axis, else NdArrays of its own
 * dtype, bigints of 64-bit integers, f32 of half floats. They are read when they are asked for, in any order; only
 * packed files and streams are read whole. Of columns one after the other (Fortran order) rows in order are quick: in
 * any order each takes a read for every number.
 *
 * @param args the path of a file, a URL, a Blob, bytes, a stream; packed by gzip or Zstandard or not
 * @throws FormatError for what is no such file, and for dtypes that are no numbers; the system's error where it cannot
 * be read
 * @example
 * ```ts
 * const rows = await data.npy(io.encodeNpy(tensor([[1, 2], [3, 4]])));
 * console.log(await rows.toArray()); // [{ data: [1, 2], shape: [2] }, { data: [3, 4], shape: [2] }]
 * ```
 */
export async function npy<T = NdArray>(...args: [source: ByteSource]): Promise<Pipeline<T>> {
  const [source] = toNpy.parse(args) as typeof args;
  return new Pipeline(await (await readers()).npyRows<T>(source));
}
