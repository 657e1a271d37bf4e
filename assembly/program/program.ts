// Runs a recorded program: commands one behind the other in memory, each a kernel and its arguments. Of a command that
// falls into independent units (elements, rows, samples) every thread takes a slice; what does not is thread 0's.
//
// A command is a list of words:
//   kernel, words, sync, units, grain, count, args, scale, then the arguments and, for each, its step.
//   words    of the whole command, so that the next one follows
//   sync     1: all threads wait for each other first. In a program that is still being written, where each command
//            waits for the one before it: 0, and then how many of its parts were taken and done
//   units    what can be cut; 0 when nothing can
//   grain    slices begin at its multiples
//   count    which argument holds the number of units; or, negative, ~which word of the list that the last argument
//   points to args     how many arguments
//   scale    what one unit adds to that count; of a loop: how many commands are its body
// A slice from unit `lo` is the kernel called with arguments[i] + lo * steps[i] and a smaller count.
//
// A loop's body follows it: elementwise commands of the same units. They run block by block, so that what one leaves
// for the next stays in the first cache. Arguments of the body with step SCRATCH are offsets into this thread's
// scratch. Where a kernel was made for the loop (bindings/program/loop-kernels.ts), `count` is its number, else 0, and
// `args` where workers find its module.
import { dispatch, dispatchAny, LOOP } from "../generated/dispatch";
import { beginProgram, beginShare, endProgram, meet, passOver, shareBegin, shareEnd } from "./balance";
import {
  awaitParts,
  awaitPost,
  awaitWritten,
  barrier,
  beat,
  done,
  goTo,
  goUntil,
  here,
  MOST_PARTS,
  post,
  postedBegin,
  postedEnd,
  publish,
  repeats,
  scratch,
  stop,
  stopped,
  stoppedBefore,
  take,
  thread,
  threads,
} from "./threads";

export { thread_control_bytes, thread_start, thread_stop } from "./threads";

const WORDS: usize = 4;
const SYNC: usize = 8;
const UNITS: usize = 12;
const GRAIN: usize = 16;
const COUNT: usize = 20;
const ARGS: usize = 24;
const SCALE: usize = 28;
const HEADER: usize = 32;

/** The step of an argument that is an offset into the scratch: no other has it, as strides may be negative. */
const SCRATCH: i32 = i32.MIN_VALUE;
/** At the start of the scratch: room for the arguments of one call, then for one list, then the intermediates. */
const LIST: usize = 256;
const INTERMEDIATES: usize = 1024;

/** Grains for each thread, from which on a command shows whether the threads are equally fast. */
const FINE: i32 = 8;

/** What program_run() gives when a thread is gone. */
const GONE: usize = 1;

/** Bytes of the scratch of one thread. */
export function program_scratch_bytes(): i32 {
  return <i32>INTERMEDIATES + 32 * 1024;
}

/** Where the intermediates of a loop may lie: the bytes behind the arguments. */
export function program_intermediate_bytes(): i32 {
  return program_scratch_bytes() - <i32>INTERMEDIATES;
}

/** Runs units [lo, hi) of the command at `p`. */
function slice(p: usize, lo: i32, hi: i32): void {
  const args = load<i32>(p, ARGS),
    count = load<i32>(p, COUNT),
    number = (hi - lo) * load<i32>(p, SCALE),
    to = scratch;
  const from = p + HEADER,
    steps = from + ((<usize>args) << 2);
  for (let i: usize = 0; i < (<usize>args) << 2; i += 4) {
    const step = load<i32>(steps + i),
      value = load<i32>(from + i);
    store<i32>(to + i, step == SCRATCH ? <i32>(scratch + INTERMEDIATES) + value : value + step * lo);
  }
  if (count >= 0) store<i32>(to + ((<usize>count) << 2), number);
  else {
    const last = to + ((<usize>args - 1) << 2);
    const list = load<usize>(last),
      end = p + ((<usize>load<i32>(p, WORDS)) << 2);
    // It lies behind the steps; a few words more than it has do no harm.
    for (let i: usize = 0; list + i < end; i += 16) v128.store(to + LIST + i, v128.load(list + i));
    store<i32>(to + LIST + ((<usize>~count) << 2), number);
    store<usize>(last, to + LIST);
  }
  dispatch(load<i32>(p), to);
}

/** Units [lo, hi) of the loop at `p` by the kernel that was made for it. Gives 0 where this thread cannot have it. */
@external("env", "made")
declare function made(kernel: i32, p: usize, lo: i32, hi: i32): i32;

/** Units [lo, hi) of the loop at `p`, block by block through its body. */
function loop(p: usize, lo: i32, hi: i32): void {
  const kernel = load<i32>(p, COUNT);
  if (kernel && made(kernel, p, lo, hi)) return;
  const block = load<i32>(p, GRAIN),
    inner = load<i32>(p, SCALE);
  for (let at = lo; at < hi; at += block) {
    const end = min(at + block, hi);
    let q = p + HEADER;
    for (let i = 0; i < inner; ++i) {
      slice(q, at, end);
      q += (<usize>load<i32>(q, WORDS)) << 2;
    }
  }
}

