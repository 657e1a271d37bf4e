// What a traced function returned and left in gradients, made again from the blocks of each run.

import { isPlain } from '../kinds.ts';
import type { Arena, Block, Scope } from '../memory/arena.ts';
import { describe, GradError, RecordingError } from '../memory/errors.ts';
import { Tensor } from '../tensor.ts';
import type { Gradients } from './gradients.ts';
import { checkDepth } from './key.ts';
import type { Trace } from './trace.ts';

/** Makes a value from the blocks of a run, as the list of results names them, and its arguments. */
type Builder<T> = (blocks: readonly Block[], inputs: readonly Tensor[]) => T;

/** A block that is new with each run: that of a result, or a copy of one that the function keeps. */
export interface ResultBlock {
  readonly block: Block;
  /** Whether the function keeps it: then a later run overwrites it, and what it returns outlives scopes. */
  readonly kept: boolean;
}

/** What the results are made of. */
interface Origin {
  readonly trace: Trace;
  /** What stood for the arguments. */
  readonly inputs: readonly Tensor[];
  /** In which all was made that is not kept. */
  readonly scope: Scope;
  /** Whether an argument wants a gradient: then no result may have a history, which would not reach it. */
  readonly wanted: boolean;
}

export class Results {
  readonly blocks: ResultBlock[] = [];
  /** Where the gradients of what the function let out of the trace are now. */
  readonly lasting: Map<Block, Block>;
  /** What the function returned, to be compared with what it returns when it is traced again. */
  readonly value: unknown;
  readonly #origin: Origin;
  readonly #gradients: Gradients;
  readonly #build: Builder<unknown>;
  /** What is done to the arguments after a run. */
  readonly #effects: ((blocks: readonly Block[], inputs: readonly Tensor[], arena: Arena) => void)[] = [];

  /** @throws GradError, RecordingError for results that cannot be made again */
  constructor(value: unknown, origin: Origin, lasting: Map<Block, Block>) {
    this.value = value;
    this.#origin = origin;
    this.#gradients = origin.trace.gradients;
    this.lasting = lasting;
    this.#build = this.#builder(value);
    origin.inputs.forEach((x, i) => {
      this.#leaveOn(x, i);
    });
  }

  #builder(value: unknown, depth = 0): Builder<unknown> {
    checkDepth(depth, 'results');
    if (value instanceof Tensor) return this.#tensor(value);
    if (Array.isArray(value)) {
      const items = Array.from(value, (item) => this.#builder(item, depth + 1));
      return (blocks, inputs) => items.map((item) => item(blocks, inputs));
    }
    if (isPlain(value)) {
      const entries = Object.entries(value).map(([key, item]) => [key, this.#builder(item, depth + 1)] as const);
      return (blocks, inputs) => Object.fromEntries(entries.map(([key, item]) => [key, item(blocks, inputs)]));
    }
    if (value instanceof Map || value instanceof Set) {
      const items = this.#builder([...value], depth);
      const Collection = value.constructor as new (items: unknown) => unknown;
      return (blocks, inputs) => new Collection(items(blocks, inputs));
    }
    // Its class may have private fields: it cannot be made again.
    if (typeof value === 'object' && value !== null)
      for (const [key, item] of Object.entries(value))
        if (item instanceof Tensor && item.block.scope === this.#origin.scope)
          throw new RecordingError(
            `compile: expected results in lists, plain objects, Maps and Sets, got ${describe(value)} with a tensor in ${key}; return the tensors`,
          );
    return () => value;
  }

  #tensor(x: Tensor): Builder<Tensor> {
    const { trace, inputs, wanted } = this.#origin;
    const { block, sizes: shape, steps: strides, offset } = x;
    if (wanted && x.requiresGrad && !x.isLeaf)
      throw new GradError(
        'compile: expected arguments without requiresGrad where results have a history, which ends at the arguments, got one with it; pass detach(), let the function use the tensor from outside, or call backward() inside',
      );
    const own = inputs.indexOf(x);
    if (own >= 0) return (_, given) => given[own] as Tensor;
    if (block.origin !== trace) return () => x;
    const input = inputs.findIndex((y) => y.block === block);
    if (input >= 0)
      return this.#asLeaf(x, (_, given) => {
        const y = given[input] as Tensor;
        return y.alias(shape, strides, y.offset + offset);
      });
    if (this.#isGradient(x)) {
      // The tensor itself; what stands in its place once the caller has let go of it.
      return () => {
        const now = this.lasting.get(block);
        return now && block.freed ? x.alias(shape, strides, offset, now) : x;
      };
    }
    const at = this.#place(block);
    return this.#asLeaf(x, (blocks) => x.alias(shape, strides, offset, blocks[at] as Block));
  }

  /** The number of the block that a run makes for `block`. */
  #place(block: Block): number {
    const known = this.blocks.findIndex((result) => result.block === block);
    if (known >= 0) return known;
    if (block.freed)
      throw new RecordingError(
        'compile: expected living tensors as results, got one that was disposed of or whose scope ended',
      );
    return this.blocks.push({ block, kept: block.scope !== this.#origin.scope }) - 1;
  }

  /** Whether it is `.grad` of a tensor from outside, which lasts as long as that. */
  #isGradient({ block }: Tensor): boolean {
    const { trace, scope } = this.#origin;
    if (block.scope === scope) return false;
    for (const [owner, gradient] of this.#gradients.after)
      if (owner.block.origin !== trace && gradient?.block === block) return true;
    return false;
  }

  /** A leaf that the function made comes with its gradient. */
  #asLeaf(x: Tensor, build: Builder<Tensor>): Builder<Tensor> {
    const requiresGrad = x.isLeaf && (this.#gradients.flagsAfter.get(x) ?? x.requiresGrad);
    const gradient = this.#gradients.after.get(x);
    if (!requiresGrad && !gradient) return build;
    const grad = gradient && this.#tensor(gradient);
    return (blocks, inputs) => {
      const made = build(blocks, inputs);
      made.takeRequiresGrad(requiresGrad);
      if (grad) made.takeGrad(grad(blocks, inputs));
      return made;
    };
  }

  /** Notes what the function left on an argument: a gradient, whether it wants one, that it lasts. */
  #leaveOn(x: Tensor, i: number): void {
    const { scope } = this.#origin;
    if (x.block.freed)
      throw new RecordingError(
        'dispose: expected arguments of a compiled function to live on, got one that was freed; dispose of them outside',
      );
    if (x.block.scope !== scope) this.#effects.push((_, inputs, arena) => arena.keep((inputs[i] as Tensor).block));
    const flag = this.#gradients.flagsAfter.get(x);
    if (flag !== undefined)
      this.#effects.push((_, inputs) => {
        (inputs[i] as Tensor).takeRequiresGrad(flag);
      });
    const gradient = this.#gradients.after.get(x);
    if (gradient === undefined) return;
    const build = gradient && this.#tensor(gradient);
    this.#effects.push((blocks, inputs, arena) => {
      const owner = inputs[i] as Tensor;
      const grad = build?.(blocks, inputs) ?? null;
      if (owner.grad === grad) return;
      owner.clearGrad();
      owner.takeGrad(grad);
      if (grad) arena.follow(grad.block, owner.block);
    });
  }

  /** The results of a run. @param blocks those of this run, in the order of `blocks` */
  make(blocks: readonly Block[], inputs: readonly Tensor[], arena: Arena): unknown {
    for (const effect of this.#effects) effect(blocks, inputs, arena);
    return this.#build(blocks, inputs);
  }
}
