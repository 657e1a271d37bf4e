// The maker that appends each kernel call to a list. While it stands in for the arena, blocks have no memory: what a
// program needs is known, and planned, when the recording is over.
import type { Block, Owner } from './arena.ts';
import type { Kernels, Operand, Probes } from './commands.ts';
import { RecordingError } from './errors.ts';
import { type KernelName, type OperandKind, type ProbeName, probeSignatures, signatures } from './kernels.ts';

/** A place in a block; shape and dtype are for people. */
export interface Ref {
  readonly block: Block;
  /** Bytes from the start of the block. */
  readonly offset: number;
  readonly shape: readonly number[];
  readonly dtype: string;
}

/** One argument: a place, null where an optional one is absent, a number, or a list of them. */
export type Argument = Ref | null | number | readonly number[];

/** One recorded kernel call. Arguments follow the kernel's signature without its workspace. */
export interface Command {
  readonly kernel: KernelName | ProbeName;
  readonly args: readonly Argument[];
  /** Of a check: throws what the eager call would have thrown. */
  readonly complain?: (() => void) | undefined;
  /** Where the user's program made it, where that was asked for. */
  readonly site?: string | undefined;
}

export const isRef = (x: Argument): x is Ref => typeof x === 'object' && x !== null && 'block' in x;

/** What the arguments of a kernel are, its workspace left out. */
export const kindsOf: (kernel: string) => readonly OperandKind[] = (() => {
  const all = Object.entries({ ...signatures, ...probeSignatures } as Record<string, readonly OperandKind[]>);
  const kinds = new Map(all.map(([name, list]) => [name, list.filter((kind) => kind !== 'workspace')]));
  return (kernel) => kinds.get(kernel) as readonly OperandKind[];
})();

/** A kernel call as a command. @param operands those of the kernel's signature, without its workspace */
export function commandOf(kernel: KernelName | ProbeName, operands: readonly unknown[]): Command {
  const args = operands.map((operand): Argument => {
    if (typeof operand !== 'object' || operand === null || Array.isArray(operand)) return operand as Argument;
    const { block, address, shape = [], dtype = '' } = operand as Operand & { shape?: number[]; dtype?: string };
    return { block, offset: address - block.ptr, shape, dtype };
  });
  return { kernel, args };
}

/** Calls `visit` with each place that a command writes. */
export function forEachWritten({ kernel, args }: Command, visit: (ref: Ref) => void): void {
  const kinds = kindsOf(kernel);
  args.forEach((arg, i) => {
    if (isRef(arg) && !kinds[i]?.match(/^in\??$/)) visit(arg);
  });
}

/** Where in the program of the user a call came from: the first line of the stack that is not the library's. */
function callSite(): string {
  const home = new URL('.', import.meta.url).href.replace(/runtime\/$/, '');
  const path = home.replace(/^file:\/\//, '');
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 100; // networks are nested deeply
  const { stack = '' } = new Error();
  Error.stackTraceLimit = limit;
  const line = stack.split('\n').find((text, i) => i > 0 && !text.includes(home) && !text.includes(path));
  return line ? ` (${line.trim()})` : '';
}

/** Records what is called through `kernels` and `probes`, and on what outside of it the recording depends. */
export class Recorder implements Owner {
  readonly abandoned = false;
  readonly commands: Command[] = [];
  /** All that has to hold for the recording to be of use again. */
  readonly guards: (() => boolean)[] = [];
  /** What is done before each run, such as writing a learning rate where kernels read it. */
  readonly hooks: (() => void)[] = [];
  readonly kernels: Kernels;
  readonly probes: Probes;
  /** Blocks from outside, with the version each had when the recording first met it. */
  readonly versions = new Map<Block, number>();
  /** Blocks that were filled from JavaScript while it recorded, and with what. */
  readonly constants = new Map<Block, ArrayLike<number>>();
  #complain: (() => void) | undefined;
  readonly #seen = new Set<unknown>();
  readonly #sites: boolean;

  /** @param sites notes for each command where it comes from, which takes longer */
  constructor(sites = false) {
    this.#sites = sites;
    const recordAll = (table: object, answer?: number): unknown =>
      Object.fromEntries(Object.keys(table).map((name) => [name, this.#record(name as KernelName, answer)]));
    this.kernels = recordAll(signatures) as Kernels;
    this.probes = recordAll(probeSignatures, -1) as Probes;
  }

  #record(kernel: KernelName | ProbeName, answer?: number): (...operands: unknown[]) => number | undefined {
    return (...operands) => {
      const command = commandOf(kernel, operands);
      operands.forEach((operand, i) => {
        const arg = command.args[i] as Argument;
        if (isRef(arg) && arg.block.origin !== this) this.#depend(operand as Operand);
      });
      forEachWritten(command, ({ block }) => {
        block.version++;
      });
      const complain = answer === undefined ? undefined : this.#complain;
      this.commands.push({ ...command, complain, site: this.#sites ? callSite() : undefined });
      return answer;
    };
  }

  /** Notes an operand from outside. */
  #depend(operand: Operand & { readonly requiresGrad?: boolean }): void {
    if (this.#seen.has(operand)) return;
    this.#seen.add(operand);
    const { block, requiresGrad } = operand;
    if (!this.versions.has(block)) this.versions.set(block, block.version);
    // A tensor that is frozen, or no longer, has another program.
    this.guards.push(() => operand.requiresGrad === requiresGrad);
  }

  /** Compares with a second recording of the same. @returns what it does differently first, or null */
  differs(other: Recorder): string | null {
    const numbers = [new Map<Block, number>(), new Map<Block, number>()] as const;
    const outside = new Map<Block, number>();
    const describe = (recorder: Recorder, i: 0 | 1, arg: Argument): unknown => {
      if (!isRef(arg)) return Array.isArray(arg) ? arg.join() : arg;
      const constant = recorder.constants.get(arg.block);
      if (constant) return Array.from(constant).join(); // made anew with each recording
      const own = arg.block.origin === recorder;
      const known = own ? numbers[i] : outside;
      const number = known.get(arg.block) ?? known.size;
      known.set(arg.block, number);
      return `${own} ${number} ${arg.offset}`;
    };
    const length = Math.max(this.commands.length, other.commands.length);
    for (let at = 0; at < length; at++) {
      const [a, b] = [this.commands[at], other.commands[at]];
      if (!a || !b)
        return `${length - Math.min(this.commands.length, other.commands.length)} kernels more or less, from ${(a ?? b)?.kernel} on${b?.site ?? ''}`;
      if (a.kernel !== b.kernel) return `${b.kernel} where it had been ${a.kernel}${b.site}`;
      for (let i = 0; i < a.args.length; i++)
        if (!Object.is(describe(this, 0, a.args[i] as Argument), describe(other, 1, b.args[i] as Argument)))
          return `another argument ${i + 1} of ${a.kernel}${b.site}`;
    }
    return null;
  }

  /** Records the checks of values that `check` makes; where one fails in a run, `again` is called, to throw. */
  check(check: (probes: Probes) => void, again: () => void): void {
    this.#complain = again;
    check(this.probes);
    this.#complain = undefined;
  }

  /** A block of the recording is freed: later uses are errors, and nothing is given back. */
  release(): void {}

  /** @throws RecordingError always: a program has no values while it is recorded */
  refuse(what: string, cure: string): never {
    throw new RecordingError(
      `${what}: expected no read or write of values while compile() records, got one${callSite()}; ${cure}`,
    );
  }
}
