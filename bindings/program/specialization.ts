// One trace of a function, for one kind of call: the program, and what has to be done around each run of it.
import { notes } from '../autograd.ts';
import { type Runtime, runtime } from '../engine/engine.ts';
import { withTracer } from '../execute.ts';
import { type Block, heirOf, type Scope } from '../memory/arena.ts';
import { expectSynchronous, formatShape, GradError, named, RecordingError } from '../memory/errors.ts';
import { watchCalls } from '../signature.ts';
import { Tensor } from '../tensor.ts';
import { differenceOf } from './difference.ts';
import { mapTensors, type Pattern, partsOf } from './key.ts';
import type { Lowered } from './lower.ts';
import { runWatched } from './profile.ts';
import { type Place, Program } from './program.ts';
import { type ResultBlock, Results } from './results.ts';
import { sourceOf } from './source.ts';
import { forEachInput, Trace } from './trace.ts';

/** Stands for an argument: no memory, and the layout of the argument. */
function standIn(x: Tensor): Tensor {
  x.expectDense('compile');
  let last = 0;
  if (!x.isContiguous()) for (let d = 0; d < x.ndim; d++) last += ((x.sizes[d] as number) - 1) * (x.steps[d] as number);
  const made = x.isContiguous()
    ? Tensor.allocate(x.sizes, x.dtype, 'compile')
    : Tensor.allocate([last + 1], x.dtype, 'compile').alias(x.sizes, x.steps, 0);
  made.takeRequiresGrad(x.requiresGrad);
  return made;
}

/** A block that lasts from run to run, such as a gradient. */
interface Lasting {
  readonly block: Block;
  now: Block;
  place: Place | undefined;
}

/** What `.grad` of a tensor is after a run, and which block of the trace it is in, if in one. */
interface Left {
  readonly owner: Tensor;
  gradient: Tensor | null;
  readonly block: Block | null;
}

/** Where addresses go that change from run to run. */
interface Places {
  readonly inputs: readonly (Place | undefined)[];
  readonly results: readonly (Place | undefined)[];
}

export class Specialization {
  readonly #runtime: Runtime;
  readonly #trace: Trace;
  readonly #pattern: Pattern;
  /** Laid out at the first run: a trace that is only compared needs no memory. */
  #program: Program | null = null;
  #places: Places = { inputs: [], results: [] };
  readonly #gradEnabled = notes();
  /** What stood for the arguments, and which of them are written. */
  readonly #inputs: readonly Tensor[];
  readonly #writes: readonly boolean[];
  readonly #results: Results;
  readonly #lasting: Lasting[] = [];
  /** Where each block of the trace that lasts is now. */
  readonly #now = new Map<Block, Block>();
  readonly #left: readonly Left[];
  /** What `.grad` of tensors from outside has to be. */
  readonly #reads: readonly (readonly [Tensor, Tensor | null])[];
  readonly #flags: readonly (readonly [Tensor, boolean])[];
  /** Blocks of others that it uses, and those it writes. */
  readonly #captured: ReadonlySet<Block>;
  readonly #capturedList: readonly Block[];
  readonly #written: readonly Block[];
  /** What no argument may lie in: what it writes, and what lasts. */
  readonly #taken: Set<Block>;

