// The header of NumPy's .npy: a magic text, a version, and what Python would read as a dict.
import { record } from '../../lookup.ts';
import type { FormatError } from '../../memory/errors.ts';

export const MAGIC = '\x93NUMPY';
/** NumPy's limit. */
const MAX_RANK = 64;

/** The bytes that a header takes at most: NumPy reads no longer one either. */
export const LONGEST = 10_000 + 12;

/** The dtypes that are read, as NumPy's codes have them behind the byte order. */
const TYPES = ['b1', 'i1', 'i2', 'i4', 'i8', 'u1', 'u2', 'u4', 'u8', 'f2', 'f4', 'f8'];

/** What the refused dtypes are. */
const KINDS: Readonly<Record<string, string>> = record([
  ['O', 'Python objects, which only Python may read'],
  ['c', 'complex numbers; save x.view of its floats'],
  ['U', 'text'],
  ['S', 'text'],
  ['a', 'text'],
  ['M', 'dates; save x.astype("i8")'],
  ['m', 'spans of time; save x.astype("i8")'],
  ['V', 'bytes without a meaning'],
  ['f', "this machine's long floats; save x.astype('f8')"],
]);

/** Why this dtype is none that is read. */
function refusal(descr: string): string {
  if (!/^'/.test(descr)) return `structured records ${descr.slice(0, 100)}; save their fields as arrays of their own`;
  const text = descr.slice(1, -1);
  return `${text.slice(0, 20)}, ${KINDS[text.replace(/^[<>|=]/, '')[0] ?? ''] ?? 'which is unknown'}`;
}

/** The dict of a header. */
interface Dict {
  readonly descr: string;
  readonly fortran: boolean;
  readonly shape: readonly number[];
}

/** Reads the dict that Python's repr() makes; of its three keys, each once. */
function dictOf(text: string, bad: (what: string) => FormatError): Dict {
  const found = new Map<string, string>();
  const body = /^\s*\{([\s\S]*)\}\s*$/.exec(text)?.[1];
  let rest = body ?? '';
  // A value: text, a word, a tuple of sizes, or a list of fields, which ends where the next key begins.
  const entry =
    /^\s*['"](\w+)['"]\s*:\s*('[^']*'|True|False|\([^()]*\)|\[.*?\](?=\s*,\s*['"]\w+['"]\s*:|\s*,?\s*$))\s*(?:,|$)/;
  for (let match = entry.exec(rest); match; match = entry.exec(rest)) {
    const [all, key = '', value = ''] = match;
    if (found.has(key)) throw bad(`each key of the header once, got ${key} again`);
    found.set(key, value);
    rest = rest.slice(all.length);
  }
  const [descr, fortran, shape] = ['descr', 'fortran_order', 'shape'].map((key) => found.get(key));
  const sizes = /^\(\s*((?:\d{1,16}L?\s*,\s*)*(?:\d{1,16}L?)?)\s*\)$/.exec(shape ?? '')?.[1];
  if (
    body === undefined ||
    rest.trim() !== '' ||
    found.size !== 3 ||
    !descr ||
    !/^(True|False)$/.test(fortran ?? '') ||
    sizes === undefined
  )
    throw bad(`a header with descr, fortran_order and shape, got ${JSON.stringify(text.slice(0, 100))}`);
  return {
    descr,
    fortran: fortran === 'True',
    shape: sizes.split(',').flatMap((size) => (size.trim() === '' ? [] : [Number.parseInt(size, 10)])),
  };
}

/** What a file holds, and where its numbers begin. */
export interface NpyHeader {
  /** The byte order: `<`, `>`, or `|` and `=` for none. */
  readonly order: string;
  /** The dtype, as `f4`. */
  readonly name: string;
  /** Whether the first axis runs fastest. */
  readonly fortran: boolean;
  readonly shape: readonly number[];
  readonly from: number;
}

/** The header of a file that begins with `bytes`; `bad` makes an error. @throws that */
export function npyHeader(bytes: Uint8Array, bad: (what: string) => FormatError): NpyHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 10 || String.fromCharCode(...bytes.subarray(0, 6)) !== MAGIC)
    throw bad('a file of NumPy, which begins with \\x93NUMPY, got another');
  const version = bytes[6] as number;
  if (version < 1 || version > 3) throw bad(`version 1 to 3 of the format, got ${version}`);
  const from = version === 1 ? 10 : 12;
  const length = version === 1 ? view.getUint16(8, true) : bytes.length < 12 ? 0 : view.getUint32(8, true);
  if (from + length > bytes.length)
    throw bad(`a header of ${length} bytes inside the file, got ${bytes.length} in all`);
  // NumPy reads no longer one either.
  if (length > 10_000) throw bad(`a header of at most 10000 bytes, got ${length}`);
  const header = Uint8Array.prototype.slice.call(bytes, from, from + length);
  const { descr, fortran, shape } = dictOf(new TextDecoder().decode(header), bad);
  const [, order = '', name = ''] = /^'([<>|=])(\w+)'$/.exec(descr) ?? [];
  if (!TYPES.includes(name)) throw bad(`numbers or booleans, got the dtype ${refusal(descr)}`);
  if (shape.length > MAX_RANK) throw bad(`a shape that fits the file, got [${shape.slice(0, MAX_RANK)}]`);
  return { order, name, fortran, shape, from: from + length };
}
