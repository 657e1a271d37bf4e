// What stands in a worker: a pipeline that gives its records away as fast as they are taken.

import { isPlain } from '../../kinds.ts';
import { isNdArray, isNumbers } from '../pipeline/columns.ts';
import type { PipelineState } from '../pipeline/source.ts';
import { failureOf, progress } from './records.ts';

/** What a worker is to do: a pass over the pipeline that a module sets up. */
export interface Job {
  /** Of the module that exports `setup`. */
  readonly url: string;
  readonly data: unknown;
  readonly index: number;
  readonly count: number;
  readonly epoch: number;
  readonly seed: number;
  /** Where to go on; null: at the beginning. */
  readonly state: PipelineState | null;
  /** Records that may wait to be taken. */
  readonly depth: number;
  /** Of shared memory, where there is some: the number of the record that a function is called with. */
  readonly progress: Int32Array | null;
}

/** What went wrong, as it can be sent. */
export interface Failure {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  /** Which record it was, as far as that is known. */
  readonly at: string;
}

/** What a worker says: that it runs, a record, its end, why it can't go on. */
export type Message =
  | { readonly started: true }
  | { readonly record: unknown; readonly state: PipelineState }
  | { readonly end: true }
  | { readonly failure: Failure };

/** Where messages go, and from where the word comes that so many more may. */
export interface Port {
  postMessage(message: Message, transfer?: ArrayBuffer[]): void;
  onmore: (count: number) => void;
}

/** What is served. */
interface Served extends AsyncIterable<unknown> {
  begin(job: Job): void;
  state(): PipelineState;
}

/** The buffers of the arrays in a record, each once. */
function buffersIn(value: unknown, found: Set<ArrayBuffer> = new Set()): Set<ArrayBuffer> {
  const array = isNdArray(value) ? value.data : value;
  if (isNumbers(array)) {
    if (array.buffer instanceof ArrayBuffer) found.add(array.buffer);
  } else if (Array.isArray(value) || isPlain(value))
    for (const inside of Object.values(value)) buffersIn(inside, found);
  return found;
}

/** What can be sent of an error. */
export function failure(error: unknown): Failure {
  const { name = 'Error', message = String(error), stack } = (error ?? {}) as Partial<Error>;
  return {
    name: String(name),
    message: String(message),
    stack: stack === undefined ? stack : String(stack),
    at: failureOf(error),
  };
}

/**
 * Sends the records of a pass, until all are sent.
 * @param fresh whether their memory is theirs alone, so that it can be given away
 */
export async function serve(pipeline: Served, fresh: boolean, job: Job, port: Port): Promise<void> {
  let credit = job.depth;
  let wake = (): void => {};
  port.onmore = (count) => {
    credit += count;
    wake();
  };
  progress.words = job.progress;
  try {
    pipeline.begin(job);
    for await (const record of pipeline) {
      const message = { record, state: pipeline.state() };
      port.postMessage(message, fresh ? [...buffersIn(record)] : []);
      if (--credit <= 0)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    }
    port.postMessage({ end: true });
  } catch (error) {
    port.postMessage({ failure: failure(error) });
  }
}
