// Tokenizers: the ids and texts of Hugging Face's own package, for small ones of all kinds.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as data from '../../../bindings/data/index.ts';
import { ArgumentError, FormatError } from '../../../bindings/memory/errors.ts';

type Case = readonly [text: string, ids: number[], bare: number[], decoded: string, whole: string];
interface Golden {
  readonly name: string;
  readonly tokenizer: { readonly model: object };
  readonly cases: readonly Case[];
}
const goldens: Golden[] = JSON.parse(readFileSync(new URL('../../golden/tokenizers.json', import.meta.url), 'utf8'));
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

describe.each(goldens)('a tokenizer as of $name', ({ tokenizer: json, cases }) => {
  const tokenizer = new data.Tokenizer(json);

  it.each(cases)('encodes and decodes %j', (text, ids, bare, decoded, whole) => {
    expect([...tokenizer.encode(text)]).toEqual(ids);
    expect([...tokenizer.encode(text, { addSpecialTokens: false })]).toEqual(bare);
    expect(tokenizer.decode(ids)).toBe(decoded);
    expect(tokenizer.decode(Int32Array.from(ids), { skipSpecialTokens: false })).toBe(whole);
  });

  it('knows its pieces', () => {
    for (let id = 0; id < tokenizer.size; id++) {
      const piece = tokenizer.tokenOf(id);
      if (piece !== undefined) expect(tokenizer.idOf(piece)).toBe(id);
    }
    expect(tokenizer.tokenOf(tokenizer.size)).toBe(undefined);
    expect(tokenizer.idOf('no such piece')).toBe(undefined);
  });
});

describe('tokens of a file', () => {
  const words = 'The quick brown fox jumps over the lazy dog, and the words were there:\nthey sell shells. ';
  const text = words.repeat(3000);

  it.each(['GPT-2', 'Llama 3', 'BERT'])(
    'are those of its text at once, wherever it is cut, and go on: %s',
    async (name) => {
      const tokenizer = new data.Tokenizer(goldens.find((golden) => golden.name === name)?.tokenizer as object);
      const all = tokenizer.encode(text, { addSpecialTokens: false });
      const pipeline = data.tokens(encode(text), tokenizer);
      const reader = await pipeline.source.open(0);
      const ids: number[] = [];
      let states = 0;
      for (let chunk = await reader.next(1); chunk; chunk = await reader.next(1)) {
        for (let i = 0; i < chunk.length; i++) ids.push(chunk.at(i));
        const other = await pipeline.source.open(0, JSON.parse(JSON.stringify(reader.state())));
        expect((await other.next(1))?.at(0)).toBe(all[ids.length]);
        await other.close();
        states++;
      }
      expect(states).toBeGreaterThan(3);
      expect(ids).toEqual([...all]);
    },
  );
});

describe('characters of a file', () => {
  it.each([
    ['ASCII', 'ab c\n'],
    ['others', 'aé€🙂'],
    ['marks in front', '\ufeffab'],
  ])('of %s', async (_, text) => {
    const long = text.repeat(40_000);
    const codes = Array.from(long.replace(/^\ufeff/, ''), (x) => x.codePointAt(0));
    expect(await data.characters(encode(long)).toArray()).toEqual(codes);
  });

  it('go on with the very next one', async () => {
    const pipeline = data.characters(encode('aé€🙂'.repeat(40_000)));
    const all = await pipeline.toArray();
    let n = 0;
    for await (const _ of pipeline) if (++n === 70_001) break;
    const other = data.characters(encode('aé€🙂'.repeat(40_000)));
    other.loadState(JSON.parse(JSON.stringify(pipeline.state())));
    expect(await other.toArray()).toEqual(all.slice(n));
  });

  it('refuse what is no UTF-8', async () => {
    const call = data.characters(new File([Uint8Array.of(97, 255, 98)], 'a.txt')).toArray();
    await expect(call).rejects.toThrow(FormatError);
    await expect(call).rejects.toThrow(/^characters: expected UTF-8 in a.txt, got other bytes between 0 and 3/);
  });
});

describe('a long word', () => {
  it('takes no more than its length in time', () => {
    const tokenizer = new data.Tokenizer(goldens[0]?.tokenizer as object);
    const long = 'the'.repeat(100_000);
    const start = process.cpuUsage().user;
    expect(tokenizer.decode(tokenizer.encode(long))).toBe(long);
    expect((process.cpuUsage().user - start) / 1e6).toBeLessThan(10);
  });
});

describe('what a Tokenizer refuses', () => {
  const model = { type: 'BPE', vocab: { a: 0 }, merges: [] };
  it.each<[name: string, json: object, message: RegExp]>([
    ['no model', {}, /expected a model with a vocabulary/],
    [
      'parts that are damaged',
      { model, post_processor: { type: 'TemplateProcessing', single: 3, special_tokens: {} } },
      /expected a tokenizer.json whose parts fit, got .*; the file is damaged/,
    ],
    ['a list as vocabulary', { model: { type: 'Unigram', vocab: [['a', 0]] } }, /got a list of a Unigram model/],
    ['another model', { model: { type: 'Other', vocab: {} } }, /expected a model BPE, WordPiece, WordLevel, got Other/],
    ['merges that are not there', { model: { ...model, merges: ['a b'] } }, /got "a b" as merge 0/],
    [
      'another pre-tokenizer',
      { model, pre_tokenizer: { type: 'UnicodeScripts' } },
      /expected a pre-tokenizer of .*, got UnicodeScripts/,
    ],
    [
      'another normalizer',
      { model, normalizer: { type: 'Precompiled' } },
      /expected a normalizer of .*, got Precompiled/,
    ],
    ['another decoder', { model, decoder: { type: 'CTC' } }, /expected a decoder of .*, got CTC/],
    [
      'another post-processor',
      { model, post_processor: { type: 'Other' } },
      /expected a post-processor of .*, got Other/,
    ],
    [
      'a pattern that is none',
      { model, pre_tokenizer: { type: 'Split', pattern: { Regex: '(' }, behavior: 'Isolated' } },
      /expected a pattern that JavaScript knows, got \(/,
    ],
  ])('%s', (_, json, message) => {
    expect(() => new data.Tokenizer(json)).toThrow(FormatError);
    expect(() => new data.Tokenizer(json)).toThrow(message);
  });

  it('ids that are not there', () => {
    expect(() => new data.Tokenizer({ model }).decode([1])).toThrow(ArgumentError);
    expect(() => new data.Tokenizer({ model }).decode(null as never)).toThrow(
      /^decode: expected a list of ids, got null/,
    );
    expect(() => new data.Tokenizer({ model }).decode([1])).toThrow(/^decode: expected ids below 1, got 1/);
  });
});
