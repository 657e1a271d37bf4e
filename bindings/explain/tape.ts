// What ran, op by op, as the tape has it: by that the rules that change the way back find what a model is made of, be
// it modules or functions.
import { allOps, withTape } from '../autograd.ts';
import { setWatch, watching } from '../execute.ts';
import { ArgumentError, GradError } from '../memory/errors.ts';
import { Module } from '../nn/module.ts';
import { listeners, type Node } from '../node.ts';
import type { AnyRules, Bag, Slot } from '../ops/core.ts';
import { Tensor } from '../tensor.ts';
import type { Model } from './options.ts';

/** The way back of an op: gradients of the inputs by name. */
export type Back = NonNullable<AnyRules['backward']>;
type Gradients = Parameters<Back>[1];
type Found = ReturnType<Back>;

/** An op that ran, with the inputs that it read. */
export interface Step {
  readonly node: Node;
  /** Versions of the memory of its inputs, which a write in place changes. */
  readonly versions: readonly number[];
}

const tensorsIn = (slot: Slot | undefined): readonly Tensor[] => (slot instanceof Tensor ? [slot] : (slot ?? []));
const versionsOf = ({ inputs }: Node): number[] =>
  Object.values(inputs).flatMap((slot) => tensorsIn(slot).map(({ block }) => block.version));

/** What ran between some leaves and a result. */
export interface Recording<T> {
  readonly result: T;
  /** The ops whose results depend on the leaves, in the order in which they ran. */
  readonly steps: readonly Step[];
  /** Whether a tensor depends on them. */
  readonly varies: (x: unknown) => boolean;
}

/** Calls `fn`, and notes each op that depends on `leaves`, with the module that called it. */
export function recorded<T>(leaves: readonly Tensor[], fn: () => T): Recording<T> {
  const steps: Step[] = [];
  // Found out as they run: later writes give tensors other histories.
  const reached = new Set<unknown>(leaves);
  const { noted } = listeners;
  // Nodes know their modules where anybody watches.
  const watches = watching() === null;
  listeners.noted = (node) => {
    noted?.(node);
    const depends =
      Object.values(node.inputs).some((slot) => tensorsIn(slot).some((x) => reached.has(x))) ||
      node.outputs.some((y) => reached.has(y));
    if (!depends) return;
    for (const y of node.outputs) reached.add(y);
    steps.push({ node, versions: versionsOf(node) });
  };
  if (watches) setWatch((_op, _module, run) => run());
  try {
    return { result: withTape(true, fn), steps, varies: (x) => reached.has(x) };
  } finally {
    listeners.noted = noted;
    if (watches) setWatch(null);
  }
}

/** The path of the module that called an op, for messages. */
function whereOf(model: Model, { module }: Node): string {
  if (!module) return '';
  const { name } = module.module.constructor;
  const path = model instanceof Module && model.namedModules().find(([, each]) => each === module.module)?.[0];
  return path ? ` in '${path}' (${name})` : ` in ${name}`;
}

/** @throws ArgumentError that names the op, and the module that called it */
export function refuse(op: string, model: Model, node: Node, cure: string): never {
  throw new ArgumentError(
    `${op}: expected ops that it has a rule for, got ${node.name}${whereOf(model, node)}; ${cure}`,
  );
}

/** @throws GradError where an input of `step` was written since */
export function expectUnwritten(op: string, model: Model, { node, versions }: Step): void {
  const now = versionsOf(node);
  if (now.some((version, i) => version !== versions[i]))
    throw new GradError(
      `${op}: expected inputs that stay what they were, got one of ${node.name}${whereOf(model, node)} that was written in place; write to a clone()`,
    );
}

/** Has the walk ask `back` where it would ask the rule of the op; `back` may ask that itself. */
export function override(node: Node, back: (own: Back, ...args: Parameters<Back>) => Found): void {
  const own = node.row.rules.backward as Back;
  const rules = { ...node.row.rules, backward: (...args: Parameters<Back>) => back(own, ...args) };
  Object.assign(node, { row: { ...node.row, rules } });
}

/** The gradient of the one result. */
export const gradientOf = (node: Node, g: Gradients): Tensor => g[node.row.differentiable[0] as string] as Tensor;
/** The same, of another value. */
export const asGradient = (node: Node, g: Tensor): Gradients => ({ [node.row.differentiable[0] as string]: g });

/** What the op gives for other inputs. */
export function called(node: Node, inputs: Bag): Tensor {
  const run = (allOps as unknown as Record<string, (inputs: Bag, attrs: unknown) => Tensor>)[node.name];
  return (run as (inputs: Bag, attrs: unknown) => Tensor)(inputs, node.attrs);
}