/** Grains of the command at `p`, 1 where it is not cut: no more parts of it are of use. */
@inline
function chunksOf(p: usize): i32 {
  return max(1, load<i32>(p, UNITS) / load<i32>(p, GRAIN));
}

/** The part of the command at `p` from fraction `from` to `to` of its grains, each to the nearest. */
function share(p: usize, from: f64, to: f64): void {
  const units = load<i32>(p, UNITS),
    kernel = load<i32>(p);
  if (to - from == 1 && kernel != LOOP) {
    dispatch(kernel, p + HEADER);
    return;
  }
  const grain = load<i32>(p, GRAIN),
    chunks = chunksOf(p);
  // The last slice has what is left over; of fewer units than a grain somebody has all.
  const lo = grain * <i32>nearest(chunks * from),
    hi = to == 1 ? units : min(units, grain * <i32>nearest(chunks * to));
  if (lo >= hi) return;
  if (kernel == LOOP) loop(p, lo, hi);
  else slice(p, lo, hi);
}

/** Runs this thread's part of the command at `p`. @returns whether it is no check that found something wrong */
@inline
function part(p: usize): bool {
  if (load<i32>(p, UNITS)) share(p, shareBegin, shareEnd);
  else if (thread == 0) return dispatchAny(load<i32>(p), p + HEADER) < 0;
  return true;
}

/** Runs the commands from `begin` to `end` on this thread and, where there are others, with them. */
function run(begin: usize, end: usize): usize {
  beginShare();
  for (let p = begin; p < end; p += (<usize>load<i32>(p, WORDS)) << 2) {
    if (ASC_FEATURE_THREADS) {
      if (threads > 1) {
        if (load<i32>(p, SYNC)) {
          if (!meet()) return GONE;
          if (stoppedBefore(p)) break;
        }
        if (chunksOf(p) < FINE * threads) passOver();
      }
    }
    if (!part(p)) {
      if (threads == 1) return p;
      stop(p);
    }
    beat();
  }
  if (ASC_FEATURE_THREADS) {
    if (threads > 1) return meet() ? stopped() : GONE;
  }
  return 0;
}

/**
 * Runs the commands that lie from `begin` to `end`.
 *
 * @returns 0; the address of the check that found something wrong, after which nothing was run; or 1 when a thread is
 *   gone
 */
export function program_run(begin: usize, end: usize): usize {
  if (threads > 1) {
    beginProgram();
    post(begin, end);
  }
  const answer = run(begin, end);
  if (threads > 1) endProgram();
  return answer;
}

/** What stands in the place of a kernel where a program that was still being written ends. */
const CLOSED: i32 = -2;

/** Parts of a command for each thread, where they have as many grains as they should. */
const PARTS: i32 = 4;
const SMALL: i32 = 3;
const LARGE: i32 = 24;

/**
 * Runs, with the other threads, the commands that are written from here on. A thread takes its own parts first, which
 * lie side by side and in all commands at the same place, so that it finds in its caches what it has computed before;
 * then those of others, from their ends: some come later, and not all processors are as fast.
 *
 * @returns 0, or 1 when a thread is gone
 */
function follow(): usize {
  while (awaitWritten()) {
    const p = here;
    if (load<i32>(p) == CLOSED) return barrier() ? 0 : GONE;
    const chunks = load<i32>(p, UNITS) ? chunksOf(p) : 1,
      each = max(1, min(min(PARTS, MOST_PARTS / threads), chunks / ((repeats(p + SYNC) ? LARGE : SMALL) * threads))),
      count = min(min(threads * each, chunks), MOST_PARTS);
    for (let k = 0; k < threads * each; ++k) {
      const turn = k / each,
        owner = (thread + turn) % threads,
        i = owner * each + (turn ? each - 1 - (k % each) : k % each);
      if (i >= count || !take(p + SYNC, i)) continue;
      share(p, <f64>i / count, <f64>(i + 1) / count);
      done(p + SYNC);
    }
    if (!awaitParts(p + SYNC, count)) return GONE;
    // Not p: V8 11.3 may have lost it in a wait.
    goTo(here + ((<usize>load<i32>(here, WORDS)) << 2));
    beat();
  }
  return thread ? GONE : 0;
}

/** Begins a program at `begin` that runs while it is written. */
export function program_open(begin: usize): void {
  goTo(begin);
  publish(begin);
  post(begin, 0);
}

/** Its commands up to `end` are written. They are no loops, and check nothing. */
export function program_extend(end: usize): void {
  publish(end);
}

/**
 * Takes part until what is written before `until`, or all, is done. Where that ends with CLOSED, the program has ended.
 *
 * @param until where one of its commands begins; 0 for all
 * @returns 0, or 1 when a thread is gone
 */
export function program_catch_up(until: usize): usize {
  goUntil(until);
  return follow();
}

/** What a thread other than 0 does: takes part in every program until it is sent away. */
export function thread_run(): void {
  while (awaitPost()) {
    const end = postedEnd();
    if (end) {
      if (run(postedBegin(), end) == GONE) return;
    } else {
      goTo(postedBegin());
      if (follow() == GONE) return;
    }
  }
}
