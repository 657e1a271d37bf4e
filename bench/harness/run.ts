// One whole run, in Node or in a page: start the library, measure the limits, load the peers or another version, run
// the families.
import * as retrograd from 'retrograd';
import { attentionFamily } from '../families/attention.ts';
import { compileFamily } from '../families/compile.ts';
import { convFamily } from '../families/conv.ts';
import { eagerFamily } from '../families/eager.ts';
import { gemmFamily } from '../families/gemm.ts';
import { imagesFamily } from '../families/images.ts';
import { opsFamily } from '../families/ops.ts';
import { threadsFamily } from '../families/threads.ts';
import { trainFamily } from '../families/train.ts';
import { type Limit, measureLimits } from '../limits/limits.ts';
import type { Family, Library, Side } from '../problems.ts';
import { gemmKernels } from '../sides/gemm-kernel.ts';
import { RawKernels } from '../sides/raw-kernels.ts';
import { eagerSide, librarySide } from '../sides/retrograd.ts';
import { type Outcome, runFamilies } from './cases.ts';
import type { Timing } from './clock.ts';
import type { Report } from './report.ts';

/** What runs when nothing is asked for. */
export const FAMILIES = ['gemm', 'conv', 'ops', 'images', 'attention', 'train', 'eager'] as const;
/** And what has a table of its own, but for versions of the library. */
export const VERSION_FAMILIES = ['compile', 'threads'] as const;
export type FamilyName = (typeof FAMILIES | typeof VERSION_FAMILIES)[number];

/** A peer by its name; its module is loaded only when the peer is asked for. */
export type Peers = Readonly<Record<string, () => Promise<{ load(): Promise<Side> }>>>;

interface Settings {
  readonly simd: 'auto' | 'strict' | 'relaxed';
  /** Threads of our side; the peers have one. */
  readonly threads: number | 'auto';
}

export interface RunOptions extends Settings {
  readonly families: readonly FamilyName[];
  readonly peers: Peers;
  readonly quick: boolean;
  /** Each register tile of the GEMM kernel, and not the fastest alone. */
  readonly tiles: boolean;
  readonly rounds?: number | undefined;
  readonly filter?: string | undefined;
  readonly machine: string;
  readonly engine: string;
  /** Where the wasm files are. */
  readonly wasm: URL;
  /** Makes another instance of this library, or of the one to compare it to; not in a page. */
  readonly instance?: (of: 'this' | 'other', settings: Settings) => Promise<Library>;
  /** Beside another version of the library, by its public names alone. */
  readonly against?: boolean;
  readonly progress?: (family: string, name: string, outcome: Outcome) => void;
}

const FULL: Timing = { rounds: 41, minTime: 0.002, patience: 2.5, budget: 2 };
/** Versions differ by less than libraries do. */
const VERSIONS: Timing = { ...FULL, rounds: 81, budget: 8 };
/** One repetition, and a machine under load may take its time: what is checked must not depend on that. */
const QUICK: Timing = { rounds: 1, minTime: 0.0005, patience: 30, budget: 0 };

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

const NAMES = { this: 'retrograd', other: 'before' } as const;

/** The side of each version that is made of it by `make`, under its name with `suffix` behind. */
const sidesOf = (
  versions: Readonly<Partial<Record<keyof typeof NAMES, Library>>>,
  make: typeof librarySide,
  suffix = '',
): Side[] =>
  Object.entries(versions).map(([which, library]) =>
    make(library, {
      name: NAMES[which as keyof typeof NAMES] + suffix,
      ...(which === 'other' && { versionOf: NAMES.this + suffix }),
    }),
  );

/** Limits and the sides that are kernels alone; not for versions, which may have other kernels. */
async function loadKernels({ wasm, tiles, quick }: RunOptions, timing: Timing) {
  const raw = await RawKernels.load(retrograd.backend().build, wasm);
  // Everything is held against these: they get more rounds.
  const limits = await measureLimits(raw, quick ? timing : { ...timing, rounds: 3 * timing.rounds });
  return { raw, limits, kernels: gemmKernels(raw, tiles) };
}

export async function run(options: RunOptions): Promise<Report> {
  const { quick, simd, threads, filter, progress, instance, against = false } = options;
  await retrograd.init({ simd, threads });
  const timing = {
    ...(quick ? QUICK : against ? VERSIONS : FULL),
    ...(options.rounds !== undefined && { rounds: options.rounds }),
  };
  const versions: { this: Library; other?: Library } = { this: retrograd };
  if (against && instance) versions.other = await instance('other', { simd, threads });
  const threaded: { this?: Library; other?: Library } = {};
  if (instance && (options.families.includes('eager') || options.families.includes('threads')))
    for (const which of Object.keys(versions) as (keyof typeof versions)[])
      threaded[which] = await instance(which, { simd, threads: 2 });
  const { raw, limits, kernels } = against
    ? { raw: null, limits: [] as Limit[], kernels: [] }
    : await loadKernels(options, timing);
  const eager = sidesOf(versions, eagerSide, ', eager');
  const withThreads = sidesOf(threaded, librarySide, ', 2 threads');
  const make: Record<FamilyName, () => Family> = {
    gemm: () => gemmFamily(quick, kernels),
    conv: () => convFamily(quick),
    ops: () => opsFamily(quick, raw),
    attention: () => attentionFamily(quick),
    images: () => imagesFamily(quick),
    train: () => trainFamily(quick, eager),
    eager: () => eagerFamily(quick, withThreads, eager),
    compile: () => compileFamily(quick, eager),
    threads: () => threadsFamily(quick, withThreads),
  };
  const { sides: peers, missing } = await loadPeers(options.peers);
  try {
    const families = options.families.map((name) => make[name]());
    const sides = [...sidesOf(versions, librarySide), ...peers];
    const outcome = await runFamilies(families, { sides, limits, timing, filter, progress });
    const local = families.flatMap(({ cases }) => cases.flatMap((item) => item.sides ?? []));
    const [ours, ...others] = sides;
    const named = new Map([ours as Side, ...local, ...others].map(({ name, version }) => [name, { name, version }]));
    return {
      date: new Date().toISOString().slice(0, 10),
      machine: options.machine,
      engine: options.engine,
      build: retrograd.backend().build,
      quick,
      rounds: timing.rounds,
      sides: [...named.values()],
      missing,
      limits: limits.map(({ name, kind, rate }) => ({ name, kind, rate })),
      ...outcome,
    };
  } finally {
    for (const side of peers) await side.close?.();
    for (const library of [...Object.values(threaded), ...Object.values(versions)]) library.shutdown();
  }
}
