// What of a graph depends on sizes that may differ: traces with several of them, held against each other node by node.
import { ArgumentError, formatShape } from '../../memory/errors.ts';
import { type Node, tensorsIn } from '../../program/trace.ts';
import type { Tensor } from '../../tensor.ts';
import { isMoving, type Merged, type Point, Repeated, type Size, type Sizes, sizeFrom } from './sizes.ts';
import type { Traced } from './trace.ts';

/** What a node's attributes are, sizes in the place of numbers that depend on them. */
export type Attributes = Readonly<Record<string, unknown>>;

/** What errors say of the sizes that differ. */
export function wordsOf(names: readonly string[]): { readonly every: string; readonly cure: string } {
  if (names.join() === 'batch')
    return { every: 'every batch', cure: 'export it for batches of one size, with { dynamicBatch: false }' };
  return { every: `every ${names.join(' and ')}`, cure: 'export it for one size, without dynamicAxes' };
}

export class Comparison {
  readonly #op: string;
  readonly #traces: readonly Traced[];
  readonly #points: readonly Point[];
  readonly #sizes = new Map<Tensor, Sizes>();

  /**
   * @param points that the traces have, one each
   * @param placeOf the path of the module of a node, for errors
   * @throws ArgumentError where the traces differ in more than sizes
   */
  constructor(
    op: string,
    traces: readonly Traced[],
    points: readonly Point[],
    placeOf: (node: Node) => string = () => '',
  ) {
    this.#op = op;
    this.#traces = traces;
    this.#points = points;
    const [first, ...others] = traces as [Traced, ...Traced[]];
    first.nodes.forEach((node, i) => {
      for (const { nodes } of others)
        if (nodes[i]?.op !== node.op) this.#fail(`${node.op}${placeOf(node)} and ${nodes[i]?.op ?? 'nothing'}`);
      this.#pairNode(i, placeOf(node));
    });
    for (const { nodes } of others)
      if (nodes.length > first.nodes.length) this.#fail(`nothing and ${nodes[first.nodes.length]?.op}`);
    this.#pairAll(traces.map(({ inputs }) => inputs));
    this.#pairAll(traces.map(({ results }) => results.map(({ tensor }) => tensor)));
  }

  #fail(got: string): never {
    const { every, cure } = wordsOf(Object.keys(this.#points[0] as Point));
    throw new ArgumentError(`${this.#op}: expected a model that does the same for ${every}, got ${got}; ${cure}`);
  }

  #pairNode(i: number, place: string): void {
    const nodes = this.#traces.map(({ nodes }) => nodes[i] as Node);
    for (const { name } of (nodes[0] as Node).row.inputs)
      this.#pairAll(
        nodes.map(({ inputs }) => tensorsIn(inputs[name])),
        place,
      );
    // What only gradients need is of any shape.
    const { row } = nodes[0] as Node;
    const shown = row.outputs.filter(({ role }) => role !== 'aux');
    this.#pairAll(
      nodes.map(({ outputs }) => shown.map(({ name }) => outputs[name] as Tensor)),
      place,
    );
  }

  #pairAll(lists: readonly (readonly Tensor[])[], place = ''): void {
    const [first, ...others] = lists as [readonly Tensor[], ...(readonly Tensor[])[]];
    for (const other of others)
      if (other.length !== first.length) this.#fail(`${first.length} and ${other.length} tensors${place}`);
    for (const [i, x] of first.entries())
      this.#pair(
        lists.map((list) => list[i] as Tensor),
        place,
        x,
      );
  }

  #pair(tensors: readonly Tensor[], place: string, x: Tensor): void {
    if (this.#sizes.has(x)) return;
    const [first] = this.#traces as [Traced];
    if (x.block.origin !== first.trace) this.#pairOutside(tensors, place, x);
    const sizes = x.sizes.map((_, d) =>
      sizeFrom(
        tensors.map((each) => each.sizes[d] as number),
        this.#points,
      ),
    );
    if (tensors.some(({ ndim }) => ndim !== x.ndim) || sizes.includes(undefined))
      this.#fail(`shapes ${tensors.map((each) => formatShape(each.sizes)).join(', ')}${place}`);
    this.#sizes.set(x, sizes as Sizes);
  }

  /** What comes from outside has to be the same in all: a tensor of the model, or the same numbers. */
  #pairOutside(tensors: readonly Tensor[], place: string, x: Tensor): void {
    const all = tensors.map(({ block }, i) => this.#traces[i]?.constants.get(block));
    const values = all[0];
    const alike = values
      ? all.every(
          (other) => other?.length === values.length && Array.from(other).every((v, i) => Object.is(v, values[i])),
        )
      : tensors.every(({ block }) => block === x.block);
    if (!alike) this.#fail(`other numbers for each${place}`);
  }

  /** The sizes of a tensor of the first trace. */
  sizesOf(x: Tensor): Sizes {
    return this.#sizes.get(x) ?? x.sizes;
  }

  /** The attributes of node `i`, and the names of those that are not the same for all. */
  attributesOf(i: number): { readonly attrs: Attributes; readonly moving: ReadonlySet<string> } {
    const all = this.#traces.map(({ nodes }) => (nodes[i] as Node).attrs as Attributes | undefined);
    const moving = new Set<string>();
    const merged = Object.entries(all[0] ?? {}).map(([name, value]) => {
      const one =
        all.length < 2
          ? value
          : this.#merge(
              all.map((attrs) => attrs?.[name]),
              name,
            );
      if (depends(one)) moving.add(name);
      return [name, one];
    });
    return { attrs: Object.fromEntries(merged), moving };
  }

  #merge(values: readonly unknown[], name: string): unknown {
    const [first] = values;
    const size = values.every((value) => typeof value === 'number') ? sizeFrom(values, this.#points) : undefined;
    if (size !== undefined) return size;
    if (Array.isArray(first) && values.every((value) => Array.isArray(value) && value.length === first.length))
      return first.map((_, i) =>
        this.#merge(
          (values as unknown[][]).map((value) => value[i]),
          name,
        ),
      );
    const repeated = this.#repeated(values, name);
    if (repeated) return repeated;
    if (!values.every((value) => Object.is(value, first))) this.#fail(`${name} ${values.join(', ')}`);
    return first;
  }

  /** Lists of one number, of lengths that differ. */
  #repeated(values: readonly unknown[], name: string): Repeated | undefined {
    if (!values.every((value) => Array.isArray(value) && value.length > 0)) return undefined;
    const lists = values as (readonly unknown[])[];
    if (!lists.every((list) => list.every((item) => Object.is(item, list[0])))) return undefined;
    const [item, count] = [lists.map(([first]) => first), lists.map(({ length }) => length)].map((each) =>
      this.#merge(each, name),
    );
    return new Repeated(item as Size, count as Size);
  }
}

const depends = (value: unknown): boolean =>
  value instanceof Repeated ||
  (Array.isArray(value)
    ? value.some(depends)
    : typeof value === 'object' && value !== null && isMoving(value as Merged));
