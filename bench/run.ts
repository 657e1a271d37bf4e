// One whole run, in Node or in a page: start the library, measure the limits, load the peers, run the families.
import * as retrograd from 'retrograd';
import { convFamily } from './families/conv.ts';
import { gemmFamily } from './families/gemm.ts';
import { opsFamily } from './families/ops.ts';
import { trainFamily } from './families/train.ts';
import { gemmKernels } from './gemm-kernel.ts';
import { type Outcome, runFamilies } from './harness.ts';
import { RawKernels } from './kernels.ts';
import { measureLimits } from './limits.ts';
import type { Timing } from './measure.ts';
import { ours } from './ours.ts';
import type { Family, Side } from './problems.ts';
import type { Report } from './report.ts';

export const FAMILIES = ['gemm', 'conv', 'ops', 'train'] as const;
export type FamilyName = (typeof FAMILIES)[number];

/** A peer by its name; its module is loaded only when the peer is asked for. */
export type Peers = Readonly<Record<string, () => Promise<{ load(): Promise<Side> }>>>;

export interface RunOptions {
  readonly families: readonly FamilyName[];
  readonly peers: Peers;
  readonly quick: boolean;
  readonly simd: 'auto' | 'strict' | 'relaxed';
  /** Threads of our side; the peers have one. */
  readonly threads: number | 'auto';
  /** Each register tile of the GEMM kernel, and not the fastest alone. */
  readonly tiles: boolean;
  readonly rounds?: number | undefined;
  readonly filter?: string | undefined;
  readonly machine: string;
  readonly engine: string;
  readonly progress?: (family: string, name: string, outcome: Outcome) => void;
}

const FULL: Timing = { rounds: 41, minTime: 0.002, patience: 2.5, budget: 2 };
const QUICK: Timing = { rounds: 1, minTime: 0.0005, patience: 1, budget: 0 };

async function loadPeers(peers: Peers): Promise<{ sides: Side[]; missing: Report['missing'][number][] }> {
  const sides: Side[] = [];
  const missing: Report['missing'][number][] = [];
  for (const [name, find] of Object.entries(peers)) {
    try {
      sides.push(await (await find()).load());
    } catch (error) {
      missing.push({ name, reason: (error as Error).message.split('\n')[0] as string });
    }
  }
  return { sides, missing };
}

export async function run({ quick, simd, threads, tiles, filter, progress, ...options }: RunOptions): Promise<Report> {
  await retrograd.init({ simd, threads });
  const { build } = retrograd.backend();
  const timing = { ...(quick ? QUICK : FULL), ...(options.rounds !== undefined && { rounds: options.rounds }) };
  const raw = await RawKernels.load(build);
  // Everything is held against these: they get more rounds.
  const limits = await measureLimits(raw, quick ? timing : { ...timing, rounds: 3 * timing.rounds });
  const own = ours();
  const kernels = gemmKernels(raw, tiles);
  const make: Record<FamilyName, () => Family> = {
    gemm: () => gemmFamily(quick, kernels),
    conv: () => convFamily(quick),
    ops: () => opsFamily(quick, raw),
    train: () => trainFamily(quick),
  };
  const { sides: peers, missing } = await loadPeers(options.peers);
  try {
    const families = options.families.map((name) => make[name]());
    const sides = [own, ...peers];
    const outcome = await runFamilies(families, { sides, limits, timing, filter, progress });
    const local = families.flatMap(({ cases }) => cases.flatMap((item) => item.sides ?? []));
    const named = new Map([own, ...local, ...peers].map(({ name, version }) => [name, { name, version }]));
    return {
      date: new Date().toISOString().slice(0, 10),
      machine: options.machine,
      engine: options.engine,
      build,
      quick,
      rounds: timing.rounds,
      sides: [...named.values()],
      missing,
      limits: limits.map(({ name, kind, rate }) => ({ name, kind, rate })),
      ...outcome,
    };
  } finally {
    for (const side of peers) await side.close?.();
  }
}
