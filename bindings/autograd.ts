// The tape and the walker. Running an op through `ops` records a node where a gradient is wanted; backward() walks the nodes
// from the last to the first and asks each row for its gradients.
import { broadcastStrides, loopDims, sameShape } from './ops/shapes.ts';
import { type OpName, type Ops, table } from './ops/table.ts';
import type { KernelRow, Saved, ViewRow } from './ops/types.ts';
import type { Scope } from './runtime/arena.ts';
import { ArgumentError, formatShape, GradError, ShapeError } from './runtime/errors.ts';
import { runtime } from './runtime/wasm.ts';
import { type GradNode, Tensor } from './tensor.ts';

type Inputs = (Tensor | null)[];
type AnyKernelRow = KernelRow<Inputs, unknown>;
type AnyRow = AnyKernelRow | ViewRow<Inputs, unknown>;

/** One recorded op. */
interface Node extends GradNode {
  readonly row: AnyRow;
  readonly output: Tensor;
  /** Null once backward() has used it. */
  saved: Saved<Inputs, unknown> | null;
  /** Versions of the saved tensors' blocks when they were saved. */
  readonly versions: readonly number[];
}

let recording = true;
let sequence = 0;

/** Whether ops record for backward(). */
export function isGradEnabled(): boolean {
  return recording;
}

/** Calls `fn` with recording on or off, and restores it after, also after a throw. */
export function setGradEnabled<T>(on: boolean, fn: () => T): T {
  const before = recording;
  recording = on;
  try {
    const result = fn();
    if (result instanceof Promise)
      throw new ArgumentError(
        'noGrad: expected a synchronous function, got one that returns a promise; await outside of it',
      );
    return result;
  } finally {
    recording = before;
  }
}

/** Calls `fn` without recording: nothing made inside has a gradient (PyTorch's `no_grad`). */
export function noGrad<T>(fn: () => T): T {
  return setGradEnabled(false, fn);
}

/** The tensors that a node's backward will read. */
function savedTensors(row: AnyRow, saved: Saved<Inputs, unknown>): readonly (Tensor | null)[] {
  if (row.saves === 'none') return [];
  if (row.saves === 'inputs') return saved.inputs;
  if (row.saves === 'output') return saved.outputs;
  return [...saved.inputs, ...saved.outputs];
}

function apply(name: OpName, row: AnyRow, args: Inputs, attrs: unknown): Tensor {
  let inputs = args;
  for (let i = 0; i < args.length; i++) {
    const x = args[i];
    if (!x) continue;
    if (!(x instanceof Tensor))
      throw new ArgumentError(`${name}: expected a tensor as argument ${i + 1}, got ${typeof x}`);
    void x.address; // throws for a freed one
    if (!row.strided && !x.isContiguous()) {
      if (inputs === args) inputs = [...args];
      inputs[i] = ops.contiguous(x);
    }
  }
  const outputs = 'view' in row ? [look(row, inputs, attrs)] : compute(name, row, inputs, attrs);
  const output = outputs[0] as Tensor;
  if (recording && row.backward && inputs.some((x) => x?.requiresGrad)) record(name, row, inputs, outputs, attrs);
  else for (let i = 1; i < outputs.length; i++) (outputs[i] as Tensor).dispose();
  return output;
}

function look(row: ViewRow<Inputs, unknown>, inputs: Inputs, attrs: unknown): Tensor {
  const { shape, strides, offset } = row.view(inputs, attrs);
  return (inputs[0] as Tensor).view(shape, strides, offset);
}

function compute(name: OpName, row: AnyKernelRow, inputs: Inputs, attrs: unknown): Tensor[] {
  const { kernels, probes, recorder } = runtime();
  const metas = row.infer(inputs, attrs);
  if (recorder)
    recorder.check(
      (recorded) => row.check?.(recorded, inputs, attrs),
      () => row.check?.(runtime().probes, inputs, attrs),
    );
  else row.check?.(probes, inputs, attrs);
  const outputs: Tensor[] = [];
  try {
    for (const { shape, dtype } of metas) outputs.push(Tensor.allocate(shape, dtype, name));
    row.forward(kernels, outputs, inputs, attrs);
  } catch (error) {
    for (const output of outputs) output.dispose();
    throw error;
  }
  return outputs;
}

function record(name: OpName, row: AnyRow, inputs: Inputs, outputs: Tensor[], attrs: unknown): void {
  const output = outputs[0] as Tensor;
  const saved = { inputs, outputs, attrs, needs: inputs.map((x) => x?.requiresGrad ?? false) };
  const versions = savedTensors(row, saved).map((x) => x?.block.version ?? 0);
  output.requiresGrad = true;
  output.node = { sequence: sequence++, name, row, output, saved, versions } satisfies Node as GradNode;
}

/** Attributes are a plain object; anything else stands where a tensor should, and apply() says so. */
const isAttrs = (x: unknown): boolean =>
  typeof x === 'object' && x !== null && Object.getPrototypeOf(x) === Object.prototype;

