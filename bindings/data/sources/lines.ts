// Files of lines as pipelines: of texts, or of JSON.
import { callable } from '../../signature.ts';
import { type Chunk, List } from '../pipeline/chunk.ts';
import { Pipeline } from '../pipeline/pipeline.ts';
import type { Reader, Source, State } from '../pipeline/source.ts';
import { Blocks } from './blocks.ts';
import { type ByteSource, openBytes, sourceKind } from './bytes.ts';
import { BlockText, encodingOf } from './texts.ts';
import { type LineReport, WrongLines } from './wrong.ts';

/** Options of {@link lines}. */
export interface LinesOptions {
  /** Whether wrong lines are left out and counted in the report, or throw a FormatError. @defaultValue 'report' */
  onError?: 'report' | 'throw';
  /** The most bytes of a line. @defaultValue 4194304 */
  maxRecord?: number;
  /** How text is written, as TextDecoder names it; one in which a line feed is a byte. @defaultValue 'utf-8' */
  encoding?: string;
}

/** Records out of lines: what {@link lines} and {@link jsonLines} give. */
export interface LinesPipeline<T> extends Pipeline<T> {
  /** What the pass that was begun last has read and left out. */
  report(): LineReport;
}

/** Makes records of lines. */
export interface Collector<T> {
  /** Takes the record of a line. @returns what is wrong with it, and in which column; null if nothing */
  add(line: string): readonly [column: string | null, reason: string] | null;
  /** The records that were taken since. */
  take(): Chunk<T>;
}

/** Lines of a chunk, and bytes that it is read from at most. */
const LINES = 1 << 12;
const BYTES = 1 << 19;

interface Place {
  readonly offset: number;
  readonly line: number;
  readonly report: LineReport;
}

export interface LineSettings {
  readonly onError: string;
  readonly maxRecord: number;
  readonly encoding: string;
  /** Whether lines without anything are left out. */
  readonly skipsEmpty: boolean;
}

class LineReader<T> implements Reader<T> {
  #at: number;
  #line: number;
  /** Whether what follows up to the end of the line is left out. */
  #skips = false;
  readonly #text: BlockText;

  constructor(
    readonly blocks: Blocks,
    readonly settings: LineSettings,
    readonly wrong: WrongLines,
    readonly collector: Collector<T>,
    at: number,
    line: number,
  ) {
    this.#at = at;
    this.#line = line;
    this.#text = new BlockText(blocks, settings.encoding);
  }

  async next(): Promise<Chunk<T> | null> {
    const { blocks } = this;
    const { maxRecord } = this.settings;
    const stop = blocks.offset + this.#at + BYTES;
    let count = 0;
    while (count < LINES && (count === 0 || blocks.offset + this.#at < stop)) {
      const end = blocks.buffer.indexOf(10, this.#at);
      if (end >= blocks.end && !blocks.final) {
        if (blocks.end - this.#at > maxRecord + 1) {
          if (!this.#skips) this.#tooLong();
          this.#skips = true;
          this.#at = blocks.end;
        }
        await blocks.more(this.#at);
        this.#text.reset();
        this.#at = 0;
        continue;
      }
      if (this.#at >= blocks.end) break;
      if (!this.#skips) count += this.#take(this.#at, end > this.#at && blocks.buffer[end - 1] === 13 ? end - 1 : end);
      this.#skips = false;
      this.#line++;
      this.#at = Math.min(blocks.end, end + 1);
    }
    this.wrong.report.records += count;
    return count > 0 ? this.collector.take() : null;
  }

  #tooLong(): void {
    this.wrong.add(this.#line, null, `expected lines of at most ${this.settings.maxRecord} bytes, got more`);
  }

  /** Takes the line in the bytes from … to − 1. @returns how many records that is */
  #take(from: number, to: number): number {
    const { encoding, maxRecord, skipsEmpty } = this.settings;
    if (to - from > maxRecord) {
      this.#tooLong();
      return 0;
    }
    const text = this.#text.sliced(from, to);
    if (skipsEmpty && text?.trim() === '') return 0;
    const fault =
      text === null ? ([null, `expected text in ${encoding}, got other bytes`] as const) : this.collector.add(text);
    if (fault) this.wrong.add(this.#line, ...fault);
    return fault ? 0 : 1;
  }

  state(): Place {
    const { records, wrong, lines } = this.wrong.report;
    return { offset: this.blocks.offset + this.#at, line: this.#line, report: { records, wrong, lines: [...lines] } };
  }

  close(): Promise<void> {
    return this.blocks.close();
  }
}

class LinesSource<T> implements Source<T> {
  readonly inputs = [];
  #wrong = new WrongLines('', '', '');

  constructor(
    readonly name: string,
    readonly from: ByteSource,
    readonly settings: LineSettings,
    readonly collector: () => Collector<T>,
  ) {}

  get report(): LineReport {
    return this.#wrong.copy();
  }

  async open(_epoch: number, state?: State): Promise<Reader<T>> {
    const place = state as Place | undefined;
    const input = await openBytes(this.name, this.from);
    const blocks = new Blocks(input, place?.offset);
    this.#wrong = new WrongLines(this.name, input.name, this.settings.onError, place?.report);
    await blocks.more(0);
    const from = place ? 0 : blocks.textBegin(this.name, input.name);
    return new LineReader(blocks, this.settings, this.#wrong, this.collector(), from, place?.line ?? 1);
  }
}

/** A pipeline of what `collector` makes of the lines of `source`. */
export function linesOf<T>(
  name: string,
  source: ByteSource,
  settings: LineSettings,
  collector: () => Collector<T>,
): LinesPipeline<T> {
  const own = new LinesSource(name, source, { ...settings, encoding: encodingOf(name, settings.encoding) }, collector);
  return Object.assign(new Pipeline<T>(own), { report: () => own.report });
}

class Texts implements Collector<string> {
  #texts: string[] = [];

  add(line: string): null {
    this.#texts.push(line);
    return null;
  }

  take(): List<string> {
    const texts = this.#texts;
    this.#texts = [];
    return new List<string>(texts);
  }
}

/**
 * The lines of a text, without their ends (LF or CRLF).
 *
 * @param source the path of a file, a URL, a Blob, bytes, a stream; packed by gzip or Zstandard or not
 * @throws FormatError for UTF-16, damage, and for wrong lines where onError is 'throw'; the system's error where it
 * cannot be read
 * @example
 * ```ts
 * for await (const line of data.lines(new TextEncoder().encode('one\ntwo\n'))) console.log(line); // 'one', 'two'
 * ```
 */
export const lines = callable<(source: ByteSource, options?: LinesOptions) => LinesPipeline<string>>(
  "lines(source: source, *, onError: 'report'|'throw' = 'report', maxRecord: int = 4194304, encoding: string = 'utf-8')",
  (source: ByteSource, onError: string, maxRecord: number, encoding: string) =>
    linesOf('lines', source, { onError, maxRecord, encoding, skipsEmpty: false }, () => new Texts()),
  sourceKind,
);
