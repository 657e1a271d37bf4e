// The walker: from a result back to the leaves, asking each noted row for the gradients of its inputs.
import { allOps, ops, withTape } from './autograd.ts';
import { runtime } from './engine/engine.ts';
import { withModules } from './execute.ts';
import type { Scope } from './memory/arena.ts';
import { formatShape, GradError } from './memory/errors.ts';
import { listeners, type Node } from './node.ts';
import type { Bag, Slot } from './ops/core.ts';
import { sameShape } from './ops/shapes.ts';
import type { SparseTensor } from './ops/sparse-tensor.ts';
import { type GradNode, Tensor } from './tensor.ts';

/** How to walk; see BackwardOptions. */
interface WalkOptions {
  readonly retainGraph: boolean | null;
  readonly createGraph: boolean;
}

/**
 * What input `x` of `node` was when the node was noted: a later write in place has given `x` another history, and left
 * the one before to a tensor that stands for it in the node of the write, or in that by which a view follows its base.
 */
function asNoted({ sequence }: Pick<Node, 'sequence'>, x: Tensor): Tensor {
  let was = x;
  while (was.node && was.node.sequence >= sequence) {
    const { row, inputs } = was.node as Node;
    was = inputs[row.differentiable[was.slot] as string] as Tensor;
  }
  return was;
}

/** All nodes that `roots` came from, the latest first. */
export function reachable(roots: readonly Tensor[]): Node[] {
  const seen = new Set<GradNode>();
  const stack = roots.map((root) => root.node);
  const nodes: Node[] = [];
  let sorted = true;
  let last = Number.POSITIVE_INFINITY;
  const reach = (node: Node, x: Tensor): void => {
    // To ask has views follow their bases now, and not on the way.
    const before = x.node && x.requiresGrad && asNoted(node, x).node;
    if (before) stack.push(before);
  };
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (!node || seen.has(node)) continue;
    seen.add(node);
    nodes.push(node as Node);
    sorted &&= node.sequence < last;
    last = node.sequence;
    // A node that was walked already goes nowhere; visiting it says so.
    if ((node as Node).saved === null) continue;
    const { row, inputs } = node as Node;
    for (const { name } of row.inputs) {
      const slot = inputs[name] as Slot;
      if (slot instanceof Tensor) reach(node as Node, slot);
      else if (slot) for (const x of slot) reach(node as Node, x);
    }
  }
  return sorted ? nodes : nodes.sort((a, b) => b.sequence - a.sequence);
}

function checkSaved(op: string, x: Tensor, version: number | undefined): void {
  x.checkAlive();
  if (x.block.version !== version)
    throw new GradError(
      `backward: expected the values that ${op} saved, got a tensor of shape ${formatShape(x.sizes)} that was written since; call backward() before changing it`,
    );
}

/** The saved values of `node`, after checking that they still are what forward saw. */
function unlock({ saved, name, versions, recall }: Node): Bag {
  if (!saved)
    throw new GradError(
      `backward: expected the values that ${name} saved, got a graph that was walked already; pass { retainGraph: true } the first time`,
    );
  if (recall) return recall();
  let at = 0;
  for (const key in saved) {
    const slot = saved[key];
    if (slot instanceof Tensor) checkSaved(name, slot, versions[at++]);
    else if (slot) for (const x of slot) checkSaved(name, x, versions[at++]);
  }
  return saved;
}

/** Sums a gradient over the dims that broadcasting stretched, so that it has the input's shape. */
function unbroadcast(g: Tensor, input: Tensor): Tensor {
  if (sameShape(g.sizes, input.sizes)) return g;
  const lead = g.ndim - input.ndim;
  let result = g;
  if (lead > 0) result = ops.sum({ x: result }, { dim: 0, end: lead, keepdim: false });
  for (let d = 0; d < input.ndim; ) {
    let end = d;
    while (end < input.ndim && input.sizes[end] === 1 && result.sizes[end] !== 1) end++;
    if (end > d) result = ops.sum({ x: result }, { dim: d, end, keepdim: true });
    d = Math.max(end, d + 1);
  }
  return result;
}

/** A gradient, of which a sparse one is made dense. */
export const denseOf = (g: Tensor): Tensor => (g.isSparse ? (g as SparseTensor).toDense() : g);

/** The sum of two gradients; that of sparse ones is sparse. */
export const sumOf = (a: Tensor, b: Tensor): Tensor =>
  a.isSparse ? (a as SparseTensor).plus(b) : ops.add({ a, b: denseOf(b) });

