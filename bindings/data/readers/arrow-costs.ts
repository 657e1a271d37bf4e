// What batches of Arrow become as values of JavaScript, counted before they do: damaged offsets could have each item
// of a list be the whole of its child, again in each list of lists.
import type { Batch, Column, DataType } from '@uwdata/flechette';

/** Numbers, of 64 bits too. */
interface Numbers {
  readonly length: number;
  readonly byteLength: number;
  readonly [i: number]: number | bigint | undefined;
}

/** What a batch has by its type. */
interface Parts {
  readonly length: number;
  readonly type: DataType & { readonly stride?: number; readonly typeMap?: Readonly<Record<number, number>> };
  readonly validity?: Numbers;
  readonly values?: Numbers;
  readonly offsets?: Numbers;
  readonly sizes?: Numbers;
  readonly children?: readonly Batch<unknown>[];
  readonly typeIds?: Numbers;
  readonly data?: readonly Uint8Array[];
}

/** Of items that take no bytes, and of what a byte may become: eight truths in structs. */
const [MOST, MOST_OF_BYTE] = [2 ** 22, 64];
/** RunEndEncoded, by its number in Schema.fbs. */
const RUNS = 22;

/** How many values and bytes the first `count` items are. @throws RangeError where there are fewer items */
type Costs = (count: number) => number;

class Counter {
  /** The bytes that the batches lie in. */
  #bytes = 0;

  /** @throws RangeError where columns are more than their bytes can be */
  check(columns: readonly Column<unknown>[]): void {
    let cost = 0;
    for (const column of columns) for (const batch of column.data) cost += this.#costs(batch)(batch.length);
    if (!(cost <= MOST + MOST_OF_BYTE * this.#bytes)) throw new RangeError('columns that are more than their bytes');
  }

  #costs(batch: Batch<unknown>): Costs {
    const { length, type, validity, values, offsets, sizes, children, typeIds, data = [] } = batch as unknown as Parts;
    for (const buffer of [validity, values, offsets, sizes, typeIds, ...data]) this.#bytes += buffer?.byteLength ?? 0;
    const of = (children ?? []).map((child) => this.#costs(child));
    const [first = (count) => count, second = first] = of;
    if (!(length <= MOST + MOST_OF_BYTE * this.#bytes)) throw new RangeError('more items than bytes can be');
    const between = (costs: Costs, from: number, to: number): number => {
      if (!(from <= to)) throw new RangeError('offsets that go back');
      return costs(to) - costs(from);
    };
    const at = (list: Numbers | undefined, i: number): number => Number(list?.[i]);
    const { stride = 0 } = type;
    if (typeIds)
      return summed(length, (i) => {
        const costs = of[type.typeMap?.[at(typeIds, i)] as number];
        const place = offsets ? at(offsets, i) : i;
        return costs ? between(costs, place, place + 1) : Number.NaN;
      });
    if (sizes) return summed(length, (i) => between(first, at(offsets, i), at(offsets, i) + at(sizes, i)));
    if (offsets) {
      // Of texts the child is bytes.
      const costs = children ? first : upTo(values?.length ?? 0);
      return summed(length, (i) => between(costs, at(offsets, i), at(offsets, i + 1)));
    }
    if (children && type.typeId === RUNS) {
      const ends = (children[0] as unknown as Parts).values;
      let run = 0;
      return summed(length, (i) => {
        while (at(ends, run) <= i) run++;
        return between(second, run, run + 1);
      });
    }
    if (children && 'stride' in type) return summed(length, (i) => between(first, i * stride, (i + 1) * stride));
    if (children) return summed(length, (i) => of.reduce((sum, costs) => sum + between(costs, i, i + 1), 0));
    if (values && 'data' in batch)
      return summed(length, (i) => {
        const bytes = values as unknown as Uint8Array;
        return Math.max(0, new DataView(bytes.buffer, bytes.byteOffset + 16 * i, 16).getInt32(0, true));
      });
    // Numbers have a bit each at least; what has no bytes at all counts as it is.
    return upTo(values ? Math.min(length, 8 * values.length) : length);
  }
}

const upTo =
  (most: number): Costs =>
  (count) => {
    if (!(count >= 0 && count <= most)) throw new RangeError('more items than there are');
    return count;
  };

/** Costs of items that are one, and what `cost` says of each. */
function summed(length: number, cost: (i: number) => number): Costs {
  const sums = new Float64Array(length + 1);
  for (let i = 0; i < length; i++) sums[i + 1] = (sums[i] as number) + 1 + cost(i);
  return (count) => {
    const sum = sums[count];
    if (sum === undefined) throw new RangeError('more items than there are');
    return sum;
  };
}

/** @throws RangeError where columns are more than their bytes can be */
export const checkCosts = (columns: readonly Column<unknown>[]): void => new Counter().check(columns);
