// Listens to backward(): tells reducers of each gradient as soon as nothing more is added to it, and hands on what they
// made of it.
import { tracing } from '../../execute.ts';
import { listeners, type Node } from '../../node.ts';
import type { Slot } from '../../ops/core.ts';
import { Tensor } from '../../tensor.ts';
import { reachable } from '../../walk.ts';
import { abandon, poke } from '../progress.ts';
import type { Gradients, Reducer } from './reducer.ts';

const reducers = new Set<WeakRef<Reducer>>();
/** Of a reducer, one that was made later for the same parameters, as for the next Trainer of a model: that reduces. */
const heirs = new WeakMap<Reducer, WeakRef<Reducer>>();

/** Whether another reduces what `reducer` would. */
function isReplaced(reducer: Reducer): boolean {
  const heir = heirs.get(reducer);
  return heir !== undefined && reducers.has(heir) && heir.deref() !== undefined;
}

/** Calls `visit` with each tensor that a node gives a gradient to. */
function forEachNeeded({ row, inputs, needs }: Node, visit: (x: Tensor) => void): void {
  for (const { name } of row.inputs) {
    const slot = inputs[name] as Slot;
    const flags = needs[name];
    if (slot instanceof Tensor) {
      if (flags) visit(slot);
    } else if (slot) for (const [i, x] of slot.entries()) if ((flags as readonly boolean[])[i]) visit(x);
  }
}

/** One backward(). */
class Pass {
  readonly #inputs: ReadonlySet<Tensor> | null;
  readonly #nodes: ReadonlySet<Node>;
  readonly #reducers: readonly Reducer[];
  /** How many nodes are still to give each parameter a part of its gradient. */
  readonly #left = new Map<Tensor, number>();
  #asked = 0;
  #before: Node | null = null;
  #gradients: Gradients | undefined;
  readonly #around = { asked: listeners.asked, gradient: listeners.gradient };

  constructor(nodes: readonly Node[], inputs: ReadonlySet<Tensor> | null, all: readonly Reducer[]) {
    this.#inputs = inputs;
    this.#nodes = new Set(nodes);
    const wanted = (x: Tensor): boolean => x.isLeaf && (!inputs || inputs.has(x));
    for (const node of nodes)
      forEachNeeded(node, (x) => {
        if (wanted(x)) this.#left.set(x, (this.#left.get(x) ?? 0) + 1);
      });
    this.#reducers = all.filter((reducer) => reducer.parameters.some((p) => this.#left.has(p)));
  }

  /** Listens, where there is something to hear. */
  begin(): void {
    if (this.#reducers.length === 0) return;
    for (const reducer of this.#reducers) reducer.begin();
    current = this;
    listeners.asked = (node, gradients) => {
      this.#around.asked?.(node, gradients);
      if (node) this.#ask(node, gradients);
      // That of a walk inside of a rule ends nothing.
      else if (!this.#reducers.some(({ busy }) => busy)) this.end();
    };
    const { gradient } = this.#around;
    listeners.gradient = (x, g) => this.#resultOf(x) ?? gradient?.(x, g) ?? g;
  }

  /** Whoever listened before does so again. */
  end(): void {
    listeners.asked = this.#around.asked;
    listeners.gradient = this.#around.gradient;
    current = null;
  }

  /** Ends it where it failed on its way. */
  fail(): void {
    this.end();
    if (!tracing()) for (const { communicator } of this.#reducers) abandon(communicator);
  }

  #ask(node: Node, gradients: Gradients | undefined): void {
    if (!this.#nodes.has(node)) return;
    this.#gradients = gradients;
    this.#settle();
    this.#before = node;
    this.#asked++;
    if (!tracing()) for (const { communicator } of this.#reducers) poke(communicator);
  }

  /** The node that was asked last has given what it gives. */
  #settle(): void {
    const node = this.#before;
    this.#before = null;
    if (!node) return;
    forEachNeeded(node, (x) => {
      const left = this.#left.get(x);
      if (left === undefined) return;
      this.#left.set(x, left - 1);
      const g = left === 1 ? this.#gradients?.get(x) : undefined;
      if (g) this.#aside(() => this.#reducerOf(x)?.ready(x, g));
    });
  }

  /** Calls `fn` so that hooks of users are asked, and not this. */
  #aside(fn: () => void): void {
    const own = listeners.gradient;
    listeners.gradient = this.#around.gradient;
    try {
      fn();
    } finally {
      listeners.gradient = own;
    }
  }

  #reducerOf(x: Tensor): Reducer | undefined {
    return this.#reducers.find((reducer) => reducer.has(x));
  }

  /** What goes on of the gradient of x, when all nodes have been asked; undefined: what it is. */
  #resultOf(x: Tensor): Tensor | undefined {
    if (x.node || this.#asked < this.#nodes.size || !this.#left.has(x)) return undefined;
    const reducer = this.#reducerOf(x);
    if (!reducer) return undefined;
    this.#settle();
    for (const each of this.#reducers) if (each.busy) each.finish(this.#inputs);
    return reducer.result(x);
  }
}

let current: Pass | null = null;

/** The reducers that there are and that reduce. */
function living(): Reducer[] {
  return [...reducers].flatMap((ref) => {
    const reducer = ref.deref();
    if (!reducer) reducers.delete(ref);
    // A program holds for the mode in which it was recorded.
    if (reducer) tracing()?.dependOn(reducer, ['syncs']);
    return reducer?.syncs && !isReplaced(reducer) ? [reducer] : [];
  });
}

/** Has backward() tell `reducer` of its gradients. @returns what ends that */
export function listen(reducer: Reducer): () => void {
  if (reducers.size === 0 && !listeners.began)
    listeners.began = (root, inputs) => {
      current?.fail();
      const all = living();
      if (all.length > 0) new Pass(root.node ? reachable([root]) : [], inputs, all).begin();
    };
  const ref = new WeakRef(reducer);
  const own = new Set(reducer.all);
  for (const other of reducers) {
    const before = other.deref();
    if (before?.all.every((p) => own.has(p))) heirs.set(before, ref);
  }
  reducers.add(ref);
  // Programs that were made before know nothing of it.
  listeners.changes++;
  return () => {
    reducers.delete(ref);
    listeners.changes++;
  };
}
