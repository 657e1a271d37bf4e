// Trials in a file of JSON lines: what a search goes on from.
import { ArgumentError, FormatError } from '../../memory/errors.ts';
import type { TrialRecord } from './trial.ts';

/** What stands in JSON for a number that is not finite; trials that went wrong have them. */
const STAND = 'number';
const written = (_: string, value: unknown): unknown =>
  typeof value === 'number' && !Number.isFinite(value) ? { [STAND]: String(value) } : value;
const read = (_: string, value: unknown): unknown => {
  const text = (value as Record<string, unknown> | null)?.[STAND];
  return typeof text === 'string' ? Number(text) : value;
};

/** The file of a search: its first line says what is searched, and each further one is a trial. */
export class TrialLog {
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }

  /**
   * Opens a file, or makes it.
   * @param about what is searched
   * @throws ArgumentError where it is that of another search; FormatError
   */
  static async open(path: string, about: object): Promise<{ log: TrialLog; trials: TrialRecord[] }> {
    const [fs, paths] = await Promise.all([import('node:fs/promises'), import('node:path')]);
    const first = JSON.stringify({ search: about });
    const text = await fs.readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '';
      throw error;
    });
    // A line that has no end was being written when the process ended.
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    if (whole === '') {
      await fs.mkdir(paths.dirname(paths.resolve(path)), { recursive: true });
      await fs.writeFile(path, `${first}\n`);
      return { log: new TrialLog(path), trials: [] };
    }
    if (whole !== text) await fs.truncate(path, Buffer.byteLength(whole));
    const [head, ...lines] = whole.trimEnd().split('\n');
    if (head !== first)
      throw new ArgumentError(
        `tune: expected ${path} to be of this search, ${first}, got ${head?.slice(0, 300)}; take another file`,
      );
    const trials = lines.map((line, i) => {
      try {
        return JSON.parse(line, read) as TrialRecord;
      } catch (cause) {
        throw new FormatError(`tune: expected a trial in line ${i + 2} of ${path}, got ${line.slice(0, 80)}`, {
          cause,
        });
      }
    });
    return { log: new TrialLog(path), trials };
  }

  async add(trial: TrialRecord): Promise<void> {
    const { appendFile } = await import('node:fs/promises');
    await appendFile(this.#path, `${JSON.stringify(trial, written)}\n`);
  }
}
