// How a word becomes pieces of a vocabulary: byte-pair merges (BPE) or the longest piece first (WordPiece).
import { record } from '../../lookup.ts';
import { FormatError } from '../../memory/errors.ts';

/** What the key `model` of a tokenizer.json says, as far as it is read. */
export interface ModelJson {
  readonly type?: string;
  readonly vocab?: Readonly<Record<string, number>>;
  readonly merges?: readonly (string | readonly [string, string])[];
  readonly unk_token?: string | null;
  readonly continuing_subword_prefix?: string | null;
  readonly end_of_word_suffix?: string | null;
  readonly byte_fallback?: boolean;
  readonly fuse_unk?: boolean;
  readonly ignore_merges?: boolean;
  readonly max_input_chars_per_word?: number;
}

/** Appends the ids of a word. */
export type Encode = (word: string, ids: number[]) => void;

/** Words that are remembered, and the longest of them. */
const REMEMBERED = 1 << 14;
const SHORT = 64;

const bad = (what: string): FormatError => new FormatError(`tokenizer: expected ${what}`);

export type Vocabulary = ReadonlyMap<string, number>;

/** The smallest of numbers that come and go. */
class Heap {
  readonly #items: number[] = [];

  push(item: number): void {
    const items = this.#items;
    let i = items.length;
    for (; i > 0; ) {
      const up = (i - 1) >> 1;
      if ((items[up] as number) <= item) break;
      items[i] = items[up] as number;
      i = up;
    }
    items[i] = item;
  }

  pop(): number | undefined {
    const items = this.#items;
    const [least] = items;
    const last = items.pop() as number;
    if (items.length === 0) return least;
    let i = 0;
    for (;;) {
      let down = 2 * i + 1;
      if (down + 1 < items.length && (items[down + 1] as number) < (items[down] as number)) down++;
      if (down >= items.length || (items[down] as number) >= last) break;
      items[i] = items[down] as number;
      i = down;
    }
    items[i] = last;
    return least;
  }
}

/** Places in a word are below this: the number of a merge and a place are one whole number. */
const PLACES = 2 ** 28;

/** Merges of pairs, by rank. */
class Merges {
  readonly #ranks = new Map<number, number>();
  readonly #results: number[] = [];
  readonly #size: number;

