// npm run bench -- threads: how large kernels and training steps scale, all team sizes in turn in one run.
import { availableParallelism } from 'node:os';
import * as retrograd from 'retrograd';
import { backend, compile, init, randn, scope, shutdown, synchronize } from 'retrograd';
import { formatSeconds } from '../harness/report.ts';
import { network } from '../sides/retrograd.ts';
import { leastSeconds, networks } from './compiled-steps.ts';

interface Work {
  readonly name: string;
  /** Makes it in the backend that runs. `answer`, where it has one, has to be the same for every team. */
  make(): { run: () => void; answer: () => number[] };
}

const gemm = (n: number): Work => ({
  name: `GEMM ${n}`,
  make: () => {
    const a = randn([n, n]);
    return { run: () => scope(() => void a.matmul(a)), answer: () => [] };
  },
});

function works(quick: boolean): Work[] {
  const steps = networks(quick).filter(({ name }) => !name.includes('2-4-1'));
  return [
    ...(quick ? [256] : [1024, 2048]).map(gemm),
    ...steps.map(({ name, problem }) => ({
      name,
      make: () => {
        const step = compile(network(retrograd, problem).step);
        return {
          run: () => scope(() => void step()),
          answer: () => Array.from({ length: 3 }, () => scope(() => step().item())),
        };
      },
    })),
  ];
}

export async function table(simd: 'auto' | 'strict' | 'relaxed', quick: boolean): Promise<string> {
  const cores = availableParallelism();
  const sizes = [1, 2, 4, 8, 16, 32].filter((size) => size <= Math.max(2, cores));
  const all = works(quick);
  const best = all.map(() => sizes.map(() => Number.POSITIVE_INFINITY));
  const answers: number[][] = [];
  let title = '';
  // A team at a time, several times over: the machine's slow minutes hit all of them.
  for (let round = 0; round < (quick ? 1 : 4); round++)
    for (const [i, threads] of sizes.entries()) {
      await init({ simd, threads });
      title = `${backend().build} SIMD, ${cores} cores, ${backend().engine}`;
      for (const [j, { name, make }] of all.entries()) {
        const { run, answer } = make();
        const now = answer();
        answers[j] ??= now;
        if (answers[j]?.join() !== now.join())
          throw new Error(`${name}: expected the same bits from ${threads} threads as from one, got others`);
        const row = best[j] as number[];
        const whole = (): void => {
          run();
          synchronize();
        };
        row[i] = Math.min(row[i] as number, ...leastSeconds([whole], quick ? 1 : 25));
      }
      shutdown();
    }
  const rows = all.map(({ name }, j) => {
    const row = best[j] as number[];
    const [one = 0] = row;
    const gains = row.slice(1).map((seconds) => `${(one / seconds).toFixed(2)} ×`);
    return `| ${[name, formatSeconds(one), ...gains].join(' | ')} |`;
  });
  return [
    title,
    '',
    `| | ${sizes.map((size) => (size === 1 ? '1 thread' : `${size} threads`)).join(' | ')} |`,
    `| --- |${sizes.map(() => ' --- |').join('')}`,
    ...rows,
  ].join('\n');
}
