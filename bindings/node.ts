// One noted call, as the tape has it.
import { type Made, type ModuleLink, moduleNow } from './execute.ts';
import type { Bag, OpName, Row, Slot } from './ops/core.ts';
import { coreRows } from './ops/rows.ts';
import { type GradNode, Tensor } from './tensor.ts';

let sequence = 0;

/** Those who want to know of notes and walks, which most programs have none of. */
export const listeners: {
  /** Of a backward() that is about to begin. @param inputs null: of all leaves */
  began: ((root: Tensor, inputs: ReadonlySet<Tensor> | null) => void) | null;
  /** Of each node that is noted. */
  noted: ((node: Node) => void) | null;
  /** Of each node whose rule a walk is about to ask, with what has come together so far; null: it is over. */
  asked: ((node: Node | null, gradients?: { get(x: Tensor): Tensor | undefined }) => void) | null;
  /** Of the whole gradient of x. @returns what goes on */
  gradient: ((x: Tensor, g: Tensor) => Tensor) | null;
  /** Of what has a new `.grad`. */
  accumulated: ((x: Tensor) => void) | null;
  /** Of a tensor that gets another history, and what stands for it as it was. */
  moved: ((x: Tensor, before: Tensor) => void) | null;
  /** How often what listens to tensors from outside of a trace changed. */
  changes: number;
} = { began: null, noted: null, asked: null, gradient: null, accumulated: null, moved: null, changes: 0 };

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
  /** Makes the saved tensors again, where they are not kept. */
  recall: (() => Bag) | null = null;
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
    listeners.noted?.(this);
  }
}

/** Has contiguous copies that are about to be saved come from what they are copies of, for second derivatives. */
export function noteCopies(row: Row, inputs: Bag, ready: Bag): void {
  const note = (copy: Tensor, x: Tensor): void => {
    if (copy === x || !x.requiresGrad) return;
    copy.madeBy(new Node('contiguous', coreRows.contiguous, { x }, { x }, { y: copy }, undefined, { x: true }), 0);
  };
  for (const key of row.rules.saves ?? NONE) {
    const [copy, x] = [ready[key], inputs[key]];
    if (copy instanceof Tensor) note(copy, x as Tensor);
    else for (let i = 0; copy && i < copy.length; i++) note(copy[i] as Tensor, (x as readonly Tensor[])[i] as Tensor);
  }
}

const NONE: readonly string[] = [];
const NO_TENSORS: readonly Tensor[] = [];

/** Which inputs want a gradient. */
export function needsOf(row: Row, inputs: Bag): Needs {
  const needs: Record<string, boolean | readonly boolean[]> = {};
  for (const { name, many } of row.inputs) {
    const x = inputs[name] as Slot;
    needs[name] = many
      ? (x as readonly Tensor[]).map((item) => item.requiresGrad)
      : ((x as Tensor | null)?.requiresGrad ?? false);
  }
  return needs;
}
