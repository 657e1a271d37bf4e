// Mutants: does a test fail where one token of the sources is another? Prints those that no test sees.
//   node build/tools/try-mutants.js [--seed 1] [--count 30] [--folder bindings|assembly] [--only PART_OF_A_FILE_NAME]
//     [--jobs 1] [--tests PARTS_OF_THE_NAMES_OF_TESTS, with commas; else all]
//     [--most N: only so many files of tests a mutant, the likeliest: survivors are tried again, with more, by --only]
// Outside of CI: a mutant of assembly/ takes a compilation and a minute of tests.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type Mutant, mutated } from './mutants/candidates.ts';
import { Copy, type Outcome } from './mutants/runner.ts';
import { numbers, sample } from './mutants/sample.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    count: { type: 'string', default: '30' },
    folder: { type: 'string' },
    only: { type: 'string' },
    tests: { type: 'string' },
    most: { type: 'string', default: '9999' },
    jobs: { type: 'string', default: '1' },
  },
});
const seed = Number(values.seed);
const count = Number(values.count);
const jobs = Number(values.jobs);
const most = Number(values.most);
if (!(most > 0)) throw new Error('mutants: expected --most above 0, how many files of tests a mutant meets');
if (!(Number.isInteger(jobs) && jobs > 0)) throw new Error('mutants: expected --jobs above 0, how many run at once');
if (!Number.isInteger(seed) || !(count > 0) || (values.folder && !/^(bindings|assembly)$/.test(values.folder)))
  throw new Error('mutants: expected a whole --seed, a --count above 0 and --folder bindings or assembly');

const counts: Record<string, number> = {};
const started = performance.now();
function tell({ file, line, code }: Mutant, outcome: Outcome | 'no compilation' | 'the same code', by = ''): void {
  const word = outcome === 'passed' ? 'SURVIVED' : outcome === 'failed' ? 'killed' : outcome;
  counts[word] = (counts[word] ?? 0) + 1;
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  console.log(`${seconds.padStart(6)} s  ${word.padEnd(14)}  ${file}:${line}  ${code.slice(0, 160)}`);
  if (by) console.log(`${' '.repeat(26)}by ${by.slice(0, 160)}`);
}

/** Where a mutant is tried. */
interface Place {
  readonly copy: Copy;
  /** Which of the jobs in the copy. */
  readonly job: number;
  /** What each file of tests takes. */
  readonly seconds: ReadonlyMap<string, number>;
}

/** Tries a mutant that is in the copy, and tells what came of it. */
async function tryOne(
  place: Place,
  mutant: Mutant,
  tests: readonly string[],
  env: Record<string, string>,
): Promise<void> {
  const outcome = await tried(place, inOrder(mutant.file, tests, place.seconds), env);
  const failed = outcome === 'failed' ? place.copy.results(place.job).find((result) => result.failed) : undefined;
  tell(mutant, outcome, failed && `${failed.file}: ${failed.failure}`);
}

/** Does `work` for all items, so many at once; each job takes the next that is left. */
async function inJobs<T>(items: readonly T[], work: (item: T, job: number) => Promise<void>): Promise<void> {
  const left = [...items];
  const one = async (_: unknown, job: number): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item, job);
  };
  await Promise.all(Array.from({ length: jobs }, one));
}

/** Folders and the name of a file as words; 'the' tests of a file share one. */
const words = (file: string): string[] => file.split(/[/\\.-]/).filter((word) => word.length > 2);

/** The files of tests that are likeliest to see a change of `file`, then the quickest, first. */
function inOrder(file: string, tests: readonly string[], seconds: ReadonlyMap<string, number>): string[] {
  const own = new Set(words(file).slice(1));
  const likeness = new Map(tests.map((test) => [test, words(test).filter((word) => own.has(word)).length]));
  const by = (test: string) => -1000 * (likeness.get(test) ?? 0) + (seconds.get(test) ?? 10);
  return [...tests].sort((a, b) => by(a) - by(b));
}

/** Runs tests in portions, the likeliest first: one run of vitest each costs a second or two. */
async function tried(
  { copy, job, seconds }: Place,
  tests: readonly string[],
  env: Record<string, string>,
): Promise<Outcome> {
  for (const [from, to] of [
    [0, 3],
    [3, 12],
    [12, tests.length],
  ] as const) {
    const portion = tests.slice(from, Math.min(to, most));
    if (portion.length === 0) break;
    const usual = portion.reduce((sum, file) => sum + (seconds.get(file) ?? 30), 0);
    const outcome = await copy.test(portion, env, 60 + 4 * usual, { job });
    if (outcome !== 'passed') return outcome;
  }
  return 'passed';
}

