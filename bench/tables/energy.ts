// npm run bench -- energy: what a training step costs a machine that pays for it: processor time, and the instructions
// in it, which a busy machine does not change. These perf counts on Linux, where the machine has counters: virtual ones
// may have none. Valgrind counts there, in a processor of its own that is some thousand times slower.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import * as retrograd from 'retrograd';
import { compile, init } from 'retrograd';
import { formatSeconds } from '../harness/report.ts';
import { network } from '../sides/retrograd.ts';
import { networks } from './compiled-steps.ts';

const SELF = fileURLToPath(import.meta.url);
const PERF = ['perf', 'stat', '-x,', '-e', 'instructions:u'];
const VALGRIND = ['valgrind', '--tool=callgrind', '--callgrind-out-file=/dev/null', '--smc-check=all-non-file'];
/** V8 compiles each kernel once, as well as it can, before the call, and each run hashes alike. */
const STEADY = ['--single-threaded', '--no-liftoff', '--wasm-lazy-compilation', '--hash-seed=1'];

type Range = readonly [few: number, many: number];

/** A network of the train family, and how many steps its processes take: timed or counted by perf, and by valgrind. */
interface Row {
  readonly name: string;
  readonly index: number;
  readonly steps: Range;
  readonly emulated: Range;
}

/** What a process writes: seconds of all threads in user mode, and the last loss. */
interface Run {
  readonly seconds: number;
  readonly loss: number;
  /** What was counted, or null. */
  readonly instructions: number | null;
}

/** A process of so many steps, by a command before Node's that may count: null where that is not there. */
function run(counter: readonly string[], flags: readonly string[], args: readonly string[]): Run | null {
  const [command = '', ...rest] = [...counter, process.execPath, ...flags, SELF, ...args];
  const { error, status, stdout, stderr } = spawnSync(command, rest, { encoding: 'utf8' });
  if (counter.length > 0 && (error || status !== 0)) return null;
  const [seconds = 0, loss = Number.NaN] = stdout.split(' ').map(Number);
  if (!(seconds > 0)) throw new Error(`energy: expected seconds, got ${stdout}${stderr}`);
  const found = /^(\d+),,instructions/m.exec(stderr) ?? /Collected : (\d+)/.exec(stderr);
  return { seconds, loss, instructions: found ? Number(found[1]) : null };
}

/** What those processes do: steps of network `index`. */
async function train(index: number, steps: number, quick: boolean): Promise<void> {
  await init({ threads: 1 });
  const { problem } = networks(quick)[index] as ReturnType<typeof networks>[number];
  const step = compile(network(retrograd, problem).step);
  let loss = Number.NaN;
  for (let i = 0; i < steps; i++) loss = retrograd.scope(() => step().item());
  console.log(process.resourceUsage().userCPUTime / 1e6, loss);
}

/** What one step adds: the difference of two processes. */
const perStep = ([few, many]: Range, [less, more]: Range): number => (more - less) / (many - few);

/** Instructions of a step by valgrind, which has to compute the same loss as the processor; or null. */
function emulated({ name, index, emulated: steps }: Row, quick: boolean): number | null {
  const counts: number[] = [];
  for (const count of steps) {
    const args = [String(index), String(count), String(quick)];
    const counted = run(VALGRIND, STEADY, args);
    if (counted?.instructions == null) return null;
    const expected = run([], STEADY, args)?.loss;
    if (counted.loss !== expected) throw new Error(`${name}: expected the loss ${expected}, got ${counted.loss}`);
    counts.push(counted.instructions);
  }
  return perStep(steps, counts as unknown as Range);
}

/** A step once the engine has compiled it well: of some pairs of processes, the least of each. */
function lineOf(row: Row, rounds: number, quick: boolean): string {
  const least = row.steps.map((count) => {
    const args = [String(row.index), String(count), String(quick)];
    const runs = Array.from({ length: rounds }, () => run(PERF, [], args) ?? (run([], [], args) as Run));
    const instructions = runs.map((each) => each.instructions ?? Number.NaN);
    return { seconds: Math.min(...runs.map(({ seconds }) => seconds)), instructions: Math.min(...instructions) };
  });
  const of = (cost: 'seconds' | 'instructions'): number =>
    perStep(row.steps, least.map((each) => each[cost]) as unknown as Range);
  const byPerf = of('instructions');
  const count = Number.isNaN(byPerf) ? emulated(row, quick) : byPerf;
  const by = Number.isNaN(byPerf) ? 'callgrind' : 'perf';
  const instructions = count === null ? 'no counter' : `${(count / 1e6).toFixed(2)} M, ${by}`;
  return `| ${row.name} | ${formatSeconds(Math.max(0, of('seconds')))} | ${instructions} |`;
}

export async function table(_simd: 'auto' | 'strict' | 'relaxed', quick: boolean): Promise<string> {
  const rows = networks(quick).flatMap(({ name }, index): Row[] => {
    const emulated: Range | null = name.startsWith('MLP 784-128') ? [20, 40] : name.startsWith('CNN') ? [8, 16] : null;
    if (!emulated) return [];
    return [{ name, index, steps: quick ? [1, 3] : [300, 1300], emulated: quick ? [1, 2] : emulated }];
  });
  const lines = rows.map((row) => lineOf(row, quick ? 1 : 3, quick));
  return [
    `A compiled step on one thread, Node ${process.versions.node}`,
    '',
    '| step | processor time | instructions |',
    '| --- | ---: | ---: |',
    ...lines,
  ].join('\n');
}

if (process.argv[1] === SELF) {
  const [index, steps, quick] = process.argv.slice(2);
  await train(Number(index), Number(steps), quick === 'true');
}
