// One recording of a function, for one kind of call: the program, and what has to be done around each run of it.
import { isGradEnabled, noGrad, ops } from './autograd.ts';
import type { Arena, Block, Scope } from './runtime/arena.ts';
import { formatShape, GradError, RecordingError } from './runtime/errors.ts';
import { Program } from './runtime/program.ts';
import { type Command, isRef, Recorder } from './runtime/recorder.ts';
import { record, runtime } from './runtime/wasm.ts';
import { Tensor, watchGradients } from './tensor.ts';

/** What a call has to have in common with the recorded one: shapes and dtypes of tensors, and all other values. */
export interface Key {
  readonly tensors: readonly Tensor[];
  readonly values: readonly unknown[];
}

const isPlain = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype;

/** Replaces the tensors in arrays and plain objects; `other` sees everything else, also how it is nested. */
function mapTensors(value: unknown, map: (x: Tensor) => unknown, other: (x: unknown) => void): unknown {
  if (value instanceof Tensor) return map(value);
  if (Array.isArray(value)) {
    other(value.length);
    return value.map((item) => mapTensors(item, map, other));
  }
  if (isPlain(value)) {
    other(Object.keys(value).join());
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapTensors(item, map, other)]));
  }
  other(value);
  return value;
}

export function keyOf(args: readonly unknown[]): Key {
  const tensors: Tensor[] = [];
  const values: unknown[] = [];
  for (const arg of args)
    mapTensors(
      arg,
      (x) => tensors.push(x),
      (x) => values.push(x),
    );
  return { tensors, values };
}

function sameList<T>(a: readonly T[], b: readonly T[], same: (x: T, y: T) => boolean): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!same(a[i] as T, b[i] as T)) return false;
  return true;
}
const alike = (a: Tensor, b: Tensor): boolean => a.dtype === b.dtype && sameList(a.shape, b.shape, Object.is);

/** What a recording reads and writes of `.grad`. Nothing of it stays: a run sets what it leaves. */
class Gradients {
  /** `.grad` as it was before the recording first wrote it. */
  readonly before = new Map<Tensor, Tensor | null>();
  /** What was read of those that had not been written. */
  readonly read = new Map<Tensor, Tensor | null>();
  /** What was left. */
  readonly after = new Map<Tensor, Tensor | null>();

  watch<T>(fn: () => T): T {
    watchGradients({
      read: (x, grad) => {
        if (!this.before.has(x) && !this.read.has(x)) this.read.set(x, grad);
        return grad;
      },
      write: (x, grad) => {
        if (!this.before.has(x)) this.before.set(x, grad);
      },
    });
    try {
      return fn();
    } finally {
      watchGradients(null);
      for (const [x, grad] of this.before) {
        this.after.set(x, x.grad);
        x.grad = grad;
      }
    }
  }
}

/** Makes a result from the blocks of this call's outputs and its arguments. */
type Builder = (outputs: readonly Block[], inputs: readonly Tensor[]) => unknown;

export class Recording {
  readonly #arena: Arena;
  readonly #recorder: Recorder;
  /** Laid out at the first run: a recording that is only compared needs no memory. */
  #program: Program | null = null;
  readonly #gradEnabled = isGradEnabled();
  /** What stood for the arguments, without memory. */
  readonly #inputs: readonly Tensor[];
  readonly #values: readonly unknown[];
  /** Blocks of the results, which are new with each run. */
  readonly #outputs: Block[] = [];
  readonly #build: Builder;
  /** Blocks that last from run to run, such as gradients, and where they are now. */
  readonly #lasting = new Map<Block, Block>();
  readonly #gradients: Gradients;
  /** What `.grad` of a tensor is after a run, and which block of the recording it is in, if in one. */
  readonly #left: { readonly owner: Tensor; gradient: Tensor | null; readonly block: Block | null }[];
  /** Blocks of others that it uses, and those it writes. */
  readonly #captured = new Set<Block>();
  readonly #written = new Set<Block>();

