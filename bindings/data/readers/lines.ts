// Reads files of lines.
import { List } from '../passes/chunk.ts';
import type { Chunk, Reader, Source, State } from '../pipeline/source.ts';
import type { ByteSource } from '../sources/byte-source.ts';
import type { LineReport } from '../sources/report.ts';
import type { CsvType } from '../sources/types.ts';
import { Blocks } from './blocks.ts';
import { type Collector, Columns, Values } from './json-lines.ts';
import { BlockText } from './texts.ts';
import { openText } from './wide-text.ts';
import { WrongLines } from './wrong.ts';

/** Lines of a chunk, and bytes that it is read from at most. */
const LINES = 1 << 12;
const BYTES = 1 << 19;

interface Place {
  readonly offset: number;
  readonly line: number;
  readonly report: LineReport;
}

/** What the options say. */
export interface LineSettings {
  readonly onError: string;
  readonly maxRecord: number;
  readonly encoding: string;
  /** Whether lines are JSON; else they are texts. */
  readonly json: boolean;
  /** The columns of objects, and their types; null: values are as they are. */
  readonly types: Readonly<Record<string, CsvType>> | null;
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
    const { encoding, maxRecord, json } = this.settings;
    if (to - from > maxRecord) {
      this.#tooLong();
      return 0;
    }
    const text = this.#text.sliced(from, to);
    if (json && text?.trim() === '') return 0;
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

/** A file of lines. */
export class LinesSource<T> implements Source<T> {
  readonly inputs = [];
  #wrong = new WrongLines('', '', '');

  constructor(
    readonly name: string,
    readonly from: ByteSource,
    readonly settings: LineSettings,
  ) {}

  get report(): LineReport {
    return this.#wrong.copy();
  }

  async open(_epoch: number, state?: State): Promise<Reader<T>> {
    const place = state as Place | undefined;
    const input = await openText(this.name, this.from, this.settings.encoding);
    const blocks = new Blocks(input, place?.offset);
    this.#wrong = new WrongLines(this.name, input.name, this.settings.onError, place?.report);
    await blocks.more(0);
    const from = place ? 0 : blocks.textBegin();
    const { json, types } = this.settings;
    const collector = (json ? (types ? new Columns(types) : new Values()) : new Texts()) as Collector<unknown>;
    return new LineReader(blocks, this.settings, this.#wrong, collector as Collector<T>, from, place?.line ?? 1);
  }
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
