// Hires workers for a pass, and takes one record of each by turns.
import { addressOf, hire } from '../../engine/hire.ts';
import { ArgumentError, WorkerError } from '../../memory/errors.ts';
import type { Pipeline } from '../pipeline/pipeline.ts';
import type { Seed } from '../pipeline/random.ts';
import type { PipelineState, Reader, Source } from '../pipeline/source.ts';
import { List } from './chunk.ts';
import { closeAll } from './run.ts';
import type { Failure, Job, Message } from './serve.ts';
import { NODE_WORKER, PAGE_WORKER } from './worker-text.ts';

/** A worker as the reader sees it. */
interface Hand {
  /** The next message. */
  take(): Promise<Message>;
  close(): void | Promise<void>;
}

/** Messages that have come, and who waits for one. */
class Inbox {
  readonly #messages: (Message | WorkerError)[] = [];
  #wake = (): void => {};

  push(message: Message | WorkerError): void {
    this.#messages.push(message);
    this.#wake();
  }

  /** The next one, an error for ever. */
  async take(): Promise<Message> {
    while (this.#messages.length === 0)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    const [first] = this.#messages as [Message | WorkerError];
    if (first instanceof Error) throw first;
    this.#messages.shift();
    return first;
  }
}

const nameOf = ({ index, count }: Job): string => `worker ${index + 1} of ${count}`;

/** Starts a worker. @throws WorkerError where none can be started here */
async function hired(job: Job): Promise<Hand> {
  const inbox = new Inbox();
  let given = 0;
  const gone = (why: string, cause?: unknown): void => {
    const record = job.progress ? Atomics.load(job.progress, 0) : -1;
    const place =
      record < 0 ? `record ${given} of its share` : `record ${record} of a map(), behind ${given} of its share`;
    inbox.push(
      new WorkerError(`fromWorkers: expected ${nameOf(job)} to go on, got its end at ${place}: ${why}`, { cause }),
    );
  };
  const say = (message: Message): void => inbox.push(message);
  const thread = await hire({ node: NODE_WORKER, page: PAGE_WORKER }, job, { say, gone });
  // Its first word: from then on what ends it is no reason to do without workers.
  try {
    await inbox.take();
  } catch (error) {
    await thread.end();
    throw error;
  }
  return {
    async take() {
      const message = await inbox.take();
      thread.postMessage(1);
      given++;
      return message;
    },
    close: async () => void (await thread.end()),
  };
}

/** What a module for workers exports. */
type Setup = (
  data: unknown,
  worker: { readonly index: number; readonly count: number },
) => Pipeline<unknown> | Promise<Pipeline<unknown>>;

/** The same without a worker: the pipeline that it would have runs here, when its turn comes. */
async function atHand(job: Job): Promise<Hand> {
  const { url, data, index, count } = job;
  const { setup } = (await import(/* webpackIgnore: true */ /* @vite-ignore */ url)) as { setup?: Setup };
  if (typeof setup !== 'function')
    throw new ArgumentError(`fromWorkers: expected a module that exports setup(data, { index, count }), got ${url}`);
  const pipeline = await setup(data, { index, count });
  pipeline.begin(job);
  const records = pipeline[Symbol.asyncIterator]();
  return {
    async take() {
      const { done, value } = await records.next();
      return done ? { end: true } : { record: value, state: pipeline.state() };
    },
    async close() {
      await records.return();
    },
  };
}

/** All workers, or where none can be started none. */
async function team(jobs: readonly Job[], threads: boolean): Promise<Hand[]> {
  const start = async (hire: (job: Job) => Promise<Hand>): Promise<Hand[]> => {
    const settled = await Promise.allSettled(jobs.map(hire));
    const hands = settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    if (hands.length === jobs.length) return hands;
    await closeAll(hands);
    throw (settled.find(({ status }) => status === 'rejected') as PromiseRejectedResult).reason;
  };
  if (!threads) return start(atHand);
  try {
    return await start(hired);
  } catch (error) {
    console.warn(`fromWorkers: this thread does the work of ${jobs.length} workers, for they can't start: ${error}`);
    return start(atHand);
  }
}

/**
 * Where a pass stands: whose turn it is, where each worker stood behind its last record that was taken, who has ended.
 */
type Stand = readonly [turn: number, states: readonly (PipelineState | null)[], ended: readonly number[]];

function failed({ name, message, stack, at }: Failure, who: string, given: number): WorkerError {
  const cause = Object.assign(new Error(message), { name, stack });
  const place = at || `record ${given} of its share`;
  return new WorkerError(`fromWorkers: expected ${who} to go on, got ${name} at ${place}: ${message}`, { cause });
}

/** Takes a record of each hand by turns. */
function reader(hands: readonly Hand[], [start, before, over]: Stand): Reader<unknown> {
  let turn = start;
  const states = [...before];
  const ended = [...over];
  const given = hands.map(() => 0);
  return {
    async next() {
      while (ended.length < hands.length) {
        const who = turn;
        if (ended.includes(who)) {
          turn = (who + 1) % hands.length;
          continue;
        }
        const message = await (hands[who] as Hand).take();
        if ('failure' in message)
          throw failed(message.failure, `worker ${who + 1} of ${hands.length}`, given[who] as number);
        turn = (who + 1) % hands.length;
        if ('record' in message) {
          states[who] = message.state;
          given[who] = (given[who] as number) + 1;
          return new List([message.record]);
        }
        ended.push(who);
      }
      return null;
    },
    state: (): Stand => [turn, [...states], [...ended]],
    close: () => closeAll(hands),
  };
}

/** What fromWorkers() was given. */
export interface Work {
  readonly module: string | { readonly href: string };
  readonly workers: number;
  readonly depth: number;
  readonly data: unknown;
  readonly seed: Seed;
}

/** The passes of workers. */
export const teamOf = ({ module, workers, depth, data, seed }: Work): Pick<Source<unknown>, 'open'> => ({
  async open(epoch, state) {
    const count = Math.max(1, workers);
    const stand = (state ?? [0, new Array(count).fill(null), []]) as Stand;
    const url = await addressOf(module);
    const shared = typeof SharedArrayBuffer === 'undefined' ? null : new SharedArrayBuffer(4 * count);
    const jobs = stand[1].map((place, index): Job => {
      const progress = shared && new Int32Array(shared, 4 * index, 1).fill(-1);
      return { url, data, index, count, epoch, seed: seed.value, state: place, depth, progress };
    });
    return reader(await team(jobs, workers > 0), stand);
  },
});
