// What a tokenizer.json does to a text before its model sees words: normalizers and pre-tokenizers, by their names.
import { record } from '../../lookup.ts';
import { FormatError } from '../../memory/errors.ts';

/** A step of a tokenizer.json: its type, and what that takes. */
export interface Step {
  readonly type: string;
  readonly [option: string]: unknown;
}

export type Normalize = (text: string) => string;
export type PreTokenize = (words: readonly string[]) => string[];

/** What `table` has for a step. @throws FormatError where that is nothing */
export function made<T>(table: Record<string, (step: Step) => T>, what: string, step: Step): T {
  const make = table[step.type];
  if (!make)
    throw new FormatError(`tokenizer: expected a ${what} of ${Object.keys(table).join(', ')}, got ${step.type}`);
  return make(step);
}

/** A pattern of the engine that the file was made for, as one of JavaScript's. @throws FormatError for no such one */
function regexOf(pattern: string): RegExp {
  const source = pattern
    // Without a way back, which changes no match of the patterns in use.
    .replace(/([*+?]|\{\d+(?:,\d*)?\})\+/g, '$1')
    .replace(
      /\(\?i:([^()]*)\)/g,
      (_, inner: string) => `(?:${inner.replace(/\p{L}/gu, (x) => `[${x.toLowerCase()}${x.toUpperCase()}]`)})`,
    )
    .replace(/\\d/g, '\\p{Nd}')
    .replace(/\\([^\w^$\\.*+?()[\]{}|/-])/g, '$1');
  try {
    return new RegExp(source, 'gu');
  } catch (cause) {
    throw new FormatError(`tokenizer: expected a pattern that JavaScript knows, got ${pattern}`, { cause });
  }
}

export const quoted = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');

/** The `pattern` of a step: text to be found as it is, or a regular expression. */
function patternOf({ pattern }: Step): RegExp {
  const { String: text, Regex: regex } = pattern as Record<string, string | undefined>;
  return regex === undefined ? new RegExp(quoted(text ?? ''), 'gu') : regexOf(regex);
}

/** Cuts a text where `pattern` fits; what becomes of the cuts says `behavior`. */
function split(text: string, pattern: RegExp, behavior: string, invert: boolean): string[] {
  const parts: [text: string, cut: boolean][] = [];
  let at = 0;
  for (const match of text.matchAll(pattern)) {
    if (match.index > at) parts.push([text.slice(at, match.index), invert]);
    if (match[0]) parts.push([match[0], !invert]);
    at = match.index + match[0].length;
  }
  if (at < text.length) parts.push([text.slice(at), invert]);
  if (behavior === 'Removed') return parts.filter(([, cut]) => !cut).map(([part]) => part);
  const joins = (i: number): boolean => {
    const [here, before] = [parts[i]?.[1], parts[i - 1]?.[1]];
    if (behavior === 'MergedWithPrevious') return !!here && before === false;
    if (behavior === 'MergedWithNext') return !!before && here === false;
    return behavior === 'Contiguous' && !!here && !!before;
  };
  const pieces: string[] = [];
  parts.forEach(([part], i) => {
    if (joins(i)) pieces.push(pieces.pop() + part);
    else pieces.push(part);
  });
  return pieces;
}

