// Parts of a forward pass that keep nothing for backward, which computes them again.
import { notes, ops, withoutTape, withTape } from '../autograd.ts';
import { runtime } from '../engine/engine.ts';
import type { Block, Scope } from '../memory/arena.ts';
import { ArgumentError, expectSynchronous, formatShape, GradError } from '../memory/errors.ts';
import { Sequential } from '../nn/container.ts';
import { Module } from '../nn/module.ts';
import { listeners, type Node } from '../node.ts';
import type { Bag, Slot } from '../ops/core.ts';
import { defaultGenerator } from '../random.ts';
import { scope } from '../scope.ts';
import { type Callable, taking } from '../signature.ts';
import { Tensor } from '../tensor.ts';

type Fn = (...args: unknown[]) => unknown;

/** Calls `fn` and gathers the nodes that it notes; those around it gather them as well. */
function gathering<T>(nodes: Node[], fn: () => T): T {
  const around = listeners.noted;
  listeners.noted = (node) => {
    nodes.push(node);
    around?.(node);
  };
  try {
    return fn();
  } finally {
    listeners.noted = around;
  }
}

/** Calls `fn` with the generator in `state`, and leaves it as it was. */
function withGenerator(state: Tensor | null, fn: () => void): void {
  if (!state) {
    fn();
    return;
  }
  const generator = defaultGenerator();
  const set = (x: Tensor): unknown => withoutTape(() => ops.copy({ y: generator, x }));
  const now = withoutTape(() => ops.contiguous({ x: generator }));
  try {
    set(state);
    fn();
  } finally {
    set(now);
    now.dispose();
  }
}

const tensorsIn = (slot: Slot | undefined): readonly Tensor[] => (slot instanceof Tensor ? [slot] : (slot ?? []));

/** One call of a function, computed again when backward comes to it. */
class Region {
  /** Those whose backward has begun, and that hold what was computed again. */
  static #open: Region[] = [];
  readonly #fn: Fn;
  readonly #args: readonly unknown[];
  readonly #versions: readonly number[];
  #state: Tensor | null = null;
  #nodes: readonly Node[] = [];
  /** The nodes of the second time, and what they are made of, until the walk that asked ends. */
  #again: Node[] = [];
  #blocks = new Set<Block>();
  #scope: Scope | null = null;
  #left = 0;

  constructor(fn: Fn, args: readonly unknown[]) {
    this.#fn = fn;
    this.#args = args;
    this.#versions = this.#tensors.map(({ block }) => block.version);
  }