/** A gradient on its way. */
class Gradient {
  g: Tensor;
  /** Whether it is a sum that was made for it alone: others may be added to it in place. */
  owned: boolean;

  constructor(g: Tensor, owned: boolean) {
    this.g = g;
    this.owned = owned;
  }
}

/** Gradients on their way. Blocks count those that lie in them, so that one nobody needs any more goes at once. */
class Pending {
  readonly #gradients = new Map<Tensor, Gradient>();

  get(x: Tensor): Tensor | undefined {
    return this.#gradients.get(x)?.g;
  }

  /** The whole gradient of `x`, about to be read: from here on others may share its memory. */
  take(x: Tensor): Tensor | null {
    const gradient = this.#gradients.get(x);
    if (!gradient) return null;
    gradient.owned = false;
    return gradient.g;
  }

  /** @returns a sum that was made for it, if one was */
  add(x: Tensor, g: Tensor, createGraph: boolean): Tensor | null {
    const before = this.#gradients.get(x);
    if (!before) {
      this.#gradients.set(x, new Gradient(g, false));
      g.block.gradients++;
    } else if (before.owned && !createGraph) ops.addInto({ y: before.g, x: denseOf(g) });
    else {
      // The first one may be shared with another tensor (add hands the same to both): sum into a new one.
      const sum = sumOf(before.g, g);
      before.g.block.gradients--;
      sum.block.gradients++;
      before.g = sum;
      before.owned = !sum.isSparse;
      return sum;
    }
    return null;
  }

  /** Has the listeners say what goes on of the whole gradient of `x`. */
  hear(x: Tensor): void {
    const gradient = listeners.gradient && this.#gradients.get(x);
    if (!gradient) return;
    const g = listeners.gradient?.(x, gradient.g) as Tensor;
    gradient.g.block.gradients--;
    g.block.gradients++;
    gradient.g = g;
    gradient.owned = false;
  }

  /** Forgets the gradient of `x`, and frees it if it is a temporary of the walk that no other gradient shares. */
  drop(x: Tensor, temporary: Scope | null): void {
    const g = this.#gradients.get(x)?.g;
    if (!g) return;
    this.#gradients.delete(x);
    g.block.gradients--;
    if (temporary && g.block.scope === temporary && g.block.gradients === 0) g.block.free();
  }

  /** Forgets all. */
  clear(): void {
    for (const { g } of this.#gradients.values()) g.block.gradients = 0;
    this.#gradients.clear();
  }
}

/** What backward knows of the forward call; few rules ask for the shapes. */
class Context {
  readonly #node: Node;
  readonly noted: boolean;

  constructor(node: Node, noted: boolean) {
    this.#node = node;
    this.noted = noted;
  }

  get needs(): Node['needs'] {
    return this.#node.needs;
  }

  get shapes(): Record<string, unknown> {
    const { row, inputs } = this.#node;
    const shapes: Record<string, unknown> = {};
    for (const { name } of row.inputs) {
      const x = inputs[name] as Slot;
      shapes[name] = x instanceof Tensor ? x.sizes : (x?.map(({ sizes }) => sizes) ?? null);
    }
    return shapes;
  }
}

/** What rows give for the gradients of their inputs. */
type InputGrads = Readonly<Record<string, Tensor | null | readonly (Tensor | null)[] | undefined>>;

class Walk {
  readonly #pending = new Pending();
  readonly #reached = new Set<Tensor>();
  readonly #wanted: (x: Tensor) => boolean;
  readonly #createGraph: boolean;
  /** Temporaries of the walk go when it ends; with createGraph they belong to the new graph and stay. */
  readonly #temporary: Scope | null;

  constructor(wanted: (x: Tensor) => boolean, createGraph: boolean, temporary: Scope | null) {
    this.#wanted = wanted;
    this.#createGraph = createGraph;
    this.#temporary = temporary;
  }

  /** Adds `g` to the gradient of x. @returns a sum that was made for it, if one was */
  reach(x: Tensor, g: Tensor): Tensor | null {
    const sum = this.#pending.add(x, g, this.#createGraph);
    if (this.#wanted(x)) {
      x.checkAlive(); // a freed tensor would keep its gradient for ever
      this.#reached.add(x);
    }
    return sum;
  }

