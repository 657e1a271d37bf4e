// The graph of ops that compile() traces: what was called, on what, from where. While a trace stands in the tracer's
// slot of execute.ts, blocks have no memory: what a program needs is known, and planned, when the trace is over.

import { ops, withoutTape } from '../autograd.ts';
import { aside, type Made, type ModuleLink, moduleNow, type Tracer } from '../execute.ts';
import type { Block } from '../memory/arena.ts';
import { RecordingError } from '../memory/errors.ts';
import { unclonable } from '../memory/heap.ts';
import { listeners } from '../node.ts';
import type { Bag, OpName, Row, Slot } from '../ops/core.ts';
import { callNow } from '../signature.ts';
import { Tensor } from '../tensor.ts';
import { Gradients } from './gradients.ts';
import { describeSite, siteNow } from './site.ts';
import { Watch } from './watch.ts';

/** One call of an op. */
export interface Node {
  readonly op: OpName;
  readonly row: Row;
  readonly inputs: Bag;
  readonly outputs: Made;
  readonly attrs: unknown;
  /** Where the user's program made it, of the first ops of a trace; formatted only when somebody asks. */
  readonly site: Error | undefined;
  /** The module whose forward made it. */
  readonly module: ModuleLink | null;
  /** The user's own call that it is a part of, by which errors call it; '' where it is that itself. */
  readonly call: string;
}

/** The tensors in a slot. */
export const tensorsIn = (slot: Slot | undefined): readonly Tensor[] =>
  slot instanceof Tensor ? [slot] : (slot ?? []);

/** Calls `visit` with each tensor that a node reads, and with whether it writes it as well. */
export function forEachInput({ row, inputs }: Node, visit: (x: Tensor, writes: boolean) => void): void {
  for (const { name, writes } of row.inputs) for (const x of tensorsIn(inputs[name])) visit(x, writes);
}

/**
 * Ops of a trace that know theirs: ten thousands are made by loops, and a third of building them would go into sites.
 */
const SITES = 4096;

/** Traces what is called, and on what outside of it the trace depends. */
export class Trace implements Tracer {
  readonly unclonable = unclonable;
  readonly abandoned = false;
  readonly nodes: Node[] = [];
  readonly gradients = new Gradients(this);
  readonly watch = new Watch();
  /** What else has to hold for the trace to be of use again. */
  readonly #guards: (() => boolean)[] = [];
  /** Tensors from outside, and whether each wants a gradient: one that is frozen, or no longer, has another program. */
  readonly #seen = new Set<Tensor>();
  readonly #tensors: Tensor[] = [];
  readonly #flags: boolean[] = [];
  readonly #listeners = listeners.changes;
  /** What is done before each run. */
  readonly hooks: (() => void)[] = [];
  /** Blocks from outside, with the version each had when the trace first met it. */
  readonly versions = new Map<Block, number>();
  /** Blocks that were filled from JavaScript, and with what. */
  readonly constants = new Map<Block, ArrayLike<number>>();

  node(op: OpName, row: Row, inputs: Bag, outputs: Made, attrs: unknown): void {
    const site = this.nodes.length < SITES ? siteNow() : undefined;
    const node = { op, row, inputs, outputs, attrs, site, module: moduleNow(), call: callNow() };
    forEachInput(node, (x, writes) => {
      if (x.block.origin !== this) this.#depend(x);
      if (writes) x.block.version++;
    });
    this.nodes.push(node);
  }

  /** Notes a tensor from outside. */
  #depend(x: Tensor): void {
    if (this.#seen.has(x)) return;
    this.#seen.add(x);
    if (!this.gradients.made(x)) {
      this.#tensors.push(x);
      this.#flags.push(this.gradients.required(x));
    }
    if (!this.versions.has(x.block)) this.versions.set(x.block, x.block.version);
  }

  host(op: OpName, { y }: Bag, attrs: unknown): void {
    if (op === 'download')
      this.refuse(
        (attrs as { reader: string }).reader,
        'return the tensor from the compiled function and read it outside, or choose with where()',
      );
    const into = y as Tensor;
    const values = Array.from((attrs as { values: ArrayLike<number> }).values);
    // Every run has to find the numbers again, whatever it did to y: so they are copied from a tensor that lasts.
    const constant = aside(() => {
      const x = Tensor.allocate(into.sizes, into.dtype, 'tensor').keep();
      this.constants.set(x.block, values);
      ops.upload({ y: x }, { values });
      return x;
    });
    withoutTape(() => ops.copy({ y: into, x: constant }));
  }

  guard(holds: () => boolean): void {
    this.#guards.push(holds);
  }

  dependOn(object: object, fields?: readonly string[]): void {
    if (fields) this.watch.noteFields(object, fields);
    else this.watch.note(object);
  }

  /** Whether all is as it was that the trace depends on. */
  holds(): boolean {
    const [tensors, flags] = [this.#tensors, this.#flags];
    for (let i = 0; i < tensors.length; i++) if ((tensors[i] as Tensor).requiresGrad !== flags[i]) return false;
    const guards = this.#guards;
    for (let i = 0; i < guards.length; i++) if (!(guards[i] as () => boolean)()) return false;
    if (this.#listeners !== listeners.changes) return false;
    return this.watch.holds();
  }

  beforeRun(hook: () => void): void {
    this.hooks.push(hook);
  }

  /** Frees its constants: nothing goes on from it. */
  dispose(): void {
    for (const block of this.constants.keys()) block.free();
  }

  /** Frees all it made: it never runs, and what a function let out of it will never have values. */
  discard(): void {
    for (const { outputs } of this.nodes)
      for (const name in outputs) {
        const { block } = outputs[name] as Tensor;
        if (block.ownedBy(this)) block.free();
      }
    this.dispose();
  }

  /**
   * Takes back what it noted of writes to blocks from outside, where nothing was written yet.
   * @returns those blocks
   */
  takeWrites(): Set<Block> {
    const written = new Set<Block>();
    for (const [block, version] of this.versions) {
      if (block.version !== version) written.add(block);
      block.version = version;
    }
    return written;
  }

  /** A block of the trace is freed: later uses are errors, and nothing is given back. */
  release(): void {}

  refuse(what: string, cure: string): never {
    const site = describeSite(siteNow());
    throw new RecordingError(
      `${what}: expected no read or write of values while compile() records, got one${site}; ${cure}`,
    );
  }
}