  /** Calls `fn` once, with tensors that have no values. @param sites notes where each kernel was called @throws whatever it throws; nothing has changed then */
  constructor(fn: (...args: unknown[]) => unknown, args: readonly unknown[], { tensors, values }: Key, sites = false) {
    const { arena } = runtime();
    this.#arena = arena;
    this.#values = values;
    const recorder = new Recorder(sites);
    this.#recorder = recorder;
    const asked = tensors.find((x) => x.requiresGrad);
    if (asked && this.#gradEnabled)
      throw new GradError(
        `compile: expected arguments without requiresGrad, got one of shape ${formatShape(asked.shape)}; pass detach() of it, or let the function use it from outside`,
      );
    // One for each place: two arguments that are the same tensor now may be different ones in the next call.
    const stands: Tensor[] = [];
    const stand = (x: Tensor): Tensor => {
      const made = Tensor.allocate(x.shape, x.dtype, 'compile');
      stands.push(made);
      return made;
    };
    this.#gradients = new Gradients();
    const scope = arena.open();
    try {
      const result = this.#gradients.watch(() =>
        record(recorder, () => fn(...args.map((arg) => mapTensors(arg, stand, () => {})))),
      );
      if (result instanceof Promise)
        throw new RecordingError(
          'compile: expected a synchronous function, got one that returns a promise; await outside of it',
        );
      this.#inputs = stands;
      this.#build = this.#builder(result, scope);
    } finally {
      arena.close(scope);
    }
    this.#sort(recorder.commands);
    this.#left = [...this.#gradients.after].map(([owner, gradient]) => {
      const block = gradient && this.#lasting.has(gradient.block) ? gradient.block : null;
      return { owner, gradient, block };
    });
  }

  /** The program, in memory. @throws OutOfMemoryError; a later call may try again */
  get program(): Program {
    if (this.#program) return this.#program;
    const arena = this.#arena;
    const recorder = this.#recorder;
    for (const block of this.#lasting.keys()) if (block.ownedBy(recorder)) arena.back(block);
    const outside = new Set([...this.#outputs, ...this.#lasting.keys(), ...this.#inputs.map(({ block }) => block)]);
    const alive = (block: Block): boolean => block.origin !== recorder || outside.has(block);
    this.#program = new Program(arena, runtime().team, recorder, outside, alive);
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
        return x.view(shape, result === this.#inputs[input] ? x.strides : strides, x.offset + offset);
      };
    // Kept, or not made here: the tensor itself.
    if (block.scope !== scope) return () => result;
    let at = this.#outputs.indexOf(block);
    if (at < 0) at = this.#outputs.push(block) - 1;
    return (outputs) => new Tensor(outputs[at] as Block, dtype, shape, strides, offset);
  }

  /** Finds what of the recording lasts, and what is not its own. */
  #sort(commands: readonly Command[]): void {
    for (const { args } of commands)
      for (const ref of args) {
        if (!isRef(ref)) continue;
        const { block } = ref;
        if (block.origin !== this.#recorder) this.#captured.add(block);
        else if (!block.freed && !this.#lasting.has(block)) this.#lasting.set(block, block);
      }
    for (const [block, version] of this.#recorder.versions) if (block.version !== version) this.#written.add(block);
  }

  /** Whether a call like this one was recorded, and all it depended on is as it was. */
  fits({ tensors, values }: Key): boolean {
    return (
      isGradEnabled() === this.#gradEnabled &&
      sameList(tensors, this.#inputs, alike) &&
      sameList(values, this.#values, Object.is) &&
      this.#holds()
    );
  }

  #holds(): boolean {
    if (this.dead) return false;
    for (const [x, grad] of this.#gradients.read) if (x.grad !== grad) return false;
    for (const guard of this.#recorder.guards) if (!guard()) return false;
    return true;
  }

  /** Whether something it uses is gone for good. */
  get dead(): boolean {
    if (this.#arena.abandoned) return true;
    for (const block of this.#captured) if (block.freed) return true;
    return false;
  }

  /** Runs it on these arguments, which fit. */
  run(tensors: readonly Tensor[]): unknown {
    const arena = this.#arena;
    const { program } = this;
    for (const hook of this.#recorder.hooks) hook();
    const copies: Tensor[] = [];
    const outputs: Block[] = [];
    try {
      for (let i = 0; i < tensors.length; i++) {
        let x = tensors[i] as Tensor;
        void x.address; // throws for a freed one
        if (!x.isContiguous()) {
          const strided = x;
          x = noGrad(() => ops.contiguous(strided));
          copies.push(x);
        }
        program.bind((this.#inputs[i] as Tensor).block, x.address);
      }
      for (const [block, now] of this.#lasting) {
        if (now.freed) this.#lasting.set(block, arena.lasting(block.bytes, block.maker));
        program.bind(block, (this.#lasting.get(block) as Block).ptr);
      }
      for (const block of this.#outputs) {
        const output = arena.allocate(block.bytes, block.maker);
        outputs.push(output);
        program.bind(block, output.ptr);
      }
      for (const block of this.#written) block.version++;
      const stopped = program.run();
      if (stopped) this.#complain(stopped);
    } catch (error) {
      for (const output of outputs) output.free();
      throw error;
    } finally {
      for (const copy of copies) copy.dispose();
    }
    this.#setGradients();
    return this.#build(outputs, tensors);
  }

  /** Throws what the eager call would have thrown. */
  #complain({ args, complain }: Command): never {
    const places = args.filter(isRef).filter(({ block }) => block.freed);
    // For a moment the tensors of the recording have the values of this run.
    for (const { block } of places) block.settle(this.#arena, this.program.addressOf(block));
    try {
      complain?.();
    } finally {
      for (const { block } of places) block.settle(null, 0);
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
      owner.grad = left.gradient;
    }
  }

  /** Compares with another recording of the same call. @returns what differs first, or null */
  differs(other: Recording): string | null {
    return this.#recorder.differs(other.#recorder);
  }

  /** Gives the memory of the program back; that of gradients it left stays theirs. */
  dispose(): void {
    this.#program?.dispose();
    this.#program = null;
  }
}
