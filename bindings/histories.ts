// What writes in place do to histories. A noted write becomes a part of the history of what it writes; one to a view,
// of its base: the other views of that, whenever they were made, follow it when they are used next.
import { isExpanded, type Made, titleOf } from './execute.ts';
import { GradError } from './memory/errors.ts';
import { listeners, Node, needsOf } from './node.ts';
import type { AnyRules, Bag, OpName, Ops, Row, Slot } from './ops/core.ts';
import { type Tensor, type ViewSource, views } from './tensor.ts';

/** How a view was made: the call of a row, as a node has it. */
interface Look extends ViewSource {
  /** What it is a view of, which may be one of another. */
  readonly parent: Tensor;
  readonly op: OpName;
  readonly row: Row;
  readonly attrs: unknown;
  /** Whether while nothing was noted: then it cannot say what a noted write means for it. */
  readonly untracked: boolean;
}
type Backward = NonNullable<AnyRules['backward']>;
type OneToOne = (inputs: { readonly x: Tensor }, attrs: unknown) => Tensor;

/** Notes how a view was made. */
export function noteView(op: OpName, row: Row, { x }: Bag, { y }: Made, attrs: unknown, noted: boolean): void {
  const parent = x as Tensor;
  const { source } = parent;
  const base = source?.base ?? parent;
  const untracked = !noted || ((source as Look | null)?.untracked ?? false);
  const look: Look = { base, parent, op, row, attrs, untracked };
  const view = y as Tensor;
  view.source = look;
  view.edition = base.edition;
}

views.renew = (view) => {
  const { base, parent, op, row, attrs, untracked } = view.source as Look;
  const noted = parent.requiresGrad;
  if (noted && untracked)
    throw new GradError(
      `${op}: expected a view made outside of noGrad(), as its whole is written with a gradient, got one made inside; make both inside or both outside`,
    );
  view.edition = base.edition;
  if (!noted) return;
  // As it was, it goes on in the nodes that used it: walk.ts finds it there.
  const inputs = { x: parent, y: standIn(view, false) };
  view.madeBy(new Node(op, row, inputs, inputs, { y: view }, attrs, { x: true }), 0);
};

/** The state of `x` before it is written, as a tensor of its own, which stands for it in the nodes before. */
export function standIn(x: Tensor, written: boolean): Tensor {
  x.leaveHistory(written);
  const before = x.detach();
  if (!x.node) return before;
  before.madeBy(x.node, x.slot);
  x.node.outputs[x.slot] = before;
  listeners.moved?.(x, before);
  return before;
}

/** Whether what the row writes as `name` is one of its results: then it gets a history by the write. */
const isResult = (row: Row, name: string): boolean => row.outputs.some((output) => output.name === name);

/** @throws GradError where a write in place would leave a history that is not right */
export function checkWrites(op: OpName, row: Row, inputs: Bag, attrs: unknown): void {
  for (const { name, writes } of row.inputs) {
    const x = inputs[name] as Tensor | null;
    if (!x || !(writes ? x.source || x.requiresGrad : !row.rules.backward && x.requiresGrad)) continue;
    const wrong = writes ? wrongWrite(x, name, isResult(row, name)) : lostGradient(name);
    if (wrong)
      throw new GradError(`${titleOf(op, row.rules, inputs, attrs)}: expected ${wrong}; write inside noGrad(() => …)`);
  }
}

const lostGradient = (name: string): string =>
  `${name} not to want a gradient, which this write does not have, got one that wants it`;

/** What is wrong with a noted write to x; '' if nothing. */
function wrongWrite(x: Tensor, name: string, result: boolean): string {
  const base = x.source?.base ?? x;
  const view = base === x ? '' : 'a view of ';
  if ((base.requiresGrad && base.isLeaf) || (x.requiresGrad && x.isLeaf))
    return `${name} not to be ${view}a leaf that requires a gradient, which would lose it, got ${view ? 'one' : 'such a leaf'}`;
  if (x.requiresGrad && !result)
    return `${name} not to have a history, since this write has no gradient, got a recorded result`;
  if (view && result && isExpanded(base)) return `${name} not to be a view of an expanded tensor, got one`;
  return base.requiresGrad && (x.source as Look | null)?.untracked
    ? `${name} to be a view made outside of noGrad(), got one made inside`
    : '';
}

/** Notes a write: what is written, or its base, gets another history. */
export function noteWrite(op: OpName, row: Row, inputs: Bag, ready: Bag, results: Made, attrs: unknown): void {
  const needs = { ...needsOf(row, inputs) };
  const edges: Record<string, Slot> = { ...inputs };
  const outputs = { ...results };
  let noted = row;
  for (const { name, writes } of row.inputs) {
    if (!writes || !isResult(row, name)) continue;
    const x = inputs[name] as Tensor;
    const { source } = x;
    const base = source?.base ?? x;
    if (source) noted = through(noted, name, x, pathOf(source as Look));
    needs[name] = base.requiresGrad;
    edges[name] = standIn(base, true);
    outputs[name] = base;
  }
  const node = new Node(op, noted, edges, ready, outputs, attrs, needs);
  for (const [slot, y] of node.outputs.entries()) {
    y.madeBy(node, slot);
    y.edition++;
  }
}

/** The looks that lead from the base to a view. */
function pathOf(source: Look): readonly Look[] {
  const path: Look[] = [];
  for (let look: Look | null = source; look; look = look.parent.source as Look | null) path.unshift(look);
  return path;
}

/** The row of a write to the view `x` of a base, as a write to that base: all but the view stays as it was. */
function through(row: Row, name: string, { sizes }: Tensor, path: readonly Look[]): Row {
  const { steps } = (path[0] as Look).base;
  const inner = row.rules.backward as Backward;
  const backward: Backward = (o, g, saved, attrs, context) => {
    const look = (x: Tensor): Tensor => path.reduce((y, { op, attrs }) => (o[op] as OneToOne)({ x: y }, attrs), x);
    const whole = laidAs(o, g[name] as Tensor, steps);
    const { needs, noted, shapes } = context;
    const inside = { needs, noted, shapes: { ...(shapes as object), [name]: sizes } };
    const gradients = inner(o, { ...g, [name]: look(whole) }, saved, attrs, inside);
    if (!(needs as Record<string, boolean>)[name]) return gradients;
    // The rest of the base is as it was before, and the view what the write left of it.
    const rest = laidAs(o, whole, steps, true);
    o.copy({ y: look(rest), x: (gradients[name] as Tensor | null) ?? o.full({}, { shape: [], value: 0 }) });
    return { ...gradients, [name]: rest };
  };
  return { ...row, rules: { ...row.rules, backward } };
}

/** x in memory whose dims lie in the order of those with `steps`, so that the same looks fit; a copy if it is asked. */
function laidAs(o: Ops, x: Tensor, steps: readonly number[], copied = false): Tensor {
  const order = steps.map((_, d) => d).sort((a, b) => (steps[b] as number) - (steps[a] as number));
  if (order.every((dim, d) => dim === d)) return copied || !x.isContiguous() ? o.contiguous({ x }) : x;
  const back = order.map((_, d) => order.indexOf(d));
  return o.permute({ x: o.contiguous({ x: o.permute({ x }, { dims: order }) }) }, { dims: back });
}
