// What several processors do that never meet, as a multiple of the fastest of them alone: no team of threads gains
// more.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

/** Milliseconds until all have read when to begin, and of one measurement. */
const [LEAD, WINDOW] = [5, 50];

/** One thread each, all alike: those of shared machines are not equally fast, and change by the minute. */
export class Processors {
  readonly #workers: readonly Worker[];

  constructor(count: number) {
    const module = new URL('./processors-worker.js', import.meta.url);
    this.#workers = Array.from({ length: count }, () => {
      const worker = new Worker(module);
      worker.unref();
      return worker;
    });
  }

  /** Products a second of each of some workers, all at once. */
  #rates(workers: readonly Worker[]): Promise<number[]> {
    const from = performance.timeOrigin + performance.now() + LEAD;
    return Promise.all(
      workers.map(async (worker) => {
        worker.postMessage({ from, to: from + WINDOW });
        const [rate] = await once(worker, 'message');
        return rate;
      }),
    );
  }

  /** What all do at once over what the fastest does alone. */
  async gain(): Promise<number> {
    // A first time for what starts, and for engines that compile while they run.
    await this.#rates(this.#workers);
    let alone = 0;
    for (const worker of this.#workers) alone = Math.max(alone, ...(await this.#rates([worker])));
    const together = await this.#rates(this.#workers);
    return together.reduce((sum, rate) => sum + rate, 0) / alone;
  }

  close(): void {
    for (const worker of this.#workers) void worker.terminate();
  }
}
