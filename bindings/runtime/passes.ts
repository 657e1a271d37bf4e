// What makes a recording smaller and faster before it becomes a program: nothing here changes a bit of the results.
import type { Block } from './arena.ts';
import { type Command, isRef, kindsOf, type Ref } from './recorder.ts';
import { type Split, splitOf, WORTH_SHARING } from './splits.ts';

/** A place that a command touches. */
export interface Touch {
  readonly ref: Ref;
  readonly reads: boolean;
  readonly writes: boolean;
  /** Which argument it is. */
  readonly arg: number;
}

/** A command with what the passes know of it. */
export interface Task {
  readonly command: Command;
  readonly touches: readonly Touch[];
  readonly split: Split | null;
}

/** One command, or several elementwise ones that run block by block. */
export interface Step {
  readonly tasks: readonly Task[];
  readonly loop: boolean;
}

const GEMM = { beta: 12, act: 13 };
const CONV = { act: 4 };

function touchesOf({ kernel, args }: Command): Touch[] {
  const kinds = kindsOf(kernel);
  return args.flatMap((ref, arg) => {
    if (!isRef(ref)) return [];
    const kind = (kinds[arg] as string).replace('?', '');
    // With beta 0 a product never reads C.
    const reads = kind === 'inout' ? !(kernel === 'gemm_f32' && args[GEMM.beta] === 0) : kind === 'in';
    return [{ ref, arg, reads, writes: kind !== 'in' }];
  });
}

function taskOf(command: Command): Task {
  return { command, touches: touchesOf(command), split: splitOf(command) };
}

/** Leaves out what nobody reads. @param alive blocks that are read when the program is over */
function dropUnread(tasks: readonly Task[], alive: (block: Block) => boolean): Task[] {
  const read = new Set<Block>();
  const kept: Task[] = [];
  for (const task of tasks.toReversed()) {
    const wanted =
      task.command.complain ||
      task.touches.some(({ ref, writes }) => writes && (alive(ref.block) || read.has(ref.block)));
    if (!wanted) continue;
    for (const { ref, reads } of task.touches) if (reads) read.add(ref.block);
    kept.push(task);
  }
  return kept.reverse();
}

/** How often each block is touched. */
function countTouches(tasks: readonly Task[]): Map<Block, number> {
  const counts = new Map<Block, number>();
  for (const { touches } of tasks)
    for (const { ref } of touches) counts.set(ref.block, (counts.get(ref.block) ?? 0) + 1);
  return counts;
}

/** Products and convolutions do the relu of their result themselves, where only the relu reads it. */
function fuseActivations(tasks: readonly Task[], inside: (block: Block) => boolean): Task[] {
  const counts = countTouches(tasks);
  const result: Task[] = [];
  for (const task of tasks) {
    const before = result.at(-1);
    const fused = before && fuseRelu(before.command, task.command, (block) => inside(block) && counts.get(block) === 2);
    if (fused) result[result.length - 1] = taskOf(fused);
    else result.push(task);
  }
  return result;
}

function fuseRelu(before: Command, relu: Command, only: (block: Block) => boolean): Command | null {
  const act = { gemm_f32: GEMM.act, conv_forward_f32: CONV.act, conv_nhwc_forward_f32: CONV.act }[
    before.kernel as string
  ];
  if (act === undefined || before.args[act] !== 0 || relu.kernel !== 'relu_forward_f32') return null;
  const [result, input] = [before.args[0], relu.args[1]] as [Ref, Ref];
  if (result.block !== input.block || result.offset !== input.offset || !only(result.block)) return null;
  const elements = result.shape.reduce((a, b) => a * b, 1);
  if (elements !== relu.args[2]) return null;
  const args = [...before.args];
  args[0] = { ...(relu.args[0] as Ref), shape: result.shape };
  args[act] = 1;
  return { kernel: before.kernel, args };
}

/** Fewer elements stay in the cache without a loop. */
const LEAST_ELEMENTS = 8192;

/** Whether the elements of all blocks that both write and read lie alike in all tasks. */
function aligned(tasks: readonly Task[]): boolean {
  const places = new Map<Block, { offset: number; step: number; writes: boolean }[]>();
  for (const { touches, split } of tasks)
    for (const { ref, writes, arg } of touches) {
      const list = places.get(ref.block) ?? [];
      list.push({ offset: ref.offset, step: split?.steps[arg] as number, writes });
      places.set(ref.block, list);
    }
  for (const list of places.values()) {
    const first = list[0] as { offset: number; step: number };
    if (
      list.some(({ writes }) => writes) &&
      !list.every(({ offset, step }) => offset === first.offset && step === first.step)
    )
      return false;
  }
  return true;
}

/** Whether `task` may as well come before those of `run`. */
function independent(task: Task, run: readonly Task[]): boolean {
  return (
    !task.command.complain &&
    run.every(({ touches }) =>
      touches.every(({ ref, writes }) =>
        task.touches.every((other) => other.ref.block !== ref.block || !(writes || other.writes)),
      ),
    )
  );
}

/** Elementwise commands of the same elements that follow one another, and share operands, become one loop. */
function makeLoops(tasks: readonly Task[]): Step[] {
  const steps: Step[] = [];
  let run: Task[] = [];
  const close = (): void => {
    if (run.length > 1) steps.push({ tasks: run, loop: true });
    else for (const task of run) steps.push({ tasks: [task], loop: false });
    run = [];
  };
  for (const task of tasks) {
    const { split, touches } = task;
    if (!split?.elementwise || split.units < LEAST_ELEMENTS) {
      // Such as a constant that is made between two links of a chain: before the chain it does as well.
      if (!independent(task, run)) close();
      steps.push({ tasks: [task], loop: false });
      continue;
    }
    const blocks = new Set(run.flatMap((other) => other.touches.map(({ ref }) => ref.block)));
    const joins =
      run[0]?.split?.units === split.units &&
      touches.some(({ ref }) => blocks.has(ref.block)) &&
      aligned([...run, task]);
    if (!joins) close();
    run.push(task);
  }
  close();
  return steps;
}

/** Cuts only what is worth it. */
function thrifty(task: Task): Task {
  return task.split && task.split.cost < WORTH_SHARING ? { ...task, split: null } : task;
}

/**
 * The steps of a recording.
 * @param inside blocks that only the program knows @param alive blocks that are read when it is over
 */
export function optimize(
  commands: readonly Command[],
  inside: (block: Block) => boolean,
  alive: (block: Block) => boolean,
): Step[] {
  const tasks = dropUnread(commands.map(taskOf), alive);
  const steps = makeLoops(fuseActivations(tasks, inside));
  return steps.map((step) => (step.loop ? step : { ...step, tasks: step.tasks.map(thrifty) }));
}
