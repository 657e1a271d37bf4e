// Operators that few models have: determinants, counts of word groups, weights of frequencies, bits as other numbers.
import { tensor } from '../../creation.ts';
import { tracing } from '../../execute.ts';
import { cast } from '../../functional/arguments.ts';
import { all } from '../../functional/compare.ts';
import * as F from '../../functional/elementwise.ts';
import { gather } from '../../functional/indexing.ts';
import { matmul } from '../../functional/matmul.ts';
import { oneHot } from '../../functional/one-hot.ts';
import { argmax, sum } from '../../functional/reduction.ts';
import * as S from '../../functional/shape.ts';
import { ArgumentError, formatShape, ShapeError } from '../../memory/errors.ts';
import { host, type Tensor } from '../../tensor.ts';
import { DATA } from '../messages.ts';
import { always, type Call, type Family, type Operator } from '../operator.ts';
import { dtypeOf } from '../values.ts';

/** By elimination, each column's largest element first. */
const determinant: Operator = {
  takes: 'X',
  run: (call) => {
    const x = call.float(0);
    const n = x.sizes.at(-1) as number;
    if (x.ndim < 2 || x.sizes.at(-2) !== n)
      throw new ShapeError(`Det: expected square matrices, got ${formatShape(x.sizes)}`);
    let rest = S.reshape(x, [-1, n, n]);
    let result: Tensor | null = null;
    for (let size = n; size > 0; size--) {
      const best = argmax(F.abs(S.select(rest, 2, 0).detach()), 1);
      const row = gather(rest, 1, S.expand(S.reshape(best, [-1, 1, 1]), [-1, 1, size]));
      const pivot = S.select(S.select(row, 1, 0), 1, 0);
      const turned = F.where(F.eq(best, 0), pivot, F.neg(pivot));
      result = result ? F.mul(result, turned) : turned;
      // The first row takes the place of that one, and what is below the pivot goes.
      const swapped = F.where(S.unsqueeze(F.eq(oneHot(best, size), 1), 2), S.narrow(rest, 1, 0, 1), rest);
      const below = S.narrow(swapped, 1, 1, size - 1);
      const safe = F.where(F.eq(pivot, 0), 1, pivot);
      const share = F.div(S.narrow(below, 2, 0, 1), S.reshape(safe, [-1, 1, 1]));
      rest = F.sub(S.narrow(below, 2, 1, size - 1), F.mul(share, S.narrow(row, 2, 1, size - 1)));
    }
    return S.reshape(result as Tensor, x.sizes.slice(0, -2));
  },
};

/** Groups of words of one length: the words, and the column that counts each. */
interface Groups {
  readonly length: number;
  readonly words: readonly number[];
  readonly columns: readonly number[];
}

function groupsOf(call: Call): Groups[] {
  const pool = call.ints('pool_int64s');
  if (!pool)
    throw new ArgumentError('TfIdfVectorizer: expected whole numbers in pool_int64s, got text, which no tensor has');
  const [starts, columns] = [call.ints('ngram_counts') ?? [], call.ints('ngram_indexes') ?? []];
  let known = 0;
  return starts.map((start, i) => {
    const words = pool.slice(start, starts[i + 1] ?? pool.length);
    const count = Math.floor(words.length / (i + 1));
    known += count;
    return { length: i + 1, words, columns: columns.slice(known - count, known) };
  });
}

const counts: Operator = {
  takes:
    'X | max_gram_length!:int max_skip_count!:int min_gram_length!:int mode!:text ngram_counts!:ints ngram_indexes!:ints pool_int64s:ints pool_strings:texts weights:floats',
  types: always(DATA.FLOAT),
  run: (call) => {
    const given = call.x(0);
    const x = S.reshape(given, [-1, given.sizes.at(-1) ?? 1]);
    const [rows, words] = x.sizes as [number, number];
    const width = Math.max(...(call.ints('ngram_indexes') ?? [0])) + 1;
    let total = tensor(new Float32Array(rows * width), { shape: [rows, width] });
    for (const { length, words: pool, columns } of groupsOf(call)) {
      if (length < call.attr('min_gram_length') || length > call.attr('max_gram_length') || columns.length === 0)
        continue;
      const groups = tensor(Int32Array.from(pool), { shape: [1, 1, columns.length, length] });
      const ways = oneHot(tensor(Int32Array.from(columns)), width);
      // One word alone has nothing to skip.
      for (let step = 1; step <= (length === 1 ? 1 : call.attr('max_skip_count') + 1); step++) {
        const places = words - step * (length - 1);
        if (places < 1) break;
        const windows = S.stack(
          Array.from({ length }, (_, i) => S.narrow(x, 1, i * step, places)),
          2,
        );
        const found = all(F.eq(S.unsqueeze(windows, 2), groups), 3);
        total = F.add(total, matmul(sum(cast(found, 'f32'), 1), cast(ways, 'f32')));
      }
    }
    const mode = call.word('mode', 'TF', 'IDF', 'TFIDF');
    const weights = call.ints('weights');
    if (mode === 'IDF') total = cast(F.gt(total, 0), 'f32');
    const weighted = weights && mode !== 'TF' ? F.mul(total, tensor(Float32Array.from(weights))) : total;
    return S.reshape(weighted, [...given.sizes.slice(0, -1), width]);
  },
};

