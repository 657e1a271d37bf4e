// Tokenizers of Hugging Face, from their tokenizer.json.
import { isPlain } from '../../kinds.ts';
import { record } from '../../lookup.ts';
import { ArgumentError, describe, FormatError, RetrogradError } from '../../memory/errors.ts';
import { methods, signature } from '../../signature.ts';
import { type Encode, encoderOf, type ModelJson, type Vocabulary } from './merges.ts';
import {
  bytesOfPiece,
  made,
  type Normalize,
  normalizerOf,
  type PreTokenize,
  preTokenizerOf,
  quoted,
  type Step,
} from './pieces.ts';

/** Options of {@link Tokenizer.encode}. */
export interface EncodeOptions {
  /** Whether the special tokens come that a model expects around a text, as `[CLS]` and `[SEP]`. @defaultValue true */
  addSpecialTokens?: boolean;
}

/** Options of {@link Tokenizer.decode}. */
export interface DecodeOptions {
  /** Whether special tokens are left out. @defaultValue true */
  skipSpecialTokens?: boolean;
}

interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special?: boolean;
  readonly lstrip?: boolean;
  readonly rstrip?: boolean;
  readonly single_word?: boolean;
  readonly normalized?: boolean;
}

interface TokenizerJson {
  readonly added_tokens?: readonly AddedToken[];
  readonly normalizer?: Step | null;
  readonly pre_tokenizer?: Step | null;
  readonly post_processor?: Step | null;
  readonly decoder?: Step | null;
  readonly model?: ModelJson;
}

/** What finds the tokens in a text, the longest first; null where there are none. */
function finder(tokens: readonly AddedToken[]): RegExp | null {
  if (tokens.length === 0) return null;
  const parts = [...tokens]
    .sort((a, b) => b.content.length - a.content.length)
    .map(({ content, lstrip, rstrip, single_word: word }) => {
      const [open, close] = word ? ['(?<![\\p{L}\\p{N}_])', '(?![\\p{L}\\p{N}_])'] : ['', ''];
      return `${lstrip ? '\\s*' : ''}${open}${quoted(content)}${close}${rstrip ? '\\s*' : ''}`;
    });
  return new RegExp(`(?:${parts.join('|')})`, 'gu');
}

/** Ids in front of a text and behind it. */
type Around = readonly [before: readonly number[], after: readonly number[]];

const ends = ({ cls, sep }: Step): Around => [[(cls as [string, number])[1]], [(sep as [string, number])[1]]];

/** What post-processors put around one text. */
const AROUND: Record<string, (step: Step) => Around> = record<(step: Step) => Around>([
  ['ByteLevel', () => [[], []]],
  ['BertProcessing', ends],
  ['RobertaProcessing', ends],
  [
    'TemplateProcessing',
    ({ special_tokens: special, single }) => {
      const around: [number[], number[]] = [[], []];
      let side = 0;
      for (const { SpecialToken: token } of single as Record<string, { id: string }>[]) {
        if (token) around[side]?.push(...((special as Record<string, { ids: number[] }>)[token.id]?.ids ?? []));
        else side = 1;
      }
      return around;
    },
  ],
  [
    'Sequence',
    ({ processors }) =>
      (processors as Step[]).map(aroundOf).reduce<Around>(
        ([a, b], [c, d]) => [
          [...c, ...a],
          [...b, ...d],
        ],
        [[], []],
      ),
  ],
]);

const aroundOf = (step: Step): Around => made(AROUND, 'post-processor', step);

/** What makes a text of pieces. */
type Join = (pieces: readonly string[]) => string;

/** A text of bytes, some of which are no characters. */
const utf8 = (bytes: readonly number[]): string => new TextDecoder().decode(Uint8Array.from(bytes));

/** Pieces for bytes, as a text; the others as they are. */
function joinBytes(pieces: readonly string[]): string[] {
  const out: string[] = [];
  let bytes: number[] = [];
  const flush = (): void => {
    const text = utf8(bytes);
    if (bytes.length > 0) out.push(text);
    bytes = [];
  };
  for (const piece of pieces) {
    const [, hex] = /^<0x([0-9A-F]{2})>$/.exec(piece) ?? [];
    if (hex) bytes.push(Number.parseInt(hex, 16));
    else {
      flush();
      out.push(piece);
    }
  }
  flush();
  return out;
}

