// The threads of one instance of the library. Every thread has its own instance of this module over the same memory;
// what they share lies in the control block, what is a thread's own in globals. Thread 0 drives: it posts a program,
// takes part in it, and never leaves before all others have; but one that is still being written, below, it leaves to
// the others while it has something else to do. A build without threads has thread 0 alone.

// The control block: words at these offsets, those that different threads write on cache lines of their own.
const EPOCH: usize = 0; // counts the programs posted
const BEGIN: usize = 4;
const END: usize = 8;
const STOP: usize = 12; // the others shall leave
// 16 and 20 are for the start of the team: bindings/engine/worker-text.ts.
const ARRIVED: usize = 64;
const PHASE: usize = 128; // counts the barriers passed
const SLEEPERS: usize = 192;
const STATUS: usize = 256; // the command that a check stopped, or 0
const FAILED: usize = 260; // a thread is gone; nobody waits any more
const WRITTEN: usize = 320; // where a program ends that is still being written
export const BEATS: usize = 384; // a line for each thread: counts signs of life; more in it, and behind, see balance.ts

/**
 * Looks at a barrier or at a part of a command before a thread sleeps or looks at the clock: a tenth of a millisecond,
 * as long as it takes to be woken. Fewer at barriers, down to LEAST_SPINS, where that was often not enough: there are
 * more threads than processors then, and whom this one waits for may need its own.
 */
const SPINS: i32 = 200000;
const LEAST_SPINS: i32 = 20000;
/** About how many looks a thread takes in a millisecond. */
export const LOOKS: f64 = 1e6;
/** Looks at the epoch before an idle thread sleeps and others may have the processor: tenths of a millisecond. */
const IDLE_SPINS: i32 = 100000;
/**
 * Nanoseconds of one sleep at a barrier, and how long without a sign of life from any thread is too long, in
 * milliseconds.
 */
const NAP: i64 = 10_000_000;
const NAP_MS: f64 = 10;
const PATIENCE: f64 = 1200;

/** This thread's number and how many there are. */
export let thread: i32 = 0;
export let threads: i32 = 1;
/** This thread's packing buffer, and its room for arguments and for the intermediates of loops. */
export let workspace: usize = 0;
export let scratch: usize = 0;
export let control: usize = 0;
let canSleep: bool = false;

/** Milliseconds of a steady clock, from outside. */
@external("env", "now")
export declare function now(): f64;

/** Bytes of the control block of `count` threads. */
export function thread_control_bytes(count: i32): i32 {
  return <i32>BEATS + (64 + 8) * count;
}

/**
 * Tells this instance which thread it is.
 *
 * @param index 0 drives
 * @param block the control block, zeroed, shared by all; 0 where there is one thread
 * @param packing bytes for kernels that pack, gemm_workspace_bytes() of them
 * @param room program_scratch_bytes() bytes
 * @param sleeps whether the engine lets this thread sleep (the main thread of a page may not)
 */
export function thread_start(index: i32, count: i32, block: usize, packing: usize, room: usize, sleeps: bool): void {
  thread = index;
  threads = count;
  control = block;
  workspace = packing;
  scratch = room;
  canSleep = sleeps;
  epoch = 0;
}

/** A sign of life, to be given every few milliseconds by what takes long. */
@inline
export function beat(): void {
  if (ASC_FEATURE_THREADS) {
    if (threads > 1) atomic.add<i32>(control + BEATS + ((<usize>thread) << 6), 1);
  }
}

function beats(): i32 {
  let sum = 0;
  if (ASC_FEATURE_THREADS) {
    for (let t = 0; t < threads; ++t) sum += atomic.load<i32>(control + BEATS + ((<usize>t) << 6));
  }
  return sum;
}

// What a wait remembers is in globals and not in local variables: V8 11.3 loses those over a memory.atomic.wait32.
let phase: i32 = 0;
/** How long this thread waited at the last barrier, in looks; and how many it takes at the next one. */
export let lastWait: f64 = 0;
let limit: i32 = SPINS;
let epoch: i32 = 0;
let word: usize = 0;
let value: i32 = 0;
let parts: i32 = 0;
let quiet: f64 = 0;
let living: i32 = 0;
let before: f64 = 0;
let asleep: f64 = 0;

