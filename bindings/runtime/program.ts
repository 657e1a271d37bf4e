// A recording laid out in memory, as assembly/program/program.ts reads it, and run by one call.
import type { Arena, Block } from './arena.ts';
import { probeSignatures, signatures } from './kernels.ts';
import { optimize, type Step, type Task } from './passes.ts';
import { type Plan, planMemory } from './plan.ts';
import { type Command, isRef, kindsOf, type Recorder, type Ref } from './recorder.ts';
import type { Split } from './splits.ts';

const names = [...Object.keys(signatures), ...Object.keys(probeSignatures)];
const numberOf = new Map(names.map((name, i) => [name, i]));
const LOOP = names.length;
/** The step of an argument that is an offset into the scratch. */
const SCRATCH = -1;
/** Words in front of the arguments of a command. */
const HEADER = 8;

/** Words that become a program: integers, and floats by their bits. */
export class Words {
  readonly list: number[] = [];
  readonly #float = new Float32Array(1);
  readonly #bits = new Int32Array(this.#float.buffer);

  f32(value: number): void {
    this.#float[0] = value;
    this.list.push(this.#bits[0] as number);
  }
}

/** Writes one command. @param base address of the first word @returns nothing; `words` has grown by it */
export function encode(
  words: Words,
  command: Command,
  split: Split | null,
  sync: boolean,
  base: number,
  place: (ref: Ref, at: number) => { value: number; scratch: boolean },
): void {
  const { list } = words;
  const start = list.length;
  const { kernel, args } = command;
  const kinds = kindsOf(kernel);
  list.push(numberOf.get(kernel) as number, 0, Number(sync));
  list.push(split?.units ?? 0, split?.grain ?? 1, split?.count ?? 0, args.length, 0);
  const scratch: boolean[] = [];
  const dims = args.at(-1);
  args.forEach((arg, i) => {
    if (isRef(arg)) {
      const placed = place(arg, list.length);
      scratch[i] = placed.scratch;
      list.push(placed.value);
    } else if (typeof arg === 'number' && kinds[i] === 'f32') words.f32(arg);
    else if (typeof arg === 'number') list.push(arg);
    else list.push(arg === null ? 0 : base + 4 * (start + HEADER + 2 * args.length));
  });
  for (let i = 0; i < args.length; i++) list.push(scratch[i] ? SCRATCH : (split?.steps[i] ?? 0));
  if (Array.isArray(dims)) list.push(...dims);
  list[start + 1] = list.length - start;
}

/** What a step is, for people. */
export interface StepInfo {
  readonly step: Step;
  /** Byte addresses of its first word and of that behind its last. */
  readonly from: number;
  readonly to: number;
}

/** Which words hold addresses in a block that is not the program's: they change when it moves. */
type Patches = Map<Block, { readonly words: { at: number; offset: number }[]; pointer: number }>;

/** Which bytes a task touches since the last barrier. */
interface Access {
  readonly block: Block | null;
  readonly from: number;
  readonly to: number;
  readonly writes: boolean;
  /** How slices lie; null for what thread 0 does alone. */
  readonly slices: string | null;
}

/** What runs the words of a program: this thread, or a team of them. */
export interface Runner {
  /** @returns the address of the check that stopped it, or 0 @throws WorkerError */
  run(from: number, to: number): number;
  /** Bytes of the scratch for intermediates of loops. */
  readonly intermediateBytes: number;
}

export class Program {
  readonly infos: StepInfo[] = [];
  /** Bytes of the intermediates together. */
  readonly planned: number;
  readonly #patches: Patches = new Map();
  readonly #runner: Runner;
  readonly #arena: Arena;
  readonly #code: Block;
  readonly #memory: Block | null;
  readonly #plan: Plan;
  #begin = 0;
  #end = 0;