/** Every op of the table, ready to call: checks, computes, records. Inputs first, attributes last. */
export const ops = Object.fromEntries(
  Object.entries(table).map(([name, row]) => [
    name,
    (...args: unknown[]) => {
      const attrs = isAttrs(args.at(-1)) ? args.pop() : undefined;
      return apply(name as OpName, row as unknown as AnyRow, args as Inputs, attrs);
    },
  ]),
) as unknown as Ops;

/** Options of {@link backward}. */
export interface BackwardOptions {
  /** Keeps what the graph saved, for another backward through it. Default: what createGraph is. */
  retainGraph?: boolean;
  /** Records the walk itself, for derivatives of derivatives. Default false. */
  createGraph?: boolean;
}

/** All nodes that `roots` came from, the latest first. */
function reachable(roots: readonly Tensor[]): Node[] {
  const seen = new Set<GradNode>();
  const stack = roots.map((root) => root.node);
  const nodes: Node[] = [];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (!node || seen.has(node)) continue;
    seen.add(node);
    nodes.push(node as Node);
    for (const input of (node as Node).saved?.inputs ?? []) if (input?.node) stack.push(input.node);
  }
  return nodes.sort((a, b) => b.sequence - a.sequence);
}

/** The saved values of `node`, after checking that they still are what forward saw. */
function unlock(node: Node): Saved<Inputs, unknown> {
  const { saved, row, name } = node;
  if (!saved)
    throw new GradError(
      `backward: expected the values that ${name} saved, got a graph that was walked already; pass { retainGraph: true } the first time`,
    );
  savedTensors(row, saved).forEach((x, i) => {
    if (!x) return;
    void x.address;
    if (x.block.version !== node.versions[i])
      throw new GradError(
        `backward: expected the values that ${name} saved, got a tensor of shape ${formatShape(x.shape)} that was written since; call backward() before changing it`,
      );
  });
  return saved;
}

/** Sums a gradient over the dims that broadcasting stretched, so that it has the input's shape. */
function unbroadcast(g: Tensor, input: Tensor): Tensor {
  if (sameShape(g.shape, input.shape)) return g;
  const lead = g.ndim - input.ndim;
  let result = g;
  if (lead > 0) result = ops.sum(result, { dim: 0, end: lead, keepdim: false });
  for (let d = 0; d < input.ndim; ) {
    let end = d;
    while (end < input.ndim && input.shape[end] === 1 && result.shape[end] !== 1) end++;
    if (end > d) result = ops.sum(result, { dim: d, end, keepdim: true });
    d = Math.max(end, d + 1);
  }
  return result;
}

/** Gradients on their way, and how many of them share a block, so that one nobody needs any more goes at once. */
class Pending {
  readonly #gradients = new Map<Tensor, Tensor>();
  readonly #owned = new Set<Tensor>();

  get(x: Tensor): Tensor | undefined {
    return this.#gradients.get(x);
  }

  /** The whole gradient of `x`, about to be read: from here on others may share its memory. */
  take(x: Tensor): Tensor | undefined {
    const g = this.#gradients.get(x);
    if (g) this.#owned.delete(g);
    return g;
  }