/** Triangles over bins of frequencies, evenly wide on the scale of mels. */
const mels: Operator = {
  takes: 'num_mel_bins# dft_length# sample_rate# lower_edge_hertz# upper_edge_hertz# | output_datatype=1',
  types: ({ attributes }) => [attributes.output_datatype as number],
  run: (call) => {
    const [bins, length, rate, low, high] = [0, 1, 2, 3, 4].map((i) => call.number(i)) as [
      number,
      number,
      number,
      number,
      number,
    ];
    const mel = (hertz: number): number => 2595 * Math.log10(1 + hertz / 700);
    const rows = Math.floor(length / 2) + 1;
    const edge = (i: number): number => {
      const at = mel(low) + (i * (mel(high) - mel(low))) / (bins + 2);
      return Math.floor(((length + 1) * 700 * (10 ** (at / 2595) - 1)) / rate);
    };
    const numbers = Float32Array.from({ length: rows * bins }, (_, at) => {
      const [row, i] = [Math.floor(at / bins), at % bins];
      const [from, centre, to] = [edge(i), edge(i + 1), edge(i + 2)];
      if (row < from || row > to || (row === to && to > centre)) return 0;
      if (row <= centre) return centre === from ? Number(row === centre) : (row - from) / (centre - from);
      return (to - row) / (to - centre);
    });
    return cast(tensor(numbers, { shape: [rows, bins] }), dtypeOf(call.node.given[0] as number));
  },
};

/** Types of which tensors hold the bits, by their bytes. */
const WIDE: readonly number[] = [DATA.FLOAT, DATA.INT32, DATA.UINT32];
const NARROW: readonly number[] = [DATA.BOOL, DATA.UINT8, DATA.INT8];
const HALF: readonly number[] = [DATA.UINT16, DATA.INT16];

const bits: Operator = {
  takes: 'input | to!:int',
  types: ({ attributes }) => [attributes.to as number],
  run: (call) => {
    const [from, to] = [call.type(), call.attr('to')];
    const x = call.x();
    const kinds = [WIDE, NARROW, HALF].find((types) => types.includes(from));
    if (!kinds?.includes(to))
      throw new ArgumentError(
        `BitCast: expected numbers of 8, 16 or 32 bits that tensors hold as they are, got the types ${from} and ${to}; change the model`,
      );
    if (dtypeOf(from) !== dtypeOf(to) && kinds === WIDE) {
      tracing()?.refuse('BitCast', 'it reads the bits of values; call the model outside of compile()');
      const numbers = host.download(x, 'BitCast');
      const { buffer, byteOffset, length } = numbers;
      const made =
        to === DATA.FLOAT ? new Float32Array(buffer, byteOffset, length) : new Int32Array(buffer, byteOffset, length);
      return tensor(made, { shape: [...x.sizes] });
    }
    // Of fewer bits, negative numbers are those beyond the middle.
    const [middle, whole] = kinds === HALF ? [2 ** 15, 2 ** 16] : [2 ** 7, 2 ** 8];
    const wide = cast(x, 'i32');
    if (to === DATA.INT16 || to === DATA.INT8) return F.where(F.ge(wide, middle), F.sub(wide, whole), wide);
    return cast(kinds === WIDE ? wide : F.where(F.lt(wide, 0), F.add(wide, whole), wide), dtypeOf(to));
  },
};

export const rare: Family = { BitCast: bits, Det: determinant, MelWeightMatrix: mels, TfIdfVectorizer: counts };
