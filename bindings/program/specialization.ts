// One trace of a function, for one kind of call: the program, and what has to be done around each run of it.
import { isGradEnabled } from '../autograd.ts';
import { type Runtime, runtime } from '../engine/engine.ts';
import { withTracer } from '../execute.ts';
import { type Block, heirOf, type Scope } from '../memory/arena.ts';
import { formatShape, GradError, RecordingError } from '../memory/errors.ts';
import { Tensor } from '../tensor.ts';
import { differenceOf } from './difference.ts';
import { Gradients } from './gradients.ts';
import { isPlain, type Key, mapTensors, sameKey } from './key.ts';
import type { Lowered } from './lower.ts';
import { runWatched } from './profile.ts';
import { Program } from './program.ts';
import { forEachInput, Trace } from './trace.ts';

/** Makes a result from the blocks of this call's outputs and its arguments. */
type Builder = (outputs: readonly Block[], inputs: readonly Tensor[]) => unknown;

/** Stands for an argument: no memory, and the layout of the argument. */
function standIn(x: Tensor): Tensor {
  if (x.isContiguous()) return Tensor.allocate(x.shape, x.dtype, 'compile');
  let last = 0;
  for (let d = 0; d < x.ndim; d++) last += ((x.shape[d] as number) - 1) * (x.strides[d] as number);
  return Tensor.allocate([last + 1], x.dtype, 'compile').alias(x.shape, x.strides, 0);
}

export class Specialization {
  readonly #runtime: Runtime;
  readonly #trace: Trace;
  readonly #key: Key;
  /** Laid out at the first run: a trace that is only compared needs no memory. */
  #program: Program | null = null;
  readonly #gradEnabled = isGradEnabled();
  /** What stood for the arguments. */
  readonly #inputs: readonly Tensor[];
  /** Blocks of the results, which are new with each run. */
  readonly #outputs: Block[] = [];
  readonly #build: Builder;
  /** Blocks that last from run to run, such as gradients, and where they are now. */
  readonly #lasting = new Map<Block, Block>();
  readonly #gradients = new Gradients();
  /** What `.grad` of a tensor is after a run, and which block of the trace it is in, if in one. */
  readonly #left: { readonly owner: Tensor; gradient: Tensor | null; readonly block: Block | null }[];
  /** Blocks of others that it uses, and those it writes. */
  readonly #captured = new Set<Block>();
  readonly #written: ReadonlySet<Block>;

