// npm run bench -- shares: what two threads would take for compiled steps, if they never disturbed each other. Each
// command of a program is timed on one thread: whole, and the slice of each of two threads alone. So it shows, also on
// a busy machine, which commands stay in one piece, fall into unequal ones, or cost more in pieces than at once.
import * as retrograd from 'retrograd';
import { backend, compile, functional as F, init, manualSeed, nn, optim, randint, randn, scope } from 'retrograd';
import { formatSeconds } from '../harness/report.ts';
import { network } from '../sides/retrograd.ts';
import { networks } from './compiled-steps.ts';

type Export = (...args: number[]) => number;

/** Words of a command, and of the control block of threads: see assembly/program/. */
const [LENGTH, SYNC, UNITS] = [1, 2, 3];
const ARRIVED = 64;

interface Timed {
  whole: number;
  readonly slices: [number, number];
  readonly isCut: boolean;
  readonly waits: boolean;
}

/** Takes programs apart that an instance runs. */
class Commands {
  /** How they run: as they are, command by command on one thread, or slice by slice of two. */
  mode: 'together' | 'whole' | 'sliced' = 'together';
  readonly timed: Timed[] = [];
  #memory: WebAssembly.Memory | null = null;
  #start: Export = () => 0;
  /** What the library told the instance of its thread: see thread_start. */
  #told: number[] = [];
  #control = 0;

  /** Instances made from now on are watched. @returns what ends that */
  watch(): () => void {
    const Plain = WebAssembly.Instance;
    const watched = (inst: WebAssembly.Instance, memory: WebAssembly.Memory): unknown => this.#exports(inst, memory);
    WebAssembly.Instance = class {
      readonly exports: unknown;
      constructor(module: WebAssembly.Module, imports: WebAssembly.Imports) {
        this.exports = watched(new Plain(module, imports), imports.env?.memory as WebAssembly.Memory);
      }
    } as unknown as typeof WebAssembly.Instance;
    return () => {
      WebAssembly.Instance = Plain;
    };
  }

  #exports({ exports }: WebAssembly.Instance, memory: WebAssembly.Memory): unknown {
    const { thread_start: start, program_run: run } = exports as Record<string, Export>;
    if (!start || !run) return exports;
    return {
      ...exports,
      thread_start: (...told: number[]) => {
        [this.#memory, this.#start, this.#told] = [memory, start, told];
        return start(...told);
      },
      program_run: (from: number, to: number) => (this.mode === 'together' ? run(from, to) : this.#take(run, from, to)),
    };
  }

  /** Runs the program command by command. */
  #take(run: Export, from: number, to: number): number {
    const memory = this.#memory as WebAssembly.Memory;
    this.#control ||= memory.grow(1) * 65536;
    const words = new Int32Array(memory.buffer);
    const [, , , ...places] = this.#told;
    const time = (thread: number, threads: number, p: number, end: number): number => {
      this.#start(thread, threads, threads > 1 ? this.#control : 0, ...places);
      // The other is at the barrier.
      words[(this.#control + ARRIVED) >> 2] = 1;
      const started = performance.now();
      run(p, end);
      return (performance.now() - started) / 1000;
    };
    let number = 0;
    for (let p = from, end = 0; p < to; p = end) {
      const at = p >> 2;
      end = p + 4 * (words[at + LENGTH] as number);
      const waits = words[at + SYNC] as number;
      this.timed[number] ??= {
        ...{ whole: Infinity, slices: [Infinity, Infinity] },
        ...{ isCut: words[at + UNITS] !== 0, waits: waits !== 0 },
      };
      const timed = this.timed[number++] as Timed;
      words[at + SYNC] = 0;
      if (this.mode === 'whole') timed.whole = Math.min(timed.whole, time(0, 1, p, end));
      else
        for (const thread of [0, 1] as const)
          timed.slices[thread] = Math.min(timed.slices[thread], time(thread, 2, p, end));
      words[at + SYNC] = waits;
    }
    this.#start(...this.#told);
    return 0;
  }
}

/** The kernels of a program's steps, by what dump() says. */
const kernelsOf = (dump: string): string[] =>
  [...dump.matchAll(/^ *\d+ +[\d.]+ k?M?B {2}(?:loop\n +)?(\S+)/gm)].map(([, name]) => name as string);

/** The step that the goals of two threads are set for. */
function normalized(batch: number): () => retrograd.Tensor {
  manualSeed(1);
  const [x, y] = [randn([batch, 1, 28, 28]).keep(), randint(0, 10, [batch]).keep()];
  const model = new nn.Sequential(
    ...[new nn.Conv2d(1, 16, 3), new nn.BatchNorm2d(16), new nn.ReLU(), new nn.MaxPool2d(2), new nn.Dropout(0.25)],
    ...[new nn.Flatten(), new nn.Linear(2704, 128), new nn.GELU(), new nn.Linear(128, 10)],
  );
  const optimizer = new optim.AdamW(model.parameters(), { lr: 1e-3 });
  return () => {
    optimizer.zeroGrad();
    const loss = F.crossEntropy(model.forward(x), y);
    loss.backward();
    optimizer.step();
    return loss;
  };
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

function row(name: string, timed: readonly Timed[], kernels: readonly string[]): string {
  const span = ({ slices }: Timed): number => Math.max(...slices);
  const sum = (of: (each: Timed) => number): number => timed.reduce((total, each) => total + of(each), 0);
  const [one, two] = [sum(({ whole }) => whole), sum(span)];
  const alone = sum((each) => (each.isCut ? 0 : span(each) / 2));
  const unequal = sum((each) => (each.isCut ? span(each) - (each.slices[0] + each.slices[1]) / 2 : 0));
  const lost = timed.map((each, i) => [kernels[i] ?? '', span(each) - each.whole / 2] as const);
  const most = lost.sort(([, a], [, b]) => b - a).slice(0, 3);
  const losses = most.map(([kernel, seconds]) => `${kernel} ${formatSeconds(seconds)}`).join(', ');
  const shares = [alone, unequal, two - one / 2 - alone - unequal].map((part) => percent(part / two));
  const barriers = timed.filter(({ waits }) => waits).length;
  return `| ${[name, formatSeconds(one), `${(one / two).toFixed(2)} ×`, ...shares, barriers, losses].join(' | ')} |`;
}

export async function table(simd: 'auto' | 'strict' | 'relaxed', quick: boolean): Promise<string> {
  const commands = new Commands();
  const unwatch = commands.watch();
  await init({ simd, threads: 2 });
  unwatch();
  const works = [
    ...networks(quick).map(({ name, problem }) => ({ name, step: network(retrograd, problem).step })),
    { name: 'convolution, batch norm, dropout, AdamW', step: normalized(quick ? 4 : 64) },
  ];
  const rows = works.map(({ name, step }) => {
    const compiled = compile(step);
    const run = (): void => scope(() => void compiled());
    run();
    commands.timed.length = 0;
    for (let i = 0; i < (quick ? 2 : 200); i++) {
      commands.mode = i % 2 === 0 ? 'whole' : 'sliced';
      run();
    }
    commands.mode = 'together';
    return row(name, commands.timed, kernelsOf(compiled.dump()));
  });
  return [
    `${backend().build} SIMD, ${backend().engine}; slices timed one after the other, on one thread`,
    '',
    '| step | one thread | two threads | in one piece | unequal pieces | dearer in pieces | barriers | most is lost by |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}
