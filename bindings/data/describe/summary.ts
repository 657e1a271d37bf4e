// What is told of a source.

/** What a column of numbers is like. */
export interface NumberSummary {
  /** The least number. */
  min: number;
  /** The largest number. */
  max: number;
  /** Their mean. */
  mean: number;
  /** Their standard deviation. */
  std: number;
  /** The numbers below which a quarter, a half, three quarters lie; of a sample where there are more than 100,000. */
  quartiles: readonly [number, number, number];
  /** How many of the sample lie in each of 20 even ranges from `min` to `max`. */
  histogram: readonly number[];
}

/** What is known of a column. */
export interface ColumnSummary {
  /** Its name; empty where records have no names. */
  name: string;
  /** What its values are: `number`, `string`, `boolean`, `array [3, 32, 32]`, or several of them. */
  type: string;
  /** Values that are none. */
  missing: number;
  /** Different values; null where they are numbers of arrays. */
  distinct: number | null;
  /** The most frequent values, and how often they come. */
  frequent: readonly (readonly [value: string, count: number])[];
  /** Of numbers, and of arrays all of theirs. */
  numbers: NumberSummary | null;
  /** The first values. */
  examples: readonly unknown[];
}

/** What was found in a source. */
export interface Found {
  /** Records that were looked at. */
  readonly rows: number;
  /** Whether these were all. */
  readonly whole: boolean;
  /** What is known of each column. */
  readonly columns: readonly ColumnSummary[];
}

/** What describe() found, and how it is shown. */
export interface Description extends Found {
  /** A table of it, for a terminal. */
  toString(): string;
  /** A page of it with a picture of each column, for a file or an iframe: it needs nothing else. */
  toHtml(): string;
}
