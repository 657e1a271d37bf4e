// metrics.jsonl: one JSON object a line, appended as training goes.
import { closeSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from 'node:fs';

/** One training step. */
export interface StepRecord {
  readonly type: 'step';
  /** Steps done so far, this one included. */
  readonly step: number;
  /** From 1. */
  readonly epoch: number;
  /** Mean over the batch. NaN and ±Infinity are written as null and read as NaN. */
  readonly loss: number;
  /** Share of the batch that was right, 0 to 1. */
  readonly accuracy: number;
  /** L2 norm of the gradient of each parameter or layer, by name. */
  readonly gradNorm?: Readonly<Record<string, number>>;
}

/** The end of an epoch. */
export interface EpochRecord {
  readonly type: 'epoch';
  readonly step: number;
  readonly epoch: number;
  /** Means over the epoch's steps. */
  readonly trainLoss: number;
  readonly trainAccuracy: number;
  /** On the test images. */
  readonly testLoss: number;
  readonly testAccuracy: number;
  /** Seconds of training in this epoch, without the test. */
  readonly seconds: number;
  readonly imagesPerSecond: number;
}

export type MetricsRecord = StepRecord | EpochRecord;

/**
 * Reads a file of metrics. A last line that was torn by a crash is left out; a missing file has no records.
 *
 * @throws Error naming the line, where any other line is not a JSON object with a type and a step.
 */
export function readMetrics(path: string): MetricsRecord[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  const lines = text.split('\n');
  lines.pop(); // what stands behind the last line break is nothing, or torn
  return lines.map((line, index) => {
    const record = parseRecord(line);
    if (record === undefined) {
      throw new Error(
        `metrics: expected a JSON object with type and step in line ${index + 1} of ${path}, got ${line.slice(0, 80)}`,
      );
    }
    return record;
  });
}

function parseRecord(line: string): MetricsRecord | undefined {
  try {
    const value = JSON.parse(line, (_, field) => (field === null ? Number.NaN : field));
    const known = value.type === 'step' || value.type === 'epoch';
    return known && Number.isSafeInteger(value.step) ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * A file of metrics open for writing. Each record reaches the system at once, so that a killed run keeps what it wrote.
 */
export class MetricsLog {
  readonly #records: MetricsRecord[];
  readonly #file: number;

  /**
   * Opens `path`. Without `resumeAt` the file begins anew; with it, records up to that step stay and later ones, of
   * steps that will be done again, are dropped.
   */
  constructor(path: string, resumeAt?: number) {
    this.#records = resumeAt === undefined ? [] : readMetrics(path).filter((record) => record.step <= resumeAt);
    const text = this.#records.map((record) => `${JSON.stringify(record)}\n`).join('');
    // Renamed into place, so that a crash here does not lose the records of the run so far.
    writeFileSync(`${path}.tmp`, text);
    renameSync(`${path}.tmp`, path);
    this.#file = openSync(path, 'a');
  }

  /** All records of the run: those kept from before and those appended. */
  get records(): readonly MetricsRecord[] {
    return this.#records;
  }

  append(record: MetricsRecord): void {
    this.#records.push(record);
    writeSync(this.#file, `${JSON.stringify(record)}\n`);
  }

  close(): void {
    closeSync(this.#file);
  }
}
