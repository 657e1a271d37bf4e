// A strict JSON reader for headers from strangers. JSON.parse keeps the last of two equal keys, rounds long integers
// and nests without limit; here the caller drives the grammar, so that only what a format defines can be in the text.

/** Walks a JSON text as the caller expects it. Every deviation goes through `error`, with its place. */
export class JsonCursor {
  readonly #text: string;
  readonly #error: (what: string, at: number) => Error;
  #at = 0;

  constructor(text: string, error: (what: string, at: number) => Error) {
    this.#text = text;
    this.#error = error;
  }

  /** Where the cursor stands, in UTF-16 units from the start. */
  get at(): number {
    return this.#at;
  }

  /** Throws the caller's error for the place where the cursor stands, or for `at`. */
  fail(what: string, at = this.#at): never {
    throw this.#error(what, at);
  }

  /** Reads an object; `member` must consume the value of each key. Duplicate keys and `__proto__` are refused. */
  object(member: (key: string) => void): void {
    const seen = new Set<string>();
    this.#list('{', '}', () => {
      const at = this.#skip();
      const key = this.string();
      if (key === '__proto__') this.fail('expected no key named __proto__', at);
      if (seen.has(key)) this.fail(`expected each key once, got ${JSON.stringify(key)} again`, at);
      seen.add(key);
      this.#expect(':');
      member(key);
    });
  }

  /** Reads an array of non-negative safe integers of at most `limit` elements. */
  integers(limit: number): number[] {
    const values: number[] = [];
    this.#list('[', ']', () => {
      if (values.length === limit) this.fail(`expected at most ${limit} numbers in this array`);
      values.push(this.#integer());
    });
    return values;
  }

  /** Reads a string. Escapes of lone surrogates are refused, for they are no text. */
  string(): string {
    const start = this.#skip();
    if (this.#text[start] !== '"') this.fail('expected a string');
    let escaped = false;
    let end = start + 1;
    for (; ; end++) {
      const code = this.#text.charCodeAt(end); // NaN behind the end of the text
      if (code === 0x22) break;
      if (code === 0x5c) {
        escaped = true;
        end++;
      } else if (!(code >= 0x20)) {
        this.fail('expected a string that ends, without raw control characters', start);
      }
    }
    this.#at = end + 1;
    if (!escaped) return this.#text.slice(start + 1, end);
    let value: string;
    try {
      value = JSON.parse(this.#text.slice(start, end + 1));
    } catch {
      return this.fail('expected only the escapes of JSON in this string', start);
    }
    if (/\p{Surrogate}/u.test(value)) this.fail('expected surrogate escapes in pairs in this string', start);
    return value;
  }

  /** Holds that only white space is left. */
  end(): void {
    if (this.#skip() !== this.#text.length) this.fail('expected nothing behind the end of the object');
  }

  #integer(): number {
    const start = this.#skip();
    let end = start;
    while (isDigit(this.#text.charCodeAt(end))) end++;
    const digits = this.#text.slice(start, Math.min(end, start + 17));
    const next = this.#text[end];
    const whole =
      digits !== '' && !(digits[0] === '0' && digits.length > 1) && next !== '.' && next !== 'e' && next !== 'E';
    // Safe integers have at most 16 digits; the slice bounds what Number must read.
    const value = Number(digits);
    if (!whole || !Number.isSafeInteger(value)) this.fail('expected a whole number from 0 to 2^53 - 1');
    this.#at = end;
    return value;
  }

  /** Reads `open item, item … close`. */
  #list(open: string, close: string, item: () => void): void {
    this.#expect(open);
    if (this.#text[this.#skip()] === close) {
      this.#at++;
      return;
    }
    for (;;) {
      item();
      const mark = this.#text[this.#skip()];
      if (mark !== ',' && mark !== close) this.fail(`expected ',' or '${close}'`);
      this.#at++;
      if (mark === close) return;
    }
  }

  #expect(mark: string): void {
    if (this.#text[this.#skip()] !== mark) this.fail(`expected '${mark}'`);
    this.#at++;
  }

  #skip(): number {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return this.#at;
      this.#at++;
    }
  }
}

const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39;
