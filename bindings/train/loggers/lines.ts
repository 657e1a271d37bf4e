// Files that grow by lines, each of which reaches the system at once: a killed run keeps what it wrote.
import { ArgumentError } from '../../memory/errors.ts';
import { fileSystem } from '../folder.ts';

/** What takes lines, in place of a file. */
export type WriteLine = (line: string) => void;

export class Lines {
  readonly #op: string;
  readonly #target: string | WriteLine;
  #write: WriteLine | null = null;
  #close = (): void => {};
  /** Writes the file anew, of these lines. */
  #renew = (_: readonly string[]): void => {};

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
    const { dirname } = await import('node:path');
    fs.mkdirSync(dirname(target), { recursive: true });
    const before = keep && fs.existsSync(target) ? fs.readFileSync(target, 'utf8').split('\n').slice(0, -1) : [];
    const kept = keep ? before.filter(keep) : [];
    let file = -1;
    this.#renew = (lines) => {
      if (file >= 0) fs.closeSync(file);
      // Renamed into place, so that a crash here does not lose the lines of the run so far.
      fs.writeFileSync(`${target}.tmp`, lines.map((line) => `${line}\n`).join(''));
      fs.renameSync(`${target}.tmp`, target);
      file = fs.openSync(target, 'a');
    };
    this.#renew(kept);
    this.#write = (line) => void fs.writeSync(file, `${line}\n`);
    this.#close = () => fs.closeSync(file);
    return kept;
  }

  /** @throws ArgumentError before open() */
  write(line: string): void {
    if (!this.#write)
      throw new ArgumentError(
        `${this.#op}: expected a logger that is open, got one that is not; await its open() first`,
      );
    this.#write(line);
  }

  /** Writes all lines anew; what takes lines gets the first and the last of them. */
  rewrite(lines: readonly string[]): void {
    this.#renew(lines);
    if (typeof this.#target !== 'string') for (const i of [0, -1]) this.write(lines.at(i) as string);
  }

  close(): void {
    this.#close();
    this.#close = () => {};
    this.#write = null;
  }
}
