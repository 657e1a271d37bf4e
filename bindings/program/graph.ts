// Passes over the graph of ops, before it becomes commands. None changes a bit of the results. The graph is a list in
// the order of the calls, and reads and writes of a block stay in that order: a node is left out only if nothing reads
// what it makes, it writes nothing that lasts and cannot throw, and it moves only past nodes that write nothing it
// reads.
import type { Block } from '../memory/arena.ts';
import type { Around } from '../ops/core.ts';
import { coreRows } from '../ops/rows.ts';
import type { Shape, Tensor } from '../tensor.ts';
import { forEachInput, type Node } from './trace.ts';

/** Whether a block is read when the program is over. */
export type Alive = (block: Block) => boolean;

/** Leaves out what nobody reads. O(n). */
export function dropUnread(nodes: readonly Node[], alive: Alive): Node[] {
  const read = new Set<Block>();
  const wanted = ({ block }: Tensor): boolean => alive(block) || read.has(block);
  const kept: Node[] = [];
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i] as Node;
    let keep = node.row.rules.check !== undefined;
    for (const name in node.outputs) keep ||= wanted(node.outputs[name] as Tensor);
    forEachInput(node, (x, writes) => {
      keep ||= writes && wanted(x);
    });
    if (!keep) continue;
    forEachInput(node, ({ block }) => read.add(block));
    kept.push(node);
  }
  return kept.reverse();
}

/** How blocks are used: how often they are read, and the places of the nodes that write them in place. */
interface Uses {
  readonly reads: ReadonlyMap<Block, number>;
  readonly writes: ReadonlyMap<Block, readonly number[]>;
}

function usesOf(nodes: readonly Node[]): Uses {
  const reads = new Map<Block, number>();
  const writes = new Map<Block, number[]>();
  nodes.forEach((node, at) => {
    // Another look at a block is no use of it: those who use the view read the same block.
    if (node.row.rules.view) return;
    forEachInput(node, ({ block }, written) => {
      reads.set(block, (reads.get(block) ?? 0) + 1);
      if (!written) return;
      const places = writes.get(block);
      if (places) places.push(at);
      else writes.set(block, [at]);
    });
  });
  return { reads, writes };
}

/** Whether a node between `from` and `to` writes a block in place. */
const writtenBetween = ({ writes }: Uses, { block }: Tensor, from: number, to: number): boolean =>
  writes.get(block)?.some((at) => at > from && at < to) ?? false;

/**
 * The bias of a product in the sum `add`: the one of its inputs that is not the product, if it is a row of its columns.
 */
function biasOf(add: Node, product: Tensor): Tensor | null {
  const { a, b } = add.inputs as { a: Tensor; b: Tensor };
  const bias = a.block === product.block ? b : a;
  const fits = bias.ndim === 1 && bias.sizes[0] === product.sizes[1] && bias.isContiguous();
  return fits && bias.block !== product.block ? bias : null;
}

/**
 * A product to which a row is added becomes one op, linear, in the place of the sum: `x.matmul(w).add(b)`. The bits are
 * the same, as the epilogue adds the row to the same sum. O(n).
 */
function fuseBias(nodes: readonly Node[], alive: Alive): Node[] {
  const uses = usesOf(nodes);
  const products = new Map<Block, { readonly node: Node; readonly at: number }>();
  const gone = new Set<Node>();
  const result = nodes.map((node, at) => {
    if (node.op === 'matmul') products.set((node.outputs.c as Tensor).block, { node, at });
    if (node.op !== 'add') return node;
    for (const x of [node.inputs.a, node.inputs.b] as Tensor[]) {
      const found = products.get(x.block);
      // A view of the product that lies in another order, or leaves some of it out, is another matrix.
      const whole = found && x.size === (found.node.outputs.c as Tensor).size && x.isContiguous();
      const fused = whole && fuse(found, node, at, uses, alive);
      if (!fused) continue;
      gone.add(found.node);
      return fused;
    }
    return node;
  });
  return result.filter((node) => !gone.has(node));
}

