// An end after some time.
import { now } from '../../engine/platform.ts';
import { ArgumentError } from '../../memory/errors.ts';
import { signature } from '../../signature.ts';
import type { Callback, Run } from './callback.ts';

const declared = signature('TimeLimit(seconds: number)');

/** Ends a training after so many seconds in all, those before a checkpoint included (Lightning's `Timer`). */
export class TimeLimit implements Callback<Run> {
  readonly name = 'TimeLimit';
  readonly #limit: number;
  #before = 0;
  #started = 0;
  #running = false;

  /** @throws ArgumentError unless seconds > 0 */
  constructor(...args: [seconds: number]) {
    const [seconds] = declared.parse(args) as [number];
    if (!(seconds > 0)) throw new ArgumentError(`TimeLimit: expected seconds > 0, got ${seconds}`);
    this.#limit = seconds;
  }

  /** Seconds so far. */
  get elapsed(): number {
    return this.#before + (this.#running ? (now() - this.#started) / 1000 : 0);
  }

  onFitStart(): void {
    this.#started = now();
    this.#running = true;
  }

  onStepEnd(run: Run): void {
    if (this.elapsed >= this.#limit) run.stop(`${this.#limit} seconds are over`);
  }

  onFitEnd(): void {
    this.#before = this.elapsed;
    this.#running = false;
  }

  onError(): void {
    this.onFitEnd();
  }

  /** @internal */
  state(): object {
    return { seconds: this.elapsed };
  }

  /** @internal */
  loadState({ seconds }: { seconds: number }): void {
    this.#before = seconds;
  }
}
