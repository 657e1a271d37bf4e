// Texts of any size as pipelines of numbers: characters, or the pieces of a tokenizer. What reads them,
// readers/text.ts, comes with the first pass.
import { callable } from '../../signature.ts';
import { Later, laterSource } from '../pipeline/later.ts';
import { Pipeline } from '../pipeline/pipeline.ts';
import { type ByteSource, sourceKind } from './byte-source.ts';
import { Tokenizer } from './tokenizer.ts';

/** The numbers of a text, as a tokenizer has them; null: its characters. */
function textOf(name: string, source: ByteSource, tokenizer: Tokenizer | null): Pipeline<number> {
  const own = new Later(
    () => import('../readers/text.ts'),
    (readers) => readers.textOf(name, source, tokenizer),
  );
  return new Pipeline(laterSource<number>(name, own));
}

/**
 * The characters of a text as their numbers in Unicode, which are those of ASCII up to 127.
 *
 * @param source the path of a file, a URL, a Blob, bytes, a stream; packed by gzip or Zstandard or not
 * @throws FormatError for what is no UTF-8, and damage; the system's error where it cannot be read
 * @example
 * ```ts
 * console.log(await data.characters(new TextEncoder().encode('aé🙂')).toArray()); // [97, 233, 128578]
 * ```
 */
export const characters = callable<(source: ByteSource) => Pipeline<number>>(
  'characters(source: source)',
  (source: ByteSource) => textOf('characters', source, null),
  sourceKind,
);

/**
 * The ids of a text by a tokenizer, without special tokens around them. A large text is cut between words, where the
 * tokenizers of English text cut as well.
 *
 * @param source the path of a file, a URL, a Blob, bytes, a stream; packed by gzip or Zstandard or not
 * @param tokenizer what makes ids of text
 * @throws FormatError for what is no UTF-8, and damage; the system's error where it cannot be read
 * @example
 * ```ts
 * const tokenizer = new data.Tokenizer({ model: { type: 'BPE', vocab: { a: 0, b: 1, ab: 2 }, merges: ['a b'] } });
 * const ids = data.tokens(new TextEncoder().encode('abba'), tokenizer);
 * console.log(await ids.toArray()); // [2, 1, 0]
 * ```
 */
export const tokens = callable<(source: ByteSource, tokenizer: Tokenizer) => Pipeline<number>>(
  'tokens(source: source, tokenizer: tokenizer)',
  (source: ByteSource, tokenizer: Tokenizer) => textOf('tokens', source, tokenizer),
  { ...sourceKind, tokenizer: [(x) => x instanceof Tokenizer, 'a Tokenizer'] },
);