  /** Takes the gradients of a node's results, and passes those of its inputs on. */
  visit(node: Node): void {
    const { row, outputs } = node;
    const g: Record<string, Tensor | null> = {};
    let some = false;
    for (let slot = 0; slot < outputs.length; slot++) {
      this.#pending.hear(outputs[slot] as Tensor);
      const gradient = this.#pending.take(outputs[slot] as Tensor);
      g[row.differentiable[slot] as string] = gradient;
      some ||= gradient !== null;
    }
    if (some && node.module) this.#askInside(node, g);
    else if (some) this.#ask(node, g);
    for (const y of outputs) if (!this.#reached.has(y)) this.#pending.drop(y, this.#temporary);
  }

  /** On its own, since what a closure holds is made at every call of the function around it. */
  #askInside(node: Node, g: Readonly<Record<string, Tensor | null>>): void {
    withModules(node.module, () => this.#ask(node, g));
  }

  #ask(node: Node, g: Readonly<Record<string, Tensor | null>>): void {
    listeners.asked?.(node, this.#pending);
    const saved = unlock(node);
    const { row, inputs, needs, attrs } = node;
    const { arena } = runtime();
    const inner = this.#createGraph ? null : arena.open();
    try {
      const gradients = row.rules.backward?.(
        allOps,
        g,
        saved,
        attrs,
        new Context(node, this.#createGraph),
      ) as InputGrads;
      for (const { name } of row.inputs) {
        const gradient = gradients[name];
        const flags = needs[name];
        if (!gradient || !flags) continue;
        const slot = inputs[name] as Tensor | readonly Tensor[];
        if (slot instanceof Tensor) this.#give(node, slot, gradient as Tensor, inner);
        else
          for (let i = 0; i < slot.length; i++) {
            const dx = (gradient as readonly (Tensor | null)[])[i];
            if (dx && (flags as readonly boolean[])[i]) this.#give(node, slot[i] as Tensor, dx, inner);
          }
      }
    } finally {
      if (inner) arena.close(inner);
    }
  }

  /** Passes the gradient of an input on; what lies in `inner`, which ends, goes on living in the walk's own scope. */
  #give(node: Node, input: Tensor, dx: Tensor, inner: Scope | null): void {
    const x = asNoted(node, input);
    const shaped = unbroadcast(dx, x);
    const sum = this.reach(x, shaped);
    if (!inner) return;
    const { arena } = runtime();
    if (shaped.block.scope === inner) arena.adopt(shaped.block, this.#temporary);
    if (sum && sum.block.scope === inner) arena.adopt(sum.block, this.#temporary);
  }

  /** The gradient of each wanted tensor, in memory of its own. */
  results(): Map<Tensor, Tensor> {
    const results = new Map<Tensor, Tensor>();
    const temporary = this.#temporary;
    for (const x of this.#reached) {
      if (!x.node) this.#pending.hear(x);
      const g = this.#pending.get(x) as Tensor;
      const exclusive =
        temporary && g.block.scope === temporary && g.block.gradients === 1 && g.isContiguous() && g.offset === 0;
      results.set(x, exclusive ? g : ops.contiguous({ x: denseOf(g) }));
    }
    return results;
  }

  /** Lets go of what is still on its way. */
  end(): void {
    this.#pending.clear();
  }
}

/**
 * Walks from `roots` to the start.
 * @param given the gradient of each root; where absent the root is a single number and gets 1
 * @param accept looks at the results before the graph is let go of: where it throws, all is as it was
 * @returns the gradient of each wanted tensor, in memory of its own, owned by the scope around
 */
export function walk(
  roots: readonly Tensor[],
  given: readonly (Tensor | null)[],
  wanted: (x: Tensor) => boolean,
  { createGraph, retainGraph }: WalkOptions,
  accept: (results: Map<Tensor, Tensor>) => void = () => {},
): Map<Tensor, Tensor> {
  const { arena } = runtime();
  const nodes = reachable(roots);
  const temporary = createGraph ? null : arena.open();
  const path = new Walk(wanted, createGraph, temporary);
  try {
    return withTape(createGraph, () => {
      roots.forEach((root, i) => {
        path.reach(root, given[i] ?? ops.full({}, { shape: root.sizes, value: 1 }));
      });
      for (const node of nodes) path.visit(node);
      const results = path.results();
      accept(results);
      if (!(retainGraph ?? createGraph)) for (const node of nodes) release(node);
      if (temporary) for (const g of results.values()) arena.lift(g.block, temporary);
      return results;
    });
  } finally {
    listeners.asked?.(null);
    path.end();
    if (temporary) arena.close(temporary);
  }
}

/** Lets go of what a node saved; auxiliary results, which only backward reads, are freed. */
function release(node: Node): void {
  if (!node.saved) return;
  for (const x of node.auxiliary) x.dispose();
  node.saved = null;
}
