// Which value of the graph a tensor is. Values never change: what a program writes in place is another value from then
// on, for the tensor and for all that look at its memory.
import type { Block } from '../../memory/arena.ts';
import { ArgumentError } from '../../memory/errors.ts';
import type { Node } from '../../program/trace.ts';
import { contiguousStrides, numelOf } from '../../sizes.ts';
import type { Tensor } from '../../tensor.ts';
import { DATA } from '../messages.ts';
import { type Graph, TYPES, type Value } from './graph.ts';
import { isMoving, linear, now, type Size, type Sizes, sum, textOf } from './sizes.ts';
import type { Operand } from './writers.ts';

/** What the memory knows of tensors, and how it makes their values. */
interface Source {
  sizesOf(x: Tensor): Sizes;
  /** The value of another look at `x`. */
  view(node: Node, x: Operand): Value;
  /** A tensor that the trace did not make. */
  outside(x: Tensor): Value;
  /** Whether it is one. */
  isOutside(block: Block): boolean;
  /** How many elements of a block are in use. */
  elementsOf(block: Block): number;
}

/** A look at memory: what it was made of, and how. */
interface Look {
  readonly node: Node;
  readonly of: Tensor;
}

const fieldOf = (node: Node, name: string): unknown => (node.attrs as Readonly<Record<string, unknown>>)[name];

export class Memory {
  readonly #graph: Graph;
  readonly #source: Source;
  /** The values of each block by the looks at it. */
  readonly #values = new Map<Block, Map<string, Value>>();
  readonly #looks = new Map<Block, Map<string, Look>>();
  /** What an op made: the whole block. */
  readonly #roots = new Map<Block, Tensor>();

  constructor(graph: Graph, source: Source) {
    this.#graph = graph;
    this.#source = source;
  }

