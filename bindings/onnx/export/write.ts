// From the graph of ops to that of ONNX.
import type { Block } from '../../memory/arena.ts';
import { ArgumentError } from '../../memory/errors.ts';
import type { Bag, Slot } from '../../ops/core.ts';
import { forEachInput, type Node } from '../../program/trace.ts';
import { Tensor } from '../../tensor.ts';
import { DATA } from '../messages.ts';
import { type Attributes, Comparison, wordsOf } from './compare.ts';
import { Graph, TYPES, tensorOf, type Value } from './graph.ts';
import { Memory } from './memory.ts';
import { isMoving, type Merged, now, type Point, Repeated, type Size, type Sizes, textOf } from './sizes.ts';
import { writers } from './table.ts';
import type { Traced } from './trace.ts';
import type { AnyWriter, Call, Operand } from './writers.ts';

/** A model on its way. */
export interface Source {
  /** The user's call. */
  readonly op: string;
  readonly opset: number;
  /** The same model with several of the sizes that may differ, the first of which is written. */
  readonly traces: readonly Traced[];
  readonly points: readonly Point[];
  readonly inputNames: readonly string[];
  /** The path of the module of a node, '' for the model's own. */
  pathOf(node: Node): string;
  /** The key of a tensor of the model; undefined where it has none. */
  keyOf(x: Tensor): string | undefined;
}

export interface WrittenGraph {
  readonly graph: Graph;
  readonly inputs: readonly Operand[];
  readonly outputs: readonly Operand[];
}

const at = (path: string): string => (path ? ` in ${path}` : '');

class Writing {
  readonly #source: Source;
  readonly #first: Traced;
  readonly #sizes: Comparison;
  readonly #graph: Graph;
  readonly #memory: Memory;
  readonly #places = new Map<Node, number>();
  readonly #outside = new Map<string, Value>();
  readonly inputs: Operand[];

