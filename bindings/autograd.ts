// The tape: calling an op through `ops` runs its row and, where a gradient is wanted, notes it. walk.ts walks the
// notes.
import {
  compute,
  lastWantsGrad,
  type Made,
  type ModuleLink,
  moduleNow,
  prepare,
  releaseCopies,
  titleOf,
} from './execute.ts';
import { expectSynchronous, GradError } from './memory/errors.ts';
import type { Bag, OpName, Ops, Row, Slot } from './ops/core.ts';
import { coreRows } from './ops/rows.ts';
import { callable, taking } from './signature.ts';
import { type GradNode, Tensor } from './tensor.ts';

/** Which inputs want a gradient. */
export type Needs = Readonly<Record<string, boolean | readonly boolean[]>>;

/** One noted call. */
export class Node implements GradNode {
  /** Later calls have higher numbers, so that descending order is a reverse topological order. */
  readonly sequence: number;
  readonly name: OpName;
  readonly row: Row;
  readonly attrs: unknown;
  /** What it was called with: edges to the nodes before. */
  readonly inputs: Bag;
  readonly needs: Needs;
  /** The differentiable results, by slot. */
  readonly outputs: Tensor[];
  /** What backward reads; null once it has. */
  saved: Bag | null;
  /** Versions of the saved tensors' blocks when they were saved. */
  readonly versions: readonly number[];
  /** Results that only backward reads. */
  readonly auxiliary: readonly Tensor[];
  /** The module whose forward called it, where anybody wants to know. */
  readonly module: ModuleLink | null = moduleNow();

  constructor(name: OpName, row: Row, inputs: Bag, ready: Bag, results: Made, attrs: unknown, needs: Needs) {
    this.sequence = sequence++;
    this.name = name;
    this.row = row;
    this.attrs = attrs;
    this.inputs = inputs;
    this.needs = needs;
    const saved: Record<string, Slot> = {};
    const versions: number[] = [];
    for (const key of row.rules.saves ?? NONE) {
      const given = ready[key];
      const x = given === undefined ? (results[key] as Tensor) : given;
      saved[key] = x;
      if (x instanceof Tensor) versions.push(x.block.version);
      else if (x) for (const item of x) versions.push(item.block.version);
    }
    this.saved = saved;
    this.versions = versions;
    this.outputs = row.differentiable.map((key) => results[key] as Tensor);
    this.auxiliary = row.auxiliary.length === 0 ? NO_TENSORS : row.auxiliary.map((key) => results[key] as Tensor);
  }
}

const NONE: readonly string[] = [];
const NO_TENSORS: readonly Tensor[] = [];

let enabled = true;
let sequence = 0;

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

/** Which inputs want a gradient. */
function needsOf(row: Row, inputs: Bag): Needs {
  const needs: Record<string, boolean | readonly boolean[]> = {};
  for (const { name, many } of row.inputs) {
    const x = inputs[name] as Slot;
    needs[name] = many
      ? (x as readonly Tensor[]).map((item) => item.requiresGrad)
      : ((x as Tensor | null)?.requiresGrad ?? false);
  }
  return needs;
}

/** Whether what the row writes as `name` is one of its results: then it gets a history by the write. */
const isResult = (row: Row, name: string): boolean => row.outputs.some((output) => output.name === name);

/** @throws GradError where a write in place would leave a history that is not right */
function checkWrites(op: OpName, row: Row, inputs: Bag, attrs: unknown): void {
  const title = titleOf(op, row.rules, inputs, attrs);
  for (const { name, writes } of row.inputs) {
    const x = inputs[name] as Tensor | null;
    if (!x) continue;
    if (!writes && x.requiresGrad && !row.rules.backward)
      throw new GradError(
        `${title}: expected ${name} not to want a gradient, which this write does not have, got one that wants it; write inside noGrad(() => …)`,
      );
    if (!writes) continue;
    if (x.requiresGrad && x.isLeaf)
      throw new GradError(
        `${title}: expected ${name} not to be a leaf that requires a gradient, which would lose it, got such a leaf; write inside noGrad(() => …)`,
      );
    const result = isResult(row, name);
    if (x.requiresGrad && !result)
      throw new GradError(
        `${title}: expected ${name} not to have a history, since this write has no gradient, got a recorded result; write inside noGrad(() => …)`,
      );
    if (x.isView && result)
      throw new GradError(
        `${title}: expected ${name} to be no view while gradients are noted, got one; write to the whole tensor, or inside noGrad(() => …)`,
      );
  }
}

/**
 * A write in place becomes part of the history of what it writes. The tensor's state before it goes on under another
 * tensor, which stands for it in the node.
 */
function withStandIns(row: Row, inputs: Bag): Bag {
  const edges: Record<string, Slot> = { ...inputs };
  for (const { name, writes } of row.inputs)
    if (writes && isResult(row, name)) {
      const x = inputs[name] as Tensor;
      edges[name] = standIn(x);
      x.block.histories++;
    }
  return edges;
}

/** The state of `x` before it is written, as a tensor of its own. */
function standIn(x: Tensor): Tensor {
  const before = x.detach();
  if (!x.node) return before;
  before.madeBy(x.node, x.slot);
  (x.node as Node).outputs[x.slot] = before;
  return before;
}

/** Runs a row, and notes it where a gradient is wanted. @returns the public results by name */
function apply(op: OpName, row: Row, inputs: Bag, attrs: unknown): Made {
  const ready = prepare(op, row, inputs, attrs);
  const noted = enabled && lastWantsGrad() && (row.writes || row.rules.backward !== undefined);
  let results: Made;
  try {
    if (noted && row.writes) checkWrites(op, row, inputs, attrs);
    results = compute(op, row, ready, attrs);
  } catch (error) {
    if (ready !== inputs) releaseCopies(row, inputs, ready);
    throw error;
  }
  if (noted && row.rules.backward) {
    const edges = row.writes ? withStandIns(row, inputs) : inputs;
    const node = new Node(op, row, edges, ready, results, attrs, needsOf(row, inputs));
    for (let slot = 0; slot < node.outputs.length; slot++) {
      (node.outputs[slot] as Tensor).madeBy(node, slot);
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
