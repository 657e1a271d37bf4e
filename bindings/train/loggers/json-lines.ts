// Figures as lines of JSON.
import { ArgumentError, describe, FormatError } from '../../memory/errors.ts';
import { signature } from '../../signature.ts';
import { Lines, type WriteLine } from './lines.ts';
import type { Hyperparameters, Logger } from './logger.ts';

const declared = signature('JsonLinesLogger(path: string|function)');
const takes = {
  open: signature('JsonLinesLogger.open(step: int = 0)'),
  append: signature('JsonLinesLogger.append(record: object)'),
  logScalars: signature('JsonLinesLogger.logScalars(step: int, record: object)'),
  logHyperparameters: signature('JsonLinesLogger.logHyperparameters(record: object)'),
  close: signature('JsonLinesLogger.close()'),
};

/** A record as a line. @throws ArgumentError where JSON cannot keep it */
function written(record: object): string {
  try {
    return JSON.stringify(record);
  } catch (cause) {
    throw new ArgumentError(`append: expected a record that JSON can keep, got one that it cannot: ${cause}`, {
      cause,
    });
  }
}

/** A line, read; null is NaN. @throws FormatError for one that is no record with a step */
function parsed(line: string, number: number): Record<string, unknown> {
  try {
    const record = JSON.parse(line, (_, field) => (field === null ? Number.NaN : field));
    if (Number.isSafeInteger(record.step)) return record;
  } catch {}
  throw new FormatError(`open: expected an object with a step in line ${number + 1}, got ${describe(line)}`);
}

/**
 * Writes a line of JSON for each record, `{"step":50,"loss":0.3}`, to a file such as `metrics.jsonl`, at once. NaN and
 * ±Infinity are null, as JSON has it. Where a run goes on, records of steps that will be made again are dropped, and a
 * last line that a crash has torn.
 */
export class JsonLinesLogger implements Logger {
  readonly #lines: Lines;
  #records: Record<string, unknown>[] = [];

  /** @param path a file; or, where there are none, what takes a line */
  constructor(...args: [path: string | WriteLine]) {
    const [path] = declared.parse(args) as [string | WriteLine];
    this.#lines = new Lines('JsonLinesLogger', path);
  }

  /** All records of the run: those from before that were kept, and those appended. */
  get records(): readonly Readonly<Record<string, unknown>>[] {
    return this.#records;
  }

  /** @throws FormatError for a line that is no record; BackendError for a path outside Node; the system's error */
  async open(...args: [step?: number]): Promise<void> {
    const [step] = takes.open.parse(args) as [number];
    const records: Record<string, unknown>[] = [];
    const keep = (line: string, number: number): boolean => {
      const record = parsed(line, number);
      const keeps = (record.step as number) <= step;
      if (keeps) records.push(record);
      return keeps;
    };
    await this.#lines.open(step > 0 ? keep : null);
    this.#records = records;
  }

  /** Appends a record of your own. */
  append(...args: [record: Readonly<Record<string, unknown>>]): void {
    const [record] = takes.append.parse(args) as [Record<string, unknown>];
    const line = written(record);
    this.#records.push(record);
    this.#lines.write(line);
  }

  logScalars(...args: [step: number, record: Readonly<Record<string, number>>]): void {
    const [step, record] = takes.logScalars.parse(args) as [number, Record<string, number>];
    this.append({ step, ...record });
  }

  logHyperparameters(...args: [record: Readonly<Hyperparameters>]): void {
    const [hyperparameters] = takes.logHyperparameters.parse(args);
    this.append({ step: 0, hyperparameters });
  }

  close(...args: []): void {
    takes.close.parse(args);
    this.#lines.close();
  }
}
