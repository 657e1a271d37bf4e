// profile(fn): where the time goes, by op and by module, eager and compiled alike.
import { type ModuleLink, setWatch, tracing, watching } from '../execute.ts';
import { ArgumentError, expectSynchronous } from '../memory/errors.ts';
import { signature } from '../signature.ts';
import type { Lowered } from './lower.ts';
import { pathOf } from './modules.ts';
import type { Program } from './program.ts';

/** One op that ran, or several that a compiled program ran as one. */
export interface ProfileEvent {
  /** The op's name; of a fused chain, the names of its ops joined by `+`. */
  readonly op: string;
  /** The path of the module whose forward called it, such as `0.attention`; '' outside of modules. */
  readonly module: string;
  /** Milliseconds from the start of the profile. */
  readonly start: number;
  /** Milliseconds. */
  readonly duration: number;
}

/** How much time one op, or one module, took in all. */
export interface ProfileRow {
  /** The op, or the path of the module. */
  readonly name: string;
  /** How many times it ran. */
  readonly calls: number;
  /** Milliseconds in all. */
  readonly duration: number;
  /** Of the time of all ops, from 0 to 1. */
  readonly share: number;
}

/** What {@link profile} found. */
export interface Profile<T> {
  /** What the function returned. */
  readonly result: T;
  /** Milliseconds from the start to the end, what is outside of ops included. */
  readonly duration: number;
  /** Every op that ran, in order. */
  readonly events: readonly ProfileEvent[];
  /** By op, the longest first. */
  readonly ops: readonly ProfileRow[];
  /** By module, the longest first; each op counts for the innermost module. */
  readonly modules: readonly ProfileRow[];
  /** A table of both. */
  toString(): string;
  /** The text of a file that Chrome's tracing view, Perfetto and others show. */
  toChromeTrace(): string;
}

const events: ProfileEvent[] = [];
let began = 0;

function measure(op: string, module: string, run: () => void): void {
  const start = performance.now();
  run();
  const duration = performance.now() - start;
  events.push({ op, module, start: start - began, duration });
}

/** What a clock that is coarse, or stands still, leaves of the times of single ops; '' of one that is not. */
function describeClock(all: readonly ProfileEvent[]): string {
  const moved = all.filter(({ duration }) => duration > 0);
  if (2 * moved.length > all.length || all.length === 0) return '';
  if (moved.length === 0) return 'the clock of this engine stood still: no op was measured';
  const step = moved.reduce((least, { duration }) => Math.min(least, duration), Infinity);
  return `the clock of this engine moves by ${step.toFixed(3)} ms, and most ops take less: call the function many times in one profile`;
}

/** Whether a profile is taken. */
let taken = false;

/** Runs a program; step by step where a profile is taken. @param stopped as of its run() */
export function runWatched(program: Program, stopped: (check: Lowered) => void): void {
  if (!taken) program.run(stopped);
  else
    program.runTimed(stopped, ({ tasks }, run) => {
      const nodes = [...new Set(tasks.flatMap(({ command }) => command.node ?? []))];
      const [first] = nodes;
      measure(nodes.map(({ op }) => op).join('+'), pathOf(first?.module ?? null), run);
    });
}

function rowsBy(all: readonly ProfileEvent[], name: 'op' | 'module'): ProfileRow[] {
  const total = all.reduce((sum, { duration }) => sum + duration, 0);
  const rows = new Map<string, { calls: number; duration: number }>();
  for (const event of all) {
    const row = rows.get(event[name]) ?? { calls: 0, duration: 0 };
    rows.set(event[name], { calls: row.calls + 1, duration: row.duration + event.duration });
  }
  return [...rows]
    .map(([key, row]) => ({ name: key, ...row, share: total > 0 ? row.duration / total : 0 }))
    .sort((a, b) => b.duration - a.duration);
}

function table(title: string, rows: readonly ProfileRow[]): string[] {
  const width = Math.max(title.length, ...rows.map(({ name }) => name.length));
  return [
    `${title.padEnd(width)}   share       ms  calls`,
    ...rows.map(
      ({ name, share, duration, calls }) =>
        `${(name || '(none)').padEnd(width)}  ${(100 * share).toFixed(1).padStart(5)}%  ${duration.toFixed(3).padStart(8)}  ${String(calls).padStart(5)}`,
    ),
  ];
}

const declared = signature('profile(fn: function)');
const toChromeTrace = signature('Profile.toChromeTrace()');

/**
 * Calls `fn` and measures every op in it, those of compiled functions included. Measuring takes about a microsecond an
 * op; nothing runs twice. Engines that make their clock coarse leave only sums: the table says so.
 * @throws ArgumentError where `fn` returns a promise or profiles by itself, and what `fn` throws
 * @example
 * ```ts
 * const model = new nn.Linear(784, 10);
 * const x = randn([64, 784]);
 * const report = profile(() => model.forward(x).relu());
 * console.log(String(report)); // a table by op and by module
 * const trace = report.toChromeTrace(); // a file of it opens in https://ui.perfetto.dev
 * console.log(trace.length > 0); // true
 * ```
 */
export function profile<T>(fn: () => T): Profile<T>;
export function profile(...args: unknown[]): Profile<unknown> {
  const [fn] = declared.parse(args) as [() => unknown];
  tracing()?.refuse('profile', 'profile calls of the compiled function outside of it');
  if (watching()) throw new ArgumentError('profile: expected one profile at a time, got one inside another');
  events.length = 0;
  taken = true;
  setWatch((op: string, module: ModuleLink | null, run: () => void) => measure(op, pathOf(module), run));
  began = performance.now();
  let result: unknown;
  try {
    result = fn();
  } finally {
    taken = false;
    setWatch(null);
  }
  expectSynchronous('profile', result);
  const duration = performance.now() - began;
  const all = events.slice();
  const [ops, modules] = [rowsBy(all, 'op'), rowsBy(all, 'module')];
  const clock = describeClock(all);
  const inOps = all.reduce((sum, event) => sum + event.duration, 0);
  return {
    result,
    duration,
    events: all,
    ops,
    modules,
    toString: () =>
      [
        `${duration.toFixed(3)} ms, ${inOps.toFixed(3)} ms of it in ${all.length} ops`,
        ...(clock ? [clock] : []),
        ...table('op', ops),
        '',
        ...table('module', modules),
      ].join('\n'),
    toChromeTrace: (...none: unknown[]) => {
      toChromeTrace.parse(none);
      return JSON.stringify({
        displayTimeUnit: 'ms',
        traceEvents: all.map(({ op, module, start, duration: time }) => ({
          name: op,
          cat: module || 'op',
          ph: 'X',
          pid: 0,
          tid: 0,
          ts: 1000 * start,
          dur: 1000 * time,
          args: { module },
        })),
      });
    },
  };
}
