// Where lines go: a file, or what takes them.
import { ArgumentError } from '../../memory/errors.ts';
import { fileSystem } from '../folder.ts';
import type { LineFile } from './line-file.ts';

/** What takes lines, in place of a file. */
export type WriteLine = (line: string) => void;

export class Lines {
  readonly #op: string;
  readonly #target: string | WriteLine;
  #write: WriteLine | null = null;
  #file: LineFile | null = null;

  constructor(op: string, target: string | WriteLine) {
    this.#op = op;
    this.#target = target;
  }

  /**
   * Opens it: with the lines that were there that `keep` keeps, or anew without it.
   * @returns those
   */
  async open(keep: ((line: string, number: number) => boolean) | null): Promise<string[]> {
    const target = this.#target;
    if (typeof target !== 'string') {
      this.#write = target;
      return [];
    }
    const fs = await fileSystem(this.#op);
    const { LineFile } = await import('./line-file.ts');
    const file = await LineFile.open(fs, target, keep);
    this.#file = file;
    this.#write = (line) => file.write(line);
    return file.kept;
  }

  /** What takes a line. @throws ArgumentError before open() */
  get #open(): WriteLine {
    if (this.#write) return this.#write;
    throw new ArgumentError(`${this.#op}: expected a logger that is open, got one that is not; await its open() first`);
  }

  /** @throws ArgumentError before open() */
  write(line: string): void {
    this.#open(line);
  }

  /**
   * Writes all lines anew; what takes lines gets the first and the last of them.
   * @throws ArgumentError before open()
   */
  rewrite(lines: readonly string[]): void {
    const write = this.#open;
    if (this.#file) this.#file.renew(lines);
    else for (const i of [0, -1]) write(lines.at(i) as string);
  }

  close(): void {
    this.#file?.close();
    this.#file = null;
    this.#write = null;
  }
}