  get #tensors(): Tensor[] {
    return this.#args.filter((x) => x instanceof Tensor);
  }

  forward(preserves: boolean): unknown {
    const { block } = defaultGenerator();
    const { version } = block;
    const state = preserves ? withoutTape(() => ops.contiguous({ x: defaultGenerator() })) : null;
    const nodes: Node[] = [];
    const result = gathering(nodes, () => scope(() => this.#fn(...this.#args)));
    if (block.version === version) state?.dispose();
    else this.#state = state;
    this.#nodes = nodes;
    for (const [i, node] of nodes.entries()) {
      node.saved = {};
      node.recall = () => this.#recall(i);
    }
    return result;
  }

  /** What node i saved. */
  #recall(i: number): Bag {
    if (!this.#scope?.open || this.#again.length === 0) this.#repeat();
    const [node, twin] = [this.#nodes[i] as Node, this.#again[i] as Node];
    this.#left--;
    const saved = twin.recall?.() ?? (twin.saved as Bag);
    let at = 0;
    for (const key in saved)
      for (const x of tensorsIn(saved[key])) {
        const version = node.versions[at++];
        if (!this.#blocks.has(x.block) && x.block.version !== version) this.#refuse(x);
      }
    return saved;
  }

  #refuse(x: Tensor): never {
    throw new GradError(
      `checkpoint: expected what the function reads as it was, got a tensor of shape ${formatShape(x.sizes)} that was written since; call backward() before changing it`,
    );
  }

  #repeat(): void {
    for (const [i, x] of this.#tensors.entries()) {
      x.checkAlive();
      if (x.block.version !== this.#versions[i]) this.#refuse(x);
    }
    Region.#open = Region.#open.filter((other) => other.#left > 0 || other.#free());
    // With createGraph what is computed now is in the graph of the gradients, and stays as anything there does.
    if (!notes()) Region.#open.push(this);
    const { arena } = runtime();
    const around = arena.scope;
    const inner = arena.open();
    const again: Node[] = [];
    try {
      withGenerator(this.#state, () => {
        withTape(true, () => gathering(again, () => this.#fn(...this.#args)));
      });
      this.#blocks = new Set(inner.blocks.filter((block) => block.scope === inner && !block.freed));
      for (const block of this.#blocks) arena.adopt(block, around);
    } finally {
      arena.close(inner);
    }
    if (again.length !== this.#nodes.length || again.some(({ name }, i) => name !== this.#nodes[i]?.name))
      throw new GradError(
        `checkpoint: expected the function to do the same each time, got ${again.length} ops after ${this.#nodes.length}, or others; pass what it depends on`,
      );
    this.#again = again;
    this.#left = again.length;
    this.#scope = around;
  }

  /** Frees what was computed again, but for what gradients lie in. @returns false: it is not open any more */
  #free(): false {
    for (const block of this.#blocks) if (block.gradients === 0 && block.scope === this.#scope) block.free();
    this.#blocks = new Set();
    this.#again = [];
    return false;
  }
}

/** Options of {@link checkpoint} and {@link checkpointSequential}. */
export interface CheckpointOptions {
  /** Whether dropout and the like draw the same numbers again. @defaultValue true */
  preserveRngState?: boolean;
}

function run(fn: Fn, args: readonly unknown[], preserves: boolean): unknown {
  const result = notes() ? new Region(fn, args).forward(preserves) : fn(...args);
  expectSynchronous('checkpoint', result);
  return result;
}

/**
 * Calls `function` with the other arguments and keeps nothing of it but the results: backward calls it again (PyTorch's
 * `utils.checkpoint`). It has to do the same each time; tensors that it uses from outside get their gradients as
 * always. A list as the only argument is the list of arguments, and a plain object at the end the options. With
 * createGraph it keeps what it computes again, for derivatives of derivatives. In compiled functions its ops are in the
 * program twice.
 * @returns what it gives: tensors, or lists, Maps, Sets and plain objects of them
 * @throws GradError in backward where it does something else the second time
 * @example
 * ```ts
 * const block = new nn.Sequential(new nn.Linear(8, 64), new nn.GELU(), new nn.Linear(64, 8));
 * const x = randn([4, 8]);
 * autograd.checkpoint((h: Tensor) => block.forward(h), x).sum().backward();
 * ```
 */
export const checkpoint: {
  <A extends unknown[], Y>(fn: (...args: A) => Y, ...args: A): Y;
  <A extends unknown[], Y>(fn: (...args: A) => Y, ...args: [...args: A, options: CheckpointOptions]): Y;
} = taking(
  'checkpoint(function: function, ...args?: any, *, preserveRngState: bool = true)',
  (fn: Fn, args: readonly unknown[], preserves: boolean) => run(fn, args, preserves) as never,
);

/** A layer that takes one tensor and gives one. */
export interface CheckpointLayer extends Module {
  /** What it computes. */
  forward(x: Tensor): Tensor;
}
/** A layer, or a function that does what one does. */
export type CheckpointStep = CheckpointLayer | ((x: Tensor) => Tensor);

/**
 * Calls layers one after the other in `segments` parts, all but the last of which are {@link checkpoint}s (PyTorch's
 * `checkpoint_sequential`).
 * @param functions a Sequential, or a list of modules and functions
 * @throws ArgumentError unless there are 1 … as many segments as layers
 */
export const checkpointSequential = taking<
  Callable<
    [functions: Sequential | readonly CheckpointStep[], segments: number, input: Tensor],
    [useReentrant: null],
    CheckpointOptions,
    Tensor,
    ['functions', 'segments', 'input']
  >
>(
  'checkpointSequential(functions: object|any[], segments: int, input: Tensor, -useReentrant: null = null, *, preserveRngState: bool = true)',
  (functions: Sequential | readonly CheckpointStep[], segments: number, input: Tensor, _: null, preserves: boolean) => {
    const steps = (functions instanceof Sequential ? [...functions] : functions) as readonly CheckpointStep[];
    if (!Array.isArray(steps) || !steps.every((step) => typeof step === 'function' || step instanceof Module))
      throw new ArgumentError('checkpointSequential: expected a Sequential, or modules and functions, got others');
    if (segments < 1 || segments > steps.length)
      throw new ArgumentError(`checkpointSequential: expected 1 … ${steps.length} segments, got ${segments}`);
    const size = Math.floor(steps.length / segments);
    const part = (from: number, to: number) => (x: unknown) =>
      steps.slice(from, to).reduce((y, step) => (typeof step === 'function' ? step(y) : step.forward(y)), x as Tensor);
    let x = input;
    for (let i = 0; i < segments - 1; i++) x = run(part(i * size, (i + 1) * size), [x], preserves) as Tensor;
    return part((segments - 1) * size, steps.length)(x);
  },
);
