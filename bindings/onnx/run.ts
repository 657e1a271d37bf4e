// Runs a plan: node by node, with the memory of what nobody needs any more given back.
import { isGradEnabled } from '../autograd.ts';
import { tracing } from '../execute.ts';
import { FormatError, named } from '../memory/errors.ts';
import { scope } from '../scope.ts';
import { Tensor } from '../tensor.ts';
import { type Body, Call } from './operator.ts';
import type { Plan, Step } from './plan.ts';
import { HostArray, Sequence, type Value } from './values.ts';

type Slots = (Value | null)[];
/** The values of a plan's constants. */
export type Constants = ReadonlyMap<Plan, readonly Value[]>;

/** A model at work. */
export interface Run {
  readonly constants: Constants;
  /** The memory of those that are tensors. */
  readonly blocks: ReadonlySet<object>;
  readonly training: boolean;
}

/** Those of the results of fn that somebody reads, with all else that it made freed. */
function alone({ outputs }: Step, fn: () => Slots): Slots {
  let results: Slots = [];
  scope(() => {
    results = fn().map((value, i) => ((outputs[i] ?? -1) < 0 ? null : value));
    const values = results.flatMap((value): Slots => (value instanceof Sequence ? [...value.items] : [value]));
    return values.filter((value) => value instanceof Tensor);
  });
  return results;
}

function bodyOf(plan: Plan, run: Run, slots: Slots): Body {
  return {
    inputs: plan.inputs.length,
    types: plan.types,
    run: (inputs) => runPlan(plan, run, inputs, slots),
  };
}

function runStep(step: Step, run: Run, slots: Slots): Slots {
  const { node, inputs, graphs } = step;
  const values = inputs.map((slot) => (slot < 0 ? null : (slots[slot] ?? null)));
  const bodies = Object.fromEntries(Object.entries(graphs).map(([name, plan]) => [name, bodyOf(plan, run, slots)]));
  const call = new Call(node, values, bodies, run.training);
  try {
    const { host } = node.operator;
    let result: ReturnType<typeof node.operator.run> | undefined;
    if (host && values.every((value) => value instanceof HostArray || value === null))
      result = host(call, ...(values as HostArray[]));
    result ??= node.operator.run(call);
    return Array.isArray(result) ? result : [result as Value];
  } catch (error) {
    throw named(error, `${node.op} '${node.name}'`);
  }
}

/**
 * The results of a plan.
 * @param outer values of the graph around
 */
export function runPlan(plan: Plan, run: Run, inputs: readonly (Value | null)[], outer: Slots = []): readonly Value[] {
  const slots: Slots = new Array(plan.slots).fill(null);
  plan.inputs.forEach((slot, i) => {
    slots[slot] = inputs[i] ?? null;
  });
  for (const [from, to] of plan.captured) slots[to] = outer[from] ?? null;
  const constants = run.constants.get(plan) ?? [];
  plan.constants.forEach(({ slot }, i) => {
    slots[slot] = constants[i] ?? null;
  });
  // A trace has a plan of its own for memory; a tape needs what it noted.
  const frees = !tracing() && !isGradEnabled();
  /** How many slots hold a piece of memory that a step has made. */
  const held = new Map<object, number>();
  for (const step of plan.steps) {
    const results = frees ? alone(step, () => runStep(step, run, slots)) : runStep(step, run, slots);
    step.outputs.forEach((slot, i) => {
      if (slot < 0) return;
      const value = results[i] ?? null;
      if (value === null)
        throw new FormatError(`forward: expected result ${i} of ${step.node.op} '${step.node.name}', got none`);
      slots[slot] = value;
    });
    if (frees) release(step, slots, held, results, run.blocks);
    for (const slot of step.last) slots[slot] = null;
  }
  return plan.outputs.map((slot) => {
    const value = slots[slot] ?? null;
    if (value === null)
      throw new FormatError('onnx: expected each result to be made, got one that is not; mend the model');
    return value;
  });
}

/** Gives back memory that the steps made and no slot holds. */
function release(
  step: Step,
  slots: Slots,
  held: Map<object, number>,
  results: Slots,
  constants: ReadonlySet<object>,
): void {
  const captured = Object.values(step.graphs).flatMap((inner) => inner.captured.map(([outer]) => outer));
  const sources = [...step.inputs, ...captured];
  step.outputs.forEach((slot, i) => {
    const value = results[i];
    // What is in a sequence may be in others as well: it lasts until it is collected.
    if (value instanceof Sequence) for (const item of value.items) if (item instanceof Tensor) held.delete(item.block);
    if (slot < 0 || !(value instanceof Tensor)) return;
    // Views of what came from outside, and constants that a graph within gives, are not for us to free.
    if (constants.has(value.block)) return;
    const fresh = sources.every((input) => {
      const given = input < 0 ? null : slots[input];
      if (given instanceof Sequence) return false;
      return !(given instanceof Tensor) || given.block !== value.block || held.has(given.block);
    });
    if (fresh) held.set(value.block, (held.get(value.block) ?? 0) + 1);
  });
  for (const slot of step.last) {
    const value = slots[slot];
    if (!(value instanceof Tensor)) continue;
    const count = held.get(value.block);
    if (count === undefined) continue;
    if (count > 1) held.set(value.block, count - 1);
    else {
      held.delete(value.block);
      value.dispose();
    }
  }
}
