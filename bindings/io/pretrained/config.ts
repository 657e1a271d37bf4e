// config.json of a model: what is in it, checked as it is read.
import { isPlain } from '../../kinds.ts';
import { describe, FormatError } from '../../memory/errors.ts';

/** Reads settings of a config, and refuses what is none. */
export class Config {
  /** All of it, as the file has it. */
  readonly json: Readonly<Record<string, unknown>>;
  readonly #where: string;
  readonly #made: { dispose(): void }[] = [];
  /** Numbers that the model may still have. */
  #left: number;

  /** @param most how many numbers the model may have: those of its files, and of a new head */
  constructor(json: unknown, most = Number.POSITIVE_INFINITY, where = '') {
    if (!isPlain(json))
      throw new FormatError(`loadPretrained: expected an object in config.json, got ${describe(json)}`);
    this.json = json;
    this.#left = most;
    this.#where = where;
  }

  bad(name: string, wanted: string): FormatError {
    return new FormatError(
      `loadPretrained: expected ${wanted} as ${this.#where}${name} of config.json, got ${describe(this.json[name])}`,
    );
  }

  #value<T>(name: string, fallback: T | undefined, is: (x: unknown) => boolean, wanted: string): T {
    const value = this.json[name] ?? fallback;
    if (!is(value)) throw this.bad(name, wanted);
    return value as T;
  }

  number(name: string, fallback?: number): number {
    return this.#value(name, fallback, Number.isFinite, 'a number');
  }

  /** Counts the numbers of a parameter, before it is made: a config alone makes nobody run out of memory. */
  take(...shape: readonly number[]): void {
    this.#left -= shape.reduce((a, b) => a * b, 1);
    if (!(this.#left >= 0))
      throw new FormatError('loadPretrained: expected sizes in config.json that fit the weights, got a larger model');
  }

  /** Notes what was made, which lasts, for {@link discard}. */
  keep<T extends { dispose(): void }>(made: T): T {
    this.#made.push(made);
    return made;
  }

  /** Gives back what was made, of a model that could not be finished. */
  discard(): void {
    for (const each of this.#made) each.dispose();
  }

  /** How many heads share `width`. */
  heads(name: string, fallback: number, width: number): number {
    const heads = this.size(name, fallback);
    if (width % heads !== 0) throw this.bad(name, `a divisor of ${width}`);
    return heads;
  }

  /** A whole number from 1 to `most`. */
  size(name: string, fallback?: number, most = 2 ** 31 - 1): number {
    const is = (x: unknown): boolean => Number.isSafeInteger(x) && (x as number) > 0 && (x as number) <= most;
    return this.#value(name, fallback, is, `a whole number from 1 to ${most}`);
  }

  /** How many layers there are, of which a list is made. */
  layers(name: string, fallback: number): number {
    return this.size(name, fallback, 10_000);
  }

  bool(name: string, fallback?: boolean): boolean {
    return this.#value(name, fallback, (x) => typeof x === 'boolean', 'true or false');
  }

  /** A word that is a key of `table`, and what it means there. */
  word<T>(name: string, table: Readonly<Record<string, T>>, fallback?: string): T {
    const known = Object.keys(table);
    const key = this.#value(name, fallback, (x) => known.includes(x as string), known.join(', '));
    return table[key] as T;
  }

  /** An object in it; null where there is none. */
  inner(name: string): Config | null {
    const value = this.json[name] ?? null;
    return value === null ? null : new Config(value, 0, `${this.#where}${name}.`);
  }

  /** Holds that a setting, if it is there, is `value`: what else it may be is not here. */
  only(name: string, value: unknown): void {
    if ((this.json[name] ?? value) !== value) throw this.bad(name, `${value}, which is all that there is here,`);
  }

  /** The piece that pads texts, of which there may be none. */
  padding(fallback: number | null): number | null {
    const { pad_token_id: id = fallback } = this.json;
    if (id !== null && !Number.isSafeInteger(id)) throw this.bad('pad_token_id', 'a whole number or null');
    return id as number | null;
  }

  /** How many classes a head tells apart: those of its labels. */
  get labels(): number {
    const { num_labels: count, id2label: names } = this.json;
    if (isPlain(names)) return Object.keys(names).length;
    return count === undefined ? 2 : this.size('num_labels');
  }
}
