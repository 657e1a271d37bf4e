// V8's experiment that joins pairs of 128-bit vectors into 256 bits: compiles a build with it, and checks every kernel
// against the plain build, since an experiment may be wrong.
import { argumentsOf, operandsOf } from '../kernels/command.ts';
import type { BufferSpec, Kernel } from '../kernels/descriptor.ts';
import { kernelOf } from '../kernels/eager.ts';
import { addDescriptors, type KernelName, table } from '../kernels/table.ts';
import '../kernels/trials.ts';
import type { BuildName } from './builds.ts';
import { makeTrial } from './instance.ts';
import { isNode } from './platform.ts';
import { setTile, TILES } from './tile.ts';

// Also of the families whose rows nobody has loaded.
addDescriptors(table);
/** A kernel's place is its number. */
const NUMBERED = Object.keys(table);

/** What came of the wish: the module to run, and why. */
export interface Revectorized {
  /** null: run the plain one. */
  readonly module: WebAssembly.Module | null;
  readonly reason: string;
}

/** Compiles `bytes` with pairs of vectors joined, where the engine can, and gives it if it agrees with `plain`. */
export async function revectorize(
  bytes: Uint8Array<ArrayBuffer>,
  plain: WebAssembly.Module,
  build: BuildName,
): Promise<Revectorized> {
  const lack = missing();
  if (lack) return { module: null, reason: `128-bit vectors: asked to revectorize, but ${lack}` };
  const death = await tryApart(bytes);
  if (death) return { module: null, reason: `128-bit vectors: asked to revectorize, but ${death}` };
  const module = await compileWide(bytes);
  const kernel = await findDifference(plain, module, build);
  if (kernel) return { module: null, reason: `128-bit vectors: revectorized, ${kernel} differs from the plain build` };
  return {
    module,
    reason: 'pairs of vectors joined into 256 bits: asked for, and every kernel agrees with the plain build',
  };
}

/** The major version of V8. */
const v8Major = (): number => Number.parseInt(globalThis.process.versions.v8, 10);

/** What the engine lacks, or ''. */
function missing(): string {
  if (!isNode || globalThis.process.versions.bun || globalThis.process.versions.deno)
    return 'only Node has the switch for it';
  // V8 12 takes the switch, and joins nothing.
  if (v8Major() < 13) return `V8 ${globalThis.process.versions.v8} joins no vectors; use Node 24 or later`;
  if (globalThis.process.arch !== 'x64') return `V8 does it on x64 alone, not on ${globalThis.process.arch}`;
  return '';
}

/**
 * Flags while the module compiles. Code that is compiled later, when it gets hot, would miss the mode: so all at once.
 * From V8 14 on a call that is inlined without Liftoff's feedback ends the process, unless deoptimization is off. It
 * comes first, and so is given back last; older versions lack it, or have it off.
 */
const flags = (): string[] => [
  ...(v8Major() >= 14 ? ['no-wasm-deopt'] : []),
  'experimental-wasm-revectorize',
  'no-liftoff',
  'no-wasm-lazy-compilation',
];
const negated = (flag: string): string => (flag.startsWith('no-') ? flag.slice(3) : `no-${flag}`);

/** Compiles what comes in with the flags that are its arguments. */
const PROBE = `for (const flag of process.argv.slice(1)) require('node:v8').setFlagsFromString('--' + flag);
new WebAssembly.Module(require('node:fs').readFileSync(0));`;
/** Milliseconds that it may take: it takes a quarter of a second, on a machine that does nothing else. */
const PATIENCE = 20_000;

/**
 * Compiles in a process of its own, since a fault of the experiment ends the process that it is in.
 * @returns what came of it, or '' where it lives
 */
export async function tryApart(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  try {
    const { spawn } = await import('node:child_process');
    const { tmpdir } = await import('node:os');
    const child = spawn(globalThis.process.execPath, ['-e', PROBE, '--', ...flags()], {
      cwd: tmpdir(), // where a dump of its memory is in nobody's way
      env: { ...process.env, NODE_OPTIONS: '' },
      stdio: ['pipe', 'ignore', 'pipe'],
      timeout: PATIENCE,
    });
    let said = '';
    child.stderr.on('data', (text) => {
      said += text;
    });
    child.stdin.on('error', () => {}); // it may be gone before it has read all
    child.stdin.end(bytes);
    const ended = await new Promise<string>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (status, signal) => resolve(signal ?? (status === 0 ? '' : `status ${status}`)));
    });
    if (ended) return `a process that tried it ended with ${ended}`;
    // V8 says so on stderr, and goes on.
    return /unrecognized flag/.test(said) ? `V8 ${globalThis.process.versions.v8} lacks the switch` : '';
  } catch (error) {
    return `no process could be started to try it (${(error as Error).message})`;
  }
}

async function compileWide(bytes: Uint8Array<ArrayBuffer>): Promise<WebAssembly.Module> {
  const v8 = await import('node:v8');
  // V8 shares the code of modules with the same bytes, so a custom section tells this one from the plain one.
  const section = [0, 5, 4, ...new TextEncoder().encode('wide')];
  const named = new Uint8Array(bytes.length + section.length);
  named.set(bytes);
  named.set(section, bytes.length);
  for (const flag of flags()) v8.setFlagsFromString(`--${flag}`);
  try {
    // In one go, so that nothing else is compiled meanwhile.
    return new WebAssembly.Module(named);
  } finally {
    for (const flag of flags().reverse()) v8.setFlagsFromString(`--${negated(flag)}`);
  }
}

