// What makes a list of commands smaller and faster before it becomes a program: nothing here changes a bit of the
// results.
import { byRows, costOf, type Ref, type Slices, slicesOf, touchesOf } from '../kernels/command.ts';
import { descriptorOf } from '../kernels/table.ts';
import type { Block } from '../memory/arena.ts';
import { chains, type Link } from './chains.ts';
import type { StepOperand } from './lifetimes.ts';
import type { Lowered } from './lower.ts';

/** A command with what the passes know of it. */
export interface Task {
  readonly command: Lowered;
  readonly touches: readonly StepOperand<Block>[];
  /** How threads may share it; null: not at all. */
  readonly slices: Slices | null;
  /** Reads element i of its operands before it writes element i of its results, and no other element. */
  readonly elementwise: boolean;
}

/** One command, or several elementwise ones that run block by block. */
export interface Step {
  readonly tasks: readonly Task[];
  readonly loop: boolean;
}

function taskOf(command: Lowered, slices = slicesOf(command)): Task {
  const touches = touchesOf(command).map(({ operand, ref, reads, writes }) => ({
    block: ref.block,
    offset: ref.offset,
    step: slices?.steps[operand] ?? 0,
    reads,
    writes,
  }));
  return { command, touches, slices, elementwise: slices?.elementwise === true && slices.row === 1 };
}

/** Leaves out what nobody reads. @param alive blocks that are read when the program is over */
function dropUnread(tasks: readonly Task[], alive: (block: Block) => boolean): Task[] {
  const read = new Set<Block>();
  const kept: Task[] = [];
  for (let i = tasks.length - 1; i >= 0; i--) {
    const task = tasks[i] as Task;
    const wanted =
      task.command.complain || task.touches.some(({ block, writes }) => writes && (alive(block) || read.has(block)));
    if (!wanted) continue;
    for (const { block, reads } of task.touches) if (reads) read.add(block);
    kept.push(task);
  }
  return kept.reverse();
}

/** How often each block is touched. */
function countTouches(tasks: readonly Task[]): Map<Block, number> {
  const counts = new Map<Block, number>();
  for (const { touches } of tasks) for (const { block } of touches) counts.set(block, (counts.get(block) ?? 0) + 1);
  return counts;
}

/**
 * Products, convolutions and norms do the activation of their result themselves, where only the activation reads it,
 * and nothing in between touches what that writes.
 */
function fuseEpilogues(tasks: readonly Task[], inside: (block: Block) => boolean): Task[] {
  const counts = countTouches(tasks);
  const result: Task[] = [];
  /** Where each block was touched last. */
  const last = new Map<Block, number>();
  /** The place of the command whose result `after` alone reads, if `after` may as well stand there. */
  const placeBefore = ({ kernel, call }: Lowered): number => {
    if (descriptorOf(kernel).epilogue === undefined) return -1;
    const [x, y] = [call.x, call.y] as [Ref, Ref];
    const at = last.get(x.block) ?? -1;
    if (!inside(x.block) || counts.get(x.block) !== 2) return -1;
    // A check in between may end the program before what lasts is written.
    const free = inside(y.block) && (last.get(y.block) ?? -1) < at;
    return free || at === result.length - 1 ? at : -1;
  };
  for (const task of tasks) {
    const at = placeBefore(task.command);
    const fused = at < 0 ? null : fuseEpilogue((result[at] as Task).command, task.command);
    const place = fused ? at : result.length;
    result[place] = fused ? taskOf(fused) : task;
    for (const { block } of task.touches) last.set(block, place);
  }
  return result;
}

/** The operands of a command that its kernel writes, by name. */
const writtenBy = ({ kernel, call }: Lowered): [name: string, ref: Ref][] =>
  Object.entries(descriptorOf(kernel).operands).flatMap(([name, spec]) =>
    spec.kind === 'buffer' && spec.writes ? [[name, call[name] as Ref]] : [],
  );

/** `before` with an activation of its result as its epilogue; null where that cannot be. */
function fuseEpilogue(before: Lowered, after: Lowered): Lowered | null {
  const { epilogue } = descriptorOf(after.kernel);
  const act = descriptorOf(before.kernel).operands.act;
  if (act?.kind !== 'i32' || !act.words || before.call.act !== 0) return null;
  const word = act.words.indexOf(epilogue as string);
  const [[name, result]] = writtenBy(before) as [[string, Ref]];
  const [x, y] = [after.call.x, after.call.y] as [Ref, Ref];
  if (word < 0 || result.block !== x.block || result.offset !== x.offset) return null;
  if (result.shape.reduce((a, b) => a * b, 1) !== after.call.n) return null;
  return { ...before, call: { ...before.call, [name]: { ...y, shape: result.shape }, act: word } };
}

/** Fewer elements stay in the cache without a loop. */
const LEAST_ELEMENTS = 8192;
/** Longer rows leave no room for the intermediates of a chain. */
const LONGEST_ROW = 2048;

/** What chains() asks of a task. */
function linkOf({ command, touches, slices }: Task): Link {
  const checks = command.complain !== undefined;
  if (!slices?.elementwise || slices.row > LONGEST_ROW) return { elements: 0, row: 1, operands: touches, checks };
  const { units, row } = slices;
  const operands = row === 1 ? touches : touches.map((touch) => ({ ...touch, step: touch.step / row }));
  return { elements: units * row, row, operands, checks };
}

/** Nanoseconds that a command of a program has to take for threads to share it: they are at work already. */
const WORTH_CUTTING = 5000;

/** Cuts only what is worth it. */
function thrifty(task: Task): Task {
  return task.slices && costOf(task.command) < WORTH_CUTTING ? { ...task, slices: null } : task;
}

/** The commands of a chain as one loop: all by rows, where one of them goes by rows. */
function loopOf(tasks: readonly Task[]): Step {
  const row = Math.max(...tasks.map(({ slices }) => slices?.row ?? 1));
  if (row === 1) return { loop: true, tasks };
  return {
    loop: true,
    tasks: tasks.map((task) => (task.slices?.row === 1 ? taskOf(task.command, byRows(task.slices, row)) : task)),
  };
}

/**
 * The steps of a program.
 * @param inside blocks that only the program knows @param alive blocks that are read when it is over
 */
export function stepsOf(
  commands: readonly Lowered[],
  inside: (block: Block) => boolean,
  alive: (block: Block) => boolean,
): Step[] {
  const tasks = fuseEpilogues(
    dropUnread(
      commands.map((command) => taskOf(command)),
      alive,
    ),
    inside,
  );
  return chains(tasks, linkOf, LEAST_ELEMENTS).map((chain) =>
    chain.length > 1 ? loopOf(chain) : { loop: false, tasks: chain.map(thrifty) },
  );
}