/** A character for each byte, those of GPT-2: what prints stands for itself, others for characters from 256 on. */
const BYTES: string[] = [];
for (let byte = 0, next = 256; byte < 256; byte++) {
  const prints = (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
  BYTES.push(String.fromCharCode(prints ? byte : next++));
}
const OF_CHARACTER = new Map(BYTES.map((character, byte) => [character, byte]));

const toBytes = (word: string): string => {
  let text = '';
  for (const byte of new TextEncoder().encode(word)) text += BYTES[byte];
  return text;
};

/** The bytes that characters of {@link BYTES} stand for; of others their own. */
export function bytesOfPiece(piece: string): number[] {
  return Array.from(piece).flatMap((x) => OF_CHARACTER.get(x) ?? Array.from(new TextEncoder().encode(x)));
}

const GPT2 = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;
/** What \w is in the language of the package `tokenizers`. */
const LETTERS = '\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\u200c\u200d';
const PUNCTUATION = /[\p{P}!-/:-@[-`{-~]/gu;

const cutting =
  (pattern: RegExp, behavior: string, invert = false): PreTokenize =>
  (words) =>
    words.flatMap((word) => split(word, pattern, behavior, invert));

const PRE_TOKENIZERS: Record<string, (step: Step) => PreTokenize> = record<(step: Step) => PreTokenize>([
  [
    'Sequence',
    ({ pretokenizers }) => {
      const all = (pretokenizers as Step[]).map(preTokenizerOf);
      return (words) => all.reduce<string[]>((pieces, each) => each(pieces), [...words]);
    },
  ],
  [
    'ByteLevel',
    ({ add_prefix_space: spaced, use_regex: cuts = true }) => {
      const cut = cutting(GPT2, 'Isolated');
      const space = (word: string): string => (spaced && word && !/^\s/.test(word) ? ` ${word}` : word);
      return (words) => (cuts ? cut(words.map(space)) : words.map(space)).map(toBytes);
    },
  ],
  ['Split', (step) => cutting(patternOf(step), String(step.behavior), step.invert === true)],
  ['Whitespace', () => cutting(new RegExp(`[${LETTERS}]+|[^${LETTERS}\\s]+`, 'gu'), 'Removed', true)],
  ['WhitespaceSplit', () => cutting(/\s/gu, 'Removed')],
  [
    'BertPreTokenizer',
    () => {
      const [space, punctuation] = [cutting(/\s/gu, 'Removed'), cutting(PUNCTUATION, 'Isolated')];
      return (words) => punctuation(space(words));
    },
  ],
  ['Punctuation', ({ behavior = 'Isolated' }) => cutting(PUNCTUATION, String(behavior))],
  ['Digits', ({ individual_digits: each }) => cutting(/\p{N}/gu, each ? 'Isolated' : 'Contiguous')],
]);

export const preTokenizerOf = (step: Step): PreTokenize => made(PRE_TOKENIZERS, 'pre-tokenizer', step);

const stripped = (text: string): string => text.normalize('NFD').replace(/\p{Mn}/gu, '');

/** BERT's: control characters go, spaces are plain, Chinese characters words of their own. */
const bert = (step: Step): Normalize => {
  const { clean_text: clean = true, handle_chinese_chars: chinese = true, lowercase: lower = true } = step;
  const strip = step.strip_accents ?? lower;
  return (text) => {
    let out = text;
    if (clean) out = out.replace(/(?![\t\n\r])[\0\ufffd\p{C}]/gu, '').replace(/\s/gu, ' ');
    if (chinese)
      out = out.replace(
        /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu,
        ' $& ',
      );
    if (strip) out = stripped(out);
    return lower ? out.toLowerCase() : out;
  };
};

const form = (name: string) => (): Normalize => (text) => text.normalize(name);

const NORMALIZERS: Record<string, (step: Step) => Normalize> = record<(step: Step) => Normalize>([
  [
    'Sequence',
    ({ normalizers }) => {
      const all = (normalizers as Step[]).map(normalizerOf);
      return (text) => all.reduce((out, each) => each(out), text);
    },
  ],
  ...['NFC', 'NFD', 'NFKC', 'NFKD'].map((name) => [name, form(name)] as const),
  ['Lowercase', () => (text) => text.toLowerCase()],
  ['StripAccents', () => (text) => text.replace(/\p{Mn}/gu, '')],
  [
    'Strip',
    ({ strip_left: left, strip_right: right }) =>
      (text) =>
        (left ? text.trimStart() : text)[right ? 'trimEnd' : 'toString'](),
  ],
  ['Replace', (step) => (text) => text.replace(patternOf(step), () => String(step.content))],
  [
    'Prepend',
    ({ prepend }) =>
      (text) =>
        text ? `${prepend}${text}` : text,
  ],
  ['BertNormalizer', bert],
]);

export const normalizerOf = (step: Step): Normalize => made(NORMALIZERS, 'normalizer', step);