/** Waits for all threads. False when one of them is gone, and the program has to be left. */
export function barrier(): bool {
  if (!ASC_FEATURE_THREADS) return true;
  phase = atomic.load<i32>(control, PHASE);
  lastWait = 0;
  if (atomic.add<i32>(control, 1, ARRIVED) == threads - 1) {
    atomic.store<i32>(control, 0, ARRIVED);
    atomic.add<i32>(control, 1, PHASE);
    if (atomic.load<i32>(control, SLEEPERS)) atomic.notify(control + PHASE, -1);
  } else {
    let spins = 0;
    for (; spins < limit; ++spins) if (atomic.load<i32>(control, PHASE) != phase) break;
    lastWait = spins;
    if (spins < limit) limit = min(SPINS, limit + (limit >> 3));
    else {
      limit = max(LEAST_SPINS, limit - (limit >> 2));
      asleep = now();
      living = -1;
      while (atomic.load<i32>(control, PHASE) == phase && !atomic.load<i32>(control, FAILED))
        nap(control + PHASE, phase);
      lastWait += (now() - asleep) * LOOKS;
    }
  }
  return atomic.load<i32>(control, FAILED) == 0;
}

/** Sleeps a little, or until somebody who changed the word at `address` says so; thread 0 looks for signs of life. */
function nap(address: usize, from: i32): void {
  if (!ASC_FEATURE_THREADS) return;
  word = address;
  value = from;
  if (canSleep) {
    atomic.add<i32>(control, 1, SLEEPERS);
    atomic.wait<i32>(word, value, NAP);
    atomic.sub<i32>(control, 1, SLEEPERS);
  }
  if (thread == 0) look();
}

/** What thread 0 does while it waits: it alone decides that somebody is gone. */
function look(): void {
  if (!ASC_FEATURE_THREADS) return;
  const sum = beats(),
    time = now();
  // A gap of the clock (a suspended machine) counts as one short wait; where the clock stands still (modes for
  // privacy), naps are counted.
  if (sum != living) quiet = 0;
  else quiet += max(min(time - before, 50), canSleep ? NAP_MS / 4 : 0);
  living = sum;
  before = time;
  if (quiet < PATIENCE) return;
  atomic.store<i32>(control, 1, FAILED);
  atomic.notify(control + PHASE, -1);
}

/** Hands a program to the other threads. */
@inline
export function post(begin: usize, end: usize): void {
  if (!ASC_FEATURE_THREADS) return;
  atomic.store<i32>(control, 0, STATUS);
  store<usize>(control, begin, BEGIN);
  store<usize>(control, end, END);
  atomic.add<i32>(control, 1, EPOCH);
  atomic.notify(control + EPOCH, -1);
}

/** Waits for the next program. False when there will be none. */
export function awaitPost(): bool {
  if (!ASC_FEATURE_THREADS) return false;
  for (let spins = 0; spins < IDLE_SPINS; ++spins) if (atomic.load<i32>(control, EPOCH) != epoch) break;
  while (atomic.load<i32>(control, EPOCH) == epoch) atomic.wait<i32>(control + EPOCH, epoch, -1);
  ++epoch;
  return atomic.load<i32>(control, STOP) == 0 && atomic.load<i32>(control, FAILED) == 0;
}

@inline
export function postedBegin(): usize {
  return load<usize>(control, BEGIN);
}

@inline
export function postedEnd(): usize {
  return load<usize>(control, END);
}

/** Which command a check stopped, or 0. */
@inline
export function stopped(): usize {
  if (!ASC_FEATURE_THREADS) return 0;
  return <usize>atomic.load<i32>(control, STATUS);
}

/**
 * Whether a check before the command at `p` stopped the program. A thread that is late at the barrier before `p` may
 * already see that one behind it did: it goes on until the barrier behind that one, where all leave.
 */
@inline
export function stoppedBefore(p: usize): bool {
  const command = stopped();
  return command != 0 && command < p;
}

