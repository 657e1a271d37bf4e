// npm run bench -- energy: what a training step costs a machine that pays for it: processor time, and the instructions
// in it, which a busy machine does not change. These perf counts on Linux, where the machine has counters: virtual ones
// may have none.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import * as retrograd from 'retrograd';
import { compile, init } from 'retrograd';
import { formatSeconds } from '../harness/report.ts';
import { network } from '../sides/retrograd.ts';
import { networks } from './compiled-steps.ts';

const SELF = fileURLToPath(import.meta.url);

/** Seconds of all threads of a process, and instructions where they are counted. */
interface Cost {
  readonly seconds: number;
  readonly instructions: number | null;
}

/** What a process of so many steps costs in user mode. */
function costOf(args: readonly string[]): Cost {
  const command = [process.execPath, SELF, ...args];
  const counted = spawnSync('perf', ['stat', '-x,', '-e', 'instructions:u', ...command], { encoding: 'utf8' });
  const { stdout, stderr } = counted.error
    ? spawnSync(command[0] as string, command.slice(1), { encoding: 'utf8' })
    : counted;
  const found = /^(\d+),,instructions/m.exec(stderr);
  const seconds = Number(stdout);
  if (!(seconds > 0)) throw new Error(`energy: expected seconds, got ${stdout}${stderr}`);
  return { seconds, instructions: found ? Number(found[1]) : null };
}

/** What those processes do: steps of network `index`. */
async function train(index: number, steps: number, quick: boolean): Promise<void> {
  await init({ threads: 1 });
  const { problem } = networks(quick)[index] as ReturnType<typeof networks>[number];
  const step = compile(network(retrograd, problem).step);
  for (let i = 0; i < steps; i++) retrograd.scope(() => void step());
  console.log(process.resourceUsage().userCPUTime / 1e6);
}

/** A step once the engine has compiled it well: the difference of two processes, the least of some. */
function lineOf(name: string, index: number, steps: readonly [number, number], rounds: number, quick: boolean): string {
  const least = steps.map((count) => {
    const costs = Array.from({ length: rounds }, () => costOf([String(index), String(count), String(quick)]));
    const instructions = costs.map((cost) => cost.instructions ?? Number.NaN);
    return { seconds: Math.min(...costs.map(({ seconds }) => seconds)), instructions: Math.min(...instructions) };
  });
  const [few, many] = least as [(typeof least)[number], (typeof least)[number]];
  const of = (cost: 'seconds' | 'instructions'): number => (many[cost] - few[cost]) / (steps[1] - steps[0]);
  const instructions = of('instructions');
  const counted = Number.isNaN(instructions) ? 'no counter' : `${(instructions / 1e6).toFixed(2)} M`;
  return `| ${name} | ${formatSeconds(Math.max(0, of('seconds')))} | ${counted} |`;
}

export async function table(_simd: 'auto' | 'strict' | 'relaxed', quick: boolean): Promise<string> {
  const lines = networks(quick)
    .map(({ name }, index) => ({ name, index }))
    .filter(({ name }) => /784-128|CNN/.test(name))
    .map(({ name, index }) => lineOf(name, index, quick ? [1, 3] : [300, 1300], quick ? 1 : 3, quick));
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