  /** Tells looks at one block apart. */
  #key(x: Tensor): string {
    const steps = x.steps.map((step, d) => (x.sizes[d] === 1 ? 1 : step));
    return `${x.offset} [${this.#source.sizesOf(x).map(textOf)}] ${steps}`;
  }

  /** Whether it is all of its memory, in order. */
  #isWhole(x: Tensor): boolean {
    return x.offset === 0 && x.size === this.#source.elementsOf(x.block) && x.isContiguous();
  }

  /** Notes a look at what is there. */
  look(node: Node): void {
    const [of, y] = [node.inputs.x as Tensor, node.outputs.y as Tensor];
    const key = this.#key(y);
    if (key === this.#key(of)) return;
    const looks = this.#looks.get(y.block) ?? new Map<string, Look>();
    this.#looks.set(y.block, looks);
    if (!looks.has(key)) looks.set(key, { node, of });
  }

  /** Notes what an op made. */
  put(x: Tensor, value: Value): void {
    if (!this.#roots.has(x.block)) this.#roots.set(x.block, x);
    this.#values.set(x.block, new Map([[this.#key(x), value]]));
  }

  read(x: Tensor): Operand {
    const sizes = this.#source.sizesOf(x);
    const values = this.#values.get(x.block) ?? new Map<string, Value>();
    this.#values.set(x.block, values);
    const key = this.#key(x);
    const value = values.get(key) ?? this.#make(x, key);
    values.set(key, value);
    return { ...value, sizes };
  }

  #make(x: Tensor, key: string): Value {
    const look = this.#looks.get(x.block)?.get(key);
    if (look) return this.#source.view(look.node, this.read(look.of));
    if (this.#source.isOutside(x.block)) return this.#source.outside(x);
    const root = this.#roots.get(x.block) ?? this.#empty(x);
    if (this.#isWhole(x))
      return this.#graph.reshape(this.read(root), this.#source.sizesOf(x), this.#source.sizesOf(root));
    const flat = this.#graph.reshape(this.read(root), [root.size], this.#source.sizesOf(root));
    return this.#graph.node('Gather', [flat, this.#places(x)], { axis: 0 });
  }

  /** What stands for memory that is written part by part. */
  #empty(x: Tensor): Tensor {
    this.#expectFixed(x);
    const root = x.alias([this.#source.elementsOf(x.block)], [1], 0);
    this.put(root, this.#graph.filled(root.sizes, 0, TYPES[x.dtype]));
    return root;
  }

  #expectFixed(x: Tensor): void {
    if (this.#source.sizesOf(x).some(isMoving))
      throw new ArgumentError(
        `onnx: expected memory that is written in parts to be of one size, got a tensor of shape [${x.sizes}]; export it with { dynamicBatch: false }`,
      );
  }

  /** Where the elements of a look that no op made are in their block. */
  #places(x: Tensor): Value {
    this.#expectFixed(x);
    const strides = contiguousStrides(x.sizes);
    const places = Array.from({ length: numelOf(x.sizes) }, (_, i) =>
      x.steps.reduce(
        (at, step, d) => at + step * (Math.floor(i / (strides[d] as number)) % (x.sizes[d] as number)),
        x.offset,
      ),
    );
    return this.#graph.constant(places, DATA.INT64, x.sizes);
  }

  /** Puts a value in the place of `x`, for all looks at its memory. @throws ArgumentError where it is the model's */
  write(x: Tensor, value: Value, what: string): void {
    if (this.#source.isOutside(x.block))
      throw new ArgumentError(
        `onnx: expected a model that writes nothing but what it computes, got ${what}, which writes a tensor of the model's; take that out of its evaluation mode`,
      );
    if (this.#isWhole(x)) {
      this.#roots.set(x.block, x);
      this.put(x, value);
      return;
    }
    const key = this.#key(x);
    const look = this.#looks.get(x.block)?.get(key);
    if (look) {
      const part = { ...value, sizes: this.#source.sizesOf(x) };
      this.write(look.of, this.#within(look, this.read(look.of), part), what);
    } else this.#scatter(x, value);
    (this.#values.get(x.block) as Map<string, Value>).set(key, value);
  }

  /** Puts a value where the elements of a look are that no op made. */
  #scatter(x: Tensor, value: Value): void {
    const g = this.#graph;
    const root = this.#roots.get(x.block) ?? this.#empty(x);
    const sizes = this.#source.sizesOf(root);
    const flat = g.reshape(this.read(root), [root.size], sizes);
    const [at, values] = [this.#places(x), value].map((part) => g.reshape(part, [x.size])) as [Value, Value];
    this.put(root, g.reshape(g.node('ScatterElements', [flat, at, values], { axis: 0 }), sizes, [root.size]));
  }

  /** `whole` with `part` in the place of the look at it. */
  #within({ node }: Look, whole: Operand, part: Operand): Value {
    const g = this.#graph;
    switch (node.op) {
      case 'reshape':
      case 'view':
      case 'squeeze':
      case 'unsqueeze':
        return g.reshape(part, whole.sizes, part.sizes);
      case 'permute': {
        const dims = fieldOf(node, 'dims') as readonly number[];
        return g.transpose(
          part,
          dims.map((_, d) => dims.indexOf(d)),
        );
      }
      case 'slice': {
        const [axis, step] = [fieldOf(node, 'dim') as number, fieldOf(node, 'step') as number];
        if (step === 1) return this.#spliced(whole, part, axis, fieldOf(node, 'start') as number);
      }
    }
    throw new ArgumentError(
      `onnx: expected writes to whole tensors and slices of step 1, got one to a ${node.op}; make a new tensor instead`,
    );
  }

  #spliced(whole: Operand, part: Operand, axis: number, start: number): Value {
    const g = this.#graph;
    const end = sum(part.sizes[axis] as Size, start);
    const rest = sum(whole.sizes[axis] as Size, linear(end, -1, 0));
    const parts: Value[] = [part];
    if (start > 0) parts.unshift(g.slice(whole, axis, 0, start));
    if (now(rest) > 0) parts.push(g.slice(whole, axis, end, rest));
    return parts.length === 1 ? part : g.node('Concat', g.alike(parts), { axis });
  }
}
