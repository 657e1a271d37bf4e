// Finds the op that first made a number which is none.
import { withTape } from '../autograd.ts';
import { type Call, setWatch, tracing, watching } from '../execute.ts';
import { ArgumentError, expectSynchronous, GradError } from '../memory/errors.ts';
import { listeners, type Node } from '../node.ts';
import type { Slot } from '../ops/core.ts';
import { describeSite, siteNow } from '../program/site.ts';
import { scope } from '../scope.ts';
import { taking } from '../signature.ts';
import { Tensor } from '../tensor.ts';

/** How far a tensor is from having numbers only. */
type Level = 0 | 1 | 2;
const FINITE = 0;
const INFINITE = 1;
const NAN = 2;

const sites = new WeakMap<Node, Error>();
/** Whose rule a walk asks now. */
let asked: Node | null = null;
let on = false;

function levelOf(x: Tensor): Level {
  if (x.dtype !== 'f32' || x.size === 0 || x.block.freed) return FINITE;
  return scope((): Level => {
    if (Number.isFinite(x.mul(0).sum().item())) return FINITE;
    return x.ne(x).sum().item() > 0 ? NAN : INFINITE;
  });
}

const worst = (levels: readonly Level[]): Level => Math.max(FINITE, ...levels) as Level;
const tensorsIn = (slot: Slot): readonly Tensor[] => (slot instanceof Tensor ? [slot] : (slot ?? []));

/** What is asked for, such as a fill with -Infinity, is no anomaly. */
const levelOfAttributes = (attrs: unknown): Level =>
  worst(
    Object.values(attrs ?? {}).map(
      (value): Level =>
        typeof value !== 'number' || Number.isFinite(value) ? FINITE : Number.isNaN(value) ? NAN : INFINITE,
    ),
  );

/** What is worse in the results of a call than in what it was given. */
function newIn({ outputs, attrs }: Call, before: Level): Level {
  const level = worst(Object.values(outputs).map(levelOf));
  return level > Math.max(before, levelOfAttributes(attrs)) ? level : FINITE;
}

function look(op: string, run: () => void, call: Call): void {
  // What the look itself computes is nobody's.
  const aside = <T>(fn: () => T): T => {
    setWatch(null);
    try {
      return withTape(false, fn);
    } finally {
      setWatch(watch);
    }
  };
  // Before it runs, as it may write what it reads.
  const before = aside(() => worst(Object.values(call.inputs).flatMap(tensorsIn).map(levelOf)));
  run();
  const level = aside(() => newIn(call, before));
  if (level === FINITE) return;
  const found = level === NAN ? 'NaN' : 'Infinity';
  const forward = asked && sites.get(asked);
  throw new GradError(
    asked
      ? `detectAnomaly: expected numbers, got ${found} from ${op} in the backward of ${asked.name}, called${describeSite(forward) || ' before'}`
      : `detectAnomaly: expected numbers, got ${found} from ${op}${describeSite(siteNow())}`,
  );
}
const watch = (op: string, _: unknown, run: () => void, call: Call): void => look(op, run, call);

function set(mode: boolean): void {
  if (mode === on) return;
  if (mode && watching())
    throw new ArgumentError('detectAnomaly: expected no profile to be taken, got one; look for anomalies without it');
  tracing()?.refuse('detectAnomaly', 'call the function itself, not the compiled one, to find anomalies');
  on = mode;
  setWatch(mode ? watch : null);
  listeners.asked = mode ? (node) => (asked = node) : null;
  listeners.noted = mode ? (node) => sites.set(node, siteNow()) : null;
}

/**
 * Looks for the op that first makes NaN or an infinity of numbers, in forward or backward, or no more (PyTorch's
 * `set_detect_anomaly`). Each op takes several times as long; nothing does while it is off. Compiled functions are not
 * looked into: call the function itself.
 * @throws ArgumentError while a profile is taken
 */
export const setDetectAnomaly: (mode: boolean) => void = taking(
  'setDetectAnomaly(mode: bool, -checkNan: bool = true)',
  (mode: boolean) => set(mode),
);

/**
 * Calls `fn` and throws where an op in it, or in a backward() in it, makes NaN or an infinity of numbers: the message
 * names the op and the line of your program that called it (PyTorch's `detect_anomaly`). What is asked for, such as
 * `maskedFill(mask, -Infinity)`, is none.
 * @returns what `fn` does
 * @throws GradError
 * @example
 * ```ts
 * const x = tensor([0, 4], { requiresGrad: true });
 * try {
 *   autograd.detectAnomaly(() => x.mul(0).sqrt().sum().backward());
 * } catch (error) {
 *   console.log(String(error)); // … got Infinity from … in the backward of sqrt, called (at …)
 * }
 * ```
 */
export const detectAnomaly: <T>(fn: () => T) => T = taking(
  'detectAnomaly(fn: function, -checkNan: bool = true)',
  (fn: () => unknown) => {
    const before = on;
    set(true);
    try {
      const result = fn();
      expectSynchronous('detectAnomaly', result);
      return result as never;
    } finally {
      set(before);
    }
  },
);