/** Bytes of an operand, and how many 32-bit words of a result are looked at. */
const OPERAND = 1 << 20;
const WORDS = 1 << 16;
/** How many buffers any kernel reads, or writes, at most. */
const mostBuffers = (written: boolean): number => {
  const counts = (Object.values(table) as Kernel[]).map(
    ({ operands }) =>
      Object.values(operands).filter((spec) => spec.kind === 'buffer' && spec.writes === written).length,
  );
  return Math.max(...counts);
};
const IN = mostBuffers(false);
const OUT = mostBuffers(true);
/** Every size and stride of kernels with one, two, and three or more of them: whole vectors of pairs, and some over. */
const LINE = 1021;
const PLANE = 101;
const SIZE = 20;
const TRIAL_BYTES = (IN + OUT + 1) * OPERAND + (4 << 20);

/** Sets of numbers that a kernel is tried with: its own, or all sizes alike, which then fit whatever they mean. */
function numbersOf({ operands, trials }: Kernel): readonly Readonly<Record<string, number>>[] {
  if (trials) return trials;
  const names = Object.entries(operands).filter(([, { kind }]) => kind === 'size' || kind === 'i32' || kind === 'f32');
  const integers = names.filter(([, { kind }]) => kind !== 'f32').length;
  const size = [LINE, LINE, PLANE][integers] ?? SIZE;
  return [Object.fromEntries(names.map(([name, { kind }], i) => [name, kind === 'f32' ? 0.5 + i / 8 : size]))];
}

/**
 * Numbers from -2 to 2 by Numerical Recipes' generator, every other 32 of them positive, and a 1 here and there, so
 * that any two operands that start a multiple of 32 apart have equal elements.
 */
function randomNumbers(length: number): Float32Array {
  let state = 1;
  return Float32Array.from({ length }, (_, i) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const x = state / 2 ** 30 - 2;
    return i % 32 === 5 ? 1 : i & 32 ? Math.abs(x) : x;
  });
}

/** A number that stands for the bits of results; any NaN is as good as another. */
function digest(words: Uint32Array, hash: number): number {
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as number;
    const bits = (word & 0x7fffffff) > 0x7f800000 ? 0x7fc00000 : word;
    hash = Math.imul(hash ^ bits, 0x01000193);
    hash = (hash << 13) | (hash >>> 19);
  }
  return hash;
}

/** What every kernel of a module makes of the same random operands: a digest of its results, or null where it traps. */
export async function digestKernels(
  module: WebAssembly.Module,
  build: BuildName,
): Promise<ReadonlyMap<string, number | null>> {
  const { exports, memory, base } = await makeTrial(module, build, TRIAL_BYTES);
  const outputs = base + IN * OPERAND;
  const indices = outputs + OUT * OPERAND;
  const lists = indices + OPERAND;
  const workspace = lists + 4096;
  const random = randomNumbers(OPERAND / 4 + 64 * IN);
  for (let i = 0; i < IN; i++)
    new Float32Array(memory.buffer, base + i * OPERAND, OPERAND / 4).set(random.subarray(i * 64, i * 64 + OPERAND / 4));
  new Int32Array(memory.buffer, indices, WORDS).set(Int32Array.from({ length: WORDS }, (_, i) => (i * 7) % SIZE));

  /** Runs a kernel on fresh results; `hash` goes on with them. */
  const run = (
    name: KernelName,
    numbers: Readonly<Record<string, number>>,
    dims: readonly number[],
    hash: number,
  ): number => {
    let [ins, outs] = [0, 0];
    new Int32Array(memory.buffer, lists, dims.length).set(dims);
    const addressOf = ({ writes, below }: BufferSpec): number => {
      if (below !== null) return indices;
      if (!writes) return base + ins++ * OPERAND;
      const at = outputs + outs++ * OPERAND;
      new Float32Array(memory.buffer, at, WORDS).set(random.subarray(outs * 32, outs * 32 + WORDS));
      return at;
    };
    const operands: Record<string, number> = { ...numbers };
    for (const [operand, spec] of operandsOf(name)) {
      if (spec.kind === 'list') operands[operand] = lists;
      else if (spec.kind === 'buffer') operands[operand] = addressOf(spec);
    }
    kernelOf(exports, NUMBERED.indexOf(name))(...argumentsOf(name, operands, workspace));
    for (let i = 0; i < outs; i++) hash = digest(new Uint32Array(memory.buffer, outputs + i * OPERAND, WORDS), hash);
    return hash;
  };

  const digests = new Map<string, number | null>();
  for (const [name, kernel] of Object.entries(table) as [KernelName, Kernel][]) {
    const specs = Object.values(kernel.operands);
    const dimLists = specs.flatMap((spec) => (spec.kind === 'list' ? spec.trials : []));
    // Products, alone and in convolutions, by every tile.
    const tiles = specs.some(({ kind }) => kind === 'workspace') ? TILES : TILES.slice(0, 1);
    let hash: number | null = 0;
    try {
      for (const tile of tiles) {
        setTile(exports, tile);
        for (const numbers of numbersOf(kernel))
          for (const dims of dimLists.length > 0 ? dimLists : [[]]) hash = run(name, numbers, dims, hash);
      }
    } catch {
      hash = null;
    }
    digests.set(name, hash);
  }
  return digests;
}

/** The first kernel whose results differ between two modules of a build, or ''. */
export async function findDifference(a: WebAssembly.Module, b: WebAssembly.Module, build: BuildName): Promise<string> {
  const expected = await digestKernels(a, build);
  const got = await digestKernels(b, build);
  return [...expected.keys()].find((name) => expected.get(name) !== got.get(name)) ?? '';
}
