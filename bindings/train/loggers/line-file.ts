// Files that grow by lines, each of which reaches the system at once: a killed run keeps what it wrote.

export class LineFile {
  readonly #fs: typeof import('node:fs');
  readonly #path: string;
  /** The lines that were there, and are still. */
  readonly kept: string[];
  #file = -1;

  private constructor(fs: typeof import('node:fs'), path: string, kept: string[]) {
    this.#fs = fs;
    this.#path = path;
    this.kept = kept;
    this.renew(kept);
  }

  /** Opens a file: with the lines that were there that `keep` keeps, or anew without it. */
  static async open(
    fs: typeof import('node:fs'),
    path: string,
    keep: ((line: string, number: number) => boolean) | null,
  ): Promise<LineFile> {
    const { dirname } = await import('node:path');
    fs.mkdirSync(dirname(path), { recursive: true });
    const before = keep && fs.existsSync(path) ? fs.readFileSync(path, 'utf8').split('\n').slice(0, -1) : [];
    return new LineFile(fs, path, keep ? before.filter(keep) : []);
  }

  /** Writes the file anew, of these lines. */
  renew(lines: readonly string[]): void {
    const fs = this.#fs;
    if (this.#file >= 0) fs.closeSync(this.#file);
    // Renamed into place, so that a crash here does not lose the lines of the run so far.
    fs.writeFileSync(`${this.#path}.tmp`, lines.map((line) => `${line}\n`).join(''));
    fs.renameSync(`${this.#path}.tmp`, this.#path);
    this.#file = fs.openSync(this.#path, 'a');
  }

  write(line: string): void {
    this.#fs.writeSync(this.#file, `${line}\n`);
  }

  close(): void {
    this.#fs.closeSync(this.#file);
  }
}