  /**
   * @param outside blocks whose memory comes with each run, or may move: bind() says where they are
   * @param alive blocks that are read after a run
   */
  constructor(
    arena: Arena,
    runner: Runner,
    recorder: Recorder,
    outside: ReadonlySet<Block>,
    alive: (block: Block) => boolean,
  ) {
    this.#arena = arena;
    this.#runner = runner;
    const inside = (block: Block): boolean => block.origin === recorder && !outside.has(block);
    const steps = optimize(recorder.commands, inside, alive);
    const plan = planMemory(steps, inside, runner.intermediateBytes);
    this.planned = plan.bytes;
    this.#plan = plan;
    this.#memory = plan.bytes > 0 ? arena.lasting(plan.bytes, 'compile') : null;
    try {
      this.#code = arena.lasting(4 * this.#layOut(steps, plan, outside, 0).list.length, 'compile');
    } catch (error) {
      this.#memory?.free();
      throw error;
    }
    this.#begin = this.#code.ptr;
    this.#patches.clear();
    const words = this.#layOut(steps, plan, outside, this.#begin);
    this.#end = this.#begin + 4 * words.list.length;
    arena.i32.set(words.list, this.#begin / 4);
  }

  #layOut(steps: readonly Step[], plan: Plan, outside: ReadonlySet<Block>, base: number): Words {
    const words = new Words();
    const { list } = words;
    const since: Access[] = [];
    this.infos.length = 0;
    for (const step of steps) {
      const from = base + 4 * list.length;
      const sync = this.#needsBarrier(step, plan, since);
      const loop = plan.loops.get(step);
      const start = list.length;
      const [first] = step.tasks as [Task];
      if (loop) list.push(LOOP, 0, Number(sync), first.split?.units as number, loop.elements, 0, 0, step.tasks.length);
      for (const { command, split } of step.tasks)
        encode(words, command, split, !loop && sync, base, ({ block, offset }, at) => {
          const slot = loop?.offsets.get(block);
          if (slot !== undefined) return { value: slot, scratch: true };
          const inside = plan.offsets.get(block);
          if (inside !== undefined) return { value: (this.#memory as Block).ptr + inside + offset, scratch: false };
          if (!outside.has(block)) return { value: block.ptr + offset, scratch: false };
          const patch = this.#patches.get(block) ?? { words: [], pointer: 0 };
          patch.words.push({ at, offset });
          this.#patches.set(block, patch);
          return { value: 0, scratch: false };
        });
      if (loop) list[start + 1] = list.length - start;
      this.infos.push({ step, from, to: base + 4 * list.length });
    }
    return words;
  }

  /** Whether a thread could meet what another one does since the last barrier; notes what the step does. */
  #needsBarrier(step: Step, plan: Plan, since: Access[]): boolean {
    const loop = plan.loops.get(step);
    const accesses = step.tasks.flatMap(({ touches, split, command }): Access[] =>
      touches.flatMap(({ ref, arg, writes }): Access[] => {
        if (loop?.offsets.has(ref.block)) return [];
        const planned = plan.offsets.get(ref.block);
        const from = (planned ?? 0) + ref.offset;
        const slices = split
          ? `${split.units} ${loop ? loop.elements : split.grain} ${split.steps[arg]} ${from}`
          : null;
        // After a check all threads have to hear what it found.
        const checks = command.complain !== undefined;
        const whole = { from: planned ?? 0, to: (planned ?? 0) + ref.block.bytes };
        return [
          {
            block: planned === undefined ? ref.block : null,
            ...whole,
            writes: writes || checks,
            slices: checks ? 'check' : slices,
          },
        ];
      }),
    );
    const meets = accesses.some((a) =>
      since.some(
        (b) =>
          b.slices === 'check' ||
          (a.block === b.block && a.from < b.to && b.from < a.to && (a.writes || b.writes) && a.slices !== b.slices),
      ),
    );
    if (meets) since.length = 0;
    since.push(...accesses);
    return meets;
  }

  /** Says where an outside block is now. */
  bind(block: Block, pointer: number): void {
    const patch = this.#patches.get(block);
    if (!patch || patch.pointer === pointer) return;
    patch.pointer = pointer;
    const { i32 } = this.#arena;
    const start = this.#begin >>> 2;
    for (const { at, offset } of patch.words) i32[start + at] = pointer + offset;
  }

  /** Runs it. @returns the check that stopped it, or null */
  run(from = this.#begin, to = this.#end): Command | null {
    const answer = this.#runner.run(from, to);
    if (answer === 0) return null;
    const found = this.infos.find((info) => info.from === answer);
    return found?.step.tasks[0]?.command ?? null;
  }

  /** Seconds of each step: the least of `rounds` runs. Runs the whole program that often. */
  profile(rounds: number): number[] {
    const seconds = this.infos.map(() => Number.POSITIVE_INFINITY);
    for (let round = 0; round < rounds; round++)
      this.infos.forEach(({ from, to }, i) => {
        const start = performance.now();
        this.run(from, to);
        seconds[i] = Math.min(seconds[i] as number, (performance.now() - start) / 1000);
      });
    return seconds;
  }

  /** Where a block lies during a run. */
  addressOf(block: Block): number {
    const offset = this.#plan.offsets.get(block);
    return offset === undefined
      ? (this.#patches.get(block)?.pointer ?? block.ptr)
      : (this.#memory as Block).ptr + offset;
  }

  dispose(): void {
    this.#code.free();
    this.#memory?.free();
  }
}