@inline
export function stop(command: usize): void {
  if (ASC_FEATURE_THREADS) atomic.store<i32>(control, <i32>command, STATUS);
}

/** Sends the other threads away. */
export function thread_stop(): void {
  if (!ASC_FEATURE_THREADS || control == 0) return;
  atomic.store<i32>(control, 1, STOP);
  atomic.add<i32>(control, 1, EPOCH);
  atomic.notify(control + EPOCH, -1);
  atomic.notify(control + WRITTEN, -1);
}

// A program that is still being written: thread 0 goes on with what it has to do while the others run the commands that
// are there, and takes part when it has to wait for them. So who runs which part of a command is not known before: a
// word of the command has a bit for each part that somebody took, above them the number of those that are done, and
// above that, from the beginning, whether its parts have to be large.

/** Bits for parts, and for how many are done. */
export const MOST_PARTS: i32 = 24;
const DONE_BITS: i32 = 5;

/** Where this thread is in it, and where thread 0 leaves it for something else. */
export let here: usize = 0;
let goal: usize = 0;

@inline
export function goUntil(p: usize): void {
  goal = p;
}

@inline
export function goTo(p: usize): void {
  here = p;
}

/** Says that the commands before `end` are written. */
@inline
export function publish(end: usize): void {
  if (!ASC_FEATURE_THREADS) return;
  atomic.store<i32>(control, <i32>end, WRITTEN);
  if (atomic.load<i32>(control, SLEEPERS)) atomic.notify(control + WRITTEN, -1);
}

/** Where the last command that is written ends. */
@inline
export function written(): usize {
  return ASC_FEATURE_THREADS ? <usize>atomic.load<i32>(control, WRITTEN) : 0;
}

/** Waits for a written command. False when there will be none; for thread 0 at its goal, or when there is none yet. */
export function awaitWritten(): bool {
  if (!ASC_FEATURE_THREADS) return false;
  if (thread == 0) return here != goal && written() != here;
  for (let spins = 0; spins < IDLE_SPINS; ++spins) if (written() != here) return true;
  while (written() == here) {
    if (atomic.load<i32>(control, STOP) || atomic.load<i32>(control, FAILED)) return false;
    atomic.add<i32>(control, 1, SLEEPERS);
    atomic.wait<i32>(control + WRITTEN, <i32>here, -1);
    atomic.sub<i32>(control, 1, SLEEPERS);
  }
  return true;
}

/** Takes a part of a command. @returns whether nobody else has it */
@inline
export function take(counts: usize, part: i32): bool {
  if (!ASC_FEATURE_THREADS) return false;
  const bit = 1 << part;
  // Most that are gone have been for long: to look costs less than to write.
  return (atomic.load<i32>(counts) & bit) == 0 && (atomic.or<i32>(counts, bit) & bit) == 0;
}

/** Whether the parts of a command have to be large, as each repeats what others do. */
@inline
export function repeats(counts: usize): bool {
  return ASC_FEATURE_THREADS ? atomic.load<i32>(counts) >>> (MOST_PARTS + DONE_BITS) != 0 : false;
}

/** How many parts of a command are done. */
@inline
function doneOf(counts: i32): i32 {
  return (counts >>> MOST_PARTS) & ((1 << DONE_BITS) - 1);
}

/** Says that a part that was taken is done. */
@inline
export function done(counts: usize): void {
  if (!ASC_FEATURE_THREADS) return;
  atomic.add<i32>(counts, 1 << MOST_PARTS);
  if (atomic.load<i32>(control, SLEEPERS)) atomic.notify(counts, -1);
}

/** Waits until all parts of a command are done. False when a thread is gone. */
export function awaitParts(counts: usize, all: i32): bool {
  if (!ASC_FEATURE_THREADS) return true;
  for (let spins = 0; spins < SPINS; ++spins) if (doneOf(atomic.load<i32>(counts)) == all) return true;
  word = counts;
  parts = all;
  living = -1;
  let counted = atomic.load<i32>(word);
  while (doneOf(counted) != parts && !atomic.load<i32>(control, FAILED)) {
    nap(word, counted);
    counted = atomic.load<i32>(word);
  }
  return doneOf(counted) == parts;
}