  constructor(source: Source) {
    this.#source = source;
    this.#first = source.traces[0] as Traced;
    this.#checkOps();
    this.#sizes = new Comparison(source.op, source.traces, source.points, (node) => at(source.pathOf(node)));
    const elements = elementsIn(this.#first);
    this.#graph = new Graph(source.opset, (graph, name) => this.#sizeNamed(graph, name));
    this.#memory = new Memory(this.#graph, {
      sizesOf: (x) => this.#sizes.sizesOf(x),
      view: (node, x) => this.#call(node, { x }) as Value,
      outside: (x) => this.#initializer(x),
      isOutside: (block) => block.origin !== this.#first.trace,
      elementsOf: (block) => elements.get(block) as number,
    });
    // Names of the model's own come first, so that nobody takes them.
    this.inputs = this.#first.inputs.map((x, i) => {
      const value = { name: this.#graph.claim(source.inputNames[i] as string), type: TYPES[x.dtype] };
      this.#memory.put(x, value);
      return { ...value, sizes: this.#sizes.sizesOf(x) };
    });
    this.#first.nodes.forEach((node, i) => {
      this.#places.set(node, i);
    });
  }

  /** @throws ArgumentError that names all ops which cannot be written, and where they are */
  #checkOps(): void {
    const missing = new Map<string, Set<string>>();
    for (const node of this.#first.nodes) {
      if (Object.hasOwn(writers, node.op) || isCheck(node)) continue;
      const places = missing.get(node.op) ?? new Set();
      missing.set(node.op, places.add(this.#source.pathOf(node)));
    }
    if (missing.size === 0) return;
    const list = [...missing].map(([op, places]) => `${op}${[...places].map(at).join(' and')}`);
    throw new ArgumentError(
      `${this.#source.op}: expected ops that ONNX has, got ${list.join(', ')}; replace them, or leave them out of the model that is exported`,
    );
  }

  /** What a name stands for, of the first input that has it. */
  #sizeNamed(graph: Graph, symbol: string): Value {
    for (const { name, type, sizes } of this.inputs) {
      const dim = sizes.findIndex((size) => textOf(size) === symbol);
      if (dim >= 0)
        return graph.once(`name ${symbol}`, () =>
          graph.node('Shape', [{ name, type }], { start: dim, end: dim + 1 }, DATA.INT64),
        );
    }
    throw new ArgumentError(`${this.#source.op}: expected an input with a dim '${symbol}', got none`);
  }

  /** A tensor of the model, or numbers that its forward made. */
  #initializer(x: Tensor): Value {
    const key = this.#source.keyOf(x);
    const place = `${key ?? ''} ${x.offset} [${x.sizes}] ${x.steps}`;
    const known = key === undefined ? undefined : this.#outside.get(place);
    if (known) return known;
    const numbers = this.#first.constants.get(x.block) ?? x.data;
    const type = TYPES[x.dtype];
    const value =
      key === undefined
        ? this.#graph.constant(numbers, type, x.sizes)
        : this.#graph.initializer(key, tensorOf(numbers, type, x.sizes));
    this.#outside.set(place, value);
    return value;
  }

  #call(node: Node, inputs: Readonly<Record<string, unknown>>): ReturnType<AnyWriter> {
    const { op } = this.#source;
    const path = this.#source.pathOf(node);
    const title = `${node.op}${at(path)}`;
    const { attrs, moving } = this.#sizes.attributesOf(this.#places.get(node) as number);
    const asked = new Set<string>();
    const fail = (what: string): never => {
      const { every, cure } = wordsOf(Object.keys(this.#source.points[0] as Point));
      throw new ArgumentError(
        `${op}: expected ${title} to be the same for ${every}, got ${what} that depends on its size; ${cure}`,
      );
    };
    const ask = (name: string): Merged => {
      asked.add(name);
      return attrs[name] as Merged;
    };
    const results = Object.fromEntries(
      Object.entries(node.outputs).map(([name, y]) => [name, this.#sizes.sizesOf(y)] as const),
    );
    const given = Object.fromEntries(
      Object.entries(node.inputs).flatMap(([name, x]) =>
        x instanceof Tensor ? [[name, { sizes: this.#sizes.sizesOf(x), type: TYPES[x.dtype] }]] : [],
      ),
    );
    const call: Call = {
      title,
      given,
      results,
      sizes: results[node.row.sole ?? ''] ?? [],
      size: (name) => ask(name) as Size,
      list: (name) => {
        const list = ask(name);
        return list instanceof Repeated ? fail(name) : (list as Sizes);
      },
      repeated: (name) => {
        const list = ask(name);
        return list instanceof Repeated ? list : null;
      },
      refuse: (what) => {
        throw new ArgumentError(
          `${op}: expected ops that ONNX has, got ${title} with ${what}; export the model in evaluation`,
        );
      },
      fixed: (size) => (isMoving(size) ? fail('a size') : size),
    };
    const before = this.#graph.path;
    this.#graph.path = path ? `/${path.replaceAll('.', '/')}` : '';
    const plain = Object.keys(attrs).length > 0 ? settled(attrs) : undefined;
    const written = (writers[node.op] as AnyWriter)(this.#graph, inputs, plain, call);
    this.#graph.path = before;
    for (const name of moving) if (!asked.has(name)) fail(name);
    return written;
  }

  #operands(slot: Slot | undefined): Operand | readonly Operand[] | null {
    if (slot instanceof Tensor) return this.#memory.read(slot);
    return slot ? slot.map((x) => this.#memory.read(x)) : null;
  }

  #node(node: Node): void {
    if (node.row.looks) this.#memory.look(node);
    else if (!isCheck(node)) this.#compute(node);
  }

  #compute(node: Node): void {
    const inputs = {};
    for (const { name } of node.row.inputs)
      Object.defineProperty(inputs, name, { get: () => this.#operands(node.inputs[name]) });
    const written = this.#call(node, inputs);
    const byName = 'name' in written ? { [node.row.sole as string]: written as Value } : written;
    const fields: Bag = { ...node.inputs, ...node.outputs };
    for (const [name, value] of Object.entries(byName)) {
      const x = fields[name] as Tensor;
      const overwrites = node.row.inputs.some((input) => input.name === name && input.writes);
      if (overwrites) this.#memory.write(x, value, `${node.call || node.op}${at(this.#source.pathOf(node))}`);
      else this.#memory.put(x, value);
    }
  }

  write(): WrittenGraph {
    for (const node of this.#first.nodes) this.#node(node);
    const outputs = this.#first.results.map(({ tensor }) => {
      const value = this.#memory.read(tensor);
      return { ...this.#graph.cast(value, TYPES[tensor.dtype]), sizes: value.sizes };
    });
    return { graph: this.#graph, inputs: this.inputs, outputs };
  }
}

/** How many elements of each block are in use. */
function elementsIn({ nodes, inputs, results }: Traced): ReadonlyMap<Block, number> {
  const elements = new Map<Block, number>();
  const note = (x: Tensor): void => {
    const last = x.sizes.reduce((at, size, d) => at + Math.max(0, (size - 1) * (x.steps[d] as number)), x.offset);
    elements.set(x.block, Math.max(elements.get(x.block) ?? 0, x.size === 0 ? 0 : last + 1));
  };
  for (const x of [...inputs, ...results.map(({ tensor }) => tensor)]) note(x);
  for (const node of nodes) {
    forEachInput(node, note);
    for (const x of Object.values(node.outputs)) note(x);
  }
  return elements;
}

/** Checks of values stop a program, and no graph. */
const isCheck = ({ outputs, row }: Node): boolean => Object.keys(outputs).length === 0 && !row.writes;

/** Attributes with the numbers of the first trace. */
const settled = (attrs: Attributes): Attributes => {
  const settle = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(settle);
    if (value instanceof Repeated) return new Array<number>(now(value.count)).fill(now(value.item));
    return typeof value === 'object' && value !== null && isMoving(value as Merged) ? now(value as Size) : value;
  };
  return Object.fromEntries(Object.entries(attrs).map(([name, value]) => [name, settle(value)]));
};

/** @throws ArgumentError for what cannot be written */
export const writeGraph = (source: Source): WrittenGraph => new Writing(source).write();