function fuse(
  { node: product, at: from }: { readonly node: Node; readonly at: number },
  add: Node,
  at: number,
  uses: Uses,
  alive: Alive,
): Node | null {
  const c = product.outputs.c as Tensor;
  const { a: x, b: w } = product.inputs as { a: Tensor; b: Tensor };
  const y = add.outputs.y as Tensor;
  if (c.ndim !== 2 || x.ndim !== 2 || w.ndim !== 2 || y.size !== c.size) return null;
  const bias = biasOf(add, c);
  if (!bias || alive(c.block) || uses.reads.get(c.block) !== 1 || uses.writes.has(c.block)) return null;
  // It moves past all nodes between the two.
  if (writtenBetween(uses, x, from, at) || writtenBetween(uses, w, from, at)) return null;
  const [k, n] = w.sizes as [number, number];
  const weight = w.alias([n, k], [w.steps[1] as number, w.steps[0] as number], w.offset);
  const outputs = { y: y.alias(c.sizes, c.steps, y.offset) };
  return { ...add, op: 'linear', row: coreRows.linear, inputs: { x, weight, bias }, outputs, attrs: undefined };
}

/** A block that holds the same in every run: one number everywhere, or what another block holds. */
export type Constant = { readonly x: Tensor; readonly value: number } | { readonly x: Tensor; readonly same: Block };

/** Larger ones are made in each run, where others may take their place in turn. */
const MOST_CONSTANT = 4096;

/** What a node makes, if that is a constant which nobody writes or gets. */
function constantOf({ op, row, inputs, outputs, attrs }: Node, constants: ReadonlySet<Block>): Constant | null {
  if (op === 'full') {
    const x = outputs.y as Tensor;
    return x.size <= MOST_CONSTANT ? { x, value: (attrs as { readonly value: number }).value } : null;
  }
  // How a trace notes numbers from JavaScript: see Trace.host().
  const { y, x } = inputs as { y: Tensor; x: Tensor };
  if (op !== 'copy' || !row.writes || !constants.has(x.block)) return null;
  return { x: y, same: x.block };
}

/** Takes constants out of the graph: they are made once. @param fixed blocks from outside that never change */
export function takeConstants(
  nodes: readonly Node[],
  alive: Alive,
  fixed: ReadonlySet<Block>,
): { readonly nodes: Node[]; readonly constants: Constant[] } {
  const { writes } = usesOf(nodes);
  const constants: Constant[] = [];
  const rest = nodes.filter((node) => {
    const constant = constantOf(node, fixed);
    if (!constant || alive(constant.x.block)) return true;
    // The copy that fills it is the only write of a list of numbers.
    const ownWrites = 'same' in constant ? 1 : 0;
    if ((writes.get(constant.x.block)?.length ?? 0) > ownWrites) return true;
    constants.push(constant);
    return false;
  });
  return { nodes: rest, constants };
}

/**
 * Rows say what may stand in the place of a call and of those around it: their `rewrite`. O(n).
 * @param make memory of the program's own
 */
function rewrite(nodes: readonly Node[], alive: Alive, make: (shape: Shape) => Tensor): Node[] {
  const { writes } = usesOf(nodes);
  const made = new Map<Block, Node>();
  const readers = new Map<Block, Node[]>();
  const gone = new Set<Node>();
  for (const node of nodes)
    if (!node.row.rules.view)
      forEachInput(node, ({ block }) => {
        const list = readers.get(block);
        if (list) list.push(node);
        else readers.set(block, [node]);
      });
  const around: Around<Node> = {
    maker: (x) => {
      const maker = writes.has(x.block) ? undefined : made.get(x.block);
      const whole = maker && Object.values(maker.outputs).find(({ block }) => block === x.block);
      return whole && x.size === whole.size && x.isContiguous() ? maker : undefined;
    },
    readers: ({ block }) => (writes.has(block) ? [] : (readers.get(block) ?? [])),
    lasts: ({ block }) => alive(block),
    make,
  };
  const result: Node[] = [];
  for (const node of nodes) {
    const found = gone.has(node) ? { calls: [], gone: [] } : node.row.rules.rewrite?.(node, around);
    for (const one of found?.gone ?? []) gone.add(one);
    for (const one of found?.calls ?? [node]) {
      result.push(one);
      if (!one.row.rules.view) for (const { block } of Object.values(one.outputs)) made.set(block, one);
    }
  }
  return result.filter((node) => !gone.has(node));
}

/** All passes but the last. @param make memory of the program's own */
export const improve = (nodes: readonly Node[], alive: Alive, make: (shape: Shape) => Tensor): Node[] =>
  rewrite(fuseBias(dropUnread(nodes, alive), alive), alive, make);