  /**
   * Calls `fn` once, with tensors that have no values. Nothing has changed if it throws.
   * @param tensors those in `args`, as `pattern` finds them
   */
  constructor(
    fn: (...args: unknown[]) => unknown,
    args: readonly unknown[],
    pattern: Pattern,
    tensors: readonly Tensor[],
  ) {
    this.#runtime = runtime();
    this.#pattern = pattern;
    const { arena } = this.#runtime;
    const trace = new Trace();
    this.#trace = trace;
    const recorded = tensors.find((x) => x.requiresGrad && !x.isLeaf);
    if (recorded && this.#gradEnabled)
      throw new GradError(
        `compile: expected arguments without history, got one of shape ${formatShape(recorded.sizes)} that an op made; pass detach() of it, or let the function use it from outside`,
      );
    for (const x of tensors) x.checkAlive();
    const scope = arena.open();
    try {
      const inputs: Tensor[] = [];
      const given = withTracer(trace, () => this.#standIns(args, inputs));
      this.#inputs = inputs;
      const parts = partsOf(given);
      const value = trace.gradients.watch(() => withTracer(trace, () => watchCalls(() => fn(...given))));
      expectSynchronous('compile', value, RecordingError);
      const left = partsOf(given);
      if (left.length !== parts.length || left.some((part, i) => !Object.is(part, parts[i])))
        throw new RecordingError(
          'compile: expected lists and objects among the arguments to hold what they held, got one that the function changed; return what it makes',
        );
      trace.watch.setResultsApart(trace);
      const wanted = this.#gradEnabled && inputs.some((x) => x.requiresGrad);
      this.#results = new Results(value, { trace, inputs, scope, wanted }, this.#now);
    } catch (error) {
      trace.watch.restore(true);
      trace.takeWrites();
      trace.discard();
      throw error;
    } finally {
      arena.close(scope);
    }
    this.#capturedList = this.#sort(scope);
    this.#captured = new Set(this.#capturedList);
    this.#reads = [...trace.gradients.read];
    this.#written = [...trace.takeWrites()];
    this.#taken = new Set(this.#written);
    this.#writes = this.#inputs.map(({ block }) => block.version > 0);
    this.#left = this.#findLeft();
    this.#flags = [...trace.gradients.flagsAfter].filter(([x]) => x.block.origin !== trace || this.#now.has(x.block));
  }

  /** The arguments with what stands for their tensors, one for each. @param inputs gets those, as the pattern does */
  #standIns(args: readonly unknown[], inputs: Tensor[]): unknown[] {
    const known = new Map<Tensor, Tensor>();
    const standFor = (x: Tensor): Tensor => {
      const before = known.get(x);
      if (before) return before;
      const made = standIn(x);
      known.set(x, made);
      inputs.push(made);
      const gradient = x.grad && standFor(x.grad);
      if (gradient) made.takeGrad(gradient);
      this.#trace.gradients.give(made, gradient);
      return made;
    };
    return mapTensors(args, standFor) as unknown[];
  }

  /** The program, in memory. @throws OutOfMemoryError; a later call may try again */
  get program(): Program {
    if (this.#program) return this.#program;
    const { arena } = this.#runtime;
    const trace = this.#trace;
    for (const { block } of this.#lasting) if (block.ownedBy(trace)) arena.back(block);
    const results = this.#results.blocks.map(({ block }) => block);
    const inputs = this.#inputs.map(({ block }) => block);
    const outside = new Set([...results, ...this.#now.keys(), ...inputs]);
    const alive = (block: Block): boolean => block.origin !== trace || outside.has(block);
    const program = new Program(this.#runtime, sourceOf(this.#runtime, trace, outside, alive));
    for (const lasting of this.#lasting) {
      lasting.place = program.placeOf(lasting.block);
      this.#taken.add(lasting.now);
    }
    const fresh = this.#results.blocks.map(({ block, kept }) => (kept ? undefined : program.placeOf(block)));
    this.#places = { inputs: inputs.map((block) => program.placeOf(block)), results: fresh };
    this.#program = program;
    return program;
  }

  /** Finds what of the trace lasts. @returns what is not its own */
  #sort(scope: Scope): Block[] {
    const captured = new Set<Block>();
    const inputs = new Set(this.#inputs.map(({ block }) => block));
    for (const block of inputs) if (block.scope !== scope) block.free();
    const sort = ({ block }: Tensor): void => {
      if (block.origin !== this.#trace) captured.add(block);
      else if (!block.freed && !inputs.has(block) && !this.#now.has(block)) {
        this.#now.set(block, block);
        this.#lasting.push({ block, now: block, place: undefined });
      }
    };
    for (const node of this.#trace.nodes) {
      forEachInput(node, sort);
      for (const name in node.outputs) sort(node.outputs[name] as Tensor);
    }
    return [...captured];
  }

  /** What is left in `.grad` of tensors that live on. */
  #findLeft(): Left[] {
    const left: Left[] = [];
    for (const [owner, gradient] of this.#trace.gradients.after) {
      if (owner.block.origin === this.#trace && !this.#now.has(owner.block)) continue;
      left.push({ owner, gradient, block: gradient && this.#now.has(gradient.block) ? gradient.block : null });
    }
    return left;
  }

  /**
   * Whether a call like this one was traced, and all it depended on is as it was.
   * @param tensors gets those in the arguments
   */
  fits(args: readonly unknown[], tensors: Tensor[]): boolean {
    if (notes() === this.#gradEnabled && this.#pattern(args, tensors) && this.#holds()) return true;
    if (tensors.length > 0) tensors.length = 0;
    return false;
  }

  #holds(): boolean {
    if (this.dead) return false;
    const reads = this.#reads;
    for (let i = 0; i < reads.length; i++) {
      const [x, grad] = reads[i] as readonly [Tensor, Tensor | null];
      if (x.grad !== grad) return false;
    }
    return this.#trace.holds();
  }

  /** Whether something it uses is gone for good. */
  get dead(): boolean {
    if (this.#runtime.arena.abandoned) return true;
    const blocks = this.#capturedList;
    for (let i = 0; i < blocks.length; i++) if ((blocks[i] as Block).freed) return true;
    return false;
  }

  /**
   * A program takes its arguments and what it captured for memories of their own, and for tensors of which each has a
   * gradient of its own. @throws RecordingError
   */
  #checkApart(tensors: readonly Tensor[]): void {
    for (let i = 0; i < tensors.length; i++) {
      const x = tensors[i] as Tensor;
      if (
        this.#taken.has(x.block) ||
        this.#left.some(({ owner }) => owner === x) ||
        (this.#writes[i] && this.#meets(tensors, i))
      )
        throw new RecordingError(
          `compile: expected arguments that share no memory with what the function writes, got one of shape ${formatShape(tensors[i]?.sizes ?? [])} that does; pass a copy`,
        );
    }
  }

  /** Whether argument i shares memory with what is read besides it. */
  #meets(tensors: readonly Tensor[], i: number): boolean {
    const { block } = tensors[i] as Tensor;
    return this.#captured.has(block) || tensors.some((x, j) => j !== i && x.block === block);
  }

  /** Sees to it that what lasts has memory: the caller may have let go of it, with zeroGrad() outside. */
  #renewLasting(program: Program): void {
    for (const lasting of this.#lasting) {
      if (lasting.now.freed) {
        this.#taken.delete(lasting.now);
        lasting.now = this.#runtime.arena.lasting(lasting.block.bytes, lasting.block.maker);
        this.#now.set(lasting.block, lasting.now);
        this.#taken.add(lasting.now);
      }
      program.move(lasting.place, lasting.now.ptr);
    }
  }

  /** Runs it on these arguments, which fit. */
  run(tensors: readonly Tensor[]): unknown {
    const { arena } = this.#runtime;
    const { program } = this;
    this.#checkApart(tensors);
    const { hooks } = this.#trace;
    for (let i = 0; i < hooks.length; i++) (hooks[i] as () => void)();
    const blocks: Block[] = [];
    let turn: Scope | null = null;
    try {
      for (let i = 0; i < tensors.length; i++) {
        const x = tensors[i] as Tensor;
        x.checkAlive();
        const { block, byteOffset } = x;
        turn = heirOf(turn, block);
        if (this.#writes[i]) block.version++;
        program.move(this.#places.inputs[i], block.ptr + byteOffset);
      }
      this.#renewLasting(program);
      const results = this.#results.blocks;
      for (let i = 0; i < results.length; i++) {
        const { block, kept } = results[i] as ResultBlock;
        const made = kept ? arena.lasting(block.bytes, block.maker) : arena.allocate(block.bytes, block.maker, turn);
        blocks.push(made);
        program.move(this.#places.results[i], made.ptr);
      }
      const written = this.#written;
      for (let i = 0; i < written.length; i++) (written[i] as Block).version++;
      runWatched(program, this.#complain);
    } catch (error) {
      for (const block of blocks) block.free();
      throw error;
    }
    this.#copyKept(blocks);
    this.#setGradients();
    return this.#results.make(blocks, tensors, arena);
  }

  /** What the function keeps is written by each run: who gets it as a result gets a copy. */
  #copyKept(blocks: readonly Block[]): void {
    const { u8 } = this.#runtime.arena;
    const results = this.#results.blocks;
    for (let i = 0; i < results.length; i++) {
      const { block, kept } = results[i] as ResultBlock;
      if (!kept) continue;
      const { ptr, bytes } = this.#now.get(block) as Block;
      u8.copyWithin((blocks[i] as Block).ptr, ptr, ptr + bytes);
    }
  }

  /** Throws what the eager call would have thrown, if it would. */
  readonly #complain = ({ node, complain }: Lowered): void => {
    const places: Block[] = [];
    if (node)
      forEachInput(node, ({ block }) => {
        if (block.freed) places.push(block);
      });
    // For a moment the tensors of the trace have the values of this run.
    for (const block of places) block.settle(this.#runtime.arena, this.program.addressOf(block));
    try {
      complain?.();
    } catch (error) {
      throw node?.call ? named(error, node.call) : error;
    } finally {
      for (const block of places) block.settle(null, 0);
    }
  };

  #setGradients(): void {
    for (const [x, on] of this.#flags) x.takeRequiresGrad(on);
    for (const left of this.#left) {
      const { owner, block } = left;
      // The caller may have let go of it: the program has another one then.
      if (block && left.gradient?.block.freed)
        left.gradient = left.gradient.alias(left.gradient.sizes, left.gradient.steps, 0, this.#now.get(block) as Block);
      if (owner.grad === left.gradient) continue;
      owner.clearGrad();
      owner.takeGrad(left.gradient);
    }
  }

  /** Compares with another trace of the same call. @returns what differs first, or null */
  differs(other: Specialization): string | null {
    return differenceOf(
      { trace: this.#trace, value: this.#results.value },
      { trace: other.#trace, value: other.#results.value },
    );
  }

  /** Whether `fn` let tensors out of the trace, besides results and gradients: those are written with each run. */
  get lets(): boolean {
    const gradients = new Set(this.#left.map(({ block }) => block));
    return this.#lasting.some(({ block }) => block.origin === this.#trace && !gradients.has(block));
  }

  /** Puts back what was in modules before `fn` was traced. @param results also where it left tensors of the trace */
  undo(results: boolean): void {
    this.#trace.watch.restore(results);
  }

  /** Gives the memory of the program back; that of gradients it left stays theirs. */
  dispose(): void {
    this.#program?.dispose();
    this.#program = null;
    this.#trace.dispose();
  }

  /** Gives all back, where it is not to run. */
  discard(): void {
    this.#trace.discard();
  }
}
