// How much of each command of a program a thread takes. Processors are not equally fast: some are made so, others have
// more to do. Threads that are done first wait for the others, which says who should take more. All commands are cut at
// the same fractions, as threads that cut alike need not wait for each other; so these change between programs alone.
import { BEATS, barrier, control, LOOKS, lastWait, now, thread, threads } from "./threads";

/** In the line of a thread, behind its signs of life: how long it has waited for others, in looks. */
const WAITED: usize = BEATS + 8;
/** By how much a share changes at once at most: who was interrupted is not slow. */
const STRIDE: f64 = 1.0 / 16;
/** The least share of a thread, in equal shares. */
const LEAST: f64 = 0.25;
/** Programs of fewer milliseconds are timed once in so many: looking at the clock costs a part of them. */
const SHORT: f64 = 0.2;
const SKIPPED: i32 = 16;

/** This thread's fraction of every command of the program that runs: from where to where. */
export let shareBegin: f64 = 0;
export let shareEnd: f64 = 1;
/** Whether all that was done since the last barrier can be cut as one likes. */
let fair: bool = false;
/** Of thread 0: programs until the next that is timed, when that began, and how long it took. */
let skip: i32 = 0;
let begun: f64 = 0;
let time: f64 = 0;

@inline
function waited(t: i32): usize {
  return control + WAITED + ((<usize>t) << 6);
}

/** Behind the lines of the threads: where the share of each ends, of 1. */
@inline
function end(t: i32): usize {
  return control + BEATS + ((<usize>threads) << 6) + ((<usize>t) << 3);
}

/** Gives more to those who waited longer. */
function balance(): void {
  let sum: f64 = 0;
  for (let t = 0; t < threads; ++t) sum += load<f64>(waited(t));
  const mean = sum / threads,
    all = time * LOOKS;
  let from: f64 = 0;
  sum = 0;
  for (let t = 0; t < threads; ++t) {
    const to = load<f64>(end(t)),
      more = max(-STRIDE, min(STRIDE, (load<f64>(waited(t)) - mean) / all));
    sum += max(LEAST, (to - from) * threads * (1 + more));
    store<f64>(end(t), sum);
    from = to;
  }
  for (let t = 0; t < threads; ++t) store<f64>(end(t), t == threads - 1 ? 1 : load<f64>(end(t)) / sum);
}

/** Thread 0, before a program. */
export function beginProgram(): void {
  if (!ASC_FEATURE_THREADS) return;
  if (load<f64>(end(threads - 1)) == 0) for (let t = 0; t < threads; ++t) store<f64>(end(t), <f64>(t + 1) / threads);
  // Here and not behind the program: others may note their last wait later than this thread is done.
  if (time > 0) balance();
  time = 0;
  if (--skip > 0) return;
  for (let t = 0; t < threads; ++t) store<f64>(waited(t), 0);
  begun = now();
}

/** Thread 0, behind a program. */
export function endProgram(): void {
  if (!ASC_FEATURE_THREADS || skip > 0) return;
  time = now() - begun;
  skip = time < SHORT ? SKIPPED : 0;
}

/** Where a program begins. What comes before its first barrier says nothing: others may have begun it later. */
export function beginShare(): void {
  if (!ASC_FEATURE_THREADS || threads == 1) {
    shareBegin = <f64>thread / threads;
    shareEnd = <f64>(thread + 1) / threads;
    return;
  }
  fair = false;
  shareBegin = thread ? load<f64>(end(thread - 1)) : 0;
  shareEnd = load<f64>(end(thread));
}

/** Says that something since the last barrier cannot be cut as one likes. */
@inline
export function passOver(): void {
  fair = false;
}

/** Waits for all threads, and notes how long, if that says how fast this one is. @returns whether none is gone */
export function meet(): bool {
  if (!barrier()) return false;
  if (fair) store<f64>(waited(thread), load<f64>(waited(thread)) + lastWait);
  fair = true;
  return true;
}