  add(x: Tensor, g: Tensor, createGraph: boolean): void {
    const before = this.#gradients.get(x);
    if (!before) this.#gradients.set(x, g);
    else if (this.#owned.has(before) && !createGraph) addInto(before, g);
    else {
      // The first one may be shared with another tensor (add hands the same to both): sum into a new one.
      const sum = ops.add(before, g);
      this.#owned.add(sum);
      this.#gradients.set(x, sum);
    }
  }

  /** Whether the gradient of another tensor lies in the same memory as that of `x`. */
  shares(x: Tensor): boolean {
    const block = this.#gradients.get(x)?.block;
    for (const [other, g] of this.#gradients) if (other !== x && g.block === block) return true;
    return false;
  }

  /** Forgets the gradient of `x`, and frees it if it is a temporary of the walk that no other gradient shares. */
  drop(x: Tensor, temporary: Scope | null): void {
    const g = this.#gradients.get(x);
    if (g && temporary && g.block.scope === temporary && !this.shares(x)) g.block.free();
    this.#gradients.delete(x);
  }
}

/** to += g, in place. */
function addInto(to: Tensor, g: Tensor): void {
  const { kernels } = runtime();
  kernels.add_strided_f32(to, g, loopDims(to.shape, to.strides, broadcastStrides(g, to.shape)));
}

/**
 * Walks from `roots` to the start.
 * @param given the gradient of each root; where absent the root is a single number and gets 1
 * @returns the gradient of each wanted tensor, in memory of its own, owned by the scope around
 */
function walk(
  roots: readonly Tensor[],
  given: readonly (Tensor | undefined)[],
  wanted: (x: Tensor) => boolean,
  { createGraph = false, retainGraph = createGraph }: BackwardOptions,
): Map<Tensor, Tensor> {
  const { arena } = runtime();
  const nodes = reachable(roots);
  const pending = new Pending();
  const reached = new Set<Tensor>();
  // Temporaries of the walk go when it ends; with createGraph they belong to the new graph and stay.
  const temporary = createGraph ? null : arena.open();

  function reach(x: Tensor, g: Tensor): void {
    pending.add(x, g, createGraph);
    if (!wanted(x)) return;
    void x.address; // a freed tensor would keep its gradient for ever
    reached.add(x);
  }

  function visit(node: Node, g: Tensor): void {
    const saved = unlock(node);
    const inner = createGraph ? null : arena.open();
    const pass = (x: Tensor): void => {
      if (inner && x.block.scope === inner) arena.adopt(x.block, temporary);
    };
    try {
      const gradients = node.row.backward?.(ops, g, saved) ?? [];
      saved.inputs.forEach((input, i) => {
        const gradient = gradients[i];
        if (!input || !gradient || !saved.needs[i]) return;
        const shaped = unbroadcast(gradient, input);
        pass(shaped);
        reach(input, shaped);
        pass(pending.get(input) as Tensor); // a sum that was made just now
      });
    } finally {
      if (inner) arena.close(inner);
    }
  }

  try {
    return setGradEnabled(createGraph, () => {
      roots.forEach((root, i) => {
        reach(root, given[i] ?? ops.full({ shape: root.shape, value: 1 }));
      });
      for (const node of nodes) {
        const g = pending.take(node.output);
        if (g) visit(node, g);
        if (!reached.has(node.output)) pending.drop(node.output, temporary);
      }
      const results = new Map<Tensor, Tensor>();
      for (const x of reached) {
        const g = pending.get(x) as Tensor;
        const exclusive =
          temporary && g.block.scope === temporary && !pending.shares(x) && g.isContiguous() && g.offset === 0;
        results.set(x, exclusive ? g : ops.contiguous(g));
      }
      if (!retainGraph) for (const node of nodes) release(node);
      if (temporary) for (const g of results.values()) arena.adopt(g.block, temporary.parent);
      return results;
    });
  } finally {
    if (temporary) arena.close(temporary);
  }
}

/** Lets go of what a node saved; auxiliary results, which only backward reads, are freed. */
function release(node: Node): void {
  const { saved } = node;
  if (!saved) return;
  for (const auxiliary of saved.outputs.slice(1)) auxiliary.dispose();
  node.saved = null;
}

function checkRoot(op: string, root: Tensor, gradient: Tensor | undefined): void {
  void root.address; // throws for a freed one
  if (!root.requiresGrad)
    throw new GradError(
      `${op}: expected a result that depends on a tensor with requiresGrad, got one that does not (made in noGrad, or of plain tensors)`,
    );
  if (!gradient && root.size !== 1)
    throw new GradError(
      `${op}: expected a single number, got shape ${formatShape(root.shape)}; reduce it with sum() or mean(), or pass its gradient`,
    );
  if (gradient && !sameShape(gradient.shape, root.shape))
    throw new ShapeError(
      `${op}: expected a gradient of shape ${formatShape(root.shape)}, got ${formatShape(gradient.shape)}`,
    );
}

/**
 * Adds d root / d x to `x.grad` of every leaf x with requiresGrad (and of tensors with retainGrad()). Either all of them
 * change or, after an error, none.
 * @param gradient of some later value by `root`; may be left out when `root` is a single number
 * @throws GradError where there is nothing to differentiate, or the graph was walked already
 */
export function backward(root: Tensor, gradient?: Tensor, options: BackwardOptions = {}): void {
  checkRoot('backward', root, gradient);
  const results = walk([root], [gradient], (x) => x.requiresGrad && (x.isLeaf || x.retainsGrad), options);
  const { arena } = runtime();
  const sums = new Map<Tensor, Tensor>();
  if (options.createGraph) for (const [x, g] of results) if (x.grad) sums.set(x, ops.add(x.grad, g));
  for (const [x, g] of results) {
    if (sums.has(x)) x.grad = sums.get(x) as Tensor;
    else if (x.grad) {
      addInto(x.grad, g);
      g.dispose();
    } else x.grad = g;
    // A gradient lives as long as what it belongs to.
    arena.adopt(x.grad.block, x.block.scope);
  }
}

/**
 * The gradients of `outputs` (summed) by `inputs`, without touching `.grad` (PyTorch's `autograd.grad`).
 * @throws GradError where an input does not take part, unless `allowUnused`: then null
 */
export function grad(
  outputs: Tensor | readonly Tensor[],
  inputs: readonly Tensor[],
  options: BackwardOptions & { gradOutputs?: readonly Tensor[]; allowUnused?: boolean } = {},
): (Tensor | null)[] {
  const roots = outputs instanceof Tensor ? [outputs] : outputs;
  const given = roots.map((_, i) => options.gradOutputs?.[i]);
  roots.forEach((root, i) => {
    checkRoot('grad', root, given[i]);
  });
  const set = new Set(inputs);
  const results = walk(roots, given, (x) => set.has(x), options);
  return inputs.map((input, i) => {
    const g = results.get(input);
    if (!g && !options.allowUnused)
      throw new GradError(
        `grad: expected input ${i} of shape ${formatShape(input.shape)} to take part in the outputs, got one that does not; pass { allowUnused: true }`,
      );
    return g ?? null;
  });
}