/** What each file of tests takes, in seconds, and which mutants it meets: one run in which no mutant is on. */
async function record(copy: Copy, tests: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const hits = join(copy.folder, 'hits.jsonl');
  await copy.test(tests, { ...env, HITS: hits }, 3600, { all: true });
  const results = copy.results();
  const failed = new Set(results.filter((result) => result.failed).map(({ file }) => file));
  // Some measure time, and fail on a machine that is busy.
  for (const file of failed) console.log(`left out, since it fails without mutants: ${file}`);
  if (failed.size > 3) throw new Error('mutants: expected tests that pass without any, got more than three that fail');
  const seconds = new Map(results.filter((result) => !result.failed).map((result) => [result.file, result.seconds]));
  const met = new Map<number, string[]>();
  for (const line of readFileSync(hits, 'utf8').trim().split('\n')) {
    const { file: path, hits: list } = JSON.parse(line) as { file: string; hits: number[] };
    const file = path.slice(copy.folder.length + 1);
    if (seconds.has(file)) for (const i of list) met.set(i, [...(met.get(i) ?? []), file]);
  }
  return { seconds, met };
}

/** The tests that were asked for: a survivor of a part is tried again with all. */
const chosen = (tests: readonly string[]): string[] =>
  tests.filter((file) => !values.tests || values.tests.split(',').some((part) => file.includes(part)));

/** All mutants of bindings/ at once, each behind a switch; each is on in the tests that met it. */
async function tryBindings(copy: Copy, mutants: readonly Mutant[]): Promise<void> {
  const edits = [...mutants.entries()].sort(([, a], [, b]) => b.whole.start - a.whole.start);
  for (const [i, mutant] of edits) {
    const { file, whole, start, end, text } = mutant;
    const now = copy.read(file).toString();
    const plain = now.slice(whole.start, whole.end);
    const changed = now.slice(whole.start, start) + text + now.slice(end, whole.end);
    const both = `(globalThis.mutant(${i}) ? (${changed}) : (${plain}))`;
    copy.write(file, now.slice(0, whole.start) + both + now.slice(whole.end));
  }
  const { seconds, met } = await record(copy, chosen(copy.testFiles()));
  console.log(`bindings: ${mutants.length} mutants; the tests pass without them, ${met.size} are met`);
  await inJobs([...mutants.entries()], ([i, mutant], job) =>
    tryOne({ copy, job, seconds }, mutant, met.get(i) ?? [], { MUTANT: `${i}` }),
  );
}

/** Tests of one thread alone take the strict build, where two processors would have them take that with threads. */
const ONE_THREAD = { PROCESSORS: '1' };

/** Each mutant of assembly/ alone, compiled as the strict build; the other builds stay as they are. */
async function tryAssembly(copy: Copy, mutants: readonly Mutant[]): Promise<void> {
  const wasm = 'build/wasm/retrograd.strict.wasm';
  const compiler = resolve('build/tools/compile-kernels.js');
  const compile = (where: Copy) => where.run([process.execPath, compiler, 'strict', '--unpacked'], {}, 600);
  const tests = chosen(copy.testFiles()).filter((file) => /^test\/(kernels|ops|golden)\//.test(file));
  if ((await compile(copy)) !== 'passed') throw new Error('mutants: expected sources that compile, got others');
  const plain = copy.read(wasm);
  const { seconds } = await record(copy, tests, ONE_THREAD);
  console.log(`assembly: ${mutants.length} mutants; the tests pass without them`);
  const copies = [copy, ...Array.from({ length: jobs - 1 }, () => new Copy())];
  try {
    await inJobs(mutants, async (mutant, job) => {
      const own = copies[job] as Copy;
      // Of the copy: the project may have changed since.
      const text = own.read(mutant.file).toString();
      own.write(mutant.file, mutated(text, mutant));
      if ((await compile(own)) !== 'passed') tell(mutant, 'no compilation');
      else if (own.read(wasm).equals(plain)) tell(mutant, 'the same code');
      else await tryOne({ copy: own, job: 0, seconds }, mutant, [...seconds.keys()], ONE_THREAD);
      own.write(mutant.file, text);
    });
  } finally {
    for (const own of copies.slice(1)) own.remove();
  }
}

const random = numbers(seed);
for (const folder of ['bindings', 'assembly'] as const) {
  if (values.folder && values.folder !== folder) continue;
  const copy = new Copy();
  try {
    const mutants = sample(folder, values.folder ? count : Math.ceil(count / 2), random, values.only);
    await (folder === 'bindings' ? tryBindings(copy, mutants) : tryAssembly(copy, mutants));
  } finally {
    copy.remove();
  }
}
console.log(
  `mutants, seed ${seed}: ${Object.entries(counts)
    .map(([word, n]) => `${n} ${word}`)
    .join(', ')}`,
);