  /** Calls `fn` once, with tensors that have no values. Nothing has changed if it throws. */
  constructor(fn: (...args: unknown[]) => unknown, args: readonly unknown[], key: Key) {
    this.#runtime = runtime();
    const { arena } = this.#runtime;
    const trace = new Trace();
    this.#trace = trace;
    const asked = key.tensors.find((x) => x.requiresGrad);
    if (asked && this.#gradEnabled)
      throw new GradError(
        `compile: expected arguments without requiresGrad, got one of shape ${formatShape(asked.shape)}; pass detach() of it, or let the function use it from outside`,
      );
    // One for each place: two arguments that are the same tensor now may be different ones in the next call.
    const inputs: Tensor[] = [];
    const stand = (x: Tensor): Tensor => {
      x.checkAlive();
      const made = standIn(x);
      inputs.push(made);
      return made;
    };
    const scope = arena.open();
    try {
      const result = this.#gradients.watch(() =>
        withTracer(trace, () => fn(...args.map((arg) => mapTensors(arg, stand, () => {})))),
      );
      if (result instanceof Promise)
        throw new RecordingError(
          'compile: expected a synchronous function, got one that returns a promise; await outside of it',
        );
      this.#inputs = inputs;
      // Not the call's own tensors, which nobody else may hold on to.
      this.#key = { tensors: inputs, values: key.values };
      this.#build = this.#builder(result, scope);
    } catch (error) {
      trace.takeWrites();
      trace.discard();
      throw error;
    } finally {
      arena.close(scope);
    }
    this.#sort();
    this.#written = trace.takeWrites();
    this.#left = [...this.#gradients.after].map(([owner, gradient]) => {
      const block = gradient && this.#lasting.has(gradient.block) ? gradient.block : null;
      return { owner, gradient, block };
    });
  }

  /** The program, in memory. @throws OutOfMemoryError; a later call may try again */
  get program(): Program {
    if (this.#program) return this.#program;
    const { arena } = this.#runtime;
    const trace = this.#trace;
    for (const block of this.#lasting.keys()) if (block.ownedBy(trace)) arena.back(block);
    const outside = new Set([...this.#outputs, ...this.#lasting.keys(), ...this.#inputs.map(({ block }) => block)]);
    const alive = (block: Block): boolean => block.origin !== trace || outside.has(block);
    this.#program = new Program(this.#runtime, { trace, outside, alive });
    return this.#program;
  }

  /** How to make `result` again from the blocks of another call. */
  #builder(result: unknown, scope: Scope): Builder {
    if (Array.isArray(result)) {
      const items = result.map((item) => this.#builder(item, scope));
      return (outputs, inputs) => items.map((item) => item(outputs, inputs));
    }
    if (isPlain(result)) {
      const entries = Object.entries(result).map(([key, item]) => [key, this.#builder(item, scope)] as const);
      return (outputs, inputs) => Object.fromEntries(entries.map(([key, item]) => [key, item(outputs, inputs)]));
    }
    if (!(result instanceof Tensor)) return () => result;
    const { block, dtype, shape, strides, offset } = result;
    const input = this.#inputs.findIndex((x) => x.block === block);
    if (input >= 0)
      return (_, inputs) => {
        const x = inputs[input] as Tensor;
        return x.alias(shape, strides, x.offset + offset);
      };
    // Kept, or not made here: the tensor itself; what stands in its place once the caller has let go of it.
    if (block.scope !== scope) {
      return () => {
        const now = this.#lasting.get(block);
        return now && block.freed ? new Tensor(now, dtype, shape, strides, offset) : result;
      };
    }
    let at = this.#outputs.indexOf(block);
    if (at < 0) at = this.#outputs.push(block) - 1;
    return (outputs) => new Tensor(outputs[at] as Block, dtype, shape, strides, offset);
  }

  /** Finds what of the trace lasts, and what is not its own. */
  #sort(): void {
    const inputs = new Set(this.#inputs.map(({ block }) => block));
    const sort = ({ block }: Tensor): void => {
      if (block.origin !== this.#trace) this.#captured.add(block);
      else if (!block.freed && !inputs.has(block) && !this.#lasting.has(block)) this.#lasting.set(block, block);
    };
    for (const node of this.#trace.nodes) {
      forEachInput(node, sort);
      for (const name in node.outputs) sort(node.outputs[name] as Tensor);
    }
  }

  /** Whether a call like this one was traced, and all it depended on is as it was. */
  fits(key: Key): boolean {
    return isGradEnabled() === this.#gradEnabled && sameKey(key, this.#key) && this.#holds();
  }

  #holds(): boolean {
    if (this.dead) return false;
    for (const [x, grad] of this.#gradients.read) if (x.grad !== grad) return false;
    for (const guard of this.#trace.guards) if (!guard()) return false;
    return true;
  }

  /** Whether something it uses is gone for good. */
  get dead(): boolean {
    if (this.#runtime.arena.abandoned) return true;
    for (const block of this.#captured) if (block.freed) return true;
    return false;
  }

  /** Whether it is where one of the blocks that last is now. */
  #isLasting(block: Block): boolean {
    for (const now of this.#lasting.values()) if (now === block) return true;
    return false;
  }

  /** A program takes its arguments and what it captured for memories of their own. @throws RecordingError */
  #checkApart(tensors: readonly Tensor[]): void {
    for (let i = 0; i < tensors.length; i++) {
      const { block } = tensors[i] as Tensor;
      const written = (this.#inputs[i] as Tensor).block.version > 0;
      const shared =
        this.#written.has(block) ||
        this.#isLasting(block) ||
        (written && (this.#captured.has(block) || tensors.some((x, j) => j !== i && x.block === block)));
      if (shared)
        throw new RecordingError(
          `compile: expected arguments that share no memory with what the function writes, got one of shape ${formatShape(tensors[i]?.shape ?? [])} that does; pass a copy`,
        );
    }
  }

  /** Runs it on these arguments, which fit. */
  run(tensors: readonly Tensor[]): unknown {
    const { arena } = this.#runtime;
    const { program } = this;
    this.#checkApart(tensors);
    for (const hook of this.#trace.hooks) hook();
    const outputs: Block[] = [];
    let turn: Scope | null = null;
    try {
      for (let i = 0; i < tensors.length; i++) {
        const x = tensors[i] as Tensor;
        x.checkAlive();
        turn = heirOf(turn, x.block);
        const { block } = this.#inputs[i] as Tensor;
        if (block.version > 0) x.block.version++; // it writes there
        program.bind(block, x.block.ptr + x.byteOffset);
      }
      for (const [block, now] of this.#lasting) {
        if (now.freed) this.#lasting.set(block, arena.lasting(block.bytes, block.maker));
        program.bind(block, (this.#lasting.get(block) as Block).ptr);
      }
      for (const block of this.#outputs) {
        const output = arena.allocate(block.bytes, block.maker, turn);
        outputs.push(output);
        program.bind(block, output.ptr);
      }
      for (const block of this.#written) block.version++;
      const stopped = runWatched(program);
      if (stopped) this.#complain(stopped);
    } catch (error) {
      for (const output of outputs) output.free();
      throw error;
    }
    this.#setGradients();
    return this.#build(outputs, tensors);
  }

  /** Throws what the eager call would have thrown. */
  #complain({ node, complain }: Lowered): never {
    const places: Block[] = [];
    forEachInput(node, ({ block }) => {
      if (block.freed) places.push(block);
    });
    // For a moment the tensors of the trace have the values of this run.
    for (const block of places) block.settle(this.#runtime.arena, this.program.addressOf(block));
    try {
      complain?.();
    } finally {
      for (const block of places) block.settle(null, 0);
    }
    throw new RecordingError('compile: expected values that the program accepts, got others');
  }

  #setGradients(): void {
    for (const left of this.#left) {
      const { owner, block } = left;
      // The caller may have let go of it, with zeroGrad() outside: the program has another one then.
      if (left.gradient?.block.freed && block)
        left.gradient = new Tensor(this.#lasting.get(block) as Block, left.gradient.dtype, left.gradient.shape);
      if (owner.grad === left.gradient) continue;
      owner.clearGrad();
      owner.takeGrad(left.gradient);
    }
  }

  /** Compares with another trace of the same call. @returns what differs first, or null */
  differs(other: Specialization): string | null {
    return differenceOf(this.#trace, other.#trace);
  }

  /** Whether `fn` let tensors out of the trace, besides results and gradients: those are written with each run. */
  get lets(): boolean {
    const gradients = new Set(this.#left.map(({ block }) => block));
    return [...this.#lasting.keys()].some((block) => block.origin === this.#trace && !gradients.has(block));
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