  constructor(vocabulary: Vocabulary, { merges = [], continuing_subword_prefix: prefix }: ModelJson) {
    this.#size = Math.max(-1, ...new Set(vocabulary.values())) + 1;
    merges.forEach((pair, rank) => {
      const [a = '', b = ''] = typeof pair === 'string' ? pair.split(' ') : pair;
      const ids = [a, b, a + (prefix ? b.slice(prefix.length) : b)].map((piece) => vocabulary.get(piece));
      const [left, right, result] = ids;
      if (left === undefined || right === undefined || result === undefined)
        throw bad(`merges of pieces in the vocabulary, got ${JSON.stringify(pair)} as merge ${rank}`);
      const key = left * this.#size + right;
      if (!this.#ranks.has(key)) this.#ranks.set(key, rank);
      this.#results.push(result);
    });
  }

  /** Merges neighbours, the pair of the lowest rank first, from the left. */
  run(ids: readonly number[]): number[] {
    const own = Array.from(ids);
    const next = own.map((_, i) => i + 1);
    const before = own.map((_, i) => i - 1);
    const heap = new Heap();
    const look = (i: number): void => {
      const j = next[i] as number;
      if (i < 0 || j >= own.length) return;
      const rank = this.#ranks.get((own[i] as number) * this.#size + (own[j] as number));
      if (rank !== undefined) heap.push(rank * PLACES + i);
    };
    for (let i = 0; i + 1 < own.length; i++) look(i);
    for (let item = heap.pop(); item !== undefined; item = heap.pop()) {
      const rank = Math.floor(item / PLACES);
      const i = item % PLACES;
      const j = next[i] as number;
      // A neighbour may be gone, or another one by now.
      if (own[i] === -1 || j >= own.length) continue;
      if (this.#ranks.get((own[i] as number) * this.#size + (own[j] as number)) !== rank) continue;
      own[i] = this.#results[rank] as number;
      own[j] = -1;
      next[i] = next[j] as number;
      if ((next[j] as number) < own.length) before[next[j] as number] = i;
      look(i);
      if ((before[i] as number) >= 0) look(before[i] as number);
    }
    return own.filter((id) => id !== -1);
  }
}

function bytePairs(vocabulary: Vocabulary, model: ModelJson): Encode {
  const merges = new Merges(vocabulary, model);
  const { unk_token: unknown, byte_fallback: bytes, fuse_unk: fuse } = model;
  const [prefix, suffix] = [model.continuing_subword_prefix ?? '', model.end_of_word_suffix ?? ''];
  const unk = unknown ? vocabulary.get(unknown) : undefined;
  const symbols = (word: string): number[] => {
    const ids: number[] = [];
    const characters = Array.from(word);
    for (const [i, character] of characters.entries()) {
      const piece = (i > 0 ? prefix : '') + character + (i === characters.length - 1 ? suffix : '');
      const id = vocabulary.get(piece);
      if (id !== undefined) {
        ids.push(id);
        continue;
      }
      const parts = bytes ? Array.from(new TextEncoder().encode(piece), (byte) => vocabulary.get(byteName(byte))) : [];
      if (parts.length > 0 && parts.every((part) => part !== undefined)) ids.push(...parts);
      else if (unk !== undefined && !(fuse && ids.at(-1) === unk)) ids.push(unk);
    }
    return ids;
  };
  return (word, ids) => {
    const whole = model.ignore_merges ? vocabulary.get(word) : undefined;
    if (whole !== undefined) ids.push(whole);
    else for (const id of merges.run(symbols(word))) ids.push(id);
  };
}

/** The piece that stands for a byte of a character that has none. */
const byteName = (byte: number): string => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;

function wordPieces(vocabulary: Vocabulary, model: ModelJson): Encode {
  const { unk_token, continuing_subword_prefix, max_input_chars_per_word: most = 100 } = model;
  const prefix = continuing_subword_prefix ?? '##';
  const unk = vocabulary.get(unk_token ?? '[UNK]');
  if (unk === undefined) throw bad('an unk_token of the vocabulary, got none');
  return (word, ids) => {
    const letters = Array.from(word);
    const start = ids.length;
    for (let from = 0; from < letters.length; ) {
      let to = letters.length > most ? from : letters.length;
      let id: number | undefined;
      for (; to > from && id === undefined; to--)
        id = vocabulary.get((from > 0 ? prefix : '') + letters.slice(from, to).join(''));
      if (id === undefined) {
        ids.length = start;
        ids.push(unk);
        return;
      }
      ids.push(id);
      from = to + 1;
    }
  };
}

function wholeWords(vocabulary: Vocabulary, { unk_token }: ModelJson): Encode {
  const unk = vocabulary.get(unk_token ?? '');
  return (word, ids) => {
    const id = vocabulary.get(word) ?? unk;
    if (id !== undefined) ids.push(id);
  };
}

const MODELS = record([
  ['BPE', bytePairs],
  ['WordPiece', wordPieces],
  ['WordLevel', wholeWords],
]);

/** What encodes words as `model` says. Short ones are remembered. @throws FormatError for an unknown one */
export function encoderOf(vocabulary: Vocabulary, model: ModelJson): Encode {
  const make = MODELS[model.type ?? (model.merges ? 'BPE' : 'WordPiece')];
  if (!make) throw bad(`a model ${Object.keys(MODELS).join(', ')}, got ${model.type}`);
  const encode = make(vocabulary, model);
  const known = new Map<string, readonly number[]>();
  return (word, ids) => {
    let own = known.get(word);
    if (!own) {
      const fresh: number[] = [];
      encode(word, fresh);
      own = fresh;
      if (known.size >= REMEMBERED) known.clear();
      if (word.length <= SHORT) known.set(word, own);
    }
    for (const id of own) ids.push(id);
  };
}
