// Lines that are not what a format says: counted, kept with their numbers, or thrown.
import { FormatError } from '../../memory/errors.ts';
import { type LineReport, nothingYet } from '../sources/report.ts';

/** Lines that a report keeps. */
const KEPT = 100;

export class WrongLines {
  readonly #op: string;
  readonly #name: string;
  readonly #throws: boolean;
  readonly report: LineReport;

  constructor(op: string, name: string, onError: string, report: LineReport = nothingYet()) {
    this.#op = op;
    this.#name = name;
    this.#throws = onError === 'throw';
    this.report = { ...report, lines: [...report.lines] };
  }

  /** What it has so far. */
  copy(): LineReport {
    return { ...this.report, lines: this.report.lines.map((line) => ({ ...line })) };
  }

  /** @throws FormatError where wrong lines are not to be left out */
  add(line: number, column: string | null, reason: string): void {
    if (this.#throws)
      throw new FormatError(
        `${this.#op}: ${reason}${column === null ? '' : ` as ${column}`}, in line ${line} of ${this.#name}; ` +
          "mend the file, or leave such lines out by onError: 'report'",
      );
    this.report.wrong++;
    if (this.report.lines.length < KEPT) this.report.lines.push({ line, column, reason });
  }
}
