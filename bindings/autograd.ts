// The tape: calling an op through `ops` runs its row and, where a gradient is wanted, notes it. walk.ts walks the
// notes.
import { compute, lastWantsGrad, type Made, prepare, releaseCopies } from './execute.ts';
import { checkWrites, noteView, noteWrite } from './histories.ts';
import { expectSynchronous } from './memory/errors.ts';
import { Node, needsOf, noteCopies } from './node.ts';
import type { Bag, OpName, Ops, Row } from './ops/core.ts';
import { coreRows } from './ops/rows.ts';
import { callable, taking } from './signature.ts';
import type { Tensor } from './tensor.ts';

let enabled = true;

/** Whether ops are noted. */
export const notes = (): boolean => enabled;

/** Calls `fn` with the tape on or off, and restores it after, also after a throw. */
export function withTape<T>(on: boolean, fn: () => T, op = 'noGrad'): T {
  const before = enabled;
  enabled = on;
  try {
    const result = fn();
    expectSynchronous(op, result);
    return result;
  } finally {
    enabled = before;
  }
}

/** Calls `fn` without noting anything. */
export const withoutTape = <T>(fn: () => T): T => withTape(false, fn);

/** Whether ops are noted for backward() (PyTorch's `is_grad_enabled`). */
export const isGradEnabled = callable('isGradEnabled()', (): boolean => enabled);

/**
 * Calls `fn` without noting anything: nothing made inside has a gradient (PyTorch's `no_grad`).
 * @returns what `fn` does
 * @throws ArgumentError where `fn` is asynchronous
 */
export const noGrad: <T>(fn: () => T) => T = taking('noGrad(fn: function)', withoutTape);

/** Calls `fn` and notes it, also inside of {@link noGrad} (PyTorch's `enable_grad`). It gives what `fn` does. */
export const enableGrad: <T>(fn: () => T) => T = taking('enableGrad(fn: function)', (fn) =>
  withTape(true, fn, 'enableGrad'),
);

/**
 * Calls `fn` with the noting of ops on or off; without `fn` it is on or off from now on (PyTorch's `set_grad_enabled`).
 */
export const setGradEnabled: {
  (mode: boolean): void;
  <T>(mode: boolean, fn: () => T): T;
} = taking('setGradEnabled(mode: bool, fn?: function)', (mode: boolean, fn?: () => unknown): unknown => {
  if (fn) return withTape(mode, fn, 'setGradEnabled');
  enabled = mode;
  return undefined;
});

/** Runs a row, and notes it where a gradient is wanted. @returns the public results by name */
function apply(op: OpName, row: Row, inputs: Bag, attrs: unknown): Made {
  const ready = prepare(op, row, inputs, attrs);
  // Before it computes: who watches may compute as well.
  const noted = enabled && lastWantsGrad() && row.rules.backward !== undefined;
  let results: Made;
  try {
    if (enabled && row.writes) checkWrites(op, row, inputs, attrs);
    results = compute(op, row, ready, attrs);
  } catch (error) {
    if (ready !== inputs) releaseCopies(row, inputs, ready);
    throw error;
  }
  if (row.looks && ready === inputs) noteView(op, row, inputs, results, attrs, enabled);
  if (noted) {
    if (ready !== inputs) noteCopies(row, inputs, ready);
    if (row.writes) noteWrite(op, row, inputs, ready, results, attrs);
    else {
      const node = new Node(op, row, inputs, ready, results, attrs, needsOf(row, inputs));
      for (let slot = 0; slot < node.outputs.length; slot++) {
        (node.outputs[slot] as Tensor).madeBy(node, slot);
      }
    }
  } else {
    for (const key of row.auxiliary) (results[key] as Tensor).dispose();
    if (ready !== inputs && !row.rules.view) releaseCopies(row, inputs, ready);
  }
  return results;
}

/** The results without those that only backward reads. */
function publicOf(row: Row, made: Made): Made {
  if (row.auxiliary.length === 0) return made;
  return Object.fromEntries(Object.entries(made).filter(([name]) => !row.auxiliary.includes(name)));
}

/** A row, ready to call: checks, computes, notes. */
function callerOf(op: OpName, row: Row): unknown {
  const { sole } = row;
  return sole === null
    ? (inputs: Bag, attrs?: unknown) => publicOf(row, apply(op, row, inputs, attrs))
    : (inputs: Bag, attrs?: unknown) => apply(op, row, inputs, attrs)[sole];
}

const all: Record<string, unknown> = {};

/**
 * The ops of a family, ready to call; rules find them from then on. Says that it has no side effects, so that bundlers
 * leave out the families whose ops nobody calls.
 */
/* @__NO_SIDE_EFFECTS__ */
export function familyOps<R extends Partial<Readonly<Record<OpName, Row>>>>(family: R): Pick<Ops, keyof R & OpName> {
  // An object of its own, made at once: engines load its properties as constants.
  const own = Object.fromEntries(Object.entries(family).map(([name, row]) => [name, callerOf(name as OpName, row)]));
  Object.assign(all, own);
  return own as unknown as Pick<Ops, keyof R & OpName>;
}

/** The ops of the core. */
export const ops = familyOps(coreRows);

/** What rules are given: all ops that there are in this program. */
export const allOps = Object.assign(all, ops) as Ops;
