// npm run bench -- distributed: collectives and training by two ranks of MPI, beside a program in C and one rank.
import { availableParallelism } from 'node:os';
import { compileC, missing, runRanks } from '../distributed/job.ts';
import { type NetworkName, TITLES } from '../distributed/networks.ts';
import type { Reduced, Trained, Wrapped } from '../distributed/rank.ts';
import { formatSeconds } from '../harness/report.ts';

const NETWORKS: readonly NetworkName[] = ['MLP', 'CNN', 'GPT'];
const size = (bytes: number): string => (bytes < 2 ** 20 ? `${bytes / 1024} kB` : `${bytes / 2 ** 20} MB`);
const ratio = (a: number, b: number): string => `${(a / b).toFixed(2)} ×`;

function reduceRow({ bytes, eager, compiled, c }: Reduced): string {
  const against = c === null ? ['no mpicc', '', ''] : [formatSeconds(c), ratio(eager, c), ratio(compiled, c)];
  const [inC, ...ratios] = against;
  return `| ${[size(bytes), formatSeconds(eager), formatSeconds(compiled), inC, ...ratios].join(' | ')} |`;
}

function trainRow({ name, alone, together, eager }: Trained): string {
  const times = [alone, together, eager].map(formatSeconds);
  return `| ${[TITLES[name], ...times, ratio(2 * alone, together)].join(' | ')} |`;
}

function wrappedRow({ mode, plain, wrapped }: Wrapped): string {
  const more = `${(100 * (wrapped / plain - 1)).toFixed(2)} %`;
  return `| ${[`${TITLES.CNN}, ${mode}`, formatSeconds(plain), formatSeconds(wrapped), more].join(' | ')} |`;
}

export async function table(_simd: 'auto' | 'strict' | 'relaxed', quick: boolean): Promise<string> {
  const [rounds, mode] = quick ? ['2', 'quick'] : ['40', 'whole'];
  const wrapped = [
    '| step | the model alone | in DataParallel of one rank | more |',
    '| --- | ---: | ---: | ---: |',
    ...runRanks<Wrapped[]>(1, ['wrapped', rounds, mode]).map(wrappedRow),
  ];
  const why = missing();
  if (why) return [`Rows of several ranks are skipped: ${why}`, '', ...wrapped].join('\n');
  return [
    `Two ranks of one thread each, on ${availableParallelism()} processors, Node ${process.versions.node}`,
    '',
    '| all-reduce of | eager | compiled | in C | eager / C | compiled / C |',
    '| --- | ---: | ---: | ---: | ---: | ---: |',
    ...runRanks<Reduced[]>(2, ['reduce', rounds, mode, compileC()]).map(reduceRow),
    '',
    '| step | one rank | two ranks | two ranks, eager | examples a second |',
    '| --- | ---: | ---: | ---: | ---: |',
    ...runRanks<Trained[]>(2, ['train', rounds, mode, NETWORKS.join()]).map(trainRow),
    '',
    ...wrapped,
  ].join('\n');
}