/** Space before what stands close to the word before it in English. */
const close = (text: string): string =>
  text
    .replace(/ ([.?!,])/g, '$1')
    .replace(/ ' /g, "'")
    .replace(/ (n't|'m|'s|'ve|'re)/g, '$1');

type DecodeStep = (pieces: readonly string[]) => string[];

/** What changes pieces, each on its own. */
const each =
  (change: (piece: string, i: number, pieces: readonly string[]) => string): DecodeStep =>
  (pieces) =>
    pieces.map(change);

const DECODERS: Record<string, (step: Step) => DecodeStep> = record<(step: Step) => DecodeStep>([
  ['ByteLevel', () => (pieces) => [utf8(pieces.flatMap(bytesOfPiece))]],
  [
    'WordPiece',
    ({ prefix = '##', cleanup = true }) =>
      each((piece, i) => {
        const own = String(prefix);
        const text = i === 0 ? piece : piece.startsWith(own) ? piece.slice(own.length) : ` ${piece}`;
        return cleanup ? close(text) : text;
      }),
  ],
  [
    'BPEDecoder',
    ({ suffix = '</w>' }) =>
      each((piece, i, { length }) => piece.replaceAll(String(suffix), i === length - 1 ? '' : ' ')),
  ],
  [
    'Replace',
    ({ pattern, content = '' }) =>
      each((piece) => piece.replaceAll((pattern as Record<string, string>).String ?? '', String(content))),
  ],
  ['ByteFallback', () => joinBytes],
  ['Fuse', () => (pieces) => [pieces.join('')]],
  [
    'Strip',
    ({ content = '', start = 0 }) => {
      const head = new RegExp(`^${quoted(String(content))}{0,${start}}`, 'u');
      return each((piece) => piece.replace(head, ''));
    },
  ],
  [
    'Sequence',
    ({ decoders }) => {
      const steps = (decoders as Step[]).map(decodeStep);
      return (pieces) => steps.reduce<string[]>((out, step) => step(out), [...pieces]);
    },
  ],
]);

const decodeStep = (step: Step): DecodeStep => made(DECODERS, 'decoder', step);

function joinOf(step: Step | null | undefined): Join {
  if (!step) return (pieces) => pieces.join(' ');
  const run = decodeStep(step);
  return (pieces) => run(pieces).join('');
}

const constructed = signature('Tokenizer(json: object)');

/**
 * A tokenizer of Hugging Face's, from its tokenizer.json: models BPE (GPT-2, RoBERTa, Llama 3 and their like),
 * WordPiece (BERT) and WordLevel, with their normalizers, pre-tokenizers, special tokens and decoders. Ids are those of
 * the package `tokenizers`.
 * @example
 * ```ts
 * const tokenizer = new data.Tokenizer({
 *   model: { type: 'BPE', vocab: { a: 0, b: 1, ab: 2 }, merges: ['a b'] },
 *   decoder: { type: 'Fuse' },
 * });
 * console.log(tokenizer.encode('abba')); // Int32Array [2, 1, 0]
 * console.log(tokenizer.decode([2, 1, 0])); // 'abba'
 * ```
 */
export class Tokenizer {
  readonly #vocabulary: Vocabulary;
  readonly #pieces: string[] = [];
  readonly #special = new Set<number>();
  readonly #added: ReadonlyMap<string, AddedToken>;
  readonly #raw: RegExp | null;
  readonly #normalized: RegExp | null;
  readonly #normalize: Normalize;
  readonly #cut: PreTokenize;
  readonly #encode: Encode;
  readonly #around: Around;
  readonly #join: Join;

  /**
   * @param args the content of a tokenizer.json, parsed
   * @throws FormatError for parts that are not known, which it names, and for damage
   */
  constructor(...args: [json: object]) {
    const [json] = constructed.parse(args) as [TokenizerJson];
    const { model, added_tokens: added = [] } = json;
    if (!model || !isPlain(model.vocab))
      throw new FormatError(
        `tokenizer: expected a model with a vocabulary by its pieces, got ${describe(model?.vocab)}${model?.type ? ` of a ${model.type} model` : ''}`,
      );
    try {
      const vocabulary = new Map(Object.entries(model.vocab));
      this.#encode = encoderOf(vocabulary, model);
      for (const { id, content, special } of added) {
        vocabulary.set(content, id);
        if (special) this.#special.add(id);
      }
      for (const [piece, id] of vocabulary) this.#pieces[id] = piece;
      this.#vocabulary = vocabulary;
      this.#added = new Map(added.map((token) => [token.content, token]));
      this.#raw = finder(added.filter(({ normalized }) => !normalized));
      this.#normalized = finder(added.filter(({ normalized }) => normalized));
      this.#normalize = json.normalizer ? normalizerOf(json.normalizer) : (text) => text;
      this.#cut = json.pre_tokenizer ? preTokenizerOf(json.pre_tokenizer) : (words) => [...words];
      this.#around = json.post_processor ? aroundOf(json.post_processor) : [[], []];
      this.#join = joinOf(json.decoder);
    } catch (cause) {
      if (cause instanceof RetrogradError) throw cause;
      throw new FormatError(
        `tokenizer: expected a tokenizer.json whose parts fit, got ${(cause as Error).message}; the file is damaged`,
        { cause },
      );
    }
  }

  /** One more than the largest id: how many rows an embedding needs. */
  get size(): number {
    return this.#pieces.length;
  }

  /** The id of a piece of the vocabulary; undefined where there is no such one. */
  idOf(token: string): number | undefined {
    return this.#vocabulary.get(token);
  }

  /** The piece with that id; undefined where there is none. */
  tokenOf(id: number): string | undefined {
    return this.#pieces[id];
  }

  /** The ids of a text. */
  encode(text: string, options?: EncodeOptions): Int32Array;
  encode(text: string, addSpecialTokens?: unknown): Int32Array {
    const [before, after] = addSpecialTokens ? this.#around : [[], []];
    const ids: number[] = [...before];
    this.#each(text, this.#raw, ids, (part) => {
      this.#each(this.#normalize(part), this.#normalized, ids, (words) => {
        for (const word of this.#cut([words])) if (word) this.#encode(word, ids);
      });
    });
    for (const id of after) ids.push(id);
    return Int32Array.from(ids);
  }

  /** Appends the ids of added tokens, and calls `take` with what stands between them. */
  #each(text: string, tokens: RegExp | null, ids: number[], take: (part: string) => void): void {
    let at = 0;
    for (const match of tokens ? text.matchAll(tokens) : []) {
      const token = this.#added.get(match[0]) ?? this.#added.get(match[0].trim());
      if (!token) continue;
      if (match.index > at) take(text.slice(at, match.index));
      ids.push(token.id);
      at = match.index + match[0].length;
    }
    if (at < text.length) take(text.slice(at));
  }

  /**
   * The text of ids.
   * @throws ArgumentError for an id that the vocabulary lacks
   */
  decode(ids: ArrayLike<number>, options?: DecodeOptions): string;
  decode(ids: ArrayLike<number>, skipSpecialTokens?: unknown): string {
    if (!Array.isArray(ids) && !ArrayBuffer.isView(ids))
      throw new ArgumentError(`decode: expected a list of ids, got ${describe(ids)}; of a tensor give its data`);
    const pieces: string[] = [];
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i] as number;
      const piece = this.#pieces[id];
      if (piece === undefined)
        throw new ArgumentError(
          `decode: expected ids below ${this.size}, got ${describe(id)}; is it of another tokenizer?`,
        );
      if (!(skipSpecialTokens && this.#special.has(id))) pieces.push(piece);
    }
    return this.#join(pieces);
  }

  static {
    methods(
      ...([Tokenizer, 'Tokenizer', 'idOf(token: string)', 'tokenOf(id: int)'] as const),
      'encode(text: string, addSpecialTokens: bool = true)',
      'decode(ids: any, skipSpecialTokens: bool = true)',
    );
  }
}
