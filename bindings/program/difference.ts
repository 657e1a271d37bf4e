// Whether a function does the same each time it is traced.

import type { Block } from '../memory/arena.ts';
import { Tensor } from '../tensor.ts';
import { containerOf } from './key.ts';
import { describeSite } from './site.ts';
import { type Node, type Trace, tensorsIn } from './trace.ts';

/** Whether two attributes are the same numbers, words, lists and objects. */
function sameAttrs(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const [from, to] = [Object.entries(a), Object.entries(b)];
  return (
    from.length === to.length && from.every(([name, value]) => sameAttrs(value, (b as Record<string, unknown>)[name]))
  );
}

/** Numbers the blocks of two traces as they come, so that those which correspond have one number. */
class Correspondence {
  readonly #own = [new Map<Block, number>(), new Map<Block, number>()] as const;
  readonly #traces: readonly [Trace, Trace];

  constructor(a: Trace, b: Trace) {
    this.#traces = [a, b];
  }

  describe({ block, sizes: shape, steps: strides, offset, dtype }: Tensor, i: 0 | 1): string {
    const trace = this.#traces[i];
    const constant = trace.constants.get(block);
    const layout = `${dtype} ${shape} ${strides} ${offset}`;
    if (constant) return `${Array.from(constant).join()} ${layout}`; // made anew with each trace
    if (block.origin !== trace) return `${outsideNumber(block)} ${layout}`;
    const known = this.#own[i];
    const number = known.get(block) ?? known.size;
    known.set(block, number);
    return `own ${number} ${layout}`;
  }
}

const numbers = new WeakMap<Block, number>();
let count = 0;
/** A number of a block that both traces found outside. */
function outsideNumber(block: Block): number {
  const number = numbers.get(block) ?? count++;
  numbers.set(block, number);
  return number;
}

/** A trace, and what the function returned. */
interface Traced {
  readonly trace: Trace;
  readonly value: unknown;
}

/** Whether what two traces returned is the same: their tensors, numbers, words and how they are nested. */
function sameResults(a: unknown, b: unknown, same: Correspondence): boolean {
  if (a instanceof Tensor && b instanceof Tensor) return same.describe(a, 0) === same.describe(b, 1);
  const [from, to] = [containerOf(a), containerOf(b)];
  if (from && from.kind === to?.kind)
    return (
      from.items.length === to.items.length &&
      (from.keys === to.keys || sameResults(from.keys, to.keys, same)) &&
      from.items.every((item, i) => sameResults(item, to.items[i], same))
    );
  // Functions and objects of classes may be made anew each time.
  const opaque = (value: unknown): boolean =>
    typeof value === 'function' || (typeof value === 'object' && value !== null);
  return Object.is(a, b) || (opaque(a) && opaque(b));
}

/** What the second trace does differently first, or null. */
export function differenceOf({ trace: first, value }: Traced, { trace: second, value: other }: Traced): string | null {
  const same = new Correspondence(first, second);
  const length = Math.max(first.nodes.length, second.nodes.length);
  for (let at = 0; at < length; at++) {
    const [a, b] = [first.nodes[at], second.nodes[at]];
    if (!a || !b) {
      const more = length - Math.min(first.nodes.length, second.nodes.length);
      return `${more} ops more or less, from ${(a ?? b)?.op} on${describeSite(b?.site)}`;
    }
    const difference = differenceOfNodes(a, b, same);
    if (difference) return `${difference}${describeSite(b.site)}`;
  }
  if (!sameResults(value, other, same)) return 'other results';
  const [before, after] = [first.gradients.after, second.gradients.after];
  for (const x of new Set([...before.keys(), ...after.keys()]))
    if (x.block.origin !== first && x.block.origin !== second && Boolean(before.get(x)) !== Boolean(after.get(x)))
      return `another gradient of a tensor of shape [${x.sizes.join(', ')}]`;
  return null;
}

function differenceOfNodes(a: Node, b: Node, same: Correspondence): string | null {
  if (a.op !== b.op) return `${b.op} where it had been ${a.op}`;
  if (!sameAttrs(a.attrs, b.attrs)) return `other attributes of ${a.op}`;
  const describe = (node: Node, name: string, i: 0 | 1): string =>
    tensorsIn(node.inputs[name])
      .map((x) => same.describe(x, i))
      .join();
  for (const { name } of a.row.inputs)
    if (describe(a, name, 0) !== describe(b, name, 1)) return `another input ${name} of ${a.op}`;
  for (const name in a.outputs)
    if (same.describe(a.outputs[name] as Tensor, 0) !== same.describe(b.outputs[name] as Tensor, 1))
      return `another result ${name} of ${a.op}`;
  return null;
}
