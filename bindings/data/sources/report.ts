// What is told of lines that are not what a format says.

/** A line that was left out. */
export interface WrongLine {
  /** Its number, from 1; of a record of several lines the first. */
  line: number;
  /** Name of the column that is wrong; null where it is the line as a whole. */
  column: string | null;
  /** What was expected and what came. */
  reason: string;
}

/** What a pass has met so far. */
export interface LineReport {
  /** Records that were read. */
  records: number;
  /** Lines that were left out. */
  wrong: number;
  /** The first 100 of those. */
  lines: WrongLine[];
}

/** The report before the first pass. */
export const nothingYet = (): LineReport => ({ records: 0, wrong: 0, lines: [] });
