// Figures as a table.
import { ArgumentError, describe } from '../../memory/errors.ts';
import { signature } from '../../signature.ts';
import { Lines, type WriteLine } from './lines.ts';
import type { Hyperparameters, Logger } from './logger.ts';

const declared = signature('CSVLogger(path: string|function)');
const takes = {
  open: signature('CSVLogger.open(step: int = 0)'),
  logScalars: signature('CSVLogger.logScalars(step: int, record: object)'),
  logHyperparameters: signature('CSVLogger.logHyperparameters(record: object)'),
  close: signature('CSVLogger.close()'),
};

/** A field, in quotes where it has to be. */
const quoted = (field: string): string => (/[",\n\r]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field);

/** The fields of a line, of which none goes over several. */
const fieldsOf = (line: string): string[] =>
  [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, inside, plain]) =>
    inside === undefined ? (plain as string) : inside.replaceAll('""', '"'),
  );

/**
 * Writes figures as a table of commas: a row a record, a column a figure, the step first. Figures that come later are
 * columns to the right; what a row lacks is empty. Settings go to no table.
 */
export class CSVLogger implements Logger {
  readonly #lines: Lines;
  #columns: string[] = ['step'];
  #rows: string[] = [];

  /** @param path a file; or, where there are none, what takes a line */
  constructor(...args: [path: string | WriteLine]) {
    const [path] = declared.parse(args) as [string | WriteLine];
    this.#lines = new Lines('CSVLogger', path);
  }

  /** @throws BackendError for a path outside Node; the system's error */
  async open(...args: [step?: number]): Promise<void> {
    const [step] = takes.open.parse(args) as [number];
    const goesOn = (line: string): boolean => !(Number.parseFloat(line) > step);
    const [header, ...rows] = await this.#lines.open(step > 0 ? goesOn : null);
    this.#columns = header ? fieldsOf(header) : ['step'];
    this.#rows = rows;
  }

  logScalars(...args: [step: number, record: Readonly<Record<string, number>>]): void {
    const [step, record] = takes.logScalars.parse(args) as [number, Record<string, number>];
    for (const [name, x] of Object.entries(record))
      if (typeof x !== 'number')
        throw new ArgumentError(`logScalars: expected a number as ${name}, got ${describe(x)}`);
    const fresh = Object.keys(record).filter((name) => !this.#columns.includes(name));
    const columns = [...this.#columns, ...fresh];
    const all: Record<string, number> = { ...record, step };
    const row = columns.map((name) => (all[name] === undefined ? '' : String(all[name]))).join(',');
    const first = this.#rows.length === 0;
    if (fresh.length > 0 || first) {
      this.#columns = columns;
      this.#rows = this.#rows.map((each) => each + ','.repeat(fresh.length));
      this.#rows.push(row);
      this.#lines.rewrite([columns.map(quoted).join(','), ...this.#rows]);
      return;
    }
    this.#rows.push(row);
    this.#lines.write(row);
  }

  logHyperparameters(...args: [record: Readonly<Hyperparameters>]): void {
    takes.logHyperparameters.parse(args);
  }

  close(...args: []): void {
    takes.close.parse(args);
    this.#lines.close();
  }
}
