// Just enough of FlatBuffers (https://flatbuffers.dev/internals) to know that a message of Arrow is what it says,
// before a reader that trusts it is given it: a count that is too large, or tables that hold one another, would have it
// work for ever.

/** A table, whose fields are asked for by their slots in it. Reading outside of the buffer throws RangeErrors. */
class Flat {
  readonly #view: DataView;
  readonly #at: number;
  readonly #fields: number;

  constructor(view: DataView, at: number) {
    this.#view = view;
    this.#at = at;
    this.#fields = at - view.getInt32(at, true);
  }

  /** Where a field lies; 0 where it has none. */
  #place(slot: number): number {
    const size = this.#view.getUint16(this.#fields, true);
    const offset = slot < size ? this.#view.getUint16(this.#fields + slot, true) : 0;
    return offset && this.#at + offset;
  }

  byte(slot: number): number {
    const at = this.#place(slot);
    return at && this.#view.getUint8(at);
  }

  int(slot: number): number {
    const at = this.#place(slot);
    return at && this.#view.getInt32(at, true);
  }

  long(slot: number): number {
    const at = this.#place(slot);
    return at && Number(this.#view.getBigInt64(at, true));
  }

  table(slot: number): Flat | null {
    const at = this.#place(slot);
    return at ? new Flat(this.#view, at + this.#view.getUint32(at, true)) : null;
  }

  /** Where the items of a vector, of `size` bytes each, begin, and how many there are. */
  vector(slot: number, size: number): { readonly at: number; readonly count: number } {
    const place = this.#place(slot);
    if (!place) return { at: 0, count: 0 };
    const at = place + this.#view.getUint32(place, true);
    const count = this.#view.getUint32(at, true);
    if (at + 4 + size * count > this.#view.byteLength) throw new RangeError('a vector that is longer than its buffer');
    return { at: at + 4, count };
  }

  /** The first number of each item, of `size` bytes, in a vector. */
  longs(slot: number, size = 8): number[] {
    const { at, count } = this.vector(slot, size);
    return Array.from({ length: count }, (_, i) => Number(this.#view.getBigInt64(at + size * i, true)));
  }

  tables(slot: number): Flat[] {
    const { at, count } = this.vector(slot, 4);
    return Array.from({ length: count }, (_, i) => {
      const place = at + 4 * i;
      return new Flat(this.#view, place + this.#view.getUint32(place, true));
    });
  }
}

/** What messages hold, by their numbers. */
export const [SCHEMA, DICTIONARY, RECORDS] = [1, 2, 3];

/** How many bytes a packed one may become, by LZ4. */
const MOST_PACKED = 255;
/** Lists in lists in lists … */
const DEEPEST = 64;
/** Decimal, Union, FixedSizeBinary and FixedSizeList, by their numbers in Schema.fbs. */
const [DECIMAL, UNION, FIXED_BINARY, FIXED_LIST] = [7, 14, 15, 16];
/** Digits after the point, of which 256 bits have fewer. */
const MOST_DIGITS = 128;

/** @throws RangeError unless fields end */
function checkFields(fields: readonly Flat[], left: { count: number }, depth: number): void {
  for (const field of fields) {
    left.count--;
    if (left.count < 0 || depth > DEEPEST) throw new RangeError('fields without an end');
    const kind = field.byte(8);
    const type = field.table(10);
    if (kind === UNION) type?.vector(6, 4);
    if ((kind === FIXED_BINARY || kind === FIXED_LIST) && (type?.int(4) ?? 0) < 0)
      throw new RangeError('a size below 0');
    if (kind === DECIMAL && Math.abs(type?.int(6) ?? 0) > MOST_DIGITS) throw new RangeError('digits without an end');
    for (const pair of field.tables(16)) pair.vector(4, 1);
    checkFields(field.tables(14), left, depth + 1);
  }
}

/**
 * The type of a message and the bytes of its body, by its metadata, as Message.fbs and Schema.fbs declare them;
 * undefined where they cannot be.
 */
export function messageOf(metadata: Uint8Array): { readonly type: number; readonly body: number } | undefined {
  const view = new DataView(metadata.buffer, metadata.byteOffset, metadata.byteLength);
  try {
    const message = new Flat(view, view.getUint32(0, true));
    const [type, body, content] = [message.byte(6), message.long(10), message.table(8)];
    if (type === SCHEMA) {
      checkFields(content?.tables(6) ?? [], { count: metadata.length }, 0);
      content?.tables(8);
    }
    const batch = type === DICTIONARY ? content?.table(6) : type === RECORDS ? content : null;
    // Each value has a bit at least.
    const most = 8 * body * (batch?.table(10) ? MOST_PACKED : 1);
    const counts = batch ? [batch.long(4), ...batch.longs(6, 16)] : [];
    const buffers = batch?.vector(8, 16).count ?? 0;
    // Texts by views say how many buffers each column has.
    counts.push(...(batch?.longs(12).map((count) => (count <= buffers ? count : -1)) ?? []));
    return body >= 0 && counts.every((count) => count >= 0 && count <= most) ? { type, body } : undefined;
  } catch {
    return undefined;
  }
}
